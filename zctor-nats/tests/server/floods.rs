//! Sends that come faster than a bridge passes them on go out together, and are one by one what they would be alone.

use std::sync::mpsc;

use serde::{Deserialize, Serialize};
use zctor::{ActorEngine, CallError, Context, Overflow, ReplyTo, actor};
use zctor_nats::Bridge;
use zctor_tests::{LIMIT, bounded, receive_many};

use crate::nats::Server;
use crate::stock::Stock;

/// So many of a flood cannot but wait for the bridge.
const FLOOD: u32 = 20_000;

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum LogMessage {
    Note(u32, Vec<u8>),
    #[reply(u32)]
    Ask(u32),
}
struct Log(mpsc::Sender<u32>);
impl LogHandler for Log {
    fn note(&mut self, value0: u32, _: Vec<u8>) {
        self.0.send(value0).unwrap_or_default();
    }
    fn ask(&mut self, value: u32) -> u32 {
        self.0.send(value).unwrap_or_default();
        value
    }
}

/// A log that is served, its bridge, and what comes there.
fn served_log(server: &Server) -> (ActorEngine, Bridge, mpsc::Receiver<u32>) {
    let (engine, bridge) = (ActorEngine::new(), server.patient_bridge());
    let (tell, told) = mpsc::channel();
    engine.pool(1, LogMessage::actor(move || Log(tell.clone()))).expect("a pool");
    bridge.serve::<LogMessage>(&engine).expect("it has the pool");
    (engine, bridge, told)
}

#[actor(ctx)]
enum SourceMessage {
    Flood,
}
struct Source;
impl SourceHandler for Source {
    fn flood(&mut self, ctx: &mut Context<SourceMessage>) {
        for number in 0..FLOOD {
            match number % 1_000 {
                // A call, and what is large, stand between sends that go out together.
                500 => ctx.non_blocking::<LogMessage>().expect("it is attached").ask(number).detach(),
                700 => ctx.send(LogMessage::Note(number, vec![0; 5_000])).expect("nothing holds a handler back"),
                _ => ctx.send(LogMessage::Note(number, Vec::new())).expect("nothing holds a handler back"),
            }
        }
    }
}

#[test]
fn a_flood_of_sends_and_calls_keeps_its_order() {
    bounded(|| {
        let server = Server::start();
        let (_there, serves, told) = served_log(&server);
        let (here, calls) = (ActorEngine::new(), server.patient_bridge());
        calls.attach::<LogMessage>(&here).expect("a link");
        let mut stock = Stock::connect(server.port());
        stock.listen("zctor.3.test.LogMessage.t");
        let source: SourceClient = here.start(SourceMessage::actor(|| Source)).expect("a thread");
        source.flood().expect("it is live");
        assert!(receive_many(&told, FLOOD as usize).into_iter().eq(0..FLOOD));
        here.settle();
        let books = calls.close(LIMIT);
        let asked = u64::from(FLOOD / 1_000);
        assert!(books.is_balanced(), "{books}");
        assert_eq!((books.acked, books.ended), (u64::from(FLOOD) - asked, asked), "{books}");
        assert_eq!(serves.books().taken, u64::from(FLOOD));
        let mut heard = OnTheWire::default();
        while heard.sends + heard.calls < FLOOD {
            heard.note(&stock.hear().reply);
        }
        // Most have waited for the bridge, or the order of packs was not looked at.
        assert!(heard.sends_in_packs > FLOOD / 2, "{} of {FLOOD} went in packs", heard.sends_in_packs);
    });
}

#[test]
fn of_a_flood_to_nobody_each_send_is_told() {
    bounded(|| {
        let (server, here) = (Server::start(), ActorEngine::new());
        let calls = server.patient_bridge();
        let log = calls.attach_bounded::<LogMessage>(&here, FLOOD as usize, Overflow::Wait).expect("a link");
        for number in 0..FLOOD {
            log.note(number, Vec::new()).expect("there is room");
        }
        here.settle();
        let books = calls.flush(LIMIT);
        assert_eq!((books.accepted, books.unreachable), (u64::from(FLOOD), u64::from(FLOOD)), "{books}");
    });
}

/// The counts of a listener to the pool's subject: packets of sends and of calls, and of each those in packs.
#[derive(Default)]
struct OnTheWire {
    sends: u32,
    calls: u32,
    sends_in_packs: u32,
    calls_in_packs: u32,
}

impl OnTheWire {
    fn note(&mut self, reply: &str) {
        let words = || reply.rsplit_once(".r.").map_or("", |(_, words)| words).split('.').skip(1);
        let pack = words().find_map(|word| word.strip_prefix('p')?.parse::<u32>().ok());
        let (packets, in_packs) = (pack.unwrap_or(1), pack.unwrap_or(0));
        assert!((1..=32).contains(&packets), "{reply}");
        if words().any(|word| word == "c") {
            (self.calls, self.calls_in_packs) = (self.calls + packets, self.calls_in_packs + in_packs);
        } else {
            (self.sends, self.sends_in_packs) = (self.sends + packets, self.sends_in_packs + in_packs);
        }
    }
}

