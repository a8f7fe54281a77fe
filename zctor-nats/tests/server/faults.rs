//! The server is killed under load: every call ends, the books balance, and the next server is used.

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zctor::{ActorEngine, CallError, DeadLetter, Overflow, Undelivered, actor, now};
use zctor_nats::{Bridge, BridgeError};
use zctor_tests::{Counter, Gate, LIMIT, SplitMix64, bounded, receive};

use crate::nats::Server;
use crate::over::Ends;
use crate::proxy::Proxy;

#[actor(remote)]
#[derive(Clone, Serialize, Deserialize)]
enum WorkMessage {
    Do(u64),
    #[reply(u64)]
    Ask(u64),
    #[reply(())]
    Hold,
}
struct Work {
    done: Counter,
    gate: Gate,
}
impl WorkHandler for Work {
    fn r#do(&mut self, _value: u64) {
        self.done.increment();
    }
    fn ask(&mut self, value: u64) -> u64 {
        value + 1
    }
    fn hold(&mut self) {
        self.gate.pass();
    }
}

struct Joined {
    there: ActorEngine,
    here: ActorEngine,
    bridges: (Bridge, Bridge),
    work: WorkClient,
    done: Counter,
    gate: Gate,
    dead: Counter,
}

fn joined(server: &Server) -> Joined {
    joined_by(server.bridge(), server.bridge())
}

/// A pool that is served by one bridge and called by another.
fn joined_by(serves: Bridge, calls: Bridge) -> Joined {
    let (there, here, bridges) = (ActorEngine::new(), ActorEngine::new(), (serves, calls));
    let (done, gate, dead) = (Counter::new(), Gate::new(), Counter::new());
    let (counted, inside) = (done.clone(), gate.clone());
    there.pool(2, WorkMessage::actor(move || Work { done: counted.clone(), gate: inside.clone() })).expect("a pool");
    bridges.0.serve::<WorkMessage>(&there).expect("it has the pool");
    let letters = dead.clone();
    here.on_dead_letter(move |_| {
        letters.increment();
    });
    let work = bridges.1.attach::<WorkMessage>(&here).expect("a link");
    Joined { there, here, bridges, work, done, gate, dead }
}

/// Asks until there is an answer: the bridges connect again in their own time.
fn await_answer(work: &WorkClient) {
    while work.within(LIMIT).ask(1) != Ok(2) {
        thread::yield_now();
    }
}

#[test]
fn calls_under_way_are_lost_with_the_connection_and_the_next_one_is_used() {
    const CALLS: usize = 1_000;
    bounded(|| {
        let mut server = Server::start();
        let at = joined(&server);
        let held: Vec<_> = (0..CALLS).map(|_| at.work.non_blocking().hold()).collect();
        at.gate.await_arrivals(2);
        server.kill();
        let lost = Err(CallError::Lost { message: "WorkMessage" });
        assert!(held.into_iter().all(|held| held.wait() == lost), "each that was under way");
        let nobody = at.work.ask(1);
        assert_eq!(nobody, Err(CallError::NotRegistered { message: "WorkMessage" }), "it was patient");
        at.work.r#do(1).expect("the link takes it");
        at.here.settle();
        let books = at.bridges.1.flush(LIMIT);
        assert_eq!((books.accepted, books.unreachable, at.dead.get()), (1, 1, 1), "{books}");
        at.gate.open();
        server.restart();
        await_answer(&at.work);
    });
}

#[test]
fn the_books_balance_when_the_server_is_killed_under_load() {
    bounded(|| {
        for _ in 0..5 {
            round();
        }
    });
}

fn round() {
    const SENDERS: u64 = 3;
    let mut server = Server::start();
    let at = joined(&server);
    let over = AtomicBool::new(false);
    let sent: u64 = thread::scope(|scope| {
        let ends = Ends(&over);
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                let (work, over) = (at.work.clone(), &over);
                scope.spawn(move || {
                    let mut sent = 0;
                    while !over.load(Ordering::Relaxed) {
                        work.r#do(sent).expect("it waits for room");
                        sent += 1;
                        if sent % 16 == 0 {
                            // It ends in any case, and says how.
                            if let Ok(reply) = work.ask(sent) {
                                assert_eq!(reply, sent + 1);
                            }
                        }
                    }
                    sent
                })
            })
            .collect();
        while at.done.get() < 200 {
            thread::yield_now();
        }
        server.kill();
        while at.dead.get() == 0 {
            thread::yield_now();
        }
        server.restart();
        await_answer(&at.work);
        drop(ends);
        senders.into_iter().map(|sender| sender.join().expect("it ends")).sum()
    });
    at.here.settle();
    let books = at.bridges.1.flush(LIMIT);
    at.there.settle();
    assert_eq!(books.unsettled(), 0, "{books}");
    assert_eq!(books.accepted, sent);
    assert_eq!(books.accepted - books.acked, at.dead.get(), "each loss is one dead letter: {books}");
    let handled = at.done.get();
    assert!(books.acked <= handled && handled <= books.acked + books.lost, "{handled} were handled: {books}");
}

