//! Actors of each call depth, each of whose messages says itself what its handler is to do.

use std::sync::{Arc, Mutex, PoisonError};

use zctor::{ActorEngine, ActorThread, CallError, Context, actor};
use zctor_tests::Gate;

pub(crate) const TIMES: usize = if cfg!(miri) { 3 } else { 100 };

/// What a handler is to do, so that each test says so itself.
pub(crate) type Job<M> = Box<dyn FnOnce(&mut Context<M>) + Send>;

/// The callee of depth 0.
#[actor]
pub(crate) enum TallyMessage {
    #[reply(u64)]
    Increment,
    #[reply(u64)]
    Count,
    Add(u64),
    #[reply(())]
    Hold(Gate),
    #[reply(())]
    Fail,
}

#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) count: u64,
}

impl TallyHandler for Tally {
    fn increment(&mut self) -> u64 {
        self.count += 1;
        self.count
    }
    fn count(&mut self) -> u64 {
        self.count
    }
    fn add(&mut self, amount: u64) {
        self.count += amount;
    }
    fn hold(&mut self, gate: Gate) {
        gate.pass();
    }
    fn fail(&mut self) {
        panic!("the tally fails");
    }
}

#[actor]
#[derive(Clone)]
pub(crate) enum BellMessage {
    Ring,
    #[reply(u64)]
    Rings,
}

#[derive(Default)]
pub(crate) struct Bell {
    pub(crate) rings: u64,
}

impl BellHandler for Bell {
    fn ring(&mut self) {
        self.rings += 1;
    }
    fn rings(&mut self) -> u64 {
        self.rings
    }
}

/// Depth 0: declares nobody, so it may wait for nobody.
#[actor(ctx)]
pub(crate) enum LowMessage {
    #[reply(())]
    Run(Job<LowMessage>),
    Later(Job<LowMessage>),
}

pub(crate) struct Low;

impl LowHandler for Low {
    fn run(&mut self, ctx: &mut Context<LowMessage>, job: Job<LowMessage>) {
        job(ctx);
    }
    fn later(&mut self, ctx: &mut Context<LowMessage>, job: Job<LowMessage>) {
        job(ctx);
    }
}

/// Depth 1.
#[actor(calls(TallyMessage))]
pub(crate) enum MidMessage {
    #[reply(())]
    Run(Job<MidMessage>),
    Later(Job<MidMessage>),
}

pub(crate) struct Mid;

impl MidHandler for Mid {
    fn run(&mut self, ctx: &mut Context<MidMessage>, job: Job<MidMessage>) {
        job(ctx);
    }
    fn later(&mut self, ctx: &mut Context<MidMessage>, job: Job<MidMessage>) {
        job(ctx);
    }
}

/// Depth 2.
#[actor(calls(MidMessage, TallyMessage))]
pub(crate) enum TopMessage {
    #[reply(())]
    Run(Job<TopMessage>),
    Later(Job<TopMessage>),
}

pub(crate) struct Top;

impl TopHandler for Top {
    fn run(&mut self, ctx: &mut Context<TopMessage>, job: Job<TopMessage>) {
        job(ctx);
    }
    fn later(&mut self, ctx: &mut Context<TopMessage>, job: Job<TopMessage>) {
        job(ctx);
    }
}

/// Depth 2 as well, and no kin of the top.
#[actor(calls(MidMessage))]
pub(crate) enum PeerMessage {
    Later(Job<PeerMessage>),
    #[reply(())]
    Run(Job<PeerMessage>),
}

pub(crate) struct Peer;

impl PeerHandler for Peer {
    fn later(&mut self, ctx: &mut Context<PeerMessage>, job: Job<PeerMessage>) {
        job(ctx);
    }
    fn run(&mut self, ctx: &mut Context<PeerMessage>, job: Job<PeerMessage>) {
        job(ctx);
    }
}

#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(what.into());
    }
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(crate) fn is_undeclared<R>(result: &Result<R, CallError>, callee: &str) -> bool {
    matches!(result, Err(CallError::Undeclared { message, .. }) if *message == callee)
}

/// An engine with the tally on a thread, and one instance of each depth on threads of their own.
pub(crate) fn engine_of_all() -> ActorEngine {
    let engine = ActorEngine::new();
    for thread in [
        ActorThread::new().register(TallyMessage::actor(Tally::default)),
        ActorThread::new().register(LowMessage::actor(|| Low)),
        ActorThread::new().register(MidMessage::actor(|| Mid)),
        ActorThread::new().register(TopMessage::actor(|| Top)),
        ActorThread::new().register(PeerMessage::actor(|| Peer)),
    ] {
        engine.spawn(thread).expect("the factories do not fail");
    }
    engine
}
