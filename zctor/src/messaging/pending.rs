//! [`Pending`]: a reply on its way, to be waited for, awaited, piped, or let go.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::ptr;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::{Duration, Instant};

use crate::error::CallError;
use crate::mailbox::Mailbox;
use crate::mailbox::engine_shared::EngineShared;
use crate::mailbox::waits::Callee;
use crate::messaging::binding::Limit;
use crate::messaging::in_flight::InFlight;
use crate::messaging::undeclared::undeclared;
use crate::reply::reply_to::Outcome;
use crate::sys::awaited::Awaited;
use crate::sys::clock::{deadline, now};
use crate::sys::frame::Frame;
use crate::sys::runtime::assert_may_block;
use crate::sys::simulated::look;
use crate::sys::spin::Spin;
use crate::thread::carried;
use crate::thread::wait::{WaitedFor, wait};

/// A reply on its way. The request went out when this was made.
///
/// Wait for it, or `.await` it on any executor. Dropping it gives the call up: if its handler has not begun by then, it
/// never will, and the call is counted as skipped. [`detach`](Pending::detach) lets the call run without a wait. The
/// reply is given once; a second wait gives [`CallError::NoReply`].
///
/// # What limits it
/// A `Pending` is given up by the call's own deadline and by being dropped, and by nothing else.
///
/// | the call was made by | its own deadline, which gives it up | in a handler a wait also ends with |
/// | --- | --- | --- |
/// | a client, outside of handlers or in one whose caller set no deadline | that of the engine ([`default_deadline`](crate::EngineBuilder::default_deadline)), if it has one | the handler's time |
/// | a client, in a handler that has a deadline | none | the handler's time |
/// | `client.within(limit)`, `client.until(time)` | that | the handler's time |
/// | a client of [`ctx.without_deadline()`](crate::Context::without_deadline) | none | nothing |
/// | `ctx.pipe(request, ..)` | none | nothing: nobody waits |
///
/// A wait that ends because the handler's time is up gives [`CallError::HandlerTimeout`], and one that ends with the
/// limit of [`wait_timeout`](Pending::wait_timeout) gives `None`. After either the reply is still on its way: the
/// `Pending` can be waited for again, kept in the state, or piped. A handler whose time is up has no time for further
/// waits, so it keeps or pipes it.
///
/// # Blocking
/// Inside a handler, `wait`, `wait_timeout` and polling count as waiting. If the callee's call depth is not below the
/// handler's own, they give [`CallError::Undeclared`] at once, and the `Pending` stays as usable as before. If the wait
/// is allowed, a poll waits for the reply too, since an executor inside a handler could not serve the thread that the
/// callee may need. `try_take` never waits.
///
/// ```
/// use zctor::{ActorEngine, CallError, Pending, actor};
///
/// #[actor]
/// pub enum AdderMessage {
///     #[reply(u32)]
///     Add(u32, u32),
/// }
/// struct Adder;
/// impl AdderHandler for Adder {
///     fn add(&mut self, a: u32, b: u32) -> u32 {
///         a + b
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// let adder: AdderClient = engine.pool(1, AdderMessage::actor(|| Adder))?;
/// let sum: Pending<u32> = adder.non_blocking().add(2, 3);
/// assert_eq!(sum.wait()?, 5);
/// assert_eq!(sum.wait(), Err(CallError::NoReply { message: "AdderMessage" }));
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping a `Pending` gives the call up; `detach` it to let it run unwatched"]
pub struct Pending<R> {
    state: RefCell<State<R>>,
    pub(crate) message: fn() -> &'static str,
    depth: u32,
    /// Whether a wait for it in a handler ends at that handler's own deadline.
    inherits: bool,
}

enum State<R> {
    Sent(Sent<R>),
    /// The request could not be sent.
    Refused(CallError),
    Taken,
}

/// A call that was sent. Dropping it gives the call up, unless it was detached.
struct Sent<R> {
    call: InFlight<R, Arc<Mailbox>>,
    detached: bool,
}

impl<R> Drop for Sent<R> {
    fn drop(&mut self) {
        if !self.detached {
            self.call.give_up();
        }
    }
}

impl<R> Pending<R> {
    pub(crate) fn sent(
        call: InFlight<R, Arc<Mailbox>>,
        message: fn() -> &'static str,
        depth: u32,
        limit: Limit,
    ) -> Self {
        let state = State::Sent(Sent { call, detached: false });
        Self { state: RefCell::new(state), message, depth, inherits: limit != Limit::None }
    }

    /// Why the request could not be sent, if it could not.
    #[cfg(feature = "remote")]
    pub(crate) fn refusal(&self) -> Option<CallError> {
        match &*self.state.borrow() {
            State::Refused(error) => Some(error.clone()),
            State::Sent(_) | State::Taken => None,
        }
    }

    pub(super) fn refused(error: CallError, message: fn() -> &'static str, depth: u32) -> Self {
        Self { state: RefCell::new(State::Refused(error)), message, depth, inherits: true }
    }

