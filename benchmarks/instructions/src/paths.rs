//! The paths that are counted.
//!
//! Who receives is held at a gate while the other side sends, so that neither waits in between, and the number of
//! messages taken at once is always the same. In a call across threads both wait each time: they park, since there is
//! one core only.

use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, Context, actor};

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
const FROM_INSIDE: &[Side] = &[side("sender", &[2]), side("receiver", &[3])];
const ONE_THREAD: &[Side] = &[side("both", &[2])];

pub(crate) const PATHS: &[Path] = &[
    Path { name: "send, from outside", sides: FROM_OUTSIDE, walk: outside },
    Path { name: "send, from outside, bound client", sides: FROM_OUTSIDE, walk: bound },
    Path { name: "`send_all` of 64, from outside", sides: FROM_OUTSIDE, walk: batches },
    Path { name: "send, to another thread", sides: FROM_INSIDE, walk: across },
    Path { name: "send, same thread", sides: ONE_THREAD, walk: same },
    // What one of the two finds done already is the other's, so it takes turns which of them does more.
    Path { name: "call, from outside, parking", sides: &[side("both", &[1, 2])], walk: calls_outside },
    Path { name: "call, to another thread, parking", sides: &[side("both", &[2, 3])], walk: calls_across },
    Path { name: "call, same thread, by a client", sides: ONE_THREAD, walk: calls_same },
    Path { name: "call, same thread, by the context", sides: ONE_THREAD, walk: context_calls },
    Path { name: "`ctx.start` and stop", sides: ONE_THREAD, walk: instances },
];

/// Adds up what it is sent.
#[actor]
enum SinkMessage {
    Put(u64, u64, u64),
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
    client.hold().expect("it lives");
    outside.expect(0);
    send(count);
    client.tell().expect("it lives");
    outside.open.send(()).expect("it waits");
    outside.expect(sum_to(count));
}

fn put_each(client: &SinkClient, count: u64) {
    for value in 0..count {
        client.put(value, 1, 2).expect("it lives");
    }
}

fn outside(count: u64) {
    let engine = ActorEngine::new();
    let (make, outside) = sink();
    engine.spawn(ActorThread::new().register(SinkMessage::actor_once(make))).expect("it starts");
    let client: SinkClient = engine.client::<SinkMessage>().expect("it is there");
    for count in [MORE, count] {
        send_held(&client, &outside, count, |count| put_each(&client, count));
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

/// Does from inside what it is told to.
#[actor(calls(SinkMessage))]
enum HopMessage {
    /// Sends the sink of its pool so many messages, through the context.
    #[reply(())]
    Send(u64),
    /// Sends that client's instance so many.
    #[reply(())]
    SendTo(SinkClient, u64),
    #[reply(u64)]
    Call(u64),
    #[reply(u64)]
    CallBy(SinkClient, u64),
    /// Starts so many instances and stops them again, then has the sink tell.
    Start(u64),
}

struct Hop;

impl HopHandler for Hop {
    fn send(&mut self, ctx: &mut Context<HopMessage>, count: u64) {
        for value in 0..count {
            ctx.send(SinkMessage::Put(value, 1, 2)).expect("it lives");
        }
    }

    fn send_to(&mut self, _ctx: &mut Context<HopMessage>, sink: SinkClient, count: u64) {
        put_each(&sink, count);
    }

    fn call(&mut self, ctx: &mut Context<HopMessage>, count: u64) -> u64 {
        (0..count).map(|value| ctx.call(SinkMessage::get(value)).expect("it lives")).sum()
    }

    fn call_by(&mut self, _ctx: &mut Context<HopMessage>, sink: SinkClient, count: u64) -> u64 {
        get_each(&sink, count)
    }

    fn start(&mut self, ctx: &mut Context<HopMessage>, count: u64) {
        for _ in 0..count {
            let brief = ctx.start::<BriefMessage>(|| Brief).expect("it starts");
            brief.stop().expect("it lives");
        }
        // Behind the ends of them all.
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
    let thread = ActorThread::new().register(SinkMessage::actor_once(make)).register(HopMessage::actor(|| Hop));
    engine.spawn(thread).expect("it starts");
    let hop = engine.client::<HopMessage>().expect("it is there");
    let sink = engine.client::<SinkMessage>().expect("it is there");
    Neighbours { hop, sink, outside, engine }
}

/// A hop on the first actor thread, a sink on the second.
fn strangers() -> Neighbours {
    let engine = ActorEngine::new();
    let (make, outside) = sink();
    engine.spawn(ActorThread::new().register(HopMessage::actor(|| Hop))).expect("it starts");
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
    let Neighbours { hop, sink, outside, engine: _engine } = neighbours();
    for count in [MORE, count] {
        hop.send(count).expect("it lives");
        sink.tell().expect("it lives");
        outside.expect(sum_to(count));
    }
}

fn calls_outside(count: u64) {
    let Neighbours { sink, engine: _engine, .. } = neighbours();
    for count in [MORE, count] {
        assert_eq!(get_each(&sink, count), sum_to(count) + count);
    }
}

fn calls_across(count: u64) {
    let Neighbours { hop, sink, engine: _engine, .. } = strangers();
    for count in [MORE, count] {
        assert_eq!(hop.call_by(sink.clone(), count), Ok(sum_to(count) + count));
    }
}

fn calls_same(count: u64) {
    let Neighbours { hop, sink, engine: _engine, .. } = neighbours();
    for count in [MORE, count] {
        assert_eq!(hop.call_by(sink.clone(), count), Ok(sum_to(count) + count));
    }
}

fn context_calls(count: u64) {
    let Neighbours { hop, engine: _engine, .. } = neighbours();
    for count in [MORE, count] {
        assert_eq!(hop.call(count), Ok(sum_to(count) + count));
    }
}

fn instances(count: u64) {
    let Neighbours { hop, outside, engine: _engine, .. } = neighbours();
    for count in [MORE, count] {
        hop.start(count).expect("it lives");
        outside.expect(0);
    }
}
