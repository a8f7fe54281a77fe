//! Known faults of the NATS client, each of which the bridge goes around.
//!
//! Three more are tested elsewhere: its requests are not told of a broken connection (`faults.rs`), its drain loses
//! messages (`leaving.rs`), and a request that is given up leaves an entry (beside `src/under_way.rs`).

use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zctor::{ActorEngine, CallError, Context, actor};
use zctor_tests::{Counter, Gate, LIMIT, bounded};

use crate::nats::Server;

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum SinkMessage {
    Drop,
    #[reply(())]
    Ask,
}
struct Sink(Counter);
impl SinkHandler for Sink {
    fn drop(&mut self) {
        self.0.increment();
    }
    fn ask(&mut self) {}
}

#[actor(ctx)]
enum SourceMessage {
    Flood(u64),
}
struct Source;
impl SourceHandler for Source {
    fn flood(&mut self, ctx: &mut Context<SourceMessage>, value: u64) {
        for _ in 0..value {
            ctx.send(SinkMessage::Drop).expect("nothing holds a handler back");
        }
    }
}

/// A pool that nobody serves.
#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum NobodyMessage {
    Gone,
}

/// A subscription of the client has room for 65,536 messages by itself, and what comes beyond is dropped uncounted.
#[test]
fn a_flood_arrives_whole_at_a_bridge_that_was_held_up() {
    bounded(|| {
        const MANY: u64 = 150_000;
        // Without this the server cuts off who reads nothing for ten seconds.
        let server = Server::configured("write_deadline: \"120s\"");
        let patient = || server.builder().ack_wait(LIMIT / 2).connect().expect("the server is there");
        let (there, serves, done) = (ActorEngine::new(), patient(), Counter::new());
        let counted = done.clone();
        there.pool(1, SinkMessage::actor(move || Sink(counted.clone()))).expect("a pool");
        serves.serve::<SinkMessage>(&there).expect("it has the pool");
        // A hook runs on the bridge's own thread, and holds it up there.
        let (gate, hook) = (Gate::new(), Gate::new());
        let inside = hook.clone();
        there.on_dead_letter(move |_| inside.pass());
        serves.attach::<NobodyMessage>(&there).expect("a link").gone().expect("the link takes it");
        hook.await_arrivals(1);

        let (here, calls) = (ActorEngine::new(), patient());
        calls.attach::<SinkMessage>(&here).expect("a link");
        let source = here.pool(1, SourceMessage::actor(|| Source)).expect("a pool");
        source.flood(MANY).expect("it is sent");
        here.settle();
        // So everything is at the server.
        let behind = calls.attach::<NobodyMessage>(&here).expect("a link");
        here.on_dead_letter({
            let gate = gate.clone();
            move |_| gate.pass()
        });
        behind.gone().expect("the link takes it");
        gate.open();
        gate.await_arrivals(1);
        hook.open();
        let books = calls.flush(LIMIT);
        assert_eq!((books.acked, books.lost), (MANY, 0), "{books}");
        there.settle();
        assert_eq!(done.get(), MANY);
    });
}

/// The client's `flush` waits for the socket, and not for the server.
#[test]
fn a_pool_that_is_served_is_known_to_the_server() {
    bounded(|| {
        let (server, here) = (Server::start(), ActorEngine::new());
        let sink = server.bridge();
        let client = sink.attach::<SinkMessage>(&here).expect("a link");
        for _ in 0..30 {
            let (there, serves) = (ActorEngine::new(), server.bridge());
            there.pool(1, SinkMessage::actor(|| Sink(Counter::new()))).expect("a pool");
            serves.serve::<SinkMessage>(&there).expect("it has the pool");
            assert_eq!(client.within(LIMIT).ask(), Ok(()));
            drop(serves);
            // Until the server knows of the end, too.
            while client.within(Duration::from_millis(100)).ask()
                != Err(CallError::NotRegistered { message: "SinkMessage" })
            {
                thread::yield_now();
            }
        }
    });
}

/// A socket that is closed with something unread takes with it what it has not sent yet.
#[test]
fn what_was_sent_is_at_the_server_when_the_bridge_is_dropped() {
    bounded(|| {
        const ROUNDS: u64 = 10;
        const MANY: u64 = 1_000;
        let server = Server::start();
        let (there, serves, done) = (ActorEngine::new(), server.bridge(), Counter::new());
        let counted = done.clone();
        there.pool(1, SinkMessage::actor(move || Sink(counted.clone()))).expect("a pool");
        serves.serve::<SinkMessage>(&there).expect("it has the pool");
        for round in 1..=ROUNDS {
            let (here, calls) = (ActorEngine::new(), server.bridge());
            let sink = calls.attach::<SinkMessage>(&here).expect("a link");
            for _ in 0..MANY {
                sink.drop().expect("it waits for room");
            }
            // Nobody waits for the acknowledgements.
            here.on_dead_letter(|_| {});
            here.settle();
            drop(calls);
            while done.get() < round * MANY {
                thread::yield_now();
            }
        }
        assert_eq!(done.get(), ROUNDS * MANY);
    });
}
