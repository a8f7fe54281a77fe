//! Messages of one sender to one instance are handled in the order sent, whatever handles they went through.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, Sender};
use std::thread;

use zctor::{ActorEngine, ActorThread, Context, EngineHandle, SendError, actor};
use zctor_tests::{SplitMix64, bounded, receive};

/// Messages of each sender.
const MESSAGES: u64 = if cfg!(miri) { 60 } else { 20_000 };
/// Messages that an actor sends in one go, before it sends itself the request for the next.
const BURST: u64 = 50;
const OUTSIDE_SENDERS: u32 = 3;
/// Senders inside are numbered from here.
const INSIDE: u32 = 100;

/// What an instance got of each sender, and the first thing out of order.
#[derive(Clone, Debug, Default)]
struct Tally {
    /// How many, and the last one's number.
    got: BTreeMap<u32, (u64, u64)>,
    fault: Option<String>,
}

impl Tally {
    fn note(&mut self, sender: u32, sequence: u64) {
        let (count, last) = self.got.entry(sender).or_default();
        if *count > 0 && sequence <= *last && self.fault.is_none() {
            self.fault = Some(format!("of sender {sender}, {sequence} came after {last}"));
        }
        *count += 1;
        *last = sequence;
    }
}

#[actor]
enum SinkMessage {
    Item {
        sender: u32,
        sequence: u64,
    },
    /// The same as a call.
    #[reply(u64)]
    Confirm {
        sender: u32,
        sequence: u64,
    },
    #[reply(Tally)]
    Tally,
}

#[derive(Default)]
struct Sink {
    tally: Tally,
}

impl SinkHandler for Sink {
    fn item(&mut self, sender: u32, sequence: u64) {
        self.tally.note(sender, sequence);
    }

    fn confirm(&mut self, sender: u32, sequence: u64) -> u64 {
        self.tally.note(sender, sequence);
        sequence
    }

    fn tally(&mut self) -> Tally {
        self.tally.clone()
    }
}

/// Sends numbered messages by every way that an actor has.
#[actor(calls(SinkMessage))]
enum FeederMessage {
    Feed { from: u64, sink: SinkClient },
}

struct Feeder {
    sender: u32,
    random: SplitMix64,
    done: Sender<u32>,
}

impl FeederHandler for Feeder {
    fn feed(&mut self, ctx: &mut Context<FeederMessage>, from: u64, sink: SinkClient) {
        let sender = self.sender;
        let until = (from + BURST).min(MESSAGES);
        for sequence in from..until {
            let item = SinkMessage::Item { sender, sequence };
            let confirm = SinkMessage::confirm(sender, sequence);
            let sent = match self.random.below(10) {
                0 | 1 => ctx.send(item),
                2 => ctx.engine().send(item),
                3 => sink.send(item),
                4 => sink.clone().item(sender, sequence),
                5 => ctx.non_blocking::<SinkMessage>().expect("the sink is live").item(sender, sequence),
                6 => ctx.client::<SinkMessage>().expect("the sink is live").item(sender, sequence),
                7 => sink.send_all([item]).map(drop).map_err(|_| unreachable!("the sink is live")),
                8 => {
                    sink.request(confirm).detach();
                    Ok(())
                }
                _ => {
                    assert_eq!(ctx.call(confirm), Ok(sequence));
                    Ok(())
                }
            };
            sent.expect("the sink is live");
        }
        if until < MESSAGES {
            ctx.me().feed(until, sink).expect("the feeder is live");
        } else {
            let _ = self.done.send(sender);
        }
    }
}

