//! [`First`]: the earliest of several replies, and then the next.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::{Duration, Instant};

use crate::error::CallError;
use crate::mailbox::engine_shared::EngineShared;
use crate::mailbox::waits::Callee;
use crate::messaging::pending::Pending;
use crate::reply::reply_to::Outcome;
use crate::sys::awaited::Awaited;
use crate::sys::clock::{deadline, now};
use crate::sys::frame::Frame;
use crate::sys::runtime::assert_may_block;
use crate::sys::spin::Spin;
use crate::thread::wait::{WaitedFor, wait};

/// Waits for the first of several replies, and then for the next ones, as they come. Of replies that are there at the
/// same look, the one that was given first comes first.
///
/// The replies are those of calls that are on their way already. The [`First`] can be waited for, awaited, or piped.
/// Dropping it gives up the calls that have not ended, as a dropped [`Pending`] does: those that no handler has begun
/// are skipped.
///
/// ```
/// use std::time::Duration;
/// use zctor::{ActorEngine, actor, first};
///
/// #[actor]
/// pub enum SquareMessage {
///     #[reply(u32)]
///     Square(u32),
/// }
/// struct Square;
/// impl SquareHandler for Square {
///     fn square(&mut self, value: u32) -> u32 {
///         value * value
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// let square: SquareClient = engine.pool(2, SquareMessage::actor(|| Square))?;
/// let squares = square.non_blocking();
/// let mut replies = first([squares.square(2), squares.square(3)]);
/// let mut sum = 0;
/// while let Some((index, reply)) = replies.wait()? {
///     assert_eq!(reply, Ok([4, 9][index])); // `index`: the place among those that `first` was given
///     sum += reply?;
/// }
/// assert_eq!(sum, 13);
/// # Ok(())
/// # }
/// ```
pub fn first<R>(replies: impl IntoIterator<Item = Pending<R>>) -> First<R> {
    let replies: Vec<_> = replies.into_iter().enumerate().collect();
    First { given: replies.len(), replies }
}

/// Several replies on their way, which are taken as they come: see [`first`].
///
/// It has three ways to take the next reply: [`wait`](First::wait), [`wait_timeout`](First::wait_timeout), and
/// `.await` on `&mut` of it. Each gives the index of the reply among those that [`first`] was given, with the outcome
/// of its call; `None` when all have been taken. `ctx.pipe(first(..), ..)` turns the first of all into a message, and
/// gives the others up.
///
/// # Blocking
/// Inside a handler, waiting and polling count as a wait for each of the calls, as for [`Pending`]: all callees must be
/// of a lower call depth, and a poll waits too.
#[must_use = "dropping it gives the calls up"]
pub struct First<R> {
    /// The replies that have not been taken, each with its index.
    replies: Vec<(usize, Pending<R>)>,
    /// How many it was given in all.
    given: usize,
}

impl<R> First<R> {
    /// Waits for the next reply. `None` if all have been taken.
    ///
    /// The outcome of the call is inside, as [`Pending::wait`] gives it: a call that failed or timed out is a reply too.
    ///
    /// # Errors
    /// Of the wait itself, after which all calls are on their way as before:
    /// - [`CallError::Undeclared`]: this handler may not wait for one of the types.
    /// - [`CallError::HandlerTimeout`]: the time of the handler that waits was up first.
    /// - [`CallError::Stopped`]: the thread that waits was given up by its engine.
    ///
    /// # Blocking
    /// Until a reply is there. Inside a handler, instances of lower call depth on its thread are served meanwhile.
    ///
    /// ```
    /// # use zctor::{ActorEngine, CallError, actor, first};
    /// # #[actor]
    /// # pub enum SquareMessage { #[reply(u32)] Square(u32) }
    /// # struct Square;
    /// # impl SquareHandler for Square { fn square(&mut self, value: u32) -> u32 { value * value } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// # let square: SquareClient = engine.pool(2, SquareMessage::actor(|| Square))?;
    /// let mut replies = first([square.non_blocking().square(2)]);
    /// assert_eq!(replies.wait()?, Some((0, Ok(4))));
    /// assert_eq!(replies.wait()?, None);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg_attr(feature = "tokio", track_caller)]
    #[expect(clippy::type_complexity, reason = "the outcome of the wait around the outcome of a call")]
    pub fn wait(&mut self) -> Result<Option<(usize, Result<R, CallError>)>, CallError> {
        assert_may_block();
        self.wait_until(None)
    }

    /// Waits for the next reply, for `limit` at most. `None` if all have been taken, or if none has come by then;
    /// [`is_empty`](First::is_empty) tells these apart.
    ///
    /// # Errors
    /// As [`wait`](First::wait).
    ///
    /// # Blocking
    /// As [`wait`](First::wait), for at most `limit`.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use zctor::{ActorEngine, ReplyTo, actor, first};
    /// # #[actor]
    /// # pub enum LateMessage { #[reply(u32, deferred)] Ask }
    /// # #[derive(Default)]
    /// # struct Late(Vec<ReplyTo<u32>>);
    /// # impl LateHandler for Late { fn ask(&mut self, reply: ReplyTo<u32>) { self.0.push(reply) } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// # let late: LateClient = engine.pool(1, LateMessage::actor(Late::default))?;
    /// let mut replies = first([late.non_blocking().ask()]); // is answered some day
    /// assert_eq!(replies.wait_timeout(Duration::from_millis(5))?, None);
    /// assert!(!replies.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    #[cfg_attr(feature = "tokio", track_caller)]
    #[expect(clippy::type_complexity, reason = "the outcome of the wait around the outcome of a call")]
    pub fn wait_timeout(&mut self, limit: Duration) -> Result<Option<(usize, Result<R, CallError>)>, CallError> {
        assert_may_block();
        self.wait_until(deadline(limit))
    }

