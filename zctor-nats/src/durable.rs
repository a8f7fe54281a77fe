//! Durable messages: a work queue, which is a stream of JetStream, keeps each until a handler has answered for it.
//!
//! The protocol:
//!
//! 1. A link hands a message of a durable variant that was sent to the publisher of its bridge. That numbers it, and
//!    publishes it with an id of its own, again and again until the server says that it has stored it: after each new
//!    connection, and whenever nothing was heard for the `ack_wait` of the bridge. A message whose id the server has stored
//!    within two minutes is not stored again.
//! 2. When it is stored, its sender's books count it as acknowledged. If the server refuses it for good, since the queue
//!    is full or the message too large, it is a dead letter at its sender.
//! 3. Each process that serves the queue asks for as many messages as it has free places. A message keeps its place until
//!    step 5 or 6, so no more than those wait here, in the mailboxes of the pool, while others could handle them.
//! 4. The handler is called, without a deadline. Until it answers, the server is told each third of the queue's
//!    `ack_wait` that somebody is at it. If the process ends, nobody tells it any more, and after `ack_wait` the server
//!    gives the message to another process, or to this one again.
//! 5. The reply says that the message is handled: it is acknowledged, and leaves the queue.
//! 6. Or it was not: the server is asked to give it again after a while. After the last try, or if this process does
//!    not understand it, it is stored among the dead letters of the queue first, and leaves the queue then. So it is in one of
//!    them at any time.
//! 7. A bridge that leaves asks for no more, and takes the messages that the server has given out to it. It waits until each
//!    message that has come is handled, or is given back since the pool has no room for it. A message that it could not
//!    store among the dead letters, since there is no server just then, stays in the queue.

mod books;
mod consumer;
mod key_header;
mod names;
mod publisher;
mod reasons;
mod request;
mod streams;
mod work_queue;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::jetstream::{Context, ContextBuilder};
use zctor::remote::DurableMessage;
use zctor::remote::transport::ROOM;
use zctor::{ActorEngine, Overflow};

use crate::bridge::{Bridge, check_name};
use crate::connection::LONGEST;
pub use crate::durable::books::QueueBooks;
use crate::durable::books::QueueLedger;
use crate::durable::consumer::Consumer;
use crate::durable::names::Names;
use crate::durable::publisher::{Publisher, QueueCarrier};
pub use crate::durable::work_queue::WorkQueue;
use crate::error::BridgeError;
use crate::session::Session;

/// The work queues of one bridge.
#[derive(Default)]
pub(crate) struct Queues {
    /// Made with the first link to a queue.
    publisher: Mutex<Option<Arc<Publisher>>>,
    /// With those that have stopped, and still have messages.
    consumers: Mutex<Vec<Arc<Consumer>>>,
    ledger: Arc<QueueLedger>,
}

impl Queues {
    /// Has the consumers ask for no more, and waits for what they have, for `limit` at most.
    pub(crate) fn leave(&self, session: &Session, limit: Duration) {
        let consumers = self.consumers().clone();
        if !consumers.is_empty() {
            let waited_for = consumers.clone();
            let left = session.begin(async move {
                futures_util::future::join_all(consumers.iter().map(|consumer| consumer.leave())).await;
            });
            // An error: the time is up, or the bridge is closed. A message that is not settled by then stays with its handler,
            // and the next call waits for it again; if the bridge closes before that, another process is given it after its
            // `ack_wait`. A hook on the bridge's own thread waits for itself, until the limit.
            if left.recv_timeout(limit).is_ok() {
                self.consumers().retain(|consumer| !waited_for.iter().any(|left| Arc::ptr_eq(left, consumer)));
            }
        }
    }

    fn consumers(&self) -> MutexGuard<'_, Vec<Arc<Consumer>>> {
        self.consumers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publisher(&self, session: &Session, ack_wait: Duration) -> Result<Arc<Publisher>, BridgeError> {
        let mut publisher = self.publisher.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(publisher) = &*publisher {
            return Ok(Arc::clone(publisher));
        }
        let own = session.clone();
        let opened = session.wait_for(async move { Publisher::open(own, ack_wait).await });
        Ok(Arc::clone(publisher.insert(opened.unwrap_or(Err(BridgeError::Closed))?)))
    }
}

/// The client's access to JetStream.
fn context(session: &Session) -> Context {
    // It starts a task.
    let _entered = session.runtime.enter();
    ContextBuilder::new().timeout(session.patience()).build(session.client.clone())
}

/// More requests than it takes to make a stream and its consumer, or to check them.
const REQUESTS: u32 = 8;

/// Limits the time of requests to the server's streams. The client limits how long it waits for an answer, but not how
/// long until it takes a request: without a connection that is for ever, once it has too many.
async fn in_time<T>(session: &Session, work: impl Future<Output = Result<T, BridgeError>>) -> Result<T, BridgeError> {
    if !session.state.await_connected(None).await {
        return Err(BridgeError::Disconnected);
    }
    let limit = session.patience().saturating_mul(REQUESTS).min(LONGEST);
    tokio::time::timeout(limit, work).await.unwrap_or(Err(BridgeError::Disconnected))
}

