//! The paths that are counted.
//!
//! Who receives is held at a gate while the other side sends, so that neither waits in between, and the number of
//! messages taken at once is always the same. In a call across threads both wait each time: they park, since there is
//! one core only.

use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, CallError, Context, EngineHandle, ReplyTo, actor};

/// The numbers of messages of the two walks.
pub(crate) const LESS: u64 = 1_000;
pub(crate) const MORE: u64 = 6_000;

/// Every wait ends.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct Path {
    pub(crate) name: &'static str,
    /// Which threads count, from 1, the main thread, in the order of their starts.
    pub(crate) sides: &'static [Side],
    /// Sends so many messages, after as many as in the longer walk, so that everything has its size.
    pub(crate) walk: fn(u64),
}

pub(crate) struct Side {
    pub(crate) name: &'static str,
    pub(crate) threads: &'static [usize],
}

const fn side(name: &'static str, threads: &'static [usize]) -> Side {
    Side { name, threads }
}

const FROM_OUTSIDE: &[Side] = &[side("sender", &[1]), side("receiver", &[2])];
/// Where the receivers are several.
const SENDER: &[Side] = &[side("sender", &[1])];
const FROM_INSIDE: &[Side] = &[side("sender", &[2]), side("receiver", &[3])];
const ONE_THREAD: &[Side] = &[side("both", &[2])];

pub(crate) const PATHS: &[Path] = &[
    Path { name: "send, from outside", sides: FROM_OUTSIDE, walk: outside },
    Path { name: "send, from outside, 1 word", sides: FROM_OUTSIDE, walk: words::<1> },
    Path { name: "send, from outside, 4 words", sides: FROM_OUTSIDE, walk: words::<4> },
    Path { name: "send, from outside, 8 words: boxed", sides: FROM_OUTSIDE, walk: words::<8> },
    Path { name: "send, from outside, 64 words: boxed", sides: FROM_OUTSIDE, walk: words::<64> },
    Path { name: "send, from outside, bound client", sides: FROM_OUTSIDE, walk: bound },
    Path { name: "send, from outside, bounded mailbox", sides: FROM_OUTSIDE, walk: bounded },
    Path { name: "send, from outside, variants noted for `slow`", sides: FROM_OUTSIDE, walk: noted },
    Path { name: "send, from outside, in turn to 4", sides: SENDER, walk: in_turn },
    Path { name: "send, from outside, in turn to 2 on one thread", sides: FROM_OUTSIDE, walk: spread::<2> },
    Path { name: "send, from outside, in turn to 60 on one thread", sides: FROM_OUTSIDE, walk: spread::<60> },
    Path { name: "send, from outside, by the engine", sides: FROM_OUTSIDE, walk: by_engine },
    Path { name: "broadcast to 8 on one thread, a copy", sides: FROM_OUTSIDE, walk: broadcasts },
    Path { name: "send, from outside, keyed among 4", sides: SENDER, walk: keyed },
    Path { name: "send, from outside, least loaded of 4", sides: SENDER, walk: least_loaded },
    Path { name: "`send_all` of 64, from outside", sides: FROM_OUTSIDE, walk: batches },
    Path { name: "send, to another thread", sides: FROM_INSIDE, walk: across },
    Path { name: "send, to another thread, in turn to 60", sides: FROM_INSIDE, walk: spread_inside },
    Path { name: "send, same thread", sides: ONE_THREAD, walk: same },
    Path { name: "send, same thread, by a client", sides: ONE_THREAD, walk: same_by_client },
    Path { name: "send, same thread, by a bound client", sides: ONE_THREAD, walk: same_by_bound_client },
    Path { name: "send, same thread, by the engine", sides: ONE_THREAD, walk: same_by_engine },
    Path { name: "send, same thread, by `send_local`", sides: ONE_THREAD, walk: same_by_send_local },
    // What one of the two finds done already is the other's, so it takes turns which of them does more.
    Path { name: "call, from outside, parking", sides: &[side("both", &[1, 2])], walk: calls_outside },
    Path { name: "call, from outside, parking, deferred reply", sides: &[side("both", &[1, 2])], walk: calls_deferred },
    Path { name: "call, to another thread, parking", sides: &[side("both", &[2, 3])], walk: calls_across },
    Path { name: "call, same thread, by a client", sides: ONE_THREAD, walk: calls_same },
    Path { name: "call, same thread, by a bound client", sides: ONE_THREAD, walk: bound_calls },
    Path { name: "call, same thread, by the engine", sides: ONE_THREAD, walk: engine_calls },
    Path { name: "call, same thread, by the context", sides: ONE_THREAD, walk: context_calls },
    Path { name: "call, same thread, by `call_local`", sides: ONE_THREAD, walk: local_calls },
    Path { name: "call, same thread, non-blocking and waited for", sides: ONE_THREAD, walk: calls_pending },
    Path { name: "call, same thread, piped", sides: ONE_THREAD, walk: pipes },
    Path { name: "timer, set and due", sides: ONE_THREAD, walk: timers },
    Path { name: "`ctx.start` and stop", sides: ONE_THREAD, walk: instances },
    Path { name: "`ctx.start`, a message, stop", sides: ONE_THREAD, walk: instances_with_a_message },
];

