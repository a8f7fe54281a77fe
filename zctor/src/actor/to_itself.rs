//! Messages of an instance to itself: a timer is due, or a pipe is woken.

use std::rc::Rc;

use crate::actor::attachments::Finished;
use crate::actor::recovery::{self, Recover, no_answer};
use crate::event::PanicOrigin;
use crate::sys::unwind::{catch, run_user};
use crate::thread::local::Local;
use crate::thread::phase::Phase;
use crate::trace::work::Work;

/// Does what the timer with this number is for.
pub(super) fn tick(instance: Rc<dyn Recover>, local: &Rc<Local>, id: u64) {
    if instance.common().phase.get() == Phase::BackingOff {
        return recovery::resume_by(&instance, local, id);
    }
    // A shutdown closes the timers. Only those that end a backoff, above, still fire, since held mail waits for that.
    if !local.mailbox.engine.edge.is_open() {
        return;
    }
    // Out of the map while the user's closure runs: it may set and cancel timers.
    let Some(timer) = instance.attachments().if_extras(|extras| extras.timers.remove(id)) else { return };
    match timer.fire(local, instance.attachments(), instance.slot(), id) {
        Ok(mut message) => instance.handle_own(local, &mut *message, Work::Timer),
        Err(text) => recovery::recover(&instance, local, PanicOrigin::Timer, &text, &mut no_answer),
    }
}

/// Goes on with the pipe of this number.
pub(super) fn go_on(instance: Rc<dyn Recover>, local: &Rc<Local>, id: u64) {
    let attachments = instance.attachments();
    let Some((waker, mut pipe)) = attachments.if_extras(|extras| extras.pipes.remove(id)) else { return };
    match catch(|| pipe.poll(&waker)) {
        Ok(false) => attachments.with_extras(|extras| extras.pipes.add(id, (waker, pipe))),
        Ok(true) => match local.mailbox.meter.around(instance.slot(), || run_user(0, None, || pipe.finish())) {
            Ok(Finished::Last(mut message)) => instance.handle_own(local, &mut *message, Work::Pipe),
            Ok(Finished::More(mut message, pipe)) => {
                attachments.with_extras(|extras| extras.pipes.add(id, (waker, pipe)));
                instance.handle_own(local, &mut *message, Work::Pipe);
            }
            Ok(Finished::Nothing) => {}
            Err(text) => recovery::recover(&instance, local, PanicOrigin::Pipe, &text, &mut no_answer),
        },
        Err(_) => debug_assert!(false, "a pipe's own poll runs no user code"),
    }
}
