//! Mail for several instances of one thread, which goes into its mailbox in one push.
//!
//! Each push moves the cache lines of the queue from the core of the sender to that of the thread and back, and both wait
//! for them. Without bundles a broadcast would pay that for each copy.

use std::any::{Any, TypeId};
use std::collections::VecDeque;
use std::mem::take;

use crate::id::Slot;
use crate::mailbox::buffers::Buffers;
use crate::mailbox::envelope::{Envelope, ErasedContents, Gathered, Undeliverable, erase};
use crate::mailbox::mail::{Mail, MailContents, MailKind};
use crate::trace::spans::SentFrom;

/// The contents of a bundle: mail of one sender, each piece with its number, and none with a permit.
struct Bundle(VecDeque<Mail>);

impl Mail {
    /// Makes one piece of mail of several, which counts for as many messages. `None` if `mail` is empty.
    pub(super) fn bundle(mail: VecDeque<Mail>) -> Option<Self> {
        let (number, from_hook) = mail.front().map(|first| (first.number, first.from_hook))?;
        let (messages, kind) = (mail.len() as u32, MailKind::Bundle);
        let contents = MailContents::Envelope(erase(Bundle(mail)));
        // No instance has this slot.
        let to = Slot { index: u32::MAX, generation: u32::MAX };
        Some(Self { to, number, messages, in_turn: false, permitted: false, from_hook, kind, contents })
    }

    /// The mail in a bundle; other mail alone.
    pub(crate) fn unbundled(mut self) -> VecDeque<Self> {
        if self.kind == MailKind::Bundle {
            if let MailContents::Envelope(envelope) = &mut self.contents {
                return envelope.as_any_mut().downcast_mut().map(|Bundle(mail)| take(mail)).unwrap_or_default();
            }
        }
        VecDeque::from([self])
    }
}

/// Only `as_any_mut` is called: `Mail::unbundled` takes a bundle apart before its mail is served or given up.
impl ErasedContents for Bundle {
    fn content(&mut self) -> &mut dyn Any {
        self
    }

    fn message(&self) -> TypeId {
        TypeId::of::<Self>()
    }

    fn name(&self) -> &'static str {
        "?"
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn gather(&mut self, _: &mut Envelope, _: &Buffers) -> Gathered {
        Gathered::Not
    }

    fn discard(&mut self, undeliverable: Undeliverable<'_>) {
        for mail in self.0.drain(..) {
            if let Some(mut envelope) = mail.into_envelope() {
                envelope.discard(undeliverable);
            }
        }
    }

    fn sent_from(&self) -> Option<SentFrom> {
        None
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}
