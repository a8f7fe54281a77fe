//! A message of any size, alignment and with any destructor arrives unchanged and is dropped once.

use std::mem;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, CallError, Context, actor};
use zctor_tests::{Counter, DropGuard, Gate, SplitMix64, bounded, receive};

const MEBIBYTE: usize = 1 << 20;
/// Room for a few copies of a message of a mebibyte in a build without optimization.
const LARGE_STACK: usize = 64 * MEBIBYTE;

/// No bytes at all.
#[actor]
#[derive(Clone)]
enum TickMessage {
    Tick,
}

#[derive(Default)]
struct Ticker {
    told: Option<Sender<u64>>,
    ticks: u64,
}

impl TickHandler for Ticker {
    fn tick(&mut self) {
        self.ticks += 1;
        if let Some(told) = &self.told {
            let _ = told.send(self.ticks);
        }
    }
}

/// A reply without bytes to a message without bytes.
#[actor]
enum NothingMessage {
    #[reply(())]
    Nothing { nothing: () },
}

struct Nothing;

impl NothingHandler for Nothing {
    fn nothing(&mut self, nothing: ()) {
        nothing
    }
}

/// A payload of `N` words.
#[actor(ctx)]
#[derive(Clone)]
enum WordsMessage<const N: usize> {
    Keep {
        words: [usize; N],
    },
    #[reply([usize; N])]
    Echo {
        words: [usize; N],
    },
    /// What was kept, after a trip through the instance's own queue.
    #[reply(Vec<[usize; N]>)]
    Kept,
    /// Sends itself the words from inside.
    #[reply(())]
    KeepInside {
        words: [usize; N],
    },
}

struct Words<const N: usize> {
    kept: Vec<[usize; N]>,
}

impl<const N: usize> WordsHandler<N> for Words<N> {
    fn keep(&mut self, _ctx: &mut Context<WordsMessage<N>>, words: [usize; N]) {
        self.kept.push(words);
    }

    fn echo(&mut self, _ctx: &mut Context<WordsMessage<N>>, words: [usize; N]) -> [usize; N] {
        words
    }

    fn kept(&mut self, _ctx: &mut Context<WordsMessage<N>>) -> Vec<[usize; N]> {
        self.kept.clone()
    }

    fn keep_inside(&mut self, ctx: &mut Context<WordsMessage<N>>, words: [usize; N]) {
        ctx.send(WordsMessage::Keep { words }).expect("it is live itself");
    }
}

fn words_arrive_unchanged<const N: usize>() {
    let engine = ActorEngine::new();
    let client = engine.pool(1, WordsMessage::<N>::actor(|| Words { kept: Vec::new() })).expect("the pool starts");
    let mut random = SplitMix64::new(u64::try_from(N).expect("it is small"));
    let mut expected = Vec::new();
    for _ in 0..20 {
        let words = [(); N].map(|()| random.below(usize::MAX));
        client.keep(words).expect("it is live");
        assert_eq!(client.echo(words), Ok(words), "{N} words");
        client.keep_inside(words).expect("it is live");
        assert_eq!(client.send_all([WordsMessage::Keep { words }]).expect("it is live"), 1);
        assert_eq!(client.broadcast(WordsMessage::Keep { words }).expect("it is live"), 1);
        expected.extend([words; 4]);
    }
    engine.settle();
    assert_eq!(client.kept().expect("it is live"), expected, "{N} words");
}

#[test]
fn messages_of_one_to_a_hundred_words_arrive_unchanged() {
    bounded(|| {
        words_arrive_unchanged::<0>();
        words_arrive_unchanged::<1>();
        words_arrive_unchanged::<2>();
        words_arrive_unchanged::<3>();
        words_arrive_unchanged::<4>();
        words_arrive_unchanged::<5>();
        words_arrive_unchanged::<6>();
        words_arrive_unchanged::<7>();
        words_arrive_unchanged::<8>();
        words_arrive_unchanged::<16>();
        words_arrive_unchanged::<100>();
    });
}

#[test]
fn messages_without_bytes_are_counted_all_the_same() {
    bounded(|| {
        assert_eq!(size_of::<TickMessage>(), 0);
        let engine = ActorEngine::new();
        let (told, ticks) = mpsc::channel();
        let tick = engine.pool(1, TickMessage::actor(move || Ticker { told: Some(told.clone()), ticks: 0 })).unwrap();
        for _ in 0..100 {
            tick.tick().unwrap();
            engine.send(TickMessage::Tick).unwrap();
        }
        assert_eq!(tick.send_all(vec![TickMessage::Tick; 50]).unwrap(), 50);
        assert_eq!(tick.broadcast(TickMessage::Tick).unwrap(), 1);
        let mut last = 0;
        while last < 251 {
            assert_eq!(receive(&ticks), last + 1);
            last += 1;
        }
        assert!(ticks.try_recv().is_err());

        let nothing = engine.pool(1, NothingMessage::actor(|| Nothing)).unwrap();
        for _ in 0..100 {
            assert_eq!(nothing.nothing(()), Ok(()));
        }
    });
}

