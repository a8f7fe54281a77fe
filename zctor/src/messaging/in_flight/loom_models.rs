//! A model of an abandonment: a caller that waits for a thread that is abandoned is woken, and told.
//!
//! It runs the real `EngineShared` and the real caller's end of a call. "Caught" lists the mutations under which the model was
//! seen to fail.

use std::sync::Arc;

use loom::thread::spawn;

use super::*;
use crate::id::ThreadId;
use crate::mailbox::engine_shared::EngineShared;
use crate::mailbox::waits::OutsideThread;
use crate::reply::cancellation::Cancellation;
use crate::reply::reply_to::ReplyTo;
use crate::sys::outside::loom_models::outside;
use crate::sys::spin::Spin;

/// Caught: `park` that stores `PARKED` without a swap; `InFlight::look` that looks at the edge before it joins its
/// waiters; `abandon` that takes the wakers before it sets the edge; a missing fence in `abandon` or `is_abandoned`, by
/// the late wake alone.
#[test]
fn a_caller_of_an_abandoned_thread_is_woken_and_told() {
    for late_wakes in 0..=1 {
        loom::model(move || wait_for_an_abandonment(late_wakes));
    }
}

/// Lists the wait of a thread outside, as thread/wait.rs does.
fn list(reply: &InFlight<(), CalledAt<'_>>, parker: &Arc<Parker>) {
    if let Some((callee, engine)) = reply.callee() {
        let _number = engine.callers.begin(OutsideThread(Arc::clone(parker)), callee, now());
    }
}

/// The caller is also woken `late_wakes` times by wakers of an earlier wait, and looks again after each.
fn wait_for_an_abandonment(late_wakes: usize) {
    let engine = Arc::new(EngineShared::new(None, Spin::default()));
    let mailbox = Mailbox::new(ThreadId(0), String::new(), engine, None);
    let (port, receiver) = ReplyTo::<()>::channel(Cancellation::none());
    let outside = outside(0);
    let abandoner = {
        let engine = Arc::clone(&mailbox.engine);
        spawn(move || engine.abandon())
    };
    let wakers: Vec<_> = (0..late_wakes)
        .map(|_| {
            let parker = Arc::clone(&outside.parker);
            spawn(move || Parker::wake(&parker))
        })
        .collect();
    let called = CalledAt { mailbox: &mailbox, variant: "Variant", slot: Slot { index: 0, generation: 0 } };
    let mut reply = InFlight::new(receiver, called, || "message");
    let outcome = outside.wait(&mut reply, None, |reply, parker| list(reply, parker));
    assert_eq!(outcome, Some(Err(CallError::Stopped { message: "message" })));
    drop((reply, port));
    abandoner.join().unwrap();
    for waker in wakers {
        waker.join().unwrap();
    }
}
