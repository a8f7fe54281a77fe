//! Events of the `tracing` facade, behind the feature of that name; without it, dead letters alone are told.
//!
//! Imports: sys and the plain data.

#[cfg(not(feature = "tracing"))]
pub(crate) use off::*;
#[cfg(feature = "tracing")]
pub(crate) use on::*;

#[cfg(feature = "tracing")]
mod on {
    use std::time::Duration;

    use crate::error::BoxError;
    use crate::event::DeadLetter;
    use crate::id::InstanceId;
    use crate::sys::unwind::ignoring_panic;

    /// A message was routed to the instance in place `option`, counted from 1, of the `options` places of its pool.
    pub(crate) fn routed(message: fn() -> &'static str, instance: InstanceId, option: usize, options: usize) {
        if !tracing::enabled!(target: "zctor::route", tracing::Level::TRACE) {
            return;
        }
        // The subscriber is the user's code. Its panic must not unwind a sender, which may hold a permit.
        ignoring_panic(|| {
            tracing::trace!(
                target: "zctor::route",
                message_type = message(),
                thread = instance.thread.index(),
                instance = %instance,
                option,
                options,
                "routed"
            );
        });
    }

    /// An accepted message that no handler will get, and how many more there were since the last that was told.
    pub(crate) fn dead_letter(letter: &DeadLetter, more: u64) {
        tracing::warn!(
            target: "zctor::dead_letter",
            message_type = letter.message,
            variant = letter.variant,
            instance = %letter.instance,
            why = %letter.why,
            more,
            "nobody handles it any more"
        );
    }

    /// Dead letters that were not told one by one.
    pub(crate) fn more_dead_letters(more: u64) {
        tracing::warn!(target: "zctor::dead_letter", more, "more dead letters");
    }

    pub(crate) fn restarting(message: &'static str, instance: InstanceId) {
        tracing::warn!(
            target: "zctor::restart",
            message_type = message,
            instance = %instance,
            "panicked; its state is built again"
        );
    }

    pub(crate) fn backing_off(message: &'static str, instance: InstanceId, backoff: Duration) {
        tracing::warn!(
            target: "zctor::restart",
            message_type = message,
            instance = %instance,
            backoff_ms = u64::try_from(backoff.as_millis()).unwrap_or(u64::MAX),
            "panicked again; waits before it is rebuilt"
        );
    }

    pub(crate) fn rebuild_failed(message: &'static str, instance: InstanceId, error: &BoxError) {
        tracing::error!(
            target: "zctor::restart",
            message_type = message,
            instance = %instance,
            error = %error,
            "its factory failed"
        );
    }
}

#[cfg(not(feature = "tracing"))]
mod off {
    use std::time::Duration;

    use crate::error::BoxError;
    use crate::event::DeadLetter;
    use crate::id::InstanceId;

    #[inline(always)]
    pub(crate) fn routed(_: fn() -> &'static str, _: InstanceId, _: usize, _: usize) {}
    /// Without a facade to tell it to, a dead letter for which the engine has no hook is a line on standard error.
    pub(crate) fn dead_letter(letter: &DeadLetter, more: u64) {
        match more {
            0 => eprintln!("zctor: {letter}"),
            _ => eprintln!("zctor: {letter}; {more} more before it"),
        }
    }
    pub(crate) fn more_dead_letters(more: u64) {
        eprintln!("zctor: {more} more dead letters");
    }
    pub(crate) fn restarting(_: &'static str, _: InstanceId) {}
    pub(crate) fn backing_off(_: &'static str, _: InstanceId, _: Duration) {}
    pub(crate) fn rebuild_failed(_: &'static str, _: InstanceId, _: &BoxError) {}
}
