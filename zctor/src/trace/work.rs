//! The kinds of work that have a span.

/// The work that a span is around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// The handler of a call that came as mail.
    Call,
    /// The handler of a call on its caller's thread, on the spot.
    CallHere,
    /// The handler of a message that was sent, alone or in a batch.
    Send,
    Batch,
    /// The handler of a message that a timer has made, or a pipe.
    Timer,
    Pipe,
    /// `on_start` and `on_stop`.
    Start,
    Stop,
}
