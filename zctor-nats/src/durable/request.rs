//! A request to a queue for messages, which ends without the loss of one.
//!
//! Each message that the server gives out uses up a try. A client that is told to end a subscription forgets it at once,
//! and drops what the server has sent before it knew. But one that is to end after a number of messages lives on until it
//! has them, and the server counts as the client does. Each request has a subject and a subscription of its own, and ends
//! so:
//!
//! 1. Echoes go to the server and back, one after the other, until no message has come between two of them: under load,
//!    until the request has brought all that it asks for.
//! 2. The subscription is told to end after more messages than the request can bring.
//! 3. The number is filled up with empty messages to the subject.
//! 4. All that comes until the subscription ends is taken.
//!
//! A message that the server is about to send just when the subscription ends is given to another process at once. Some
//! servers (2.9 is one) count that as a try all the same; step 1 makes it rare.
//!
//! A connection that breaks takes with it what was on its way, and the request too.

use std::pin::pin;
use std::time::Duration;

use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::consumer::pull::BatchConfig;
use async_nats::jetstream::{Context, Message};
use async_nats::{Client, StatusCode, Subscriber};
use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::task::unconstrained;
use tokio::time::{Instant, sleep_until};

use crate::echo::Echo;
use crate::session::Session;

/// How many messages a request asks for at most. Its end takes about as many fillers.
const MOST: usize = 1_024;
/// How many more messages than the request asks for its subscription ends after: room for what the server says of the
/// request itself.
const SPARE: usize = 8;
/// How long the server keeps a request while it has no messages.
const EXPIRES: Duration = Duration::from_secs(30);
/// How long after that the server has said so at last.
const GRACE: Duration = Duration::from_secs(5);

pub(crate) struct Request {
    client: Client,
    context: Context,
    inbox: String,
    subscriber: Subscriber,
    /// Counts the connections that broke.
    losses: watch::Receiver<u64>,
    /// How many had broken when the request was made.
    lost: u64,
    asked: usize,
    /// How many messages have come, with what the server has said of the request.
    came: usize,
    until: Instant,
}

/// Something is wrong with the request, or with the consumer that it was made to.
pub(crate) struct Refused;

impl Request {
    /// Asks for so many messages, or for fewer.
    pub(crate) async fn send(
        session: &Session,
        context: &Context,
        pull: &PullConsumer,
        messages: usize,
    ) -> Result<Self, Refused> {
        // Before the client subscribes: a connection that breaks after that is one of these.
        let losses = session.state.losses.subscribe();
        let (lost, asked) = (*losses.borrow(), messages.min(MOST));
        let client = session.client.clone();
        let inbox = client.new_inbox();
        let subscriber = client.subscribe(inbox.clone()).await.map_err(|_| Refused)?;
        let batch = BatchConfig { batch: asked, expires: Some(EXPIRES), ..BatchConfig::default() };
        pull.request_batch(batch, inbox.clone().into()).await.map_err(|_| Refused)?;
        let until = Instant::now() + EXPIRES + GRACE;
        Ok(Self { client, context: context.clone(), inbox, subscriber, losses, lost, asked, came: 0, until })
    }

    /// Waits for the next message. `None` if no more will come.
    pub(crate) async fn next(&mut self) -> Option<Result<Message, Refused>> {
        if self.came == self.asked {
            return None;
        }
        let until = self.until;
        let message = tokio::select! {
            biased;
            message = self.arrival() => message?,
            () = sleep_until(until) => return None,
        };
        match message.status {
            None | Some(StatusCode::OK) => Some(Ok(Message { message, context: self.context.clone() })),
            Some(StatusCode::TIMEOUT) => None,
            Some(_) => Some(Err(Refused)),
        }
    }

    /// Has the server give out no more, and passes on what it has given out by then.
    pub(crate) async fn end(mut self, mut take: impl FnMut(Message)) {
        let (mut losses, lost) = (self.losses.clone(), self.lost);
        tokio::select! {
            biased;
            _ = self.tell(&mut take) => {}
            // The client may take no more commands until it is connected again.
            _ = losses.wait_for(|losses| *losses != lost) => {}
        }
        while let Some(message) = self.arrival().await {
            self.pass_on(message, &mut take);
        }
    }

    /// Steps 1 to 3 at the head of this file. `None` if nothing more will come, or the client has ended.
    async fn tell(&mut self, take: &mut impl FnMut(Message)) -> Option<()> {
        let (client, inbox) = (self.client.clone(), self.inbox.clone());
        let mut echo = Echo::open(&client).await?;
        let mut before = None;
        while before != Some(self.came) {
            before = Some(self.came);
            let mut echoed = pin!(echo.pass());
            loop {
                tokio::select! {
                    biased;
                    message = self.arrival() => self.pass_on(message?, take),
                    echoed = &mut echoed => break echoed?,
                }
            }
        }
        let last = self.asked + SPARE;
        self.subscriber.unsubscribe_after(last as u64).await.ok()?;
        for _ in 0..last.saturating_sub(self.came) {
            client.publish(inbox.clone(), Vec::new().into()).await.ok()?;
        }
        Some(())
    }

    fn pass_on(&self, message: async_nats::Message, take: &mut impl FnMut(Message)) {
        // A filler has no reply subject, and neither has what the server says itself.
        if message.status.is_none() && message.reply.is_some() {
            take(Message { message, context: self.context.clone() });
        }
    }

    /// Waits for whatever comes next. `None` if the subscription has ended, or the connection is lost.
    async fn arrival(&mut self) -> Option<async_nats::Message> {
        let message = tokio::select! {
            biased;
            // Before the loss of the connection: what has come until then has used up a try. And without a limit on the
            // work of one task at a time, which would hide that it has come.
            message = unconstrained(self.subscriber.next()) => message?,
            _ = self.losses.wait_for(|losses| *losses != self.lost) => return None,
        };
        self.came += 1;
        Some(message)
    }
}
