//! A thread that is not ours, between two events of its own loop.

use std::rc::Rc;

use crate::sys::alarm::{AlarmId, clear_alarm, set_alarm};
use crate::sys::frame::{self, Frame};
use crate::thread::local::Local;
use crate::thread::run::{BATCH, Exit};

/// The calling thread of `here`, back at something of its own.
pub(super) struct Away {
    /// Its word stands by.
    stands: bool,
    rests: bool,
    alarm: Option<AlarmId>,
}

impl Local {
    // The calling thread of `here`: an actor thread only while it serves or waits.

    /// Called once, when it has become an actor thread: it stays one without instances, and goes back to its own.
    pub(crate) fn settle_here(&self) {
        self.stays.set(true);
        self.go();
    }

    /// Runs `f` as an actor thread. Where it is one just now, that is all.
    pub(crate) fn as_actor_thread<R>(&self, f: impl FnOnce() -> R) -> R {
        if !self.stays.get() || self.mailbox.is_current() {
            return f();
        }
        self.come_back();
        let result = f();
        match self.dropped.take() {
            Some(exit) => exit.end(),
            None => self.go(),
        }
        result
    }

    /// One of its own instances has dropped what `here` gave: it ends when no code of theirs is on the stack any more.
    pub(crate) fn end_later(&self, exit: Exit) {
        self.ending.set(true);
        self.dropped.set(Some(exit));
    }

    fn come_back(&self) {
        if let Some(Away { stands, rests, alarm }) = self.away.take() {
            if let Some(alarm) = alarm {
                clear_alarm(alarm);
            }
            if stands {
                self.mailbox.parker.come_back();
            }
            if rests {
                self.mailbox.end_rest();
            }
        }
        self.mailbox.make_current();
    }

    /// It is an actor thread until its end.
    pub(super) fn come_back_for_good(&self) {
        self.stays.set(false);
        self.come_back();
    }

    /// Goes back to its own; told at once if there is something to do here.
    fn go(&self) {
        let parker = &self.mailbox.parker;
        parker.announce();
        let idle = self.take_in() && !self.floor.borrow().queue.has(u32::MAX) && !self.ending.get();
        let rests = idle && self.held.get() == 0;
        if rests {
            self.give_room_back();
            self.mailbox.begin_rest();
            self.parent.came_to_rest();
        }
        let alarm = self.next_timer().filter(|_| idle).map(|due| set_alarm(due, self.waker.clone()));
        frame::leave();
        let stands = idle && parker.stand_by();
        if !stands {
            parker.retract();
        }
        self.away.set(Some(Away { stands, rests, alarm }));
        if !stands && !self.is_over() {
            parker.notify();
        }
    }

    /// Something waits for it.
    pub(crate) fn has_work(&self) -> bool {
        !self.mailbox.is_empty() || self.floor.borrow().queue.has(u32::MAX)
    }

    /// The calling thread of `here`, after its part in the engine is over.
    pub(crate) fn is_done(&self) -> bool {
        self.stays.get() && self.mailbox.parker.is_closed()
    }

    /// The engine has told it to end.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.get()
    }

    /// Its instances have ended, and so has its part in the engine.
    fn is_over(&self) -> bool {
        self.ending.get() && self.is_empty()
    }

    /// Serves as much as waits, and not what comes meanwhile on top. `false` when the engine has ended this thread.
    pub(crate) fn run_pending(self: &Rc<Self>) -> bool {
        if Frame::current().is_user_code() {
            return true;
        }
        self.as_actor_thread(|| {
            self.take_in();
            self.ring();
            let mut waiting = self.floor.borrow().queue.len();
            while waiting > 0 {
                match self.serve_one(u32::MAX, waiting) {
                    0 => break,
                    done => waiting = waiting.saturating_sub(done),
                }
            }
            // Closed from outside: this thread was given up.
            let told = self.ending.get() || self.mailbox.parker.is_closed();
            let waits = self.floor.borrow().queue.has(u32::MAX) || self.held.get() > 0;
            if told && (!waits || self.mailbox.edge.is_sealed()) {
                self.ending.set(true);
                self.end_all();
                // The engine need not wait for its owner.
                self.close();
                self.parent.thread_ended(&self.mailbox);
                return false;
            }
            true
        })
    }

    /// Serves until there is nothing to do.
    pub(crate) fn run_until_idle(self: &Rc<Self>) {
        self.as_actor_thread(|| {
            while !self.ending.get() {
                self.ring();
                if !self.take_in() || self.floor.borrow().queue.has(u32::MAX) {
                    self.serve_one(u32::MAX, BATCH);
                } else {
                    break;
                }
            }
        });
    }
}
