//! `send_all` moves a batch as if each message had been sent in turn, and gives back what it could not.

use std::cell::Cell;
use std::collections::HashSet;
use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, CallError, Context, Restart, SendError, actor};
use zctor_tests::{Counter, Gate, SplitMix64, bounded, receive_many};

const CHORES: u64 = 10_000;

#[actor(ctx)]
#[derive(Clone, Debug)]
enum TaskMessage {
    Run {
        task: u32,
    },
    /// Goes where its key says.
    File {
        task: u32,
        #[key]
        cabinet: u64,
    },
    #[reply(usize)]
    Place,
    Hold {
        gate: Gate,
    },
    /// Sends a batch from inside.
    #[reply(usize)]
    Fan {
        count: u32,
    },
    Leave,
    Trip,
}

struct Runner {
    ran: Sender<(u32, usize)>,
}

impl TaskHandler for Runner {
    fn run(&mut self, ctx: &mut Context<TaskMessage>, task: u32) {
        let _ = self.ran.send((task, ctx.thread_id().index()));
    }

    fn file(&mut self, ctx: &mut Context<TaskMessage>, task: u32, _cabinet: u64) {
        let _ = self.ran.send((task, ctx.thread_id().index()));
    }

    fn place(&mut self, ctx: &mut Context<TaskMessage>) -> usize {
        ctx.thread_id().index()
    }

    fn hold(&mut self, _ctx: &mut Context<TaskMessage>, gate: Gate) {
        gate.pass();
    }

    fn fan(&mut self, ctx: &mut Context<TaskMessage>, count: u32) -> usize {
        let pool = ctx.engine().client::<TaskMessage>().expect("it is live itself");
        pool.send_all(runs(0..count)).expect("it is live itself")
    }

    fn leave(&mut self, ctx: &mut Context<TaskMessage>) {
        ctx.stop();
    }

    fn trip(&mut self, _ctx: &mut Context<TaskMessage>) {
        panic!("a stone");
    }
}

fn runs(tasks: std::ops::Range<u32>) -> impl Iterator<Item = TaskMessage> {
    tasks.map(|task| TaskMessage::Run { task })
}

/// The tasks of messages that came back.
fn tasks(messages: Vec<TaskMessage>) -> Vec<u32> {
    messages
        .into_iter()
        .map(|message| match message {
            TaskMessage::Run { task } | TaskMessage::File { task, .. } => task,
            other => panic!("{other:?} was not sent"),
        })
        .collect()
}

fn runners(engine: &ActorEngine, size: usize) -> (TaskClient, Receiver<(u32, usize)>) {
    let (ran, runs) = mpsc::channel();
    let client = engine.pool(size, TaskMessage::actor(move || Runner { ran: ran.clone() })).expect("the pool starts");
    (client, runs)
}

/// The places of the next `count` tasks, in the order of the tasks.
fn places(ran: &Receiver<(u32, usize)>, count: usize) -> Vec<usize> {
    let mut ran = receive_many(ran, count);
    ran.sort_unstable();
    ran.into_iter().map(|(_, place)| place).collect()
}

#[test]
fn a_batch_goes_round_as_single_sends_do_and_gives_its_length() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (client, ran) = runners(&engine, 5);
        assert_eq!(client.send_all(runs(1..7)).unwrap(), 6);
        assert_eq!(places(&ran, 6), [0, 1, 2, 3, 4, 0]);
        // The turn goes on where the batch left it, and the other way round.
        assert_eq!(client.place().unwrap(), 1);
        assert_eq!(client.send_all(runs(0..2)).unwrap(), 2);
        assert_eq!(places(&ran, 2), [2, 3]);
        client.run(0).unwrap();
        assert_eq!(places(&ran, 1), [4]);
        assert_eq!(client.send_all(runs(0..12)).unwrap(), 12);
        assert_eq!(places(&ran, 12), [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]);
    });
}

