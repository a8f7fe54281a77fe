//! Forwarding: each item of an iterator or of a stream, as a message to an actor.
//!
//! An iterator that blocks, such as the lines of a socket or the values of a channel, gets a thread of its own by
//! [`iterator`]. A stream is read by the task that awaits `stream`, with the feature `stream`. Either waits for room in
//! a bounded mailbox before it takes the next item, so a fast source cannot fill the memory, and either ends when the
//! actor takes no more.
//!
//! A simulation does not know the thread of [`iterator`]: there, send in a loop on a thread of
//! `zctor::simulation::Simulation::spawn`.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use zctor::{Client, Message, SendError};

/// Starts a thread, named `name`, that sends each item of an iterator until that ends or a message is refused.
///
/// `variant` makes the message of an item: the constructor of a variant, or a closure. Give a client with a limit
/// ([`within`](zctor::Client::within)) for a thread that ends where the mailbox stays full for so long.
///
/// # Errors
/// The system started no thread.
///
/// # Blocking
/// Never. The thread waits for items and for room.
///
/// ```
/// use std::sync::mpsc;
/// use zctor::{ActorEngine, actor};
/// use zctor_kit::forward;
///
/// #[actor]
/// pub enum LogMessage {
///     Line(String),
///     #[reply(usize)]
///     Count,
/// }
/// #[derive(Default)]
/// struct Log(usize);
/// impl LogHandler for Log {
///     fn line(&mut self, _value: String) {
///         self.0 += 1;
///     }
///     fn count(&mut self) -> usize {
///         self.0
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// let log: LogClient = engine.start(LogMessage::actor(Log::default))?;
/// let (lines, source) = mpsc::channel();
/// let forward = forward::iterator("lines", source, &log, LogMessage::Line)?;
/// lines.send("one".to_owned())?;
/// lines.send("two".to_owned())?;
/// drop(lines); // the end of the iterator
/// assert_eq!(forward.join()?, 2);
/// assert_eq!(log.count()?, 2);
/// # Ok(())
/// # }
/// ```
pub fn iterator<I, M, V>(
    name: impl Into<String>,
    items: I,
    client: &Client<M, V>,
    mut variant: impl FnMut(I::Item) -> M + Send + 'static,
) -> io::Result<Forward<M>>
where
    I: IntoIterator + Send + 'static,
    M: Message + Send,
    V: 'static,
{
    let (stop, client) = (Arc::new(AtomicBool::new(false)), client.clone());
    let stopped = Arc::clone(&stop);
    let thread = thread::Builder::new().name(name.into()).spawn(move || {
        let mut sent = 0;
        for item in items {
            // Relaxed: it carries nothing else.
            if stopped.load(Ordering::Relaxed) {
                break;
            }
            client.send(variant(item))?;
            sent += 1;
        }
        Ok(sent)
    })?;
    Ok(Forward { stop, thread: Some(thread) })
}

/// Sends each item of a stream, one after the other, until that ends or a message is refused; gives the number sent.
///
/// `variant` makes the message of an item: the constructor of a variant, or a closure. The mailbox that a message must
/// have room in is that of its `#[key]`. Dropping the future ends the forwarding; an item that waits for room then is
/// dropped with it.
///
/// # Errors
/// The refusal that has ended it, with the message. While the stream is idle, it notices no end of the actor.
///
/// # Blocking
/// Never: it awaits items and room ([`send_async`](zctor::Client::send_async)).
///
/// ```
/// # use std::{pin::{Pin, pin}, sync::Arc, task::{Context, Poll, Wake, Waker}, thread};
/// # struct Unpark(thread::Thread);
/// # impl Wake for Unpark { fn wake(self: Arc<Self>) { self.0.unpark() } }
/// # fn block_on<T>(future: impl Future<Output = T>) -> T {
/// #     let (mut future, waker) = (pin!(future), Waker::from(Arc::new(Unpark(thread::current()))));
/// #     loop {
/// #         match future.as_mut().poll(&mut Context::from_waker(&waker)) {
/// #             Poll::Ready(value) => return value,
/// #             Poll::Pending => thread::park(),
/// #         }
/// #     }
/// # }
/// # struct Numbers(std::ops::Range<u64>);
/// # impl futures_core::Stream for Numbers {
/// #     type Item = u64;
/// #     fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u64>> { Poll::Ready(self.0.next()) }
/// # }
/// use zctor::{ActorEngine, ActorThread, actor};
/// use zctor_kit::forward;
///
/// #[actor]
/// pub enum SumMessage {
///     Add(u64),
///     #[reply(u64)]
///     Total,
/// }
/// # #[derive(Default)]
/// # struct Sum(u64);
/// # impl SumHandler for Sum { fn add(&mut self, value: u64) { self.0 += value } fn total(&mut self) -> u64 { self.0 } }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// let sum = engine.start_on(ActorThread::new().mailbox_bound(8), SumMessage::actor(Sum::default))?;
/// # let numbers = Numbers(0..100);
/// assert_eq!(block_on(forward::stream(numbers, &sum, SumMessage::Add))?, 100);
/// assert_eq!(sum.total()?, 4_950);
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "stream")]
#[cfg_attr(docsrs, doc(cfg(feature = "stream")))]
pub async fn stream<S, M, V>(
    items: S,
    client: &Client<M, V>,
    mut variant: impl FnMut(S::Item) -> M,
) -> Result<u64, SendError<M>>
where
    S: futures_core::Stream,
    M: Message,
{
    let (client, mut items, mut sent) = (client.non_blocking(), std::pin::pin!(items), 0);
    while let Some(item) = std::future::poll_fn(|task| items.as_mut().poll_next(task)).await {
        client.send_async(variant(item)).await?;
        sent += 1;
    }
    Ok(sent)
}

