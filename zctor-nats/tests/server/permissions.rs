//! A server that permits just what the guide says is enough; what it does not permit is told at once.

use std::sync::mpsc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zctor::{ActorEngine, CallError, DeadLetter, Overflow, Undelivered, actor};
use zctor_nats::{Bridge, BridgeError, Builder, Operation, WorkQueue};
use zctor_tests::{LIMIT, bounded, receive, receive_many};

use crate::nats::Server;
use crate::proxy::Proxy;

/// The configuration of the guide.
const GUIDE: &str = include_str!("../../src/guide/permissions.conf");

/// The configuration for a work queue.
const QUEUE: &str = include_str!("../../src/guide/permissions_queue.conf");

/// A user who may send nothing to any pool.
const MUTE: &str = "authorization { users = [ { user: mute, password: d, permissions { publish: [\"_INBOX.>\"] } } ] }";

#[actor(remote)]
#[derive(Clone, Serialize, Deserialize)]
enum WorkerMessage {
    #[reply(u64)]
    Square(u64),
    Note(u64),
}
struct Worker(mpsc::Sender<u64>);
impl WorkerHandler for Worker {
    fn square(&mut self, value: u64) -> u64 {
        value * value
    }
    fn note(&mut self, value: u64) {
        self.0.send(value).unwrap_or_default();
    }
}

/// A bridge of this user, whose password is in the configuration.
fn of(url: &str, user: &str, password: &str) -> Builder {
    let builder = Bridge::builder("shop").server(url).user(user, password).inbox_prefix(format!("_INBOX.{user}"));
    builder.patience(Duration::from_millis(500))
}

fn serving(url: &str, notes: &mpsc::Sender<u64>) -> (ActorEngine, Bridge) {
    let (there, notes) = (ActorEngine::new(), notes.clone());
    there.pool(1, WorkerMessage::actor(move || Worker(notes.clone()))).expect("a pool");
    let worker = of(url, "worker", "a").connect().expect("it is let in");
    worker.serve::<WorkerMessage>(&there).expect("it is permitted");
    (there, worker)
}

#[test]
fn the_guide_shows_the_configurations_that_are_tried_here() {
    let guide = include_str!("../../src/guide/running.md");
    assert!(guide.contains(GUIDE) && guide.contains(QUEUE));
    // Nobody may write into the inboxes of everybody, or manage all streams.
    assert!(!guide.contains("\"_INBOX.>\"") && !guide.contains("\"$JS.API.>\""));
}

