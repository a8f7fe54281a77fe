//! A task awaits room in a mailbox on whichever executor, so no thread waits. It sends or calls when there is room.
//!
//! 1. A poll chooses an instance, as a send does. If there is room, the message goes out in that poll.
//! 2. If there is none, and the mailbox's overflow lets senders wait, the task joins the waiters in the place that it
//!    got at its first poll (`mailbox/permits.rs`).
//! 3. Where there is a limit, an alarm wakes the task then. A poll that finds the limit passed is refused as full.
//! 4. The drop of the future leaves the waiters. If the task had been woken, that passes the wake on to the next.
//!
//! Nothing is held for a task that was woken and is not polled: a sender that comes then may take the room before it.
//! Inside a handler there is nothing to wait for, and so no poll there waits for room.

use std::task::{Poll, Waker};
use std::time::Instant;

use crate::error::{CallError, Refusal, SendError};
use crate::mailbox::permits::Overflow;
use crate::messaging::backpressure::{Choice, Choosing, PermitWait, policy, room_deadline};
use crate::messaging::pending::Pending;
use crate::messaging::target::Target;
use crate::messaging::{call, request, send};
use crate::reply::cancellation::Cancellation;
use crate::reply::oneshot::Receiver;
use crate::reply::reply_to::{Outcome, ReplyTo};
use crate::route::contents::Call;
use crate::route::payload::{Kind, Payload, ToPort};
use crate::sys::alarm::{AlarmId, clear_alarm, set_alarm};
use crate::sys::clock::now;
use crate::sys::frame::{as_task, may_await_room};
use crate::sys::unwind::ignoring_panic;
use crate::trace::CAN_BE_WATCHED;

/// A task's wait for room, kept from one poll to the next.
struct Room {
    until: Option<Instant>,
    /// `None` until the task has to wait.
    permits: Option<PermitWait>,
    alarm: Option<Alarm>,
}

/// The alarm that is set for the end of the wait, and whom it wakes.
struct Alarm {
    waker: Waker,
    id: Option<AlarmId>,
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            clear_alarm(id);
        }
    }
}

impl Room {
    fn new(until: Option<Instant>) -> Self {
        Self { until, permits: None, alarm: None }
    }

    /// Has an instance chosen that has room; one without means that the message is to be dropped.
    fn poll(&mut self, choice: &mut dyn Choice, waker: &Waker) -> Poll<Result<(), Refusal>> {
        if let Some(found) = self.find(choice, waker) {
            self.leave();
            return Poll::Ready(found);
        }
        let is_late = self.until.is_some_and(|until| until <= now());
        if is_late {
            self.leave();
            return Poll::Ready(Err(Refusal::Full));
        }
        self.set_alarm(waker);
        Poll::Pending
    }

    fn find(&mut self, choice: &mut dyn Choice, waker: &Waker) -> Option<Result<(), Refusal>> {
        if self.permits.is_none() || !may_await_room() {
            if as_task(|| choice.choose()) {
                return Some(Ok(()));
            }
            match as_task(|| policy(choice, may_await_room())) {
                Overflow::Wait => self.permits = Some(PermitWait::new(choice)),
                Overflow::DropNewest => return Some(Ok(())),
                Overflow::Refuse => return Some(Err(Refusal::Full)),
            }
        }
        self.permits.as_mut()?.poll(choice, waker).then_some(Ok(()))
    }

    fn set_alarm(&mut self, waker: &Waker) {
        let Some(until) = self.until.filter(|_| !waker.will_wake(Waker::noop())) else { return };
        if self.alarm.as_ref().is_none_or(|alarm| alarm.id.is_none() || !alarm.waker.will_wake(waker)) {
            self.clear_alarm();
            self.alarm = Some(Alarm { waker: waker.clone(), id: set_alarm(until, waker.clone()) });
        }
    }

    fn clear_alarm(&mut self) {
        let alarm = self.alarm.take();
        ignoring_panic(|| drop(alarm));
    }

    fn leave(&mut self) {
        self.permits = None;
        self.clear_alarm();
    }
}

/// A message whose sender awaits room for it.
pub(crate) struct Sending<M> {
    /// Empty when it was sent.
    message: Option<M>,
    room: Room,
}

impl<M: Payload> Sending<M> {
    pub(crate) fn new(target: &Target<'_, M>, message: M) -> Self {
        Self { message: Some(message), room: Room::new(room_deadline(target)) }
    }

    pub(crate) fn poll(&mut self, target: &Target<'_, M>, waker: &Waker) -> Poll<Result<(), SendError<M>>> {
        while let Some(message) = &self.message {
            let mut choosing = Choosing::new(target, message.key());
            let Poll::Ready(found) = self.room.poll(&mut choosing, waker) else { return Poll::Pending };
            let found = found.and_then(|()| choosing.take());
            if let Err(refusal) =
                found.and_then(|chosen| send::deliver::<CAN_BE_WATCHED, M>(&chosen, &mut self.message))
            {
                return Poll::Ready(send::refused(*target, &mut self.message, refusal));
            }
            // A message that is back in its place was for a thread that has ended just now: see `send::try_send`.
        }
        Poll::Ready(Ok(()))
    }
}

/// A call whose caller awaits room for it.
pub(crate) struct Calling<M: Payload, R> {
    /// Empty when it was sent.
    call: Option<Call<M>>,
    receiver: Option<Receiver<Outcome<R>>>,
    room: Room,
}

impl<M: Payload, R: 'static> Calling<M, R> {
    pub(crate) fn new(target: &Target<'_, M>, message: M, port: ToPort<M, R>) -> Self {
        let until = request::own_deadline(target);
        let (reply_to, receiver) = ReplyTo::channel(Cancellation::new(until));
        let call = Some(Call { message, port: port(reply_to) });
        Self { call, receiver: Some(receiver), room: Room::new(until) }
    }

    /// Gives the [`Pending`] of the call when it is under way.
    pub(crate) fn poll<K: Kind>(
        &mut self,
        target: &Target<'_, M>,
        waker: &Waker,
    ) -> Poll<Result<Pending<R>, CallError>> {
        while let Some(call) = &self.call {
            let mut choosing = Choosing::new(target, call.message.key());
            let Poll::Ready(found) = self.room.poll(&mut choosing, waker) else { return Poll::Pending };
            let chosen = match found.and_then(|()| choosing.take()) {
                Ok(chosen) => chosen,
                Err(refusal) => return Poll::Ready(Err(target.call_error(refusal))),
            };
            if let Err(error) = call::deliver(target, &chosen, &mut self.call) {
                return Poll::Ready(Err(error));
            }
            if self.call.is_some() {
                continue; // it was for a thread that has ended just now
            }
            if let Some(receiver) = self.receiver.take() {
                return Poll::Ready(Ok(request::under_way::<M, R, K>(target, receiver, &chosen)));
            }
        }
        Poll::Ready(Err(CallError::NoReply { message: M::name() })) // not reached: it is not polled when it was sent
    }
}
