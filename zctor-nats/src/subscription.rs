//! A subscription that ends without the loss of what is on its way to it.
//!
//! A client that is told to end a subscription forgets it at once, and drops what the server has sent before it knew.
//! The client's own draining does so too. But one that is to end after a number of messages lives on until it has them,
//! and the server counts as the client does. So this leaves:
//!
//! 1. An echo goes to the server and back. The messages that came meanwhile say how many may be on their way. The
//!    subscription is told to end after eight times as many more, and after 1,024 more at least.
//! 2. Another echo follows. If the subscription still goes on when it is back, the server knew of the number before it
//!    had sent so many. So it will send so many, and the client will wait for so many.
//! 3. The number is filled up with messages that are empty and want no answer, which nobody looks at. The server shares
//!    them out in the queue group as it does all others, so more are sent than are missing.
//! 4. Messages that come meanwhile are served like those before.
//!
//! Messages may be lost on their way to it if it has ended before the echo of step 2, if the bridge is not permitted to
//! publish to its subject, or if the time is up. Their senders find that out, as of those to a process that was killed.
//!
//! A connection that breaks takes with it what was on its way. So a subscription that is told to end while there is none
//! ends at once.
//!
//! A client that connects again counts on, and the server from zero. So with each connection that breaks the
//! subscription is made anew.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use async_nats::{Client, Message, SubscribeError, Subscriber};
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, unconstrained};
use zctor::now;

use crate::echo::Echo;
use crate::error::Operation;
use crate::heard::Hearing;
use crate::state::State;

/// After how many more messages a subscription ends at least.
const LEAST: u64 = 1_024;
/// How many fillers go out before the next echo, at most.
const MOST_FILLERS: u64 = 4_096;

/// The subject of a subscription, and all that it takes to subscribe to that again.
pub(crate) struct Topic {
    pub(crate) client: Client,
    pub(crate) subject: String,
    /// The queue group that shares the messages.
    pub(crate) group: Option<&'static str>,
    pub(crate) hearing: Hearing,
    pub(crate) state: Arc<State>,
}

/// A subscription whose messages are being taken in.
pub(crate) struct Subscription {
    leave: oneshot::Sender<Instant>,
    task: JoinHandle<()>,
}

impl Subscription {
    /// Subscribes, and takes in what comes.
    pub(crate) async fn start(
        topic: Topic,
        take_in: impl FnMut(Message) + Send + 'static,
    ) -> Result<Self, SubscribeError> {
        // Before the client subscribes: a connection that breaks after that is one of these.
        let losses = topic.state.losses.subscribe();
        let subscriber = topic.subscribe().await?;
        let (leave, left) = oneshot::channel();
        let receiving = Receiving { topic, take_in, losses, came: 0 };
        let task = tokio::spawn(receiving.run(subscriber, left));
        Ok(Self { leave, task })
    }

    /// Whether nothing more is taken in: the bridge has ended, or the task has panicked.
    pub(crate) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    /// Ends the task, as a panic would.
    #[cfg(test)]
    pub(crate) fn abort(&self) {
        self.task.abort();
    }

    /// Has it end, at this time at the latest. The task is done when it has.
    pub(crate) fn leave(self, until: Instant) -> JoinHandle<()> {
        // An error if it has ended already.
        let _ = self.leave.send(until);
        self.task
    }
}

impl Topic {
    async fn subscribe(&self) -> Result<Subscriber, SubscribeError> {
        let subject = self.subject.clone();
        match self.group {
            Some(group) => self.client.queue_subscribe(subject, group.to_owned()).await,
            None => self.client.subscribe(subject).await,
        }
    }
}

/// The next step of a subscription.
enum Next {
    Leave(Instant),
    /// The connection is lost.
    Renew,
    /// The bridge has ended.
    End,
}

struct Receiving<F> {
    topic: Topic,
    take_in: F,
    /// Counts the connections that broke.
    losses: watch::Receiver<u64>,
    /// How many messages have come by this subscriber.
    came: u64,
}

impl<F: FnMut(Message)> Receiving<F> {
    async fn run(mut self, mut subscriber: Subscriber, mut leave: oneshot::Receiver<Instant>) {
        let mut losses = self.losses.clone();
        loop {
            let next = async {
                match select(&mut leave, pin!(losses.changed())).await {
                    Either::Left((Ok(until), _)) => Next::Leave(until),
                    Either::Right((Ok(()), _)) => Next::Renew,
                    Either::Left((Err(_), _)) | Either::Right((Err(_), _)) => Next::End,
                }
            };
            let next = self.until(&mut subscriber, next).await;
            match next {
                None | Some(Next::End) => return,
                Some(Next::Leave(_)) if !self.topic.state.is_connected() => return,
                Some(Next::Leave(until)) => {
                    let leaves = pin!(self.leave(&mut subscriber));
                    let in_time = tokio::time::timeout(until.saturating_duration_since(now()), leaves);
                    // A connection that breaks takes with it what was on its way.
                    select(pin!(in_time), pin!(losses.changed())).await;
                    return;
                }
                Some(Next::Renew) => {
                    // First of all, so that the client does not subscribe for it again.
                    drop(subscriber);
                    self.came = 0;
                    // The client may take no more commands until it is connected again, and is to end before that.
                    match select(pin!(self.topic.subscribe()), &mut leave).await {
                        Either::Left((Ok(anew), _)) => subscriber = anew,
                        Either::Left((Err(_), _)) | Either::Right(_) => return,
                    }
                }
            }
        }
    }

    /// Takes in what comes until the other future is done, and then all that has come. `None` if the subscription ends
    /// before.
    async fn until<T>(&mut self, subscriber: &mut Subscriber, other: impl Future<Output = T>) -> Option<T> {
        let mut other = pin!(other);
        loop {
            // Without a limit on what one task may do at a time, which would hide that something has come. The client
            // adds to it on this same thread, so there is an end.
            match select(unconstrained(subscriber.next()), other.as_mut()).await {
                Either::Left((Some(message), _)) => {
                    self.came += 1;
                    (self.take_in)(message);
                }
                Either::Left((None, _)) => return None,
                Either::Right((done, _)) => return Some(done),
            }
        }
    }

    /// The protocol at the head of this file. `None` when the subscription has ended.
    async fn leave(&mut self, subscriber: &mut Subscriber) -> Option<()> {
        let client = self.topic.client.clone();
        let mut echo = Echo::open(&client).await?;
        let before = self.came;
        self.until(subscriber, echo.pass()).await??;
        let last = self.came + LEAST.max(8 * (self.came - before));
        subscriber.unsubscribe_after(last).await.ok()?;
        self.until(subscriber, echo.pass()).await??;
        loop {
            let fillers = (4 * last.saturating_sub(self.came) + 64).min(MOST_FILLERS);
            let subject = self.topic.subject.clone();
            self.until(subscriber, fill(&client, subject, fillers)).await??;
            self.until(subscriber, echo.pass()).await??;
            if self.topic.hearing.is_refused(Operation::Publish, &self.topic.subject) {
                return None;
            }
        }
    }
}

/// `None` if the client has ended.
async fn fill(client: &Client, subject: String, fillers: u64) -> Option<()> {
    for _ in 0..fillers {
        client.publish(subject.clone(), Vec::new().into()).await.ok()?;
    }
    Some(())
}
