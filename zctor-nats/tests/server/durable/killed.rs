//! Processes and servers that are killed lose no message of a queue.

use std::collections::BTreeSet;
use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use zctor::{ActorEngine, now};
use zctor_nats::{Bridge, BridgeError};
use zctor_tests::{Gate, LIMIT, SplitMix64, bounded, receive};

use super::{Declined, Filling, Serving, Task, TaskMessage, Told, WELL, jobs, stream, until};
use crate::nats::Server;
use crate::proxy::Proxy;

/// The variable with the address of the server, for a worker.
const URL: &str = "ZCTOR_NATS_TEST_DURABLE";

/// The body of a worker's process, which is this test binary with the address of the server. Its handlers never come
/// back. Without an address it is a test that a process that serves a queue can close.
#[test]
fn a_worker_serves_a_queue_until_it_is_killed() {
    let server = env::var(URL).is_err().then(Server::start_with_streams);
    let url = server.as_ref().map_or_else(|| env::var(URL).expect("it is given"), Server::url);
    let (tell, told) = mpsc::channel();
    let (engine, gate) = (ActorEngine::new(), Gate::new());
    let task = move || Task { told: tell.clone(), gate: gate.clone(), course: WELL, tried: Vec::new() };
    engine.pool(1, TaskMessage::actor(task)).expect("a pool");
    let bridge = Bridge::builder("test").server(url).connect().expect("the server is there");
    bridge.serve_durable::<TaskMessage>(&engine, &jobs()).expect("the server has streams");
    println!("\nserving");
    if server.is_none() {
        // Until this process is killed.
        for told in told {
            if let Told::Did(order) = told {
                println!("begun {order}");
            }
        }
    }
    assert!(bridge.close(LIMIT).is_balanced());
}

/// A worker in a process of its own, which is killed when this is dropped.
struct Worker {
    process: Child,
    lines: mpsc::Receiver<String>,
}

