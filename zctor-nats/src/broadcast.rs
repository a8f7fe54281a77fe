//! A broadcast whose sender wants to know who has it.
//!
//! Each has an inbox of its own: a process that serves the pool answers there once, how many of its instances have a copy,
//! or why none has. Nobody knows how many processes there are, so the sender waits until its time is up, or until as many
//! have answered as it expects. A later answer is not heard: the inbox is gone.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use async_nats::StatusCode;
use futures_util::StreamExt;
use tokio::sync::oneshot;
use zctor::now;
use zctor::remote::transport::{Answer, Route, counted};
use zctor::remote::{Reached, RemoteMessage};

use crate::bridge::{Bridge, check_name};
use crate::connection::LONGEST;
use crate::error::{BridgeError, Operation};
use crate::session::{Session, too_large};
use crate::wire;

/// A word about a broadcast, for the thread that waits.
enum Told {
    /// The client has it.
    Sent,
    Answered(Answer),
}

/// The number of the one packet that an inbox is for.
const NUMBER: u64 = 0;

impl Bridge {
    /// Sends a copy of the message to every instance of every process that serves the pool of `M`, and says who has one
    /// after `wait`. If nobody serves the pool it says so at once, with no process.
    ///
    /// No link is needed for it: [`broadcast`](zctor::Client::broadcast) of a client goes by its link, waits for nothing,
    /// and gives the number of links. Whether it is all processes that should have it you know alone:
    /// [`broadcast_expecting`](Bridge::broadcast_expecting) does not wait for longer than it takes so many.
    ///
    /// A process that is killed, or cannot be reached just now, has not answered, and is in no count. One that answers after
    /// `wait`, since other messages wait for room in its pool, has the message all the same. So each instance has at most
    /// one copy, and what is counted is what is certain. The books of this bridge do not count it; those of the others do.
    /// It keeps no order with what is sent by links.
    ///
    /// ```no_run
    /// # use serde::{Deserialize, Serialize};
    /// # use std::time::Duration;
    /// # use zctor::{ActorEngine, actor};
    /// # use zctor_nats::Bridge;
    /// #[actor(remote)]
    /// #[derive(Serialize, Deserialize)]
    /// pub enum CacheMessage {
    ///     Clear,
    /// }
    /// # struct Cache;
    /// # impl CacheHandler for Cache { fn clear(&mut self) {} }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // All processes in one, for a test.
    /// let bridge = || Bridge::builder("test").connect();
    /// let there = [(ActorEngine::new(), bridge()?), (ActorEngine::new(), bridge()?)];
    /// for (engine, bridge) in &there {
    ///     engine.pool(3, CacheMessage::actor(|| Cache))?;
    ///     bridge.serve::<CacheMessage>(engine)?;
    /// }
    /// let reached = bridge()?.broadcast(CacheMessage::Clear, Duration::from_secs(1))?;
    /// assert_eq!((reached.processes, reached.instances), (2, 6));
    /// assert!(reached.refused.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// - [`BridgeError::Unfit`]: the message cannot be written as bytes, or is too large. Nobody has it.
    /// - [`BridgeError::Permission`]: the server does not permit the bridge to send broadcasts to this pool. Nobody has it.
    /// - [`BridgeError::Name`]: the name of the enum cannot be part of a subject. Nobody has it.
    /// - [`BridgeError::Disconnected`]: there is no connection, or it broke meanwhile; or `wait` was over before the bridge had
    ///   sent the message. Some may have it.
    /// - [`BridgeError::OwnThread`]: a hook on the bridge's own thread called this.
    /// - [`BridgeError::Closed`]: the bridge is closed.
    ///
    /// # Blocking
    /// For `wait`, which is not longer if the connection is lost. In a handler, its thread serves nothing meanwhile.
    #[cfg_attr(feature = "tokio", track_caller)]
    pub fn broadcast<M: RemoteMessage>(&self, message: M, wait: Duration) -> Result<Reached, BridgeError> {
        self.broadcast_expecting(message, usize::MAX, wait)
    }

