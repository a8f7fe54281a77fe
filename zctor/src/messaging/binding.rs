//! What a client is bound to (one instance, a key, the least loaded, all in turn), and how long it waits.

use std::sync::Arc;
use std::time::Duration;

use crate::id::InstanceId;
use crate::route::endpoint::Endpoint;
use crate::route::payload::Payload;
use crate::route::pool::Snapshot;

/// Which of a pool's instances a client sends to.
pub(crate) enum Binding<M: Payload> {
    /// Each in turn, with the places as they were when the client was made.
    Turn(Snapshot<M>),
    /// The instance of the key with this hash.
    Key(u64),
    LeastLoaded,
    /// Just this instance.
    One(Arc<Endpoint<M>>),
    /// Pinned to an instance that was not in the pool.
    NotFound(InstanceId),
}

impl<M: Payload> Clone for Binding<M> {
    fn clone(&self) -> Self {
        match self {
            Self::Turn(snapshot) => Self::Turn(snapshot.clone()),
            Self::Key(key) => Self::Key(*key),
            Self::LeastLoaded => Self::LeastLoaded,
            Self::One(endpoint) => Self::One(Arc::clone(endpoint)),
            Self::NotFound(instance) => Self::NotFound(*instance),
        }
    }
}

/// How long a call may take.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) enum Limit {
    /// What is left of the deadline of the handler that calls, if it has one.
    #[default]
    Inherited,
    /// So long, or what is left of the handler's deadline if that is less.
    Within(Duration),
    /// Without limit, even if the handler that calls has a deadline.
    None,
}

/// How a client waits for replies and for room: whether at all, and how long. In one word, so that clients stay small.
#[derive(Clone, Copy)]
pub(crate) struct View(u64);

impl Default for View {
    fn default() -> Self {
        Self(Self::INHERITED << 1)
    }
}

impl View {
    /// The lowest bit: the client does not wait. The bits above it are the limit in nanoseconds; the two largest
    /// numbers there mean `INHERITED` and `UNLIMITED`.
    const NON_BLOCKING: u64 = 1;
    const INHERITED: u64 = u64::MAX >> 1;
    const UNLIMITED: u64 = Self::INHERITED - 1;

    pub(crate) fn with_limit(self, limit: Limit) -> Self {
        let limit = match limit {
            Limit::Inherited => Self::INHERITED,
            // Centuries fit. A longer limit counts as the longest that fits.
            Limit::Within(limit) => u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX).min(Self::UNLIMITED - 1),
            Limit::None => Self::UNLIMITED,
        };
        Self(limit << 1 | self.0 & Self::NON_BLOCKING)
    }

    pub(crate) fn non_blocking(self) -> Self {
        Self(self.0 | Self::NON_BLOCKING)
    }

    #[inline]
    pub(super) fn waits(self) -> bool {
        self.0 & Self::NON_BLOCKING == 0
    }

    #[inline]
    pub(super) fn limit(self) -> Limit {
        match self.0 >> 1 {
            Self::INHERITED => Limit::Inherited,
            Self::UNLIMITED => Limit::None,
            nanoseconds => Limit::Within(Duration::from_nanos(nanoseconds)),
        }
    }
}
