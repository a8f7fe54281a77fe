//! An instance behind a bounded mailbox that stands at a gate, and what is seen of its mailbox from outside.

use std::hash::{Hash, Hasher};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use zctor::{Actor, ActorEngine, ActorThread, CallError, Context, Overflow, actor};
use zctor_tests::{Counter, Gate};

pub(crate) const SHORT: Duration = Duration::from_millis(30);
pub(crate) const ROUNDS: usize = if cfg!(miri) { 2 } else { 100 };
pub(crate) const SENDERS: usize = 4;

pub(crate) type Job = Box<dyn FnOnce(&mut Context<WorkMessage>) + Send>;

#[actor(ctx)]
pub(crate) enum WorkMessage {
    Note(u32),
    #[reply(u32)]
    Ask(u32),
    Hold(Gate),
    Run(Job),
    Break,
}

pub(crate) struct Work {
    pub(crate) notes: Sender<(usize, u32)>,
    pub(crate) thread: usize,
}

impl WorkHandler for Work {
    fn note(&mut self, _: &mut Context<WorkMessage>, number: u32) {
        // A test that has seen enough may be gone.
        let _ = self.notes.send((self.thread, number));
    }
    fn ask(&mut self, _: &mut Context<WorkMessage>, number: u32) -> u32 {
        let _ = self.notes.send((self.thread, number));
        number
    }
    fn hold(&mut self, _: &mut Context<WorkMessage>, gate: Gate) {
        gate.pass();
    }
    fn run(&mut self, ctx: &mut Context<WorkMessage>, job: Job) {
        job(ctx);
    }
    fn r#break(&mut self, _: &mut Context<WorkMessage>) {
        panic!("the work breaks");
    }
    fn on_start(&mut self, ctx: &mut Context<WorkMessage>) {
        self.thread = ctx.thread_id().index();
    }
}

pub(crate) fn work() -> (Actor<WorkMessage, Work>, Receiver<(usize, u32)>) {
    let (notes, noted) = mpsc::channel();
    (WorkMessage::actor(move || Work { notes: notes.clone(), thread: 0 }), noted)
}

/// One instance at a gate, behind which its mailbox is empty.
pub(crate) struct Held {
    pub(crate) engine: ActorEngine,
    pub(crate) work: WorkClient,
    pub(crate) noted: Receiver<(usize, u32)>,
    pub(crate) gate: Gate,
}

pub(crate) fn hold(client: &WorkClient) -> Gate {
    let gate = Gate::new();
    client.hold(gate.clone()).expect("it lives");
    gate.await_arrivals(1);
    gate
}

pub(crate) fn held(bound: usize, overflow: Overflow) -> Held {
    let engine = ActorEngine::new();
    let (actor, noted) = work();
    engine.spawn(ActorThread::new().mailbox_bound(bound).overflow(overflow).register(actor)).expect("it starts");
    let work = engine.client::<WorkMessage>().expect("it lives");
    let gate = hold(&work);
    Held { engine, work, noted, gate }
}

pub(crate) fn full<R>() -> Result<R, CallError> {
    Err(CallError::Full { message: "WorkMessage" })
}

/// How many notes fit now, by a view that does not wait. The mailbox refuses what does not.
pub(crate) fn fit(client: &WorkClient) -> usize {
    let client = client.non_blocking();
    (0..1_000).take_while(|_| client.note(0).is_ok()).count()
}

/// Lets a while pass, in which a sender that waits for room does not return.
pub(crate) fn await_waiting(sender: &thread::ScopedJoinHandle<'_, impl Sized>) {
    // Nothing tells of a sender that waits for room: only that it has not returned after a while.
    let (_never, nothing) = mpsc::channel::<()>();
    let _ = nothing.recv_timeout(SHORT);
    assert!(!sender.is_finished(), "it should wait for room");
}

#[expect(clippy::disallowed_methods, reason = "the test measures a lower bound")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

impl WorkMessage {
    /// For a broadcast to one.
    pub(crate) fn into_each(self) -> impl FnMut(zctor::InstanceId) -> Self {
        let mut only = Some(self);
        move |_| only.take().expect("there is one instance")
    }
}

/// A key whose hash panics for one value.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Touchy(pub(crate) u32);

impl Hash for Touchy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        assert_ne!(self.0, 13, "the key breaks");
        self.0.hash(state);
    }
}

#[actor]
pub(crate) enum KeyedMessage {
    Note {
        #[key]
        key: Touchy,
    },
    Hold(Gate),
}

pub(crate) struct KeyedWork(pub(crate) Counter);

impl KeyedHandler for KeyedWork {
    fn note(&mut self, _: Touchy) {
        self.0.increment();
    }
    fn hold(&mut self, gate: Gate) {
        gate.pass();
    }
}
