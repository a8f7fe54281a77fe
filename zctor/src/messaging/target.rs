//! Routes: the one way that sends and calls take, from a message to the instance that gets it.

use crate::error::{CallError, Refusal, SendError};
use crate::mailbox::edge::Edge;
use crate::mailbox::mail::How;
use crate::messaging::binding::{Binding, Limit, View};
use crate::route::endpoint::{Endpoint, Way};
use crate::route::payload::Payload;
use crate::route::pool::{Chosen, Places, Pool, known};
use crate::thread::local::Local;

/// Everything that sending needs to know, borrowed: clients, engines and contexts all send through it.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a, M: Payload> {
    pub(super) pool: Option<&'a Pool<M>>,
    pub(super) binding: &'a Binding<M>,
    edge: Option<&'a Edge>,
    pub(super) view: View,
    /// The pool's places as they were when the client was made.
    pub(super) snapshot: Option<&'a Places<M>>,
}

impl<'a, M: Payload> Target<'a, M> {
    /// At the instances of a pool in turn; `None` where the type was never registered.
    pub(crate) fn at_pool(pool: Option<&'a Pool<M>>, edge: &'a Edge) -> Self {
        Self { pool, binding: &Binding::Turn(None), edge: Some(edge), view: View::default(), snapshot: None }
    }

    /// At the pool of a type, for what the handlers of a thread send.
    pub(crate) fn with<R>(local: &Local, f: impl FnOnce(Target<'_, M>) -> R) -> R {
        match known::<M>(local) {
            Some(known) => {
                f(Target::at_pool(Some(&known.pool), &known.pool.edge).with_snapshot(known.snapshot.as_deref()))
            }
            None => f(Target::at_pool(None, &local.mailbox.edge)),
        }
    }

    pub(crate) fn at_one(binding: &'a Binding<M>) -> Self {
        Self { pool: None, binding, edge: None, view: View::default(), snapshot: None }
    }

    /// At those of a pool that a client is bound to.
    pub(crate) fn bound(self, binding: &'a Binding<M>) -> Self {
        match binding {
            Binding::Turn(snapshot) => self.with_snapshot(snapshot.as_deref()),
            _ => Self { binding, ..self },
        }
    }

    pub(crate) fn with_limit(self, limit: Limit) -> Self {
        Self { view: self.view.with_limit(limit), ..self }
    }

    pub(crate) fn with_view(self, view: View) -> Self {
        Self { view, ..self }
    }

    pub(crate) fn with_snapshot(self, snapshot: Option<&'a Places<M>>) -> Self {
        Self { snapshot, ..self }
    }

    pub(super) fn pool(&self) -> Result<&'a Pool<M>, Refusal> {
        self.pool.ok_or_else(|| match self.edge {
            Some(edge) if edge.is_open() => Refusal::NotRegistered,
            _ => Refusal::Stopped,
        })
    }

    /// Counts a refusal.
    pub(super) fn refused(&self, refusal: Refusal, messages: usize) -> Refusal {
        if let Some(edge) = self.engine_edge() {
            edge.losses.refuse(messages);
        }
        refusal
    }

    /// What all mailboxes of the engine aimed at share.
    pub(super) fn engine_edge(&self) -> Option<&'a Edge> {
        self.edge.or(match self.binding {
            Binding::One(endpoint) => Some(&*endpoint.mailbox.edge),
            _ => None,
        })
    }

    pub(super) fn send_error(&self, message: M, refusal: Refusal) -> SendError<M> {
        SendError::new(M::NAME, message, self.refused(refusal, 1))
    }

    pub(super) fn call_error(&self, refusal: Refusal) -> CallError {
        CallError::refused(M::NAME, self.refused(refusal, 1))
    }

    /// A bound client beats `#[key]`; `#[key]` beats least-loaded and rotation.
    pub(super) fn choose(&self, key: Option<u64>) -> Result<Chosen<'a, M>, Refusal> {
        if let Some((endpoint, way, how)) = self.straight(key) {
            return Ok(Chosen::straight(endpoint, way, how));
        }
        match (self.binding, key) {
            (Binding::One(endpoint), _) => {
                let way = endpoint.admit()?;
                Ok(Chosen::one(endpoint, way, endpoint.enter(self.view.waits())))
            }
            (Binding::Gone(_), _) => Err(Refusal::Stopped),
            (Binding::Key(key), _) => self.pool()?.of_key(*key, self.view.waits()),
            (_, Some(key)) => self.pool()?.of_key(key, self.view.waits()),
            (Binding::LeastLoaded, None) => self.pool()?.least_loaded(self.view.waits(), |_| 0),
            (Binding::Turn(_), None) => self.pool()?.next(self.view.waits()),
        }
    }

    /// The way that as good as every message takes: to the instance that a client is bound to, or to the next in turn of a
    /// pool whose places are known, if nothing stands against it. `None`: `enter` looks closer.
    #[inline(always)]
    pub(super) fn straight(&self, key: Option<u64>) -> Option<(&'a Endpoint<M>, Way, How)> {
        let (endpoint, way, rotated) = match (self.binding, key) {
            (Binding::One(endpoint), _) => (endpoint, endpoint.admit_freely()?, false),
            (Binding::Turn(_), None) => {
                let (endpoint, way) = self.pool?.step(self.snapshot?)?;
                (endpoint, way, true)
            }
            _ => return None,
        };
        Some((endpoint, way, How { rotated, permitted: false }))
    }
}
