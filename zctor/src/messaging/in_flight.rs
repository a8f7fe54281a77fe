//! A call under way, as its caller sees it: it ends with a reply, with the callee's thread, or at its deadline.
//!
//! The reply may never come, since the callee's thread may be abandoned. So a waiting caller does two things in this
//! order:
//!
//! 1. It joins the waiters that an abandonment wakes. A task does so by `EngineShared::join_waiters`, and a thread
//!    outside by the list of waits (`thread/wait.rs`). A thread of the engine need not: an abandonment wakes all of
//!    them that have not ended.
//! 2. It looks whether there has been one (`Edge::is_abandoned`).
//!
//! Then an abandonment is seen by that look, or it wakes the caller. The model in `in_flight/loom_models.rs` checks it.
//! A thread that spins has not joined the waiters, so it looks at each turn of the spin (`InFlight::is_ready`).

use std::ops::Deref;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use crate::error::CallError;
use crate::id::Slot;
use crate::mailbox::Mailbox;
use crate::mailbox::engine_shared::EngineShared;
use crate::mailbox::waits::Callee;
use crate::reply::oneshot::{Gone, Receiver};
use crate::reply::reply_to::{Outcome, arrived};
use crate::sys::alarm::{AlarmId, clear_alarm, set_alarm};
use crate::sys::awaited::Awaited;
use crate::sys::clock::now;
use crate::sys::operation::Operation;
use crate::sys::park::Parker;
use crate::sys::simulated::{Planted, is_planted, point};
use crate::sys::spin::Spin;
use crate::sys::unwind::ignoring_panic;
use crate::thread::wait::{WaitedFor, wait};

/// The mailbox of the thread that a call has gone to. A call borrows it and knows more; a [`Pending`] shares it.
///
/// [`Pending`]: crate::Pending
pub(crate) trait CalleeMailbox: Deref<Target = Mailbox> {
    /// The call as the statistics name it: its variant, and the slot of the callee.
    fn called(&self) -> Option<(&'static str, Slot)> {
        None
    }
}

impl CalleeMailbox for Arc<Mailbox> {}

/// A mailbox, and the call that went there.
pub(super) struct CalledAt<'a> {
    pub(super) mailbox: &'a Mailbox,
    pub(super) variant: &'static str,
    pub(super) slot: Slot,
}

impl Deref for CalledAt<'_> {
    type Target = Mailbox;

    fn deref(&self) -> &Mailbox {
        self.mailbox
    }
}

impl CalleeMailbox for CalledAt<'_> {
    fn called(&self) -> Option<(&'static str, Slot)> {
        Some((self.variant, self.slot))
    }
}

/// The caller's end of a call to an instance on the thread of `mailbox`.
pub(crate) struct InFlight<R, B: CalleeMailbox> {
    receiver: Receiver<Outcome<R>>,
    mailbox: B,
    message: fn() -> &'static str,
    task_watch: Option<TaskWatch>,
    /// Whether a waiter has left its word or its waker with the reply. Only a planted fault asks for it.
    is_awaited: bool,
}

/// The waker of a task, which is woken not by the reply alone: also by an abandonment, and by an alarm.
struct TaskWatch {
    waker: Waker,
    /// Its number among the wakers that an abandonment wakes.
    number: u64,
    /// The alarm that is set for the deadline of the call.
    alarm: Option<AlarmId>,
}

impl<R, B: CalleeMailbox> InFlight<R, B> {
    pub(crate) fn new(receiver: Receiver<Outcome<R>>, mailbox: B, message: fn() -> &'static str) -> Self {
        Self { receiver, mailbox, message, task_watch: None, is_awaited: false }
    }

