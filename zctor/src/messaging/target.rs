//! Targets: which instances a send or a call is for, by pool, binding and view; and the choice of one of them.

use std::ptr;
use std::rc::Rc;

use crate::error::{CallError, Refusal, SendError};
use crate::mailbox::Mailbox;
use crate::mailbox::engine_shared::EngineShared;
use crate::mailbox::mail::SentAs;
use crate::messaging::binding::{Among, Binding, Limit, Patience};
use crate::route::chosen::Chosen;
use crate::route::endpoint::Endpoint;
use crate::route::known_pool::{KnownPool, with_known_pool};
use crate::route::location::Way;
use crate::route::payload::Payload;
use crate::route::places::{Place, Places};
use crate::route::pool::Pool;
use crate::thread::local::Local;

/// All that a send or a call needs to know besides its message, borrowed. Clients, engines and contexts all send by it.
pub(crate) struct Target<'a, M: Payload> {
    pub(super) pool: Option<&'a Pool<M>>,
    pub(super) among: Among<'a, M>,
    engine: Option<&'a EngineShared>,
    pub(super) patience: Patience,
    known: Known<'a, M>,
    /// The actor thread that this code runs on, if its sender knows it.
    pub(super) local: Option<&'a Rc<Local>>,
}

/// The places of a pool as far as a sender knows them.
enum Known<'a, M: Payload> {
    Nothing,
    /// They were the latest once.
    Once(&'a Places<M>),
    /// They are the latest, as the thread that sends has seen just now.
    Now(&'a KnownPool<M>),
}

// By hand: derived, they would ask for messages that can be copied.
impl<M: Payload> Copy for Known<'_, M> {}

impl<M: Payload> Clone for Known<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: Payload> Copy for Target<'_, M> {}

impl<M: Payload> Clone for Target<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<'a, M: Payload> Target<'a, M> {
    /// The instances of a pool, in turn; `pool` is `None` if the type was never registered.
    pub(crate) fn at_pool(pool: Option<&'a Pool<M>>, engine: &'a EngineShared) -> Self {
        Self { pool, among: Among::Turn, engine: Some(engine), ..Self::without_pool(Among::Turn) }
    }

    /// The pool of a type, in turn, as this actor thread knows it: for its handlers.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn with<R>(local: &Rc<Local>, f: impl FnOnce(Target<'_, M>) -> R) -> R {
        with_known_pool::<M, R>(local, |known| {
            let target = match known {
                Some(known) => Target::at_known_pool(known),
                None => Target::at_pool(None, &local.mailbox.engine),
            };
            f(target.on(local))
        })
    }

    /// The pool of a type, in turn, as an actor thread knows it just now.
    #[inline(always)]
    pub(super) fn at_known_pool(known: &'a KnownPool<M>) -> Self {
        Self { known: Known::Now(known), ..Self::at_pool(Some(&known.pool), &known.pool.engine) }
    }

    /// The same, for code that runs on this actor thread.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn on(self, local: &'a Rc<Local>) -> Self {
        Self { local: Some(local), ..self }
    }

    /// One instance.
    #[inline]
    pub(crate) fn at_one(endpoint: &'a Endpoint<M>) -> Self {
        Self::without_pool(Among::One(endpoint))
    }

    /// The target of a client that is bound to an instance in no pool.
    #[inline]
    pub(crate) fn at_binding(binding: &'a Binding<M>) -> Self {
        Self::without_pool(binding.among())
    }

    #[inline]
    fn without_pool(among: Among<'a, M>) -> Self {
        Self { pool: None, among, engine: None, patience: Patience::default(), known: Known::Nothing, local: None }
    }

    /// The instances of the pool that a client is bound to.
    #[inline]
    pub(crate) fn bound(self, binding: &'a Binding<M>) -> Self {
        match binding {
            Binding::Turn(snapshot) => self.with_snapshot(snapshot.as_deref()),
            _ => Self { among: binding.among(), ..self },
        }
    }

    pub(crate) fn with_limit(self, limit: Limit) -> Self {
        Self { patience: self.patience.with_limit(limit), ..self }
    }

    pub(crate) fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// With the places of the pool as they were at some time.
    #[inline(always)]
    pub(crate) fn with_snapshot(self, places: Option<&'a Places<M>>) -> Self {
        Self { known: places.map_or(Known::Nothing, Known::Once), ..self }
    }

    /// The places of a pool, which is that of this target, and their version, if the sender knows the latest.
    #[inline(always)]
    pub(super) fn places(&self, pool: &Pool<M>) -> Option<(&'a [Place<M>], u64)> {
        match self.known {
            Known::Once(places) if pool.is_current(places) => Some((places, places.version())),
            Known::Now(known) => Some((known.places()?, known.version)),
            _ => None,
        }
    }

    pub(super) fn pool(&self) -> Result<&'a Pool<M>, Refusal> {
        self.pool.ok_or_else(|| match self.engine {
            Some(engine) if engine.edge.is_open() => Refusal::NotRegistered,
            _ => Refusal::Stopped,
        })
    }

    /// Whether one of the instances that this may choose lives on the thread of a mailbox.
    pub(super) fn lives_on(&self, mailbox: &Mailbox) -> bool {
        match self.among {
            Among::One(endpoint) => ptr::eq(&*endpoint.mailbox, mailbox),
            _ => self.pool.is_some_and(|pool| pool.lives_on(mailbox)),
        }
    }

    /// Counts a refusal of so many messages.
    pub(super) fn refused(&self, refusal: Refusal, messages: usize) -> Refusal {
        if let Some(engine) = self.engine() {
            engine.incidents.count_refusal(M::name(), messages, refusal);
        }
        refusal
    }

    /// The target's engine, if it is known.
    pub(super) fn engine(&self) -> Option<&'a EngineShared> {
        self.engine.or(match self.among {
            Among::One(endpoint) => Some(&*endpoint.mailbox.engine),
            _ => None,
        })
    }

    pub(super) fn send_error(&self, message: M, refusal: Refusal) -> SendError<M> {
        SendError::new(M::name(), message, self.refused(refusal, 1))
    }

    pub(super) fn call_error(&self, refusal: Refusal) -> CallError {
        CallError::refused(M::name(), self.refused(refusal, 1))
    }

    /// Chooses an instance: a bound client beats `#[key]`, and `#[key]` beats least-loaded and rotation.
    /// `WATCHED`: see `trace::watched_or_not`.
    // Not in line, nor is `next`: the way that nobody watches calls each in one place, and in line a send to a bounded mailbox
    // takes 13 instructions more.
    #[inline(never)]
    pub(super) fn choose<const WATCHED: bool>(&self, key: Option<u64>) -> Result<Chosen<'a, M>, Refusal> {
        if let Some((endpoint, way, sent_as)) = self.straight::<WATCHED>(key) {
            return Ok(Chosen::straight(endpoint, way, sent_as));
        }
        match (self.among, key) {
            (Among::One(endpoint), _) => {
                let way = endpoint.admit()?;
                Ok(Chosen::bound(endpoint, way, endpoint.enter()))
            }
            (Among::Nobody, _) => Err(Refusal::Stopped),
            (Among::Key(key, route), _) => Ok(self.pool()?.of_key::<WATCHED>(key)?.by(route)),
            (_, Some(key)) => self.pool()?.of_key::<WATCHED>(key),
            (Among::LeastLoaded, None) => self.pool()?.least_loaded::<WATCHED>(|_| 0),
            (Among::Turn, None) => self.pool()?.next::<WATCHED>(),
        }
    }

    /// The short way, which nearly every message takes: to the instance that a client is bound to, or to the next in
    /// turn of a pool whose places are known. `None` if a bound, a key or the like stands against it: `enter` looks
    /// closer.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn straight<const WATCHED: bool>(&self, key: Option<u64>) -> Option<(&'a Endpoint<M>, Way, SentAs)> {
        let (endpoint, way, in_turn) = match (self.among, key) {
            (Among::One(endpoint), _) => (endpoint, endpoint.admit_freely()?, false),
            (Among::Turn, None) => {
                let pool = self.pool?;
                let (places, _) = self.places(pool)?;
                let (endpoint, way) = pool.step::<WATCHED>(places)?;
                (endpoint, way, true)
            }
            _ => return None,
        };
        Some((endpoint, way, SentAs { in_turn, permitted: false }))
    }
}
