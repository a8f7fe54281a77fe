//! Tasks await room in a bounded mailbox: in line with threads, without a thread of their own, and a dropped one gives
//! its place to the next.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, CallError, Context, NonBlocking, Overflow, RoomStats, Undelivered, actor};
use zctor_tests::{Counter, DropGuard, Gate, LIMIT, SplitMix64, bounded, receive};

#[actor(ctx)]
enum DeskMessage {
    Hold(Gate),
    Note(u32),
    /// Ends when the gate is open.
    End(Gate),
    #[reply(u32)]
    Ask(u32),
    #[reply(Vec<u32>)]
    Noted,
}

#[derive(Default)]
struct Desk(Vec<u32>);

impl DeskHandler for Desk {
    fn hold(&mut self, _: &mut Context<DeskMessage>, gate: Gate) {
        gate.pass();
    }
    fn note(&mut self, _: &mut Context<DeskMessage>, number: u32) {
        self.0.push(number);
    }
    fn end(&mut self, ctx: &mut Context<DeskMessage>, gate: Gate) {
        gate.pass();
        ctx.stop();
    }
    fn ask(&mut self, _: &mut Context<DeskMessage>, number: u32) -> u32 {
        self.0.push(number);
        number
    }
    fn noted(&mut self, _: &mut Context<DeskMessage>) -> Vec<u32> {
        self.0.clone()
    }
}

type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Tells of each wake, by a number.
struct Bell(Mutex<Sender<u32>>, u32);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.lock().expect("nobody panics with it").send(self.1).unwrap_or_default();
    }
}

/// A task that the test polls by hand.
struct Task<T> {
    work: Work<T>,
    waker: Waker,
}

impl<T> Task<T> {
    fn new(number: u32, bell: &Sender<u32>, work: impl Future<Output = T> + Send + 'static) -> Self {
        let bell = Bell(Mutex::new(bell.clone()), number);
        Self { work: Box::pin(work), waker: Waker::from(Arc::new(bell)) }
    }

    fn poll(&mut self) -> Option<T> {
        match self.work.as_mut().poll(&mut TaskContext::from_waker(&self.waker)) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }
}

/// Polls on this thread until the end.
fn block_on<T>(work: impl Future<Output = T>) -> T {
    let (ring, bell) = mpsc::channel();
    let waker = Waker::from(Arc::new(Bell(Mutex::new(ring), 0)));
    let mut work = pin!(work);
    loop {
        match work.as_mut().poll(&mut TaskContext::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => receive(&bell),
        };
    }
}

/// A desk whose mailbox has room for one message. It is full, and the handler waits at the gate.
fn full_desk(engine: &ActorEngine, overflow: Overflow) -> (DeskClient, Gate) {
    let thread = ActorThread::new().mailbox_bound(1).overflow(overflow);
    let desk = engine.start_on(thread, DeskMessage::actor(Desk::default)).expect("a thread starts");
    let gate = Gate::new();
    desk.hold(gate.clone()).expect("there is room");
    gate.await_arrivals(1);
    desk.non_blocking().note(0).expect("there is room for one");
    (desk, gate)
}

fn room(engine: &ActorEngine) -> RoomStats {
    engine.stats().threads[0].room.expect("it has a bound")
}

/// Looks until so many wait for room.
fn await_waiting(engine: &ActorEngine, waiting: usize) {
    while room(engine).waiting != waiting {
        thread::yield_now();
    }
}

#[test]
fn a_task_sends_when_there_is_room_and_holds_no_thread_until_then() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (desk, gate) = full_desk(&engine, Overflow::Wait);
        let (ring, bell) = mpsc::channel();
        let mut task = Task::new(1, &ring, desk.non_blocking().send_async(DeskMessage::Note(1)));
        assert_eq!(room(&engine).waiting, 0, "nothing happens before the first poll");
        assert!(task.poll().is_none());
        assert!(task.poll().is_none(), "a poll that nobody asked for changes nothing");
        let RoomStats { taken, waiting, .. } = room(&engine);
        assert_eq!((taken, waiting), (1, 1));
        gate.open();
        assert_eq!(receive(&bell), 1);
        task.poll().expect("there is room").expect("it lives");
        assert_eq!(desk.noted(), Ok(vec![0, 1]));
        assert_eq!(room(&engine).waiting, 0);
    });
}

