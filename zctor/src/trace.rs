//! Events of the `tracing` facade, behind the feature of that name. Without it, lines on standard error stand in for
//! those events that no hook is told of.
//!
//! Imports: sys and the plain data.

#[cfg(feature = "tracing")]
mod subscriber;
pub(crate) mod work;

#[cfg(feature = "tracing")]
pub(crate) mod spans;
#[cfg(not(feature = "tracing"))]
#[path = "trace/spans/off.rs"]
pub(crate) mod spans;

/// Whether anybody may watch, a subscriber or a simulation: then there is a way of each message for that.
pub(crate) const CAN_BE_WATCHED: bool = HAS_POINTS || spans::SPANS;

#[cfg(not(feature = "tracing"))]
pub(crate) use off::*;
#[cfg(feature = "tracing")]
pub(crate) use on::*;

use crate::sys::simulated::HAS_POINTS;

#[cfg(feature = "tracing")]
mod on {
    use std::fmt;

    use tracing::level_filters::LevelFilter;
    use tracing::{Level, Span, debug, enabled, error, trace, warn};

    use crate::event::{AfterPanic, DeadLetter, PanicEvent, PanicOrigin, Undelivered};
    use crate::id::InstanceId;
    use crate::report::slow::Slow;
    use crate::sys::outline::choose;
    use crate::sys::simulated::are_there_worlds;
    use crate::trace::spans;
    use crate::trace::subscriber::tell;

    /// Runs the first while somebody may watch what is sent here, a subscriber or a simulation, and otherwise the second,
    /// which is the same without events, spans and scheduling points.
    #[inline(always)]
    pub(crate) fn watched_or_not<P, R>(place: P, watched: impl FnOnce(P) -> R, unwatched: impl FnOnce(P) -> R) -> R {
        choose(spans::may_trace_sends() || are_there_worlds(), place, watched, unwatched)
    }

    /// A message was routed: its type, the instance, the number of its place in the pool, counted from 1, and of places.
    #[inline(always)]
    pub(crate) fn routed(to: impl FnOnce() -> (&'static str, InstanceId, usize, usize)) {
        if spans::may_ask(LevelFilter::TRACE) {
            tell_routed(to());
        }
    }

    #[cold]
    #[inline(never)]
    fn tell_routed((message, instance, option, options): (&'static str, InstanceId, usize, usize)) {
        if !enabled!(target: "zctor::route", Level::TRACE) {
            return;
        }
        tell(|| {
            trace!(
                target: "zctor::route",
                message_type = message,
                thread = instance.thread.index(),
                instance = %instance,
                option,
                options,
                "routed"
            );
        });
    }

    /// An accepted message that no handler will get.
    pub(crate) fn dead_letter(letter: &DeadLetter) {
        macro_rules! letter_event {
            ($level:ident) => {
                $level!(
                    target: "zctor::dead_letter",
                    message_type = letter.message,
                    variant = letter.variant,
                    instance = %letter.instance,
                    why = %letter.why,
                    "nobody handles it any more"
                )
            };
        }
        tell(|| match letter.why {
            // The caller knows, and the deadline was its own.
            Undelivered::GivenUp => letter_event!(debug),
            _ => letter_event!(warn),
        });
    }

    /// A panic in the code of an instance.
    pub(crate) fn panicked(panic: &PanicEvent) {
        let backoff = match panic.next {
            AfterPanic::BackingOff { backoff, .. } => Some(u64::try_from(backoff.as_millis()).unwrap_or(u64::MAX)),
            AfterPanic::Rebuilt | AfterPanic::Ended => None,
        };
        let variant = match &panic.origin {
            PanicOrigin::Handler(variant) => Some(*variant),
            _ => None,
        };
        let span = spans::panicked();
        let parent = span.as_ref().and_then(Span::id);
        macro_rules! panic_event {
            ($level:ident, $text:literal) => {
                $level!(
                    target: "zctor::restart",
                    parent: parent,
                    message_type = panic.message,
                    variant,
                    origin = %panic.origin,
                    instance = %panic.instance,
                    text = &*panic.text,
                    in_window = panic.in_window,
                    backoff_ms = backoff,
                    $text
                )
            };
        }
        tell(|| match panic.next {
            AfterPanic::Rebuilt => panic_event!(warn, "panicked; its state is built again"),
            AfterPanic::BackingOff { .. } => panic_event!(warn, "panicked again; waits before it is rebuilt"),
            AfterPanic::Ended => panic_event!(error, "panicked; it ends"),
        });
        tell(|| drop(span));
    }

    /// A handler that has run for longer than its limit.
    pub(crate) fn slow(slow: &Slow) {
        tell(|| {
            warn!(
                target: "zctor::slow",
                message_type = slow.message,
                variant = slow.variant,
                instance = %slow.instance,
                thread = slow.thread_name,
                lasted_ms = u64::try_from(slow.lasted.as_millis()).unwrap_or(u64::MAX),
                limit_ms = u64::try_from(slow.limit.as_millis()).unwrap_or(u64::MAX),
                queued = slow.queued,
                "has run for longer than its limit"
            );
        });
    }

    /// Nothing: each was an event.
    pub(crate) fn line(_: &dyn fmt::Display, _: u64) {}
    pub(crate) fn more_lines(_: u64, _: &'static str) {}
}

#[cfg(not(feature = "tracing"))]
mod off {
    use std::fmt;

    use crate::event::{DeadLetter, PanicEvent};
    use crate::id::InstanceId;
    use crate::report::slow::Slow;
    use crate::sys::simulated::this_member;

    pub(crate) use crate::sys::simulated::either as watched_or_not;

    #[inline(always)]
    pub(crate) fn routed(_: impl FnOnce() -> (&'static str, InstanceId, usize, usize)) {}
    pub(crate) fn dead_letter(_: &DeadLetter) {}
    pub(crate) fn panicked(_: &PanicEvent) {}
    pub(crate) fn slow(_: &Slow) {}

    /// An event that no hook is told of, and how many of its kind were passed over since the last line. The lines of the
    /// thousands of runs of a simulation would help nobody: their traces tell of those that fail.
    pub(crate) fn line(event: &dyn fmt::Display, more: u64) {
        match more {
            _ if this_member().is_some() => {}
            0 => eprintln!("zctor: {event}"),
            _ => eprintln!("zctor: {event}; {more} more before it"),
        }
    }

    /// So many events of a kind were passed over.
    pub(crate) fn more_lines(more: u64, what: &'static str) {
        if this_member().is_none() {
            eprintln!("zctor: {more} more {what}");
        }
    }
}
