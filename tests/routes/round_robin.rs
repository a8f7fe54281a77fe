//! Each message type has a turn of its own, shared by the engine and every client: the place last used, in spawn
//! order. Nothing but an accepted rotated send or call moves it.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use zctor::{ActorEngine, ActorThread, CallError, Context, InstanceId, SendError, actor};
use zctor_tests::{Counter, SplitMix64, bounded, receive_many};

/// Sends of each of four threads; a multiple of the five instances.
const SENDS_A_THREAD: u64 = if cfg!(miri) { 50 } else { 5_000 };

#[actor(ctx)]
#[derive(Clone)]
enum WorkerMessage {
    /// Tells the test which thread got the task.
    Process { task: u32 },
    /// The thread that answers.
    #[reply(usize)]
    Place,
    /// Ends the instance.
    Leave,
}

struct Worker {
    seen: Sender<(u32, usize)>,
}

impl WorkerHandler for Worker {
    fn process(&mut self, ctx: &mut Context<WorkerMessage>, task: u32) {
        let _ = self.seen.send((task, ctx.thread_id().index()));
    }

    fn place(&mut self, ctx: &mut Context<WorkerMessage>) -> usize {
        ctx.thread_id().index()
    }

    fn leave(&mut self, ctx: &mut Context<WorkerMessage>) {
        ctx.stop();
    }
}

#[actor(ctx)]
enum DatabaseMessage {
    #[reply(usize)]
    Place,
}

struct Database;

impl DatabaseHandler for Database {
    fn place(&mut self, ctx: &mut Context<DatabaseMessage>) -> usize {
        ctx.thread_id().index()
    }
}

#[actor(ctx)]
enum MonitorMessage {
    #[reply(usize)]
    Place,
}

struct Monitor;

impl MonitorHandler for Monitor {
    fn place(&mut self, ctx: &mut Context<MonitorMessage>) -> usize {
        ctx.thread_id().index()
    }
}

/// Sends tasks on from inside, and tries a call that it may not make.
#[actor(ctx)]
enum ForwarderMessage {
    #[reply(bool)]
    Forward { task: u32 },
    #[reply(Result<usize, CallError>)]
    CallUndeclared { worker: WorkerClient },
}

struct Forwarder;

impl ForwarderHandler for Forwarder {
    fn forward(&mut self, ctx: &mut Context<ForwarderMessage>, task: u32) -> bool {
        ctx.send(WorkerMessage::Process { task }).is_ok()
    }

    fn call_undeclared(
        &mut self,
        _ctx: &mut Context<ForwarderMessage>,
        worker: WorkerClient,
    ) -> Result<usize, CallError> {
        worker.place()
    }
}

/// Five workers on the threads 0 to 4, spawned one by one, and what they tell.
fn five_workers(engine: &ActorEngine) -> Receiver<(u32, usize)> {
    let (seen, tasks) = mpsc::channel();
    for index in 0..5 {
        let thread = spawn_worker(engine, &seen);
        assert_eq!(thread, index);
    }
    tasks
}

fn spawn_worker(engine: &ActorEngine, seen: &Sender<(u32, usize)>) -> usize {
    let seen = seen.clone();
    let worker = WorkerMessage::actor(move || Worker { seen: seen.clone() });
    engine.spawn(ActorThread::new().register(worker)).expect("the worker starts").index()
}

/// The threads of the next `count` tasks, in the order of the tasks.
fn places(tasks: &Receiver<(u32, usize)>, count: usize) -> Vec<usize> {
    let mut seen = receive_many(tasks, count);
    seen.sort_unstable();
    seen.into_iter().map(|(_, thread)| thread).collect()
}

/// The threads that the next `count` rotated calls reach.
fn next_places(worker: &WorkerClient, count: usize) -> Vec<usize> {
    (0..count).map(|_| worker.place().expect("a worker answers")).collect()
}

fn worker_instances(engine: &ActorEngine) -> Vec<InstanceId> {
    engine.client::<WorkerMessage>().expect("workers are live").instances()
}

/// Ends the worker at `place` in spawn order and waits until it is gone.
fn leave(engine: &ActorEngine, instance: InstanceId) {
    let worker = engine.client::<WorkerMessage>().expect("workers are live");
    worker.pin(instance).leave().expect("the worker is live");
    engine.settle();
}