#[test]
fn batches_and_single_sends_of_any_number_take_one_turn_after_the_other() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (client, ran) = runners(&engine, 5);
        let early = client.clone();
        let mut random = SplitMix64::new(7);
        let mut live: Vec<usize> = (0..5).collect();
        let mut last = None;
        // Also when some have left, which a client made before learns on its way.
        for leaver in [None, Some(3), Some(0)] {
            if let Some(leaver) = leaver {
                let instance = client.instances().into_iter().find(|id| id.thread().index() == leaver).unwrap();
                client.pin(instance).leave().unwrap();
                engine.settle();
                live.retain(|place| *place != leaver);
            }
            for _ in 0..100 {
                let count = random.below(14);
                let sent = if random.below(3) == 0 {
                    (0..count).for_each(|task| early.run(u32::try_from(task).unwrap()).unwrap());
                    count
                } else {
                    early.send_all(runs(0..u32::try_from(count).unwrap())).unwrap()
                };
                assert_eq!(sent, count);
                let expected: Vec<usize> = (0..count)
                    .map(|_| {
                        let next = live.iter().copied().find(|place| last.is_none_or(|last| *place > last));
                        *last.insert(next.unwrap_or(live[0]))
                    })
                    .collect();
                assert_eq!(places(&ran, count), expected);
            }
        }
    });
}

#[test]
fn batches_of_many_threads_lose_nothing_and_share_evenly() {
    const THREADS: u32 = 4;
    const ROUNDS: u32 = if cfg!(miri) { 5 } else { 300 };
    for size in [1, 2, 3, 5] {
        bounded(move || {
            let engine = ActorEngine::new();
            let (client, ran) = runners(&engine, size);
            let start = Gate::new();
            let sent: u32 = thread::scope(|scope| {
                let senders: Vec<_> = (0..THREADS)
                    .map(|thread| {
                        let (client, start) = (&client, start.clone());
                        scope.spawn(move || {
                            let mut random = SplitMix64::new(u64::from(thread));
                            start.pass();
                            let mut task = 0;
                            for _ in 0..ROUNDS {
                                let count = u32::try_from(random.below(9)).unwrap();
                                let first = thread << 16 | task;
                                if count == 0 {
                                    client.run(first).unwrap();
                                    task += 1;
                                } else {
                                    client.send_all(runs(first..first + count)).unwrap();
                                    task += count;
                                }
                            }
                            task
                        })
                    })
                    .collect();
                start.await_arrivals(THREADS as usize);
                start.open();
                senders.into_iter().map(|sender| sender.join().unwrap()).sum()
            });
            engine.settle();
            let mut shares = vec![0; size];
            // Of each sender, what comes to one receiver comes in order.
            let mut latest = vec![[None; THREADS as usize]; size];
            let mut seen = HashSet::new();
            for (task, place) in ran.try_iter() {
                shares[place] += 1;
                assert!(seen.insert(task), "task {task:x} ran twice");
                let before = latest[place][(task >> 16) as usize].replace(task);
                assert!(before.is_none_or(|before| before < task), "task {task:x} came behind a later one");
            }
            assert_eq!(shares.iter().sum::<u32>(), sent);
            // As many turns as messages, one after the other.
            let size = u32::try_from(size).unwrap();
            assert!(shares.iter().all(|share| (sent / size..=sent.div_ceil(size)).contains(share)), "{shares:?}");
        });
    }
}

#[test]
fn a_batch_passes_over_a_place_whose_bounded_mailbox_has_no_room_left() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (ran, told) = mpsc::channel();
        for bound in [None, Some(2), None] {
            let ran = ran.clone();
            let thread = ActorThread::new().register(TaskMessage::actor(move || Runner { ran: ran.clone() }));
            engine.spawn(bound.into_iter().fold(thread, ActorThread::mailbox_bound)).unwrap();
        }
        let client: TaskClient = engine.client::<TaskMessage>().unwrap();
        let gate = Gate::new();
        for instance in client.instances() {
            client.pin(instance).hold(gate.clone()).unwrap();
        }
        gate.await_arrivals(3);
        assert_eq!(client.send_all(runs(0..9)).unwrap(), 9);
        assert_eq!(client.send_all(runs(9..10)).unwrap(), 1);
        gate.open();
        assert_eq!(places(&told, 10), [0, 1, 2, 0, 1, 2, 0, 2, 0, 2]);
        engine.settle();
        assert_eq!(client.send_all(runs(0..2)).unwrap(), 2);
        assert_eq!(places(&told, 2), [0, 1]);
    });
}

