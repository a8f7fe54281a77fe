//! The same by hand, over the client of NATS, for the least of what a bridge is for: the caller is on a thread of its
//! own, and so is the handler, with a state that stays there. Sends are acknowledged when the handler's thread has them,
//! so many at a time as there are, and at most [`WINDOW`] are not acknowledged.
//!
//! There are no types, no deadlines but the client's, no books and no order of leaving. So this says what the threads and
//! the acknowledgements cost, and the rest of the difference is the bridge.

use std::future::pending;
use std::sync::{Arc, mpsc};
use std::thread::Builder;

use async_nats::{Client, Message, RequestError};
use futures_util::StreamExt;
use tokio::runtime::{self, Handle};
use tokio::sync::Semaphore;
use zctor::now;

use crate::{CALLS, Outcome, SENDS};

const ECHO: &str = "speed.hand.echo";
const NOTE: &str = "speed.hand.note";
/// As many as links have room for.
const WINDOW: usize = 1_024;

pub(crate) struct ByHand {
    pub(crate) handle: Handle,
    client: Client,
}

impl ByHand {
    /// Starts the thread of the client.
    pub(crate) fn connect(address: &str) -> Outcome<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        Builder::new().name("by-hand".to_owned()).spawn(move || runtime.block_on(pending::<()>()))?;
        let client = handle.block_on(async_nats::connect(address))?;
        Ok(Self { handle, client })
    }

    /// How long each call took, in microseconds.
    pub(crate) fn calls(&self, payload: &str) -> Outcome<Vec<f64>> {
        let mut times = Vec::with_capacity(CALLS);
        for _ in 0..CALLS {
            let begun = now();
            self.handle.block_on(self.call(payload))?;
            times.push((now() - begun).as_secs_f64() * 1e6);
        }
        Ok(times)
    }

    pub(crate) async fn call(&self, payload: &str) -> Result<(), RequestError> {
        self.client.request(ECHO, payload.to_owned().into()).await.map(drop)
    }

    /// Returns when all are acknowledged.
    pub(crate) async fn sends(&self, payload: &str) -> Outcome<()> {
        let inbox = async_nats::Subject::from(self.client.new_inbox());
        let mut acks = self.client.subscribe(inbox.clone()).await?;
        let room = Arc::new(Semaphore::new(WINDOW));
        let acknowledged = tokio::spawn({
            let room = Arc::clone(&room);
            async move {
                let mut sum = 0;
                while sum < SENDS {
                    let Some(ack) = acks.next().await else { return };
                    let more = ack.payload.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes) as usize);
                    room.add_permits(more);
                    sum += more;
                }
            }
        });
        for _ in 0..SENDS {
            room.acquire().await?.forget();
            self.client.publish_with_reply(NOTE, inbox.clone(), payload.to_owned().into()).await?;
        }
        acknowledged.await?;
        Ok(())
    }

    /// Answers from now on.
    pub(crate) fn answer(&self) -> Outcome<()> {
        let (give, given) = mpsc::channel::<Message>();
        let (handle, client) = (self.handle.clone(), self.client.clone());
        Builder::new().name("handler".to_owned()).spawn(move || {
            for message in given {
                if let (ECHO, Some(reply)) = (message.subject.as_str(), message.reply) {
                    // The client has room: it takes this without a wait.
                    handle.block_on(client.publish(reply, message.payload)).unwrap_or_default();
                }
            }
        })?;
        let client = self.client.clone();
        self.handle.block_on(async {
            let mut calls = client.queue_subscribe(ECHO, "z".to_owned()).await?;
            let mut notes = client.queue_subscribe(NOTE, "z".to_owned()).await?.ready_chunks(WINDOW);
            client.flush().await?;
            let to_handler = give.clone();
            self.handle.spawn(async move {
                while let Some(message) = calls.next().await {
                    let _ = to_handler.send(message);
                }
            });
            self.handle.spawn(async move {
                while let Some(messages) = notes.next().await {
                    let (many, sender) =
                        (messages.len() as u64, messages.first().and_then(|first| first.reply.clone()));
                    for message in messages {
                        let _ = give.send(message);
                    }
                    if let Some(sender) = sender {
                        client.publish(sender, many.to_be_bytes().to_vec().into()).await.unwrap_or_default();
                    }
                }
            });
            Ok(())
        })
    }
}