    /// The mailbox of the callee's thread.
    pub(crate) fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// The call's own deadline.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.receiver.cancellation().deadline()
    }

    /// Waits for the reply. When the deadline has passed, the call is given up.
    pub(crate) fn wait(&mut self, until: Option<Instant>) -> Outcome<R> {
        match wait(self, until) {
            Some(outcome) => outcome,
            None if until.is_none_or(|until| until > now()) => Err(CallError::Stopped { message: (self.message)() }),
            None => self.time_out(),
        }
    }

    /// Looks for the reply on behalf of an executor or a pipe. No thread waits under the call's deadline then, so an
    /// alarm of the process's clock is set for it.
    pub(crate) fn poll_alone(&mut self, waker: &Waker) -> Option<Outcome<R>> {
        let deadline = self.deadline();
        self.look(waker, deadline).or_else(|| {
            let is_late = deadline.is_some_and(|deadline| deadline <= now());
            is_late.then(|| self.time_out())
        })
    }

    /// Gives the call up: if its handler has not begun, it never will.
    pub(crate) fn give_up(&self) {
        point(&self.mailbox.engine.world, self.mailbox.thread.index(), || Operation::To("give up", (self.message)()));
        self.receiver.cancellation().give_up();
    }

    /// Forgets the waker: neither an abandonment nor the alarm wakes it any more.
    pub(crate) fn unwatch(&mut self) {
        if let Some(TaskWatch { waker, number, alarm }) = self.task_watch.take() {
            self.mailbox.engine.leave_waiters(number);
            if let Some(alarm) = alarm {
                clear_alarm(alarm);
            }
            ignoring_panic(|| drop(waker));
        }
    }

    /// The call's time is up: if its handler has not begun, it never will.
    pub(super) fn time_out(&mut self) -> Outcome<R> {
        point(&self.mailbox.engine.world, self.mailbox.thread.index(), || {
            Operation::To("time is up for", (self.message)())
        });
        let (message, begun) = (self.message, !self.receiver.cancellation().give_up());
        // The reply may have come just now.
        let late = self.receiver.poll(Waker::noop()).map(|outcome| self.arrived(outcome));
        late.unwrap_or_else(|| {
            self.mailbox.engine.incidents.count_timeout(message(), begun);
            Err(CallError::Timeout { message: message(), begun })
        })
    }

    /// The outcome that has come from the callee, which counts if it says that the time was up before the handler
    /// began.
    fn arrived(&self, outcome: Result<Outcome<R>, Gone>) -> Outcome<R> {
        arrived(outcome, self.message, |begun| self.mailbox.engine.incidents.count_timeout((self.message)(), begun))
    }

    fn look(&mut self, waker: &Waker, alarm: Option<Instant>) -> Option<Outcome<R>> {
        let outcome = self.receiver.poll(waker);
        let arrived = self.look_at_reply(outcome);
        if arrived.is_some() {
            return arrived;
        }
        self.watch(waker, alarm);
        self.look_for_abandonment()
    }

    #[inline]
    fn look_at_reply(&self, outcome: Option<Result<Outcome<R>, Gone>>) -> Option<Outcome<R>> {
        let outcome = outcome?;
        let is_dropped = self.is_awaited && is_planted(Planted::DroppedReply);
        (!is_dropped).then(|| self.arrived(outcome))
    }

    /// To be asked when the waiter has joined those that an abandonment wakes, so that none in between is missed.
    fn look_for_abandonment(&mut self) -> Option<Outcome<R>> {
        self.is_awaited = true;
        self.mailbox.engine.edge.is_abandoned().then_some(Err(CallError::Stopped { message: (self.message)() }))
    }

    /// Has `waker` woken if threads are abandoned, and at the time of the alarm.
    fn watch(&mut self, waker: &Waker, alarm: Option<Instant>) {
        let has_alarm = |known: &TaskWatch| alarm.is_none() || known.alarm.is_some();
        let is_known = self.task_watch.as_ref().is_some_and(|known| known.waker.will_wake(waker) && has_alarm(known));
        if is_known || waker.will_wake(Waker::noop()) {
            return;
        }
        self.unwatch();
        let alarm = alarm.and_then(|time| set_alarm(time, waker.clone()));
        self.task_watch =
            Some(TaskWatch { waker: waker.clone(), number: self.mailbox.engine.join_waiters(waker), alarm });
    }
}

impl<R, B: CalleeMailbox> Awaited for InFlight<R, B> {
    type Output = Outcome<R>;

    fn is_ready(&self) -> bool {
        // A caller that spins is on no list that an abandonment wakes, and its spin may be long.
        self.receiver.is_ready() || self.mailbox.engine.edge.seems_abandoned()
    }

    fn poll(&mut self, waker: &Waker) -> Option<Outcome<R>> {
        self.look(waker, None)
    }

    fn poll_listed(&mut self, parker: &Arc<Parker>, waker: &Waker) -> Option<Outcome<R>> {
        let outcome = self.receiver.poll_listed(parker, waker);
        let arrived = self.look_at_reply(outcome);
        if arrived.is_some() { arrived } else { self.look_for_abandonment() }
    }

    fn spin(&self) -> Spin {
        self.mailbox.engine.spin
    }
}

impl<R, B: CalleeMailbox> WaitedFor for InFlight<R, B> {
    fn callee(&self) -> Option<(Callee, Arc<EngineShared>)> {
        let (message, called, on) = (self.message, self.mailbox.called(), self.mailbox.thread);
        let progress = self.mailbox.meter.progress();
        Some((Callee { message, called, on, progress }, Arc::clone(&self.mailbox.engine)))
    }
}

impl<R, B: CalleeMailbox> Drop for InFlight<R, B> {
    fn drop(&mut self) {
        if self.task_watch.is_some() {
            self.unwatch();
        }
    }
}

#[cfg(all(test, loom))]
mod loom_models;