fn not_permitted<T: std::fmt::Debug>(outcome: Result<T, BridgeError>, expected: Operation, subject: &str) {
    match outcome {
        Err(error @ BridgeError::Permission { .. }) => {
            let text = error.to_string();
            let BridgeError::Permission { operation, subject: of } = error else { unreachable!() };
            assert_eq!(operation, expected, "{text}");
            assert!(of.starts_with(subject) && text.contains(&of), "{text}");
            let advice =
                if of.starts_with("_INBOX.") { "`inbox_prefix(" } else { "`zctor.3.shop.WorkerMessage.>` to the perm" };
            assert!(text.contains(advice) || of.contains("OrderMessage"), "{text}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_permissions_of_the_guide_are_enough() {
    bounded(|| {
        let server = Server::configured(GUIDE);
        let (tell, notes) = mpsc::channel();
        let (_there, worker) = serving(&server.url(), &tell);
        let (here, web) = (ActorEngine::new(), of(&server.url(), "web", "b").connect().expect("it is let in"));
        let client = web.attach::<WorkerMessage>(&here).expect("it is permitted");
        assert_eq!(client.square(12), Ok(144));
        client.note(1).expect("it is sent");
        client.broadcast(WorkerMessage::Note(2)).expect("it is sent");
        let mut came = [receive(&notes), receive(&notes)];
        came.sort_unstable();
        assert_eq!(came, [1, 2]);
        here.settle();
        let books = web.flush(LIMIT);
        assert_eq!((books.accepted, books.acked), (2, 2), "{books}");
        assert_eq!(worker.books().taken, 3);
        assert!(worker.leave(LIMIT).is_drained());
        // So nobody serves the pool, and no message is on its way to this process.
        assert_eq!(client.square(1), Err(CallError::NotRegistered { message: "WorkerMessage" }));
    });
}

#[actor(remote)]
#[derive(Clone, Serialize, Deserialize)]
enum OrderMessage {
    #[msg(durable)]
    #[reply(Result<(), u64>)]
    Charge(u64),
}
struct Orders(mpsc::Sender<u64>);
impl OrderHandler for Orders {
    fn charge(&mut self, value: u64) -> Result<(), u64> {
        self.0.send(value).unwrap_or_default();
        if value == 0 { Err(value) } else { Ok(()) }
    }
}

/// Issue #17.
#[test]
fn the_permissions_of_the_guide_are_enough_for_a_work_queue() {
    bounded(|| {
        let server = Server::configured_with_streams(QUEUE);
        let jobs = WorkQueue::new("jobs").tries(1);
        let (tell, charged) = mpsc::channel();
        let (there, here) = (ActorEngine::new(), ActorEngine::new());
        there.pool(1, OrderMessage::actor(move || Orders(tell.clone()))).expect("a pool");
        let worker = of(&server.url(), "worker", "a").patience(LIMIT).connect().expect("it is let in");
        worker.serve_durable::<OrderMessage>(&there, &jobs).expect("it is permitted");
        let web = of(&server.url(), "web", "b").patience(LIMIT).connect().expect("it is let in");
        let orders = web.attach_durable::<OrderMessage>(&here, &jobs).expect("it is permitted");
        for order in [7, 0] {
            orders.send(OrderMessage::Charge(order)).expect("the link takes it");
        }
        here.settle();
        assert_eq!(web.flush(LIMIT).acked, 2, "both are stored");
        let mut came = [receive(&charged), receive(&charged)];
        came.sort_unstable();
        assert_eq!(came, [0, 7]);
        while worker.queue_books().under_way() > 0 {
            std::thread::yield_now();
        }
        let books = worker.queue_books();
        assert_eq!((books.handled, books.dead), (1, 1), "{books}");
        // The user that serves the queue may not fill it.
        let filled = worker.attach_durable::<OrderMessage>(&ActorEngine::new(), &jobs).map(drop);
        not_permitted(filled, Operation::Publish, "zctor.3.shop.OrderMessage.t");
        // The user that fills it may not serve it, and the server tells it nothing.
        there.shutdown().expect("nothing is in its way");
        let web = of(&server.url(), "web", "b").connect().expect("it is let in");
        let engine = ActorEngine::new();
        engine.pool(1, OrderMessage::actor(|| Orders(mpsc::channel().0))).expect("a pool");
        let served = web.serve_durable::<OrderMessage>(&engine, &jobs);
        assert!(matches!(served, Err(BridgeError::Disconnected | BridgeError::Queue { .. })), "{served:?}");
    });
}

#[test]
fn serving_and_attaching_without_permission_are_errors() {
    bounded(|| {
        let server = Server::configured(GUIDE);
        let there = ActorEngine::new();
        there.pool(1, WorkerMessage::actor(|| Worker(mpsc::channel().0))).expect("a pool");
        let web = of(&server.url(), "web", "b").connect().expect("it is let in");
        for _ in 0..2 {
            let served = web.serve::<WorkerMessage>(&there);
            not_permitted(served, Operation::Subscribe, "zctor.3.shop.WorkerMessage.t");
        }
        let server = Server::configured(MUTE);
        let (here, mute) = (ActorEngine::new(), of(&server.url(), "mute", "d").connect().expect("it is let in"));
        for _ in 0..2 {
            let attached = mute.attach::<WorkerMessage>(&here).map(drop);
            not_permitted(attached, Operation::Publish, "zctor.3.shop.WorkerMessage.t");
        }
        assert_eq!(here.registry().len(), 0, "no pool was made");
    });
}

/// Issue #17.
#[test]
fn what_the_server_permits_later_is_done_by_a_bridge_that_was_refused_before() {
    bounded(|| {
        let user = |permissions: &str| {
            let inbox = "\"_INBOX.>\"";
            format!(
                "authorization {{ users = [ {{ user: late, password: d, permissions {{ publish: [{inbox}{permissions}], \
                 subscribe: [{inbox}{permissions}] }} }} ] }}"
            )
        };
        let server = Server::configured(&user(""));
        let late = || of(&server.url(), "late", "d").patience(LIMIT).connect().expect("it is let in");
        let (there, here, serves, calls) = (ActorEngine::new(), ActorEngine::new(), late(), late());
        let (tell, notes) = mpsc::channel();
        there.pool(1, WorkerMessage::actor(move || Worker(tell.clone()))).expect("a pool");
        not_permitted(serves.serve::<WorkerMessage>(&there), Operation::Subscribe, "zctor.3.shop.WorkerMessage.t");
        let attached = calls.attach::<WorkerMessage>(&here).map(drop);
        not_permitted(attached, Operation::Publish, "zctor.3.shop.WorkerMessage.t");
        server.reconfigure(&user(", \"zctor.3.shop.>\""));
        let begun = zctor::now();
        while serves.serve::<WorkerMessage>(&there).is_err() {
            assert!(zctor::now() - begun < LIMIT, "it is permitted now");
        }
        let client = calls.attach::<WorkerMessage>(&here).expect("it is permitted now");
        assert_eq!(client.square(12), Ok(144));
        client.broadcast(WorkerMessage::Note(1)).expect("it is sent");
        assert_eq!(receive(&notes), 1);
    });
}

/// Issue #17.
#[test]
fn a_link_sends_again_what_the_server_permits_later() {
    bounded(|| {
        let user = |more: &str| {
            format!(
                "authorization {{ users = [ {{ user: a, password: a }}, {{ user: late, password: d, permissions {{ publish: \
                 [\"_INBOX.>\", \"zctor.3.shop.WorkerMessage.t\"{more}] }} }} ] }}"
            )
        };
        let server = Server::configured(&user(""));
        let (there, here) = (ActorEngine::new(), ActorEngine::new());
        let (tell, notes) = mpsc::channel();
        there.pool(1, WorkerMessage::actor(move || Worker(tell.clone()))).expect("a pool");
        let serves = of(&server.url(), "a", "a").patience(LIMIT).connect().expect("it is let in");
        serves.serve::<WorkerMessage>(&there).expect("it is permitted");
        let late = of(&server.url(), "late", "d").connect().expect("it is let in");
        let client = late.attach::<WorkerMessage>(&here).expect("it is permitted");
        here.on_dead_letter(|_| {});
        client.broadcast(WorkerMessage::Note(1)).expect("the link takes it");
        here.settle();
        assert_eq!(late.flush(LIMIT).unfit, 1);
        server.reconfigure(&user(", \"zctor.3.shop.WorkerMessage.b\""));
        let begun = zctor::now();
        while late.books().acked == 0 {
            assert!(zctor::now() - begun < LIMIT, "it is permitted now");
            client.broadcast(WorkerMessage::Note(2)).expect("the link takes it");
            here.settle();
            late.flush(LIMIT);
            zctor::sleep(Duration::from_millis(100));
        }
        assert_eq!(receive(&notes), 2);
    });
}

/// They go out together, and the server refuses the whole of a pack.
#[test]
fn of_many_messages_without_permission_each_is_told() {
    const MANY: usize = 2_000;
    bounded(|| {
        let server = Server::configured(MUTE);
        let proxy = Proxy::to(server.port());
        // Nobody waits so long for an acknowledgement.
        let mute = of(&proxy.url(), "mute", "d").ack_wait(10 * LIMIT).deadline(10 * LIMIT);
        let (here, mute) = (ActorEngine::new(), mute.connect().expect("it is let in"));
        let (tell, letters) = mpsc::channel();
        here.on_dead_letter(move |letter: &DeadLetter| tell.send(letter.why).unwrap_or_default());
        // While the server is not heard, nobody knows.
        proxy.stall(true);
        let client = mute.attach_bounded::<WorkerMessage>(&here, 2 * MANY, Overflow::Wait).expect("a link");
        for number in 0..MANY as u64 {
            client.note(number).expect("there is room");
        }
        let called: Vec<_> = (0..MANY as u64).map(|number| client.non_blocking().square(number)).collect();
        here.settle();
        proxy.stall(false);
        for outcome in called {
            assert!(matches!(outcome.wait(), Err(CallError::Unfit { .. })));
        }
        let letters = receive_many(&letters, MANY);
        assert!(letters.into_iter().all(|why| why == Undelivered::Unfit));
        let books = mute.flush(LIMIT);
        assert_eq!((books.unfit, books.ended), (MANY as u64, MANY as u64), "{books}");
        assert!(books.is_balanced());
    });
}

#[test]
fn a_bridge_that_may_not_hear_of_its_messages_is_not_connected() {
    bounded(|| {
        let server = Server::configured(GUIDE);
        // By itself the prefix is `_INBOX`, and each user of the guide has one of its own.
        let deaf = Bridge::builder("shop").server(server.url()).user("web", "b").connect();
        not_permitted(deaf, Operation::Subscribe, "_INBOX.");
        let mute = Server::configured(
            "authorization { users = [ { user: a, password: a, permissions { publish: [\"b\"] } } ] }",
        );
        not_permitted(mute.builder().user("a", "a").connect(), Operation::Publish, "_INBOX.");
        let deaf = Server::configured(
            "authorization { users = [ { user: a, password: a, permissions { subscribe: [\"b\"] } } ] }",
        );
        not_permitted(deaf.builder().user("a", "a").connect(), Operation::Subscribe, "_INBOX.");
    });
}

#[test]
fn a_message_without_permission_is_told_of_at_once() {
    bounded(|| {
        let server = Server::configured(MUTE);
        let proxy = Proxy::to(server.port());
        // Nobody waits so long for an acknowledgement.
        let mute = of(&proxy.url(), "mute", "d").ack_wait(10 * LIMIT).deadline(10 * LIMIT);
        let (here, mute) = (ActorEngine::new(), mute.connect().expect("it is let in"));
        let (tell, letters) = mpsc::channel();
        here.on_dead_letter(move |letter: &DeadLetter| tell.send(letter.clone()).unwrap_or_default());
        // While the server is not heard, nobody knows.
        proxy.stall(true);
        let client = mute.attach::<WorkerMessage>(&here).expect("a link");
        let called = client.non_blocking().square(1);
        client.note(1).expect("the link takes it");
        client.broadcast(WorkerMessage::Note(1)).expect("the link takes it");
        here.settle();
        proxy.stall(false);
        for outcome in [called.wait(), client.square(1)] {
            match outcome {
                Err(CallError::Unfit { text, .. }) => {
                    assert!(text.contains("publish to `zctor.3.shop.WorkerMessage.t`"), "{text}");
                }
                other => panic!("{other:?}"),
            }
        }
        for _ in 0..2 {
            let letter = receive(&letters);
            assert_eq!((letter.variant, letter.why), ("Note", Undelivered::Unfit));
        }
        let books = mute.flush(LIMIT);
        assert_eq!((books.accepted, books.unfit, books.called, books.ended), (2, 2, 2, 2), "{books}");
    });
}
