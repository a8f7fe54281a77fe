//! Replies: the two ends of a call, and waiting for it.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::{Duration, Instant};

use crate::actor::timer::{AlarmId, clear_alarm, deadline, now, set_alarm};
use crate::client::message::{Kind, Message, Request};
use crate::error::CallError;
use crate::mailbox::Mailbox;
use crate::messaging::target::{Aim, Limit};
use crate::reply::cancellation::Terms;
use crate::reply::oneshot::{self, Gone, Receiver};
use crate::sys::frame::{Frame, on_actor_thread, quietly};
use crate::sys::park::wait_outside;
use crate::thread::local::{ThreadId, local};

pub(crate) type Outcome<R> = Result<R, CallError>;

/// Where the reply to one call goes.
///
/// The handler of a variant with `#[reply(T, deferred)]` is given it as its last parameter. It may answer at once or
/// later, keep it in its state, move it to another thread, or forward it in a message. Dropping it ends the call with
/// [`CallError::NoReply`]; if a panic drops it, with [`CallError::Panicked`].
///
/// ```
/// use zctor::{ActorEngine, ReplyTo, actor};
///
/// #[actor]
/// pub enum DoorMessage {
///     /// Answers when the door opens.
///     #[reply(u32, deferred)]
///     Pass,
///     Open(u32),
/// }
/// #[derive(Default)]
/// struct Door {
///     waiting: Vec<ReplyTo<u32>>,
/// }
/// impl DoorHandler for Door {
///     fn pass(&mut self, reply: ReplyTo<u32>) {
///         self.waiting.push(reply);
///     }
///     fn open(&mut self, value: u32) {
///         for reply in self.waiting.drain(..) {
///             reply.send(value);
///         }
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// let door: DoorClient = engine.pool(1, DoorMessage::actor(Door::default))?;
/// let passed = door.non_blocking().pass();
/// assert!(passed.try_take().is_none());
/// door.open(7)?;
/// assert_eq!(passed.wait()?, 7);
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping it ends the call without a reply"]
pub struct ReplyTo<R: 'static> {
    /// Taken when it answers.
    sender: Option<oneshot::Sender<Outcome<R>>>,
}

impl<R: 'static> ReplyTo<R> {
    pub(crate) fn channel(terms: Terms) -> (Self, Receiver<Outcome<R>>) {
        let (sender, receiver) = oneshot::channel(terms);
        (Self { sender: Some(sender) }, receiver)
    }

    /// For a message that was sent, not called: nobody waits.
    #[doc(hidden)]
    pub fn __nobody() -> Self {
        // A channel whose other end is gone.
        Self::channel(Terms::none()).0
    }

    /// Answers the call. A caller that has given up does not get it; the reply is dropped then.
    pub fn send(mut self, reply: R) {
        if let Some(sender) = self.sender.take() {
            answer(sender, Ok(reply));
        }
    }

    /// Whether nobody waits for the reply any more: the work for it can be saved.
    pub fn is_given_up(&self) -> bool {
        self.sender.as_ref().is_some_and(oneshot::Sender::is_closed)
    }

    #[doc(hidden)]
    pub fn __terms(&self) -> Option<&Terms> {
        self.sender.as_ref().map(oneshot::Sender::terms)
    }

    #[doc(hidden)]
    pub fn __fail(mut self, error: CallError) {
        if let Some(sender) = self.sender.take() {
            answer(sender, Err(error));
        }
    }
}

/// Where what a handler returns goes: what generated code is given beside a message.
#[doc(hidden)]
#[derive(Default)]
#[expect(missing_debug_implementations, reason = "only generated code sees it")]
pub enum ReplySlot<'a, P> {
    /// The message was sent, or its port was taken.
    #[default]
    Nobody,
    /// The port of a call that came as mail.
    Port(P),
    /// The place of a caller further down this very stack, an `Option` of the reply.
    Here(&'a mut dyn Any),
}

