//! Without the feature `simulation` no thread is in a simulated world: the same face, which does nothing.

use std::thread::Builder;
use std::time::{Duration, Instant};

pub(crate) use std::thread::{Thread, current, park, park_timeout};

/// The place of a thread in a world: there are none.
pub(crate) enum Seat {}

#[inline(always)]
pub(crate) fn seat() -> Option<Seat> {
    None
}

#[inline(always)]
pub(crate) fn point(_: u64, _: impl FnOnce() -> String) {}

#[inline(always)]
pub(crate) fn point_if(_: u64, _: impl FnOnce() -> bool, _: impl FnOnce() -> String) {}

#[inline(always)]
pub(crate) fn look(_: impl FnOnce() -> String) {}

impl Seat {
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