    /// Adds the reply of one more call, and gives its index. With a look at [`len`](First::len) before each call this
    /// keeps a window of calls under way.
    ///
    /// ```
    /// # use zctor::{ActorEngine, CallError, actor, first};
    /// # #[actor]
    /// # pub enum SquareMessage { #[reply(u64)] Square(u64) }
    /// # struct Square;
    /// # impl SquareHandler for Square { fn square(&mut self, value: u64) -> u64 { value * value } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// # let square: SquareClient = engine.pool(2, SquareMessage::actor(|| Square))?;
    /// let (mut window, mut sum) = (first([]), 0);
    /// for value in 0..100 {
    ///     if window.len() == 8 {
    ///         sum += window.wait()?.map_or(Ok(0), |(_, square)| square)?;
    ///     }
    ///     window.push(square.non_blocking().square(value));
    /// }
    /// while let Some((_, square)) = window.wait()? {
    ///     sum += square?;
    /// }
    /// assert_eq!(sum, 328_350);
    /// # Ok(())
    /// # }
    /// ```
    pub fn push(&mut self, reply: Pending<R>) -> usize {
        let index = self.given;
        self.given += 1;
        self.replies.push((index, reply));
        index
    }

    /// The number of replies that have not been taken.
    pub fn len(&self) -> usize {
        self.replies.len()
    }

    /// Whether all replies have been taken.
    pub fn is_empty(&self) -> bool {
        self.replies.is_empty()
    }

    fn wait_until(&mut self, limit: Option<Instant>) -> Result<Option<(usize, Outcome<R>)>, CallError> {
        let Some((_, one)) = self.replies.first() else { return Ok(None) };
        let message = (one.message)();
        self.replies.iter().try_for_each(|(_, reply)| reply.check())?;
        let each =
            |until: fn(&Pending<R>) -> Option<Instant>| self.replies.iter().filter_map(move |(_, reply)| until(reply));
        let (own, handlers) = (each(Pending::deadline).min(), each(Pending::inherited).min());
        let found = wait(self, [own, handlers, limit].into_iter().flatten().min());
        // The waker of this wait is of no use to the others.
        self.replies.iter().for_each(|(_, reply)| reply.unwatch());
        if found.is_some() {
            return Ok(found);
        }
        let time = now();
        if let Some(late) = self.take(|reply| reply.time_out(time)) {
            return Ok(Some(late));
        }
        let is_up = |until: Option<Instant>| until.is_some_and(|until| until <= time);
        match (is_up(handlers), is_up(limit)) {
            (true, _) => Err(CallError::HandlerTimeout { message }),
            (false, true) => Ok(None),
            (false, false) => Err(CallError::Stopped { message }),
        }
    }

    /// Takes out the first reply that `look` finds an outcome of.
    fn take(&mut self, mut look: impl FnMut(&Pending<R>) -> Option<Outcome<R>>) -> Option<(usize, Outcome<R>)> {
        let found = self.replies.iter().enumerate().find_map(|(at, (_, reply))| Some((at, look(reply)?)));
        found.map(|(at, outcome)| (self.replies.remove(at).0, outcome))
    }

    /// As a poll of all of them, without the check of call depths. Ready with `None` if there is none left.
    pub(crate) fn poll_with(&mut self, waker: &Waker) -> Option<Option<(usize, Outcome<R>)>> {
        if self.replies.is_empty() {
            return Some(None);
        }
        self.take(|reply| reply.poll_with(waker)).map(Some)
    }
}

impl<R> Awaited for First<R> {
    type Output = (usize, Outcome<R>);

    fn is_ready(&self) -> bool {
        self.replies.iter().any(|(_, reply)| reply.is_ready())
    }

    fn poll(&mut self, waker: &Waker) -> Option<Self::Output> {
        self.take(|reply| reply.look(waker))
    }

    fn spin(&self) -> Spin {
        self.replies.iter().find_map(|(_, reply)| reply.spin()).unwrap_or_default()
    }
}

impl<R> WaitedFor for First<R> {
    fn callee(&self) -> Option<(Callee, Arc<EngineShared>)> {
        let (_, first) = self.replies.iter().find(|(_, reply)| reply.is_sent())?;
        first.callee()
    }
}

impl<R> Future for First<R> {
    type Output = Result<Option<(usize, Result<R, CallError>)>, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let frame = Frame::current();
        // As a poll of a `Pending`: what is there need not be waited for; inside a handler a poll waits, and serves.
        if frame.is_user_code() && !frame.is_waker() {
            return Poll::Ready(match self.poll_with(Waker::noop()) {
                Some(found) => Ok(found),
                None => self.wait_until(None),
            });
        }
        self.poll_with(cx.waker()).map_or(Poll::Pending, |found| Poll::Ready(Ok(found)))
    }
}

impl<R> fmt::Debug for First<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("First").field(&self.replies.len()).finish()
    }
}