#[test]
fn tasks_and_threads_are_woken_in_the_order_in_which_they_came() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (desk, gate) = full_desk(&engine, Overflow::Wait);
        let (ring, bell) = mpsc::channel();
        let send = |number| Task::new(number, &ring, desk.non_blocking().send_async(DeskMessage::Note(number)));
        let (mut first, mut third, mut fourth) = (send(1), send(3), send(4));
        thread::scope(|scope| {
            assert!(first.poll().is_none());
            let second = scope.spawn(|| desk.note(2));
            await_waiting(&engine, 2);
            assert!(third.poll().is_none());
            assert!(fourth.poll().is_none());
            await_waiting(&engine, 4);
            gate.open();
            assert_eq!(receive(&bell), 1, "the first is the first to be woken");
            first.poll().expect("there is room").expect("it lives");
            second.join().expect("it sends").expect("it lives");
            assert_eq!(receive(&bell), 3);
            third.poll().expect("there is room").expect("it lives");
            assert_eq!(receive(&bell), 4);
            fourth.poll().expect("there is room").expect("it lives");
        });
        assert_eq!(desk.noted(), Ok(vec![0, 1, 2, 3, 4]));
    });
}

#[test]
fn a_task_that_is_dropped_gives_its_place_to_the_next_whether_it_was_woken_or_not() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (desk, gate) = full_desk(&engine, Overflow::Wait);
        let (ring, bell) = mpsc::channel();
        let send = |number| Task::new(number, &ring, desk.non_blocking().send_async(DeskMessage::Note(number)));
        let mut tasks: Vec<_> = (1..=4).map(send).collect();
        assert!(tasks.iter_mut().all(|task| task.poll().is_none()));
        drop(tasks.remove(0)); // not woken
        await_waiting(&engine, 3);
        gate.open();
        assert_eq!(receive(&bell), 2);
        drop(tasks.remove(0)); // woken, and not polled
        assert_eq!(receive(&bell), 3);
        drop(tasks.remove(0));
        assert_eq!(receive(&bell), 4);
        tasks[0].poll().expect("there is room").expect("it lives");
        assert_eq!(desk.noted(), Ok(vec![0, 4]), "what was dropped was not sent");
    });
}

#[test]
fn a_task_that_moves_to_another_waker_is_woken_by_that() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (desk, gate) = full_desk(&engine, Overflow::Wait);
        let (ring, bell) = mpsc::channel();
        let mut task = Task::new(1, &ring, desk.non_blocking().send_async(DeskMessage::Note(1)));
        let mut next = Task::new(9, &ring, desk.non_blocking().send_async(DeskMessage::Note(9)));
        assert!(task.poll().is_none());
        assert!(next.poll().is_none());
        task.waker = Waker::from(Arc::new(Bell(Mutex::new(ring.clone()), 2)));
        assert!(task.poll().is_none());
        assert_eq!(room(&engine).waiting, 2, "it has one place");
        gate.open();
        assert_eq!(receive(&bell), 2, "by the last waker, and in its old place");
        task.poll().expect("there is room").expect("it lives");
    });
}

#[actor]
enum ShardMessage {
    Hold {
        #[key]
        key: u32,
        gate: Gate,
    },
    Put {
        #[key]
        key: u32,
    },
    #[reply(thread::ThreadId)]
    Whose {
        #[key]
        key: u32,
    },
}

struct Shard;

impl ShardHandler for Shard {
    fn hold(&mut self, _key: u32, gate: Gate) {
        gate.pass();
    }
    fn put(&mut self, _key: u32) {}
    fn whose(&mut self, _key: u32) -> thread::ThreadId {
        thread::current().id()
    }
}

