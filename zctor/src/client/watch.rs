//! What becomes of instances and threads: their ends, statistics, and the report of a shutdown.

use std::sync::Arc;
use std::task::Waker;

use crate::event::{End, Ended, PanicEvent};
use crate::id::InstanceId;
use crate::mailbox::Mailbox;
use crate::mailbox::panic_inbox::PanicInbox;
use crate::route::endpoint::Endpoint;
use crate::route::payload::Payload;
use crate::sys::awaited::Running;

impl<M: Payload> Watched for Endpoint<M> {
    fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    fn id(&self) -> InstanceId {
        self.id()
    }

    fn name(&self) -> &'static str {
        M::NAME
    }
}

/// An instance whose end can be awaited. While one is held, the roster of its thread knows why it ended.
pub(crate) trait Watched: Send + Sync {
    fn mailbox(&self) -> &Mailbox;
    fn id(&self) -> InstanceId;
    /// Of its message type.
    fn name(&self) -> &'static str;
}

/// Awaits the end of one instance.
pub(crate) struct Watch {
    target: Target,
    outcome: Option<Ended>,
}

enum Target {
    There {
        who: Arc<dyn Watched>,
        /// Places among those to be told: of the end, and of an abandonment.
        attending: Option<(u64, u64)>,
    },
    /// One that was not there any more.
    Gone(Ended),
}

impl Watch {
    pub(crate) fn there(who: Arc<dyn Watched>) -> Self {
        Self { target: Target::There { who, attending: None }, outcome: None }
    }

    pub(crate) fn gone(instance: InstanceId, message: &'static str) -> Self {
        let ended = Ended { instance, message, why: End::Stopped };
        Self { target: Target::Gone(ended), outcome: None }
    }

    fn look(&mut self, waker: &Waker) -> Option<Ended> {
        let (who, attending) = match &mut self.target {
            Target::There { who, attending } => (who, attending),
            Target::Gone(ended) => return Some(ended.clone()),
        };
        let Mailbox { edge, roster, .. } = who.mailbox();
        let slot = who.id().slot;
        let ended = |why| Some(Ended { instance: who.id(), message: who.name(), why });
        if attending.is_none() {
            let waiter = edge.attend(waker);
            match roster.attend(slot, waker.clone()) {
                Ok(watcher) => *attending = Some((watcher, waiter)),
                Err(why) => {
                    edge.leave(waiter);
                    return ended(why);
                }
            }
        }
        if let Some(why) = roster.why_ended(slot) {
            return ended(why);
        }
        // After joining those who are told, so that an abandonment in between is not missed.
        if edge.is_abandoned() { ended(End::Abandoned) } else { None }
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
        self.outcome.take().unwrap_or_else(|| match &self.target {
            // Not reached: it is taken when a poll has found it.
            Target::There { who, .. } => Ended { instance: who.id(), message: who.name(), why: End::Stopped },
            Target::Gone(ended) => ended.clone(),
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Target::There { who, attending: Some((watcher, waiter)) } = &self.target {
            let Mailbox { edge, roster, .. } = who.mailbox();
            edge.leave(*waiter);
            roster.leave(who.id().slot, *watcher);
        }
    }
}

/// Awaits the panics of one instance, one after the other.
pub(crate) struct PanicWatch {
    /// `None`: one that was not there any more.
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
                let number = who.mailbox().roster.watch_panics(who.id().slot, &inbox);
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
            who.mailbox().roster.leave_panics(who.id().slot, *number);
        }
    }
}
