//! The registry lists, for each message type, the instances that handle it, in spawn order; a spawn and a pool
//! register all of theirs at once or none.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

use zctor::{ActorEngine, ActorThread, CallError, Context, EngineHandle, Restart, SpawnError, ThreadId, actor};
use zctor_tests::{Counter, DropGuard, bounded, expect_panics, receive};

/// Pools made while an observer looks on.
const POOLS: usize = if cfg!(miri) { 2 } else { 8 };
const POOL_SIZE: usize = 4;

#[actor(ctx)]
#[derive(Clone)]
enum WorkerMessage {
    #[reply(ThreadId)]
    Place,
    /// Ends the instance.
    Leave,
}

#[derive(Default)]
struct Worker {
    /// Counts the end of this state.
    _dropped: Option<DropGuard>,
}

impl WorkerHandler for Worker {
    fn place(&mut self, ctx: &mut Context<WorkerMessage>) -> ThreadId {
        ctx.thread_id()
    }

    fn leave(&mut self, ctx: &mut Context<WorkerMessage>) {
        ctx.stop();
    }
}

#[actor]
enum DatabaseMessage {
    #[reply(usize)]
    Rows,
}

struct Database;

impl DatabaseHandler for Database {
    fn rows(&mut self) -> usize {
        3
    }
}

#[actor]
enum WebMessage {
    #[reply(u16)]
    Get,
}

struct Web;

impl WebHandler for Web {
    fn get(&mut self) -> u16 {
        200
    }
}

#[actor(name = "monitoring")]
enum MonitorMessage {
    Beat,
}

struct Monitor;

impl MonitorHandler for Monitor {
    fn beat(&mut self) {}
}

fn worker_thread() -> ActorThread {
    ActorThread::new().register(WorkerMessage::actor(Worker::default))
}

fn indices(threads: &[ThreadId]) -> Vec<usize> {
    threads.iter().map(|thread| thread.index()).collect()
}

fn lines(engine: &ActorEngine) -> Vec<String> {
    engine.registry().to_string().lines().map(str::to_owned).collect()
}

#[test]
fn an_engine_without_threads_has_an_empty_registry() {
    bounded(|| {
        let engine = ActorEngine::new();
        let registry = engine.registry();
        assert!(registry.is_empty());
        assert_eq!(registry.len(), 0);
        assert_eq!(registry.to_string(), "");
        assert!(registry.get::<WorkerMessage>().is_none());
        assert_eq!(engine.thread_count(), 0);
    });
}

#[test]
fn one_type_on_five_threads_reads_as_in_the_guide() {
    bounded(|| {
        let engine = ActorEngine::new();
        for index in 0..5 {
            let thread = engine.spawn(worker_thread()).unwrap();
            assert_eq!(thread.index(), index);
            assert_eq!(thread.to_string(), index.to_string());
        }
        assert_eq!(lines(&engine), ["WorkerMessage -> [0, 1, 2, 3, 4]"]);
        assert_eq!(engine.thread_count(), 5);
        assert_eq!(engine.registry().len(), 1);
    });
}

#[test]
fn different_types_on_threads_of_their_own_read_as_in_the_guide() {
    bounded(|| {
        let engine = ActorEngine::new();
        engine.spawn(ActorThread::new().register(DatabaseMessage::actor(|| Database))).unwrap();
        engine.spawn(ActorThread::new().register(WebMessage::actor(|| Web))).unwrap();
        engine.spawn(worker_thread()).unwrap();
        assert_eq!(lines(&engine), ["DatabaseMessage -> [0]", "WebMessage -> [1]", "WorkerMessage -> [2]"]);
        assert_eq!(engine.call(DatabaseMessage::rows()).unwrap(), 3);
        assert_eq!(engine.call(WebMessage::get()).unwrap(), 200);
    });
}

#[test]
fn the_mixed_pattern_reads_as_in_the_guide() {
    bounded(|| {
        let engine = ActorEngine::new();
        engine.pool(3, WorkerMessage::actor(Worker::default)).unwrap();
        engine.pool(2, DatabaseMessage::actor(|| Database)).unwrap();
        engine.spawn(ActorThread::new().register(WebMessage::actor(|| Web))).unwrap();
        assert_eq!(lines(&engine), ["WorkerMessage -> [0, 1, 2]", "DatabaseMessage -> [3, 4]", "WebMessage -> [5]"]);
    });
}

#[test]
fn a_name_given_in_the_attribute_is_the_name_in_the_registry() {
    bounded(|| {
        let engine = ActorEngine::new();
        let monitor = engine.pool(2, MonitorMessage::actor(|| Monitor)).unwrap();
        monitor.beat().unwrap();
        assert_eq!(lines(&engine), ["monitoring -> [0, 1]"]);
    });
}

