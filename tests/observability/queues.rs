//! How old what waits is, and how full a bounded mailbox is.

use std::thread;
use std::time::{Duration, Instant};

use zctor::{ActorEngine, ActorThread, RoomStats};
use zctor_tests::{Gate, bounded};

use crate::work::{Boss, BossMessage, Job, JobMessage, look_until};

const HELD: Duration = Duration::from_millis(200);

#[expect(clippy::disallowed_methods, reason = "the test compares with the clock")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn what_waits_behind_a_held_handler_grows_old() {
    bounded(|| {
        let engine = ActorEngine::new();
        let job = engine.start(JobMessage::actor(Job::default)).expect("it starts");
        let oldest = || engine.stats().threads[0].oldest;
        assert_eq!(oldest(), Duration::ZERO);
        let (gate, before) = (Gate::new(), now());
        job.hold(gate.clone()).expect("it lives");
        gate.await_arrivals(1);
        for _ in 0..1_000 {
            job.run().expect("it lives");
        }
        // They came since the last look, and the handler has run since then at most.
        let first = oldest();
        assert!(first <= before.elapsed(), "{first:?}");
        // From now on the looks know that they were there, so none makes them younger.
        let known = now();
        let look = || (known.elapsed(), oldest());
        let (least, seen) = look_until(look, |(least, oldest)| {
            assert!(oldest >= least, "{oldest:?}, and they were seen {least:?} ago");
            *oldest >= HELD
        });
        assert!(seen <= before.elapsed(), "none is older than the first send, {least:?}");
        gate.open();
        engine.settle();
        assert_eq!(oldest(), Duration::ZERO);
        // Those that came later are younger.
        let (second, began) = (Gate::new(), now());
        job.hold(second.clone()).expect("it lives");
        second.await_arrivals(1);
        oldest();
        look_until(oldest, |oldest| *oldest > Duration::ZERO);
        assert!(oldest() <= began.elapsed());
        second.open();
    });
}

#[test]
fn a_bounded_mailbox_says_what_it_holds_and_who_waits_in_line() {
    bounded(|| {
        let engine = ActorEngine::new();
        let bounded = ActorThread::new().mailbox_bound(3).register(JobMessage::actor(Job::default));
        engine.spawn(bounded).expect("a thread starts");
        let room = || engine.stats().threads[0].room.expect("it is bounded");
        let line = |RoomStats { bound, taken, waiting, .. }| (bound, taken, waiting);
        assert_eq!(line(room()), (3, 0, 0));
        let gate = Gate::new();
        engine.send(JobMessage::Hold(gate.clone())).expect("a job lives");
        gate.await_arrivals(1);
        assert_eq!(line(room()), (3, 0, 0), "the handler has begun");
        for _ in 0..3 {
            engine.send(JobMessage::Run).expect("a job lives");
        }
        assert_eq!(line(room()), (3, 3, 0));
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| engine.send(JobMessage::Run).expect("room comes"));
            }
            look_until(room, |room| line(*room) == (3, 3, 2));
            gate.open();
        });
        engine.settle();
        assert_eq!(line(room()), (3, 0, 0));
    });
}

#[test]
fn an_inner_bound_says_what_waits_from_inside() {
    bounded(|| {
        let engine = ActorEngine::new();
        let bounded = ActorThread::new().inner_bound(5, zctor::Inner::Refuse).register(JobMessage::actor(Job::default));
        engine.spawn(bounded).expect("a thread starts");
        let boss = engine.start(BossMessage::actor(Boss::default)).expect("it starts");
        let gate = Gate::new();
        engine.send(JobMessage::Hold(gate.clone())).expect("a job lives");
        gate.await_arrivals(1);
        boss.pass(4).expect("it lives");
        look_until(|| engine.stats().threads[1].handled, |handled| *handled == 1);
        let thread = &engine.stats().threads[0];
        let room = thread.inner_room.expect("it has an inner bound");
        assert_eq!((room.bound, room.taken, room.waiting), (5, 4, 0));
        assert!(thread.room.is_none(), "it has no bound at the edge");
        gate.open();
    });
}
