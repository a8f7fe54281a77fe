//! The answer of a handler decides what becomes of a message.

use std::time::Duration;

use zctor::Overflow;
use zctor::{ActorEngine, ActorThread, actor};
use zctor_nats::{Bridge, WorkQueue};
use zctor_tests::{Gate, LIMIT, bounded, expect_panics, receive};

use super::{Declined, Filling, Serving, Task, TaskMessage, Told, WELL, jobs, stream, until};
use crate::nats::Server;
use crate::proxy::Proxy;

#[test]
fn what_was_sent_before_anybody_serves_is_handled_later() {
    bounded(|| {
        const ALL: u64 = 200;
        let server = Server::start_with_streams();
        let filling = Filling::start(&server, &jobs());
        let books = filling.fill(0..ALL);
        assert_eq!((books.accepted, books.acked), (ALL, ALL), "{books}");
        assert_eq!(stream::len(&server, "test-jobs"), ALL);
        let serving = Serving::start(&server, &jobs(), WELL);
        let mut did: Vec<u64> = (0..ALL).map(|_| serving.did()).collect();
        did.sort_unstable();
        assert!(did.into_iter().eq(0..ALL));
        let books = serving.await_books(ALL, 0);
        assert_eq!(books.delivered, ALL, "{books}");
        until(|| stream::len(&server, "test-jobs") == 0);
        assert!(filling.bridge.close(LIMIT).is_balanced());
    });
}

#[test]
fn an_error_and_a_panic_give_a_message_again() {
    expect_panics("told to panic");
    bounded(|| {
        let server = Server::start_with_streams();
        let course = |order, tried| match tried {
            1 => Err(Declined { order }),
            2 => Ok(()),
            _ => unreachable!("it is handled"),
        };
        let serving = Serving::start(&server, &jobs(), course);
        let filling = Filling::start(&server, &jobs());
        filling.fill([7]);
        assert_eq!([serving.did(), serving.did()], [7, 7]);
        let books = serving.await_books(1, 0);
        assert_eq!((books.delivered, books.returned), (2, 1), "{books}");

        // A panic takes the state with it, so what comes first is all that the next one knows.
        let other = WorkQueue::new("other").backoff(Duration::from_millis(10)).tries(2);
        let panicking = Serving::start(&server, &other, |order, _| panic!("told to panic at {order}"));
        Filling::start(&server, &other).fill([8]);
        assert_eq!([panicking.did(), panicking.did()], [8, 8]);
        let books = panicking.await_books(0, 1);
        assert_eq!((books.delivered, books.returned), (2, 1), "{books}");
        let (headers, _) = stream::first(&server, "test-other-dead");
        let reason = headers.get("Zctor-Reason").map(|reason| reason.as_str().to_owned());
        assert_eq!(reason.as_deref(), Some("its handler panicked: told to panic at 8"));
    });
}

#[test]
fn after_its_last_try_a_message_is_a_dead_letter_with_its_reason() {
    bounded(|| {
        let server = Server::start_with_streams();
        let queue = jobs().tries(3);
        let serving =
            Serving::start(&server, &queue, |order, tried| if tried > 3 { Ok(()) } else { Err(Declined { order }) });
        Filling::start(&server, &queue).fill([7]);
        let books = serving.await_books(0, 1);
        assert_eq!((books.delivered, books.returned), (3, 2), "{books}");
        until(|| stream::len(&server, "test-jobs") == 0);
        assert_eq!(stream::len(&server, "test-jobs-dead"), 1);
        let (headers, bytes) = stream::first(&server, "test-jobs-dead");
        let header = |name: &str| headers.get(name).map_or("", |value| value.as_str()).to_owned();
        assert_eq!(header("Zctor-Reason"), "its handler gave Declined { order: 7 }");
        assert_eq!(header("Zctor-Tries"), "3");
        // As the documentation says, it can be put into the queue again.
        stream::put(&server, &header("Zctor-Subject"), &bytes);
        serving.await_books(1, 1);
    });
}