#[test]
fn six_tasks_to_five_workers_go_round_and_begin_again() {
    bounded(|| {
        let engine = ActorEngine::new();
        let tasks = five_workers(&engine);
        for task in 1..=6 {
            engine.send(WorkerMessage::Process { task }).unwrap();
        }
        assert_eq!(places(&tasks, 6), [0, 1, 2, 3, 4, 0]);
    });
}

#[test]
fn a_pool_made_at_once_goes_round_as_one_spawned_thread_by_thread() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (seen, _tasks) = mpsc::channel();
        let worker = engine.pool(5, WorkerMessage::actor(move || Worker { seen: seen.clone() })).unwrap();
        assert_eq!(next_places(&worker, 6), [0, 1, 2, 3, 4, 0]);
    });
}

#[test]
fn engine_handle_and_clients_share_the_turn_for_sends_and_calls() {
    bounded(|| {
        let engine = ActorEngine::new();
        let tasks = five_workers(&engine);
        let handle = engine.handle();
        let first = engine.client::<WorkerMessage>().unwrap();
        let second = handle.client::<WorkerMessage>().unwrap();
        let clone = first.clone();

        engine.send(WorkerMessage::Process { task: 1 }).unwrap(); // 0
        assert_eq!(first.place().unwrap(), 1);
        second.process(2).unwrap(); // 2
        assert_eq!(engine.call(WorkerMessage::place()).unwrap(), 3);
        clone.send(WorkerMessage::Process { task: 3 }).unwrap(); // 4
        assert_eq!(handle.call(WorkerMessage::place()).unwrap(), 0);
        handle.send(WorkerMessage::Process { task: 4 }).unwrap(); // 1
        assert_eq!(second.call(WorkerMessage::place()).unwrap(), 2);
        first.non_blocking().process(5).unwrap(); // 3
        assert_eq!(clone.non_blocking().place().wait().unwrap(), 4);
        assert_eq!(clone.request(WorkerMessage::place()).wait().unwrap(), 0);

        assert_eq!(places(&tasks, 5), [0, 2, 4, 1, 3]);
    });
}

#[test]
fn an_actor_takes_the_same_turn_as_those_outside() {
    bounded(|| {
        let engine = ActorEngine::new();
        let tasks = five_workers(&engine);
        engine.spawn(ActorThread::new().register(ForwarderMessage::actor(|| Forwarder))).unwrap();
        for task in (0..12).step_by(2) {
            assert!(engine.call(ForwarderMessage::forward(task)).unwrap());
            engine.send(WorkerMessage::Process { task: task + 1 }).unwrap();
        }
        assert_eq!(places(&tasks, 12), [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]);
    });
}

#[test]
fn three_pools_keep_turns_of_their_own() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (seen, _tasks) = mpsc::channel();
        let worker = engine.pool(5, WorkerMessage::actor(move || Worker { seen: seen.clone() })).unwrap();
        let database = engine.pool(3, DatabaseMessage::actor(|| Database)).unwrap();
        let monitor = engine.pool(2, MonitorMessage::actor(|| Monitor)).unwrap();

        let mut turns = [0_usize; 3];
        let mut random = SplitMix64::new(3);
        for _ in 0..200 {
            let pool = random.below(3);
            let turn = turns[pool];
            turns[pool] += 1;
            match pool {
                0 => assert_eq!(worker.place().unwrap(), turn % 5),
                1 => assert_eq!(database.place().unwrap(), 5 + turn % 3),
                _ => assert_eq!(monitor.place().unwrap(), 8 + turn % 2),
            }
        }
        assert!(turns.iter().all(|&turn| turn > 30), "the seed serves every pool: {turns:?}");
    });
}

#[test]
fn two_types_in_strict_alternation_do_not_skew_each_other() {
    bounded(|| {
        let engine = ActorEngine::new();
        // Both types on the same two threads: a shared turn would send each type to one thread only.
        for _ in 0..2 {
            let thread = ActorThread::new()
                .register(DatabaseMessage::actor(|| Database))
                .register(MonitorMessage::actor(|| Monitor));
            engine.spawn(thread).unwrap();
        }
        for turn in 0..10 {
            assert_eq!(engine.call(DatabaseMessage::place()).unwrap(), turn % 2);
            assert_eq!(engine.call(MonitorMessage::place()).unwrap(), turn % 2);
        }
    });
}