#[test]
fn an_idle_bridge_is_closed_at_once_and_a_call_through_it_ends() {
    bounded(|| {
        let server = Server::start();
        let Joined { there: _there, here, bridges: (_serves, calls), work, .. } = joined(&server);
        assert_eq!(work.ask(1), Ok(2));
        let books = calls.close(Duration::from_secs(1));
        assert!(books.is_balanced(), "{books}");
        assert_eq!(work.ask(1), Err(CallError::NotRegistered { message: "WorkMessage" }));
        here.settle();
    });
}

#[test]
fn calls_end_by_their_deadline_while_the_way_to_the_server_is_stalled() {
    bounded(|| {
        let server = Server::start();
        let proxy = Proxy::to(server.port());
        let at = joined_by(server.bridge(), server.builder().server(proxy.url()).connect().expect("it is there"));
        assert_eq!(at.work.ask(1), Ok(2));
        proxy.stall(true);
        let late = at.work.within(Duration::from_millis(200)).ask(1);
        assert!(matches!(late, Err(CallError::Timeout { .. })), "{late:?}");
        at.work.r#do(1).expect("the link takes it");
        at.here.settle();
        let books = at.bridges.1.flush(LIMIT);
        assert_eq!((books.lost, at.dead.get()), (1, 1), "nobody has said that it arrived: {books}");
        proxy.stall(false);
        assert_eq!(at.work.within(LIMIT).ask(1), Ok(2));
    });
}

