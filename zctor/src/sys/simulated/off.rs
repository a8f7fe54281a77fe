//! Without the feature `simulation` no thread is in a simulated world: the same face, which does nothing.

use std::thread::Builder;
use std::time::{Duration, Instant};

#[cfg(not(loom))]
pub(crate) use std::thread::{Thread, current, park, park_timeout};

use crate::sys::operation::Operation;

/// A member of a world: there are none.
pub(crate) enum MemberRef {}

#[cfg(feature = "tracing")]
#[inline(always)]
pub(crate) fn are_there_worlds() -> bool {
    false
}

#[inline(always)]
pub(crate) fn either<P, R>(place: P, _: impl FnOnce(P) -> R, real: impl FnOnce(P) -> R) -> R {
    real(place)
}

#[inline(always)]
pub(crate) fn this_member() -> Option<MemberRef> {
    None
}

/// There are no points: code with them is left out.
pub(crate) const HAS_POINTS: bool = false;

/// The world that an engine belongs to: the real one.
pub(crate) struct WorldId;

impl WorldId {
    pub(crate) fn here() -> Self {
        Self
    }

    #[inline(always)]
    pub(crate) fn is_simulated(&self) -> bool {
        false
    }
}

#[inline(always)]
pub(crate) fn point(_: &WorldId, _: usize, _: impl FnOnce() -> Operation) {}

#[inline(always)]
pub(crate) fn point_anywhere(_: impl FnOnce() -> Operation) {}

#[inline(always)]
pub(crate) fn look(_: &'static str) {}

#[inline(always)]
pub(crate) fn in_world<R>(_: impl FnOnce() -> Option<R>) -> Option<R> {
    None
}

/// Not reached, as what follows here: `in_world` does not run its code.
pub(crate) fn begin_point(_: &WorldId, _: usize, _: Operation) -> bool {
    false
}

pub(crate) fn break_handler(_: &'static str) -> bool {
    false
}

#[inline(always)]
pub(crate) fn reply_point(_: impl FnOnce() -> Operation, _: impl FnOnce() -> bool) {}

pub(crate) fn may_break() {}

pub(crate) fn stops_behind() -> bool {
    false
}

pub(crate) fn may_be_stopped<F>(_: impl FnOnce() -> F) {}

#[inline(always)]
pub(crate) fn failed_rebuild() -> Option<&'static str> {
    None
}

#[inline(always)]
pub(crate) fn mailbox_bound(bound: usize) -> usize {
    bound
}

#[inline(always)]
pub(crate) fn refuse_what_outlives_a_run(_: &str, _: &str) {}

/// A fault of the runtime's own, which only simulations plant: see `planted.rs`.
#[derive(Clone, Copy)]
pub(crate) enum Planted {
    LostWakeUp,
    FalseQuiet,
    DroppedReply,
}

#[inline(always)]
pub(crate) fn is_planted(_: Planted) -> bool {
    false
}

impl MemberRef {
    pub(crate) fn now(&self) -> Instant {
        match *self {}
    }

    pub(crate) fn wait_at(&self, _: usize, _: Option<Instant>) {
        match *self {}
    }

    pub(crate) fn notify(&self, _: usize) {
        match *self {}
    }

    pub(crate) fn sleep(&self, _: Duration) {
        match *self {}
    }

    pub(crate) fn set_alarm(&self, _: Instant, _: Box<dyn FnOnce() + Send>) -> (Instant, u64) {
        match *self {}
    }

    pub(crate) fn clear_alarm(&self, _: (Instant, u64)) -> Option<Box<dyn FnOnce() + Send>> {
        match *self {}
    }

    pub(crate) fn start(&self, _: Builder, _: &str, _: impl FnOnce() + Send + 'static) -> std::io::Result<Self> {
        match *self {}
    }

    pub(crate) fn is_gone(&self) -> bool {
        match *self {}
    }

    pub(crate) fn until_gone(&self) {
        match *self {}
    }
}
