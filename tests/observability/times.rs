//! A thread is busy, or it waits for a reply, or it is idle; and how long it was each is known while it lasts.

use std::time::Duration;

use zctor::{ActorEngine, ThreadStats};
use zctor_tests::{Gate, bounded};

use crate::work::{Boss, BossMessage, Job, JobMessage, look_until};

const WHILE: Duration = Duration::from_millis(20);

/// Looks at a thread, and again when it is older by `WHILE`.
fn over_a_while(engine: &ActorEngine, thread: usize) -> (ThreadStats, ThreadStats) {
    let look = || engine.stats().threads[thread].clone();
    let before = look();
    let after = look_until(look, |after| after.age >= before.age + WHILE);
    (before, after)
}

#[test]
fn a_thread_whose_handler_runs_is_busy_and_whoever_waits_for_it_waits() {
    bounded(|| {
        let engine = ActorEngine::new();
        let boss = engine.start(BossMessage::actor(Boss::default)).expect("it starts");
        engine.pool(1, JobMessage::actor(Job::default)).expect("it starts");
        let gate = Gate::new();
        boss.delegate(gate.clone()).expect("it lives");
        gate.await_arrivals(1);
        let (before, after) = over_a_while(&engine, 1);
        assert_eq!((after.idle, after.waiting), (before.idle, before.waiting), "the job does nothing but run");
        assert!(after.busy() >= before.busy() + WHILE);
        // The boss may spin for a moment, which counts as busy.
        look_until(|| engine.stats().threads[0].clone(), |boss| boss.waiting > Duration::ZERO);
        let (before, after) = over_a_while(&engine, 0);
        assert_eq!((after.idle, after.busy()), (before.idle, before.busy()), "the boss does nothing but wait");
        assert!(after.waiting >= before.waiting + WHILE);
        gate.open();
    });
}

#[test]
fn a_thread_with_nothing_to_do_is_idle() {
    bounded(|| {
        let engine = ActorEngine::new();
        let job = engine.start(JobMessage::actor(Job::default)).expect("it starts");
        job.run().expect("it lives");
        look_until(|| engine.stats().threads[0].clone(), |thread| thread.handled == 1 && thread.idle > Duration::ZERO);
        engine.settle();
        // It may spin for a moment before it parks.
        let (before, after) = look_until(|| over_a_while(&engine, 0), |(before, after)| after.busy() == before.busy());
        assert!(after.idle >= before.idle + WHILE);
        assert_eq!((after.waiting, after.busy() + after.idle), (Duration::ZERO, after.age));
    });
}

#[test]
fn the_calling_thread_of_here_is_idle_in_code_of_its_own() {
    bounded(|| {
        let engine = ActorEngine::new();
        let here = engine.here().expect("it becomes an actor thread");
        let job = here.start(JobMessage::actor(Job::default)).expect("it starts");
        job.run().expect("it lives");
        here.run_pending();
        let (before, after) = over_a_while(&engine, 0);
        assert_eq!((after.handled, after.busy()), (1, before.busy()));
        assert!(after.idle >= before.idle + WHILE);
        drop(here);
    });
}

#[test]
fn timers_that_are_set_are_counted() {
    bounded(|| {
        let engine = ActorEngine::new();
        let job = engine.start(JobMessage::actor(Job::default)).expect("it starts");
        for _ in 0..3 {
            job.remind(Duration::from_secs(3600)).expect("it lives");
        }
        engine.settle();
        assert_eq!(engine.stats().threads[0].timers, 3);
    });
}
