//! Random calls between shared threads, with deadlines, panics, resets and given-up replies: each ends, and what it is
//! answered is true.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, CallError, Context, Pending, Request, actor};
use zctor_tests::{Counter, LIMIT, SplitMix64, expect_panics, within};

const ROUNDS: u64 = if cfg!(miri) { 2 } else { 20 };
const CALLERS: u64 = 4;
const EACH: usize = if cfg!(miri) { 10 } else { 100 };

/// What is known of all calls of a round.
#[derive(Clone, Default)]
struct Book {
    sent: Counter,
    ran: Counter,
    /// Each call's own count of runs, and how often it must have run.
    expected: Arc<Mutex<Vec<Expected>>>,
}

struct Expected {
    runs: Arc<AtomicU32>,
    least: u32,
    most: u32,
    answer: &'static str,
}

/// Goes with each message: what its handler is to do, and how often it ran.
struct Order {
    book: Book,
    seed: u64,
    life: u32,
    runs: Arc<AtomicU32>,
}

impl Book {
    fn order(&self, seed: u64, life: u32) -> Order {
        Order { book: self.clone(), seed, life, runs: Arc::default() }
    }

    /// Notes what came of a call: how often its handler must have run, once all is quiet.
    fn note(&self, runs: Arc<AtomicU32>, result: &Result<u64, CallError>) {
        let (sent, least, most, answer) = match result {
            Ok(_) => (1, 1, 1, "a reply"),
            Err(CallError::Panicked { .. }) => (1, 1, 1, "a panic"),
            Err(CallError::Timeout { begun: true, .. }) => (1, 1, 1, "too late, begun"),
            Err(CallError::Timeout { begun: false, .. }) => (1, 0, 0, "too late, not begun"),
            Err(CallError::Undeclared { .. }) => (0, 0, 0, "undeclared"),
            Err(other) => panic!("the call ended with: {other}"),
        };
        if let Ok(_) | Err(CallError::Panicked { .. }) = result {
            // Whoever is answered knows that it ran, and not only later.
            assert_eq!(runs.load(Ordering::SeqCst), 1, "{answer}");
        }
        self.sent.add(sent);
        self.keep(Expected { runs, least, most, answer });
    }

    /// Notes a message whose fate nobody is told.
    fn note_unwatched(&self, runs: Arc<AtomicU32>, least: u32, answer: &'static str) {
        self.sent.increment();
        self.keep(Expected { runs, least, most: 1, answer });
    }

    fn keep(&self, expected: Expected) {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner).push(expected);
    }
}

#[actor(ctx)]
enum LeafMessage {
    #[reply(u64)]
    Ask(Order),
}

#[actor(calls(LeafMessage))]
enum BranchMessage {
    #[reply(u64)]
    Ask(Order),
}

#[actor(calls(BranchMessage, LeafMessage))]
enum RootMessage {
    #[reply(u64)]
    Ask(Order),
}

struct State;

/// What every handler does first, and whether it is to call on.
fn begin(order: &Order) -> SplitMix64 {
    order.runs.fetch_add(1, Ordering::SeqCst);
    order.book.ran.increment();
    let mut dice = SplitMix64::new(order.seed);
    for _ in 0..dice.below(20_000) {
        std::hint::spin_loop();
    }
    dice
}

fn end(dice: &mut SplitMix64, reset: impl FnOnce()) {
    match dice.below(200) {
        0 => panic!("at random"),
        1 => reset(),
        _ => {}
    }
}

/// A short deadline, or none.
fn limit(dice: &mut SplitMix64) -> Option<Duration> {
    match dice.below(4) {
        0 => Some(Duration::from_micros(u64::try_from(dice.below(400)).expect("it is small"))),
        1 => Some(Duration::from_millis(20)),
        _ => None,
    }
}

/// Calls or requests in one of all ways by `client`, which may or may not be allowed to wait here.
macro_rules! call_by {
    ($client:expr, $message:ident, $order:expr, $dice:expr, $later:expr) => {{
        let (client, order, dice) = ($client, $order, &mut *$dice);
        let (book, runs) = (order.book.clone(), Arc::clone(&order.runs));
        let client = match limit(dice) {
            Some(limit) => client.within(limit),
            None => client,
        };
        match dice.below(6) {
            0 => {
                drop(client.non_blocking().ask(order));
                book.note_unwatched(runs, 0, "given up");
            }
            1 => {
                client.non_blocking().ask(order).detach();
                book.note_unwatched(runs, 0, "detached");
            }
            2 => {
                client.send($message::Ask(order)).expect("the instances live");
                book.note_unwatched(runs, 1, "sent");
            }
            3 => $later.push((runs, client.non_blocking().ask(order))),
            _ => book.note(runs, &client.ask(order)),
        }
    }};
}

type Later = Vec<(Arc<AtomicU32>, Pending<u64>)>;

fn take_later(book: &Book, later: Later) {
    for (runs, pending) in later {
        // Refused inside, a pending has been sent all the same: it is let run.
        match pending.wait() {
            Err(CallError::Undeclared { .. }) => {
                pending.detach();
                book.note_unwatched(runs, 0, "sent, and its wait refused");
            }
            result => book.note(runs, &result),
        }
    }
}

fn child(order: &Order, dice: &mut SplitMix64) -> Order {
    order.book.order(dice.next_u64(), order.life - 1)
}