/// Alignments above that of a word.
#[actor]
enum AlignedMessage {
    #[reply(u128)]
    Wide { value: u128 },
    #[reply(CacheLine)]
    Line { value: CacheLine },
    /// Where the value lies, modulo its alignment.
    #[reply(usize)]
    Misalignment { value: Box<CacheLine> },
}

#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
struct CacheLine(u8);

struct Aligned;

impl AlignedHandler for Aligned {
    fn wide(&mut self, value: u128) -> u128 {
        value
    }

    fn line(&mut self, value: CacheLine) -> CacheLine {
        assert_eq!((&raw const value).addr() % 64, 0);
        value
    }

    fn misalignment(&mut self, value: Box<CacheLine>) -> usize {
        (&raw const *value).addr() % 64
    }
}

#[test]
fn messages_with_large_alignment_arrive_unchanged() {
    bounded(|| {
        let engine = ActorEngine::new();
        let aligned = engine.pool(1, AlignedMessage::actor(|| Aligned)).unwrap();
        for value in 0..50 {
            assert_eq!(aligned.wide(u128::MAX - u128::from(value)), Ok(u128::MAX - u128::from(value)));
            assert_eq!(aligned.line(CacheLine(value)), Ok(CacheLine(value)));
            assert_eq!(aligned.misalignment(Box::new(CacheLine(value))), Ok(0));
        }
    });
}

/// A mebibyte, behind a pointer and inline.
#[actor]
enum BoxedMessage {
    #[reply(Box<[u8; MEBIBYTE]>)]
    Increment { bytes: Box<[u8; MEBIBYTE]> },
}

struct Boxed;

impl BoxedHandler for Boxed {
    fn increment(&mut self, mut bytes: Box<[u8; MEBIBYTE]>) -> Box<[u8; MEBIBYTE]> {
        for byte in bytes.iter_mut() {
            *byte += 1;
        }
        bytes
    }
}

#[actor]
#[expect(clippy::large_enum_variant, reason = "a large message is what is tested")]
enum InlineMessage {
    Keep {
        bytes: [u8; MEBIBYTE],
    },
    #[reply(u64)]
    Sum,
}

#[derive(Default)]
struct Inline {
    sum: u64,
}

impl InlineHandler for Inline {
    fn keep(&mut self, bytes: [u8; MEBIBYTE]) {
        self.sum += bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>();
    }

    fn sum(&mut self) -> u64 {
        self.sum
    }
}

#[test]
fn a_mebibyte_behind_a_pointer_goes_there_and_back() {
    bounded(|| {
        let engine = ActorEngine::new();
        let client = engine.pool(1, BoxedMessage::actor(|| Boxed)).unwrap();
        let bytes: Box<[u8; MEBIBYTE]> = vec![7; MEBIBYTE].try_into().unwrap();
        let place = bytes.as_ptr().addr();
        let bytes = client.increment(bytes).unwrap();
        assert!(bytes.iter().all(|&byte| byte == 8));
        assert_eq!(bytes.as_ptr().addr(), place, "moved, not copied");
    });
}

#[test]
fn a_mebibyte_inline_arrives_where_the_stacks_have_room_for_it() {
    bounded(|| {
        let sender = thread::Builder::new().stack_size(LARGE_STACK).spawn(|| {
            let engine = ActorEngine::new();
            let thread = ActorThread::new().stack_size(LARGE_STACK).register(InlineMessage::actor(Inline::default));
            engine.spawn(thread).unwrap();
            for byte in 1..=3 {
                engine.send(InlineMessage::Keep { bytes: [byte; MEBIBYTE] }).unwrap();
            }
            engine.call(InlineMessage::sum()).unwrap()
        });
        assert_eq!(sender.unwrap().join().unwrap(), 6 * (1 << 20));
    });
}

/// Counts its own drop; `N` words of ballast decide between inline and boxed.
#[actor(ctx)]
enum CargoMessage<const N: usize> {
    Unload {
        guard: DropGuard,
        ballast: [usize; N],
    },
    /// Keeps the cargo until the state ends.
    Store {
        guard: DropGuard,
        ballast: [usize; N],
    },
    /// Gives the cargo back.
    #[reply(DropGuard)]
    GiveBack {
        guard: DropGuard,
        ballast: [usize; N],
    },
    /// Panics with the cargo in hand.
    #[reply(())]
    Spill {
        guard: DropGuard,
        ballast: [usize; N],
    },
    Hold {
        gate: Gate,
    },
    Leave,
}

