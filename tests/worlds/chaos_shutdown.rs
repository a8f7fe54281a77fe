//! A shutdown in the middle of random traffic: each message is accounted for, each call ends, nothing leaks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use zctor::{ActorEngine, ActorThread, CallError, Context, Pending, Report, ShutdownError, actor};
use zctor_tests::{Counter, DropGuard, LIMIT, SplitMix64, expect_panics, within};

const ROUNDS: u64 = if cfg!(miri) { 2 } else { 200 };
const SENDERS: u64 = 3;
const EACH: usize = if cfg!(miri) { 10 } else { 40 };

type Ended = Result<Report, ShutdownError>;

#[expect(clippy::disallowed_methods, reason = "the wait is bounded")]
fn now() -> Instant {
    Instant::now()
}

/// What is counted in one round.
#[derive(Clone, Default)]
struct Tally {
    made: Counter,
    dropped: Counter,
    accepted: Counter,
    handled: Counter,
    states: Counter,
    ended: Counter,
}

/// Goes with every message: counts it, its drop, and says what its handler is to do.
struct Ticket {
    tally: Tally,
    seed: u64,
    life: u32,
    calls: bool,
    _dropped: DropGuard,
}

impl Ticket {
    fn new(tally: &Tally, seed: u64, life: u32, calls: bool) -> Self {
        tally.made.increment();
        Self { tally: tally.clone(), seed, life, calls, _dropped: tally.dropped.guard() }
    }

    fn child(&self, seed: u64) -> Self {
        Self::new(&self.tally, seed, self.life - 1, self.calls)
    }
}

fn count_send<E>(tally: &Tally, result: &Result<(), E>) {
    if result.is_ok() {
        tally.accepted.increment();
    }
}

/// A call that was answered was accepted. One that was not, under a shutdown without deadline, was refused.
fn count_call(tally: &Tally, result: &Result<u64, CallError>) {
    match result {
        Ok(_) | Err(CallError::Panicked { .. }) => {
            tally.accepted.increment();
        }
        Err(CallError::Stopped { .. }) => {}
        Err(other) => panic!("the call ended with: {other}"),
    }
}

#[actor(ctx)]
enum LeafMessage {
    Work(Ticket),
    #[reply(u64)]
    Ask(Ticket),
}

#[actor(calls(LeafMessage))]
enum BranchMessage {
    Work(Ticket),
    #[reply(u64)]
    Ask(Ticket),
}

#[actor(calls(BranchMessage, LeafMessage))]
enum RootMessage {
    Work(Ticket),
    #[reply(u64)]
    Ask(Ticket),
}

struct State {
    tally: Tally,
    _ended: DropGuard,
}

impl State {
    fn new(tally: &Tally) -> Self {
        tally.states.increment();
        Self { tally: tally.clone(), _ended: tally.ended.guard() }
    }

    /// Counts the message as begun, and gives the dice of its handler.
    fn begin(&self, ticket: &Ticket) -> SplitMix64 {
        self.tally.handled.increment();
        SplitMix64::new(ticket.seed)
    }
}

/// Sends on at random, whichever type the handler is of.
fn send_on<M: zctor::Message>(ctx: &Context<M>, ticket: &Ticket, dice: &mut SplitMix64) {
    if ticket.life == 0 {
        return;
    }
    for _ in 0..dice.below(3) {
        let child = ticket.child(dice.next_u64());
        match dice.below(3) {
            0 => count_send(&ticket.tally, &ctx.send(LeafMessage::Work(child))),
            1 => count_send(&ticket.tally, &ctx.send(BranchMessage::Work(child))),
            _ => count_send(&ticket.tally, &ctx.send(RootMessage::Work(child))),
        }
    }
}

fn panic_at_random(dice: &mut SplitMix64) {
    assert!(dice.below(150) != 0, "at random");
}

impl LeafHandler for State {
    fn work(&mut self, ctx: &mut Context<LeafMessage>, ticket: Ticket) {
        LeafHandler::ask(self, ctx, ticket);
    }
    fn ask(&mut self, ctx: &mut Context<LeafMessage>, ticket: Ticket) -> u64 {
        let mut dice = self.begin(&ticket);
        send_on(ctx, &ticket, &mut dice);
        panic_at_random(&mut dice);
        ticket.seed
    }
}

impl BranchHandler for State {
    fn work(&mut self, ctx: &mut Context<BranchMessage>, ticket: Ticket) {
        BranchHandler::ask(self, ctx, ticket);
    }
    fn ask(&mut self, ctx: &mut Context<BranchMessage>, ticket: Ticket) -> u64 {
        let mut dice = self.begin(&ticket);
        send_on(ctx, &ticket, &mut dice);
        if ticket.calls && ticket.life > 0 && dice.below(3) == 0 {
            count_call(&ticket.tally, &ctx.call(LeafMessage::ask(ticket.child(dice.next_u64()))));
        }
        panic_at_random(&mut dice);
        ticket.seed
    }
}

impl RootHandler for State {
    fn work(&mut self, ctx: &mut Context<RootMessage>, ticket: Ticket) {
        RootHandler::ask(self, ctx, ticket);
    }
    fn ask(&mut self, ctx: &mut Context<RootMessage>, ticket: Ticket) -> u64 {
        let mut dice = self.begin(&ticket);
        send_on(ctx, &ticket, &mut dice);
        if ticket.calls && ticket.life > 0 {
            match dice.below(4) {
                0 => count_call(&ticket.tally, &ctx.call(LeafMessage::ask(ticket.child(dice.next_u64())))),
                1 => count_call(&ticket.tally, &ctx.call(BranchMessage::ask(ticket.child(dice.next_u64())))),
                _ => {}
            }
        }
        panic_at_random(&mut dice);
        ticket.seed
    }
}

