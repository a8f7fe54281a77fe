//! Without the feature `tracing` there are no spans: the same face, which does nothing.

use crate::id::InstanceId;
use crate::trace::work::Work;

/// Where a message comes from: nobody asks.
#[derive(Clone)]
pub(crate) struct SentFrom(Never);

#[derive(Clone)]
enum Never {}

/// The code for spans is left out where this is asked first.
pub(crate) const SPANS: bool = false;

#[inline(always)]
pub(crate) fn may_trace_sends() -> bool {
    false
}

#[inline(always)]
pub(crate) fn may_trace_calls() -> bool {
    false
}

#[inline(always)]
pub(crate) fn sent_from(_: bool) -> Option<SentFrom> {
    None
}

#[inline(always)]
pub(crate) fn forget() {}

/// Whether a hook has sent a mail. Spans are never asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum InSpans {
    NotAsked,
    FromHook,
}

impl InSpans {
    #[inline(always)]
    pub(crate) fn around_own() -> Self {
        Self::NotAsked
    }

    #[inline(always)]
    pub(crate) fn around_call() -> Self {
        Self::NotAsked
    }

    #[inline(always)]
    pub(crate) fn receive(from_hook: bool, _: impl FnOnce() -> Option<SentFrom>) -> Self {
        if from_hook { Self::FromHook } else { Self::NotAsked }
    }

    #[inline(always)]
    pub(crate) fn is_asked(self) -> bool {
        false
    }

    #[inline(always)]
    pub(crate) fn keep(self, code: impl FnOnce()) {
        code();
    }

    #[inline(always)]
    pub(crate) fn enter(
        self,
        _: Work,
        _: fn() -> &'static str,
        _: impl FnOnce() -> Option<&'static str>,
        _: impl FnOnce() -> InstanceId,
    ) {
    }

    #[inline(always)]
    pub(crate) fn leave(self) {}

    #[inline(always)]
    pub(crate) fn unwound(self) {}
}
