//! The life of an instance: its hooks in their order, its end, and where its mail goes then.

use std::ops::Range;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, ThreadId};

use zctor::{ActorEngine, ActorThread, CallError, Context, Restart, StopError, actor};
use zctor_tests::{AMPLE, Counter, Gate, IN_TIME, bounded, receive_many};

const STARTS: u64 = if cfg!(miri) { 50 } else { 5_000 };

#[actor(ctx)]
enum LogMessage {
    Note(&'static str),
    #[reply(())]
    Call(&'static str),
    Hold(Gate),
    HoldAndStop(Gate),
    #[reply(())]
    Reset,
    #[reply(())]
    Break,
}

struct Log {
    seen: Sender<(&'static str, ThreadId)>,
}

impl Log {
    fn tell(&self, what: &'static str) {
        // A test that has seen enough may be gone.
        let _ = self.seen.send((what, thread::current().id()));
    }
}

impl LogHandler for Log {
    fn note(&mut self, _: &mut Context<LogMessage>, what: &'static str) {
        self.tell(what);
    }
    fn call(&mut self, _: &mut Context<LogMessage>, what: &'static str) {
        self.tell(what);
    }
    fn hold(&mut self, _: &mut Context<LogMessage>, gate: Gate) {
        gate.pass();
    }
    fn hold_and_stop(&mut self, ctx: &mut Context<LogMessage>, gate: Gate) {
        gate.pass();
        ctx.stop();
    }
    fn reset(&mut self, ctx: &mut Context<LogMessage>) {
        ctx.reset();
    }
    fn r#break(&mut self, _: &mut Context<LogMessage>) {
        panic!("the log breaks");
    }
    fn on_start(&mut self, _: &mut Context<LogMessage>) {
        self.tell("start");
    }
    fn on_stop(&mut self, _: &mut Context<LogMessage>) {
        self.tell("stop");
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.tell("drop");
    }
}

type Seen = Receiver<(&'static str, ThreadId)>;

fn log() -> (zctor::Actor<LogMessage, Log>, Seen) {
    let (seen, told) = mpsc::channel();
    (LogMessage::actor(move || Log { seen: seen.clone() }), told)
}

#[track_caller]
fn assert_next(seen: &Seen, expected: &[&str]) {
    let next: Vec<_> = receive_many(seen, expected.len()).into_iter().map(|(what, _)| what).collect();
    assert_eq!(next, expected);
}

#[test]
fn on_start_comes_before_a_message_that_the_factory_queued() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (seen, told) = mpsc::channel();
        let build = move |ctx: &mut Context<LogMessage>| {
            ctx.me().note("queued by the factory")?;
            ctx.me().note("and another")?;
            Ok(Log { seen: seen.clone() })
        };
        let log = engine.pool(1, LogMessage::try_actor(build)).unwrap();
        log.note("sent from outside").unwrap();
        let first: Vec<_> = receive_many(&told, 4).into_iter().map(|(what, _)| what).collect();
        assert_eq!(first[0], "start");
        assert_eq!(first, ["start", "queued by the factory", "and another", "sent from outside"]);
        // So it is at a rebuild, where mail was waiting before.
        log.reset().unwrap();
        log.note("after the reset").unwrap();
        let next: Vec<_> = receive_many(&told, 6).into_iter().map(|(what, _)| what).collect();
        assert_eq!(next[..3], ["stop", "drop", "start"]);
    });
}

/// Starts instances beside itself, and gives them something to do at once.
#[actor(ctx)]
enum NestMessage {
    #[reply(())]
    Fill(Sender<(&'static str, ThreadId)>),
}

struct Nest;

impl NestHandler for Nest {
    fn fill(&mut self, ctx: &mut Context<NestMessage>, seen: Sender<(&'static str, ThreadId)>) {
        let start = || {
            let seen = seen.clone();
            ctx.start(LogMessage::actor(move || Log { seen: seen.clone() })).expect("it is built")
        };
        let all: [fn(&LogClient); 5] = [
            |log| log.note("a message").and_then(|()| log.note("another")).expect("it lives"),
            |log| drop(log.send_all(["of a batch", "the same"].map(LogMessage::Note))),
            |log| log.non_blocking().call("a call").detach(),
            |log| zctor::Client::reset(log).expect("it lives"),
            |_| {},
        ];
        for first in all {
            let log: LogClient = start();
            first(&log);
            log.stop().expect("it lives");
        }
    }
}

#[test]
fn on_start_comes_once_before_what_is_sent_behind_the_start() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (seen, told) = mpsc::channel();
        engine.start(NestMessage::actor(|| Nest)).unwrap().fill(seen).unwrap();
        assert_next(&told, &["start", "a message", "another", "stop", "drop"]);
        assert_next(&told, &["start", "of a batch", "the same", "stop", "drop"]);
        assert_next(&told, &["start", "a call", "stop", "drop"]);
        assert_next(&told, &["start", "stop", "drop", "start", "stop", "drop"]);
        assert_next(&told, &["start", "stop", "drop"]);
        engine.settle();
        let report = engine.shutdown().unwrap();
        assert_eq!((report.earlier.instances, report.handled(), report.dead_letters), (5, 6, 0));
    });
}