/// Adds up what it is sent.
#[actor]
enum SinkMessage {
    Put(u64, u64, u64),
    PutKeyed(#[key] u64, u64, u64),
    #[reply(u64)]
    Get(u64),
    /// Says that it is there, and goes no further until the gate opens.
    Hold,
    /// Tells the sum, and begins again.
    Tell,
}

struct Sink {
    sum: u64,
    tell: Sender<u64>,
    gate: Receiver<()>,
}

impl SinkHandler for Sink {
    fn put(&mut self, a: u64, _b: u64, _c: u64) {
        self.sum += a;
    }

    fn put_keyed(&mut self, a: u64, _b: u64, _c: u64) {
        self.sum += a;
    }

    fn get(&mut self, value: u64) -> u64 {
        value + 1
    }

    fn hold(&mut self) {
        self.tell.send(0).expect("the outside waits");
        self.gate.recv_timeout(LIMIT).expect("the outside opens it");
    }

    fn tell(&mut self) {
        self.tell.send(std::mem::take(&mut self.sum)).expect("the outside waits");
    }
}

/// What the outside has of a sink.
struct Outside {
    told: Receiver<u64>,
    open: Sender<()>,
}

impl Outside {
    #[track_caller]
    fn expect(&self, value: u64) {
        assert_eq!(self.told.recv_timeout(LIMIT), Ok(value));
    }
}

fn sink() -> (impl FnOnce() -> Sink + Send, Outside) {
    let (tell, told) = mpsc::channel();
    let (open, gate) = mpsc::channel();
    (move || Sink { sum: 0, tell, gate }, Outside { told, open })
}

fn sum_to(count: u64) -> u64 {
    count * (count - 1) / 2
}

/// Sends `count` messages with `send` while the sink is held, then waits until it has handled them.
fn send_held(client: &SinkClient, outside: &Outside, count: u64, send: impl Fn(u64)) {
    hold(client, outside);
    send(count);
    assert_eq!(release(client, outside), sum_to(count));
}

fn hold(client: &SinkClient, outside: &Outside) {
    client.hold().expect("it lives");
    outside.expect(0);
}

/// Gives the sum of what the sink was sent.
fn release(client: &SinkClient, outside: &Outside) -> u64 {
    client.tell().expect("it lives");
    outside.open.send(()).expect("it waits");
    outside.told.recv_timeout(LIMIT).expect("it lives")
}

fn send_each(engine: &EngineHandle, count: u64) {
    for value in 0..count {
        engine.send(SinkMessage::Put(value, 1, 2)).expect("it lives");
    }
}

fn put_each(client: &SinkClient, count: u64) {
    for value in 0..count {
        client.put(value, 1, 2).expect("it lives");
    }
}

fn outside(count: u64) {
    pool_of_one(&ActorEngine::new(), ActorThread::new(), count);
}

fn bounded(count: u64) {
    pool_of_one(&ActorEngine::new(), ActorThread::new().mailbox_bound(2 * MORE as usize), count);
}

/// Once somebody has asked for slow handlers.
fn noted(count: u64) {
    let engine = ActorEngine::new();
    assert!(engine.slow(LIMIT).is_empty());
    pool_of_one(&engine, ActorThread::new(), count);
}

fn pool_of_one(engine: &ActorEngine, thread: ActorThread, count: u64) {
    let (make, outside) = sink();
    engine.spawn(thread.register(SinkMessage::actor_once(make))).expect("it starts");
    let client: SinkClient = engine.client::<SinkMessage>().expect("it is there");
    for count in [MORE, count] {
        send_held(&client, &outside, count, |count| put_each(&client, count));
    }
}

fn by_engine(count: u64) {
    let engine = ActorEngine::new();
    let (make, outside) = sink();
    engine.spawn(ActorThread::new().register(SinkMessage::actor_once(make))).expect("it starts");
    let client: SinkClient = engine.client::<SinkMessage>().expect("it is there");
    let handle = engine.handle();
    for count in [MORE, count] {
        send_held(&client, &outside, count, |count| send_each(&handle, count));
    }
}

fn bound(count: u64) {
    let engine = ActorEngine::new();
    let (make, outside) = sink();
    let client: SinkClient = engine.start(SinkMessage::actor_once(make)).expect("it starts");
    for count in [MORE, count] {
        send_held(&client, &outside, count, |count| put_each(&client, count));
    }
}

fn in_turn(count: u64) {
    pool_of_four(count, SinkClient::clone, put_each);
}

fn keyed(count: u64) {
    pool_of_four(count, SinkClient::clone, |client, count| {
        for value in 0..count {
            client.put_keyed(value, 1, 2).expect("it lives");
        }
    });
}

fn least_loaded(count: u64) {
    pool_of_four(count, |client| client.least_loaded(), put_each);
}

/// Sends through the client that `choose` makes of the pool's.
fn pool_of_four(count: u64, choose: fn(&SinkClient) -> SinkClient, send: fn(&SinkClient, u64)) {
    let engine = ActorEngine::new();
    let start = |_| {
        let (make, outside) = sink();
        engine.spawn(ActorThread::new().register(SinkMessage::actor_once(make))).expect("it starts");
        outside
    };
    let outsides = [(); 4].map(start);
    let client: SinkClient = engine.client::<SinkMessage>().expect("it is there");
    let each: Vec<SinkClient> = client.instances().into_iter().map(|instance| client.pin(instance)).collect();
    let chosen = choose(&client);
    for count in [MORE, count] {
        each.iter().zip(&outsides).for_each(|(client, outside)| hold(client, outside));
        send(&chosen, count);
        let sum: u64 = each.iter().zip(&outsides).map(|(client, outside)| release(client, outside)).sum();
        assert_eq!(sum, sum_to(count));
    }
}

/// Carries so many words.
#[actor]
#[derive(Clone)]
enum WordsMessage<const N: usize> {
    Put([u64; N]),
    #[reply(u64)]
    Seen,
}

struct Words<const N: usize> {
    seen: u64,
}

impl<const N: usize> WordsHandler<N> for Words<N> {
    fn put(&mut self, value: [u64; N]) {
        self.seen += value[0];
    }