#[test]
fn a_batch_passes_over_an_instance_that_rests() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (ran, told) = mpsc::channel();
        let actor = TaskMessage::actor(move || Runner { ran: ran.clone() });
        let actor = actor.restart(Restart::always().backoff(zctor_tests::LIMIT, zctor_tests::LIMIT).jitter(0.0));
        let client: TaskClient = engine.pool(3, actor).unwrap();
        let second = client.pin(client.instances()[1]);
        // From the third panic on it rests.
        assert_eq!(second.send_all([(); 3].map(|()| TaskMessage::Trip)).unwrap(), 3);
        engine.settle();
        assert_eq!(client.send_all(runs(0..5)).unwrap(), 5);
        assert_eq!(places(&told, 5), [0, 2, 0, 2, 0]);
        assert_eq!(client.place().unwrap(), 2);
    });
}

#[test]
fn a_batch_goes_round_a_large_pool_and_passes_over_those_that_have_ended() {
    const THREADS: usize = 4;
    const EACH: usize = 25;
    bounded(|| {
        let engine = ActorEngine::new();
        let (ran, told) = mpsc::channel();
        for _ in 0..THREADS {
            let actor = || {
                let ran = ran.clone();
                TaskMessage::actor(move || Runner { ran: ran.clone() })
            };
            engine.spawn((0..EACH).fold(ActorThread::new(), |thread, _| thread.register(actor()))).unwrap();
        }
        let client: TaskClient = engine.client::<TaskMessage>().unwrap();
        // Of the second thread, all but one.
        let second = client.instances().into_iter().filter(|id| id.thread().index() == 1);
        for instance in second.skip(1) {
            client.pin(instance).leave().unwrap();
        }
        engine.settle();
        let round = [vec![0; EACH], vec![1], vec![2; EACH], vec![3; EACH]].concat();
        let count = 2 * round.len() + 10;
        assert_eq!(client.send_all(runs(0..u32::try_from(count).unwrap())).unwrap(), count);
        let expected: Vec<usize> = round.iter().copied().cycle().take(count).collect();
        assert_eq!(places(&told, count), expected);
        // Single sends go on where the batch left the turn.
        (0..16).for_each(|task| client.run(task).unwrap());
        let expected: Vec<usize> = round.iter().copied().skip(10).take(16).collect();
        assert_eq!(places(&told, 16), expected);
        assert_eq!(engine.stats().dead_letters, 0);
    });
}

#[test]
fn an_empty_batch_sends_nothing_and_moves_no_turn() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (client, ran) = runners(&engine, 3);
        assert_eq!(client.place().unwrap(), 0);
        assert_eq!(client.send_all([]).unwrap(), 0);
        assert_eq!(client.place().unwrap(), 1);
        engine.settle();
        assert!(ran.try_recv().is_err());
    });
}

#[test]
fn a_batch_to_one_instance_is_handled_in_order_among_single_sends() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (client, ran) = runners(&engine, 3);
        let pinned = client.pin(client.instances()[1]);
        let mut task = 0;
        for length in [1, 31, 32, 33, 64, 200, 1_000] {
            pinned.run(task).unwrap();
            let end = task + 1 + length;
            assert_eq!(pinned.send_all(runs(task + 1..end)).unwrap(), usize::try_from(length).unwrap());
            task = end;
        }
        let ran = receive_many(&ran, usize::try_from(task).unwrap());
        assert!(ran.into_iter().eq((0..task).map(|task| (task, 1))));
    });
}

