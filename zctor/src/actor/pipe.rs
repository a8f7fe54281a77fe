//! Pipes: an outcome that is awaited becomes a message to the instance that awaits it.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Wake, Waker};

use crate::actor::attachments::{Attachments, Finished, PipeTask};
use crate::actor::recorder;
use crate::client::message::{Message, Request};
use crate::client::watch::PanicWatch;
use crate::error::CallError;
use crate::event::PanicEvent;
use crate::id::Slot;
use crate::mailbox::Mailbox;
use crate::mailbox::mail::{Mail, Order};
use crate::messaging;
use crate::messaging::binding::Limit;
use crate::messaging::first::First;
use crate::messaging::pending::Pending;
use crate::messaging::target::Target;
use crate::reply::reply_to::Outcome;
use crate::route::payload::Kind;
use crate::sys::awaited::Running;
use crate::sys::unwind::ignoring_panic;
use crate::thread::local::Local;

/// A pipe under way, as [`Context::pipe`](crate::Context::pipe) gives it.
///
/// Dropping it leaves the pipe as it is; the pipe also ends with its instance, and with a rebuild of its state.
///
/// ```
/// use zctor::{ActorEngine, CallError, Context, PipeHandle, ReplyTo, actor};
///
/// #[actor]
/// pub enum PriceMessage {
///     /// Is answered some day.
///     #[reply(u32, deferred)]
///     Price,
/// }
/// #[derive(Default)]
/// struct Shop(Vec<ReplyTo<u32>>);
/// impl PriceHandler for Shop {
///     fn price(&mut self, reply: ReplyTo<u32>) {
///         self.0.push(reply);
///     }
/// }
///
/// #[actor(ctx)]
/// pub enum BuyerMessage {
///     Ask,
///     #[reply(bool)]
///     Waits,
///     #[reply(bool)]
///     Forget,
///     Seen(Result<u32, CallError>),
/// }
/// #[derive(Default)]
/// struct Buyer(Option<PipeHandle>);
/// impl BuyerHandler for Buyer {
///     fn ask(&mut self, ctx: &mut Context<BuyerMessage>) {
///         self.0 = Some(ctx.pipe(PriceMessage::price(), BuyerMessage::Seen));
///     }
///     fn waits(&mut self, _: &mut Context<BuyerMessage>) -> bool {
///         self.0.as_ref().is_some_and(PipeHandle::is_under_way)
///     }
///     fn forget(&mut self, _: &mut Context<BuyerMessage>) -> bool {
///         self.0.take().is_some_and(|pipe| pipe.cancel())
///     }
///     fn seen(&mut self, _: &mut Context<BuyerMessage>, _: Result<u32, CallError>) {}
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// engine.pool(1, PriceMessage::actor(Shop::default))?;
/// let buyer: BuyerClient = engine.pool(1, BuyerMessage::actor(Buyer::default))?;
/// buyer.ask()?;
/// assert!(buyer.waits()?);
/// assert!(buyer.forget()?);
/// assert!(!buyer.forget()?);
/// # Ok(())
/// # }
/// ```
pub struct PipeHandle {
    pub(super) local: Rc<Local>,
    pub(super) slot: Slot,
    pub(super) id: u64,
}

impl PipeHandle {
    /// Ends the pipe: no message of it arrives any more, and what it awaited is given up, as a dropped
    /// [`Pending`](crate::Pending) is. `false` if the pipe had ended before.
    pub fn cancel(&self) -> bool {
        self.local.instance(self.slot).is_some_and(|owner| owner.cancel_pipe(self.id))
    }

    /// Whether the outcome is still awaited.
    pub fn is_under_way(&self) -> bool {
        self.local.instance(self.slot).is_some_and(|owner| owner.has_pipe(self.id))
    }
}

impl fmt::Debug for PipeHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipeHandle").field("is_under_way", &self.is_under_way()).finish_non_exhaustive()
    }
}

/// The waker of a pipe of an instance of this thread.
fn pipe_waker(local: &Local, slot: Slot, id: u64) -> Waker {
    Waker::from(Arc::new(PipeWaker { mailbox: Arc::clone(&local.mailbox), slot, id }))
}

