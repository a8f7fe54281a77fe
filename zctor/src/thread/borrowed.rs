//! The calling thread of `here`, which is only borrowed: it is an actor thread while it serves or waits.
//!
//! Between two such times the thread is elsewhere, in code of its own such as an event loop, and there it is like any
//! outside thread. Its word stands by then (`sys/park.rs`): a sender calls the thread's hook, since it is not parked
//! and cannot be unparked.

use std::rc::Rc;

use crate::mailbox::parked::Park;
use crate::sys::alarm::{clear_alarm, set_alarm};
use crate::sys::clock::now;
use crate::sys::frame::{self, Frame};
use crate::sys::simulated::look;
use crate::thread::local::{Elsewhere, Local};
use crate::thread::run::{BATCH, ThreadGuard, begin_rest, close, end_all, end_rest, free_memory};
use crate::thread::serve::serve;
use crate::thread::take_in::{queue_due_timers, take_in};

/// Makes a thread that has just become an actor thread a borrowed one, which goes on without instances. It goes back to
/// its own code. To be called once.
pub(crate) fn become_borrowed(local: &Local) {
    local.borrowed.is_one.set(true);
    leave_for_own_code(local);
}

/// Runs `f` as an actor thread, and then goes back to what the thread was before.
#[inline]
pub(crate) fn as_actor_thread<R>(local: &Local, f: impl FnOnce() -> R) -> R {
    if !local.borrowed.is_one.get() || local.mailbox.is_current() {
        return f();
    }
    return_from_own_code(local);
    let result = f();
    match local.borrowed.end.take() {
        Some(end) => end(),
        None => leave_for_own_code(local),
    }
    result
}

/// Ends the instances of a borrowed thread, and with them the thread's part in the engine.
pub(crate) fn end(guard: ThreadGuard) {
    let local = guard.local();
    local.borrowed.is_one.set(false);
    return_from_own_code(local);
    end_all(local);
}

/// As `end`, for a `Here` that one of the thread's own instances has dropped: done when no code of theirs is on the
/// stack any more.
pub(crate) fn end_later(local: &Local, guard: ThreadGuard) {
    local.ending.set(true);
    local.borrowed.end.set(Some(Box::new(move || end(guard))));
}

/// Makes the thread an actor thread again: it comes back from its own code.
fn return_from_own_code(local: &Local) {
    if let Some(Elsewhere { stands, rests, alarm }) = local.borrowed.elsewhere.take() {
        local.mailbox.parked.end(Park::Idle, local.mailbox.meter.progress());
        if let Some(alarm) = alarm {
            clear_alarm(alarm);
        }
        if stands {
            local.mailbox.parker.come_back();
        }
        if rests {
            end_rest(local);
        }
    }
    local.mailbox.make_current();
}

/// Goes back to the thread's own code. If its instances have something to do, its hook is called at once.
fn leave_for_own_code(local: &Local) {
    let parker = &local.mailbox.parker;
    parker.announce();
    let idle = take_in(local) && !local.has_mail(u32::MAX) && !local.ending.get();
    let rests = idle && local.held.is_empty();
    if rests {
        free_memory(local);
        begin_rest(local);
    }
    let alarm = local.next_timer().filter(|_| idle).and_then(|due| set_alarm(due, local.waker.clone()));
    frame::leave();
    let stands = idle && parker.stand_by();
    if !stands {
        parker.retract();
    }
    local.borrowed.elsewhere.set(Some(Elsewhere { stands, rests, alarm }));
    local.mailbox.parked.begin(Park::Idle, now());
    let is_over = local.ending.get() && local.is_empty();
    if !stands && !is_over {
        parker.notify();
    }
}

/// Whether mail waits for the thread's instances.
pub(crate) fn has_work(local: &Local) -> bool {
    !local.mailbox.queue.is_empty() || local.has_mail(u32::MAX)
}

/// Whether the thread's part in the engine is over.
pub(super) fn is_done(local: &Local) -> bool {
    local.borrowed.is_one.get() && local.mailbox.parker.is_closed()
}

/// Whether the engine has told the thread to end.
pub(crate) fn is_ending(local: &Local) -> bool {
    local.ending.get()
}

/// Serves as many messages as wait just now, but no more for those that come meanwhile. `false` when the engine has
/// ended this thread.
pub(crate) fn run_pending(local: &Rc<Local>) -> bool {
    if Frame::current().is_user_code() {
        return true;
    }
    look("run what is pending");
    as_actor_thread(local, || {
        take_in(local);
        queue_due_timers(local);
        let waiting = local.hosting.borrow().queue.len();
        serve(local, u32::MAX, waiting);
        // If the mailbox was closed from outside, this thread was abandoned.
        let told = local.ending.get() || local.mailbox.parker.is_closed();
        let waits = local.has_mail(u32::MAX) || !local.held.is_empty();
        if told && (!waits || local.mailbox.engine.edge.is_sealed()) {
            local.ending.set(true);
            end_all(local);
            // Reported here, so that the engine need not wait until the `Here` is dropped.
            close(local);
            local.owner.thread_ended(&local.mailbox);
            return false;
        }
        true
    })
}

/// Serves until there is nothing to do, or the thread is to end.
pub(crate) fn run_until_idle(local: &Rc<Local>) {
    as_actor_thread(local, || {
        while !local.ending.get() {
            queue_due_timers(local);
            if !take_in(local) || local.has_mail(u32::MAX) {
                serve(local, u32::MAX, BATCH);
            } else {
                break;
            }
        }
    });
}