#[test]
fn each_instance_handles_its_part_of_a_batch_in_order() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (client, ran) = runners(&engine, 3);
        assert_eq!(client.send_all(runs(0..3_000)).unwrap(), 3_000);
        let mut next = [0, 1, 2];
        for (task, place) in receive_many(&ran, 3_000) {
            assert_eq!(task, next[place]);
            next[place] += 3;
        }
        assert_eq!(next, [3_000, 3_001, 3_002]);
    });
}

#[test]
fn keyed_messages_of_a_batch_go_where_their_keys_say() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (client, ran) = runners(&engine, 4);
        let homes: Vec<_> = (0..20_u64).map(|cabinet| client.keyed(&cabinet).place().unwrap()).collect();
        let batch = (0..20_u32).map(|task| TaskMessage::File { task, cabinet: u64::from(task) });
        assert_eq!(client.send_all(batch).unwrap(), 20);
        assert_eq!(places(&ran, 20), homes);

        // Mixed with messages in turn, which take every place in its order all the same.
        let batch = (0..20_u32).map(|task| {
            if task % 2 == 0 { TaskMessage::Run { task } } else { TaskMessage::File { task, cabinet: u64::from(task) } }
        });
        assert_eq!(client.send_all(batch).unwrap(), 20);
        for (task, place) in places(&ran, 20).into_iter().enumerate() {
            let expected = if task % 2 == 0 { task / 2 % 4 } else { homes[task] };
            assert_eq!(place, expected, "task {task}");
        }
    });
}

#[test]
fn a_batch_from_inside_goes_round_too() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (client, ran) = runners(&engine, 3);
        // The call itself took the first place.
        assert_eq!(client.fan(7).unwrap(), 7);
        assert_eq!(places(&ran, 7), [1, 2, 0, 1, 2, 0, 1]);
        assert_eq!(client.place().unwrap(), 2);
    });
}

#[test]
fn a_batch_by_least_loaded_is_shared_out_as_single_sends_are() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (client, ran) = runners(&engine, 2);
        let gate = Gate::new();
        for instance in client.instances() {
            client.pin(instance).hold(gate.clone()).unwrap();
        }
        gate.await_arrivals(2);
        assert_eq!(client.least_loaded().send_all(runs(0..100)).unwrap(), 100);
        gate.open();
        let places = places(&ran, 100);
        assert_eq!(places.iter().filter(|&&place| place == 0).count(), 50);
        assert_eq!(client.place().unwrap(), 0, "the turn did not move");
    });
}

#[test]
fn of_a_mixed_batch_an_ended_instance_passes_on_what_was_in_turn() {
    for keyed_first in [false, true] {
        bounded(move || {
            let engine = ActorEngine::new();
            let (client, ran) = runners(&engine, 2);
            let cabinet = (0_u64..).find(|cabinet| client.keyed(cabinet).place().unwrap() == 0).unwrap();
            let first = client.pin(client.instances()[0]);
            let gate = Gate::new();
            first.hold(gate.clone()).unwrap();
            gate.await_arrivals(1);
            first.leave().unwrap();
            // Ten by their key to the one that will have left, and ten in turn, five of them to it.
            let batch = (0..20).map(|task| {
                if (task % 2 == 0) == keyed_first {
                    TaskMessage::File { task, cabinet }
                } else {
                    TaskMessage::Run { task }
                }
            });
            assert_eq!(client.send_all(batch).unwrap(), 20);
            gate.open();
            engine.settle();
            let mut handled: Vec<_> = ran.try_iter().collect();
            handled.sort_unstable();
            let in_turn = (0..20).filter(|task| (task % 2 == 0) != keyed_first);
            assert!(handled.into_iter().eq(in_turn.map(|task| (task, 1))));
            assert_eq!(engine.stats().dead_letters, 10);
        });
    }
}