/// Sends the numbers 0 to [`MESSAGES`] as `sender` by every way that there is from outside.
fn feed_from_outside(handle: &EngineHandle, sender: u32) {
    let sink = handle.client::<SinkMessage>().expect("the sink is live");
    let only = sink.instances();
    let pinned = (only.len() == 1).then(|| sink.pin(only[0]));
    let mut random = SplitMix64::new(u64::from(sender));
    let mut sequence = 0;
    while sequence < MESSAGES {
        let item = SinkMessage::Item { sender, sequence };
        sequence += 1;
        let sent = match random.below(200) {
            // Rarely, since each parks two threads.
            0 => {
                assert_eq!(sink.call(SinkMessage::confirm(sender, sequence - 1)), Ok(sequence - 1));
                Ok(())
            }
            1..30 => {
                sink.request(SinkMessage::confirm(sender, sequence - 1)).detach();
                Ok(())
            }
            30..60 => handle.send(item),
            60..90 => sink.clone().send(item),
            90..120 => sink.non_blocking().item(sender, sequence - 1),
            120..150 => pinned.as_ref().unwrap_or(&sink).send(item),
            150..155 => {
                let more = sequence..(sequence + 10).min(MESSAGES);
                sequence = more.end;
                let items = more.map(|sequence| SinkMessage::Item { sender, sequence });
                assert!(sink.send_all([item].into_iter().chain(items)).is_ok());
                Ok(())
            }
            _ => sink.send(item),
        };
        sent.expect("the sink is live");
    }
}

/// Runs all senders at once against `sinks` instances, the feeders on the sinks' threads and on one more.
fn run(sinks: usize) -> Vec<Tally> {
    let engine = ActorEngine::new();
    let (done, ended) = mpsc::channel();
    let feeder = |sender: u32| {
        let done = done.clone();
        FeederMessage::actor(move || Feeder { sender, random: SplitMix64::new(u64::from(sender)), done: done.clone() })
    };
    let mut sender = INSIDE;
    for _ in 0..sinks {
        let thread = ActorThread::new()
            .register(feeder(sender))
            .register(SinkMessage::actor(Sink::default))
            .register(feeder(sender + 1));
        engine.spawn(thread).expect("the thread starts");
        sender += 2;
    }
    engine.spawn(ActorThread::new().register(feeder(sender)).register(feeder(sender + 1))).expect("the thread starts");
    sender += 2;

    let sink = engine.client::<SinkMessage>().expect("the sinks are live");
    let feeders = engine.client::<FeederMessage>().expect("the feeders are live");
    feeders.broadcast_with(|_| FeederMessage::Feed { from: 0, sink: sink.clone() }).expect("the feeders are live");
    thread::scope(|scope| {
        for sender in 0..OUTSIDE_SENDERS {
            let handle = engine.handle();
            scope.spawn(move || feed_from_outside(&handle, sender));
        }
    });
    for _ in INSIDE..sender {
        receive(&ended);
    }
    engine.settle();

    let tallies: Vec<Tally> = sink
        .call_all_with(|_| SinkMessage::tally())
        .expect("the sinks are live")
        .into_iter()
        .map(|(_, tally)| tally.expect("a sink answers"))
        .collect();
    let mut totals = BTreeMap::<u32, u64>::new();
    for tally in &tallies {
        for (&sender, &(count, _)) in &tally.got {
            *totals.entry(sender).or_default() += count;
        }
    }
    let expected: BTreeMap<_, _> =
        (0..OUTSIDE_SENDERS).chain(INSIDE..sender).map(|sender| (sender, MESSAGES)).collect();
    assert_eq!(totals, expected, "each sender's messages arrived, all of them and once");
    tallies
}

#[test]
fn one_instance_handles_each_senders_messages_in_the_order_sent() {
    bounded(|| {
        for tally in run(1) {
            assert_eq!(tally.fault, None);
            assert!(tally.got.values().all(|&(_, last)| last == MESSAGES - 1));
        }
    });
}

#[test]
fn each_instance_of_a_pool_handles_its_part_in_the_order_sent() {
    bounded(|| {
        for tally in run(3) {
            assert_eq!(tally.fault, None);
        }
    });
}

#[test]
fn messages_that_take_turns_among_neighbours_keep_their_order_amid_batches_and_calls() {
    bounded(|| {
        let engine = ActorEngine::new();
        let thread = (0..3).fold(ActorThread::new(), |thread, _| thread.register(SinkMessage::actor(Sink::default)));
        engine.spawn(thread).unwrap();
        let sinks = engine.client::<SinkMessage>().unwrap();
        let sinks: Vec<_> = sinks.instances().iter().map(|sink| sinks.pin(*sink)).collect();
        let mut random = SplitMix64::new(7);
        let (mut next, mut sent) = (0, [0; 3]);
        for sequence in 0..MESSAGES {
            // Mostly another than before, as in a round; at times the same again, so that batches form in between.
            next = (next + if random.below(8) == 0 { 0 } else { 1 + random.below(2) }) % sinks.len();
            match random.below(40) {
                0 => sinks[next].request(SinkMessage::confirm(0, sequence)).detach(),
                1 => assert!(sinks[next].send_all([SinkMessage::Item { sender: 0, sequence }]).is_ok()),
                _ => sinks[next].item(0, sequence).unwrap(),
            }
            sent[next] += 1;
        }
        for (sink, sent) in sinks.iter().zip(sent) {
            let tally = sink.tally().unwrap();
            assert_eq!((tally.fault, tally.got[&0].0), (None, sent));
        }
        engine.settle();
        let waiting: usize = engine.stats().threads.iter().map(|thread| thread.queued).sum();
        assert_eq!(waiting, 0, "no load is left over");
    });
}