#[test]
fn the_key_decides_in_which_mailbox_there_must_be_room() {
    bounded(|| {
        let engine = ActorEngine::new();
        let bounded = |_| ActorThread::new().mailbox_bound(1);
        let shards = engine.pool_on(2, bounded, ShardMessage::actor(|| Shard)).expect("threads start");
        let owner = |key| shards.whose(key).expect("it lives");
        let other = (1..).find(|key| owner(*key) != owner(0)).expect("keys are spread");
        let gate = Gate::new();
        shards.hold(0, gate.clone()).expect("there is room");
        gate.await_arrivals(1);
        shards.put(0).expect("there is room for one");

        let (ring, bell) = mpsc::channel();
        let put = |key| Task::new(key, &ring, shards.non_blocking().send_async(ShardMessage::Put { key }));
        let (mut waits, mut goes) = (put(0), put(other));
        assert!(waits.poll().is_none());
        goes.poll().expect("the other has room").expect("it lives");
        // The room of another mailbox is none of its business.
        engine.stats().threads.iter().filter_map(|thread| thread.room).for_each(|room| assert!(room.waiting <= 1));
        gate.open();
        assert_eq!(receive(&bell), 0);
        waits.poll().expect("there is room").expect("it lives");
    });
}

#[test]
fn a_task_that_waits_for_a_key_goes_to_the_instance_that_takes_its_place() {
    bounded(|| {
        let engine = ActorEngine::new();
        engine.on_dead_letter(|_| {});
        let bounded = |_| ActorThread::new().mailbox_bound(1);
        let shards = engine.pool_on(1, bounded, ShardMessage::actor(|| Shard)).expect("a thread starts");
        let before = shards.whose(0).expect("it lives");
        let gate = Gate::new();
        shards.hold(0, gate.clone()).expect("there is room");
        gate.await_arrivals(1);
        shards.put(0).expect("there is room for one");
        let (ring, bell) = mpsc::channel();
        let call = shards.non_blocking().call_async(ShardMessage::whose(0));
        let mut task = Task::new(0, &ring, call);
        assert!(task.poll().is_none());
        engine.replace(shards.instances()[0], ShardMessage::actor(|| Shard)).expect("its place can be filled");
        gate.open();
        let owner = loop {
            receive(&bell);
            if let Some(owner) = task.poll() {
                break owner;
            }
        };
        assert_ne!(owner.expect("the new one answers"), before);
    });
}

#[test]
fn in_turn_a_task_takes_the_room_of_whichever_instance_has_some_first() {
    bounded(|| {
        let engine = ActorEngine::new();
        let bounded = |_| ActorThread::new().mailbox_bound(1);
        let desks = engine.pool_on(2, bounded, DeskMessage::actor(Desk::default)).expect("threads start");
        let gates = [Gate::new(), Gate::new()];
        for gate in &gates {
            desks.hold(gate.clone()).expect("there is room");
            gate.await_arrivals(1);
        }
        (0..2).for_each(|number| desks.note(number).expect("there is room for one each"));
        let (ring, bell) = mpsc::channel();
        let mut task = Task::new(1, &ring, desks.non_blocking().send_async(DeskMessage::Note(7)));
        assert!(task.poll().is_none());
        gates[1].open();
        receive(&bell);
        task.poll().expect("there is room").expect("it lives");
        let second = desks.pin(desks.instances()[1]);
        assert_eq!(second.noted(), Ok(vec![1, 7]));
        gates[0].open();
    });
}

#[test]
fn a_limit_a_shutdown_and_the_end_of_the_instance_end_the_wait_with_the_message() {
    bounded(|| {
        let note = || DeskMessage::Note(1);
        let is_note = |message| matches!(message, DeskMessage::Note(1));

        let engine = ActorEngine::new();
        let (desk, gate) = full_desk(&engine, Overflow::Wait);
        let hurried = desk.within(Duration::from_millis(5)).non_blocking();
        let refused = block_on(hurried.send_async(note())).expect_err("there is no room");
        assert!(refused.is_full() && is_note(refused.into_inner()));
        assert_eq!(block_on(hurried.call_async(DeskMessage::ask(1))), Err(CallError::Full { message: "DeskMessage" }));
        await_waiting(&engine, 0);

        let (ring, bell) = mpsc::channel();
        let mut task = Task::new(1, &ring, desk.non_blocking().send_async(note()));
        assert!(task.poll().is_none());
        engine.handle().stop();
        receive(&bell);
        let refused = task.poll().expect("the wait is over").expect_err("the edge is closed");
        assert!(refused.is_stopped() && is_note(refused.into_inner()));
        gate.open();
        engine.shutdown().expect("it ends");

        let engine = ActorEngine::new();
        engine.on_dead_letter(|_| {});
        let (thread, gate) = (ActorThread::new().mailbox_bound(1), Gate::new());
        let desk = engine.start_on(thread, DeskMessage::actor(Desk::default)).expect("a thread starts");
        desk.end(gate.clone()).expect("there is room");
        gate.await_arrivals(1);
        desk.note(0).expect("there is room for one");
        let mut task = Task::new(1, &ring, desk.non_blocking().send_async(note()));
        assert!(task.poll().is_none());
        gate.open();
        receive(&bell);
        let refused = task.poll().expect("the wait is over").expect_err("it has ended");
        assert!(refused.is_stopped() && is_note(refused.into_inner()));
    });
}