/// A thread that forwards. Dropping this stops it, without a wait for its end.
#[must_use = "dropping it stops the forwarding; `detach` it to keep it until its source ends"]
pub struct Forward<M> {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<u64, SendError<M>>>>,
}

impl<M> Forward<M> {
    /// Ends the forwarding before its next item. An item that comes later is taken from the iterator and dropped; while
    /// none comes, the thread goes on waiting, since nothing can interrupt an iterator.
    ///
    /// ```
    /// # use std::sync::mpsc;
    /// # use zctor::{ActorEngine, actor};
    /// # use zctor_kit::forward;
    /// # #[actor]
    /// # pub enum LogMessage { Line(String), #[reply(usize)] Count }
    /// # #[derive(Default)]
    /// # struct Log(usize);
    /// # impl LogHandler for Log { fn line(&mut self, _value: String) { self.0 += 1 } fn count(&mut self) -> usize { self.0 } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// # let log: LogClient = engine.start(LogMessage::actor(Log::default))?;
    /// let (lines, source) = mpsc::channel();
    /// let forward = forward::iterator("lines", source, &log, LogMessage::Line)?;
    /// forward.stop();
    /// lines.send("too late".to_owned())?;
    /// assert_eq!(forward.join()?, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Waits for the end, and gives the number of messages sent.
    ///
    /// # Errors
    /// The refusal that has ended it, with the message.
    ///
    /// # Panics
    /// With the panic of the iterator or of the closure.
    ///
    /// # Blocking
    /// Until the iterator has ended, or a message was refused; after [`stop`](Forward::stop) until the next item.
    ///
    /// ```
    /// # use std::sync::mpsc;
    /// # use zctor::{ActorEngine, actor};
    /// # use zctor_kit::forward;
    /// # #[actor]
    /// # pub enum LogMessage { Line(String), #[reply(usize)] Count }
    /// # #[derive(Default)]
    /// # struct Log(usize);
    /// # impl LogHandler for Log { fn line(&mut self, _value: String) { self.0 += 1 } fn count(&mut self) -> usize { self.0 } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// # let log: LogClient = engine.start(LogMessage::actor(Log::default))?;
    /// # let _ = mpsc::channel::<()>();
    /// let lines = ["one", "two"].map(str::to_owned);
    /// assert_eq!(forward::iterator("lines", lines.clone(), &log, LogMessage::Line)?.join()?, 2);
    ///
    /// engine.shutdown()?;
    /// let refused = forward::iterator("lines", lines, &log, LogMessage::Line)?.join().unwrap_err();
    /// assert!(matches!(refused.into_inner(), LogMessage::Line(line) if line == "one"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn join(mut self) -> Result<u64, SendError<M>> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(outcome)) => outcome,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Ok(0), // not reached: `join` and `detach` alone take it
        }
    }

    /// Keeps the forwarding until its source ends, or a message is refused.
    ///
    /// ```
    /// # use std::sync::mpsc;
    /// # use zctor::{ActorEngine, actor};
    /// # use zctor_kit::forward;
    /// # #[actor]
    /// # pub enum LogMessage { Line(String), #[reply(usize)] Count }
    /// # #[derive(Default)]
    /// # struct Log(usize);
    /// # impl LogHandler for Log { fn line(&mut self, _value: String) { self.0 += 1 } fn count(&mut self) -> usize { self.0 } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// # let log: LogClient = engine.start(LogMessage::actor(Log::default))?;
    /// let (lines, source) = mpsc::channel();
    /// let (done, ended) = mpsc::channel();
    /// let source = source.into_iter().inspect(move |_| done.send(()).unwrap_or_default());
    /// forward::iterator("lines", source, &log, LogMessage::Line)?.detach();
    /// lines.send("one".to_owned())?;
    /// drop(lines);
    /// assert_eq!(ended.iter().count(), 1); // until the thread has ended
    /// assert_eq!(log.count()?, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn detach(mut self) {
        self.thread = None;
    }
}

impl<M> Drop for Forward<M> {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.stop();
        }
    }
}

impl<M> fmt::Debug for Forward<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Forward")
    }
}