#[test]
fn a_call_finds_every_earlier_send_handled() {
    bounded(|| {
        let engine = ActorEngine::new();
        let sink = engine.pool(1, SinkMessage::actor(Sink::default)).unwrap();
        for sequence in 0..100 {
            sink.item(0, sequence).unwrap();
            let tally = sink.tally().unwrap();
            assert_eq!(tally.got[&0], (sequence + 1, sequence));
        }
    });
}

#[test]
fn a_key_keeps_the_order_of_its_sender() {
    bounded(|| {
        let engine = ActorEngine::new();
        let sink = engine.pool(3, SinkMessage::actor(Sink::default)).unwrap();
        for sequence in 0..1_000 {
            let key = u32::try_from(sequence % 7).unwrap();
            match sequence % 3 {
                0 => sink.keyed(&key).item(key, sequence).unwrap(),
                1 => sink.keyed(&key).non_blocking().item(key, sequence).unwrap(),
                _ => sink.keyed(&key).request(SinkMessage::confirm(key, sequence)).detach(),
            }
        }
        engine.settle();
        let mut count = 0;
        for (_, tally) in sink.call_all_with(|_| SinkMessage::tally()).unwrap() {
            let tally = tally.unwrap();
            assert_eq!(tally.fault, None);
            count += tally.got.values().map(|(count, _)| count).sum::<u64>();
        }
        assert_eq!(count, 1_000);
    });
}

/// Sends to a sink, then answers.
#[actor(ctx)]
enum TellerMessage {
    #[reply(())]
    Tell { sequence: u64 },
}

struct Teller;

impl TellerHandler for Teller {
    fn tell(&mut self, ctx: &mut Context<TellerMessage>, sequence: u64) {
        ctx.send(SinkMessage::Item { sender: 0, sequence }).expect("the sink is live");
    }
}

#[test]
fn a_reply_leaves_after_every_message_its_handler_has_sent() {
    bounded(|| {
        for on_same_thread in [true, false] {
            let engine = ActorEngine::new();
            let teller = ActorThread::new().register(TellerMessage::actor(|| Teller));
            let sink = SinkMessage::actor(Sink::default);
            if on_same_thread {
                engine.spawn(teller.register(sink)).unwrap();
            } else {
                engine.spawn(teller).unwrap();
                engine.spawn(ActorThread::new().register(sink)).unwrap();
            }
            for sequence in 0..200 {
                engine.call(TellerMessage::tell(sequence)).unwrap();
                let tally = engine.call(SinkMessage::tally()).unwrap();
                assert_eq!(tally.got[&0], (sequence + 1, sequence));
            }
        }
    });
}

/// Sends itself numbered messages while others are sent from outside.
#[actor(ctx)]
enum LoopMessage {
    Begin,
    Own {
        sequence: u64,
    },
    Outside {
        sequence: u64,
    },
    #[reply(Tally)]
    Tally,
}

#[derive(Default)]
struct Loop {
    tally: Tally,
}

impl LoopHandler for Loop {
    fn begin(&mut self, ctx: &mut Context<LoopMessage>) {
        for sequence in 0..MESSAGES {
            let sent = match sequence % 3 {
                0 => ctx.send(LoopMessage::Own { sequence }),
                1 => ctx.me().own(sequence),
                _ => ctx.engine().send(LoopMessage::Own { sequence }),
            };
            sent.expect("it is itself");
        }
    }

    fn own(&mut self, _ctx: &mut Context<LoopMessage>, sequence: u64) {
        self.tally.note(INSIDE, sequence);
    }

