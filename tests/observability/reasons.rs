//! Each refusal, loss and timeout is counted by type, with its reason; the rows add up to the totals.

use std::time::Duration;

use zctor::{ActorEngine, ActorThread, CallError, DeadLetterCounts, Overflow, Stats, Undelivered};
use zctor_tests::{Gate, bounded};

use crate::work::{Boss, BossMessage, Job, JobMessage, row};

const SHORT: Duration = Duration::from_millis(1);

#[track_caller]
fn assert_totals(stats: &Stats) {
    let sum = |of: fn(&zctor::TypeStats) -> u64| stats.types.iter().map(of).sum::<u64>();
    assert_eq!(sum(|row| row.dead_letters.total()), stats.dead_letters);
    assert_eq!(sum(|row| row.dead_letters.given_up), stats.skipped);
    assert_eq!(sum(|row| row.refused.total()), stats.refused);
    assert_eq!(sum(|row| row.restarts), stats.restarts);
    assert_eq!(sum(|row| row.timed_out.total()), stats.timed_out);
}

#[test]
fn each_reason_of_a_refusal_has_its_count() {
    bounded(|| {
        let engine = ActorEngine::new();
        assert!(engine.send(JobMessage::Run).is_err());
        assert!(engine.call(JobMessage::ask(Gate::new())).is_err());
        let thread = ActorThread::new().mailbox_bound(1).overflow(Overflow::Refuse);
        engine.spawn(thread.register(JobMessage::actor(Job::default))).expect("a thread starts");
        let gate = Gate::new();
        engine.send(JobMessage::Hold(gate.clone())).expect("a job lives");
        gate.await_arrivals(1);
        engine.send(JobMessage::Run).expect("there is room for one");
        assert!(engine.send(JobMessage::Run).expect_err("no room").is_full());
        let boss = engine.start(BossMessage::actor(Boss::default)).expect("it starts");
        boss.stop().expect("it lives");
        gate.open();
        engine.settle();
        assert!(boss.pass(1).is_err());
        let stats = engine.stats();
        let jobs = row(&stats, "JobMessage").refused;
        assert_eq!((jobs.not_registered, jobs.full, jobs.stopped), (2, 1, 0));
        let bosses = row(&stats, "BossMessage").refused;
        assert_eq!((bosses.not_registered, bosses.full, bosses.stopped), (0, 0, 1));
        assert_totals(&stats);
    });
}

#[test]
fn each_reason_of_a_dead_letter_has_its_count() {
    bounded(|| {
        let engine = ActorEngine::new();
        engine.on_dead_letter(|_| {});
        let thread = ActorThread::new().mailbox_bound(1).overflow(Overflow::DropNewest);
        engine.spawn(thread.register(JobMessage::actor(Job::default))).expect("a thread starts");
        let gate = Gate::new();
        engine.send(JobMessage::Hold(gate.clone())).expect("a job lives");
        gate.await_arrivals(1);
        engine.send(JobMessage::Stop).expect("there is room for one");
        engine.send(JobMessage::Run).expect("it is dropped");
        let boss = engine.start(BossMessage::actor(Boss::default)).expect("it starts");
        boss.send_all([BossMessage::Pass(0)]).expect("it lives");
        boss.stop().expect("it lives");
        gate.open();
        engine.settle();
        let ended = engine.start(JobMessage::actor(Job::default)).expect("it starts");
        ended.send_all([JobMessage::Stop, JobMessage::Run, JobMessage::Run]).expect("it lives");
        engine.settle();
        let stats = engine.stats();
        let letters = row(&stats, "JobMessage").dead_letters;
        assert_eq!(letters.of(Undelivered::Full), 1);
        assert_eq!(letters.of(Undelivered::Ended), 2);
        assert_eq!((letters.full, letters.ended, letters.total()), (1, 2, 3));
        assert_eq!(row(&stats, "BossMessage").dead_letters, DeadLetterCounts::default());
        assert_totals(&stats);
    });
}

#[test]
fn a_timeout_is_counted_once_begun_or_not() {
    bounded(|| {
        let engine = ActorEngine::new();
        let job = engine.start(JobMessage::actor(Job::default)).expect("it starts");
        let gate = Gate::new();
        let begun = job.within(Duration::from_secs(3600)).non_blocking().ask(gate.clone());
        gate.await_arrivals(1);
        for _ in 0..5 {
            let error = job.within(SHORT).ask(Gate::new()).expect_err("the job is held");
            assert!(matches!(error, CallError::Timeout { begun: false, .. }), "{error}");
        }
        // Waited for by nobody, and given up: it is no timeout.
        drop(job.non_blocking().ask(Gate::new()));
        let late = Gate::new();
        gate.open();
        assert_eq!(begun.wait(), Ok(()));
        let error = job.within(Duration::from_millis(50)).ask(late.clone()).expect_err("the gate stays shut");
        late.open();
        engine.settle();
        let stats = engine.stats();
        let jobs = row(&stats, "JobMessage");
        // A machine that is very busy begins the last one too late.
        let begins = u64::from(matches!(error, CallError::Timeout { begun: true, .. }));
        assert_eq!((jobs.timed_out.begun, jobs.timed_out.not_begun), (begins, 6 - begins));
        assert_eq!(jobs.dead_letters.given_up, 7 - begins);
        assert_totals(&stats);
    });
}

#[test]
fn a_timeout_that_the_callee_finds_first_is_counted_when_it_is_taken() {
    bounded(|| {
        let engine = ActorEngine::new();
        let job = engine.start(JobMessage::actor(Job::default)).expect("it starts");
        let gate = Gate::new();
        job.hold(gate.clone()).expect("it lives");
        gate.await_arrivals(1);
        let late = job.within(Duration::ZERO).non_blocking().ask(Gate::new());
        gate.open();
        engine.settle();
        assert_eq!(engine.stats().timed_out, 0, "nobody has been told yet");
        let error = late.wait().expect_err("its time was up before it began");
        assert!(matches!(error, CallError::Timeout { begun: false, .. }), "{error}");
        let stats = engine.stats();
        assert_eq!(row(&stats, "JobMessage").timed_out.not_begun, 1);
        assert_eq!(row(&stats, "JobMessage").dead_letters.given_up, 1);
        assert_totals(&stats);
    });
}