#[test]
fn where_the_mailbox_refuses_or_drops_a_task_does_not_wait() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (desk, gate) = full_desk(&engine, Overflow::Refuse);
        let desk = desk.non_blocking();
        assert!(block_on(desk.send_async(DeskMessage::Note(1))).expect_err("no room").is_full());
        assert!(matches!(block_on(desk.call_async(DeskMessage::ask(1))), Err(CallError::Full { .. })));
        gate.open();
        engine.shutdown().expect("it ends");

        let engine = ActorEngine::new();
        let (dead, letters) = mpsc::channel();
        engine.on_dead_letter(move |letter| dead.send(letter.why).unwrap_or_default());
        let (desk, gate) = full_desk(&engine, Overflow::DropNewest);
        let desk = desk.non_blocking();
        block_on(desk.send_async(DeskMessage::Note(1))).expect("dropped, and told as a dead letter");
        assert_eq!(receive(&letters), Undelivered::Full);
        assert!(matches!(block_on(desk.call_async(DeskMessage::ask(1))), Err(CallError::Full { .. })));
        assert_eq!(receive(&letters), Undelivered::Full);
        gate.open();
    });
}

#[test]
fn a_call_awaits_room_and_reply_under_one_limit_and_is_given_up_with_its_future() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (desk, gate) = full_desk(&engine, Overflow::Wait);
        let (ring, bell) = mpsc::channel();
        let mut asks = Task::new(1, &ring, desk.non_blocking().call_async(DeskMessage::ask(7)));
        assert!(asks.poll().is_none());
        gate.open();
        receive(&bell);
        let answer = loop {
            match asks.poll() {
                Some(answer) => break answer,
                None => receive(&bell),
            };
        };
        assert_eq!(answer, Ok(7));

        // The room is there at once, and the time is up before the reply.
        let gate = Gate::new();
        desk.hold(gate.clone()).expect("there is room");
        gate.await_arrivals(1);
        let hurried = desk.within(Duration::from_millis(5)).non_blocking();
        let late = block_on(hurried.call_async(DeskMessage::ask(8)));
        assert_eq!(late, Err(CallError::Timeout { message: "DeskMessage", begun: false }));
        gate.open();

        // Dropped when it is under way.
        let gate = Gate::new();
        desk.hold(gate.clone()).expect("there is room");
        gate.await_arrivals(1);
        let mut asks = Task::new(1, &ring, desk.non_blocking().call_async(DeskMessage::ask(9)));
        assert!(asks.poll().is_none());
        assert_eq!(room(&engine).taken, 1, "it was sent");
        drop(asks);
        gate.open();
        assert_eq!(desk.noted(), Ok(vec![0, 7]));
        assert_eq!(engine.shutdown().expect("it ends").skipped, 2);
    });
}

#[actor(calls(DeskMessage))]
enum ClerkMessage {
    /// Tells when the first message is sent, and gives the reply to the second.
    #[reply(Result<u32, CallError>)]
    Pass(Sender<bool>),
}

struct Clerk(DeskClient<NonBlocking>);

