//! A message that is delivered goes into its mailbox at once where it can, and else through a feeder: in order either
//! way, and the thread that delivers is never held up.

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::thread::{self, ThreadId};

use serde::{Deserialize, Serialize};
use zctor::remote::Travels;
use zctor::remote::transport::{Answer, CallHeader, End, Format, Packet, Receipt, Route};
use zctor::{ActorEngine, ActorThread, actor};
use zctor_tests::{Gate, bounded, receive, receive_many};

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum LogMessage {
    Note(u32, Vec<u8>),
    #[reply(u32)]
    Echo(u32),
}

struct Log {
    gate: Gate,
    notes: mpsc::Sender<(u32, ThreadId)>,
}
impl LogHandler for Log {
    fn note(&mut self, value0: u32, _bytes: Vec<u8>) {
        self.gate.pass();
        self.notes.send((value0, thread::current().id())).unwrap_or_default();
    }
    fn echo(&mut self, value: u32) -> u32 {
        self.notes.send((value, thread::current().id())).unwrap_or_default();
        value
    }
}

/// What a sender is told, and on which thread.
#[derive(Debug)]
enum Told {
    Taken(u32),
    Answered(u32, Answer, ThreadId),
}

struct Sender {
    number: u32,
    tell: mpsc::Sender<Told>,
}
impl Receipt for Sender {
    fn taken(&mut self) {
        self.tell.send(Told::Taken(self.number)).unwrap_or_default();
    }
    fn answer(self: Box<Self>, answer: Answer) {
        self.tell.send(Told::Answered(self.number, answer, thread::current().id())).unwrap_or_default();
    }
}

struct Served {
    engine: ActorEngine,
    end: End,
    gate: Gate,
    notes: mpsc::Receiver<(u32, ThreadId)>,
    tell: mpsc::Sender<Told>,
    told: mpsc::Receiver<Told>,
}

impl Served {
    fn start(thread: ActorThread) -> Self {
        let (engine, end, gate) = (ActorEngine::new(), End::default(), Gate::new());
        let ((note, notes), (tell, told)) = (mpsc::channel(), mpsc::channel());
        let inside = gate.clone();
        let log = move || Log { gate: inside.clone(), notes: note.clone() };
        engine.spawn(thread.register(LogMessage::actor(log))).expect("a pool");
        end.serve::<LogMessage>(&engine, None).expect("it has the pool");
        Self { engine, end, gate, notes, tell, told }
    }

    fn deliver(&self, number: u32, message: &LogMessage, inside: bool) {
        let bytes = message.__encode(Format::MessagePack).expect("it can be written");
        let is_call = matches!(message, LogMessage::Echo(_));
        let call = is_call.then_some(CallHeader { until: None, depth: 1, or_send: false, queued: false });
        let packet =
            Packet { bytes: bytes.into(), format: Format::MessagePack, call, inside, route: Route::Turn, key: None };
        let receipt = Box::new(Sender { number, tell: self.tell.clone() });
        self.end.deliver("LogMessage", packet, receipt);
    }
}

/// Large messages go through the feeder, and small ones need not: they wait if a large one is before them.
#[test]
fn small_and_large_messages_of_one_sender_keep_their_order() {
    const ALL: u32 = 2_000;
    bounded(|| {
        for inside in [false, true] {
            let served = Served::start(ActorThread::new());
            served.gate.open();
            for number in 0..ALL {
                let bytes = if number % 5 == 0 { vec![0; 20_000] } else { Vec::new() };
                served.deliver(number, &LogMessage::Note(number, bytes), inside);
            }
            let notes = receive_many(&served.notes, ALL as usize);
            assert!(notes.iter().map(|(number, _)| *number).eq(0..ALL), "inside: {inside}");
        }
    });
}

#[test]
fn a_full_pool_holds_up_nobody_who_delivers() {
    const ALL: u32 = 50;
    bounded(|| {
        let served = Served::start(ActorThread::new().mailbox_bound(1));
        // The first is at the gate.
        served.deliver(0, &LogMessage::Note(0, Vec::new()), false);
        served.gate.await_arrivals(1);
        for number in 1..ALL {
            served.deliver(number, &LogMessage::Note(number, Vec::new()), false);
        }
        // What a handler has sent waits for no room, and not for what does.
        served.deliver(ALL, &LogMessage::Note(ALL, Vec::new()), true);
        let mut taken = BTreeSet::new();
        while !taken.contains(&ALL) {
            let Told::Taken(number) = receive(&served.told) else { panic!("none is refused") };
            taken.insert(number);
        }
        assert!(taken.len() < ALL as usize, "{taken:?}");
        assert!(served.end.books().waiting > 0);
        served.gate.open();
        let notes = receive_many(&served.notes, ALL as usize + 1);
        assert!(notes.iter().map(|(number, _)| *number).filter(|number| *number < ALL).eq(0..ALL));
    });
}

#[test]
fn a_reply_goes_out_on_the_thread_that_replies() {
    bounded(|| {
        let served = Served::start(ActorThread::new());
        // A handler is at the gate, so the reply cannot come before somebody waits for it.
        served.deliver(0, &LogMessage::Note(0, Vec::new()), false);
        served.gate.await_arrivals(1);
        served.deliver(1, &LogMessage::Echo(7), false);
        served.gate.open();
        let told = receive_many(&served.told, 3);
        let [Told::Taken(0), Told::Taken(1), Told::Answered(1, Answer::Reply(_), on)] = &told[..] else {
            panic!("{told:?}")
        };
        let handled_on = receive_many(&served.notes, 2)[1].1;
        assert_eq!(*on, handled_on);
        served.engine.settle();
        let books = served.end.books();
        assert!(books.is_drained() && books.taken == 2, "{books}");
    });
}

/// The replies race with the first looks for them.
#[test]
fn each_call_is_answered_once_whatever_comes_first() {
    const THREADS: u32 = 4;
    const EACH: u32 = 2_000;
    bounded(|| {
        let served = Served::start(ActorThread::new());
        served.gate.open();
        thread::scope(|scope| {
            for sender in 0..THREADS {
                // A receiver of a channel is not for several threads.
                let (end, tell) = (&served.end, served.tell.clone());
                scope.spawn(move || {
                    for number in sender * EACH..(sender + 1) * EACH {
                        let bytes = LogMessage::Echo(number).__encode(Format::MessagePack).expect("it can be written");
                        let call = Some(CallHeader { until: None, depth: 1, or_send: false, queued: false });
                        let packet = Packet {
                            bytes: bytes.into(),
                            format: Format::MessagePack,
                            call,
                            inside: number % 2 == 0,
                            route: Route::Turn,
                            key: None,
                        };
                        end.deliver("LogMessage", packet, Box::new(Sender { number, tell: tell.clone() }));
                    }
                });
            }
        });
        let (mut taken, mut answered) = (BTreeSet::new(), BTreeSet::new());
        for told in receive_many(&served.told, 2 * (THREADS * EACH) as usize) {
            let is_first = match told {
                Told::Taken(number) => taken.insert(number),
                Told::Answered(number, Answer::Reply(_), _) => answered.insert(number),
                other => panic!("{other:?}"),
            };
            assert!(is_first);
        }
        assert_eq!((taken.len(), answered.len()), ((THREADS * EACH) as usize, (THREADS * EACH) as usize));
        let books = served.end.drain(zctor_tests::LIMIT);
        assert!(books.is_drained(), "{books}");
    });
}