/// Has a pipe polled again by its instance, by an order in the mailbox of its thread.
struct PipeWaker {
    mailbox: Arc<Mailbox>,
    slot: Slot,
    id: u64,
}

impl Wake for PipeWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // An order is never given back; and a thread that has ended has no pipes.
        let _ = self.mailbox.push(Mail::order(self.slot, Order::Piped(self.id)));
    }
}

/// Has a pipe begin, by an instance of this thread. Gives its number.
pub(super) fn begin(local: &Local, (slot, attachments): (Slot, &Attachments), mut task: Box<dyn PipeTask>) -> u64 {
    let id = local.timers.next_serial();
    let waker = pipe_waker(local, slot, id);
    let there = task.poll(&waker);
    attachments.with_extras(|extras| extras.pipes.add(id, (waker, task)));
    if there {
        // Behind what is in the mailbox already: for an instance that has ended, all that it had sent.
        let _ = local.mailbox.push(Mail::order(slot, Order::Piped(id)));
    }
    id
}

pub(super) fn is_under_way(attachments: &Attachments, id: u64) -> bool {
    attachments.if_extras(|extras| extras.pipes.contains(id))
}

/// Ends a pipe; `false` if there is none of this number.
pub(super) fn cancel(attachments: &Attachments, id: u64) -> bool {
    let pipe = attachments.if_extras(|extras| extras.pipes.remove(id));
    let is_there = pipe.is_some();
    // The closure and the reply are the user's.
    ignoring_panic(|| drop(pipe));
    is_there
}

/// A pipe under way: what it awaits, and the user's closure for the outcome.
pub(super) struct Piped<W, F> {
    pub(super) running: W,
    pub(super) then: F,
}

impl<W: Running, F: FnOnce(W::Outcome) -> M, M: Message> PipeTask for Piped<W, F> {
    fn poll(&mut self, waker: &Waker) -> bool {
        self.running.__poll(waker)
    }

    fn finish(mut self: Box<Self>) -> Finished {
        let outcome = self.running.__take();
        Finished::Last(Box::new(Some((self.then)(outcome))))
    }
}

/// A watch of the panics of an instance: a pipe for each of them, one after the other.
pub(super) struct PanicPipe<F> {
    pub(super) watch: PanicWatch,
    pub(super) then: F,
}

impl<F: FnMut(PanicEvent) -> M + 'static, M: Message> PipeTask for PanicPipe<F> {
    fn poll(&mut self, waker: &Waker) -> bool {
        self.watch.poll(waker)
    }

    fn finish(mut self: Box<Self>) -> Finished {
        match self.watch.take() {
            Some(panic) => Finished::More(Box::new(Some((self.then)(panic))), self),
            None => Finished::Nothing,
        }
    }
}

/// A thing that a pipe can await: a request, a [`Pending`], several of them in a tuple or a `Vec`, or the [`First`] of
/// several.
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
    note = "pipe a request, a `Pending`, a tuple or `Vec` of `Pending`s, or the `first(..)` of them"
)]
pub trait Pipe: StartPipe + 'static {
    /// The outcome that the closure of `pipe` is given.
    type Outcome;
}

impl<R: 'static> Pipe for Pending<R> {
    type Outcome = Outcome<R>;
}

impl<R: 'static> Pipe for Vec<Pending<R>> {
    type Outcome = Vec<Outcome<R>>;
}

/// The index of the first reply, and the outcome of its call; `None` if there was none to wait for. The other calls are
/// given up.
impl<R: 'static> Pipe for First<R> {
    type Outcome = Option<(usize, Outcome<R>)>;
}

impl<M: Message, R: 'static, K: Kind> Pipe for Request<M, R, K> {
    type Outcome = Outcome<R>;
}

#[expect(missing_debug_implementations, reason = "sealed: nobody outside can name it")]
pub struct PipeStarter<'a>(pub(crate) &'a Rc<Local>);

