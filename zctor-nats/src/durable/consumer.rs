//! The way out of a queue: as many messages as there are free places, each called, and settled by what its handler
//! answers.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::Info;
use async_nats::jetstream::{AckKind, Context, Message};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use zctor::remote::transport::{Answer, CallHeader, End, Format, Packet, Receipt, Route};

use crate::durable::books::{QueueBooks, QueueLedger};
use crate::durable::key_header;
use crate::durable::names::Names;
use crate::durable::reasons::Reasons;
use crate::durable::request::Request;
use crate::durable::{WorkQueue, streams};
use crate::error::BridgeError;
use crate::session::Session;
use crate::wire::one_line;

/// How long after something went wrong it is tried again.
const PAUSE: Duration = Duration::from_millis(500);
/// How often a dead letter is stored, until that is left to the next giving-out of its message.
const DEAD_LETTER_ATTEMPTS: u32 = 5;
/// How long a reason is at most, in bytes.
const LONGEST_REASON: usize = 1_024;

pub(crate) struct Consumer {
    session: Session,
    context: Context,
    names: Names,
    queue: WorkQueue,
    /// The name by which the pool is served.
    wire: &'static str,
    end: Arc<End>,
    ledger: Arc<QueueLedger>,
    places: Arc<Semaphore>,
    stopped: watch::Sender<bool>,
    /// Of the dead letters that could not be stored.
    reasons: Reasons,
}

/// The fate of a message, once its handler has answered.
enum Outcome {
    Handled,
    /// It is given out again, unless this was the last try.
    Again(String),
    /// No try can help.
    Dead(String),
    /// The pool has stopped.
    Stopped,
}

impl Consumer {
    pub(crate) fn new(
        session: Session,
        context: Context,
        names: Names,
        queue: WorkQueue,
        wire: &'static str,
        end: &Arc<End>,
        ledger: Arc<QueueLedger>,
    ) -> Self {
        let (end, places) = (Arc::clone(end), Arc::new(Semaphore::new(queue.in_flight as usize)));
        let (stopped, reasons) = (watch::Sender::new(false), Reasons::default());
        Self { session, context, names, queue, wire, end, ledger, places, stopped, reasons }
    }

    fn is_stopped(&self) -> bool {
        *self.stopped.borrow()
    }

    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// Whether it takes the messages of the same enum from the same queue.
    pub(crate) fn serves(&self, names: &Names) -> bool {
        !self.is_stopped() && (&self.names.stream, &self.names.consumer) == (&names.stream, &names.consumer)
    }

    /// Whether it has stopped, and each of its messages is settled.
    pub(crate) fn is_done(&self) -> bool {
        self.is_stopped() && self.places.available_permits() == self.queue.in_flight as usize
    }

    /// Asks for no more, and waits until each message that has come is settled.
    pub(crate) async fn leave(&self) {
        self.stopped.send_replace(true);
        // An error: the places are closed, which nobody does.
        drop(self.places.acquire_many(self.queue.in_flight).await);
    }

    pub(crate) async fn make_or_check(&self) -> Result<PullConsumer, BridgeError> {
        streams::make_or_check(&self.context, &self.names, &self.queue).await?;
        streams::consumer(&self.context, &self.names, &self.queue).await
    }

    /// Takes messages until it is stopped.
    pub(crate) async fn run(self: Arc<Self>, mut pull: PullConsumer) {
        let mut stopped = self.stopped.subscribe();
        let stop = async move { drop(stopped.wait_for(|stopped| *stopped).await) };
        tokio::pin!(stop);
        loop {
            let ready = async {
                // The connection last: one that was lost meanwhile would take the request with it, and what the server
                // gives out for that counts as a try.
                let places = self.free_places().await;
                self.session.state.connected().await;
                places
            };
            let mut places = tokio::select! {
                biased;
                () = &mut stop => return,
                places = ready => places,
            };
            let request = tokio::select! {
                biased;
                () = &mut stop => return,
                request = Request::send(&self.session, &self.context, &pull, places.num_permits()) => request,
            };
            let mut is_well = request.is_ok();
            if let Ok(mut request) = request {
                loop {
                    let next = tokio::select! {
                        biased;
                        () = &mut stop => {
                            // The server may have sent some that have not come yet: each has used up a try.
                            let take = |message| self.begin(message, places.split(1));
                            return request.end(take).await;
                        }
                        next = request.next() => next,
                    };
                    match next {
                        Some(Ok(message)) => self.begin(message, places.split(1)),
                        Some(Err(_)) => {
                            is_well = false;
                            break;
                        }
                        None => break,
                    }
                }
            }
            // A leave waits for all places.
            drop(places);
            if !is_well {
                // Somebody may have deleted the consumer. A fault beyond that is tried again.
                let made = async {
                    tokio::time::sleep(PAUSE).await;
                    self.make_or_check().await
                };
                tokio::select! {
                    biased;
                    () = &mut stop => return,
                    made = made => pull = made.unwrap_or(pull),
                }
            }
        }
    }