impl Bridge {
    /// As [`attach`](Bridge::attach), but messages of durable variants that are sent go through a work queue: each is
    /// handled at least once, whatever is killed meanwhile. [`WorkQueue`] says what that asks of a handler.
    ///
    /// [`send`](zctor::Client::send) returns when the link has the message. It is kept from the moment on at which the
    /// server has stored it: then [`books`](Bridge::books) counts it as `acked`, and [`flush`](Bridge::flush) waits for
    /// that. Meanwhile the link sends it again as often as it must, however long the server is away: neither
    /// `ack_wait` nor `patience` of the bridge limits that. If the queue is full the message is a dead letter with
    /// [`Undelivered::Full`](zctor::Undelivered::Full); if the server does not permit the bridge to publish to it, one with
    /// `Unfit`; if the server is there and says for longer than `ack_wait` that the queue is not, since somebody has
    /// deleted it, one with `Unreachable`; and if the bridge closes before, one with `Lost`, which may have been stored.
    ///
    /// Calls, broadcasts, and messages of other variants go as through `attach`: a call of a durable variant is handled
    /// once at most.
    ///
    /// # Errors
    /// - [`BridgeError::Queue`]: the server has no JetStream, or its stream is not that of this queue. The text says what
    ///   to do.
    /// - [`BridgeError::Disconnected`]: the server has not answered within [`Builder::patience`](crate::Builder::patience).
    /// - [`BridgeError::OwnThread`]: a hook on the bridge's own thread called this.
    /// - [`BridgeError::Closed`]: the bridge is closed.
    /// - Else as [`attach`](Bridge::attach).
    ///
    /// # Blocking
    /// Until the server has the queue.
    #[cfg_attr(feature = "tokio", track_caller)]
    pub fn attach_durable<M: DurableMessage>(
        &self,
        engine: &ActorEngine,
        queue: &WorkQueue,
    ) -> Result<M::Client, BridgeError> {
        self.may_wait()?;
        let direct = self.carrier::<M>()?;
        let names = Names::new(self.namespace(), queue, M::WIRE)?;
        let subject = names.subject.clone();
        let (context, queue, session) = (context(self.session()), queue.clone(), self.session().clone());
        let made = self
            .session()
            .wait_for(async move { in_time(&session, streams::make_or_check(&context, &names, &queue)).await });
        made.unwrap_or(Err(BridgeError::Closed))?;
        let publisher = self.queues().publisher(self.session(), self.ack_wait())?;
        let carrier = Arc::new(QueueCarrier { direct, publisher, subject });
        Ok(self.end().attach::<M>(engine, carrier, None, ROOM, Overflow::Wait)?)
    }

    /// Serves the engine's pool of `M` to a work queue. Several processes may serve one queue: each message goes to one of
    /// them, until it is handled.
    ///
    /// This makes the queue on the server if it is not there. It serves the queue alone:
    /// [`serve`](Bridge::serve) the pool too, for calls and for what is not durable. [`leave`](Bridge::leave) waits for the
    /// handlers that have begun with a message of the queue. When the engine stops, so does this.
    ///
    /// # Errors
    /// As [`attach_durable`](Bridge::attach_durable), and as [`serve`](Bridge::serve).
    ///
    /// # Blocking
    /// Until the server has the queue.
    #[cfg_attr(feature = "tokio", track_caller)]
    pub fn serve_durable<M: DurableMessage>(&self, engine: &ActorEngine, queue: &WorkQueue) -> Result<(), BridgeError> {
        check_name(M::WIRE)?;
        self.may_wait()?;
        let names = Names::new(self.namespace(), queue, M::WIRE)?;
        self.end().serve::<M>(engine, None)?;
        if self.queues().consumers().iter().any(|consumer| consumer.serves(&names)) {
            return Ok(());
        }
        let context = context(self.session());
        let ledger = Arc::clone(&self.queues().ledger);
        let consumer =
            Consumer::new(self.session().clone(), context, names, queue.clone(), M::WIRE, self.end(), ledger);
        let consumer = Arc::new(consumer);
        let (own, session) = (Arc::clone(&consumer), self.session().clone());
        let made = self.session().wait_for(async move { in_time(&session, own.make_or_check()).await });
        let pull = made.unwrap_or(Err(BridgeError::Closed))?;
        // Without the lock until here: the server may be slow, and `leave` takes it too. Another thread may have been faster.
        let mut consumers = self.queues().consumers();
        if !consumers.iter().any(|other| other.serves(consumer.names())) {
            consumers.retain(|other| !other.is_done());
            consumers.push(Arc::clone(&consumer));
            self.session().runtime.spawn(consumer.run(pull));
        }
        Ok(())
    }

    /// Returns what this bridge has been given by the work queues that it serves, and what became of it.
    pub fn queue_books(&self) -> QueueBooks {
        self.queues().ledger.books()
    }
}
