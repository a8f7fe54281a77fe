//! Threads, instances and types combine freely: more threads than cores, several instances of one type on a thread,
//! several types on a thread. A thread that cannot start is an error with its cause.

use std::collections::HashSet;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::thread;

use zctor::{ActorEngine, ActorThread, CallError, Context, EngineHandle, InstanceId, SpawnError, ThreadId, actor};
use zctor_tests::{Counter, Gate, bounded};

const THREADS: usize = if cfg!(miri) { 8 } else { 64 };

#[actor(ctx)]
#[derive(Clone)]
enum WorkerMessage {
    /// The thread by zctor's number, by the standard library's, and by its name.
    #[reply((ThreadId, thread::ThreadId, Option<String>))]
    Place,
    #[reply(InstanceId)]
    Instance,
    /// Counts in this state only.
    #[reply(u64)]
    Count,
    /// Waits at a gate.
    #[reply(())]
    Meet { gate: Gate },
}

#[derive(Default)]
struct Worker {
    count: u64,
}

impl WorkerHandler for Worker {
    fn place(&mut self, ctx: &mut Context<WorkerMessage>) -> (ThreadId, thread::ThreadId, Option<String>) {
        let current = thread::current();
        (ctx.thread_id(), current.id(), current.name().map(str::to_owned))
    }

    fn instance(&mut self, ctx: &mut Context<WorkerMessage>) -> InstanceId {
        ctx.instance_id()
    }

    fn count(&mut self, _ctx: &mut Context<WorkerMessage>) -> u64 {
        self.count += 1;
        self.count
    }

    fn meet(&mut self, _ctx: &mut Context<WorkerMessage>, gate: Gate) {
        gate.pass();
    }
}

#[actor(ctx)]
enum LoggerMessage {
    #[reply((ThreadId, thread::ThreadId))]
    Place,
}

struct Logger;

impl LoggerHandler for Logger {
    fn place(&mut self, ctx: &mut Context<LoggerMessage>) -> (ThreadId, thread::ThreadId) {
        (ctx.thread_id(), thread::current().id())
    }
}

#[actor(ctx)]
enum ClockMessage {
    #[reply((ThreadId, thread::ThreadId))]
    Place,
}

struct Clock;

impl ClockHandler for Clock {
    fn place(&mut self, ctx: &mut Context<ClockMessage>) -> (ThreadId, thread::ThreadId) {
        (ctx.thread_id(), thread::current().id())
    }
}

/// The error of a factory.
#[derive(Debug, PartialEq)]
struct NoDisk {
    errno: i32,
}

impl fmt::Display for NoDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no disk (error {})", self.errno)
    }
}

impl Error for NoDisk {}

fn worker() -> zctor::Actor<WorkerMessage, Worker> {
    WorkerMessage::actor(Worker::default)
}

#[test]
fn each_of_many_threads_answers() {
    bounded(|| {
        let engine = ActorEngine::new();
        let worker = engine.pool(THREADS, worker()).unwrap();
        assert_eq!(engine.thread_count(), THREADS);

        let mut threads = HashSet::new();
        for index in 0..THREADS {
            let (id, thread, _) = worker.place().unwrap();
            assert_eq!(id.index(), index);
            assert!(threads.insert(thread), "two instances share a thread");
        }
        assert!(!threads.contains(&thread::current().id()));

        let replies = worker.call_all(WorkerMessage::count()).unwrap();
        assert_eq!(replies.len(), THREADS);
        assert!(replies.into_iter().all(|(_, count)| count == Ok(1)));
        engine.shutdown().unwrap();
    });
}

#[test]
fn many_threads_run_at_the_same_time() {
    bounded(|| {
        let engine = ActorEngine::new();
        let worker = engine.pool(THREADS, worker()).unwrap();
        let gate = Gate::new();
        let pending: Vec<_> = (0..THREADS).map(|_| worker.non_blocking().meet(gate.clone())).collect();
        gate.await_arrivals(THREADS);
        gate.open();
        for pending in pending {
            assert_eq!(pending.wait(), Ok(()));
        }
    });
}

#[test]
fn many_engines_live_beside_one_another() {
    bounded(|| {
        let engines: Vec<_> = (0..8)
            .map(|size| {
                let engine = ActorEngine::new();
                let worker = engine.pool(size % 3 + 1, worker()).unwrap();
                (engine, worker, size % 3 + 1)
            })
            .collect();
        for (engine, worker, size) in &engines {
            for index in 0..2 * size {
                assert_eq!(worker.place().unwrap().0.index(), index % size);
            }
            assert_eq!(engine.thread_count(), *size);
        }
    });
}

#[test]
fn several_instances_of_one_type_on_a_thread_have_a_state_and_a_turn_each() {
    bounded(|| {
        let engine = ActorEngine::new();
        let thread = engine.spawn(ActorThread::new().register(worker()).register(worker()).register(worker())).unwrap();
        let worker = engine.client::<WorkerMessage>().unwrap();
        let instances = worker.instances();
        assert_eq!(instances.len(), 3);
        for round in 1..=3 {
            for instance in &instances {
                assert_eq!(worker.instance().unwrap(), *instance);
                assert_eq!(worker.pin(*instance).count().unwrap(), round);
                assert_eq!(worker.pin(*instance).place().unwrap().0, thread);
            }
        }
        assert_eq!(engine.thread_count(), 1);
    });
}

