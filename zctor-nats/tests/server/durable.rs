//! A message that a work queue has stored is handled at least once, or is a dead letter of the queue with its reason.

mod bound;
mod killed;
mod refused;
mod settled;
mod stream;

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zctor::{ActorEngine, ReplyTo, actor, now};
use zctor_nats::{Bridge, QueueBooks, WorkQueue};
use zctor_tests::{Gate, LIMIT};

use crate::nats::Server;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Declined {
    order: u64,
}

#[actor(remote)]
#[derive(Clone, Serialize, Deserialize)]
enum TaskMessage {
    #[msg(durable)]
    #[reply(Result<(), Declined>)]
    Do(u64),
    #[msg(durable)]
    #[reply((), deferred)]
    Later(u64),
    #[reply(u64)]
    Ask(u64),
    Note(u64),
}

/// A handler's word to its test.
enum Told {
    Did(u64),
    Later(ReplyTo<()>),
    Noted(u64),
}

/// The answer of a handler, by how often the number of its message has come.
type Course = fn(order: u64, tried: usize) -> Result<(), Declined>;

struct Task {
    told: mpsc::Sender<Told>,
    gate: Gate,
    course: Course,
    tried: Vec<u64>,
}

impl TaskHandler for Task {
    fn r#do(&mut self, value: u64) -> Result<(), Declined> {
        self.tried.push(value);
        self.told.send(Told::Did(value)).unwrap_or_default();
        self.gate.pass();
        (self.course)(value, self.tried.iter().filter(|tried| **tried == value).count())
    }
    fn later(&mut self, _value: u64, reply: ReplyTo<()>) {
        self.told.send(Told::Later(reply)).unwrap_or_default();
    }
    fn ask(&mut self, value: u64) -> u64 {
        value + 1
    }
    fn note(&mut self, value: u64) {
        self.told.send(Told::Noted(value)).unwrap_or_default();
    }
}

/// Everything goes well.
const WELL: Course = |_, _| Ok(());

/// A process that serves a queue, though it is a part of this one.
struct Serving {
    engine: ActorEngine,
    bridge: Bridge,
    told: mpsc::Receiver<Told>,
    gate: Gate,
}

impl Serving {
    /// Its handlers do not wait.
    fn start(server: &Server, queue: &WorkQueue, course: Course) -> Self {
        let serving = Self::start_held(server, queue, course);
        serving.gate.open();
        serving
    }

    /// Its handlers wait at the gate.
    fn start_held(server: &Server, queue: &WorkQueue, course: Course) -> Self {
        Self::start_held_by(server.bridge(), queue, course)
    }

    fn start_held_by(bridge: Bridge, queue: &WorkQueue, course: Course) -> Self {
        let (tell, told) = mpsc::channel();
        let (engine, gate) = (ActorEngine::new(), Gate::new());
        let inside = gate.clone();
        let task = move || Task { told: tell.clone(), gate: inside.clone(), course, tried: Vec::new() };
        engine.pool(1, TaskMessage::actor(task)).expect("a pool");
        engine.on_panic(|_| {});
        bridge.serve_durable::<TaskMessage>(&engine, queue).expect("the server has streams");
        Self { engine, bridge, told, gate }
    }

    fn did(&self) -> u64 {
        match self.told.recv_timeout(LIMIT) {
            Ok(Told::Did(value)) => value,
            _ => panic!("no message came"),
        }
    }

    /// The books, once all that came is settled and as many are as the test expects.
    fn await_books(&self, handled: u64, dead: u64) -> QueueBooks {
        until(|| {
            let books = self.bridge.queue_books();
            books.under_way() == 0 && books.handled >= handled && books.dead >= dead
        });
        let books = self.bridge.queue_books();
        assert_eq!((books.handled, books.dead), (handled, dead), "{books}");
        books
    }
}

/// A process that fills a queue, though it is a part of this one.
struct Filling {
    engine: ActorEngine,
    bridge: Bridge,
    task: TaskClient,
}

impl Filling {
    fn start(server: &Server, queue: &WorkQueue) -> Self {
        Self::start_by(server.bridge(), queue)
    }

    fn start_by(bridge: Bridge, queue: &WorkQueue) -> Self {
        let engine = ActorEngine::new();
        let task = bridge.attach_durable::<TaskMessage>(&engine, queue).expect("the server has streams");
        Self { engine, bridge, task }
    }

    /// Sends these, and waits until each is stored or a dead letter.
    fn fill(&self, orders: impl IntoIterator<Item = u64>) -> zctor::remote::Books {
        for order in orders {
            self.task.send(TaskMessage::Do(order)).expect("the link takes it");
        }
        self.engine.settle();
        self.bridge.flush(LIMIT)
    }
}

/// The queue of the tests.
fn jobs() -> WorkQueue {
    WorkQueue::new("jobs").backoff(Duration::from_millis(10)).ack_wait(Duration::from_secs(2))
}

/// Waits until this holds.
fn until(mut holds: impl FnMut() -> bool) {
    let begun = now();
    while !holds() {
        assert!(now() - begun < LIMIT, "it does not come to hold");
        thread::park_timeout(Duration::from_millis(2));
    }
}
