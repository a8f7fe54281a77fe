//! [`WorkQueue`]: which queue, and how its messages are given out.

use std::time::Duration;

/// A work queue, for [`attach_durable`](crate::Bridge::attach_durable) and
/// [`serve_durable`](crate::Bridge::serve_durable).
///
/// # At least once
/// A message that the queue has stored is handled *at least once*. So a handler must bear to be given a message that it
/// has handled before: its process may be killed, or lose the server, after the work is done and before that is known. A
/// message needs a number of its own by which the handler finds what it has done, or work that does no harm twice, such as
/// setting a value. [`ctx.call`](zctor::Context::call) and sends to others are repeated with the message.
///
/// *Handled* means that the handler has answered: the reply of a durable variant is `()`, or `Ok(())` of a
/// `Result<(), E>`. A deferred reply answers later, as for a batch that is written at once. With `Err`, a panic, or a reply
/// that is dropped, the message is given out again after [`backoff`](WorkQueue::backoff), twice that the next time and so
/// on, a minute at most. While the handler is at it, and its process says so to the server, the message is given to nobody
/// else, however long that takes. If the process ends, or cannot reach the server for longer than `ack_wait`, the message
/// is given to another one after [`ack_wait`](WorkQueue::ack_wait).
///
/// Messages are given out in the order in which they were stored, to several handlers at a time; one that comes again
/// comes later than those behind it. So **no order is promised**.
///
/// # Dead letters
/// A message that was given out [`tries`](WorkQueue::tries) times without being handled leaves the queue, and so does one,
/// at once, that the process that serves does not understand. It is stored in a stream of its own, with the headers
/// `Zctor-Reason`, `Zctor-Tries`, `Zctor-Subject`, and `Zctor-Key` if its client was bound to a key.
/// `nats stream view shop-jobs-dead` shows those of the queue `jobs` in the namespace `shop`. Headers for which a very large
/// message leaves no room are left out, but for the key. While a dead letter cannot be stored, its message stays in the
/// queue, and is given out again; the process that has found it dead keeps the reason, and another one that is given it
/// does not know that. A message that is published to its `Zctor-Subject` with the same payload, and its `Zctor-Key` if it
/// has one, is in the queue again.
///
/// # On the server
/// The server needs JetStream: `nats-server -js -sd <folder>`. The queue `jobs` of the namespace `shop` is the stream
/// `shop-jobs`, whose retention is that of a work queue; each enum has a consumer of its name there. They are made when
/// they are missing. A stream that is there is checked and used as it is, so make it by hand for several replicas or
/// another storage: `nats stream add shop-jobs --subjects 'zctor.1.shop.$q.jobs.>' --retention work --discard new`. One that
/// drops what it has stored, for its age or for newer messages, is refused.
///
/// ```no_run
/// use serde::{Deserialize, Serialize};
/// use std::time::Duration;
/// use zctor::{ActorEngine, actor};
/// use zctor_nats::{Bridge, WorkQueue};
///
/// #[derive(Debug, Serialize, Deserialize)]
/// pub struct Declined;
///
/// #[actor(remote)]
/// #[derive(Serialize, Deserialize)]
/// pub enum OrderMessage {
///     #[msg(durable)]
///     #[reply(Result<(), Declined>)]
///     Charge { order: u64 },
/// }
/// struct Orders;
/// impl OrderHandler for Orders {
///     fn charge(&mut self, order: u64) -> Result<(), Declined> {
///         // The number of the order says whether it was charged before.
///         if order > 0 { Ok(()) } else { Err(Declined) }
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let jobs = WorkQueue::new("jobs").tries(3).ack_wait(Duration::from_secs(10));
///
/// // One process serves the queue.
/// let engine = ActorEngine::new();
/// engine.pool(4, OrderMessage::actor(|| Orders))?;
/// let serves = Bridge::builder("shop").connect()?;
/// serves.serve_durable::<OrderMessage>(&engine, &jobs)?;
///
/// // Another one fills it, whether that one runs or not.
/// let elsewhere = ActorEngine::new();
/// let calls = Bridge::builder("shop").connect()?;
/// let orders: OrderClient = calls.attach_durable::<OrderMessage>(&elsewhere, &jobs)?;
/// orders.send(OrderMessage::Charge { order: 7 })?;
/// elsewhere.settle(); // the link has taken it
/// assert_eq!(calls.flush(Duration::from_secs(10)).acked, 1); // it is stored
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a queue does nothing until it is attached or served"]
pub struct WorkQueue {
    pub(crate) name: String,
    pub(crate) ack_wait: Duration,
    pub(crate) in_flight: u32,
    pub(crate) tries: u32,
    pub(crate) backoff: Duration,
    pub(crate) max_messages: Option<u32>,
}

/// The longest time between two tries.
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);

impl WorkQueue {
    /// Names a queue. The name is one word, without dots, spaces, `*`, `>` and slashes. Each process that uses the
    /// queue gives it the same options.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zctor_nats::WorkQueue;
    ///
    /// let jobs = WorkQueue::new("jobs").in_flight(8).tries(3).backoff(Duration::from_secs(5)).max_messages(1_000_000);
    /// assert_ne!(jobs, WorkQueue::new("jobs"));
    /// ```
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ack_wait: Duration::from_secs(30),
            in_flight: 64,
            tries: 5,
            backoff: Duration::from_secs(1),
            max_messages: None,
        }
    }

    /// Sets how long after the end of its process a message is given to another one: 30 s by itself, 100 ms at least.
    pub fn ack_wait(mut self, ack_wait: Duration) -> Self {
        self.ack_wait = ack_wait.clamp(Duration::from_millis(100), crate::connection::LONGEST);
        self
    }

    /// Sets how many messages of the queue a process has at a time, in the mailboxes of its pool and in its handlers: 64 by
    /// itself, 1 at least.
    pub fn in_flight(mut self, in_flight: u32) -> Self {
        self.in_flight = in_flight.max(1);
        self
    }

    /// Sets how often a message is given out before it is a dead letter: 5 times by itself, once at least. Every giving-out
    /// counts, also one whose process ended or lost the server before a handler had the message.
    pub fn tries(mut self, tries: u32) -> Self {
        self.tries = tries.max(1);
        self
    }

    /// Sets how long after its first try a message is given out again: 1 s by itself. Before each further try it is twice as
    /// long, up to a minute.
    pub fn backoff(mut self, backoff: Duration) -> Self {
        self.backoff = backoff.min(LONGEST_BACKOFF);
        self
    }

    /// Sets how many messages the queue keeps: without a limit by itself. A message beyond that is a dead letter at its
    /// sender, with [`Undelivered::Full`](zctor::Undelivered::Full).
    pub fn max_messages(mut self, max_messages: u32) -> Self {
        self.max_messages = Some(max_messages.max(1));
        self
    }

    /// How long after this try the next one begins.
    pub(crate) fn pause(&self, tried: u32) -> Duration {
        let times = 1_u32.checked_shl(tried.saturating_sub(1)).unwrap_or(u32::MAX);
        self.backoff.saturating_mul(times).min(LONGEST_BACKOFF)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_between_tries_doubles_up_to_a_minute() {
        let queue = WorkQueue::new("jobs").backoff(Duration::from_secs(2));
        let pauses = [1, 2, 3, 6, 40].map(|tried| queue.pause(tried).as_secs());
        assert_eq!(pauses, [2, 4, 8, 60, 60]);
        assert_eq!(WorkQueue::new("jobs").backoff(Duration::ZERO).pause(40), Duration::ZERO);
    }
}