impl<P> ReplySlot<'_, P> {
    /// The port, if this holds one.
    #[inline]
    pub fn take(&mut self) -> Option<P> {
        match std::mem::take(self) {
            Self::Port(port) => Some(port),
            other => {
                *self = other;
                None
            }
        }
    }

    /// Puts the reply into the place of a caller on this stack, if it holds one. Nobody waits for it otherwise.
    #[inline]
    pub fn put<R: 'static>(&mut self, reply: R) {
        if let Self::Here(place) = self {
            if let Some(place) = place.downcast_mut() {
                *place = Some(reply);
            }
        }
    }
}

fn answer<R>(sender: oneshot::Sender<Outcome<R>>, outcome: Outcome<R>) {
    // A reply whose caller is gone comes back, to be dropped here.
    if let Err(outcome) = sender.send(outcome) {
        quietly(|| drop(outcome));
    }
}

impl<R: 'static> Drop for ReplyTo<R> {
    fn drop(&mut self) {
        let Some(sender) = self.sender.take() else { return };
        if std::thread::panicking() && on_actor_thread() {
            // Its handler panics. The text is known when that has been caught, and goes to the caller then.
            let _ = ORPHANS.try_with(|orphans| {
                orphans.borrow_mut().push(Box::new(move |error| answer(sender, Err(error))));
                ORPHANED.with(|count| count.set(orphans.borrow().len()));
            });
        } else {
            drop(sender);
        }
    }
}

impl<R: 'static> fmt::Debug for ReplyTo<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReplyTo(..)")
    }
}

/// Ends one call.
type Orphan = Box<dyn FnOnce(CallError)>;

thread_local! {
    /// The calls whose ports a panic has dropped, until it is caught.
    static ORPHANS: RefCell<Vec<Orphan>> = const { RefCell::new(Vec::new()) };
    /// Their number, for a cheap look.
    static ORPHANED: Cell<usize> = const { Cell::new(0) };
}

/// How many there are just now: those of frames further down the stack.
#[inline]
pub(crate) fn count_orphans() -> usize {
    ORPHANED.with(Cell::get)
}

/// Ends the calls, all but the first `older`, whose ports were dropped by a panic that has been caught: with its text,
/// or if the user's own code caught it, as calls that nobody answers. Where the reply arrives the message's name is put
/// in.
#[inline]
pub(crate) fn answer_orphans(older: usize, text: Option<&Arc<str>>) {
    if count_orphans() > older {
        answer_those_behind(older, text);
    }
}

#[cold]
fn answer_those_behind(older: usize, text: Option<&Arc<str>>) {
    let orphans = ORPHANS.try_with(|orphans| orphans.borrow_mut().split_off(older));
    ORPHANED.with(|count| count.set(older));
    for orphan in orphans.unwrap_or_default() {
        orphan(match text {
            Some(text) => CallError::Panicked { message: "", text: Arc::clone(text) },
            None => CallError::NoReply { message: "" },
        });
    }
}

/// What arrived of a reply to a call of `message`.
fn arrived<R>(outcome: Result<Outcome<R>, Gone>, message: &'static str) -> Outcome<R> {
    match outcome {
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(CallError::Panicked { text, .. })) => Err(CallError::Panicked { message, text }),
        Ok(Err(CallError::NoReply { .. })) | Err(Gone) => Err(CallError::NoReply { message }),
        Ok(Err(error)) => Err(error),
    }
}

/// Something that a thread can wait for in the one way that all waits take.
pub(crate) trait Awaited {
    type Output;
    /// Whether `poll` would give something; cheap enough to be asked while spinning.
    fn is_ready(&self) -> bool;
    /// Gives the outcome, or has `waker` woken when to ask again.
    fn poll(&mut self, waker: &Waker) -> Option<Self::Output>;
    /// For the statistics: the message type that must reply, and on which thread.
    fn callee(&self) -> Option<(&'static str, ThreadId)> {
        None
    }
}