#[test]
fn engines_do_not_share_turns() {
    bounded(|| {
        let one = ActorEngine::new();
        let other = ActorEngine::new();
        let (seen, _tasks) = mpsc::channel();
        for _ in 0..3 {
            spawn_worker(&one, &seen);
            spawn_worker(&other, &seen);
        }
        let one = (one.client::<WorkerMessage>().unwrap(), one);
        let other = (other.client::<WorkerMessage>().unwrap(), other);
        assert_eq!(next_places(&one.0, 2), [0, 1]);
        assert_eq!(next_places(&other.0, 2), [0, 1]);
        assert_eq!(next_places(&one.0, 2), [2, 0]);
    });
}

#[test]
fn mail_refused_before_the_first_worker_does_not_advance_the_turn() {
    bounded(|| {
        let engine = ActorEngine::new();
        for task in 0..3 {
            let refused = engine.send(WorkerMessage::Process { task });
            assert!(matches!(refused, Err(SendError::NotRegistered(_))));
            let refused = engine.call(WorkerMessage::place());
            assert!(matches!(refused, Err(CallError::NotRegistered { .. })));
        }
        let _tasks = five_workers(&engine);
        let worker = engine.client::<WorkerMessage>().unwrap();
        assert_eq!(next_places(&worker, 6), [0, 1, 2, 3, 4, 0]);
    });
}

#[test]
fn a_call_refused_as_undeclared_does_not_advance_the_turn() {
    bounded(|| {
        let engine = ActorEngine::new();
        let _tasks = five_workers(&engine);
        engine.spawn(ActorThread::new().register(ForwarderMessage::actor(|| Forwarder))).unwrap();
        let worker = engine.client::<WorkerMessage>().unwrap();
        assert_eq!(next_places(&worker, 2), [0, 1]);
        let refused = engine.call(ForwarderMessage::call_undeclared(worker.clone())).unwrap();
        assert!(matches!(refused, Err(CallError::Undeclared { .. })));
        assert_eq!(next_places(&worker, 2), [2, 3]);
    });
}

#[test]
fn pinned_keyed_least_loaded_and_broadcast_mail_does_not_advance_the_turn() {
    bounded(|| {
        let engine = ActorEngine::new();
        let tasks = five_workers(&engine);
        let worker = engine.client::<WorkerMessage>().unwrap();
        let instances = worker.instances();
        let mut turn = 0;
        let mut rotated_goes_on = || {
            assert_eq!(worker.place().unwrap(), turn % 5);
            turn += 1;
        };

        rotated_goes_on();
        worker.pin(instances[3]).process(1).unwrap();
        rotated_goes_on();
        assert_eq!(worker.pin(instances[4]).place().unwrap(), 4);
        rotated_goes_on();
        worker.keyed("a key").process(2).unwrap();
        rotated_goes_on();
        worker.keyed("another").place().unwrap();
        rotated_goes_on();
        worker.least_loaded().process(3).unwrap();
        rotated_goes_on();
        worker.least_loaded().place().unwrap();
        rotated_goes_on();
        assert_eq!(engine.broadcast(WorkerMessage::Process { task: 4 }).unwrap(), 5);
        rotated_goes_on();
        assert_eq!(worker.broadcast(WorkerMessage::Process { task: 5 }).unwrap(), 5);
        rotated_goes_on();
        assert_eq!(worker.broadcast_with(|_| WorkerMessage::Process { task: 6 }).unwrap(), 5);
        rotated_goes_on();
        assert_eq!(worker.call_all(WorkerMessage::place()).unwrap().len(), 5);
        rotated_goes_on();
        receive_many(&tasks, 3 + 3 * 5);
    });
}

#[test]
fn mail_refused_by_an_ended_instance_does_not_advance_the_turn() {
    bounded(|| {
        let engine = ActorEngine::new();
        let _tasks = five_workers(&engine);
        let worker = engine.client::<WorkerMessage>().unwrap();
        let instances = worker.instances();
        assert_eq!(next_places(&worker, 2), [0, 1]);
        leave(&engine, instances[4]);
        let ended = worker.pin(instances[4]);
        assert!(matches!(ended.process(1), Err(SendError::Stopped(_))));
        assert!(matches!(ended.place(), Err(CallError::Stopped { .. })));
        assert_eq!(next_places(&worker, 4), [2, 3, 0, 1]);
    });
}