impl ClerkHandler for Clerk {
    fn pass(&mut self, _: &mut Context<ClerkMessage>, tell: Sender<bool>) -> Result<u32, CallError> {
        let sent = block_on(self.0.send_async(DeskMessage::Note(1)));
        tell.send(sent.is_ok()).unwrap_or_default();
        block_on(self.0.call_async(DeskMessage::ask(2)))
    }
}

#[test]
fn in_a_handler_there_is_always_room() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (desk, gate) = full_desk(&engine, Overflow::Wait);
        let client = desk.non_blocking();
        let clerk = engine.start(ClerkMessage::actor(move || Clerk(client.clone()))).expect("it starts");
        let (tell, told) = mpsc::channel();
        let passed = clerk.non_blocking().pass(tell);
        assert!(receive(&told), "in a full mailbox");
        assert_eq!(room(&engine).taken, 1);
        gate.open();
        assert_eq!(passed.wait(), Ok(Ok(2)));
        assert_eq!(desk.noted(), Ok(vec![0, 1, 2]));
    });
}

/// A task whose `wake` polls it on the spot.
struct Inline(Mutex<Option<Work<()>>>);

impl Wake for Inline {
    fn wake(self: Arc<Self>) {
        let mut work = self.0.lock().expect("nobody panics with it");
        let waker = Waker::from(Arc::clone(&self));
        let is_done = |work: &mut Work<()>| work.as_mut().poll(&mut TaskContext::from_waker(&waker)).is_ready();
        if work.as_mut().is_some_and(is_done) {
            *work = None;
        }
    }
}

#[test]
fn a_task_that_is_polled_inside_a_waker_takes_room_as_any_other() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (desk, gate) = full_desk(&engine, Overflow::Wait);
        let (tell, told) = mpsc::channel();
        let last = Gate::new();
        let messages = [DeskMessage::Hold(last.clone()), DeskMessage::Note(2), DeskMessage::Note(3)];
        for (number, message) in messages.into_iter().enumerate() {
            let (tell, sending) = (tell.clone(), desk.non_blocking().send_async(message));
            let work = async move { tell.send((number, sending.await.is_ok())).unwrap_or_default() };
            Arc::new(Inline(Mutex::new(Some(Box::pin(work))))).wake();
        }
        gate.open();
        // The desk's own thread polls the first and the second, since it wakes them.
        last.await_arrivals(1);
        assert_eq!((receive(&told), receive(&told)), ((0, true), (1, true)));
        let RoomStats { taken, waiting, .. } = room(&engine);
        assert_eq!((taken, waiting), (1, 1), "the third waits for room");
        last.open();
        assert_eq!(receive(&told), (2, true));
        assert_eq!(desk.noted(), Ok(vec![0, 2, 3]));
    });
}

#[test]
fn a_task_that_a_stop_refuses_inside_a_waker_asks_the_engine_there() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (desk, gate) = full_desk(&engine, Overflow::Wait);
        let (handle, sending) = (engine.handle(), desk.non_blocking().send_async(DeskMessage::Note(1)));
        let (tell, told) = mpsc::channel();
        let work = async move {
            let is_stopped = sending.await.is_err_and(|error| error.is_stopped());
            handle.stop();
            tell.send((is_stopped, handle.stats().threads.len())).unwrap_or_default();
        };
        Arc::new(Inline(Mutex::new(Some(Box::pin(work))))).wake();
        await_waiting(&engine, 1);
        engine.handle().stop();
        assert_eq!(receive(&told), (true, 1));
        gate.open();
        assert_eq!(engine.shutdown().expect("it ends").handled(), 2);
    });
}

// A storm.

const TASKS: usize = if cfg!(miri) { 20 } else { 1_000 };
const EACH: usize = 10;
const BOUND: usize = 8;
const WORKERS: usize = 3;

#[actor]
enum StormMessage {
    Count(DropGuard),
    #[reply(())]
    Ask(DropGuard),
}

struct Storm(Counter);

impl StormHandler for Storm {
    fn count(&mut self, _guard: DropGuard) {
        self.0.increment();
    }
    fn ask(&mut self, _guard: DropGuard) {
        self.0.increment();
    }
}

/// A task in the queue of an executor with several threads.
struct Queued {
    work: Mutex<Option<Work<()>>>,
    queue: Sender<Arc<Queued>>,
}