#[test]
fn several_types_on_one_thread_are_served_by_it() {
    bounded(|| {
        let engine = ActorEngine::new();
        let thread = engine
            .spawn(
                ActorThread::new()
                    .register(worker())
                    .register(LoggerMessage::actor(|| Logger))
                    .register(ClockMessage::actor(|| Clock)),
            )
            .unwrap();
        let (worker, worker_thread, _) = engine.call(WorkerMessage::place()).unwrap();
        let (logger, logger_thread) = engine.call(LoggerMessage::place()).unwrap();
        let (clock, clock_thread) = engine.call(ClockMessage::place()).unwrap();
        assert_eq!([worker, logger, clock], [thread; 3]);
        assert_eq!([logger_thread, clock_thread], [worker_thread; 2]);
    });
}

#[test]
fn a_named_thread_carries_its_name() {
    bounded(|| {
        let engine = ActorEngine::new();
        let audio = engine.spawn(ActorThread::named("audio").register(worker())).unwrap();
        let (thread, _, name) = engine.call(WorkerMessage::place()).unwrap();
        assert_eq!(thread, audio);
        assert_eq!(name.as_deref(), Some("audio"));
        let stats = engine.stats();
        assert_eq!(stats.threads.len(), 1);
        assert_eq!((stats.threads[0].thread, stats.threads[0].name.as_str()), (audio, "audio"));
    });
}

#[test]
fn a_thread_without_a_name_is_given_one() {
    bounded(|| {
        let engine = ActorEngine::new();
        engine.spawn(ActorThread::new().register(worker())).unwrap();
        let (_, _, name) = engine.call(WorkerMessage::place()).unwrap();
        assert!(name.is_some_and(|name| !name.is_empty()));
    });
}

#[test]
fn a_pool_on_threads_made_for_it_has_an_instance_on_each() {
    bounded(|| {
        let engine = ActorEngine::new();
        let worker = engine
            .pool_on(
                3,
                |index| ActorThread::named(format!("disk {index}")).register(LoggerMessage::actor(|| Logger)),
                worker(),
            )
            .unwrap();
        for index in 0..3 {
            let (thread, _, name) = worker.place().unwrap();
            assert_eq!(thread.index(), index);
            assert_eq!(name, Some(format!("disk {index}")));
        }
        let registry = engine.registry();
        let loggers = registry.get::<LoggerMessage>().unwrap();
        assert_eq!(loggers.threads(), registry.get::<WorkerMessage>().unwrap().threads());
        assert_eq!(engine.thread_count(), 3);
    });
}

#[test]
fn an_empty_pool_and_an_empty_thread_are_refused() {
    bounded(|| {
        let engine = ActorEngine::new();
        assert!(matches!(engine.pool(0, worker()), Err(SpawnError::Empty)));
        assert!(matches!(engine.pool_on(0, |_| ActorThread::new(), worker()), Err(SpawnError::Empty)));
        assert!(matches!(engine.spawn(ActorThread::new()), Err(SpawnError::Empty)));
        assert!(matches!(engine.spawn(ActorThread::named("nobody")), Err(SpawnError::Empty)));
        assert_eq!(engine.thread_count(), 0);
        assert!(engine.registry().is_empty());
        assert!(matches!(engine.call(WorkerMessage::place()), Err(CallError::NotRegistered { .. })));
        // What was refused took no number.
        assert_eq!(engine.spawn(ActorThread::new().register(worker())).unwrap().index(), 0);
    });
}

#[test]
fn the_error_of_a_factory_comes_out_of_spawn_with_its_source() {
    bounded(|| {
        let engine = ActorEngine::new();
        let failing = || WorkerMessage::try_actor(|_| -> Result<Worker, _> { Err(Box::new(NoDisk { errno: 5 })) });
        for error in [
            engine.spawn(ActorThread::new().register(failing())).map(drop).unwrap_err(),
            engine.pool(2, failing()).map(drop).unwrap_err(),
            engine.start(failing()).map(drop).unwrap_err(),
        ] {
            assert!(matches!(error, SpawnError::Factory { message: "WorkerMessage", .. }));
            let text = error.to_string();
            assert!(text.contains("WorkerMessage"), "{text}");
            let source = error.source().unwrap().downcast_ref::<NoDisk>();
            assert_eq!(source, Some(&NoDisk { errno: 5 }));
            assert_eq!(engine.thread_count(), 0);
        }
        assert!(engine.registry().is_empty());
    });
}