#[test]
fn what_is_not_understood_is_a_dead_letter_at_once() {
    bounded(|| {
        let server = Server::start_with_streams();
        let serving = Serving::start(&server, &jobs(), WELL);
        stream::put(&server, "zctor.1.test.$q.jobs.TaskMessage", b"no message");
        let books = serving.await_books(0, 1);
        assert_eq!(books.delivered, 1, "{books}");
        let (headers, bytes) = stream::first(&server, "test-jobs-dead");
        assert_eq!(bytes, b"no message");
        let reason = headers.get("Zctor-Reason").map_or("", |reason| reason.as_str());
        assert!(reason.starts_with("it is not understood: "), "{reason}");
        // One of a variant whose reply does not say that it is handled: `{"Ask": 1}`.
        stream::put(&server, "zctor.1.test.$q.jobs.TaskMessage", b"\x81\xa3Ask\x01");
        serving.await_books(0, 2);
        assert_eq!(stream::len(&server, "test-jobs"), 0);
    });
}

#[test]
fn a_deferred_reply_says_when_the_message_is_handled() {
    bounded(|| {
        let server = Server::start_with_streams();
        let serving = Serving::start(&server, &jobs(), WELL);
        let filling = Filling::start(&server, &jobs());
        filling.task.send(TaskMessage::Later(1)).expect("the link takes it");
        let Told::Later(reply) = receive(&serving.told) else { panic!("it comes") };
        assert_eq!((serving.bridge.queue_books().under_way(), stream::len(&server, "test-jobs")), (1, 1));
        reply.send(());
        serving.await_books(1, 0);
        // Dropped, it is as if nobody had been there.
        filling.task.send(TaskMessage::Later(2)).expect("the link takes it");
        let Told::Later(reply) = receive(&serving.told) else { panic!("it comes") };
        drop(reply);
        let Told::Later(reply) = receive(&serving.told) else { panic!("it comes again") };
        reply.send(());
        let books = serving.await_books(2, 0);
        assert_eq!((books.delivered, books.returned), (3, 1), "{books}");
    });
}

#[test]
fn while_its_handler_is_at_it_a_message_is_given_to_nobody_else() {
    bounded(|| {
        let server = Server::start_with_streams();
        let queue = jobs();
        let (slow, other) = (Serving::start_held(&server, &queue, WELL), Serving::start_held(&server, &queue, WELL));
        Filling::start(&server, &queue).fill([7]);
        until(|| slow.bridge.queue_books().delivered + other.bridge.queue_books().delivered == 1);
        let (at_it, idle) = if slow.bridge.queue_books().delivered == 1 { (slow, other) } else { (other, slow) };
        assert_eq!(at_it.did(), 7);
        // More than twice the time after which it is given out again if nobody is.
        assert!(idle.told.recv_timeout(Duration::from_secs(5)).is_err());
        at_it.gate.open();
        at_it.await_books(1, 0);
        assert_eq!((at_it.bridge.queue_books().delivered, idle.bridge.queue_books().delivered), (1, 0));
    });
}

#[test]
fn a_process_has_no_more_messages_than_it_asks_for() {
    bounded(|| {
        let server = Server::start_with_streams();
        let queue = jobs().in_flight(2);
        Filling::start(&server, &queue).fill(0..5);
        let held = Serving::start_held(&server, &queue, WELL);
        held.did();
        until(|| held.bridge.queue_books().delivered == 2);
        // The others go to a process that has places.
        let free = Serving::start(&server, &queue, WELL);
        free.await_books(3, 0);
        assert_eq!(held.bridge.queue_books().under_way(), 2);
        held.gate.open();
        held.await_books(2, 0);
    });
}