#[test]
fn iteration_gives_an_entry_a_type_with_its_threads_and_instances() {
    bounded(|| {
        let engine = ActorEngine::new();
        let worker = engine.pool(3, WorkerMessage::actor(Worker::default)).unwrap();
        let database = engine.pool(2, DatabaseMessage::actor(|| Database)).unwrap();
        let registry = engine.registry();

        let mut seen = Vec::new();
        for entry in &registry {
            let instances: Vec<_> = entry.instances().iter().map(|id| id.thread()).collect();
            assert_eq!(instances, entry.threads());
            seen.push((entry.message(), indices(&entry.threads())));
        }
        assert_eq!(seen, [("WorkerMessage", vec![0, 1, 2]), ("DatabaseMessage", vec![3, 4])]);

        let workers = registry.get::<WorkerMessage>().unwrap();
        assert_eq!(workers.message(), "WorkerMessage");
        assert_eq!(workers.instances(), worker.instances());
        let databases = registry.get::<DatabaseMessage>().unwrap();
        assert_eq!(databases.instances(), database.instances());
        assert!(registry.get::<WebMessage>().is_none());

        let names: Vec<_> = registry.into_iter().map(|entry| entry.message()).collect();
        assert_eq!(names, ["WorkerMessage", "DatabaseMessage"]);
    });
}

#[test]
fn a_handle_shows_the_same_registry() {
    bounded(|| {
        let engine = ActorEngine::new();
        engine.pool(2, WorkerMessage::actor(Worker::default)).unwrap();
        assert_eq!(engine.handle().registry().to_string(), engine.registry().to_string());
        assert_eq!(engine.handle().thread_count(), 2);
    });
}

#[test]
fn several_instances_of_a_type_on_one_thread_are_all_listed() {
    bounded(|| {
        let engine = ActorEngine::new();
        let thread = worker_thread()
            .register(WorkerMessage::actor(Worker::default))
            .register(WebMessage::actor(|| Web))
            .register(WorkerMessage::actor(Worker::default));
        let thread = engine.spawn(thread).unwrap();
        engine.spawn(worker_thread()).unwrap();

        assert_eq!(lines(&engine), ["WorkerMessage -> [0, 0, 0, 1]", "WebMessage -> [0]"]);
        let registry = engine.registry();
        let workers = registry.get::<WorkerMessage>().unwrap();
        let instances = workers.instances();
        assert_eq!(instances.len(), 4);
        assert!(instances[..3].iter().all(|instance| instance.thread() == thread));
        assert_eq!(instances[3].thread().index(), 1);
        for (index, instance) in instances.iter().enumerate() {
            assert!(!instances[..index].contains(instance), "{instance} is listed twice");
        }
        assert_eq!(registry.get::<WebMessage>().unwrap().instances().len(), 1);
        assert_eq!(engine.thread_count(), 2);
    });
}

#[test]
fn a_registry_is_a_snapshot() {
    bounded(|| {
        let engine = ActorEngine::new();
        engine.spawn(worker_thread()).unwrap();
        let before = engine.registry();
        engine.spawn(worker_thread()).unwrap();
        assert_eq!(before.to_string().trim_end(), "WorkerMessage -> [0]");
        assert_eq!(lines(&engine), ["WorkerMessage -> [0, 1]"]);
    });
}

#[test]
fn an_instance_that_stops_leaves_and_the_last_takes_its_type_along() {
    bounded(|| {
        let engine = ActorEngine::new();
        let worker = engine.pool(3, WorkerMessage::actor(Worker::default)).unwrap();
        engine.pool(1, DatabaseMessage::actor(|| Database)).unwrap();
        let instances = worker.instances();

        worker.pin(instances[1]).leave().unwrap();
        engine.settle();
        assert_eq!(lines(&engine), ["WorkerMessage -> [0, 2]", "DatabaseMessage -> [3]"]);
        assert_eq!(worker.instances(), [instances[0], instances[2]]);

        assert_eq!(worker.broadcast(WorkerMessage::Leave).unwrap(), 2);
        engine.settle();
        assert_eq!(lines(&engine), ["DatabaseMessage -> [3]"]);
        let registry = engine.registry();
        assert!(registry.get::<WorkerMessage>().is_none());
        assert_eq!(registry.len(), 1);
        assert_eq!(worker.instances(), []);
        assert!(matches!(engine.client::<WorkerMessage>(), Err(CallError::NotRegistered { .. })));
        assert!(matches!(worker.place(), Err(CallError::NotRegistered { .. })));
    });
}