impl LeafHandler for State {
    fn ask(&mut self, ctx: &mut Context<LeafMessage>, order: Order) -> u64 {
        let mut dice = begin(&order);
        if order.life > 0 && dice.below(4) == 0 {
            // It may wait for nobody: each such wait is refused, and nothing hangs.
            let child = child(&order, &mut dice);
            let mut later = Later::new();
            let branch = ctx.engine().client::<BranchMessage>().expect("they live");
            call_by!(branch, BranchMessage, child, &mut dice, later);
            take_later(&order.book, later);
        }
        end(&mut dice, || ctx.reset());
        order.seed
    }
}

impl BranchHandler for State {
    fn ask(&mut self, ctx: &mut Context<BranchMessage>, order: Order) -> u64 {
        let mut dice = begin(&order);
        let mut later = Later::new();
        for _ in 0..dice.below(3) {
            if order.life == 0 {
                break;
            }
            let child = child(&order, &mut dice);
            match dice.below(3) {
                0 => {
                    let (runs, request) = (Arc::clone(&child.runs), LeafMessage::ask(child));
                    order.book.note(runs, &ctx.call(request));
                }
                1 => {
                    let leaf = ctx.client::<LeafMessage>().expect("they live");
                    call_by!(leaf, LeafMessage, child, &mut dice, later);
                }
                // Its own depth: refused.
                _ => {
                    let branch = ctx.engine().client::<BranchMessage>().expect("they live");
                    call_by!(branch, BranchMessage, child, &mut dice, later);
                }
            }
        }
        take_later(&order.book, later);
        end(&mut dice, || ctx.reset());
        order.seed
    }
}

impl RootHandler for State {
    fn ask(&mut self, ctx: &mut Context<RootMessage>, order: Order) -> u64 {
        let mut dice = begin(&order);
        let mut later = Later::new();
        for _ in 0..dice.below(3) {
            if order.life == 0 {
                break;
            }
            let child = child(&order, &mut dice);
            match dice.below(4) {
                0 => {
                    let (runs, request): (_, Request<BranchMessage, u64>) =
                        (Arc::clone(&child.runs), BranchMessage::ask(child));
                    order.book.note(runs, &ctx.without_deadline().call(request));
                }
                1 => {
                    let branch = ctx.client::<BranchMessage>().expect("they live");
                    call_by!(branch, BranchMessage, child, &mut dice, later);
                }
                2 => {
                    let leaf = ctx.engine().client::<LeafMessage>().expect("they live");
                    call_by!(leaf, LeafMessage, child, &mut dice, later);
                }
                _ => {
                    let branch = ctx.client::<BranchMessage>().expect("they live");
                    let instances = branch.instances();
                    let pinned = branch.pin(instances[dice.below(instances.len())]);
                    call_by!(pinned, BranchMessage, child, &mut dice, later);
                }
            }
        }
        take_later(&order.book, later);
        end(&mut dice, || ctx.reset());
        order.seed
    }
}

/// Two or three threads, each with several instances of random types, and one of each type at least.
fn engine(dice: &mut SplitMix64) -> ActorEngine {
    let engine = ActorEngine::new();
    let leaf = || LeafMessage::actor(|| State);
    let branch = || BranchMessage::actor(|| State);
    let root = || RootMessage::actor(|| State);
    engine
        .spawn(ActorThread::new().register(leaf()).register(branch()).register(root()))
        .expect("the factories do not fail");
    for _ in 0..1 + dice.below(2) {
        let mut thread = ActorThread::new();
        for _ in 0..1 + dice.below(4) {
            thread = match dice.below(3) {
                0 => thread.register(leaf()),
                1 => thread.register(branch()),
                _ => thread.register(root()),
            };
        }
        engine.spawn(thread).expect("the factories do not fail");
    }
    engine
}

fn call_from_outside(engine: &ActorEngine, book: &Book, mut dice: SplitMix64) {
    let leaf = engine.client::<LeafMessage>().expect("they live");
    let branch = engine.client::<BranchMessage>().expect("they live");
    let root = engine.client::<RootMessage>().expect("they live");
    let mut later = Later::new();
    for _ in 0..EACH {
        let order = book.order(dice.next_u64(), 3);
        match dice.below(4) {
            0 => call_by!(leaf.clone(), LeafMessage, order, &mut dice, later),
            1 => call_by!(branch.clone(), BranchMessage, order, &mut dice, later),
            _ => call_by!(root.clone(), RootMessage, order, &mut dice, later),
        }
    }
    take_later(book, later);
}

#[test]
fn every_call_ends_and_its_answer_is_true() {
    expect_panics("at random");
    within(4 * LIMIT, || {
        for seed in 0..ROUNDS {
            let mut dice = SplitMix64::new(seed);
            let book = Book::default();
            let engine = engine(&mut dice);
            thread::scope(|scope| {
                for _ in 0..CALLERS {
                    let (engine, book, dice) = (&engine, &book, SplitMix64::new(dice.next_u64()));
                    scope.spawn(move || call_from_outside(engine, book, dice));
                }
            });
            engine.settle();
            for expected in &*book.expected.lock().unwrap_or_else(PoisonError::into_inner) {
                let runs = expected.runs.load(Ordering::SeqCst);
                let Expected { least, most, answer, .. } = expected;
                assert!((*least..=*most).contains(&runs), "seed {seed}: answered {answer}, it ran {runs} times");
            }
            let report = engine.shutdown().expect("every handler returns");
            assert_eq!(report.handled() + report.panicked(), book.ran.get(), "seed {seed}");
            assert_eq!(
                report.handled() + report.panicked() + report.dead_letters,
                book.sent.get(),
                "seed {seed}: each that was sent was handled or given up"
            );
            assert_eq!(report.left, 0, "seed {seed}");
            assert_eq!(engine.stats().skipped, report.dead_letters, "seed {seed}: only what was given up");
        }
    });
}