    /// Waits for a free place, and takes all.
    async fn free_places(&self) -> OwnedSemaphorePermit {
        loop {
            let Ok(mut places) = Arc::clone(&self.places).acquire_owned().await else { continue };
            let more = u32::try_from(self.places.available_permits()).unwrap_or(u32::MAX);
            if let Ok(more) = Arc::clone(&self.places).try_acquire_many_owned(more) {
                places.merge(more);
            }
            return places;
        }
    }

    /// Takes a message, for which there is a place: the server gives out no more than it was asked for.
    fn begin(self: &Arc<Self>, message: Message, place: Option<OwnedSemaphorePermit>) {
        if let Some(place) = place {
            drop(tokio::spawn(Arc::clone(self).take(message, place)));
        }
    }

    /// Has a message handled, and tells the server what became of it. Its place is free after that.
    async fn take(self: Arc<Self>, message: Message, place: OwnedSemaphorePermit) {
        let (tried, id) = match message.info() {
            Ok(info) => (u32::try_from(info.delivered).unwrap_or(u32::MAX), self.dead_id(&info)),
            // None of a queue's.
            Err(_) => return,
        };
        self.settle(|books| books.delivered += 1);
        let outcome = if tried > self.queue.tries {
            let unknown = || format!("it was given out {tried} times, and nobody has said that it is handled");
            Outcome::Dead(self.reasons.take(&id).unwrap_or_else(unknown))
        } else {
            self.handle(&message).await
        };
        let said = match outcome {
            Outcome::Handled => {
                self.settle(|books| books.handled += 1);
                AckKind::Ack
            }
            Outcome::Again(_) if tried < self.queue.tries => {
                self.settle(|books| books.returned += 1);
                AckKind::Nak(Some(self.queue.pause(tried)))
            }
            Outcome::Again(reason) | Outcome::Dead(reason) => {
                if self.dead_letter(&message, &id, tried, &reason).await {
                    self.settle(|books| books.dead += 1);
                    AckKind::Term
                } else {
                    self.reasons.keep(id, reason);
                    self.settle(|books| books.returned += 1);
                    AckKind::Nak(Some(self.queue.pause(tried).max(PAUSE)))
                }
            }
            Outcome::Stopped => {
                self.stopped.send_replace(true);
                self.settle(|books| books.returned += 1);
                AckKind::Nak(None)
            }
        };
        self.say(&message, said).await;
        drop(place);
    }

    fn settle(&self, change: impl FnOnce(&mut QueueBooks)) {
        self.ledger.change(change);
    }

    /// Tells the server what becomes of a message. If the server does not hear this, it gives the message out again.
    async fn say(&self, message: &Message, said: AckKind) {
        tokio::select! {
            biased;
            _ = message.ack_with(said) => {}
            // The client may take no more commands until it is connected again.
            () = self.is_cut_off() => {}
        }
    }

    /// Calls the handler until it answers. Meanwhile the server is told that somebody is at it.
    async fn handle(&self, message: &Message) -> Outcome {
        let mut progress = tokio::time::interval(self.queue.ack_wait / 3);
        progress.tick().await;
        let mut tried = 0;
        loop {
            let mut answer = self.offer(message);
            let answer = loop {
                tokio::select! {
                    answer = &mut answer => break answer.unwrap_or(Answer::Unreachable),
                    _ = progress.tick() => self.say(message, AckKind::Progress).await,
                }
            };
            match answer {
                Answer::Reply(text) if text.is_empty() => return Outcome::Handled,
                Answer::Reply(text) => return Outcome::Again(String::from_utf8_lossy(&text).into_owned()),
                Answer::Panicked(text) => return Outcome::Again(format!("its handler panicked: {text}")),
                Answer::NoReply => return Outcome::Again("its handler dropped the reply".to_owned()),
                Answer::Unfit(text) => return Outcome::Dead(format!("it is not understood: {text}")),
                Answer::Stopped => return Outcome::Stopped,
                Answer::Lost | Answer::Undeclared | Answer::Timeout { .. } => {
                    return Outcome::Again(format!("its call ended with {answer:?}"));
                }
                // It has not come to a handler, so this is no try: the pool is full, or its instances back off or are gone.
                Answer::Full | Answer::Unreachable => {
                    if self.is_stopped() {
                        return Outcome::Stopped;
                    }
                    tried += 1;
                    let pause = Duration::from_millis(10).saturating_mul(tried).min(PAUSE);
                    let pause = tokio::time::sleep(pause.min(self.queue.ack_wait / 3));
                    pause.await;
                    self.say(message, AckKind::Progress).await;
                }
            }
        }
    }

