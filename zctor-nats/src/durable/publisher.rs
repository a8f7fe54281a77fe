//! The way into a queue: a message is published until the server says that it is stored.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::response::Response;
use async_nats::{HeaderMap, Message, PublishErrorKind, StatusCode, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::oneshot;
use zctor::now;
use zctor::remote::transport::{Answer, Carrier, Packet, Receipt};

use crate::carrier::NatsCarrier;
use crate::durable::key_header;
use crate::error::{BridgeError, Operation};
use crate::session::{Session, too_large};

/// The way of a link whose durable messages go into a queue.
pub(crate) struct QueueCarrier {
    /// The way of the others.
    pub(crate) direct: NatsCarrier,
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) subject: String,
}

impl Carrier for QueueCarrier {
    fn carry(&self, name: &'static str, packet: Packet<'static>, receipt: Box<dyn Receipt>) {
        self.direct.carry(name, packet, receipt);
    }

    fn store(&self, _: &'static str, packet: Packet<'static>, receipt: Box<dyn Receipt>) {
        let message =
            Stored { bytes: packet.bytes.into_owned().into(), key: packet.key.as_deref().map(key_header::write) };
        self.publisher.store(self.subject.clone(), message, receipt);
    }
}

/// Publishes the durable messages of a bridge.
pub(crate) struct Publisher {
    session: Session,
    /// The prefix of the subjects on which the server answers, and of the ids.
    inbox: String,
    next: AtomicU64,
    /// The publications that wait for an answer, by number.
    waiting: Mutex<HashMap<u64, oneshot::Sender<Message>>>,
    ack_wait: Duration,
}

/// A message on its way into a queue.
struct Stored {
    bytes: Bytes,
    /// The key that its client is bound to, as a header has it.
    key: Option<String>,
}

/// A receipt that says `Lost` if the bridge ends first.
struct Unstored(Option<Box<dyn Receipt>>);

impl Unstored {
    fn stored(mut self) {
        if let Some(mut receipt) = self.0.take() {
            receipt.taken();
        }
    }

    fn answer(mut self, answer: Answer) {
        if let Some(receipt) = self.0.take() {
            receipt.answer(answer);
        }
    }
}

impl Drop for Unstored {
    fn drop(&mut self) {
        if let Some(receipt) = self.0.take() {
            receipt.answer(Answer::Lost);
        }
    }
}

/// The answer of the server to a publication.
#[derive(Debug)]
enum Heard {
    Stored,
    Refused(Answer),
    /// It cannot just now.
    NotNow,
    /// No stream listens to the subject.
    Nobody,
}

/// How long after it was refused for the moment a message is published again.
const PAUSE: Duration = Duration::from_millis(100);

impl Publisher {
    pub(crate) async fn open(session: Session, ack_wait: Duration) -> Result<Arc<Self>, BridgeError> {
        let inbox = session.client.new_inbox();
        let answers = session.state.patiently(None, session.client.subscribe(format!("{inbox}.*"))).await;
        let answers = answers.and_then(Result::ok).ok_or(BridgeError::Disconnected)?;
        let publisher = Arc::new(Self { session, inbox, next: AtomicU64::new(0), waiting: Mutex::default(), ack_wait });
        tokio::spawn(Arc::clone(&publisher).listen(answers));
        Ok(publisher)
    }

    async fn listen(self: Arc<Self>, mut answers: Subscriber) {
        while let Some(message) = answers.next().await {
            let number = message.subject.as_str().strip_prefix(&self.inbox).and_then(|rest| rest.strip_prefix('.'));
            let waiting = number.and_then(|number| self.waiting().remove(&number.parse().ok()?));
            if let Some(waiting) = waiting {
                // An error: it has been given up, and is published again.
                drop(waiting.send(message));
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Message>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes a message, in the order of these calls as long as nothing goes wrong. Waits for nothing.
    fn store(self: &Arc<Self>, subject: String, message: Stored, receipt: Box<dyn Receipt>) {
        // Relaxed: it only counts.
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (publisher, receipt) = (Arc::clone(self), Unstored(Some(receipt)));
        self.session.runtime.spawn(async move { publisher.publish(number, subject, message, receipt).await });
    }

    async fn publish(&self, number: u64, subject: String, message: Stored, receipt: Unstored) {
        let size = message.bytes.len() + message.key.as_ref().map_or(0, String::len);
        if let Some(text) = too_large(&self.session.client, size) {
            return receipt.answer(Answer::Unfit(text.into()));
        }
        // Since when nobody has listened to the subject.
        let mut nobody = None;
        loop {
            match self.publish_once(number, &subject, &message).await {
                Some(Heard::Stored) => return receipt.stored(),
                Some(Heard::Refused(answer)) => return receipt.answer(answer),
                Some(Heard::Nobody) => {
                    if now() - *nobody.get_or_insert_with(now) > self.ack_wait {
                        return receipt.answer(Answer::Unreachable);
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                Some(Heard::NotNow) => {
                    nobody = None;
                    tokio::time::sleep(PAUSE).await;
                }
                None => nobody = None,
            }
        }
    }

    /// `None` if nothing was heard.
    async fn publish_once(&self, number: u64, subject: &str, Stored { bytes, key }: &Stored) -> Option<Heard> {
        self.session.state.connected().await;
        let changed = self.session.state.changed();
        let (tell, told) = oneshot::channel();
        self.waiting().insert(number, tell);
        let reply = format!("{}.{number}", self.inbox);
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, reply.as_str());
        if let Some(key) = key {
            headers.insert(key_header::NAME, key.as_str());
        }
        let publish =
            self.session.client.publish_with_reply_and_headers(subject.to_owned(), reply, headers, bytes.clone());
        let heard = async {
            match publish.await {
                Ok(()) => told.await.ok().map(|message| read(&message)),
                // For its headers: of the payload it was known. It would be refused each time.
                Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                    Some(Heard::Refused(Answer::Unfit(format!("with its headers: {error}").into())))
                }
                Err(_) => Some(Heard::NotNow),
            }
        };
        let heard = tokio::select! {
            heard = heard => heard,
            // The server tells of it by a word of its own, and does not answer.
            error = self.session.hearing.refusal(Operation::Publish, subject) => {
                Some(Heard::Refused(Answer::Unfit(error.to_string().into())))
            }
            // The next connection brings no answer to a publication of the last one.
            () = changed => None,
            () = tokio::time::sleep(self.ack_wait) => None,
        };
        self.waiting().remove(&number);
        heard
    }
}

fn read(message: &Message) -> Heard {
    if message.status == Some(StatusCode::NO_RESPONDERS) {
        return Heard::Nobody;
    }
    match serde_json::from_slice(&message.payload) {
        Ok(Response::<PublishAck>::Ok(_)) => Heard::Stored,
        Ok(Response::Err { error }) => match error.error_code() {
            ErrorCode::STREAM_STORE_FAILED
            | ErrorCode::INSUFFICIENT_RESOURCES
            | ErrorCode::ACCOUNT_RESOURCES_EXCEEDED
            | ErrorCode::STORAGE_RESOURCES_EXCEEDED
            | ErrorCode::MEMORY_RESOURCES_EXCEEDED => Heard::Refused(Answer::Full),
            ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM => {
                Heard::Refused(Answer::Unfit(format!("the queue does not take it: {error}").into()))
            }
            _ => Heard::NotNow,
        },
        Err(_) => Heard::NotNow,
    }
}
