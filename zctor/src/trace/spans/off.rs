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
pub(crate) fn may_be_told(_: bool) -> bool {
    false
}

#[inline(always)]
pub(crate) fn sent_from(_: bool) -> Option<SentFrom> {
    None
}

#[inline(always)]
pub(crate) fn receive(_: impl FnOnce() -> Option<SentFrom>) {}

#[inline(always)]
pub(crate) fn forget() {}

#[inline(always)]
pub(crate) fn keep(code: impl FnOnce()) {
    code();
}

/// Whether a span was entered: never.
pub(crate) struct Entered;

#[inline(always)]
pub(crate) fn enter(
    _: Work,
    _: fn() -> &'static str,
    _: impl FnOnce() -> Option<&'static str>,
    _: impl FnOnce() -> InstanceId,
) -> Entered {
    Entered
}
