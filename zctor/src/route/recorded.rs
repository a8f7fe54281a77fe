//! The record of sends: which types send to which, and start which, if the engine was told to record it.
//!
//! An engine that does not record pays nothing for this. In one that does, all mailboxes count as bounded, so each
//! message takes the way of a bounded mailbox, and is noted there.

use crate::id::Slot;
use crate::mailbox::Mailbox;
use crate::mailbox::engine_shared::EngineShared;
use crate::mailbox::sends::{Done, Sends};
use crate::thread::carried::home;
use crate::thread::local::{local, running_here};

/// Notes that the instance whose code runs here, if one's does, sends to the instance in a slot, if this is recorded.
// A function of its own, since it would make the way into a bounded mailbox longer for those who do not record.
#[cold]
#[inline(never)]
pub(super) fn note_send(mailbox: &Mailbox, slot: Slot) {
    // An instance that has ended meanwhile is not found, and takes no mail.
    if let Some((sends, receiver)) = mailbox.engine.sends.as_ref().zip(mailbox.roster.find(slot)) {
        note_in(sends, receiver.message, Done::Sent);
    }
}

/// Notes that the instance whose code runs here, if one's does, has started an instance of this name, if this is recorded.
#[inline]
pub(crate) fn note_start(engine: &EngineShared, started: fn() -> &'static str) {
    if let Some(sends) = &engine.sends {
        note_in(sends, started(), Done::Started);
    }
}

#[cold]
pub(crate) fn note_in(sends: &Sends, receiver: &'static str, done: Done) {
    // Carried code is a part of a handler elsewhere, on whichever thread it runs.
    let carried = home().map(|home| home.handler);
    let sender = carried.or_else(|| local()?.mailbox.roster.find(running_here()?.slot));
    if let Some(sender) = sender {
        sends.note(sender.message, receiver, done);
    }
}
