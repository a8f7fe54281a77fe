//! A handler that waits does not block its thread: the thread serves the lanes below the handler's call depth.
//!
//! So a callee on the same thread, or one that needs this thread, makes progress. ARCHITECTURE.md proves that every
//! call ends, in "Why calls end".

use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use crate::mailbox::Mailbox;
use crate::mailbox::parked::Park;
use crate::report::RunningInstance;
use crate::sys::awaited::Awaited;
use crate::sys::clock::now;
use crate::sys::frame::Frame;
use crate::sys::park::wait_outside;
use crate::sys::spin::Spin;
use crate::thread::borrowed::{as_actor_thread, is_done};
use crate::thread::carried::home;
use crate::thread::local::{Local, local};
use crate::thread::run::{at_rest, free_memory, parked};
use crate::thread::serve::{queue_due_timers, serve_one, take_in};

/// A wait that is listed in the statistics until this is dropped.
struct Noted<B: Deref<Target = Mailbox>> {
    mailbox: B,
    number: u64,
}

impl<B: Deref<Target = Mailbox>> Noted<B> {
    fn new(mailbox: B, waiter: RunningInstance, awaited: &impl Awaited) -> Option<Self> {
        let (callee, on) = awaited.callee()?;
        let number = mailbox.waits.begin(waiter, callee, on);
        Some(Self { mailbox, number })
    }
}

impl<B: Deref<Target = Mailbox>> Drop for Noted<B> {
    fn drop(&mut self) {
        self.mailbox.waits.end(self.number);
    }
}

/// Lists in the statistics what the instance that runs here waits for, until the result is dropped.
fn note_wait<'l>(local: &'l Local, awaited: &impl Awaited) -> Option<Noted<&'l Mailbox>> {
    let mailbox = &*local.mailbox;
    Noted::new(mailbox, mailbox.roster.find(mailbox.meter.running()?)?, awaited)
}

/// Lists in the statistics what carried code waits for, as a wait of its handler, until the result is dropped.
fn note_carried_wait(awaited: &impl Awaited) -> Option<Noted<Arc<Mailbox>>> {
    let home = home()?;
    Noted::new(Arc::clone(&home.mailbox), home.handler, awaited)
}

/// Waits for `awaited`. An actor thread serves the lanes below the current handler's call depth meanwhile. `None` at
/// the deadline, or when the waiting thread itself must end or was abandoned.
pub(crate) fn wait<A: Awaited>(awaited: &mut A, until: Option<Instant>) -> Option<A::Output> {
    // A callee on this thread has answered already.
    if awaited.is_ready() {
        if let Some(output) = awaited.poll(Waker::noop()) {
            return Some(output);
        }
    }
    match local() {
        Some(local) if is_done(&local) && !Frame::current().is_user_code() => wait_outside(awaited, until),
        Some(local) => as_actor_thread(&local, || wait_here(&local, Frame::current().serves_below(), awaited, until)),
        None => {
            let _wait = note_carried_wait(awaited);
            wait_outside(awaited, until)
        }
    }
}

/// Waits on an actor thread, and serves the lanes below a call depth meanwhile.
fn wait_here<A: Awaited>(
    local: &Rc<Local>,
    below: u32,
    awaited: &mut A,
    deadline: Option<Instant>,
) -> Option<A::Output> {
    let parker = &local.mailbox.parker;
    let spin = local.mailbox.edge.spin.no_later_than([deadline, local.next_timer()].into_iter().flatten().min());
    if matches!(spin, Spin::UpTo(_)) {
        // A push that came before the announcement does not end the spin, and this one may be long.
        take_in(local);
    }
    // What can be served comes first: the reply may depend on it.
    if !local.has_mail(below) {
        parker.announce();
        parker.spin_for_reply(&local.budgets, spin, || awaited.is_ready());
        parker.retract();
    }
    if awaited.is_ready() {
        if let Some(value) = awaited.poll(Waker::noop()) {
            return Some(value);
        }
    }
    // Only a wait that serves or parks is listed.
    let _wait = note_wait(local, awaited);
    loop {
        if awaited.is_ready() {
            if let Some(value) = awaited.poll(Waker::noop()) {
                return Some(value);
            }
        }
        take_in(local);
        queue_due_timers(local);
        let served = serve_one(local, below, 1) > 0;
        // Code outside every handler runs here only on the calling thread of `here`. Its wait ends when the engine
        // tells that thread to end.
        let is_loop = below == u32::MAX;
        let over = parker.is_closed() || (is_loop && local.ending.get());
        if deadline.is_some_and(|deadline| deadline <= now()) || over {
            return awaited.poll(Waker::noop());
        }
        if served {
            continue;
        }
        parker.announce();
        if let Some(value) = awaited.poll(&local.waker) {
            parker.retract();
            return Some(value);
        }
        if !take_in(local) || local.has_mail(below) {
            parker.retract();
            continue;
        }
        // That code is outside: while it waits, and no mail is held, its thread is at rest.
        let rests = is_loop && local.held.is_empty();
        if rests {
            free_memory(local);
        }
        let until = [deadline, local.next_timer()].into_iter().flatten().min();
        at_rest(local, rests, || parked(local, if is_loop { Park::Idle } else { Park::Waiting }, until));
    }
}