    /// Waits for the reply.
    ///
    /// # Errors
    /// - The reason why the request was refused: [`CallError::NotRegistered`], [`CallError::Stopped`],
    ///   [`CallError::Full`].
    /// - [`CallError::Panicked`], [`CallError::Stopped`]: the reply cannot come.
    /// - [`CallError::Timeout`]: the call's own deadline passed first, which gives it up.
    /// - [`CallError::HandlerTimeout`]: the time of the handler that waits was up first. The call goes on, and the
    ///   `Pending` stays usable.
    /// - [`CallError::Undeclared`]: this handler may not wait for that type.
    /// - [`CallError::NoReply`]: the reply was taken before, or the callee dropped its [`ReplyTo`](crate::ReplyTo)
    ///   without an answer.
    ///
    /// # Blocking
    /// Until the reply is there. Inside a handler, instances of lower call depth on its thread are served meanwhile.
    #[cfg_attr(feature = "tokio", track_caller)]
    pub fn wait(&self) -> Result<R, CallError> {
        assert_may_block();
        self.wait_and_serve()
    }

    fn wait_and_serve(&self) -> Result<R, CallError> {
        match self.wait_until(None) {
            Some(outcome) => outcome,
            // Not reached: without a limit of its own a wait ends with an outcome.
            None => Err(CallError::Stopped { message: (self.message)() }),
        }
    }

    /// Waits for the reply, for `limit` at most; `None` if the reply is still on its way then.
    ///
    /// # Errors
    /// In the `Some`, as [`wait`](Pending::wait).
    ///
    /// # Blocking
    /// As [`wait`](Pending::wait), for at most `limit`.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor]
    /// # pub enum AdderMessage { #[reply(u32)] Add(u32, u32) }
    /// # struct Adder;
    /// # impl AdderHandler for Adder { fn add(&mut self, a: u32, b: u32) -> u32 { a + b } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// # let adder: AdderClient = engine.pool(1, AdderMessage::actor(|| Adder))?;
    /// let sum = adder.non_blocking().add(2, 3);
    /// assert_eq!(sum.wait_timeout(Duration::from_secs(60)), Some(Ok(5)));
    /// # Ok(())
    /// # }
    /// ```
    #[cfg_attr(feature = "tokio", track_caller)]
    pub fn wait_timeout(&self, limit: Duration) -> Option<Result<R, CallError>> {
        assert_may_block();
        self.wait_until(deadline(limit))
    }

    /// Gives the reply if it is there. Never waits.
    ///
    /// # Errors
    /// In the `Some`, as [`wait`](Pending::wait), except for `Undeclared`.
    ///
    /// ```
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor]
    /// # pub enum AdderMessage { #[reply(u32)] Add(u32, u32) }
    /// # struct Adder;
    /// # impl AdderHandler for Adder { fn add(&mut self, a: u32, b: u32) -> u32 { a + b } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// # let adder: AdderClient = engine.pool(1, AdderMessage::actor(|| Adder))?;
    /// let sum = adder.non_blocking().add(2, 3);
    /// engine.settle();
    /// assert_eq!(sum.try_take(), Some(Ok(5)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_take(&self) -> Option<Result<R, CallError>> {
        look("look for a reply");
        self.poll_with(Waker::noop())
    }

    /// Lets the call run without a wait for it; its reply is dropped.
    ///
    /// ```
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor]
    /// # pub enum AdderMessage { #[reply(u32)] Add(u32, u32) }
    /// # struct Adder;
    /// # impl AdderHandler for Adder { fn add(&mut self, a: u32, b: u32) -> u32 { a + b } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// # let adder: AdderClient = engine.pool(1, AdderMessage::actor(|| Adder))?;
    /// adder.non_blocking().add(2, 3).detach();
    /// engine.settle();
    /// assert_eq!(engine.stats().handled(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn detach(self) {
        if let State::Sent(mut sent) = self.state.replace(State::Taken) {
            sent.detached = true;
        }
    }

    /// Waits until the reply is there, or the call's own deadline has passed, which gives the call up. Where `limit` or
    /// the time of the handler that waits is up first, the call goes on and the `Pending` stays as it was.
    fn wait_until(&self, limit: Option<Instant>) -> Option<Outcome<R>> {
        if let Err(refused) = self.check() {
            return Some(Err(refused));
        }
        let mut sent = match self.take() {
            Ok(sent) => sent,
            Err(error) => return Some(Err(error)),
        };
        let (own, handlers) = (sent.call.deadline(), self.inherited());
        if let Some(outcome) = wait(&mut sent.call, [own, handlers, limit].into_iter().flatten().min()) {
            return Some(outcome);
        }
        let time = now();
        let is_up = |until: Option<Instant>| until.is_some_and(|until| until <= time);
        if is_up(own) {
            return Some(sent.call.time_out());
        }
        sent.call.unwatch();
        self.state.replace(State::Sent(sent));
        let message = (self.message)();
        match (is_up(handlers), is_up(limit)) {
            (true, _) => Some(Err(CallError::HandlerTimeout { message })),
            (false, true) => None,
            // The thread that waits was given up by its engine.
            (false, false) => Some(Err(CallError::Stopped { message })),
        }
    }

    /// Whether the code that runs here may wait for this reply.
    pub(super) fn check(&self) -> Result<(), CallError> {
        let frame = Frame::current();
        let lives_on = |home: &Mailbox| match &*self.state.borrow() {
            State::Sent(sent) => ptr::eq(sent.call.mailbox(), home),
            State::Refused(_) | State::Taken => false,
        };
        if frame.may_wait_for(self.depth) || carried::may_wait_for(frame, self.depth, lives_on) {
            Ok(())
        } else {
            Err(undeclared((self.message)()))
        }
    }

    /// The deadline of the handler that waits, unless the request was made by `without_deadline`.
    pub(super) fn inherited(&self) -> Option<Instant> {
        if self.inherits { Frame::current().deadline } else { None }
    }

    /// Takes the call out, for a look or a wait.
    fn take(&self) -> Result<Sent<R>, CallError> {
        match self.state.replace(State::Taken) {
            State::Sent(sent) => Ok(sent),
            State::Refused(error) => Err(error),
            State::Taken => Err(CallError::NoReply { message: (self.message)() }),
        }
    }

    /// Looks for the reply without the check of the call depth; has `waker` woken when it is time to look again.
    pub(crate) fn poll_with(&self, waker: &Waker) -> Option<Outcome<R>> {
        self.look_by(|call| call.poll_alone(waker))
    }
}