#[test]
fn a_type_that_left_comes_back_for_the_clients_it_had() {
    bounded(|| {
        let engine = ActorEngine::new();
        let worker = engine.pool(1, WorkerMessage::actor(Worker::default)).unwrap();
        let first = worker.instances();
        worker.leave().unwrap();
        engine.settle();
        assert!(matches!(worker.place(), Err(CallError::NotRegistered { .. })));

        let thread = engine.spawn(worker_thread()).unwrap();
        assert_eq!(worker.place().unwrap(), thread);
        assert_ne!(worker.instances(), first);
    });
}

#[test]
fn a_stopped_engine_lists_nothing() {
    bounded(|| {
        let engine = ActorEngine::new();
        let worker = engine.pool(3, WorkerMessage::actor(Worker::default)).unwrap();
        engine.shutdown().unwrap();
        assert!(engine.registry().is_empty());
        assert_eq!(engine.registry().to_string(), "");
        assert_eq!(engine.thread_count(), 0);
        assert_eq!(worker.instances(), []);
    });
}

#[test]
fn an_instance_started_outside_any_pool_is_not_listed() {
    bounded(|| {
        let engine = ActorEngine::new();
        let worker = engine.start(WorkerMessage::actor(Worker::default)).unwrap();
        assert_eq!(worker.place().unwrap(), worker.instance_id().unwrap().thread());
        assert!(engine.registry().is_empty());
        assert!(matches!(engine.client::<WorkerMessage>(), Err(CallError::NotRegistered { .. })));
        assert!(matches!(engine.call(WorkerMessage::place()), Err(CallError::NotRegistered { .. })));

        engine.spawn(worker_thread()).unwrap();
        let registry = engine.registry();
        let listed = registry.get::<WorkerMessage>().unwrap().instances();
        assert_eq!(listed.len(), 1);
        assert_ne!(worker.instance_id(), Some(listed[0]));
    });
}

// Issue 15: the number was given again, so a client pinned to the id that a factory had told on reached a stranger.
#[test]
fn an_id_that_a_failing_factory_has_seen_is_given_to_nobody_else() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (tell, told) = mpsc::channel();
        let failing = WorkerMessage::try_actor(move |ctx| {
            tell.send((ctx.instance_id(), ctx.me())).expect("the test listens");
            Err::<Worker, _>("no disk".into())
        });
        assert!(matches!(engine.pool(3, failing), Err(SpawnError::Factory { .. })));
        let seen: Vec<_> = told.try_iter().collect();
        let workers = engine.pool(3, WorkerMessage::actor(Worker::default)).unwrap();
        for (id, me) in &seen {
            assert!(!workers.instances().contains(id), "{id} was given again");
            assert!(matches!(workers.pin(*id).place(), Err(CallError::Stopped { .. })));
            assert!(matches!(me.place(), Err(CallError::Stopped { .. })));
        }
        assert_eq!(seen.len(), 3);
        assert_eq!(workers.instances()[0].thread().index(), 3, "the next number that nobody has seen");
    });
}

#[test]
fn a_pool_with_one_failing_factory_registers_none() {
    bounded(|| {
        let engine = ActorEngine::new();
        let worker = engine.pool(2, WorkerMessage::actor(Worker::default)).unwrap();
        assert_eq!(worker.place().unwrap().index(), 0);
        let before = (engine.thread_count(), lines(&engine));

        let attempts = Counter::new();
        let built = Counter::new();
        let dropped = Counter::new();
        let failing = {
            let (built, dropped) = (built.clone(), dropped.clone());
            WorkerMessage::try_actor(move |_| {
                if attempts.increment() == 2 {
                    return Err("the third has no disk".into());
                }
                built.increment();
                Ok(Worker { _dropped: Some(dropped.guard()) })
            })
        };
        let error = engine.pool(5, failing).unwrap_err();
        assert!(matches!(error, SpawnError::Factory { message: "WorkerMessage", .. }));
        assert_eq!(error.source().unwrap().to_string(), "the third has no disk");

        assert_eq!((engine.thread_count(), lines(&engine)), before);
        assert_eq!(dropped.get(), built.get(), "what had been built is dropped");
        let places: Vec<_> = (0..3).map(|_| worker.place().unwrap().index()).collect();
        assert_eq!(places, [1, 0, 1], "the turn did not move either");
    });
}

#[test]
fn a_pool_with_one_panicking_factory_registers_none() {
    bounded(|| {
        let engine = ActorEngine::new();
        let attempts = Counter::new();
        let panicking = WorkerMessage::actor(move || {
            assert!(attempts.increment() != 1, "the second has no disk");
            Worker::default()
        });
        let error = engine.pool(3, panicking).unwrap_err();
        assert!(
            matches!(&error, SpawnError::FactoryPanicked { message: "WorkerMessage", text, .. } if text.contains("no disk"))
        );
        assert!(engine.registry().is_empty());
        assert_eq!(engine.thread_count(), 0);
    });
}