/// Waits, serving what lies below the current handler's depth if this is an actor thread. `None` at the deadline, or
/// when the waiting thread itself was given up.
pub(crate) fn wait<A: Awaited>(awaited: &mut A, until: Option<Instant>) -> Option<A::Output> {
    // A callee on this thread has answered already.
    if awaited.is_ready() {
        if let Some(output) = awaited.poll(Waker::noop()) {
            return Some(output);
        }
    }
    match local() {
        Some(local) if local.is_done() && !Frame::current().is_user_code() => wait_outside(awaited, until),
        Some(local) => local.as_actor_thread(|| local.wait(Frame::current().below, awaited, until)),
        None => wait_outside(awaited, until),
    }
}

/// The caller's end of a call to an instance on the thread of `mailbox`.
pub(crate) struct Reply<'a, R> {
    receiver: &'a mut Receiver<Outcome<R>>,
    mailbox: &'a Mailbox,
    message: &'static str,
    /// Its place among those to be told if the thread is abandoned.
    attending: Option<u64>,
}

impl<'a, R> Reply<'a, R> {
    pub(crate) fn new(receiver: &'a mut Receiver<Outcome<R>>, mailbox: &'a Mailbox, message: &'static str) -> Self {
        Self { receiver, mailbox, message, attending: None }
    }

    /// Waits for the reply under the deadline; on time-out the call is given up.
    pub(crate) fn wait(mut self, until: Option<Instant>) -> Outcome<R> {
        if let Some(outcome) = wait(&mut self, until) {
            return outcome;
        }
        let message = self.message;
        if until.is_none_or(|until| until > now()) {
            return Err(CallError::Stopped { message });
        }
        let begun = !self.receiver.terms().give_up();
        // It may have come just now.
        self.poll(Waker::noop()).unwrap_or(Err(CallError::Timeout { message, begun }))
    }
}

impl<R> Awaited for Reply<'_, R> {
    type Output = Outcome<R>;

    fn is_ready(&self) -> bool {
        self.receiver.is_ready()
    }

    fn poll(&mut self, waker: &Waker) -> Option<Outcome<R>> {
        if let Some(outcome) = self.receiver.poll(waker) {
            return Some(arrived(outcome, self.message));
        }
        if self.attending.is_none() && !waker.will_wake(Waker::noop()) {
            self.attending = Some(self.mailbox.edge.attend(waker));
        }
        // After joining those who are told, so that an abandonment in between is not missed.
        self.mailbox.edge.is_abandoned().then_some(Err(CallError::Stopped { message: self.message }))
    }

    fn callee(&self) -> Option<(&'static str, ThreadId)> {
        Some((self.message, self.mailbox.thread))
    }
}

impl<R> Drop for Reply<'_, R> {
    fn drop(&mut self) {
        if let Some(id) = self.attending.take() {
            self.mailbox.edge.leave(id);
        }
    }
}

/// A reply on its way. The request went out when this was made.
///
/// Wait for it, or `.await` it on any executor. Dropping it gives the call up: if its handler has not begun by then it
/// never will, and the call is counted as skipped; [`detach`](Pending::detach) lets it run unwatched. The reply is
/// given once; who asks again gets [`CallError::NoReply`].
///
/// # Blocking
/// Inside a handler, `wait`, `wait_timeout` and polling count as waiting: a callee whose call depth is not below the
/// handler's own gives [`CallError::Undeclared`] at once, and the `Pending` stays as usable as before. A poll that is
/// allowed there waits for the reply, since an executor inside a handler could not serve the thread that the callee may
/// need. `try_take` never waits.
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
    message: &'static str,
    depth: u32,
    /// A wait for it in a handler ends with that handler's own deadline.
    inherits: bool,
}

enum State<R> {
    Sent(Sent<R>),
    /// It could not be sent.
    Refused(CallError),
    Taken,
}

struct Sent<R> {
    receiver: Receiver<Outcome<R>>,
    mailbox: Arc<Mailbox>,
    attending: Option<Attendance>,
    /// Its call is not given up with it.
    detached: bool,
}

/// Who was asked to be woken for a reply that may never come.
struct Attendance {
    waker: Waker,
    /// Its place among those told of an abandonment.
    place: u64,
    /// The alarm that is set for the deadline.
    alarm: Option<AlarmId>,
}