    fn outside(&mut self, _ctx: &mut Context<LoopMessage>, sequence: u64) {
        self.tally.note(0, sequence);
    }

    fn tally(&mut self, _ctx: &mut Context<LoopMessage>) -> Tally {
        self.tally.clone()
    }
}

#[test]
fn messages_to_itself_keep_their_order_beside_those_from_outside() {
    bounded(|| {
        let engine = ActorEngine::new();
        let me = engine.pool(1, LoopMessage::actor(Loop::default)).unwrap();
        me.begin().unwrap();
        for sequence in 0..MESSAGES {
            me.outside(sequence).unwrap();
        }
        engine.settle();
        let tally = me.tally().unwrap();
        assert_eq!(tally.fault, None);
        assert_eq!(tally.got[&INSIDE], (MESSAGES, MESSAGES - 1));
        assert_eq!(tally.got[&0], (MESSAGES, MESSAGES - 1));
    });
}

#[test]
fn an_actor_of_another_engine_is_a_sender_like_any_other() {
    bounded(|| {
        let near = ActorEngine::new();
        let far = ActorEngine::new();
        let sink = far.pool(1, SinkMessage::actor(Sink::default)).unwrap();
        let hand_over = near.pool(1, HandOverMessage::actor(|| HandOver)).unwrap();
        hand_over.pass_on(sink.clone(), far.handle()).unwrap();
        near.settle();
        far.settle();
        let tally = sink.tally().unwrap();
        assert_eq!(tally.fault, None);
        assert_eq!(tally.got[&0], (MESSAGES, MESSAGES - 1));

        // Outside the far engine, so refused from its end on.
        far.shutdown().unwrap();
        assert!(hand_over.try_one(sink).unwrap().is_err());
    });
}

/// Sends to the instances of another engine.
#[actor]
enum HandOverMessage {
    PassOn {
        sink: SinkClient,
        engine: EngineHandle,
    },
    #[reply(Result<(), SendError<SinkMessage>>)]
    TryOne {
        sink: SinkClient,
    },
}

struct HandOver;

impl HandOverHandler for HandOver {
    fn pass_on(&mut self, sink: SinkClient, engine: EngineHandle) {
        for sequence in 0..MESSAGES {
            let item = SinkMessage::Item { sender: 0, sequence };
            let sent = match sequence % 3 {
                0 => sink.send(item),
                1 => engine.send(item),
                _ => sink.non_blocking().item(0, sequence),
            };
            sent.expect("the sink is live");
        }
    }

    fn try_one(&mut self, sink: SinkClient) -> Result<(), SendError<SinkMessage>> {
        sink.item(0, 0)
    }
}

/// Sends itself a message from its factory, from `on_start`, and from a handler.
#[actor(ctx)]
enum FirstMessage {
    Note {
        from: &'static str,
    },
    #[reply(Vec<&'static str>)]
    Notes,
}

struct First {
    notes: Vec<&'static str>,
}

impl FirstHandler for First {
    fn on_start(&mut self, ctx: &mut Context<FirstMessage>) {
        self.notes.push("on_start");
        ctx.me().note("sent by on_start").expect("it is itself");
    }

    fn note(&mut self, ctx: &mut Context<FirstMessage>, from: &'static str) {
        self.notes.push(from);
        if from == "sent by on_start" {
            ctx.me().note("sent by a handler").expect("it is itself");
        }
    }

    fn notes(&mut self, _ctx: &mut Context<FirstMessage>) -> Vec<&'static str> {
        self.notes.clone()
    }
}

#[test]
fn on_start_comes_first_then_what_the_factory_sent() {
    bounded(|| {
        let engine = ActorEngine::new();
        let first = engine
            .pool(
                1,
                FirstMessage::try_actor(|ctx| {
                    ctx.me().note("sent by the factory")?;
                    Ok(First { notes: Vec::new() })
                }),
            )
            .unwrap();
        first.note("sent from outside").unwrap();
        engine.settle();
        let notes: Vec<_> = first.notes().unwrap().into_iter().filter(|note| *note != "sent from outside").collect();
        assert_eq!(notes, ["on_start", "sent by the factory", "sent by on_start", "sent by a handler"]);
    });
}