impl Worker {
    fn start(server: &Server) -> Self {
        let mut command = Command::new(env::current_exe().expect("this binary"));
        let name = "durable::killed::a_worker_serves_a_queue_until_it_is_killed";
        command.args([name, "--exact", "--nocapture", "--test-threads=1"]);
        command.env(URL, server.url()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("a process");
        let output = process.stdout.take().expect("it is piped");
        let (tell, lines) = mpsc::channel();
        let read = move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                tell.send(line).unwrap_or_default();
            }
        };
        thread::Builder::new().spawn(read).expect("a thread");
        let worker = Self { process, lines };
        while worker.line() != "serving" {}
        worker
    }

    fn line(&self) -> String {
        receive(&self.lines)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_message_whose_process_is_killed_in_its_handler_is_given_to_another() {
    bounded(|| {
        let server = Server::start_with_streams();
        let worker = Worker::start(&server);
        Filling::start(&server, &jobs()).fill([7]);
        while worker.line() != "begun 7" {}
        let serving = Serving::start(&server, &jobs(), WELL);
        assert_eq!(serving.bridge.queue_books().delivered, 0, "the worker has it");
        drop(worker);
        assert_eq!(serving.did(), 7);
        serving.await_books(1, 0);
        until(|| stream::len(&server, "test-jobs") == 0);
    });
}

#[test]
fn a_message_that_kills_its_processes_is_a_dead_letter_in_the_end() {
    bounded(|| {
        let server = Server::start_with_streams();
        Filling::start(&server, &jobs()).fill([7]);
        let queue = jobs().tries(1);
        let worker = Worker::start(&server);
        while worker.line() != "begun 7" {}
        drop(worker);
        let serving = Serving::start(&server, &queue, WELL);
        serving.await_books(0, 1);
        let (headers, _) = stream::first(&server, "test-jobs-dead");
        let reason = headers.get("Zctor-Reason").map_or("", |reason| reason.as_str());
        assert_eq!(reason, "it was given out 2 times, and nobody has said that it is handled");
    });
}

#[test]
fn a_server_that_is_killed_and_started_again_loses_no_message() {
    bounded(|| {
        const EACH: u64 = 400;
        const SENDERS: u64 = 3;
        let mut server = Server::start_with_streams();
        let queue = jobs().tries(20);
        let (serving, filling) = (Serving::start(&server, &queue, WELL), Filling::start(&server, &queue));
        let mut done = BTreeSet::new();
        thread::scope(|scope| {
            for sender in 0..SENDERS {
                let task = filling.task.clone();
                scope.spawn(move || {
                    for number in 0..EACH {
                        task.send(TaskMessage::Do(sender * EACH + number)).expect("it waits for room");
                    }
                });
            }
            for kills in 1..=2 {
                while done.len() < (kills * EACH / 2) as usize {
                    done.insert(serving.did());
                }
                server.kill();
                server.restart();
            }
        });
        filling.engine.settle();
        let books = filling.bridge.flush(LIMIT);
        assert_eq!((books.accepted, books.acked), (SENDERS * EACH, SENDERS * EACH), "{books}");
        while done.len() < (SENDERS * EACH) as usize {
            done.insert(serving.did());
        }
        assert!(done.into_iter().eq(0..SENDERS * EACH));
        until(|| stream::left(&server) == 0);
        assert_eq!(serving.bridge.queue_books().dead, 0);
    });
}

#[test]
fn a_server_that_is_away_while_places_become_free_uses_up_no_try() {
    bounded(|| {
        let mut server = Server::start_with_streams();
        let queue = jobs().in_flight(1).tries(1);
        Filling::start(&server, &queue).fill([1, 2]);
        let serving = Serving::start_held(&server, &queue, WELL);
        assert_eq!(serving.did(), 1);
        server.kill();
        serving.gate.open();
        until(|| serving.bridge.queue_books().handled == 1);
        server.restart();
        until(|| stream::left(&server) == 0);
        assert!(matches!(serving.told.try_recv(), Ok(Told::Did(2))), "{}", serving.bridge.queue_books());
    });
}

/// Issue #17: it waited for a server, to tell that what became of the message.
#[test]
fn a_process_whose_server_is_gone_has_left_as_soon_as_its_handlers_have_ended() {
    bounded(|| {
        let mut server = Server::start_with_streams();
        let queue = jobs().tries(1);
        Filling::start(&server, &queue).fill([1]);
        let serving = Serving::start_held(&server, &queue, |order, _| Err(Declined { order }));
        assert_eq!(serving.did(), 1);
        server.kill();
        until(|| !serving.bridge.is_connected());
        serving.bridge.leave(Duration::from_millis(50));
        assert_eq!(serving.bridge.queue_books().under_way(), 1, "its handler has begun");
        serving.gate.open();
        serving.bridge.leave(Duration::MAX);
        let books = serving.bridge.queue_books();
        assert_eq!((books.under_way(), books.returned, books.dead), (0, 1, 0), "{books}");

        // The message is still in the queue, and a dead letter when there is a server that stores it.
        server.restart();
        let other = Serving::start(&server, &queue, WELL);
        other.await_books(0, 1);
        until(|| stream::left(&server) == 0);
    });
}

/// While it is not connected the client keeps 2,048 commands, and takes no more.
#[test]
fn a_process_has_left_though_the_client_takes_no_acknowledgement() {
    bounded(|| {
        let (mut server, queue) = (Server::start_with_streams(), jobs());
        Filling::start(&server, &queue).fill([1]);
        let serving = Serving::start_held(&server, &queue, WELL);
        assert_eq!(serving.did(), 1);
        server.kill();
        until(|| !serving.bridge.is_connected());
        // It asks who serves each of them.
        let asked = serving.bridge.serve_partitions::<TaskMessage>(&serving.engine, 0..3_000, 3_000);
        assert!(matches!(asked, Err(BridgeError::Disconnected)), "{asked:?}");
        serving.gate.open();
        serving.bridge.leave(Duration::MAX);
        let books = serving.bridge.queue_books();
        assert_eq!((books.under_way(), books.handled), (0, 1), "{books}");
    });
}

#[test]
fn a_message_that_is_sent_again_is_stored_once() {
    bounded(|| {
        const ALL: u64 = 600;
        let server = Server::start_with_streams();
        let proxy = Proxy::to(server.port());
        let through = server.builder().server(proxy.url()).connect().expect("the server is there");
        let filling = Filling::start_by(through, &jobs());
        let count = stream::Count::start(&server, "zctor.1.test.$q.jobs.TaskMessage");
        let mut random = SplitMix64::new(17);
        for order in 0..ALL {
            if order % 60 == 0 {
                // Once what is under way from before has come to an end.
                until(|| filling.bridge.books().acked + 30 >= order);
                proxy.cut_after(random.below(4_000));
            }
            filling.task.send(TaskMessage::Do(order)).expect("it waits for room");
        }
        filling.engine.settle();
        let begun = now();
        let books = filling.bridge.flush(LIMIT);
        assert_eq!((books.accepted, books.acked), (ALL, ALL), "{books} after {:?}", now() - begun);
        assert_eq!(stream::len(&server, "test-jobs"), ALL);
        let published = count.end(&server);
        assert!(published > ALL, "nothing was sent again");
    });
}