#[test]
fn the_panic_of_a_factory_comes_out_of_spawn_with_its_text() {
    bounded(|| {
        let engine = ActorEngine::new();
        let panicking = || WorkerMessage::actor(|| -> Worker { panic!("no disk in {}", "this machine") });
        for error in [
            engine.spawn(ActorThread::new().register(panicking())).map(drop).unwrap_err(),
            engine.pool(2, panicking()).map(drop).unwrap_err(),
            engine.start(panicking()).map(drop).unwrap_err(),
            engine
                .start(WorkerMessage::actor_once(|| -> Worker { panic!("no disk in this machine") }))
                .map(drop)
                .unwrap_err(),
        ] {
            let SpawnError::FactoryPanicked { message, text, .. } = &error else {
                panic!("{error:?}");
            };
            assert_eq!(*message, "WorkerMessage");
            assert!(text.contains("no disk in this machine"), "{text}");
            assert_eq!(engine.thread_count(), 0);
        }
        assert!(engine.registry().is_empty());
    });
}

#[test]
fn spawn_returns_once_every_factory_is_through() {
    bounded(|| {
        let engine = ActorEngine::new();
        let built = Counter::new();
        let builder = || {
            let built = built.clone();
            WorkerMessage::actor(move || {
                built.increment();
                Worker::default()
            })
        };
        engine.spawn(ActorThread::new().register(builder()).register(builder())).unwrap();
        assert_eq!(built.get(), 2);
        engine.pool(4, builder()).unwrap();
        assert_eq!(built.get(), 6);
        engine.start(builder()).unwrap();
        assert_eq!(built.get(), 7);
    });
}

#[test]
fn a_factory_knows_its_place() {
    bounded(|| {
        let engine = ActorEngine::new();
        let places = Arc::new(Mutex::new(Vec::new()));
        let noting = {
            let places = Arc::clone(&places);
            WorkerMessage::try_actor(move |ctx| {
                places.lock().map_err(|error| error.to_string())?.push((ctx.thread_id(), ctx.instance_id()));
                Ok(Worker::default())
            })
        };
        let worker = engine.pool(3, noting).unwrap();
        let mut places = places.lock().unwrap().clone();
        places.sort_by_key(|(thread, _)| *thread);
        let instances: Vec<_> = places.iter().map(|(_, instance)| *instance).collect();
        assert_eq!(instances, worker.instances());
        assert!(places.iter().all(|(thread, instance)| instance.thread() == *thread));
    });
}

/// A state that looks around whenever it can.
struct Curious {
    engine: EngineHandle,
    looks: Counter,
}

impl Curious {
    fn new(engine: &EngineHandle, looks: &Counter) -> Self {
        let curious = Self { engine: engine.clone(), looks: looks.clone() };
        curious.look();
        curious
    }

    /// Uses what the engine keeps behind its locks.
    fn look(&self) {
        let _ = self.engine.registry().to_string();
        let _ = self.engine.thread_count();
        let _ = self.engine.stats().handled();
        let _ = self.engine.send(ClockMessage::Place);
        let _ = self.engine.client::<LoggerMessage>();
        self.looks.increment();
    }
}

impl Drop for Curious {
    fn drop(&mut self) {
        self.look();
    }
}

impl LoggerHandler for Curious {
    fn place(&mut self, ctx: &mut Context<LoggerMessage>) -> (ThreadId, thread::ThreadId) {
        self.look();
        (ctx.thread_id(), thread::current().id())
    }

    fn on_start(&mut self, _ctx: &mut Context<LoggerMessage>) {
        self.look();
    }

    fn on_stop(&mut self, _ctx: &mut Context<LoggerMessage>) {
        self.look();
    }
}

#[test]
fn factories_hooks_and_drops_may_use_the_engine() {
    bounded(|| {
        let engine = ActorEngine::new();
        engine.spawn(ActorThread::new().register(ClockMessage::actor(|| Clock))).unwrap();
        let looks = Counter::new();
        let curious = {
            let (engine, looks) = (engine.handle(), looks.clone());
            LoggerMessage::actor(move || Curious::new(&engine, &looks))
        };
        let logger = engine.pool(2, curious.clone()).unwrap();
        logger.place().unwrap();
        logger.place().unwrap();
        engine.start(curious.clone()).unwrap();

        // Built, and dropped again because the last of the thread fails.
        let thread = ActorThread::new()
            .register(curious)
            .register(WorkerMessage::try_actor(|_| -> Result<Worker, _> { Err("no disk".into()) }));
        engine.spawn(thread).unwrap_err();

        engine.shutdown().unwrap();
        // Three lived: built, started, stopped, dropped; two handled a message; one was built and dropped.
        assert_eq!(looks.get(), 3 * 4 + 2 + 2);
    });
}

#[test]
fn a_factory_may_spawn_others() {
    bounded(|| {
        let engine = ActorEngine::new();
        let spawning = {
            let engine = engine.handle();
            WorkerMessage::try_actor(move |_| {
                engine.pool(2, LoggerMessage::actor(|| Logger))?;
                Ok(Worker::default())
            })
        };
        let worker = engine.pool(2, spawning).unwrap();
        assert_eq!(worker.count().unwrap(), 1);
        assert_eq!(engine.client::<LoggerMessage>().unwrap().instances().len(), 4);
        assert_eq!(engine.thread_count(), 6);
    });
}