/// Three threads, each with one to three actors of random types, and one of each type at least.
fn engine(tally: &Tally, dice: &mut SplitMix64) -> ActorEngine {
    let engine = ActorEngine::new();
    for number in 0..3 {
        let mut thread = ActorThread::new();
        for place in 0..=dice.below(3) {
            let tally = tally.clone();
            thread = match if place == 0 { number } else { dice.below(3) } {
                0 => thread.register(LeafMessage::actor(move || State::new(&tally))),
                1 => thread.register(BranchMessage::actor(move || State::new(&tally))),
                _ => thread.register(RootMessage::actor(move || State::new(&tally))),
            };
        }
        engine.spawn(thread).expect("the factories do not fail");
    }
    engine
}

/// One outside sender: sends, calls and requests until it is refused or done.
fn send_from_outside(engine: &ActorEngine, tally: &Tally, mut dice: SplitMix64, calls: bool, go: &AtomicBool) {
    let handle = engine.handle();
    let mut pendings: Vec<Pending<u64>> = Vec::new();
    while !go.load(Ordering::SeqCst) {
        thread::yield_now();
    }
    for _ in 0..EACH {
        let ticket = Ticket::new(tally, dice.next_u64(), 3, calls);
        match dice.below(if calls { 6 } else { 3 }) {
            0 => count_send(tally, &handle.send(LeafMessage::Work(ticket))),
            1 => count_send(tally, &handle.send(BranchMessage::Work(ticket))),
            2 => count_send(tally, &handle.send(RootMessage::Work(ticket))),
            3 => count_call(tally, &handle.call(LeafMessage::ask(ticket))),
            4 => count_call(tally, &handle.call(RootMessage::ask(ticket))),
            _ => match handle.client::<BranchMessage>() {
                Ok(branch) => pendings.push(branch.non_blocking().ask(ticket)),
                Err(error) => assert!(matches!(error, CallError::Stopped { .. }), "{error}"),
            },
        }
    }
    for pending in pendings {
        count_call(tally, &pending.wait());
    }
}

/// Runs one round; `end` is how it ends, given the engine in the middle of it.
fn round(seed: u64, calls: bool, end: impl FnOnce(&ActorEngine, &mut SplitMix64) -> Ended) {
    expect_panics("at random");
    let mut dice = SplitMix64::new(seed);
    let tally = Tally::default();
    let engine = engine(&tally, &mut dice);
    let go = Arc::new(AtomicBool::new(false));
    let ended = thread::scope(|scope| {
        for _ in 0..SENDERS {
            let (engine, tally, go) = (&engine, &tally, Arc::clone(&go));
            let dice = SplitMix64::new(dice.next_u64());
            scope.spawn(move || send_from_outside(engine, tally, dice, calls, &go));
        }
        go.store(true, Ordering::SeqCst);
        for _ in 0..dice.below(2000) {
            std::hint::spin_loop();
        }
        for _ in 0..dice.below(20) {
            thread::yield_now();
        }
        end(&engine, &mut dice)
    });
    // The senders are through, so that what they count is complete.
    let (report, joined) = match ended {
        Ok(report) => (report, true),
        // Under the shortest deadlines a handler may well be at work when the time is up.
        Err(ShutdownError::Abandoned { report, .. }) if !calls => (report, false),
        Err(error) => panic!("seed {seed}: {error}"),
    };
    if joined {
        let (handled, panicked, left) = (report.handled(), report.panicked(), report.left);
        assert_eq!(
            handled + panicked + report.dead_letters + left,
            tally.accepted.get(),
            "seed {seed}: handled {handled}, panicked {panicked}, dead letters {}, left {left}",
            report.dead_letters
        );
        assert_eq!(handled + panicked, tally.handled.get(), "seed {seed}");
        assert_eq!(left, 0, "seed {seed}: no thread was abandoned");
    }
    if calls {
        assert_eq!(report.dead_letters, 0, "seed {seed}: it ran until quiet");
    }
    drop(engine);
    // An abandoned thread ends soon after, since its handler does return.
    let deadline = now() + LIMIT;
    while !joined && tally.ended.get() < tally.states.get() && now() < deadline {
        thread::yield_now();
    }
    assert_eq!(tally.ended.get(), tally.states.get(), "seed {seed}: states leaked");
    if joined {
        assert_eq!(tally.dropped.get(), tally.made.get(), "seed {seed}: messages leaked");
    }
}

#[test]
fn a_shutdown_amid_calls_and_sends_loses_nothing() {
    within(4 * LIMIT, || {
        for seed in 0..ROUNDS {
            round(seed, true, |engine, _| engine.shutdown());
        }
    });
}

#[test]
fn a_stop_by_a_handle_amid_calls_and_sends_loses_nothing() {
    within(4 * LIMIT, || {
        for seed in 0..ROUNDS {
            round(1000 + seed, true, |engine, _| {
                engine.handle().stop();
                engine.shutdown()
            });
        }
    });
}

#[test]
fn a_shutdown_with_a_short_deadline_amid_sends_reports_what_it_did_not_handle() {
    within(4 * LIMIT, || {
        for seed in 0..ROUNDS {
            round(2000 + seed, false, |engine, dice| {
                let limit = Duration::from_micros(u64::try_from(dice.below(500)).expect("it is small"));
                engine.shutdown_timeout(limit)
            });
        }
    });
}