#[test]
fn a_thread_with_one_failing_factory_registers_none_of_its_types() {
    bounded(|| {
        let engine = ActorEngine::new();
        let dropped = Counter::new();
        let first = {
            let dropped = dropped.clone();
            WorkerMessage::actor(move || Worker { _dropped: Some(dropped.guard()) })
        };
        let thread = ActorThread::new()
            .register(first)
            .register(DatabaseMessage::try_actor(|_| -> Result<Database, _> { Err("no disk".into()) }));
        let error = engine.spawn(thread).unwrap_err();
        assert!(matches!(error, SpawnError::Factory { message: "DatabaseMessage", .. }));
        assert!(engine.registry().is_empty());
        assert_eq!(engine.thread_count(), 0);
        assert_eq!(dropped.get(), 1);
    });
}

#[test]
fn pools_made_at_the_same_time_appear_whole_and_in_thread_order() {
    bounded(|| {
        let engine = ActorEngine::new();
        let all_made = AtomicBool::new(false);
        thread::scope(|scope| {
            // It looks before the pools are made, and on until they are.
            let (tell, looked) = mpsc::channel();
            let observer = scope.spawn({
                let (engine, all_made) = (&engine, &all_made);
                move || {
                    while !all_made.load(Ordering::Acquire) {
                        assert_well_formed(engine);
                        let _ = tell.send(());
                        thread::yield_now();
                    }
                }
            });
            receive(&looked);
            let pools: Vec<_> = (0..POOLS)
                .map(|_| scope.spawn(|| engine.pool(POOL_SIZE, WorkerMessage::actor(Worker::default)).map(drop)))
                .collect();
            let made: Vec<_> = pools.into_iter().map(|pool| pool.join()).collect();
            all_made.store(true, Ordering::Release);
            observer.join().unwrap();
            for pool in made {
                pool.unwrap().unwrap();
            }
        });
        assert_well_formed(&engine);
        let registry = engine.registry();
        let listed = registry.get::<WorkerMessage>().unwrap().instances();
        assert_eq!(listed.len(), POOLS * POOL_SIZE);
        assert_eq!(engine.thread_count(), POOLS * POOL_SIZE);
    });
}

/// Whole pools only, each on neighbouring threads.
fn assert_well_formed(engine: &ActorEngine) {
    let registry = engine.registry();
    let Some(workers) = registry.get::<WorkerMessage>() else {
        return;
    };
    let threads = indices(&workers.threads());
    assert_eq!(threads.len() % POOL_SIZE, 0, "a pool is half registered: {threads:?}");
    for pool in threads.chunks(POOL_SIZE) {
        assert!(pool.windows(2).all(|pair| pair[0] < pair[1]), "a pool is out of order: {threads:?}");
    }
}

#[actor]
enum FragileMessage {
    Break,
}

struct Fragile;

impl FragileHandler for Fragile {
    fn r#break(&mut self) {
        panic!("the fragile one breaks");
    }
}

/// What a hook holds: its drop asks the engine something.
struct Asks(EngineHandle);

impl Drop for Asks {
    fn drop(&mut self) {
        self.0.stats();
    }
}

#[test]
fn a_spawn_and_the_end_of_an_instance_do_not_wait_for_each_other() {
    // An odd number, from 64 on, so that the list of places is made anew by the end that comes at the time of the
    // spawn.
    const PLACES: usize = 257;
    expect_panics("the fragile one breaks");
    bounded(|| {
        for round in 0..60 {
            let engine = ActorEngine::new();
            engine.on_dead_letter(|_| ());
            let handle = engine.handle();
            let fragile = || {
                let asks = Asks(handle.clone());
                FragileMessage::actor(|| Fragile).restart(Restart::never()).on_undelivered(move |_, _| {
                    let _ = &asks;
                })
            };
            let thread = (0..PLACES).fold(ActorThread::new(), |thread, _| thread.register(fragile()));
            engine.spawn(thread).unwrap();
            for _ in 0..PLACES / 2 {
                engine.send(FragileMessage::Break).unwrap();
            }
            engine.settle();
            let newcomer = ActorThread::new().register(fragile());
            thread::scope(|scope| {
                scope.spawn(|| engine.spawn(newcomer).unwrap());
                (0..round * 100).for_each(|_| std::hint::spin_loop());
                engine.send(FragileMessage::Break).unwrap();
            });
            engine.settle();
            let left = PLACES - PLACES / 2;
            assert_eq!(engine.client::<FragileMessage>().unwrap().instances().len(), left, "round {round}");
        }
    });
}