impl Wake for Queued {
    fn wake(self: Arc<Self>) {
        let queue = self.queue.clone();
        queue.send(self).unwrap_or_default();
    }
}

/// Polls what comes until so many tasks have ended.
fn work_off(queue: &Mutex<Receiver<Arc<Queued>>>, ended: &Counter) {
    while ended.get() < TASKS as u64 {
        let next = queue.lock().expect("nobody panics with it").recv_timeout(Duration::from_millis(10));
        let Ok(task) = next else { continue };
        let waker = Waker::from(Arc::clone(&task));
        let mut work = task.work.lock().expect("nobody panics with it");
        if work.as_mut().is_some_and(|work| work.as_mut().poll(&mut TaskContext::from_waker(&waker)).is_ready()) {
            *work = None;
            ended.increment();
        }
    }
}

/// Polls a future a few times, and drops it then.
async fn a_few_polls<T>(work: impl Future<Output = T>, polls: usize) -> Option<T> {
    let (mut work, mut left) = (pin!(work), polls);
    poll_fn(|task| match work.as_mut().poll(task) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            task.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await
}

#[derive(Clone, Default)]
struct Tally {
    made: Counter,
    dropped: Counter,
    accepted: Counter,
    handled: Counter,
}

async fn storm(client: StormClient<NonBlocking>, tally: Tally, seed: usize) {
    let mut random = SplitMix64::new(seed as u64);
    for _ in 0..EACH {
        tally.made.increment();
        let guard = tally.dropped.guard();
        let accepted = match random.below(8) {
            0 => {
                let hurried = client.within(Duration::from_micros(random.below(500) as u64));
                match hurried.send_async(StormMessage::Count(guard)).await {
                    Ok(()) => true,
                    Err(error) if error.is_full() => false,
                    Err(error) => panic!("{error}"),
                }
            }
            1 => {
                let sending = client.send_async(StormMessage::Count(guard));
                a_few_polls(sending, random.below(3)).await.is_some_and(|sent| sent.is_ok())
            }
            2 => client.call_async(StormMessage::ask(guard)).await.is_ok(),
            _ => client.send_async(StormMessage::Count(guard)).await.is_ok(),
        };
        if accepted {
            tally.accepted.increment();
        }
    }
}

#[test]
fn a_thousand_tasks_hold_a_mailbox_at_its_bound_and_lose_nothing() {
    bounded(|| {
        let (engine, tally) = (ActorEngine::new(), Tally::default());
        let handled = tally.handled.clone();
        let actor = StormMessage::actor(move || Storm(handled.clone()));
        let client = engine.start_on(ActorThread::new().mailbox_bound(BOUND), actor).expect("a thread starts");
        let (queue, tasks) = mpsc::channel();
        for seed in 0..TASKS {
            let work: Work<()> = Box::pin(storm(client.non_blocking(), tally.clone(), seed));
            Arc::new(Queued { work: Mutex::new(Some(work)), queue: queue.clone() }).wake();
        }
        let (tasks, ended) = (Mutex::new(tasks), Counter::new());
        thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| work_off(&tasks, &ended));
            }
            // Threads in the same line.
            for _ in 0..2 {
                let (client, tally) = (client.clone(), tally.clone());
                scope.spawn(move || {
                    for _ in 0..TASKS / 10 {
                        tally.made.increment();
                        client.count(tally.dropped.guard()).expect("it waits for room");
                        tally.accepted.increment();
                    }
                });
            }
            while ended.get() < TASKS as u64 {
                let room = room(&engine);
                assert!(room.taken <= BOUND, "{room:?}");
                thread::yield_now();
            }
        });
        engine.settle();
        let RoomStats { taken, waiting, .. } = room(&engine);
        assert_eq!((taken, waiting), (0, 0), "all the room is back, and nobody is in line");
        assert_eq!(tally.handled.get(), tally.accepted.get());
        drop(engine.shutdown_timeout(LIMIT));
        assert_eq!(tally.dropped.get(), tally.made.get());
        assert!(tally.accepted.get() > (TASKS * EACH / 2) as u64);
    });
}
