//! A message or a queue that cannot be kept is an error, which says what to do.

use std::sync::{Arc, mpsc};

use async_nats::HeaderMap;
use serde::{Deserialize, Serialize};
use zctor::{ActorEngine, Undelivered, actor};
use zctor_nats::{BridgeError, WorkQueue};
use zctor_tests::{LIMIT, bounded, receive};

use super::{Declined, Filling, Serving, TaskMessage, WELL, jobs, stream, until};
use crate::nats::{Folder, Server};

fn refused(server: &Server, queue: &WorkQueue) -> String {
    let engine = ActorEngine::new();
    match server.bridge().attach_durable::<TaskMessage>(&engine, queue) {
        Err(error @ BridgeError::Queue { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_server_without_streams_is_told() {
    bounded(|| {
        let told = refused(&Server::start(), &jobs());
        assert!(told.contains("`jobs`") && told.contains("start it with `-js`"), "{told}");
    });
}

#[test]
fn a_stream_that_is_no_work_queue_is_told() {
    bounded(|| {
        let server = Server::start_with_streams();
        stream::make(&server, "test-jobs");
        let told = refused(&server, &jobs());
        assert!(told.contains("retention of Limits; delete it, or give the queue another name"), "{told}");
        let told = refused(&server, &WorkQueue::new("two words"));
        assert!(told.contains("its name is one word"), "{told}");
    });
}

#[test]
fn another_limit_than_that_of_the_queue_is_told() {
    bounded(|| {
        let server = Server::start_with_streams();
        Filling::start(&server, &jobs().max_messages(5));
        let told = refused(&server, &jobs().max_messages(6));
        assert!(told.contains("a limit of 5 messages, and not of 6"), "{told}");
        // A process that states no limit takes the queue as it is.
        Filling::start(&server, &jobs());
    });
}

#[test]
fn beyond_its_limit_a_queue_is_full() {
    bounded(|| {
        let server = Server::start_with_streams();
        let filling = Filling::start(&server, &jobs().max_messages(2));
        let (tell, letters) = mpsc::channel();
        filling.engine.on_dead_letter(move |letter| tell.send(letter.why).unwrap_or_default());
        let books = filling.fill(0..5);
        assert_eq!((books.accepted, books.acked, books.full), (5, 2, 3), "{books}");
        for _ in 0..3 {
            assert_eq!(receive(&letters), Undelivered::Full);
        }
        assert_eq!(stream::len(&server, "test-jobs"), 2);
    });
}

#[test]
fn a_queue_that_was_deleted_is_told_in_time() {
    bounded(|| {
        let server = Server::start_with_streams();
        let filling = Filling::start(&server, &jobs());
        stream::with(&server, async |streams| {
            streams.delete_stream("test-jobs").await.map(drop).expect("it was there")
        });
        let books = filling.fill([1]);
        assert_eq!((books.acked, books.unreachable), (0, 1), "{books}");
    });
}

#[test]
fn what_is_not_stored_when_the_bridge_closes_may_be_lost() {
    bounded(|| {
        let mut server = Server::start_with_streams();
        let filling = Filling::start(&server, &jobs());
        let (tell, letters) = mpsc::channel();
        filling.engine.on_dead_letter(move |letter| tell.send(letter.why).unwrap_or_default());
        server.kill();
        filling.task.send(TaskMessage::Do(1)).expect("the link takes it");
        filling.engine.settle();
        let books = filling.bridge.close(std::time::Duration::from_millis(300));
        assert_eq!((books.accepted, books.lost), (1, 1), "{books}");
        assert_eq!(letters.recv_timeout(LIMIT), Ok(Undelivered::Lost));
    });
}

#[test]
fn a_message_that_may_not_go_into_the_queue_is_told() {
    bounded(|| {
        let folder = Folder::new();
        let server = Server::configured(&format!(
            "jetstream {{ store_dir: {:?} }}\nauthorization {{ users = [ {{ user: a, password: a, permissions {{ publish: \
             {{ deny: [\"zctor.1.test.$q.>\"] }} }} }} ] }}",
            folder.path("streams")
        ));
        // Nobody waits so long for the server's word.
        let bridge = server.builder().user("a", "a").ack_wait(10 * LIMIT).connect().expect("it is let in");
        let filling = Filling::start_by(bridge, &jobs());
        for all in 1..=2 {
            let books = filling.fill([all]);
            assert_eq!((books.accepted, books.acked, books.unfit), (all, 0, all), "{books}");
        }
    });
}

#[test]
fn a_dead_letter_that_cannot_be_stored_does_not_keep_its_place() {
    bounded(|| {
        let server = Server::start_with_streams();
        let queue = jobs().in_flight(1);
        let serving = Serving::start(&server, &queue, WELL);
        stream::with(&server, async |streams| {
            streams.delete_stream("test-jobs-dead").await.map(drop).expect("it was there")
        });
        stream::put(&server, "zctor.1.test.$q.jobs.TaskMessage", b"no message");
        stream::put(&server, "zctor.1.test.$q.jobs.TaskMessage", b"\x81\xa2Do\x07");
        assert_eq!(serving.did(), 7);
        assert_eq!(serving.bridge.queue_books().dead, 0);
        // This makes the stream anew.
        Filling::start(&server, &queue);
        until(|| serving.bridge.queue_books().dead == 1);
        until(|| stream::len(&server, "test-jobs") == 0);
    });
}

/// Issue #17.
#[test]
fn a_dead_letter_that_is_stored_late_has_its_first_reason() {
    bounded(|| {
        let server = Server::start_with_streams();
        let queue = jobs().tries(1);
        let serving = Serving::start(&server, &queue, |order, _| Err(Declined { order }));
        stream::with(&server, async |streams| {
            streams.delete_stream("test-jobs-dead").await.map(drop).expect("it was there")
        });
        stream::put(&server, "zctor.1.test.$q.jobs.TaskMessage", b"\x81\xa2Do\x07");
        // Given out again twice, after its last try.
        until(|| serving.bridge.queue_books().returned >= 2);
        Filling::start(&server, &queue);
        serving.await_books(0, 1);
        let (headers, _) = stream::first(&server, "test-jobs-dead");
        let reason = headers.get("Zctor-Reason").map(|reason| reason.as_str().to_owned());
        assert_eq!(reason.as_deref(), Some("its handler gave Declined { order: 7 }"));
        assert_eq!(serving.told.try_iter().count(), 1, "it has come to a handler once");
    });
}

#[test]
fn a_dead_letter_without_room_for_its_headers_is_stored_without_them() {
    bounded(|| {
        let server = Server::start_with_streams();
        let serving = Serving::start(&server, &jobs(), WELL);
        // As much as the server takes.
        let bytes = vec![0; 1 << 20];
        stream::put(&server, "zctor.1.test.$q.jobs.TaskMessage", &bytes);
        until(|| serving.bridge.queue_books().dead == 1);
        let (headers, stored) = stream::first(&server, "test-jobs-dead");
        assert!(headers.is_empty() && stored == bytes, "{headers:?}, {} bytes", stored.len());
    });
}

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum CrateMessage {
    #[msg(durable)]
    #[reply(())]
    Store(Vec<u8>),
}

/// The bridge published it again and again, without a pause.
#[test]
fn a_message_that_is_too_large_with_its_headers_is_told() {
    bounded(|| {
        let server = Server::start_with_streams();
        let bridge = server.builder().inbox_prefix("_INBOX.".to_owned() + &"long".repeat(100)).connect();
        let (here, bridge) = (ActorEngine::new(), bridge.expect("it is there"));
        let store = bridge.attach_durable::<CrateMessage>(&here, &jobs()).expect("the server has streams");
        // Less than the server takes by the 256 bytes that are for headers, and by what stands before the bytes.
        store.send(CrateMessage::Store(vec![0; (1 << 20) - 256 - 16])).expect("the link takes it");
        here.settle();
        let books = bridge.flush(LIMIT);
        assert_eq!((books.accepted, books.unfit), (1, 1), "{books}");
    });
}

#[test]
fn a_dead_letter_without_room_for_its_headers_keeps_its_key() {
    bounded(|| {
        let server = Server::start_with_streams();
        let serving = Serving::start(&server, &jobs(), WELL);
        let mut headers = HeaderMap::new();
        headers.insert("Zctor-Key", "07");
        // As much as the server takes, with that header.
        let bytes = vec![0; (1 << 20) - 64];
        let stored = bytes.clone();
        stream::with(&server, async |streams| {
            let subject = "zctor.1.test.$q.jobs.TaskMessage";
            let put = streams.publish_with_headers(subject, headers, stored.into()).await;
            put.expect("it goes out").await.expect("it is stored")
        });
        until(|| serving.bridge.queue_books().dead == 1);
        let (headers, stored) = stream::first(&server, "test-jobs-dead");
        assert!(headers.len() == 1 && stored == bytes, "{headers:?}, {} bytes", stored.len());
        assert_eq!(headers.get("Zctor-Key").map(|key| key.as_str()), Some("07"));
    });
}

#[test]
fn a_queue_that_is_made_anew_has_dead_letters_of_its_own() {
    bounded(|| {
        let server = Server::start_with_streams();
        for round in 1..=2 {
            let serving = Serving::start(&server, &jobs(), WELL);
            // The first one of its stream.
            stream::put(&server, "zctor.1.test.$q.jobs.TaskMessage", b"no message");
            until(|| serving.bridge.queue_books().dead == 1);
            assert_eq!(stream::len(&server, "test-jobs-dead"), round);
            serving.bridge.close(LIMIT);
            stream::with(&server, async |streams| {
                streams.delete_stream("test-jobs").await.map(drop).expect("it was there")
            });
        }
    });
}

#[actor(remote = "two words")]
#[derive(Serialize, Deserialize)]
enum WordsMessage {
    #[msg(durable)]
    #[reply(())]
    Speak,
}
struct Words;
impl WordsHandler for Words {
    fn speak(&mut self) {}
}

#[test]
fn a_name_that_cannot_be_part_of_a_subject_is_told() {
    bounded(|| {
        let (server, engine) = (Server::start_with_streams(), ActorEngine::new());
        engine.pool(1, WordsMessage::actor(|| Words)).expect("a pool");
        match server.bridge().serve_durable::<WordsMessage>(&engine, &jobs()) {
            Err(BridgeError::Name { name }) => assert_eq!(name, "two words"),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_hook_on_the_bridge_s_own_thread_is_told_that_it_cannot_wait_for_itself() {
    bounded(|| {
        let server = Server::start_with_streams();
        let serving = Serving::start(&server, &jobs(), WELL);
        let there = serving.engine;
        let Filling { engine, bridge, task } = Filling::start(&server, &jobs());
        let bridge = Arc::new(bridge);
        let (own, (tell, told)) = (Arc::clone(&bridge), mpsc::channel());
        // Nobody serves what is not durable, and the bridge says so on its own thread.
        engine.on_dead_letter(move |_| {
            let outcomes = [
                own.serve::<TaskMessage>(&there),
                own.serve_partitions::<TaskMessage>(&there, 0..1, 2),
                own.serve_durable::<TaskMessage>(&there, &jobs()),
                own.attach_durable::<TaskMessage>(&ActorEngine::new(), &jobs()).map(drop),
            ];
            tell.send(outcomes).unwrap_or_default();
        });
        task.note(1).expect("the link takes it");
        for outcome in receive(&told) {
            assert!(matches!(outcome, Err(BridgeError::OwnThread)), "{outcome:?}");
        }
        drop(bridge);
    });
}