    fn seen(&mut self) -> u64 {
        self.seen
    }
}

/// The sink is on the same thread, to hold it.
fn words<const N: usize>(count: u64) {
    let engine = ActorEngine::new();
    let (make, outside) = sink();
    let thread = ActorThread::new().register(SinkMessage::actor_once(make));
    engine.spawn(thread.register(WordsMessage::<N>::actor(|| Words { seen: 0 }))).expect("it starts");
    let sink = engine.client::<SinkMessage>().expect("it is there");
    let words = engine.client::<WordsMessage<N>>().expect("it is there");
    for count in [MORE, count] {
        hold(&sink, &outside);
        for _ in 0..count {
            words.put([1; N]).expect("it lives");
        }
        release(&sink, &outside);
    }
    assert_eq!(words.seen(), Ok(MORE + count));
}

/// A sink, to hold the thread, and so many instances that carry three words.
fn crowd<const N: usize>() -> (ActorEngine, SinkClient, Outside, WordsClient<3>) {
    let engine = ActorEngine::new();
    let (sink, outside, words) = crowd_on::<N>(&engine);
    (engine, sink, outside, words)
}

fn crowd_on<const N: usize>(engine: &ActorEngine) -> (SinkClient, Outside, WordsClient<3>) {
    let (make, outside) = sink();
    let mut thread = ActorThread::new().register(SinkMessage::actor_once(make));
    for _ in 0..N {
        thread = thread.register(WordsMessage::<3>::actor(|| Words { seen: 0 }));
    }
    engine.spawn(thread).expect("it starts");
    let sink = engine.client::<SinkMessage>().expect("it is there");
    let words = engine.client::<WordsMessage<3>>().expect("it is there");
    (sink, outside, words)
}

fn seen_by_all(words: &WordsClient<3>) -> u64 {
    let seen = words.call_all(WordsMessage::<3>::seen()).expect("they live");
    seen.into_iter().map(|(_, seen)| seen.expect("it lives")).sum()
}

fn spread<const N: usize>(count: u64) {
    let (_engine, sink, outside, words) = crowd::<N>();
    for count in [MORE, count] {
        hold(&sink, &outside);
        for _ in 0..count {
            words.put([1; 3]).expect("one lives");
        }
        release(&sink, &outside);
    }
    assert_eq!(seen_by_all(&words), MORE + count);
}

fn broadcasts(count: u64) {
    const RECEIVERS: u64 = 8;
    let (_engine, sink, outside, words) = crowd::<8>();
    for count in [MORE, count] {
        hold(&sink, &outside);
        for _ in 0..count / RECEIVERS {
            words.broadcast(WordsMessage::Put([1; 3])).expect("they live");
        }
        release(&sink, &outside);
    }
    assert_eq!(seen_by_all(&words), (MORE / RECEIVERS + count / RECEIVERS) * RECEIVERS);
}

fn batches(count: u64) {
    const BATCH: u64 = 64;
    let engine = ActorEngine::new();
    let (make, outside) = sink();
    let client: SinkClient = engine.start(SinkMessage::actor_once(make)).expect("it starts");
    for count in [MORE, count] {
        send_held(&client, &outside, count, |count| {
            for first in (0..count).step_by(BATCH as usize) {
                let batch = (first..(first + BATCH).min(count)).map(|value| SinkMessage::Put(value, 1, 2));
                client.send_all(batch).expect("it lives");
            }
        });
    }
}

/// A hop on the first actor thread, sixty receivers on the second with a sink that holds it.
fn spread_inside(count: u64) {
    let engine = ActorEngine::new();
    engine.spawn(ActorThread::new().register(HopMessage::actor(Hop::default))).expect("it starts");
    let hop = engine.client::<HopMessage>().expect("it is there");
    let (sink, outside, words) = crowd_on::<60>(&engine);
    for count in [MORE, count] {
        hold(&sink, &outside);
        hop.spread(words.clone(), count).expect("it lives");
        release(&sink, &outside);
    }
    assert_eq!(seen_by_all(&words), MORE + count);
}

/// Does from inside what it is told to.
#[actor(calls(SinkMessage))]
enum HopMessage {
    /// Sends the sink of its pool so many messages, through the context.
    #[reply(())]
    Send(u64),
    /// Sends that client's instance so many.
    #[reply(())]
    SendTo(SinkClient, u64),
    /// Sends through the engine.
    #[reply(())]
    SendByEngine(u64),
    #[reply(())]
    SendLocal(u64),
    /// Sends to a pool in turn.
    #[reply(())]
    Spread(WordsClient<3>, u64),
    #[reply(u64)]
    Call(u64),
    #[reply(u64)]
    CallBy(SinkClient, u64),
    #[reply(u64)]
    CallByEngine(u64),
    #[reply(u64)]
    CallLocal(u64),
    /// Calls without blocking, and waits.
    #[reply(u64)]
    CallPending(SinkClient, u64),
    /// Pipes so many calls to itself, then has the sink tell.
    Pipe(u64),
    /// Sets so many timers; when they have been due, the sink tells.
    SetTimers(u64),
    /// What a pipe or a timer ends in.
    Due,
    /// Starts so many instances and stops them again, then has the sink tell.
    Start(u64),
    /// As `Start`, with a message to each.
    StartAndSend(u64),
}

#[derive(Default)]
struct Hop {
    /// Pipes and timers that are not due yet.
    open: u64,
}

impl HopHandler for Hop {
    fn send(&mut self, ctx: &mut Context<HopMessage>, count: u64) {
        for value in 0..count {
            ctx.send(SinkMessage::Put(value, 1, 2)).expect("it lives");
        }
    }

