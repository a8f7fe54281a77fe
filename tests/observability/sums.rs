//! The same messages are counted by instance, by type and by thread.

use std::time::Duration;

use zctor::{ActorEngine, ActorThread, Context, Restart, actor};
use zctor_tests::{Gate, SplitMix64, bounded, expect_panics};

use crate::work::{Boss, BossMessage, Job, JobMessage, look_until, row};

const SEEDS: u64 = if cfg!(miri) { 2 } else { 20 };
const MESSAGES: usize = if cfg!(miri) { 50 } else { 500 };
const MANY: usize = if cfg!(miri) { 200 } else { 100_000 };

#[test]
fn instances_types_and_threads_give_the_same_sums_in_random_topologies() {
    expect_panics("the job breaks");
    bounded(|| {
        for seed in 0..SEEDS {
            let mut chance = SplitMix64::new(seed);
            let engine = ActorEngine::new();
            engine.on_panic(|_| {});
            let soon = Restart::always().backoff(Duration::from_millis(1), Duration::from_millis(1));
            let job = || JobMessage::actor(Job::default).restart(soon);
            let threads = 1 + chance.below(3);
            for _ in 0..threads {
                let mut thread = ActorThread::new().register(job());
                for _ in 0..chance.below(3) {
                    thread = thread.register(job());
                }
                for _ in 0..chance.below(3) {
                    thread = thread.register(BossMessage::actor(Boss::default));
                }
                engine.spawn(thread).expect("a thread starts");
            }
            engine.spawn(ActorThread::new().register(BossMessage::actor(Boss::default))).expect("a thread starts");
            let (mut jobs, mut passed, mut broken) = (0, 0, 0);
            for _ in 0..MESSAGES {
                match chance.below(20) {
                    0 => {
                        engine.send(JobMessage::Break).expect("a job lives");
                        broken += 1;
                    }
                    1..10 => {
                        engine.send(JobMessage::Run).expect("a job lives");
                        jobs += 1;
                    }
                    _ => {
                        let many = chance.below(4) as u32;
                        engine.send(BossMessage::Pass(many)).expect("a boss lives");
                        jobs += u64::from(many);
                        passed += 1;
                    }
                }
            }
            engine.settle();
            let (stats, instances) = (engine.stats(), engine.instances());
            assert_eq!(row(&stats, "JobMessage").handled, jobs, "seed {seed}");
            assert_eq!(row(&stats, "JobMessage").panicked, broken, "seed {seed}");
            assert_eq!(row(&stats, "JobMessage").restarts, stats.restarts, "seed {seed}");
            assert_eq!(
                stats.types.iter().find(|row| row.message == "BossMessage").map_or(0, |row| row.handled),
                passed
            );
            for (handled, panicked) in [
                sum(instances.iter().map(|one| (one.handled, one.panicked))),
                sum(stats.types.iter().map(|one| (one.handled, one.panicked))),
                sum(stats.threads.iter().map(|one| (one.handled, one.panicked))),
            ] {
                assert_eq!((handled, panicked), (jobs + passed, broken), "seed {seed}");
            }
            assert_eq!(stats.types.iter().map(|one| one.instances).sum::<usize>(), instances.len());
            assert!(instances.is_sorted_by_key(|one| one.id), "in the order of their ids");
            assert!(instances.iter().all(|one| one.queued == 0));
            assert!(stats.types.iter().all(|one| one.queued == 0));
            for thread in &stats.threads {
                assert_eq!((thread.queued, thread.accepted), (0, thread.done), "seed {seed}");
            }
        }
    });
}

fn sum(counts: impl Iterator<Item = (u64, u64)>) -> (u64, u64) {
    counts.fold((0, 0), |(handled, panicked), (more, again)| (handled + more, panicked + again))
}

#[test]
fn what_the_ended_had_done_stays_in_the_row_of_their_type() {
    bounded(|| {
        let engine = ActorEngine::new();
        let stays = engine.start(JobMessage::actor(Job::default)).expect("it starts");
        for _ in 0..3 {
            // Its thread ends with it.
            let job = engine.start(JobMessage::actor(Job::default)).expect("it starts");
            job.send_all([JobMessage::Run, JobMessage::Stop]).expect("it lives");
        }
        stays.run().expect("it lives");
        engine.settle(); // the ends of three threads do not say that a fourth has handled its message
        let stats = look_until(|| engine.stats(), |stats| stats.threads.len() == 1);
        let row = row(&stats, "JobMessage");
        assert_eq!((row.instances, row.ended, row.handled), (1, 3, 7));
        assert_eq!(engine.instances().iter().map(|one| one.handled).sum::<u64>(), 1);
    });
}

#[actor(ctx)]
enum NurseryMessage {
    #[reply(BriefClient)]
    Start,
}

struct Nursery;

impl NurseryHandler for Nursery {
    fn start(&mut self, ctx: &mut Context<NurseryMessage>) -> BriefClient {
        ctx.start::<BriefMessage>(|| Brief).expect("it starts")
    }
}

#[actor]
enum BriefMessage {
    Run,
}

struct Brief;

impl BriefHandler for Brief {
    fn run(&mut self) {}
}

#[test]
fn an_instance_that_ends_during_a_look_is_counted_once() {
    const LOOKS: u64 = if cfg!(miri) { 5 } else { 300 };
    bounded(|| {
        let engine = ActorEngine::new();
        // So that a look takes its time.
        let mut thread = ActorThread::new().register(NurseryMessage::actor(|| Nursery));
        for _ in 0..MANY / 5 {
            thread = thread.register(JobMessage::actor(Job::default));
        }
        engine.spawn(thread).expect("a thread starts");
        for started in 1..=LOOKS {
            let brief = engine.call(NurseryMessage::start()).expect("it answers");
            brief.run().expect("it lives");
            brief.stop().expect("it lives");
            // Its thread ends it meanwhile, or has ended it, or will.
            let stats = engine.stats();
            let row = row(&stats, "BriefMessage");
            assert_eq!(row.instances as u64 + row.ended, started);
            assert!(row.handled == started || row.instances == 1 && row.handled == started - 1, "{row}");
            engine.settle();
        }
    });
}

#[test]
fn what_lies_in_the_mailbox_counts_for_a_type_and_an_instance_that_are_alone() {
    bounded(|| {
        let engine = ActorEngine::new();
        let gate = Gate::new();
        let job = engine.start(JobMessage::actor(Job::default)).expect("it starts");
        job.hold(gate.clone()).expect("it lives");
        gate.await_arrivals(1);
        for _ in 0..100 {
            job.run().expect("it lives");
        }
        let stats = engine.stats();
        assert_eq!((stats.threads[0].queued, row(&stats, "JobMessage").queued), (101, 101));
        assert_eq!(engine.instances()[0].queued, 101);
        gate.open();
        engine.settle();
        assert_eq!((engine.instances()[0].queued, engine.instances()[0].handled), (0, 101));
    });
}

#[test]
fn a_hundred_thousand_instances_are_read_while_their_thread_is_held() {
    bounded(|| {
        let engine = ActorEngine::new();
        let mut thread = ActorThread::new();
        for _ in 0..MANY {
            thread = thread.register(JobMessage::actor(Job::default));
        }
        engine.spawn(thread).expect("a thread starts");
        let gate = Gate::new();
        engine.send(JobMessage::Hold(gate.clone())).expect("a job lives");
        gate.await_arrivals(1);
        assert_eq!(row(&engine.stats(), "JobMessage").instances, MANY);
        assert_eq!(engine.instances().len(), MANY);
        gate.open();
    });
}