#[test]
fn sends_and_calls_cross_the_server_in_packs_and_each_arrives_once() {
    const BOTH: u32 = 2_000;
    bounded(|| {
        let server = Server::start();
        let (_there, serves, told) = served_log(&server);
        let (here, calls) = (ActorEngine::new(), server.patient_bridge());
        let log = calls.attach_bounded::<LogMessage>(&here, 2 * BOTH as usize, Overflow::Wait).expect("a link");
        let mut stock = Stock::connect(server.port());
        stock.listen("zctor.3.test.LogMessage.t");
        // Calls go together if the last one was answered within a millisecond. So there is one by itself before the many,
        // and a busy machine may need several rounds.
        let (mut heard, mut rounds) = (OnTheWire::default(), 0);
        while heard.sends_in_packs == 0 || heard.calls_in_packs == 0 {
            rounds += 1;
            for number in 0..BOTH {
                log.note(number, Vec::new()).expect("there is room");
            }
            assert!(receive_many(&told, BOTH as usize).into_iter().eq(0..BOTH), "their order is kept");
            assert_eq!((log.ask(BOTH), receive_many(&told, 1)), (Ok(BOTH), vec![BOTH]));
            let asked: Vec<_> = (0..BOTH).map(|number| log.non_blocking().ask(number)).collect();
            assert!(asked.into_iter().map(|reply| reply.wait()).eq((0..BOTH).map(Ok)), "each has its own reply");
            assert!(receive_many(&told, BOTH as usize).into_iter().eq(0..BOTH), "their order is kept");
            let (sends, calls) = (rounds * BOTH, rounds * (BOTH + 1));
            while (heard.sends, heard.calls) != (sends, calls) {
                heard.note(&stock.hear().reply);
                assert!(heard.sends <= sends && heard.calls <= calls, "a packet came twice");
            }
        }
        assert_eq!(serves.books().taken, u64::from(rounds * (2 * BOTH + 1)));
        here.settle();
        assert!(calls.flush(LIMIT).is_balanced());
    });
}

/// The server takes none of the packs, and each of their sends.
#[test]
fn sends_that_are_too_large_together_go_one_by_one() {
    const SENDS: u32 = 2_000;
    bounded(|| {
        let server = Server::configured("max_payload: 4096");
        let (_there, _serves, told) = served_log(&server);
        let (here, calls) = (ActorEngine::new(), server.patient_bridge());
        let log = calls.attach_bounded::<LogMessage>(&here, SENDS as usize, Overflow::Wait).expect("a link");
        let mut stock = Stock::connect(server.port());
        stock.listen("zctor.3.test.LogMessage.t");
        for number in 0..SENDS {
            log.note(number, vec![0; 2_000]).expect("there is room");
        }
        assert!(receive_many(&told, SENDS as usize).into_iter().eq(0..SENDS), "their order is kept");
        here.settle();
        assert_eq!(calls.flush(LIMIT).acked, u64::from(SENDS));
        let mut heard = OnTheWire::default();
        (0..SENDS).for_each(|_| heard.note(&stock.hear().reply));
        assert_eq!((heard.sends, heard.sends_in_packs), (SENDS, 0));
    });
}

/// Issue #17: they go out together while the last ones were answered soon.
#[test]
fn each_of_many_calls_at_a_time_has_its_own_reply() {
    const CALLS: u32 = 2_000;
    bounded(|| {
        let server = Server::start();
        let (_there, serves, told) = served_log(&server);
        let (here, calls) = (ActorEngine::new(), server.patient_bridge());
        let log = calls.attach_bounded::<LogMessage>(&here, CALLS as usize, Overflow::Wait).expect("a link");
        for _ in 0..3 {
            let asked: Vec<_> = (0..CALLS).map(|number| log.non_blocking().ask(number)).collect();
            assert!(asked.into_iter().map(|reply| reply.wait()).eq((0..CALLS).map(Ok)));
            assert!(receive_many(&told, CALLS as usize).into_iter().eq(0..CALLS), "their order is kept");
        }
        assert_eq!(serves.books().taken, 3 * u64::from(CALLS));
        let books = calls.close(LIMIT);
        assert!(books.is_balanced() && books.ended == 3 * u64::from(CALLS), "{books}");
    });
}

/// Issue #17.
#[test]
fn each_of_many_calls_to_nobody_is_told() {
    const CALLS: u32 = 2_000;
    bounded(|| {
        let (server, here) = (Server::start(), ActorEngine::new());
        let calls = server.patient_bridge();
        let log = calls.attach_bounded::<LogMessage>(&here, CALLS as usize, Overflow::Wait).expect("a link");
        for _ in 0..3 {
            let asked: Vec<_> = (0..CALLS).map(|number| log.non_blocking().ask(number)).collect();
            let nobody = Err(CallError::NotRegistered { message: "LogMessage" });
            assert!(asked.into_iter().all(|reply| reply.wait() == nobody));
        }
        assert!(calls.books().is_balanced(), "{}", calls.books());
    });
}

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum PageMessage {
    #[reply(Vec<u8>, deferred)]
    Read(u32),
}
/// Replies to all at once.
struct Pages(Vec<ReplyTo<Vec<u8>>>);
const READS: usize = 500;
const PAGE: usize = 1_000;
impl PageHandler for Pages {
    fn read(&mut self, _: u32, reply: ReplyTo<Vec<u8>>) {
        self.0.push(reply);
        if self.0.len() == READS {
            self.0.drain(..).for_each(|reply| reply.send(vec![0; PAGE]));
        }
    }
}

/// Issue #17: answers that went out together were more than the server takes, and all of them were lost.
#[test]
fn answers_that_go_out_together_are_no_more_than_the_server_takes() {
    bounded(|| {
        let server = Server::configured("max_payload: 4096");
        let (there, here) = (ActorEngine::new(), ActorEngine::new());
        let (serves, calls) = (server.patient_bridge(), server.patient_bridge());
        there.pool(1, PageMessage::actor(|| Pages(Vec::new()))).expect("a pool");
        serves.serve::<PageMessage>(&there).expect("it has the pool");
        let pages = calls.attach::<PageMessage>(&here).expect("a link");
        let asked: Vec<_> =
            (0..READS as u32).map(|number| pages.non_blocking().within(LIMIT / 6).read(number)).collect();
        for page in asked {
            assert_eq!(page.wait().map(|page| page.len()), Ok(PAGE));
        }
    });
}