    fn offer(&self, message: &Message) -> oneshot::Receiver<Answer> {
        let (tell, told) = oneshot::channel();
        // Nobody waits for the reply, so that its handler may be of any depth.
        let call = CallHeader { until: None, depth: u32::MAX, or_send: false, queued: true };
        let packet = Packet {
            bytes: (&*message.payload).into(),
            format: Format::MessagePack,
            call: Some(call),
            inside: false,
            route: Route::Turn,
            key: key_header::read(message.headers.as_ref()),
        };
        self.end.deliver(self.wire, packet, Box::new(Delivery(tell)));
        told
    }

    /// The id of the message among the dead letters. The number alone would be that of another one if the stream was deleted
    /// and made anew.
    fn dead_id(&self, info: &Info<'_>) -> String {
        let stored = SystemTime::from(info.published).duration_since(UNIX_EPOCH).unwrap_or_default();
        format!("{}.{}.{}", self.names.stream, info.stream_sequence, stored.as_nanos())
    }

    /// Whether the message is stored among the dead letters. It is not if their stream is deleted or full, the server does
    /// not permit it, or this process leaves while there is no server; then the message stays in the queue, and its place
    /// is for others.
    async fn dead_letter(&self, message: &Message, id: &str, tried: u32, reason: &str) -> bool {
        let stored = async {
            for _ in 0..DEAD_LETTER_ATTEMPTS {
                self.session.state.connected().await;
                if self.store_dead(message, id, tried, reason).await {
                    return true;
                }
                self.say(message, AckKind::Progress).await;
                tokio::time::sleep(PAUSE.min(self.queue.ack_wait / 3)).await;
            }
            false
        };
        tokio::select! {
            biased;
            stored = stored => stored,
            () = self.is_cut_off() => false,
        }
    }

    /// Waits until this process leaves and there is no connection.
    async fn is_cut_off(&self) {
        let mut stopped = self.stopped.subscribe();
        // It cannot fail: the sender is here.
        drop(stopped.wait_for(|stopped| *stopped).await);
        loop {
            // Before the look, so that a change after it is not missed.
            let changed = self.session.state.changed();
            if !self.session.state.is_connected() {
                return;
            }
            changed.await;
        }
    }

    /// Whether the server has stored the message among the dead letters.
    async fn store_dead(&self, message: &Message, id: &str, tried: u32, reason: &str) -> bool {
        let Names { stream, subject, dead_subject, .. } = &self.names;
        let key = message.headers.as_ref().and_then(|headers| headers.get(key_header::NAME));
        let ids = 256 + stream.len() + subject.len() + key.map_or(0, |key| key.as_str().len());
        let room = self.session.client.max_payload().saturating_sub(message.payload.len() + ids);
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, id);
        headers.insert("Zctor-Reason", one_line(reason, room.min(LONGEST_REASON)));
        headers.insert("Zctor-Tries", tried.to_string());
        headers.insert("Zctor-Subject", subject.as_str());
        if let Some(key) = key {
            headers.insert(key_header::NAME, key.as_str());
        }
        let (subject, payload) = (dead_subject.clone(), message.payload.clone());
        let stored = match self.context.publish_with_headers(subject.clone(), headers, payload.clone()).await {
            // The payload has come this way already, with its key: there is room for that.
            Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => match key {
                None => self.context.publish(subject, payload).await,
                Some(key) => {
                    let mut headers = HeaderMap::new();
                    headers.insert(key_header::NAME, key.as_str());
                    self.context.publish_with_headers(subject, headers, payload).await
                }
            },
            stored => stored,
        };
        match stored {
            Ok(stored) => stored.await.is_ok(),
            Err(_) => false,
        }
    }
}

/// Tells the task of a message how the pool has answered.
struct Delivery(oneshot::Sender<Answer>);

impl Receipt for Delivery {
    fn taken(&mut self) {}

    fn answer(self: Box<Self>, answer: Answer) {
        // An error: the bridge has closed. The server gives the message out again.
        drop(self.0.send(answer));
    }
}