pub trait StartPipe {
    type Running: Running + 'static;
    #[doc(hidden)]
    fn __start(self, starter: &PipeStarter<'_>) -> Self::Running;
}

/// One of the replies that a pipe awaits.
#[expect(missing_debug_implementations, reason = "sealed: nobody outside can name it")]
pub struct PipedReply<R> {
    pub(crate) pending: Pending<R>,
    pub(crate) outcome: Cell<Option<Outcome<R>>>,
}

impl<R> From<Pending<R>> for PipedReply<R> {
    fn from(pending: Pending<R>) -> Self {
        Self { pending, outcome: Cell::new(None) }
    }
}

impl<R: 'static> Running for PipedReply<R> {
    type Outcome = Outcome<R>;

    fn __poll(&mut self, waker: &Waker) -> bool {
        if self.outcome.get_mut().is_none() {
            *self.outcome.get_mut() = self.pending.poll_with(waker);
        }
        self.outcome.get_mut().is_some()
    }

    fn __take(&mut self) -> Outcome<R> {
        self.outcome.take().unwrap_or_else(|| Err(CallError::NoReply { message: (self.pending.message)() }))
    }
}

impl<T: Running> Running for Vec<T> {
    type Outcome = Vec<T::Outcome>;

    fn __poll(&mut self, waker: &Waker) -> bool {
        // Polls all of them, so that each knows the waker.
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

impl<R: 'static> StartPipe for Pending<R> {
    type Running = PipedReply<R>;

    fn __start(self, _: &PipeStarter<'_>) -> PipedReply<R> {
        self.into()
    }
}

impl<R: 'static> StartPipe for Vec<Pending<R>> {
    type Running = Vec<PipedReply<R>>;

    fn __start(self, _: &PipeStarter<'_>) -> Vec<PipedReply<R>> {
        self.into_iter().map(PipedReply::from).collect()
    }
}

/// A pipe for the first of several replies.
#[expect(missing_debug_implementations, reason = "sealed: nobody outside can name it")]
pub struct PipedFirst<R> {
    first: First<R>,
    /// Kept here, since a pipe may be polled again before its outcome is taken.
    outcome: Option<Option<(usize, Outcome<R>)>>,
}

impl<R: 'static> StartPipe for First<R> {
    type Running = PipedFirst<R>;

    fn __start(self, _: &PipeStarter<'_>) -> PipedFirst<R> {
        PipedFirst { first: self, outcome: None }
    }
}

impl<R: 'static> Running for PipedFirst<R> {
    type Outcome = Option<(usize, Outcome<R>)>;

    fn __poll(&mut self, waker: &Waker) -> bool {
        if self.outcome.is_none() {
            self.outcome = self.first.poll_with(waker);
        }
        self.outcome.is_some()
    }

    fn __take(&mut self) -> Self::Outcome {
        self.outcome.take().flatten()
    }
}

impl<M: Message, R: 'static, K: Kind> StartPipe for Request<M, R, K> {
    type Running = PipedReply<R>;

    fn __start(self, starter: &PipeStarter<'_>) -> PipedReply<R> {
        // No thread waits for the request, so it has no deadline, not even the engine's default.
        let (message, port) = self.into_parts();
        match recorder::requested::<M, R, K>(starter.0, message, port) {
            Ok(pending) => pending,
            Err(message) => Target::with(starter.0, |target| {
                messaging::request::<M, R, K>(&target.with_limit(Limit::None), message, port)
            }),
        }
        .into()
    }
}

macro_rules! tuples {
    ($($($name:ident $index:tt),+;)+) => {$(
        impl<$($name: 'static),+> Pipe for ($(Pending<$name>,)+) {
            type Outcome = ($(Outcome<$name>,)+);
        }

        impl<$($name: 'static),+> StartPipe for ($(Pending<$name>,)+) {
            type Running = ($(PipedReply<$name>,)+);

            fn __start(self, _: &PipeStarter<'_>) -> Self::Running {
                ($(self.$index.into(),)+)
            }
        }

        impl<$($name: 'static),+> Running for ($(PipedReply<$name>,)+) {
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