#[test]
fn the_books_balance_when_the_connection_is_cut_in_the_middle_of_a_message() {
    bounded(|| {
        const CUTS: u64 = 12;
        let server = Server::start();
        let proxy = Proxy::to(server.port());
        let at = joined_by(server.bridge(), server.builder().server(proxy.url()).connect().expect("it is there"));
        let mut random = SplitMix64::new(17);
        let mut sent = 0;
        for _ in 0..CUTS {
            proxy.cut_after(random.below(20_000));
            // Far more than the bytes that still pass.
            for number in 0..1_000 {
                at.work.r#do(number).expect("it waits for room");
                sent += 1;
                if number % 100 == 0 {
                    match at.work.within(LIMIT).ask(number) {
                        Ok(reply) => assert_eq!(reply, number + 1),
                        Err(CallError::Lost { .. } | CallError::NotRegistered { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            }
            await_answer(&at.work);
        }
        at.here.settle();
        let books = at.bridges.1.flush(LIMIT);
        at.there.settle();
        assert_eq!((books.accepted, books.unsettled()), (sent, 0), "{books}");
        assert_eq!(books.accepted - books.acked, at.dead.get(), "each loss is one dead letter: {books}");
        let handled = at.done.get();
        assert!(books.acked <= handled && handled <= books.acked + books.lost, "{handled} were handled: {books}");
    });
}

/// Issue #17: each message that found no room in the client waited for the whole patience, one after the other.
#[test]
fn a_bridge_whose_server_takes_nothing_more_waits_once_and_not_for_each_message() {
    bounded(|| {
        const MANY: u64 = 8_000;
        let server = Server::start();
        let proxy = Proxy::to(server.port());
        let calls = server.builder().server(proxy.url()).ack_wait(LIMIT).connect().expect("it is there");
        let (here, (tell, letters)) = (ActorEngine::new(), mpsc::channel());
        here.on_dead_letter(move |letter: &DeadLetter| tell.send(letter.why).unwrap_or_default());
        let load = calls.attach_bounded::<LoadMessage>(&here, 2 * MANY as usize, Overflow::Refuse).expect("a link");
        proxy.stall(true);
        // More than the client, the system and the proxy take.
        for _ in 0..MANY {
            load.carry(vec![0; 8_192]).expect("there is room");
        }
        here.settle();
        assert_eq!(receive(&letters), Undelivered::Unreachable, "the client takes no more");
        // A call or a send behind all of that is refused, or ends, in time.
        let late = load.within(10 * LIMIT).ask();
        assert_eq!(late, Err(CallError::NotRegistered { message: "LoadMessage" }));
        let books = calls.close(Duration::from_secs(1));
        assert_eq!((books.accepted, books.unsettled()), (MANY, 0), "{books}");
        assert!(books.unreachable > 0 && books.lost > 0, "{books}");
        proxy.stall(false);
    });
}

/// While nothing goes out, a message that the link has taken waits for the bridge's patience, and only then makes room.
#[test]
fn a_link_holds_its_senders_back_while_the_server_is_gone_or_takes_nothing_more() {
    bounded(|| {
        const BOUND: usize = 32;
        const PATIENCE: Duration = Duration::from_millis(300);
        let mut server = Server::start();
        let proxy = Proxy::to(server.port());
        let builder = server.builder().server(proxy.url()).patience(PATIENCE).ack_wait(LIMIT);
        let (stuck, gone) = (builder.clone().connect().expect("it is there"), builder.connect().expect("it is there"));
        let here = ActorEngine::new();
        let load = stuck.attach_bounded::<LoadMessage>(&here, BOUND, Overflow::Wait).expect("a link");
        let other = stall_full(&stuck, &proxy);
        is_held_back(&load, BOUND, PATIENCE);
        here.settle();
        // Else it still sends while the books are closed, and has a message in hand.
        other.settle();
        proxy.stall(false);
        let books = stuck.close(LIMIT);
        assert!(books.is_balanced(), "{books}");

        let elsewhere = ActorEngine::new();
        let load = gone.attach_bounded::<LoadMessage>(&elsewhere, BOUND, Overflow::Wait).expect("a link");
        server.kill();
        while gone.is_connected() {
            thread::yield_now();
        }
        is_held_back(&load, BOUND, PATIENCE);
        elsewhere.settle();
        let books = gone.flush(LIMIT);
        assert_eq!((books.acked, books.unreachable), (0, 3 * BOUND as u64 + 1), "{books}");
    });
}

/// Stalls what is on the way to the server until the client takes no more. Gives the engine that has sent it.
fn stall_full(bridge: &Bridge, proxy: &Proxy) -> ActorEngine {
    let (engine, (tell, letters)) = (ActorEngine::new(), mpsc::channel());
    let filler = bridge.attach_bounded::<LoadMessage>(&engine, 16_000, Overflow::Refuse).expect("a link");
    engine.on_dead_letter(move |_| tell.send(()).unwrap_or_default());
    proxy.stall(true);
    for _ in 0..8_000 {
        filler.carry(vec![0; 8_192]).expect("there is room");
    }
    receive(&letters);
    engine
}

/// Sends three times as many as may be under way, and one more.
fn is_held_back(load: &LoadClient, bound: usize, patience: Duration) {
    let begun = now();
    for _ in 0..3 * bound + 1 {
        load.carry(Vec::new()).expect("it waits for room");
    }
    assert!(now() - begun >= 3 * patience, "after {:?}", now() - begun);
}

/// Behind what a link holds back they would wait for as long.
#[test]
fn calls_and_what_handlers_send_are_refused_at_once_while_a_link_holds_its_senders_back() {
    bounded(|| {
        const PATIENCE: Duration = Duration::from_millis(500);
        let mut server = Server::start();
        let proxy = Proxy::to(server.port());
        let builder = server.builder().server(proxy.url()).patience(PATIENCE).ack_wait(LIMIT);
        let (stuck, gone) = (builder.clone().connect().expect("it is there"), builder.connect().expect("it is there"));
        let (at_stuck, at_gone) = (Senders::to(&stuck), Senders::to(&gone));
        let other = stall_full(&stuck, &proxy);
        at_stuck.are_refused_at_once();
        other.settle();
        proxy.stall(false);
        let books = stuck.close(LIMIT);
        assert!(books.is_balanced(), "{books}");

        server.kill();
        while gone.is_connected() {
            thread::yield_now();
        }
        at_gone.are_refused_at_once();
        let books = gone.flush(LIMIT);
        assert!(books.acked == 0 && books.is_balanced(), "{books}");
    });
}

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum RelayMessage {
    #[reply(())]
    Pass,
}
struct Relay(LoadClient);
impl RelayHandler for Relay {
    fn pass(&mut self) {
        self.0.carry(Vec::new()).expect("the link takes it");
    }
}

/// An engine that sends from outside, and one whose handler sends, and what each is told of its dead letters.
struct Senders {
    _engines: [ActorEngine; 2],
    load: LoadClient,
    relay: RelayClient,
    outside: mpsc::Receiver<Undelivered>,
    inside: mpsc::Receiver<Undelivered>,
}

impl Senders {
    fn to(bridge: &Bridge) -> Self {
        let engines = [ActorEngine::new(), ActorEngine::new()];
        let [outside, inside] = engines.each_ref().map(|engine| {
            let (tell, letters) = mpsc::channel();
            engine.on_dead_letter(move |letter| tell.send(letter.why).unwrap_or_default());
            letters
        });
        let [load, of_handler] = engines.each_ref().map(|engine| bridge.attach::<LoadMessage>(engine).expect("a link"));
        let relay = engines[1].pool(1, RelayMessage::actor(move || Relay(of_handler.clone()))).expect("a pool");
        Self { _engines: engines, load, relay, outside, inside }
    }

    fn are_refused_at_once(&self) {
        let waits = || self.load.carry(Vec::new()).expect("there is room");
        waits();
        assert_eq!(receive(&self.outside), Undelivered::Unreachable, "nothing has gone out for the whole patience");
        let come_first = (0..5).any(|_| {
            waits();
            let call = self.load.within(LIMIT).ask();
            assert_eq!(call, Err(CallError::NotRegistered { message: "LoadMessage" }));
            self.relay.pass().expect("its handler");
            assert_eq!(receive(&self.inside), Undelivered::Unreachable);
            let come_first = self.outside.try_recv().is_err();
            if come_first {
                assert_eq!(receive(&self.outside), Undelivered::Unreachable);
            }
            // Else this thread may not have been run for as long as the patience.
            come_first
        });
        assert!(come_first, "they waited for what is held back");
    }
}

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum LoadMessage {
    Carry(Vec<u8>),
    #[reply(())]
    Ask,
}

/// Issue #17.
#[test]
fn times_without_end_stop_no_bridge() {
    bounded(|| {
        let mut server = Server::start();
        let endless =
            || server.builder().deadline(Duration::MAX).patience(Duration::MAX).ack_wait(Duration::MAX).connect();
        let at = joined_by(endless().expect("it is there"), endless().expect("it is there"));
        assert_eq!(at.work.ask(1), Ok(2));
        assert_eq!(at.work.within(Duration::from_secs(u64::MAX / 4)).ask(1), Ok(2));
        at.work.r#do(1).expect("the link takes it");
        at.here.settle();
        assert_eq!(at.bridges.1.flush(LIMIT).acked, 1);
        let held = at.work.non_blocking().hold();
        at.gate.await_arrivals(1);
        server.kill();
        assert_eq!(held.wait(), Err(CallError::Lost { message: "WorkMessage" }));
        let patient = at.work.non_blocking().ask(1);
        server.restart();
        // The bridge that serves may be connected again later than the other.
        let patient = patient.wait();
        assert!(matches!(patient, Ok(2) | Err(CallError::NotRegistered { .. })), "{patient:?}");
        at.gate.open();
        await_answer(&at.work);
    });
}

/// Issue #17.
#[test]
fn a_pool_whose_serving_failed_and_was_tried_again_has_each_broadcast_once() {
    bounded(|| {
        const MANY: u64 = 50;
        let server = Server::start();
        let proxy = Proxy::to(server.port());
        let serves = server.builder().server(proxy.url()).connect().expect("it is there");
        let (there, here, calls) = (ActorEngine::new(), ActorEngine::new(), server.bridge());
        let (done, gate) = (Counter::new(), Gate::new());
        let counted = done.clone();
        there.pool(1, WorkMessage::actor(move || Work { done: counted.clone(), gate: gate.clone() })).expect("a pool");
        proxy.stall(true);
        for _ in 0..2 {
            let stalled = serves.serve::<WorkMessage>(&there);
            assert!(matches!(stalled, Err(BridgeError::Disconnected)), "{stalled:?}");
        }
        proxy.stall(false);
        while let Err(error) = serves.serve::<WorkMessage>(&there) {
            assert!(matches!(error, BridgeError::Disconnected), "{error}");
        }
        let work = calls.attach::<WorkMessage>(&here).expect("a link");
        for number in 0..MANY {
            work.broadcast(WorkMessage::Do(number)).expect("it is sent");
        }
        here.settle();
        assert_eq!(calls.flush(LIMIT).acked, MANY);
        assert_eq!(work.within(LIMIT).ask(1), Ok(2), "it comes after all copies");
        there.settle();
        assert_eq!(done.get(), MANY);
    });
}

#[test]
fn a_server_of_a_test_is_started_again_when_somebody_else_has_left_its_port() {
    bounded(|| {
        let mut server = Server::start();
        server.kill();
        // An error: somebody else has it already.
        let taken = TcpListener::bind(("127.0.0.1", server.port()));
        let leaves = thread::Builder::new().spawn(move || {
            thread::park_timeout(Duration::from_millis(300));
            drop(taken);
        });
        server.restart();
        assert!(server.bridge().close(LIMIT).is_balanced());
        leaves.expect("a thread").join().expect("it ends");
    });
}