#[test]
fn the_hooks_of_an_orderly_life_come_in_their_order() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (actor, seen) = log();
        let log = engine.pool(1, actor).unwrap();
        log.note("a message").unwrap();
        log.reset().unwrap();
        log.note("another").unwrap();
        engine.shutdown().unwrap();
        assert_next(&seen, &["start", "a message", "stop", "drop", "start", "another", "stop", "drop"]);
        assert!(seen.try_recv().is_err());
    });
}

#[test]
fn mail_that_waited_comes_after_the_on_start_of_the_rebuild() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (actor, seen) = log();
        let log = engine.pool(1, actor).unwrap();
        let gate = Gate::new();
        log.hold(gate.clone()).unwrap();
        gate.await_arrivals(1);
        let broken = log.non_blocking().r#break();
        log.note("queued behind the panic").unwrap();
        let reset = log.non_blocking().reset();
        log.note("queued behind the reset").unwrap();
        gate.open();
        assert!(matches!(broken.wait(), Err(CallError::Panicked { .. })));
        assert_eq!(reset.wait(), Ok(()));
        assert_next(
            &seen,
            &["start", "drop", "start", "queued behind the panic", "stop", "drop", "start", "queued behind the reset"],
        );
    });
}

#[test]
fn a_state_is_built_served_and_dropped_on_its_own_thread() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (seen, told) = mpsc::channel();
        let log = engine
            .pool(
                2,
                LogMessage::actor(move || {
                    let log = Log { seen: seen.clone() };
                    log.tell("build");
                    log
                }),
            )
            .unwrap();
        let first = log.pin(log.instances()[0]);
        first.note("a message").unwrap();
        assert!(first.r#break().is_err());
        first.reset().unwrap();
        engine.shutdown().unwrap();
        let told: Vec<_> = told.try_iter().collect();
        let threads: std::collections::HashSet<_> = told.iter().map(|(_, thread)| *thread).collect();
        assert_eq!(threads.len(), 2);
        assert!(!threads.contains(&thread::current().id()));
        let (_, first) = told.iter().find(|(what, _)| *what == "a message").unwrap();
        let of_first: Vec<_> = told.iter().filter(|(_, thread)| thread == first).map(|(what, _)| *what).collect();
        assert_eq!(
            of_first,
            ["build", "start", "a message", "drop", "build", "start", "stop", "drop", "build", "start", "stop", "drop"]
        );
        let of_second: Vec<_> = told.iter().filter(|(_, thread)| thread != first).map(|(what, _)| *what).collect();
        assert_eq!(of_second, ["build", "start", "stop", "drop"]);
    });
}

#[test]
fn rotated_mail_of_an_instance_that_stops_goes_to_its_siblings() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (actor, seen) = log();
        let log = engine.pool(2, actor).unwrap();
        assert_next(&seen, &["start", "start"]);
        let gate = Gate::new();
        let first = log.pin(log.instances()[0]);
        first.hold_and_stop(gate.clone()).unwrap();
        gate.await_arrivals(1);
        // Half of it is for the one that stops, and so is half of the calls.
        for _ in 0..10 {
            log.note("rotated").unwrap();
        }
        let calls: Vec<_> = (0..10).map(|_| log.non_blocking().call("called")).collect();
        first.note("pinned").unwrap();
        let pinned = first.non_blocking().call("pinned");
        gate.open();
        for call in calls {
            assert_eq!(call.wait(), Ok(()));
        }
        assert_eq!(pinned.wait(), Err(CallError::Stopped { message: "LogMessage" }));
        engine.settle();
        let told: Vec<_> = seen.try_iter().map(|(what, _)| what).collect();
        let count = |expected: &str| told.iter().filter(|what| **what == expected).count();
        assert_eq!((count("rotated"), count("called"), count("pinned")), (10, 10, 0));
        assert_eq!((count("stop"), count("drop")), (1, 1));
        // The pinned send and the pinned call.
        assert_eq!(engine.stats().dead_letters, 2);
        assert_eq!(log.instances().len(), 1);
        assert_eq!(log.call("after"), Ok(()));
        let report = engine.shutdown().unwrap();
        assert_eq!(report.dead_letters, 2);
    });
}

