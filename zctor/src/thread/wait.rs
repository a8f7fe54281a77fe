//! A handler that waits serves what lies below it.

use std::rc::Rc;
use std::task::Waker;
use std::time::Instant;

use crate::mailbox::Mailbox;
use crate::sys::awaited::Awaited;
use crate::sys::clock::now;
use crate::sys::frame::Frame;
use crate::sys::park::wait_outside;
use crate::thread::local::{Local, local};

/// A wait that the statistics tell of.
struct Noted<'a>(&'a Mailbox);

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        self.0.end_wait();
    }
}

impl Local {
    /// Waits inside a handler, serving what lies below the handler's depth meanwhile. `None` at the deadline, or when
    /// this thread was given up.
    pub(crate) fn wait<A: Awaited>(
        self: &Rc<Self>,
        below: u32,
        awaited: &mut A,
        deadline: Option<Instant>,
    ) -> Option<A::Output> {
        let parker = &self.mailbox.parker;
        parker.announce();
        parker.spin_for_reply(&self.budget, || awaited.is_ready());
        parker.retract();
        let _wait = self.note_wait(awaited);
        loop {
            if awaited.is_ready() {
                if let Some(value) = awaited.poll(Waker::noop()) {
                    return Some(value);
                }
            }
            self.take_in();
            self.ring();
            let served = self.serve_one(below, 1) > 0;
            // The loop around what `here` gave waits no longer than the engine lets that live.
            let is_loop = below == u32::MAX;
            let over = parker.is_closed() || (is_loop && self.ending.get());
            if deadline.is_some_and(|deadline| deadline <= now()) || over {
                return awaited.poll(Waker::noop());
            }
            if served {
                continue;
            }
            parker.announce();
            if let Some(value) = awaited.poll(&self.waker) {
                parker.retract();
                return Some(value);
            }
            if !self.take_in() || self.floor.borrow().queue.has(below) {
                parker.retract();
                continue;
            }
            // That loop is outside: while it waits, and nothing waits for this thread, it is at rest.
            let rests = is_loop && self.held.get() == 0;
            if rests {
                self.give_room_back();
                self.mailbox.begin_rest();
                self.parent.came_to_rest();
            }
            parker.park([deadline, self.next_timer()].into_iter().flatten().min());
            if rests {
                self.mailbox.end_rest();
            }
        }
    }

    /// Notes, for the statistics, what the code that runs here waits for; until what it gives is dropped.
    fn note_wait<A: Awaited>(&self, awaited: &A) -> Option<Noted<'_>> {
        let (callee, on) = awaited.callee()?;
        let waiter = self.mailbox.meter.running()?;
        self.mailbox.begin_wait(self.mailbox.roll.find(waiter)?, callee, on);
        Some(Noted(&self.mailbox))
    }
}

/// Waits, serving what lies below the current handler's depth if this is an actor thread. `None` at the deadline, or
/// when the waiting thread itself was given up.
pub(crate) fn wait<A: Awaited>(awaited: &mut A, until: Option<Instant>) -> Option<A::Output> {
    // A callee on this thread has answered already.
    if awaited.is_ready() {
        if let Some(output) = awaited.poll(Waker::noop()) {
            return Some(output);
        }
    }
    match local() {
        Some(local) if local.is_done() && !Frame::current().is_user_code() => wait_outside(awaited, until),
        Some(local) => local.as_actor_thread(|| local.wait(Frame::current().below, awaited, until)),
        None => wait_outside(awaited, until),
    }
}
