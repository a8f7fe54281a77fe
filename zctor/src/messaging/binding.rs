//! The binding of a client (one instance, a key, the least loaded, all in turn), and how long it waits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::id::InstanceId;
use crate::route::endpoint::Endpoint;
use crate::route::link_route::{KeyRoute, StatedRoute};
use crate::route::payload::Payload;
use crate::route::pool::Snapshot;
use crate::sys::clock::{deadline, from_origin, since_origin};

/// Which of a pool's instances a client sends to.
pub(crate) enum Binding<M: Payload> {
    /// Each in turn, with the places as they were when the client was made.
    Turn(Snapshot<M>),
    /// The instance of the key with this hash.
    Key(u64),
    /// The same, of a key that may have to travel.
    Travelling(KeyRoute),
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
            Self::Travelling(key) => Self::Travelling(key.clone()),
            Self::LeastLoaded => Self::LeastLoaded,
            Self::One(endpoint) => Self::One(Arc::clone(endpoint)),
            Self::NotFound(instance) => Self::NotFound(*instance),
        }
    }
}

impl<M: Payload> Binding<M> {
    /// Which instances it lets a send choose from, without the places: those belong to the target.
    #[inline(always)]
    pub(super) fn among(&self) -> Among<'_, M> {
        match self {
            Self::Turn(_) => Among::Turn,
            Self::Key(key) => Among::Key(*key, StatedRoute::UNWRITTEN),
            Self::Travelling(key) => Among::Key(key.hash(), key.stated()),
            Self::LeastLoaded => Among::LeastLoaded,
            Self::One(endpoint) => Among::One(endpoint),
            Self::NotFound(_) => Among::Nobody,
        }
    }
}

/// A binding as a target has it: borrowed, and without the places of the pool.
pub(crate) enum Among<'a, M: Payload> {
    Turn,
    Key(u64, StatedRoute<'a>),
    LeastLoaded,
    One(&'a Endpoint<M>),
    Nobody,
}

// By hand: derived, they would ask for messages that can be copied.
impl<M: Payload> Copy for Among<'_, M> {}

impl<M: Payload> Clone for Among<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

/// How long a call may take.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) enum Limit {
    /// The time left until the deadline of the handler that calls, if it has one.
    #[default]
    Inherited,
    /// So long, or what is left of the handler's deadline if that is less.
    Within(Duration),
    /// Until then, or until the handler's deadline if that is earlier.
    Until(Instant),
    /// Without limit, even if the handler that calls has a deadline.
    None,
}

impl Limit {
    /// When a limit of the client's own ends that begins to count now; `None` without one.
    pub(super) fn end(self) -> Option<Instant> {
        match self {
            Self::Within(limit) => deadline(limit),
            Self::Until(end) => Some(end),
            Self::Inherited | Self::None => None,
        }
    }
}

/// How a client waits for replies and for room: whether at all, and how long. In one word, so that clients stay small.
#[derive(Clone, Copy)]
pub(crate) struct Patience(u64);

impl Default for Patience {
    fn default() -> Self {
        Self(Self::INHERITED << Self::SHIFT)
    }
}

impl Patience {
    /// The lowest bit: the client does not wait. The bit above it: the limit is a time, and not a duration. The bits
    /// above those are the limit in nanoseconds, for a time those since the clock's origin. The two largest numbers
    /// there mean `INHERITED` and `UNLIMITED`.
    const NON_BLOCKING: u64 = 1;
    const UNTIL: u64 = 2;
    const SHIFT: u32 = 2;
    const INHERITED: u64 = u64::MAX >> Self::SHIFT;
    const UNLIMITED: u64 = Self::INHERITED - 1;

    pub(crate) fn with_limit(self, limit: Limit) -> Self {
        // A century fits. A longer limit counts as the longest that fits.
        let fit = |limit: Duration| u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX).min(Self::UNLIMITED - 1);
        let (limit, until) = match limit {
            Limit::Inherited => (Self::INHERITED, 0),
            Limit::Within(limit) => (fit(limit), 0),
            Limit::Until(end) => (fit(since_origin(end)), Self::UNTIL),
            Limit::None => (Self::UNLIMITED, 0),
        };
        Self(limit << Self::SHIFT | until | self.0 & Self::NON_BLOCKING)
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
        match self.0 >> Self::SHIFT {
            Self::INHERITED => Limit::Inherited,
            Self::UNLIMITED => Limit::None,
            nanoseconds => self.limit_of(Duration::from_nanos(nanoseconds)),
        }
    }

    /// Not in line, since few clients have a limit of their own.
    fn limit_of(self, limit: Duration) -> Limit {
        match from_origin(limit).filter(|_| self.0 & Self::UNTIL != 0) {
            Some(end) => Limit::Until(end),
            // Beyond what the clock can say it never ends.
            None => Limit::Within(limit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock::now;

    #[test]
    fn a_limit_comes_back_as_it_was() {
        let (later, long) = (now() + Duration::from_nanos(1_234_567_891), Duration::from_secs(3_000_000_000));
        for limit in [
            Limit::Inherited,
            Limit::Within(Duration::ZERO),
            Limit::Within(long),
            Limit::Until(later),
            Limit::Until(later + long),
            Limit::None,
        ] {
            let patience = Patience::default().with_limit(limit);
            assert!(patience.waits());
            assert_eq!(patience.limit(), limit);
            assert!(!patience.non_blocking().waits());
            assert_eq!(patience.non_blocking().limit(), limit);
        }
        assert_eq!(Patience::default().limit(), Limit::Inherited);
    }

    #[test]
    fn a_limit_beyond_what_fits_is_centuries_long_or_over() {
        let Limit::Within(limit) = Patience::default().with_limit(Limit::Within(Duration::MAX)).limit() else {
            panic!("it stays a duration");
        };
        assert!(limit > Duration::from_secs(100 * 365 * 24 * 3_600));
        if let Some(past) = now().checked_sub(Duration::from_secs(3_600)) {
            let end = Patience::default().with_limit(Limit::Until(past)).limit().end();
            assert!(end.is_some_and(|end| end <= now()));
        }
    }
}
