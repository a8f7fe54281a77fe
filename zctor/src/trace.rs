//! Events of the `tracing` facade, behind the feature of that name; functions that do nothing where it is off.

#[cfg(feature = "tracing")]
mod on {
    use std::time::Duration;

    use crate::error::BoxError;
    use crate::instance::InstanceId;

    /// A message was routed: to the instance `option` (counted from 1) of `options`.
    pub(crate) fn routed(message: &'static str, instance: InstanceId, option: usize, options: usize) {
        tracing::trace!(
            target: "zctor::route",
            message_type = message,
            thread = instance.thread.index(),
            instance = %instance,
            option,
            options,
            "routed"
        );
    }

    /// Accepted messages that nobody will handle.
    pub(crate) fn dead_letters(message: &'static str, count: usize) {
        tracing::warn!(target: "zctor::dead_letter", message_type = message, count, "nobody handles it any more");
    }

    pub(crate) fn restarting(message: &'static str, instance: InstanceId) {
        tracing::warn!(
            target: "zctor::restart",
            message_type = message,
            instance = %instance,
            "panicked; its state is built again"
        );
    }

    pub(crate) fn resting(message: &'static str, instance: InstanceId, rest: Duration) {
        tracing::warn!(
            target: "zctor::restart",
            message_type = message,
            instance = %instance,
            rest_ms = u64::try_from(rest.as_millis()).unwrap_or(u64::MAX),
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
    use crate::instance::InstanceId;

    #[inline(always)]
    pub(crate) fn routed(_: &'static str, _: InstanceId, _: usize, _: usize) {}
    #[inline(always)]
    pub(crate) fn dead_letters(_: &'static str, _: usize) {}
    pub(crate) fn restarting(_: &'static str, _: InstanceId) {}
    pub(crate) fn resting(_: &'static str, _: InstanceId, _: Duration) {}
    pub(crate) fn rebuild_failed(_: &'static str, _: InstanceId, _: &BoxError) {}
}

#[cfg(not(feature = "tracing"))]
pub(crate) use off::*;
#[cfg(feature = "tracing")]
pub(crate) use on::*;