impl<R> Pending<R> {
    pub(crate) fn sent<M: Message, K: Kind>(
        receiver: Receiver<Outcome<R>>,
        mailbox: Arc<Mailbox>,
        inherits: bool,
    ) -> Self {
        let state = State::Sent(Sent { receiver, mailbox, attending: None, detached: false });
        Self { state: RefCell::new(state), message: M::NAME, depth: K::depth(M::CALL_DEPTH), inherits }
    }

    pub(crate) fn refused<M: Message, K: Kind>(error: CallError) -> Self {
        Self {
            state: RefCell::new(State::Refused(error)),
            message: M::NAME,
            depth: K::depth(M::CALL_DEPTH),
            inherits: true,
        }
    }

    /// Waits for the reply.
    ///
    /// # Errors
    /// - The reason why the request was refused: [`CallError::NotRegistered`], [`CallError::Stopped`].
    /// - [`CallError::Panicked`], [`CallError::Stopped`]: the reply cannot come.
    /// - [`CallError::Timeout`]: the deadline set by `within`, or that of the handler this runs in, passed first.
    /// - [`CallError::Undeclared`]: this handler may not wait for that type.
    /// - [`CallError::NoReply`]: the reply was taken before.
    ///
    /// # Blocking
    /// Until the reply is there; inside a handler, lower call depths of its thread are served meanwhile.
    pub fn wait(&self) -> Result<R, CallError> {
        self.check()?;
        let mut sent = self.take()?;
        let until = earlier(sent.receiver.terms().deadline(), self.inherited());
        Reply::new(&mut sent.receiver, &sent.mailbox, self.message).wait(until)
    }

    /// Waits for the reply, at most so long; `None` if it is not there by then, and still on its way.
    ///
    /// # Errors
    /// Inside, as [`wait`](Pending::wait).
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
    pub fn wait_timeout(&self, limit: Duration) -> Option<Result<R, CallError>> {
        if let Err(refused) = self.check() {
            return Some(Err(refused));
        }
        let mut sent = match self.take() {
            Ok(sent) => sent,
            Err(error) => return Some(Err(error)),
        };
        let own = earlier(sent.receiver.terms().deadline(), self.inherited());
        let until = earlier(own, deadline(limit));
        let outcome = {
            let mut reply = Reply::new(&mut sent.receiver, &sent.mailbox, self.message);
            match wait(&mut reply, until) {
                Some(outcome) => Some(outcome),
                // Its own deadline has passed: that ends the call.
                None if own.is_some_and(|own| own <= now()) => Some(reply.wait(own)),
                None => None,
            }
        };
        if outcome.is_none() {
            self.state.replace(State::Sent(sent));
        }
        outcome
    }

    /// Gives the reply if it is there. Never waits.
    ///
    /// # Errors
    /// Inside, as [`wait`](Pending::wait), but for `Undeclared`.
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
        self.poll_with(Waker::noop())
    }

    /// Lets the call run without anybody waiting for it; its reply is dropped.
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
        if let State::Sent(sent) = self.state.replace(State::Taken) {
            sent.release();
        }
    }

    /// Whether the code that runs here may wait for this reply.
    fn check(&self) -> Result<(), CallError> {
        if Frame::current().may_wait_for(self.depth) {
            Ok(())
        } else {
            Err(CallError::Undeclared { message: self.message })
        }
    }

    /// The deadline of the handler that this runs in, unless the call was made free of it.
    fn inherited(&self) -> Option<Instant> {
        if self.inherits { Frame::current().deadline } else { None }
    }

    /// Takes the reply's receiver out for a wait.
    fn take(&self) -> Result<Sent<R>, CallError> {
        match self.state.replace(State::Taken) {
            State::Sent(sent) => Ok(sent),
            State::Refused(error) => Err(error),
            State::Taken => Err(CallError::NoReply { message: self.message }),
        }
    }

    /// Looks for the reply without asking whether it may be waited for; `waker` is woken when to look again.
    pub(crate) fn poll_with(&self, waker: &Waker) -> Option<Outcome<R>> {
        let mut sent = match self.take() {
            Ok(sent) => sent,
            Err(error) => return Some(Err(error)),
        };
        let outcome = sent.poll(self.message, waker);
        if outcome.is_none() {
            self.state.replace(State::Sent(sent));
        }
        outcome
    }
}