#[test]
fn a_batch_to_a_stopped_engine_comes_back_whole_and_in_order() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (client, ran) = runners(&engine, 3);
        let pinned = client.pin(client.instances()[0]);
        engine.shutdown().unwrap();
        for client in [client.clone(), pinned, client.least_loaded(), client.keyed(&3_u64)] {
            let refused = client.send_all(runs(0..50)).unwrap_err();
            assert!(matches!(refused, SendError::Stopped(_)));
            assert!(tasks(refused.into_inner()).into_iter().eq(0..50));
        }
        assert!(ran.try_recv().is_err());
    });
}

#[test]
fn what_a_batch_could_not_place_comes_back_and_the_rest_was_handled() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (client, ran) = runners(&engine, 3);
        // The engine stops while the batch is drawn from its iterator.
        let handle = engine.handle();
        let batch = runs(0..500).inspect(|message| {
            if matches!(message, TaskMessage::Run { task: 250 }) {
                handle.stop();
            }
        });
        let refused = client.send_all(batch).unwrap_err();
        assert!(matches!(refused, SendError::Stopped(_)));
        let back = refused.into_inner();
        assert!(back.len() >= 249, "accepted after the stop: {}", back.len());
        engine.wait();
        let accepted = u32::try_from(500 - back.len()).unwrap();
        assert!(tasks(back).into_iter().eq(accepted..500), "the rest, in order");
        let mut handled: Vec<_> = ran.try_iter().map(|(task, _)| task).collect();
        handled.sort_unstable();
        assert!(handled.into_iter().eq(0..accepted), "and nothing else was handled");
    });
}

#[test]
fn an_instance_that_leaves_during_a_batch_loses_nothing() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (client, ran) = runners(&engine, 3);
        let leaver = client.pin(client.instances()[1]);
        let batch = runs(0..600).inspect(|message| {
            if matches!(message, TaskMessage::Run { task: 100 }) {
                leaver.leave().unwrap();
                engine.settle();
            }
        });
        assert_eq!(client.send_all(batch).unwrap(), 600);
        let mut handled: Vec<_> = receive_many(&ran, 600).into_iter().map(|(task, _)| task).collect();
        handled.sort_unstable();
        assert!(handled.into_iter().eq(0..600));
        engine.settle();
        assert!(ran.try_recv().is_err());
        assert_eq!(engine.stats().dead_letters, 0);
    });
}

#[test]
fn an_iterator_may_use_the_engine_while_it_is_drawn() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (client, ran) = runners(&engine, 3);
        let batch = (0..10).map(|task| {
            client.run(100 + task).unwrap();
            assert_eq!(client.broadcast(TaskMessage::Run { task: 200 }).unwrap(), 3);
            client.place().unwrap();
            TaskMessage::Run { task }
        });
        assert_eq!(client.send_all(batch).unwrap(), 10);
        receive_many(&ran, 10 + 10 + 30);
    });
}

/// Counts its drops.
#[actor]
enum ParcelMessage {
    Deliver {
        guard: zctor_tests::DropGuard,
    },
    #[reply(u64)]
    Delivered,
    Hold {
        gate: Gate,
    },
}

#[derive(Default)]
struct Postman {
    delivered: u64,
}

impl ParcelHandler for Postman {
    fn deliver(&mut self, guard: zctor_tests::DropGuard) {
        self.delivered += 1;
        drop(guard);
    }

    fn delivered(&mut self) -> u64 {
        self.delivered
    }

    fn hold(&mut self, gate: Gate) {
        gate.pass();
    }
}

#[test]
fn a_panic_of_the_iterator_reaches_the_sender_and_leaves_the_engine_whole() {
    bounded(|| {
        let engine = ActorEngine::new();
        let parcel = engine.pool(1, ParcelMessage::actor(Postman::default)).unwrap();
        let made = Cell::new(0);
        let dropped = Counter::new();
        let batch = (0..100).map(|index| {
            assert!(index < 40, "the depot is empty");
            made.set(made.get() + 1);
            ParcelMessage::Deliver { guard: dropped.guard() }
        });
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| parcel.send_all(batch)));
        let payload = outcome.map(|_| ()).unwrap_err();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"the depot is empty"));

        engine.settle();
        assert_eq!(made.get(), 40);
        assert_eq!(dropped.get(), 40, "each that was made is dropped once");
        assert!(parcel.delivered().unwrap() <= 40);
        let batch = (0..10).map(|_| ParcelMessage::Deliver { guard: dropped.guard() });
        assert_eq!(parcel.send_all(batch).unwrap(), 10);
        engine.settle();
        assert_eq!(dropped.get(), 50);
    });
}