#[test]
fn mail_of_the_last_instance_that_stops_becomes_dead_letters() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (actor, seen) = log();
        let log = engine.pool(1, actor).unwrap();
        let gate = Gate::new();
        log.hold_and_stop(gate.clone()).unwrap();
        gate.await_arrivals(1);
        for _ in 0..5 {
            log.note("too late").unwrap();
        }
        let call = log.non_blocking().call("too late");
        gate.open();
        let error = call.wait().unwrap_err();
        assert!(matches!(error, CallError::Stopped { .. } | CallError::NotRegistered { .. }), "{error}");
        engine.settle();
        assert_next(&seen, &["start", "stop", "drop"]);
        assert!(seen.try_recv().is_err());
        assert_eq!(engine.stats().dead_letters, 6);
        let refused = log.note("after the end").unwrap_err();
        assert!(refused.is_not_registered());
        assert!(matches!(refused.into_inner(), LogMessage::Note("after the end")));
        assert_eq!(log.call("after the end"), Err(CallError::NotRegistered { message: "LogMessage" }));
    });
}

#[test]
fn the_stop_of_a_client_takes_its_place_in_the_queue() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (actor, seen) = log();
        let log = engine.start(actor).unwrap();
        let gate = Gate::new();
        log.hold(gate.clone()).unwrap();
        gate.await_arrivals(1);
        log.note("before").unwrap();
        let before = log.non_blocking().call("before");
        log.stop().unwrap();
        log.note("after").unwrap();
        let after = log.non_blocking().call("after");
        gate.open();
        assert_eq!(before.wait(), Ok(()));
        assert_eq!(after.wait(), Err(CallError::Stopped { message: "LogMessage" }));
        engine.settle();
        assert_next(&seen, &["start", "before", "before", "stop", "drop"]);
        assert!(seen.try_recv().is_err());
        assert_eq!(engine.stats().dead_letters, 2);
        let refused = log.note("after the end").unwrap_err();
        assert!(refused.is_stopped());
        assert_eq!(log.stop(), Err(StopError::Stopped { message: "LogMessage" }));
    });
}

#[test]
fn a_pinned_client_stops_its_instance_and_the_pool_goes_on() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (actor, seen) = log();
        let log = engine.pool(3, actor).unwrap();
        let ids = log.instances();
        log.pin(ids[1]).stop().unwrap();
        engine.settle();
        assert_eq!(log.instances(), [ids[0], ids[2]]);
        assert_eq!(engine.registry().get::<LogMessage>().unwrap().instances(), [ids[0], ids[2]]);
        for _ in 0..6 {
            log.call("rotated").unwrap();
        }
        assert_eq!(log.pin(ids[1]).call("pinned"), Err(CallError::Stopped { message: "LogMessage" }));
        let told: Vec<_> = seen.try_iter().map(|(what, _)| what).collect();
        assert_eq!(told.iter().filter(|what| **what == "rotated").count(), 6);
    });
}

#[test]
fn a_client_of_a_pool_stops_nobody() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (actor, _seen) = log();
        let log = engine.pool(2, actor).unwrap();
        assert!(matches!(log.stop(), Err(StopError::Unbound { message: "LogMessage", .. })));
        assert!(matches!(log.least_loaded().stop(), Err(StopError::Unbound { .. })));
        assert_eq!(log.instances().len(), 2);
        assert_eq!(log.call("still here"), Ok(()));
    });
}