impl<R> Sent<R> {
    fn poll(&mut self, message: &'static str, waker: &Waker) -> Option<Outcome<R>> {
        if let Some(outcome) = self.receiver.poll(waker) {
            return Some(arrived(outcome, message));
        }
        self.attend(waker);
        if self.mailbox.edge.is_abandoned() {
            return Some(Err(CallError::Stopped { message }));
        }
        let terms = self.receiver.terms();
        if terms.deadline().is_some_and(|deadline| deadline <= now()) {
            let begun = !terms.give_up();
            // It may have come just now.
            let late = self.receiver.poll(waker).map(|outcome| arrived(outcome, message));
            return Some(late.unwrap_or(Err(CallError::Timeout { message, begun })));
        }
        None
    }

    /// Has `waker` woken at the deadline, and if the thread is abandoned.
    fn attend(&mut self, waker: &Waker) {
        let is_known = self.attending.as_ref().is_some_and(|known| known.waker.will_wake(waker));
        if waker.will_wake(Waker::noop()) || is_known {
            return;
        }
        self.leave();
        let alarm = self.receiver.terms().deadline().map(|deadline| set_alarm(deadline, waker.clone()));
        self.attending = Some(Attendance { waker: waker.clone(), place: self.mailbox.edge.attend(waker), alarm });
    }

    fn leave(&mut self) {
        if let Some(Attendance { waker, place, alarm }) = self.attending.take() {
            self.mailbox.edge.leave(place);
            if let Some(alarm) = alarm {
                clear_alarm(alarm);
            }
            quietly(|| drop(waker));
        }
    }

    /// Lets the call run on.
    fn release(mut self) {
        self.leave();
        self.detached = true;
    }
}

impl<R> Drop for Sent<R> {
    fn drop(&mut self) {
        self.leave();
        if !self.detached {
            self.receiver.terms().give_up();
        }
    }
}

fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    [a, b].into_iter().flatten().min()
}

impl<R> Future for Pending<R> {
    type Output = Result<R, CallError>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        if let Err(refused) = self.check() {
            return Poll::Ready(Err(refused));
        }
        // Inside a handler whoever polls has no way to serve this thread, which the callee may need: so this waits.
        if Frame::current().is_user_code() {
            return Poll::Ready(self.wait());
        }
        match self.poll_with(cx.waker()) {
            Some(outcome) => Poll::Ready(outcome),
            None => Poll::Pending,
        }
    }
}

impl<R> fmt::Debug for Pending<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pending({})", self.message)
    }
}

/// What a pipe can await: a request, a [`Pending`], or several of them in a tuple or a `Vec`.
///
/// ```
/// use zctor::{CallError, Pending, Pipe};
///
/// fn gives<W: Pipe<Outcome = O>, O>() -> bool {
///     true
/// }
/// assert!(gives::<Pending<u8>, Result<u8, CallError>>());
/// assert!(gives::<Vec<Pending<u8>>, Vec<Result<u8, CallError>>>());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be piped",
    note = "pipe a request, a `Pending`, or a tuple or `Vec` of `Pending`s"
)]
pub trait Pipe: Start + 'static {
    /// What the closure of `pipe` is given.
    type Outcome;
}

impl<R: 'static> Pipe for Pending<R> {
    type Outcome = Outcome<R>;
}

impl<R: 'static> Pipe for Vec<Pending<R>> {
    type Outcome = Vec<Outcome<R>>;
}

impl<M: Message, R: 'static, K: Kind> Pipe for Request<M, R, K> {
    type Outcome = Outcome<R>;
}

pub(crate) mod sealed {
    use super::{Cell, Outcome, Pending, Waker};

