//! The streams of a server, as a client of NATS sees them.

use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::{self, Context, stream};
use futures_util::StreamExt;
use tokio::runtime::Builder;
use zctor_tests::receive;

use crate::nats::Server;

/// Runs this with access to the server's streams.
pub(super) fn with<R>(server: &Server, work: impl AsyncFnOnce(Context) -> R) -> R {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let client = async_nats::connect(server.url()).await.expect("the server is there");
        work(jetstream::new(client)).await
    })
}

/// How many messages a stream holds.
pub(super) fn len(server: &Server, name: &str) -> u64 {
    with(server, async |streams| streams.get_stream(name).await.expect("it is there").cached_info().state.messages)
}

/// How many messages of the queue of the tests are still to be given out or acknowledged. A server that was killed may have
/// forgotten that it had removed some from the stream, though their consumer knows that they are acknowledged.
pub(super) fn left(server: &Server) -> u64 {
    with(server, async |streams| {
        let stream = streams.get_stream("test-jobs").await.expect("it is there");
        let consumer: PullConsumer = stream.get_consumer("TaskMessage").await.expect("it is there");
        let info = consumer.cached_info();
        info.num_pending + info.num_ack_pending as u64
    })
}

/// The first message of a stream.
pub(super) fn first(server: &Server, name: &str) -> (HeaderMap, Vec<u8>) {
    with(server, async |streams| {
        let stream = streams.get_stream(name).await.expect("it is there");
        let message = stream.get_raw_message(stream.cached_info().state.first_sequence).await.expect("it has one");
        (message.headers, message.payload.to_vec())
    })
}

/// Puts bytes into a stream.
pub(super) fn put(server: &Server, subject: &str, bytes: &[u8]) {
    let (subject, bytes) = (subject.to_owned(), bytes.to_vec());
    with(server, async |streams| {
        streams.publish(subject, bytes.into()).await.expect("it goes out").await.expect("it is stored")
    });
}

/// Makes a stream that is no work queue.
pub(super) fn make(server: &Server, name: &str) {
    let config = stream::Config { name: name.to_owned(), subjects: vec!["other".to_owned()], ..Default::default() };
    with(server, async |streams| streams.create_stream(config).await.map(drop).expect("it is new"));
}

/// Counts what is published to a subject, stored or not.
pub(super) struct Count {
    subject: String,
    counting: JoinHandle<u64>,
}

impl Count {
    /// Counts all that is published from now on.
    pub(super) fn start(server: &Server, subject: &str) -> Self {
        let (url, own, (tell, told)) = (server.url(), subject.to_owned(), mpsc::channel());
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let count = async move {
            let client = async_nats::connect(url).await.expect("the server is there");
            let mut published = client.subscribe(own).await.expect("it goes out");
            client.flush().await.expect("it goes out");
            tell.send(()).expect("the test waits");
            let mut count = 0;
            while published.next().await.is_some_and(|message| !message.payload.is_empty()) {
                count += 1;
            }
            count
        };
        let counting = thread::Builder::new().spawn(move || runtime.block_on(count)).expect("a thread");
        receive(&told);
        Self { subject: subject.to_owned(), counting }
    }

    /// How often something was published until now.
    pub(super) fn end(self, server: &Server) -> u64 {
        put(server, &self.subject, b"");
        self.counting.join().expect("it counts")
    }
}