// One of several replies that a thread waits for: see `first.rs`.
impl<R> Pending<R> {
    /// The call's own deadline; `None` too if its outcome is there.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &*self.state.borrow() {
            State::Sent(sent) => sent.call.deadline(),
            State::Refused(_) | State::Taken => None,
        }
    }

    /// Whether the outcome is there. Cheap enough to be asked while spinning.
    pub(super) fn is_ready(&self) -> bool {
        match &*self.state.borrow() {
            State::Sent(sent) => sent.call.is_ready(),
            State::Refused(_) | State::Taken => true,
        }
    }

    /// Looks for the outcome on behalf of a thread that keeps the deadlines itself.
    pub(super) fn look(&self, waker: &Waker) -> Option<Outcome<R>> {
        self.look_by(|call| call.poll(waker))
    }

    /// Gives the call up if its own deadline has passed by `time`.
    pub(super) fn time_out(&self, time: Instant) -> Option<Outcome<R>> {
        self.look_by(|call| call.deadline().is_some_and(|until| until <= time).then(|| call.time_out()))
    }

    /// Forgets the waker of a wait that is over.
    pub(super) fn unwatch(&self) {
        if self.is_sent() {
            let _none = self.look_by(|call| {
                call.unwatch();
                None
            });
        }
    }

    /// Takes the call out for a look, and puts it back if there is no outcome.
    fn look_by(&self, look: impl FnOnce(&mut InFlight<R, Arc<Mailbox>>) -> Option<Outcome<R>>) -> Option<Outcome<R>> {
        let mut sent = match self.take() {
            Ok(sent) => sent,
            Err(error) => return Some(Err(error)),
        };
        let outcome = look(&mut sent.call);
        if outcome.is_none() {
            self.state.replace(State::Sent(sent));
        }
        outcome
    }

    /// How a thread outside spins while it waits for this; `None` if nothing is on its way.
    pub(super) fn spin(&self) -> Option<Spin> {
        match &*self.state.borrow() {
            State::Sent(sent) => Some(sent.call.spin()),
            State::Refused(_) | State::Taken => None,
        }
    }

    /// Whether its call is on its way.
    pub(super) fn is_sent(&self) -> bool {
        matches!(&*self.state.borrow(), State::Sent(_))
    }

    /// The callee and its engine, for the statistics.
    pub(super) fn callee(&self) -> Option<(Callee, Arc<EngineShared>)> {
        match &*self.state.borrow() {
            State::Sent(sent) => sent.call.callee(),
            State::Refused(_) | State::Taken => None,
        }
    }
}

impl<R> Future for Pending<R> {
    type Output = Result<R, CallError>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let frame = Frame::current();
        // Inside a handler the executor cannot serve this thread, which the callee may need: so this waits, and serves.
        // A reply that is there need not be waited for.
        if frame.is_user_code() && !frame.is_waker() {
            return Poll::Ready(self.try_take().unwrap_or_else(|| self.wait_and_serve()));
        }
        match self.poll_with(cx.waker()) {
            Some(outcome) => Poll::Ready(outcome),
            None => Poll::Pending,
        }
    }
}

impl<R> fmt::Debug for Pending<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pending({})", (self.message)())
    }
}