    fn send_to(&mut self, _ctx: &mut Context<HopMessage>, sink: SinkClient, count: u64) {
        put_each(&sink, count);
    }

    fn send_by_engine(&mut self, ctx: &mut Context<HopMessage>, count: u64) {
        send_each(&ctx.engine(), count);
    }

    fn send_local(&mut self, ctx: &mut Context<HopMessage>, count: u64) {
        for value in 0..count {
            ctx.send_local(SinkMessage::Put(value, 1, 2)).expect("it lives");
        }
    }

    fn spread(&mut self, _ctx: &mut Context<HopMessage>, words: WordsClient<3>, count: u64) {
        for _ in 0..count {
            words.put([1; 3]).expect("one lives");
        }
    }

    fn call(&mut self, ctx: &mut Context<HopMessage>, count: u64) -> u64 {
        (0..count).map(|value| ctx.call(SinkMessage::get(value)).expect("it lives")).sum()
    }

    fn call_by(&mut self, _ctx: &mut Context<HopMessage>, sink: SinkClient, count: u64) -> u64 {
        get_each(&sink, count)
    }

    fn call_by_engine(&mut self, ctx: &mut Context<HopMessage>, count: u64) -> u64 {
        let engine = ctx.engine();
        (0..count).map(|value| engine.call(SinkMessage::get(value)).expect("it lives")).sum()
    }

