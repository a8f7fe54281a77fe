//! Actors that panic wherever they are asked to, and a count of their states.

use std::panic::panic_any;
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, CallError, Context, Restart, actor};
use zctor_tests::{Counter, DropGuard};

/// A payload that is no text.
pub(crate) struct Odd(#[expect(dead_code, reason = "it only makes the payload odd")] pub(crate) u32);

/// A payload whose drop panics as well.
pub(crate) struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the payload's drop panics");
    }
}

#[actor]
pub(crate) enum FragileMessage {
    #[reply(u64)]
    Increment,
    #[reply(u64)]
    Count,
    Add(u64),
    #[reply(())]
    Break(String),
    #[reply(())]
    BreakPlainly,
    #[reply(())]
    BreakOddly,
    #[reply(())]
    BreakBadly,
    BreakUnasked,
    /// A reply whose drop panics, which nobody may be there to take.
    #[reply(Bomb)]
    Bomb,
}

pub(crate) struct Fragile {
    pub(crate) count: u64,
    pub(crate) _dropped: DropGuard,
}

impl FragileHandler for Fragile {
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
    fn r#break(&mut self, text: String) {
        self.count += 1000;
        panic!("{text}");
    }
    fn break_plainly(&mut self) {
        panic!("it breaks");
    }
    fn break_oddly(&mut self) {
        panic_any(Odd(7));
    }
    fn break_badly(&mut self) {
        panic_any(Bomb);
    }
    fn break_unasked(&mut self) {
        panic!("it breaks unasked");
    }
    fn bomb(&mut self) -> Bomb {
        Bomb
    }
}

#[actor(ctx)]
pub(crate) enum NeighbourMessage {
    #[reply(u64)]
    Increment,
}

#[derive(Default)]
pub(crate) struct Neighbour(u64);

impl NeighbourHandler for Neighbour {
    fn increment(&mut self, _: &mut Context<NeighbourMessage>) -> u64 {
        self.0 += 1;
        self.0
    }
}

/// Counts the states that a factory built and those that were dropped.
#[derive(Clone, Default)]
pub(crate) struct States {
    pub(crate) built: Counter,
    pub(crate) dropped: Counter,
}

impl States {
    pub(crate) fn fragile(&self) -> Fragile {
        self.built.increment();
        Fragile { count: 0, _dropped: self.dropped.guard() }
    }
    pub(crate) fn actor(&self) -> zctor::Actor<FragileMessage, Fragile> {
        let states = self.clone();
        FragileMessage::actor(move || states.fragile())
    }
    #[track_caller]
    pub(crate) fn assert_each_dropped_once(&self, built: u64) {
        assert_eq!((self.built.get(), self.dropped.get()), (built, built));
    }
}

#[track_caller]
pub(crate) fn text_of<R>(result: Result<R, CallError>) -> String {
    match result {
        Err(CallError::Panicked { text, message, .. }) => {
            assert_eq!(message, "FragileMessage");
            text.to_string()
        }
        Err(other) => panic!("not a panic: {other}"),
        Ok(_) => panic!("there was no panic"),
    }
}

#[actor(ctx)]
pub(crate) enum HookedMessage {
    Break,
    #[reply(u64)]
    Build,
    Stop,
    Reset,
}

/// Panics in its hooks or its drop, as it is told.
pub(crate) struct Hooked {
    pub(crate) build: u64,
    pub(crate) start: bool,
    pub(crate) stop: bool,
    pub(crate) dropping: bool,
    pub(crate) _dropped: DropGuard,
}

impl HookedHandler for Hooked {
    fn r#break(&mut self, _: &mut Context<HookedMessage>) {
        panic!("the handler panics");
    }
    fn build(&mut self, _: &mut Context<HookedMessage>) -> u64 {
        self.build
    }
    fn stop(&mut self, ctx: &mut Context<HookedMessage>) {
        ctx.stop();
    }
    fn reset(&mut self, ctx: &mut Context<HookedMessage>) {
        ctx.reset();
    }
    fn on_start(&mut self, _: &mut Context<HookedMessage>) {
        assert!(!self.start, "on_start panics");
    }
    fn on_stop(&mut self, _: &mut Context<HookedMessage>) {
        assert!(!self.stop, "on_stop panics");
    }
}

impl Drop for Hooked {
    fn drop(&mut self) {
        assert!(!self.dropping, "the drop panics");
    }
}

/// An engine with one thread: `make`'s states, given the number of the build from 1, and a neighbour.
pub(crate) fn hooked_engine(
    make: impl Fn(u64, DropGuard) -> Hooked + Send + Sync + 'static,
) -> (ActorEngine, HookedClient, NeighbourClient, States) {
    let (engine, states) = (ActorEngine::new(), States::default());
    let counted = states.clone();
    engine
        .spawn(
            ActorThread::new()
                .register(HookedMessage::actor(move || {
                    let build = counted.built.increment() + 1;
                    make(build, counted.dropped.guard())
                }))
                .register(NeighbourMessage::actor(Neighbour::default)),
        )
        .expect("the factories do not fail");
    let hooked = engine.client::<HookedMessage>().expect("it was spawned");
    let neighbour = engine.client::<NeighbourMessage>().expect("it was spawned");
    (engine, hooked, neighbour, states)
}

/// No rest before a rebuild.
pub(crate) fn at_once() -> Restart {
    Restart::always().backoff(Duration::ZERO, Duration::ZERO)
}