#[test]
fn an_instance_that_stops_in_on_start_ends_before_its_first_message() {
    #[actor(ctx)]
    enum ShortMessage {
        #[reply(())]
        Call,
    }
    struct Short(Sender<&'static str>);
    impl ShortHandler for Short {
        fn call(&mut self, _: &mut Context<ShortMessage>) {
            self.0.send("call").expect("the test listens");
        }
        fn on_start(&mut self, ctx: &mut Context<ShortMessage>) {
            self.0.send("start").expect("the test listens");
            ctx.stop();
        }
        fn on_stop(&mut self, _: &mut Context<ShortMessage>) {
            self.0.send("stop").expect("the test listens");
        }
    }
    bounded(|| {
        let engine = ActorEngine::new();
        let (seen, told) = mpsc::channel();
        let short = engine.start(ShortMessage::actor(move || Short(seen.clone()))).unwrap();
        assert_eq!(short.call(), Err(CallError::Stopped { message: "ShortMessage" }));
        assert_eq!(receive_many(&told, 2), ["start", "stop"]);
        engine.settle();
        assert!(told.try_recv().is_err());
    });
}

#[test]
fn the_last_words_of_on_stop_are_delivered() {
    #[actor(ctx)]
    enum SpeakerMessage {
        Nothing,
    }
    struct Speaker;
    impl SpeakerHandler for Speaker {
        fn nothing(&mut self, _: &mut Context<SpeakerMessage>) {}
        fn on_stop(&mut self, ctx: &mut Context<SpeakerMessage>) {
            ctx.send(LogMessage::Note("last words")).expect("the older thread still listens");
        }
    }
    bounded(|| {
        let engine = ActorEngine::new();
        let (actor, seen) = log();
        engine.pool(1, actor).unwrap();
        // Younger, so it stops first.
        engine.pool(1, SpeakerMessage::actor(|| Speaker)).unwrap();
        engine.shutdown().unwrap();
        assert_next(&seen, &["start", "last words", "stop", "drop"]);
    });
}

#[test]
fn neighbours_of_an_instance_that_stops_go_on() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (first, _first_seen) = log();
        let (second, second_seen) = log();
        engine.spawn(ActorThread::new().register(first).register(second)).unwrap();
        let log = engine.client::<LogMessage>().unwrap();
        let ids = log.instances();
        assert_eq!(ids.len(), 2);
        log.pin(ids[0]).stop().unwrap();
        log.pin(ids[1]).note("a message").unwrap();
        assert_next(&second_seen, &["start", "a message"]);
        engine.settle();
        assert_eq!(log.instances(), [ids[1]]);
        assert_eq!(engine.thread_count(), 1);
    });
}

#[test]
fn the_stop_of_a_client_takes_its_place_behind_the_mail_of_a_resting_instance() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (actor, seen) = log();
        let log = engine.start(actor.restart(Restart::always().backoff(AMPLE, AMPLE))).unwrap();
        for _ in 0..3 {
            assert!(matches!(log.r#break(), Err(CallError::Panicked { .. })));
        }
        // It rests, and the mail waits for it.
        log.note("before").unwrap();
        let before = log.non_blocking().call("before");
        log.stop().unwrap();
        let after = log.non_blocking().call("after");
        assert_eq!(before.wait(), Ok(()));
        assert_eq!(after.wait(), Err(CallError::Stopped { message: "LogMessage" }));
        engine.settle();
        let lives = ["start", "drop", "start", "drop", "start", "drop"];
        assert_next(&seen, &[&lives[..], &["start", "before", "before", "stop", "drop"]].concat());
        assert!(seen.try_recv().is_err());
        assert_eq!(engine.stats().dead_letters, 1);
    });
}

/// Resets in those of its starts that it is told, which count from 1.
#[actor(ctx)]
enum EagerMessage {
    #[reply(u64)]
    Starts,
    Reset,
}

struct Eager {
    starts: Counter,
    resets: Range<u64>,
}

impl EagerHandler for Eager {
    fn starts(&mut self, _: &mut Context<EagerMessage>) -> u64 {
        self.starts.get()
    }
    fn reset(&mut self, ctx: &mut Context<EagerMessage>) {
        ctx.reset();
    }
    fn on_start(&mut self, ctx: &mut Context<EagerMessage>) {
        let start = self.starts.increment() + 1;
        if self.resets.contains(&start) {
            ctx.reset();
        }
    }
}

fn eager(starts: &Counter, resets: Range<u64>) -> zctor::Actor<EagerMessage, Eager> {
    let starts = starts.clone();
    EagerMessage::actor(move || Eager { starts: starts.clone(), resets: resets.clone() })
}

#[test]
fn an_on_start_may_reset_as_often_as_it_likes() {
    bounded(|| {
        let engine = ActorEngine::new();
        // Were each start within the one before, this stack would not do.
        let thread = ActorThread::new().stack_size(256 * 1024);
        engine.spawn(thread.register(eager(&Counter::new(), 1..STARTS))).unwrap();
        assert_eq!(engine.call(EagerMessage::starts()), Ok(STARTS));
        assert_eq!(engine.shutdown().unwrap().handled(), 1);
    });
}