#[test]
fn a_full_pool_uses_up_no_try() {
    bounded(|| {
        const ALL: u64 = 50;
        let server = Server::start_with_streams();
        let queue = jobs().tries(1);
        let (there, bridge) = (ActorEngine::new(), server.bridge());
        let thread = ActorThread::new().mailbox_bound(1).overflow(Overflow::Refuse);
        there.spawn(thread.register(CountMessage::actor(Count::default))).expect("a thread");
        bridge.serve_durable::<CountMessage>(&there, &queue).expect("the server has streams");
        let (here, fills) = (ActorEngine::new(), server.bridge());
        let count = fills.attach_durable::<CountMessage>(&here, &queue).expect("the server has streams");
        for _ in 0..ALL {
            count.send(CountMessage::One).expect("the link takes it");
        }
        until(|| bridge.queue_books().handled == ALL);
        let books = bridge.queue_books();
        assert_eq!((books.delivered, books.dead, books.returned), (ALL, 0, 0), "{books}");
        assert_eq!(there.call(CountMessage::count()), Ok(ALL));
    });
}

#[actor(remote)]
#[derive(serde::Serialize, serde::Deserialize)]
enum CountMessage {
    #[msg(durable)]
    #[reply(())]
    One,
    #[reply(u64)]
    Count,
}
#[derive(Default)]
struct Count(u64);
impl CountHandler for Count {
    fn one(&mut self) {
        self.0 += 1;
    }
    fn count(&mut self) -> u64 {
        self.0
    }
}