#[derive(Default)]
struct Dock {
    stored: Vec<DropGuard>,
}

impl<const N: usize> CargoHandler<N> for Dock {
    fn unload(&mut self, _ctx: &mut Context<CargoMessage<N>>, _guard: DropGuard, ballast: [usize; N]) {
        assert_eq!(ballast, [N; N]);
    }

    fn store(&mut self, _ctx: &mut Context<CargoMessage<N>>, guard: DropGuard, _ballast: [usize; N]) {
        self.stored.push(guard);
    }

    fn give_back(&mut self, _ctx: &mut Context<CargoMessage<N>>, guard: DropGuard, _ballast: [usize; N]) -> DropGuard {
        guard
    }

    fn spill(&mut self, _ctx: &mut Context<CargoMessage<N>>, _guard: DropGuard, _ballast: [usize; N]) {
        panic!("the crane broke");
    }

    fn hold(&mut self, _ctx: &mut Context<CargoMessage<N>>, gate: Gate) {
        gate.pass();
    }

    fn leave(&mut self, ctx: &mut Context<CargoMessage<N>>) {
        ctx.stop();
    }
}

/// An engine with one dock, its client, and the count of drops.
fn dock<const N: usize>() -> (ActorEngine, CargoClient<N>, Counter) {
    let engine = ActorEngine::new();
    let client = engine.pool(1, CargoMessage::<N>::actor(Dock::default)).expect("the dock starts");
    (engine, client, Counter::new())
}

fn handled_messages_are_dropped_once<const N: usize>() {
    let (engine, cargo, dropped) = dock::<N>();
    for count in 1..=10 {
        cargo.unload(dropped.guard(), [N; N]).expect("it is live");
        engine.settle();
        assert_eq!(dropped.get(), count);
    }
    for _ in 0..5 {
        cargo.store(dropped.guard(), [N; N]).expect("it is live");
    }
    let batch = (0..5).map(|_| CargoMessage::Store { guard: dropped.guard(), ballast: [N; N] });
    assert_eq!(cargo.send_all(batch).expect("it is live"), 5);
    engine.settle();
    assert_eq!(dropped.get(), 10, "what the state keeps is not dropped");
    engine.shutdown().expect("the dock ends");
    assert_eq!(dropped.get(), 20);
}

#[test]
fn a_handled_message_is_dropped_once() {
    bounded(|| {
        handled_messages_are_dropped_once::<0>();
        handled_messages_are_dropped_once::<2>();
        handled_messages_are_dropped_once::<3>();
        handled_messages_are_dropped_once::<4>();
        handled_messages_are_dropped_once::<50>();
    });
}

fn replies_are_dropped_once<const N: usize>() {
    let (engine, cargo, dropped) = dock::<N>();
    let reply = cargo.give_back(dropped.guard(), [N; N]).expect("it is live");
    assert_eq!(dropped.get(), 0);
    drop(reply);
    assert_eq!(dropped.get(), 1);

    // A send of a variant with a reply: the handler's value is dropped there.
    cargo.send(CargoMessage::GiveBack { guard: dropped.guard(), ballast: [N; N] }).expect("it is live");
    engine.settle();
    assert_eq!(dropped.get(), 2);

    // A reply that nobody fetched.
    cargo.request(CargoMessage::give_back(dropped.guard(), [N; N])).detach();
    engine.settle();
    assert_eq!(dropped.get(), 3);

    // A reply that is there and is given up.
    let pending = cargo.request(CargoMessage::give_back(dropped.guard(), [N; N]));
    engine.settle();
    assert_eq!(dropped.get(), 3);
    drop(pending);
    assert_eq!(dropped.get(), 4);
}

#[test]
fn a_reply_is_dropped_once_fetched_or_not() {
    bounded(|| {
        replies_are_dropped_once::<0>();
        replies_are_dropped_once::<3>();
        replies_are_dropped_once::<4>();
        replies_are_dropped_once::<50>();
    });
}