#[test]
fn a_batch_is_queued_when_send_all_returns() {
    bounded(|| {
        let engine = ActorEngine::new();
        let parcel = engine.pool(1, ParcelMessage::actor(Postman::default)).unwrap();
        let gate = Gate::new();
        parcel.hold(gate.clone()).unwrap();
        gate.await_arrivals(1);
        let dropped = Counter::new();
        let batch: Vec<_> = (0..100).map(|_| ParcelMessage::Deliver { guard: dropped.guard() }).collect();
        assert_eq!(parcel.send_all(batch).unwrap(), 100);
        assert_eq!(engine.stats().queued(), 101, "the batch, and the one at the gate");
        gate.open();
        assert_eq!(parcel.delivered().unwrap(), 100);
    });
}

/// A chore takes a moment until nobody needs it to take one.
#[actor]
enum ChoreMessage {
    Work { done: Counter, enough: Counter },
}

struct Chore;

impl ChoreHandler for Chore {
    fn work(&mut self, done: Counter, enough: Counter) {
        done.increment();
        if enough.get() == 0 {
            let (_never, nothing) = mpsc::channel::<()>();
            let _ = nothing.recv_timeout(Duration::from_millis(1));
        }
    }
}

#[actor]
enum EchoMessage {
    #[reply(())]
    Hold { gate: Gate },
}

struct Echo;

impl EchoHandler for Echo {
    fn hold(&mut self, gate: Gate) {
        gate.pass();
    }
}

#[actor(calls(ChoreMessage, EchoMessage))]
enum ForemanMessage {
    /// Sends a batch of chores to a neighbour on its thread, and waits for another thread.
    #[reply((Result<(), CallError>, u64))]
    Wait { gate: Gate, limit: Duration },
}

struct Foreman;

impl ForemanHandler for Foreman {
    fn wait(&mut self, ctx: &mut Context<ForemanMessage>, gate: Gate, limit: Duration) -> (Result<(), CallError>, u64) {
        let (done, enough) = (Counter::new(), Counter::new());
        let chore = ctx.client::<ChoreMessage>().expect("the neighbour lives");
        let batch = (0..CHORES).map(|_| ChoreMessage::Work { done: done.clone(), enough: enough.clone() });
        chore.send_all(batch).expect("the neighbour lives");
        let reply = ctx.client::<EchoMessage>().expect("the echo lives").within(limit).hold(gate);
        enough.increment();
        (reply, done.get())
    }
}

#[test]
fn a_wait_ends_between_two_messages_of_a_batch() {
    bounded(|| {
        let engine = ActorEngine::new();
        let thread = ActorThread::new().register(ForemanMessage::actor(|| Foreman));
        engine.spawn(thread.register(ChoreMessage::actor(|| Chore))).unwrap();
        engine.pool(1, EchoMessage::actor(|| Echo)).unwrap();
        let gate = Gate::new();
        // Its deadline ends one wait, a reply the other.
        let (reply, done) = engine.call(ForemanMessage::wait(gate.clone(), Duration::from_millis(20))).unwrap();
        assert!(matches!(reply, Err(CallError::Timeout { message: "EchoMessage", .. })), "{reply:?}");
        assert!(done < CHORES, "the wait lasted until the batch was done");
        gate.open();
        let (reply, done) = engine.call(ForemanMessage::wait(gate, zctor_tests::LIMIT)).unwrap();
        assert_eq!(reply, Ok(()));
        assert!(done < CHORES, "the wait lasted until the batch was done");
        assert_eq!(engine.shutdown().unwrap().left, 0);
    });
}