    #[expect(missing_debug_implementations, reason = "sealed: nobody outside can name it")]
    pub struct Starter<'a>(pub(crate) &'a crate::thread::local::Local);

    pub trait Start {
        type Running: Running + 'static;
        #[doc(hidden)]
        fn __start(self, starter: &Starter<'_>) -> Self::Running;
    }

    /// Something that is awaited by polling, and taken when it is there.
    pub trait Running {
        type Outcome;
        #[doc(hidden)]
        fn __poll(&mut self, waker: &Waker) -> bool;
        #[doc(hidden)]
        fn __take(&mut self) -> Self::Outcome;
    }

    /// One reply of those that a pipe awaits.
    #[expect(missing_debug_implementations, reason = "sealed: nobody outside can name it")]
    pub struct One<R> {
        pub(super) pending: Pending<R>,
        pub(super) outcome: Cell<Option<Outcome<R>>>,
    }
}

use sealed::{One, Running, Start, Starter};

impl<R> From<Pending<R>> for One<R> {
    fn from(pending: Pending<R>) -> Self {
        Self { pending, outcome: Cell::new(None) }
    }
}

impl<R: 'static> Running for One<R> {
    type Outcome = Outcome<R>;

    fn __poll(&mut self, waker: &Waker) -> bool {
        if self.outcome.get_mut().is_none() {
            *self.outcome.get_mut() = self.pending.poll_with(waker);
        }
        self.outcome.get_mut().is_some()
    }

    fn __take(&mut self) -> Outcome<R> {
        self.outcome.take().unwrap_or(Err(CallError::NoReply { message: self.pending.message }))
    }
}

impl<T: Running> Running for Vec<T> {
    type Outcome = Vec<T::Outcome>;

    fn __poll(&mut self, waker: &Waker) -> bool {
        // All of them, so that each knows whom to wake.
        let mut all = true;
        for one in self {
            all &= one.__poll(waker);
        }
        all
    }

    fn __take(&mut self) -> Self::Outcome {
        self.iter_mut().map(Running::__take).collect()
    }
}

impl<R: 'static> Start for Pending<R> {
    type Running = One<R>;

    fn __start(self, _: &Starter<'_>) -> One<R> {
        self.into()
    }
}

impl<R: 'static> Start for Vec<Pending<R>> {
    type Running = Vec<One<R>>;

    fn __start(self, _: &Starter<'_>) -> Vec<One<R>> {
        self.into_iter().map(One::from).collect()
    }
}

impl<M: Message, R: 'static, K: Kind> Start for Request<M, R, K> {
    type Running = One<R>;

    fn __start(self, starter: &Starter<'_>) -> One<R> {
        // Nobody waits for it, so it has no deadline, not the engine's own either.
        starter.0.aim(|aim: Aim<'_, M>| aim.limited(Limit::None).request(self)).into()
    }
}

macro_rules! tuples {
    ($($($name:ident $index:tt),+;)+) => {$(
        impl<$($name: 'static),+> Pipe for ($(Pending<$name>,)+) {
            type Outcome = ($(Outcome<$name>,)+);
        }

        impl<$($name: 'static),+> Start for ($(Pending<$name>,)+) {
            type Running = ($(One<$name>,)+);

            fn __start(self, _: &Starter<'_>) -> Self::Running {
                ($(self.$index.into(),)+)
            }
        }

        impl<$($name: 'static),+> Running for ($(One<$name>,)+) {
            type Outcome = ($(Outcome<$name>,)+);

            fn __poll(&mut self, waker: &Waker) -> bool {
                let mut all = true;
                $(all &= self.$index.__poll(waker);)+
                all
            }

            fn __take(&mut self) -> Self::Outcome {
                ($(self.$index.__take(),)+)
            }
        }
    )+};
}

tuples! {
    A 0, B 1;
    A 0, B 1, C 2;
    A 0, B 1, C 2, D 3;
    A 0, B 1, C 2, D 3, E 4;
    A 0, B 1, C 2, D 3, E 4, F 5;
}