    fn call_local(&mut self, ctx: &mut Context<HopMessage>, count: u64) -> u64 {
        (0..count).map(|value| ctx.call_local(SinkMessage::get(value)).expect("it lives")).sum()
    }

    fn call_pending(&mut self, _ctx: &mut Context<HopMessage>, sink: SinkClient, count: u64) -> u64 {
        let sink = sink.non_blocking();
        (0..count).map(|value| sink.get(value).wait().expect("it lives")).sum()
    }

    fn pipe(&mut self, ctx: &mut Context<HopMessage>, count: u64) {
        self.open = count;
        for value in 0..count {
            ctx.pipe(SinkMessage::get(value), |_| HopMessage::Due);
        }
    }

    fn set_timers(&mut self, ctx: &mut Context<HopMessage>, count: u64) {
        self.open = count;
        for _ in 0..count {
            ctx.send_after(Duration::ZERO, HopMessage::Due);
        }
    }

    fn due(&mut self, ctx: &mut Context<HopMessage>) {
        self.open -= 1;
        if self.open == 0 {
            ctx.send(SinkMessage::Tell).expect("it lives");
        }
    }

    fn start(&mut self, ctx: &mut Context<HopMessage>, count: u64) {
        for _ in 0..count {
            let brief = ctx.start::<BriefMessage>(|| Brief).expect("it starts");
            brief.stop().expect("it lives");
        }
        // Behind the ends of them all.
        ctx.send(SinkMessage::Tell).expect("it lives");
    }