    /// As [`broadcast`](Bridge::broadcast), but returns as soon as so many processes have answered: those that have the
    /// message and those that have refused it.
    ///
    /// ```no_run
    /// # use serde::{Deserialize, Serialize};
    /// # use std::time::Duration;
    /// # use zctor::actor;
    /// # use zctor_nats::Bridge;
    /// # #[actor(remote)]
    /// # #[derive(Serialize, Deserialize)]
    /// # pub enum CacheMessage { Clear }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let bridge = Bridge::builder("test").connect()?;
    /// // Three processes serve the pool. If one of them is being replaced just now, the wait is over all the same.
    /// let reached = bridge.broadcast_expecting(CacheMessage::Clear, 3, Duration::from_secs(10))?;
    /// if reached.processes < 3 {
    ///     eprintln!("not all caches are clear: {reached}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`broadcast`](Bridge::broadcast).
    ///
    /// # Blocking
    /// As [`broadcast`](Bridge::broadcast), or until so many have answered.
    #[cfg_attr(feature = "tokio", track_caller)]
    pub fn broadcast_expecting<M: RemoteMessage>(
        &self,
        message: M,
        processes: usize,
        wait: Duration,
    ) -> Result<Reached, BridgeError> {
        check_name(M::WIRE)?;
        self.may_wait()?;
        let until = now() + wait.min(LONGEST);
        let bytes = counted(&message).map_err(BridgeError::unfit)?.bytes.into_owned();
        let subject = wire::subject(self.namespace(), M::WIRE, Route::Copy);
        let ((tell, told), (done, left)) = (channel(), oneshot::channel::<()>());
        let (session, name) = (self.session().clone(), M::name());
        self.session().runtime.spawn(async move {
            let asked = async {
                if let Err(error) = ask(&session, name, subject, bytes, until, &tell).await {
                    drop(tell.send(Err(error)));
                }
            };
            // Until whoever waits has gone.
            tokio::select! {
                () = asked => {}
                _ = left => {}
            }
        });
        let reached = gather(name, &told, processes, until)?;
        drop(done);
        // The connection is lost just now.
        if reached.answers() == 0 && !self.session().state.is_connected() {
            return Err(BridgeError::Disconnected);
        }
        Ok(reached)
    }
}

/// Counts the answers until the time is up, or until so many processes have answered, or no more can. A broadcast that was
/// not sent by then is an error: an `Ok` with no process says that nobody has answered.
fn gather(
    name: &'static str,
    told: &Receiver<Result<Told, BridgeError>>,
    processes: usize,
    until: Instant,
) -> Result<Reached, BridgeError> {
    let (mut reached, mut is_sent) = (Reached::default(), false);
    while !is_sent || reached.answers() < processes {
        match told.recv_timeout(until.saturating_duration_since(now())) {
            Ok(told) => match told? {
                Told::Sent => is_sent = true,
                Told::Answered(answer) => reached.__count(name, answer),
            },
            Err(_) if is_sent => break,
            Err(RecvTimeoutError::Timeout) => return Err(BridgeError::Disconnected),
            // The bridge's thread has ended.
            Err(RecvTimeoutError::Disconnected) => return Err(BridgeError::Closed),
        }
    }
    Ok(reached)
}

/// Publishes the message, and tells what is answered until the time is up, or nobody listens.
async fn ask(
    session: &Session,
    name: &'static str,
    subject: String,
    bytes: Vec<u8>,
    until: Instant,
    tell: &Sender<Result<Told, BridgeError>>,
) -> Result<(), BridgeError> {
    let Session { client, state, hearing, .. } = session;
    if !state.await_connected(None).await {
        return Err(BridgeError::Disconnected);
    }
    if let Some(text) = too_large(client, bytes.len()) {
        return Err(BridgeError::Unfit { message: name, text: text.into() });
    }
    hearing.permits(Operation::Publish, &subject)?;
    let changed = state.changed();
    let inbox = client.new_inbox();
    let answers = state.patiently(None, client.subscribe(format!("{inbox}.>"))).await;
    let mut answers = answers.and_then(Result::ok).ok_or(BridgeError::Disconnected)?;
    let (reply, answered) = (wire::counted_reply(&inbox, NUMBER), format!("{inbox}.r"));
    let publish = client.publish_with_reply(subject.clone(), reply, bytes.into());
    state.patiently(None, publish).await.and_then(Result::ok).ok_or(BridgeError::Disconnected)?;
    drop(tell.send(Ok(Told::Sent)));
    let hear = async {
        while let Some(message) = answers.next().await {
            if message.status == Some(StatusCode::NO_RESPONDERS) {
                return;
            }
            // The other subjects are those of acknowledgements.
            if message.subject.as_str() == answered {
                for (_, answer) in wire::read_answers(&message.payload) {
                    drop(tell.send(Ok(Told::Answered(answer))));
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = hear => Ok(()),
        error = hearing.refusal(Operation::Publish, &subject) => Err(error),
        () = changed => Err(BridgeError::Disconnected),
        () = tokio::time::sleep(until.saturating_duration_since(now())) => Ok(()),
    }
}