#[test]
fn calls_and_what_is_not_durable_do_not_go_through_the_queue() {
    bounded(|| {
        let server = Server::start_with_streams();
        let serving = Serving::start(&server, &jobs(), WELL);
        serving.bridge.serve::<TaskMessage>(&serving.engine).expect("it has the pool");
        let filling = Filling::start(&server, &jobs());
        assert_eq!(filling.task.ask(1), Ok(2));
        assert_eq!(filling.task.r#do(3), Ok(Ok(())), "a durable variant can be called, too");
        assert_eq!(serving.did(), 3);
        filling.task.note(4).expect("the link takes it");
        assert!(matches!(receive(&serving.told), Told::Noted(4)));
        assert_eq!(filling.engine.broadcast(TaskMessage::Do(5)).expect("the link takes it"), 1);
        assert_eq!(serving.did(), 5);
        assert_eq!(serving.bridge.queue_books(), Default::default());
        assert_eq!(stream::len(&server, "test-jobs"), 0);
    });
}

#[test]
fn close_waits_for_the_handlers_that_have_begun() {
    bounded(|| {
        let server = Server::start_with_streams();
        let queue = jobs().in_flight(1);
        let Serving { bridge, gate, told, engine } = Serving::start_held(&server, &queue, WELL);
        Filling::start(&server, &queue).fill([1, 2]);
        assert!(matches!(receive(&told), Told::Did(1)));
        let (tell, closed) = std::sync::mpsc::channel();
        let closing = std::thread::Builder::new().spawn(move || {
            let books = bridge.close(LIMIT);
            tell.send(()).expect("the test waits");
            books
        });
        assert!(closed.recv_timeout(Duration::from_millis(500)).is_err(), "a handler has begun");
        gate.open();
        closing.expect("a thread").join().expect("it closes");
        // The first is handled, and the second was never asked for.
        assert_eq!(stream::len(&server, "test-jobs"), 1);
        drop(engine);
    });
}

/// Issue #17: it was lost to this process, and came again after `ack_wait`, with a try used up.
#[test]
fn a_message_that_the_server_had_sent_before_a_process_leaves_is_handled_there() {
    bounded(|| {
        let server = Server::start_with_streams();
        let (proxy, queue) = (Proxy::to(server.port()), jobs().in_flight(3).ack_wait(LIMIT));
        let filling = Filling::start(&server, &queue);
        let through = server.builder().server(proxy.url()).connect().expect("the server is there");
        let serving = Serving::start_held_by(through, &queue, WELL);
        serving.gate.open();
        // The process has asked for three, so the server has been asked for two more.
        filling.fill([1]);
        serving.await_books(1, 0);
        // The process has said that the first is handled, and says nothing more by itself.
        until(|| stream::len(&server, "test-jobs") == 0);
        proxy.stall(true);
        filling.fill([2, 3]);
        std::thread::scope(|scope| {
            let leaving = scope.spawn(|| serving.bridge.leave(Duration::MAX));
            until(|| proxy.holds_orders());
            proxy.stall(false);
            leaving.join().expect("it ends");
        });
        let books = serving.bridge.queue_books();
        assert_eq!((books.delivered, books.handled), (3, 3), "{books}");
    });
}

/// Issue #17: what the server gave out before it knew that a process leaves was dropped there, and came again after
/// `ack_wait`.
#[test]
fn what_was_given_to_a_process_that_leaves_under_load_is_not_dropped() {
    const ROUNDS: u64 = 50;
    const EACH: u64 = 200;
    bounded(|| {
        let (server, queue) = (Server::start_with_streams(), jobs().in_flight(1_000).ack_wait(4 * LIMIT));
        let (filling, serving) = (Filling::start(&server, &queue), Serving::start(&server, &queue, WELL));
        std::thread::scope(|scope| {
            let fills = scope.spawn(|| filling.fill(0..ROUNDS * EACH));
            for round in 1..=ROUNDS {
                until(|| serving.bridge.queue_books().delivered >= round * EACH / 2);
                assert!(serving.bridge.leave(LIMIT).is_drained());
                serving.bridge.serve_durable::<TaskMessage>(&serving.engine, &queue).expect("it was served before");
            }
            assert_eq!(fills.join().expect("it ends").acked, ROUNDS * EACH);
        });
        serving.await_books(ROUNDS * EACH, 0);
    });
}

/// Issue #17: a queue that was served anew took the place of its consumer that still had messages.
#[test]
fn leave_waits_for_the_messages_of_a_queue_that_was_served_anew() {
    bounded(|| {
        let (server, queue) = (Server::start_with_streams(), jobs());
        let (engine, bridge, gate) = full(&server, &queue);
        bridge.leave(Duration::from_millis(10));
        bridge.serve_durable::<TaskMessage>(&engine, &queue).expect("it was served before");
        gate.open();
        assert!(bridge.leave(LIMIT).is_drained());
        // The third is given back at its next offer: that the handlers have ended says nothing of it.
        let books = bridge.queue_books();
        assert_eq!(books.under_way(), 0, "{books}");
    });
}

/// A bounded pool that has three messages of a queue: one is with its handler, one in the mailbox, and one is offered again
/// and again, after half a second at last.
fn full(server: &Server, queue: &WorkQueue) -> (ActorEngine, Bridge, Gate) {
    let (engine, bridge, gate) = (ActorEngine::new(), server.bridge(), Gate::new());
    let inside = gate.clone();
    let thread = ActorThread::new().mailbox_bound(1).overflow(Overflow::Refuse);
    let (tell, _told) = std::sync::mpsc::channel();
    let task = move || Task { told: tell.clone(), gate: inside.clone(), course: WELL, tried: Vec::new() };
    engine.spawn(thread.register(TaskMessage::actor(task))).expect("a thread");
    bridge.serve_durable::<TaskMessage>(&engine, queue).expect("the server has streams");
    Filling::start(server, queue).fill([1, 2, 3]);
    gate.await_arrivals(1);
    until(|| bridge.queue_books().delivered == 3);
    zctor::sleep(Duration::from_secs(3));
    (engine, bridge, gate)
}

/// Issue #17: that the books are drained says nothing of a message that the pool has no room for.
#[test]
fn leave_gives_back_what_the_pool_has_no_room_for() {
    bounded(|| {
        let (server, queue) = (Server::start_with_streams(), jobs());
        let (_engine, bridge, gate) = full(&server, &queue);
        std::thread::scope(|scope| {
            let leaving = scope.spawn(|| bridge.leave(LIMIT));
            zctor::sleep(Duration::from_millis(100));
            assert!(!leaving.is_finished(), "a handler has begun");
            gate.open();
            assert!(leaving.join().expect("it ends").is_drained());
        });
        let books = bridge.queue_books();
        // On a busy machine it may begin to leave after the gate was opened, and so have room for the third.
        assert_eq!((books.under_way(), books.handled + books.returned), (0, 3), "{books}");
        assert!(books.returned <= 1, "{books}");
        // Another process has it at once, and not after `ack_wait` alone.
        let other = Serving::start(&server, &queue, WELL);
        other.await_books(books.returned, 0);
    });
}
