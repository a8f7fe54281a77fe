//! A pack: sends that have come as one message of the network. They go into their mailboxes together.
//!
//! The protocol:
//!
//! 1. All messages of a pack are decoded first. They go on by themselves, each as a packet (`served.rs`), if one of them is
//!    refused or has a key, or if their pool takes nothing at once.
//! 2. Else they are sent with one push for each receiver. Each takes its turn as if it were sent alone, so nobody can tell
//!    whether they came as a pack.
//! 3. Those that come back, since an instance has ended just now or has no room, are sent once more, one by one. Only what
//!    is refused then counts as a refusal.
//! 4. The senders of those that are refused then are told so. A refused message does not say which packet it was; so those
//!    count as refused that are of its variant, which is all that a dead letter says of a message. If a hook has sent one
//!    of that variant, its sender may take the loss of another for that of the hook's.
//! 5. The books are changed once for a pack, and it is acknowledged once.
//!
//! A pack has sends alone: each call has a reply of its own to wait for.

use std::sync::Arc;

use crate::remote::ledger::Inbound;
use crate::remote::message::RemoteMessage;
use crate::remote::packet::{Answer, Pack, PackReceipt, Packet};
use crate::remote::partition::Route;
use crate::remote::served::{Served, ServedPool, send, tell};
use crate::remote::wire::Format;
use crate::sys::frame::as_inside;
use crate::sys::unwind::catch;

impl Pack<'_> {
    fn packet<'a>(&self, bytes: &'a [u8]) -> Packet<'a> {
        let (inside, route) = (self.inside, self.route);
        Packet { bytes: bytes.into(), format: Format::MessagePack, call: None, inside, route, key: None }
    }
}

impl<M: RemoteMessage> ServedPool<M> {
    pub(super) fn take_pack_in(self: Arc<Self>, pack: &Pack<'_>, receipt: &dyn PackReceipt, mut arrived: Inbound) {
        if self.takes_pack_at_once(pack) {
            return self.feed_pack(pack, receipt, arrived);
        }
        for (place, bytes) in pack.messages.iter().enumerate() {
            Arc::clone(&self).deliver(pack.packet(bytes), receipt.of(place), arrived.one());
        }
    }

    fn takes_pack_at_once(&self, pack: &Pack<'_>) -> bool {
        pack.route != Route::Copy
            && pack.messages.iter().all(|bytes| self.takes_at_once(bytes.len(), pack.inside))
            && self.feeder_of(pack.inside).is_idle()
    }

    fn feed_pack(&self, pack: &Pack<'_>, receipt: &dyn PackReceipt, mut arrived: Inbound) {
        let decoded: Vec<Result<M, Answer>> = pack.messages.iter().map(|bytes| self.decode(bytes, pack)).collect();
        // The `Hash` of a key is the user's. One that panics does so again where its message is sent alone.
        let is_plain = |message: &Result<M, Answer>| message.as_ref().is_ok_and(|message| message.__key().is_none());
        if !catch(|| decoded.iter().all(is_plain)).unwrap_or(false) {
            for (place, message) in decoded.into_iter().enumerate() {
                let (receipt, arrived) = (receipt.of(place), arrived.one());
                let send_it = |message| send(&self.pool_at_once, message, pack.inside).map(|()| None);
                // A panic is that of a drop or a hash of the user's.
                drop(catch(|| tell(message.and_then(send_it), receipt, &arrived)));
            }
            return;
        }
        let messages: Vec<M> = decoded.into_iter().flatten().collect();
        let variants: Vec<&'static str> = messages.iter().map(M::variant).collect();
        match catch(|| self.send_together(messages, pack.inside)) {
            Ok(refused) if refused.is_empty() => {
                arrived.taken_together(pack.messages.len());
                receipt.taken();
            }
            Ok(refused) => tell_each(&variants, receipt, arrived, refused),
            // Some of them may be in mailboxes.
            Err(_) => (0..pack.messages.len()).for_each(|place| receipt.of(place).answer(Answer::Lost)),
        }
    }

    /// Step 1. A panic is that of the user's `Deserialize`, `Hash` or `Drop`: it ends neither the pack nor the thread that
    /// delivers it. The sender of that message is told what it would be told of a packet alone.
    fn decode(&self, bytes: &[u8], pack: &Pack<'_>) -> Result<M, Answer> {
        let decoded = || {
            let message = Self::read(bytes, Format::MessagePack)?;
            self.check(&message, pack.route, None).map(|()| message)
        };
        catch(decoded).unwrap_or(Err(Answer::Unreachable))
    }

    /// Steps 2 and 3. Gives the variants of those that are refused, and why.
    fn send_together(&self, messages: Vec<M>, inside: bool) -> Vec<(&'static str, Answer)> {
        let send_all = || self.pool_at_once.try_send_all(messages);
        let back = if inside { as_inside(send_all) } else { send_all() };
        let again = |message: M| {
            let variant = message.variant();
            // A panic is that of the drop of a refused message. Others of the pack are in mailboxes by now.
            let sent = catch(|| send(&self.pool_at_once, message, inside)).unwrap_or(Err(Answer::Unreachable));
            sent.err().map(|answer| (variant, answer))
        };
        back.into_iter().filter_map(again).collect()
    }
}

/// Step 4. `variants`: those of the messages, in their order.
fn tell_each(
    variants: &[&'static str],
    receipt: &dyn PackReceipt,
    mut arrived: Inbound,
    mut refused: Vec<(&'static str, Answer)>,
) {
    for (place, variant) in variants.iter().enumerate().rev() {
        let found = refused.iter().position(|(refused, _)| refused == variant);
        let outcome = found.map_or(Ok(None), |index| Err(refused.swap_remove(index).1));
        tell(outcome, receipt.of(place), &arrived.one());
    }
}