#[test]
fn neighbours_of_an_on_start_that_resets_for_ever_are_served() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (neighbour, _seen) = log();
        let starts = Counter::new();
        engine.spawn(ActorThread::new().register(eager(&starts, 2..u64::MAX)).register(neighbour)).unwrap();
        let log = engine.client::<LogMessage>().unwrap();
        let eager = engine.client::<EagerMessage>().unwrap();
        // The first of the batch begins it, and the others wait for its end.
        assert_eq!(eager.send_all((0..10).map(|_| EagerMessage::Reset)).unwrap(), 10);
        while starts.get() < 20 {
            assert_eq!(log.call("beside it"), Ok(()));
        }
        let report = engine.shutdown_timeout(IN_TIME).unwrap();
        assert_eq!((report.dead_letters, report.left), (9, 0));
    });
}

#[test]
fn the_rest_of_a_batch_comes_after_the_resets_that_its_first_message_led_to() {
    bounded(|| {
        let engine = ActorEngine::new();
        let starts = Counter::new();
        let eager = engine.pool(1, eager(&starts, 2..50)).unwrap();
        assert_eq!(eager.send_all((0..10).map(|_| EagerMessage::Reset)).unwrap(), 10);
        assert_eq!(eager.starts(), Ok(59), "49 by the first message, and one by each of the others");
        engine.settle();
        assert_eq!((starts.get(), engine.stats().dead_letters), (59, 0));
    });
}

#[test]
fn stop_all_ends_each_of_a_pool_behind_its_mail() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (actor, seen) = log();
        let single = engine.start(actor.clone()).unwrap();
        let pool = engine.pool(2, actor).unwrap();
        assert_next(&seen, &["start"; 3]);
        let gate = Gate::new();
        for instance in pool.instances() {
            pool.pin(instance).hold(gate.clone()).unwrap();
        }
        gate.await_arrivals(2);
        pool.note("before").unwrap();
        pool.note("before").unwrap();
        assert_eq!(pool.stop_all(), Ok(2));
        // The instances are there until their turn comes.
        assert_eq!(pool.instances().len(), 2);
        gate.open();
        engine.settle();
        let mut words: Vec<_> = seen.try_iter().map(|(what, _)| what).collect();
        words.sort_unstable();
        assert_eq!(words, ["before", "before", "drop", "drop", "stop", "stop"]);
        assert_eq!(pool.call("late"), Err(CallError::NotRegistered { message: "LogMessage" }));
        let stopped = Err(StopError::Stopped { message: "LogMessage" });
        assert_eq!((pool.stop_all(), engine.thread_count()), (stopped, 1));
        // What is in no pool lives on, and what joins the pool later.
        assert_eq!(single.call("alive"), Ok(()));
        assert_next(&seen, &["alive"]);
        assert_eq!((single.stop_all(), single.stop_all().is_ok()), (Ok(1), single.stop().is_ok()));
    });
}

#[test]
fn stop_all_of_a_pinned_client_ends_that_one_alone() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (actor, seen) = log();
        let pool = engine.pool(3, actor).unwrap();
        assert_next(&seen, &["start"; 3]);
        let second = pool.pin(pool.instances()[1]);
        assert_eq!(second.stop_all(), Ok(1));
        assert_next(&seen, &["stop", "drop"]);
        engine.settle();
        assert_eq!(pool.instances().len(), 2);
        // One that has ended, and one that never was, end nobody.
        let stopped = Err(StopError::Stopped { message: "LogMessage" });
        assert_eq!(second.stop_all(), stopped);
        assert_eq!(pool.pin(second.instance_id().unwrap()).stop_all(), stopped);
        engine.settle();
        assert_eq!(pool.instances().len(), 2);
    });
}

#[test]
fn stop_all_from_inside_ends_the_caller_too() {
    bounded(|| {
        #[actor(ctx)]
        enum MutinyMessage {
            #[reply(Result<usize, StopError>)]
            EndAll(MutinyClient),
        }
        struct Mutiny(Counter);
        impl MutinyHandler for Mutiny {
            fn end_all(&mut self, _: &mut Context<MutinyMessage>, pool: MutinyClient) -> Result<usize, StopError> {
                pool.stop_all()
            }
            fn on_stop(&mut self, _: &mut Context<MutinyMessage>) {
                self.0.increment();
            }
        }
        let (engine, ended) = (ActorEngine::new(), Counter::new());
        let counted = ended.clone();
        let pool = engine.pool(3, MutinyMessage::actor(move || Mutiny(counted.clone()))).unwrap();
        assert_eq!(pool.end_all(pool.clone()), Ok(Ok(3)));
        engine.settle();
        assert_eq!((ended.get(), engine.thread_count()), (3, 0));
    });
}
