//! Producers much faster than the consumer hold the queue at its bound, under every policy, and what is lost is
//! counted.
//!
//! `ZCTOR_OVERLOAD_MS` says how long each policy is tried, in milliseconds.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use zctor::{Actor, ActorEngine, ActorThread, CallError, Overflow, actor};
use zctor_tests::{Counter, within};

const PRODUCERS: u64 = 4;
const BOUND: usize = 100;
const POOL: usize = 2;
/// Of one push.
const BATCH: u64 = 10;

#[actor]
#[derive(Clone)]
enum JobMessage {
    Work,
    #[reply(())]
    Ask,
}

/// Takes far longer for a message than a producer does.
struct Job(Counter);

impl Job {
    fn take_a_moment(&self) {
        self.0.increment();
        let (_never, nothing) = mpsc::channel::<()>();
        let _ = nothing.recv_timeout(Duration::from_micros(200));
    }
}

impl JobHandler for Job {
    fn work(&mut self) {
        self.take_a_moment();
    }
    fn ask(&mut self) {
        self.take_a_moment();
    }
}

#[expect(clippy::disallowed_methods, reason = "the test goes on for a while")]
fn now() -> Instant {
    Instant::now()
}

fn duration() -> Duration {
    let millis = std::env::var("ZCTOR_OVERLOAD_MS").ok().and_then(|millis| millis.parse().ok());
    Duration::from_millis(millis.unwrap_or(if cfg!(miri) { 10 } else { 500 }))
}

/// What the producers saw of their messages.
#[derive(Clone, Default)]
struct Tally {
    tried: Counter,
    /// Came back, or ended with `Full`.
    refused: Counter,
    /// Calls that never began.
    given_up: Counter,
    /// Not reached by broadcasts.
    missed: Counter,
}

/// One producer, by every way to send, until it is told that it is `enough`.
fn produce(jobs: &JobClient, enough: &AtomicBool, tally: &Tally) {
    let settle = |outcome: Result<(), CallError>| {
        match outcome {
            Ok(()) | Err(CallError::Timeout { begun: true, .. }) => 0,
            Err(CallError::Full { .. }) => tally.refused.increment(),
            Err(CallError::Timeout { begun: false, .. }) => tally.given_up.increment(),
            Err(error) => panic!("{error}"),
        };
    };
    let patience = Duration::from_millis(2);
    for round in 0.. {
        if enough.load(Ordering::Relaxed) {
            return;
        }
        match round % 50 {
            0..35 => {
                tally.tried.increment();
                if jobs.non_blocking().work().is_err() {
                    tally.refused.increment();
                }
            }
            35..40 => {
                tally.tried.add(BATCH);
                if let Err(error) = jobs.non_blocking().send_all((0..BATCH).map(|_| JobMessage::Work)) {
                    tally.refused.add(error.into_inner().len() as u64);
                }
            }
            40..44 => {
                tally.tried.increment();
                let asked = jobs.request(JobMessage::ask());
                match asked.try_take() {
                    Some(outcome) => settle(outcome),
                    None => asked.detach(),
                }
            }
            44 => {
                tally.tried.increment();
                settle(jobs.within(patience).ask());
            }
            45 => {
                tally.tried.increment();
                if jobs.within(patience).work().is_err() {
                    tally.refused.increment();
                }
            }
            46 => {
                tally.tried.add(POOL as u64);
                let reached = jobs.broadcast(JobMessage::Work).expect("they live");
                tally.missed.add((POOL - reached) as u64);
            }
            47 => {
                tally.tried.add(POOL as u64);
                for (_, outcome) in jobs.within(patience).call_all(JobMessage::ask()).expect("they live") {
                    settle(outcome);
                }
            }
            // These wait as long as it takes.
            48 => {
                tally.tried.increment();
                if jobs.work().is_err() {
                    tally.refused.increment();
                }
            }
            _ => {
                tally.tried.add(BATCH);
                if let Err(error) = jobs.send_all((0..BATCH).map(|_| JobMessage::Work)) {
                    tally.refused.add(error.into_inner().len() as u64);
                }
            }
        }
    }
}

fn overload(overflow: Overflow) {
    let limit = duration() * 10 + zctor_tests::LIMIT;
    within(limit, move || {
        let engine = ActorEngine::new();
        let (handled, told, back) = (Counter::new(), Counter::new(), Counter::new());
        let (counted, returned, heard) = (handled.clone(), back.clone(), told.clone());
        engine.on_dead_letter(move |_| {
            heard.increment();
        });
        let actor: Actor<JobMessage, Job> = JobMessage::actor(move || Job(counted.clone()));
        let actor = actor.on_undelivered(move |_, _| {
            returned.increment();
        });
        let thread = |_| ActorThread::new().mailbox_bound(BOUND).overflow(overflow);
        let jobs = engine.pool_on(POOL, thread, actor).expect("they start");
        let (tally, until, enough) = (Tally::default(), now() + duration(), AtomicBool::new(false));
        let mut longest = 0;
        thread::scope(|scope| {
            let producers: Vec<_> = (0..PRODUCERS)
                .map(|_| {
                    let (jobs, tally, enough) = (jobs.clone(), tally.clone(), &enough);
                    scope.spawn(move || produce(&jobs, enough, &tally))
                })
                .collect();
            while producers.iter().any(|producer| !producer.is_finished()) {
                for thread in engine.stats().threads {
                    longest = longest.max(thread.queued);
                }
                // Threads that get no core may need longer to fill the queue.
                enough.store(now() > until && longest >= BOUND, Ordering::Relaxed);
                let (_never, nothing) = mpsc::channel::<()>();
                let _ = nothing.recv_timeout(Duration::from_millis(1));
            }
        });
        let stats = engine.stats();
        let report = engine.shutdown().expect("it ends");
        // The one at work comes on top; what is on its way from the mailbox to the thread's hands may be seen in both.
        assert!(longest <= 2 * BOUND + 2, "{longest} were queued");
        assert!(longest >= BOUND, "the producers were too slow: {longest}");
        // Each message has one end.
        assert!(report.handled() > 0);
        assert_eq!((handled.get(), report.left), (report.handled(), 0));
        assert_eq!(tally.tried.get(), report.handled() + report.dead_letters + stats.refused);
        assert_eq!((told.get(), back.get()), (report.dead_letters, report.dead_letters));
        let known = tally.missed.get() + tally.given_up.get();
        if overflow == Overflow::DropNewest {
            // What is dropped is known to the senders of calls alone.
            assert_eq!(stats.refused, 0);
            assert!(report.dead_letters > known + tally.refused.get());
        } else {
            assert_eq!((stats.refused, report.dead_letters), (tally.refused.get(), known));
        }
    });
}

#[test]
fn those_who_wait_hold_the_queue_at_its_bound() {
    overload(Overflow::Wait);
}

#[test]
fn what_is_refused_is_counted_and_the_queue_stays_at_its_bound() {
    overload(Overflow::Refuse);
}

#[test]
fn what_is_dropped_is_counted_and_the_queue_stays_at_its_bound() {
    overload(Overflow::DropNewest);
}