#[test]
fn a_worker_that_joins_midway_moves_nobody_elses_turn() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (seen, _tasks) = mpsc::channel();
        for _ in 0..3 {
            spawn_worker(&engine, &seen);
        }
        let worker = engine.client::<WorkerMessage>().unwrap();
        assert_eq!(next_places(&worker, 5), [0, 1, 2, 0, 1]);
        assert_eq!(spawn_worker(&engine, &seen), 3);
        assert_eq!(next_places(&worker, 5), [2, 3, 0, 1, 2]);
    });
}

#[test]
fn a_worker_that_joins_when_the_round_is_just_complete_is_next() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (seen, _tasks) = mpsc::channel();
        for _ in 0..3 {
            spawn_worker(&engine, &seen);
        }
        let worker = engine.client::<WorkerMessage>().unwrap();
        assert_eq!(next_places(&worker, 3), [0, 1, 2]);
        assert_eq!(spawn_worker(&engine, &seen), 3);
        assert_eq!(next_places(&worker, 3), [3, 0, 1]);
    });
}

#[test]
fn a_worker_that_leaves_moves_nobody_elses_turn() {
    // Whoever leaves after the tasks to 0, 1 and 2, the next is the first live one after 2.
    let cases: [(usize, &[usize]); 5] = [
        (0, &[3, 4, 1, 2, 3, 4]),
        (1, &[3, 4, 0, 2, 3, 4]),
        (2, &[3, 4, 0, 1, 3, 4]),
        (3, &[4, 0, 1, 2, 4, 0]),
        (4, &[3, 0, 1, 2, 3, 0]),
    ];
    for (leaver, expected) in cases {
        bounded(move || {
            let engine = ActorEngine::new();
            let _tasks = five_workers(&engine);
            let worker = engine.client::<WorkerMessage>().unwrap();
            let instances = worker_instances(&engine);
            assert_eq!(next_places(&worker, 3), [0, 1, 2]);
            leave(&engine, instances[leaver]);
            assert_eq!(next_places(&worker, 6), expected, "worker {leaver} left");
        });
    }
}

#[test]
fn one_that_leaves_and_one_that_joins_keep_the_spawn_order() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (seen, _tasks) = mpsc::channel();
        for _ in 0..3 {
            spawn_worker(&engine, &seen);
        }
        let worker = engine.client::<WorkerMessage>().unwrap();
        let instances = worker.instances();
        assert_eq!(next_places(&worker, 1), [0]);
        leave(&engine, instances[1]);
        assert_eq!(spawn_worker(&engine, &seen), 3);
        assert_eq!(next_places(&worker, 5), [2, 3, 0, 2, 3]);
        leave(&engine, instances[0]);
        leave(&engine, instances[2]);
        assert_eq!(next_places(&worker, 2), [3, 3]);
    });
}

#[test]
fn concurrent_senders_give_each_instance_exactly_its_share() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (seen, tasks) = mpsc::channel();
        engine.pool(5, WorkerMessage::actor(move || Worker { seen: seen.clone() })).unwrap();
        let calls = Counter::new();
        let mut handled = thread::scope(|scope| {
            let threads: Vec<_> = (0..4_u64)
                .map(|thread| {
                    let engine = &engine;
                    let calls = calls.clone();
                    scope.spawn(move || {
                        let worker = engine.client::<WorkerMessage>().unwrap();
                        let mut places = [0_u64; 5];
                        let mut random = SplitMix64::new(thread);
                        for task in 0..u32::try_from(SENDS_A_THREAD).unwrap() {
                            match random.below(20) {
                                0 => {
                                    places[worker.place().unwrap()] += 1;
                                    calls.increment();
                                }
                                1..10 => worker.process(task).unwrap(),
                                _ => engine.send(WorkerMessage::Process { task }).unwrap(),
                            }
                        }
                        places
                    })
                })
                .collect();
            let mut handled = [0_u64; 5];
            for thread in threads {
                let places = thread.join().unwrap();
                for (place, count) in places.into_iter().enumerate() {
                    handled[place] += count;
                }
            }
            handled
        });
        let sent = 4 * SENDS_A_THREAD - calls.get();
        for (_, place) in receive_many(&tasks, usize::try_from(sent).unwrap()) {
            handled[place] += 1;
        }
        assert_eq!(handled, [4 * SENDS_A_THREAD / 5; 5]);
    });
}