    fn start_and_send(&mut self, ctx: &mut Context<HopMessage>, count: u64) {
        for _ in 0..count {
            let brief = ctx.start::<BriefMessage>(|| Brief).expect("it starts");
            brief.nothing().expect("it lives");
            brief.stop().expect("it lives");
        }
        ctx.send(SinkMessage::Tell).expect("it lives");
    }
}

/// An instance that does nothing.
#[actor]
enum BriefMessage {
    Nothing,
}

struct Brief;

impl BriefHandler for Brief {
    fn nothing(&mut self) {}
}

fn get_each(client: &SinkClient, count: u64) -> u64 {
    (0..count).map(|value| client.get(value).expect("it lives")).sum()
}

/// A hop and a sink on one thread.
struct Neighbours {
    hop: HopClient,
    sink: SinkClient,
    outside: Outside,
    engine: ActorEngine,
}

fn neighbours() -> Neighbours {
    let engine = ActorEngine::new();
    let (make, outside) = sink();
    let thread = ActorThread::new().register(SinkMessage::actor_once(make)).register(HopMessage::actor(Hop::default));
    engine.spawn(thread).expect("it starts");
    let hop = engine.client::<HopMessage>().expect("it is there");
    let sink = engine.client::<SinkMessage>().expect("it is there");
    Neighbours { hop, sink, outside, engine }
}

/// A hop on the first actor thread, a sink on the second.
fn strangers() -> Neighbours {
    let engine = ActorEngine::new();
    let (make, outside) = sink();
    engine.spawn(ActorThread::new().register(HopMessage::actor(Hop::default))).expect("it starts");
    engine.spawn(ActorThread::new().register(SinkMessage::actor_once(make))).expect("it starts");
    let hop = engine.client::<HopMessage>().expect("it is there");
    let sink = engine.client::<SinkMessage>().expect("it is there");
    Neighbours { hop, sink, outside, engine }
}

fn across(count: u64) {
    let Neighbours { hop, sink, outside, engine: _engine } = strangers();
    for count in [MORE, count] {
        send_held(&sink, &outside, count, |count| hop.send_to(sink.clone(), count).expect("it lives"));
    }
}

fn same(count: u64) {
    sends(count, |there, count| there.hop.send(count));
}

fn same_by_client(count: u64) {
    sends(count, |there, count| there.hop.send_to(there.sink.clone(), count));
}

fn same_by_bound_client(count: u64) {
    sends(count, |there, count| there.hop.send_to(bind(&there.sink), count));
}

fn same_by_engine(count: u64) {
    sends(count, |there, count| there.hop.send_by_engine(count));
}

fn same_by_send_local(count: u64) {
    sends(count, |there, count| there.hop.send_local(count));
}

/// The hop sends the sink beside it `count` messages by `send`.
fn sends(count: u64, send: impl Fn(&Neighbours, u64) -> Result<(), CallError>) {
    let there = neighbours();
    for count in [MORE, count] {
        send(&there, count).expect("it lives");
        there.sink.tell().expect("it lives");
        there.outside.expect(sum_to(count));
    }
}

/// A client that is bound to the one sink of the pool.
fn bind(sink: &SinkClient) -> SinkClient {
    sink.pin(sink.instances()[0])
}

fn calls_outside(count: u64) {
    let Neighbours { sink, engine: _engine, .. } = neighbours();
    for count in [MORE, count] {
        assert_eq!(get_each(&sink, count), sum_to(count) + count);
    }
}

fn calls_across(count: u64) {
    calls(&strangers(), count, |there, count| there.hop.call_by(there.sink.clone(), count));
}

fn calls_same(count: u64) {
    calls(&neighbours(), count, |there, count| there.hop.call_by(there.sink.clone(), count));
}

fn bound_calls(count: u64) {
    calls(&neighbours(), count, |there, count| there.hop.call_by(bind(&there.sink), count));
}

fn engine_calls(count: u64) {
    calls(&neighbours(), count, |there, count| there.hop.call_by_engine(count));
}

fn context_calls(count: u64) {
    calls(&neighbours(), count, |there, count| there.hop.call(count));
}

fn local_calls(count: u64) {
    calls(&neighbours(), count, |there, count| there.hop.call_local(count));
}

fn calls_pending(count: u64) {
    calls(&neighbours(), count, |there, count| there.hop.call_pending(there.sink.clone(), count));
}

/// The hop makes `count` calls by `call`.
fn calls(there: &Neighbours, count: u64, call: impl Fn(&Neighbours, u64) -> Result<u64, CallError>) {
    for count in [MORE, count] {
        assert_eq!(call(there, count), Ok(sum_to(count) + count));
    }
}

fn pipes(count: u64) {
    let Neighbours { hop, outside, engine: _engine, .. } = neighbours();
    for count in [MORE, count] {
        hop.pipe(count).expect("it lives");
        outside.expect(0);
    }
}

fn timers(count: u64) {
    let Neighbours { hop, outside, engine: _engine, .. } = neighbours();
    for count in [MORE, count] {
        hop.set_timers(count).expect("it lives");
        outside.expect(0);
    }
}

/// Answers later, which here is at once.
#[actor]
enum LateMessage {
    #[reply(u64, deferred)]
    Get(u64),
}

struct Late;

impl LateHandler for Late {
    fn get(&mut self, value: u64, reply: ReplyTo<u64>) {
        reply.send(value + 1);
    }
}

fn calls_deferred(count: u64) {
    let engine = ActorEngine::new();
    let late: LateClient = engine.pool(1, LateMessage::actor(|| Late)).expect("it starts");
    for count in [MORE, count] {
        let sum: u64 = (0..count).map(|value| late.get(value).expect("it lives")).sum();
        assert_eq!(sum, sum_to(count) + count);
    }
}

fn instances(count: u64) {
    let Neighbours { hop, outside, engine: _engine, .. } = neighbours();
    for count in [MORE, count] {
        hop.start(count).expect("it lives");
        outside.expect(0);
    }
}

fn instances_with_a_message(count: u64) {
    let Neighbours { hop, outside, engine: _engine, .. } = neighbours();
    for count in [MORE, count] {
        hop.start_and_send(count).expect("it lives");
        outside.expect(0);
    }
}
