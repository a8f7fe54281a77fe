//! How far an instance is in its life, and what its handler has asked for: all that a thread reads of it directly.

use std::cell::Cell;

/// How far an instance is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It is built, and its `on_start` must still run, before the first message.
    New,
    Live,
    /// It waits before its state is built again. Its mail is held.
    BackingOff,
    Ended,
}

/// The change to its instance that a handler has asked for, made when the handler has returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Requested {
    #[default]
    None,
    Reset,
    Stop,
}

/// The part of an instance that does not depend on the types of its messages and its state.
pub(crate) struct Common {
    pub(crate) phase: Cell<Phase>,
    pub(crate) requested: Cell<Requested>,
    /// Whether its code is on the stack: no message may be handled meanwhile.
    pub(crate) busy: Cell<bool>,
    /// Whether its handlers have replied when they return. Those of a test double have not: the test replies.
    pub(crate) answers_itself: bool,
}
