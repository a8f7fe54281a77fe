//! Watches: the end of one instance, and its panics. The wakers of watchers are in the roster of the instance's thread.

use std::sync::Arc;
use std::task::Waker;

use crate::event::{End, Ended, PanicEvent};
use crate::id::InstanceId;
use crate::mailbox::Mailbox;
use crate::mailbox::panic_inbox::PanicInbox;
use crate::route::endpoint::Endpoint;
use crate::route::location::Location;
use crate::route::payload::Payload;
use crate::sys::awaited::Running;

impl<M: Payload> Watched for Endpoint<M> {
    fn location(&self) -> &Location {
        &self.location
    }

    fn name(&self) -> &'static str {
        M::name()
    }
}

/// An endpoint without its type: an instance whose end can be awaited. While it is held, the roster of the instance's
/// thread knows why the instance ended.
pub(crate) trait Watched: Send + Sync {
    fn location(&self) -> &Location;
    /// The name of its message type.
    fn name(&self) -> &'static str;
}

/// Awaits the end of one instance.
pub(crate) struct Watch {
    watching: Watching,
    outcome: Option<Ended>,
}

enum Watching {
    Living {
        endpoint: Arc<dyn Watched>,
        /// The numbers of its wakers: on the roster, for the end, and in the engine, for an abandonment.
        wakers: Option<(u64, u64)>,
    },
    /// An instance that had ended before it was watched.
    Ended(Ended),
}

impl Watch {
    pub(crate) fn living(endpoint: Arc<dyn Watched>) -> Self {
        Self { watching: Watching::Living { endpoint, wakers: None }, outcome: None }
    }

    pub(crate) fn gone(instance: InstanceId, message: &'static str) -> Self {
        let ended = Ended { instance, message, why: End::Stopped };
        Self { watching: Watching::Ended(ended), outcome: None }
    }

    fn look(&mut self, waker: &Waker) -> Option<Ended> {
        let (endpoint, wakers) = match &mut self.watching {
            Watching::Living { endpoint, wakers } => (endpoint, wakers),
            Watching::Ended(ended) => return Some(ended.clone()),
        };
        let Mailbox { engine, roster, .. } = &*endpoint.location().mailbox;
        let slot = endpoint.location().slot;
        let ended = |why| Some(Ended { instance: endpoint.location().id(), message: endpoint.name(), why });
        if wakers.is_none() {
            let waiter = engine.join_waiters(waker);
            match roster.watch(slot, waker.clone()) {
                Ok(watcher) => *wakers = Some((watcher, waiter)),
                Err(why) => {
                    engine.leave_waiters(waiter);
                    return ended(why);
                }
            }
        }
        if let Some(why) = roster.why_ended(slot) {
            return ended(why);
        }
        // Looked at after both wakers have joined, so that an abandonment in between is not missed.
        if engine.edge.is_abandoned() { ended(End::Abandoned) } else { None }
    }
}

impl Running for Watch {
    type Outcome = Ended;

    fn __poll(&mut self, waker: &Waker) -> bool {
        if self.outcome.is_none() {
            self.outcome = self.look(waker);
        }
        self.outcome.is_some()
    }

    fn __take(&mut self) -> Ended {
        self.outcome.take().unwrap_or_else(|| match &self.watching {
            // Not reached: the outcome is taken only after a poll has found it.
            Watching::Living { endpoint, .. } => {
                Ended { instance: endpoint.location().id(), message: endpoint.name(), why: End::Stopped }
            }
            Watching::Ended(ended) => ended.clone(),
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Watching::Living { endpoint, wakers: Some((watcher, waiter)) } = &self.watching {
            let Mailbox { engine, roster, .. } = &*endpoint.location().mailbox;
            engine.leave_waiters(*waiter);
            roster.unwatch(endpoint.location().slot, *watcher);
        }
    }
}

/// Awaits the panics of one instance, one after the other.
pub(crate) struct PanicWatch {
    /// `None`: the instance had ended before.
    who: Option<Arc<dyn Watched>>,
    /// Where its panics come to, and the number of that place.
    inbox: Option<(Arc<PanicInbox>, u64)>,
}

impl PanicWatch {
    pub(crate) fn new(who: Option<Arc<dyn Watched>>) -> Self {
        Self { who, inbox: None }
    }

    /// Whether a panic is there, or none can come any more. `waker` is woken once for each panic.
    pub(crate) fn poll(&mut self, waker: &Waker) -> bool {
        let Some(who) = &self.who else { return true };
        match &self.inbox {
            // It is looked at when it was woken: by a panic, or by the end of the other.
            Some(_) => true,
            None => {
                let inbox = Arc::new(PanicInbox::new(waker.clone()));
                let number = who.location().mailbox.roster.watch_panics(who.location().slot, &inbox);
                self.inbox = number.map(|number| (inbox, number));
                self.inbox.is_none()
            }
        }
    }

    /// The next panic. `None` if none can come any more.
    pub(crate) fn take(&mut self) -> Option<PanicEvent> {
        self.inbox.as_ref()?.0.take()
    }
}

impl Drop for PanicWatch {
    fn drop(&mut self) {
        if let (Some(who), Some((_, number))) = (&self.who, &self.inbox) {
            who.location().mailbox.roster.unwatch_panics(who.location().slot, *number);
        }
    }
}