fn unhandled_messages_are_dropped_once<const N: usize>() {
    let (engine, cargo, dropped) = dock::<N>();
    let pinned = cargo.pin(cargo.instances()[0]);

    // The panic of its handler.
    let spilt = pinned.spill(dropped.guard(), [N; N]);
    assert!(matches!(spilt, Err(CallError::Panicked { .. })));
    engine.settle();
    assert_eq!(dropped.get(), 1);

    // Given up before it began.
    let gate = Gate::new();
    pinned.hold(gate.clone()).expect("it is live");
    gate.await_arrivals(1);
    let late = pinned.within(Duration::from_millis(20)).give_back(dropped.guard(), [N; N]);
    assert!(matches!(late, Err(CallError::Timeout { begun: false, .. })));
    let given_up = pinned.request(CargoMessage::give_back(dropped.guard(), [N; N]));
    drop(given_up);

    // Dead letters of an instance that ended.
    pinned.leave().expect("it is live");
    pinned.unload(dropped.guard(), [N; N]).expect("it is live");
    let unanswered = pinned.request(CargoMessage::give_back(dropped.guard(), [N; N]));
    gate.open();
    engine.settle();
    assert!(matches!(unanswered.wait(), Err(CallError::Stopped { .. })));
    assert_eq!(dropped.get(), 5);

    // Refused: it comes back alive.
    let refused = pinned.unload(dropped.guard(), [N; N]).expect_err("it has ended");
    assert_eq!(dropped.get(), 5);
    let message = refused.into_inner();
    assert_eq!(dropped.get(), 5);
    drop(message);
    assert_eq!(dropped.get(), 6);
    drop(cargo.unload(dropped.guard(), [N; N]).expect_err("nobody is left"));
    assert_eq!(dropped.get(), 7);
    let refused = pinned.give_back(dropped.guard(), [N; N]);
    assert!(matches!(refused, Err(CallError::Stopped { .. })));
    assert_eq!(dropped.get(), 8);
}

#[test]
fn a_message_that_is_not_handled_is_dropped_once() {
    bounded(|| {
        unhandled_messages_are_dropped_once::<0>();
        unhandled_messages_are_dropped_once::<3>();
        unhandled_messages_are_dropped_once::<4>();
        unhandled_messages_are_dropped_once::<50>();
    });
}

#[test]
fn messages_left_by_an_engine_that_is_dropped_are_dropped_once() {
    bounded(|| {
        let (engine, cargo, dropped) = dock::<4>();
        for _ in 0..100 {
            cargo.unload(dropped.guard(), [4; 4]).unwrap();
        }
        drop(engine);
        assert_eq!(dropped.get(), 100);
        drop(cargo.unload(dropped.guard(), [4; 4]).unwrap_err());
        assert_eq!(dropped.get(), 101);
    });
}

/// Panics when it is dropped, after it has counted that.
struct Fragile {
    counter: Counter,
}

impl Drop for Fragile {
    fn drop(&mut self) {
        self.counter.increment();
        assert!(thread::panicking(), "it broke");
    }
}

#[actor(ctx)]
enum FragileMessage {
    Carry {
        fragile: Fragile,
    },
    #[reply(())]
    CarryAndSay {
        fragile: Fragile,
    },
    Hold {
        gate: Gate,
    },
    Leave,
    #[reply(u64)]
    Carried,
}

#[derive(Default)]
struct Carrier {
    carried: u64,
}

impl FragileHandler for Carrier {
    fn carry(&mut self, _ctx: &mut Context<FragileMessage>, fragile: Fragile) {
        mem::forget(fragile);
        self.carried += 1;
    }

    fn carry_and_say(&mut self, _ctx: &mut Context<FragileMessage>, fragile: Fragile) {
        mem::forget(fragile);
        self.carried += 1;
    }

    fn hold(&mut self, _ctx: &mut Context<FragileMessage>, gate: Gate) {
        gate.pass();
    }

    fn leave(&mut self, ctx: &mut Context<FragileMessage>) {
        ctx.stop();
    }

    fn carried(&mut self, _ctx: &mut Context<FragileMessage>) -> u64 {
        self.carried
    }
}

#[test]
fn dead_letters_whose_drop_panics_harm_nobody() {
    bounded(|| {
        let engine = ActorEngine::new();
        let thread = ActorThread::new()
            .register(FragileMessage::actor(Carrier::default))
            .register(FragileMessage::actor(Carrier::default));
        engine.spawn(thread).unwrap();
        let client = engine.client::<FragileMessage>().unwrap();
        let instances = client.instances();
        let (first, second) = (client.pin(instances[0]), client.pin(instances[1]));
        let dropped = Counter::new();
        let fragile = || Fragile { counter: dropped.clone() };

        let gate = Gate::new();
        first.hold(gate.clone()).unwrap();
        gate.await_arrivals(1);
        first.leave().unwrap();
        first.carry(fragile()).unwrap();
        let call = first.request(FragileMessage::carry_and_say(fragile()));
        let batch = (0..3).map(|_| FragileMessage::Carry { fragile: fragile() });
        assert_eq!(first.send_all(batch).unwrap(), 3);
        // Given up before it began.
        drop(first.request(FragileMessage::carry_and_say(fragile())));
        second.carry(fragile()).unwrap();
        gate.open();

        assert!(matches!(call.wait(), Err(CallError::Stopped { .. })));
        engine.settle();
        assert_eq!(dropped.get(), 6);
        assert_eq!(engine.stats().dead_letters, 6);
        assert_eq!(second.carried().unwrap(), 1, "the neighbour did not notice");
        engine.shutdown().unwrap();
    });
}
