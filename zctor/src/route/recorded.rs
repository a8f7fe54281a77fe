//! Sends are recorded at no cost to an engine that does not: a message for a bounded mailbox leaves the short way, to take
//! a permit, and where sends are recorded all mailboxes count as bounded.

use crate::mailbox::edge::Edge;
use crate::mailbox::sends::{Done, Sends};
use crate::thread::local::{local, running_here};

/// Notes what the handler that runs here does, if one does and this is recorded.
#[inline]
pub(crate) fn note(edge: &Edge, receiver: fn() -> &'static str, done: Done) {
    if let Some(sends) = &edge.sends {
        note_in(sends, receiver(), done);
    }
}

#[cold]
pub(crate) fn note_in(sends: &Sends, receiver: &'static str, done: Done) {
    let sender = running_here().and_then(|running| local()?.mailbox.roster.find(running.slot));
    if let Some(sender) = sender {
        sends.note(sender.message, receiver, done);
    }
}
