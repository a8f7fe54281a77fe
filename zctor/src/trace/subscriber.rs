//! The subscriber, which is the user's code.

use crate::sys::frame::as_event;
use crate::sys::unwind::ignoring_panic;

/// Tells the subscriber of an event or a span. Its panic must not unwind a sender, which may hold a permit, and the
/// messages that it sends, to an actor that writes a log perhaps, are no events in turn.
pub(super) fn tell(event: impl FnOnce()) {
    as_event(|| ignoring_panic(event));
}
