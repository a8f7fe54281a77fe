//! A context without an actor thread, for handlers that are tested as plain methods.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::time::Duration;

use crate::actor::context::Context;
use crate::actor::factory::{StateFactory, build_once};
use crate::actor::install::{Options, install_cell};
use crate::actor::recorder::{Recorded, Recorder};
use crate::client::message::{Message, Request};
use crate::engine::{ActorEngine, spawn};
use crate::reply::reply_to::ReplyTo;
use crate::sys::clock::deadline;
use crate::sys::unwind::run_user;
use crate::testing::{Doubled, Probe, Received, call_of};
use crate::thread::borrowed::run_until_idle;
use crate::thread::local::Local;
use crate::thread::phase::Requested;
use crate::thread::run::{close, discard_all};

/// Makes a context for the handlers of `M`, so that a test calls them as plain methods, without an actor thread.
///
/// ```
/// use zctor::testing::context;
/// use zctor::{Context, actor};
///
/// #[actor]
/// #[derive(Debug, PartialEq)]
/// pub enum PriceMessage {
///     #[reply(u32)]
///     Price(String),
/// }
/// #[actor]
/// #[derive(Debug, PartialEq)]
/// pub enum LogMessage {
///     Line(String),
/// }
///
/// // The actor under test.
/// #[actor(ctx)]
/// #[derive(Debug, PartialEq)]
/// pub enum BuyerMessage {
///     Look(String),
///     Seen(Option<u32>),
/// }
/// #[derive(Default)]
/// struct Buyer {
///     last: Option<u32>,
/// }
/// impl BuyerHandler for Buyer {
///     fn look(&mut self, ctx: &mut Context<BuyerMessage>, item: String) {
///         let _ = ctx.send(LogMessage::Line(item.clone()));
///         ctx.pipe(PriceMessage::price(item), |price| BuyerMessage::Seen(price.ok()));
///     }
///     fn seen(&mut self, _: &mut Context<BuyerMessage>, price: Option<u32>) {
///         self.last = price;
///     }
/// }
///
/// let (mut ctx, mut buyer) = (context::<BuyerMessage>(), Buyer::default());
/// buyer.look(&mut ctx, "tea".to_owned());
/// assert_eq!(ctx.sent::<LogMessage>(), [LogMessage::Line("tea".to_owned())]);
///
/// // The test answers the request; what the pipe makes of the reply comes back as a message to the actor itself.
/// ctx.expect_request(PriceMessage::price("tea".to_owned())).send(300);
/// assert_eq!(ctx.to_itself(), [BuyerMessage::Seen(Some(300))]);
/// ```
///
/// # Panics
/// If the system gives no engine what it needs.
pub fn context<M: Doubled>() -> TestContext<M> {
    let engine = ActorEngine::new();
    let Ok(local) = spawn::local_without_thread(engine.core()) else { panic!("a new engine numbers its threads") };
    let recorder = Rc::new(Recorder::default());
    drop(local.kept.put(Rc::clone(&recorder)));
    let inbox = Probe::new();
    let double = inbox.double();
    let (factory, pooled) = (&mut build_once(|| double), false);
    let Ok(cell) = install_cell(&local, pooled, StateFactory::Once(factory), Options::default()) else {
        panic!("this factory does not fail")
    };
    let test = TestContext { ctx: Context::new(Rc::clone(&local), cell), local, recorder, inbox, engine };
    run_until_idle(&test.local);
    test
}

/// A [`Context`] that records what its handlers send and pipe, made by [`context`].
///
/// It derefs to the `Context`, so that `&mut ctx` is what a handler takes. Behind it is an engine of its own without
/// threads. Messages that a handler sends, broadcasts or pipes to a type that this engine does not handle are recorded.
/// A call needs an answer at once: register a [`Mock`](crate::testing::Mock) in [`ctx.engine()`](Context::engine) for
/// it, or for a client that the handler takes from the context. Messages for types that are registered there go to
/// their instances.
///
/// ```
/// use zctor::testing::{Mock, Port, context};
/// use zctor::{CallError, Context, actor};
///
/// #[actor]
/// pub enum StoreMessage {
///     #[reply(u32)]
///     Load,
/// }
/// #[actor(calls(StoreMessage))]
/// pub enum PageMessage {
///     #[reply(Result<u32, CallError>)]
///     Show,
/// }
/// struct Page;
/// impl PageHandler for Page {
///     fn show(&mut self, ctx: &mut Context<PageMessage>) -> Result<u32, CallError> {
///         ctx.call(StoreMessage::load())
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut ctx = context::<PageMessage>();
/// let store = Mock::<StoreMessage>::new().script(Port::<StoreMessage>::Load, [7]);
/// ctx.engine().pool(1, store.actor())?;
/// assert_eq!(Page.show(&mut ctx)?, 7);
/// # Ok(())
/// # }
/// ```
pub struct TestContext<M: Doubled> {
    ctx: Context<M>,
    local: Rc<Local>,
    recorder: Rc<Recorder>,
    /// Where messages to the instance itself come.
    inbox: Probe<M>,
    engine: ActorEngine,
}

impl<M: Doubled> TestContext<M> {
    /// Takes the messages that were sent or broadcast to `T` so far, in the order sent. A broadcast is one message.
    ///
    /// ```
    /// # #[zctor::actor]
    /// # #[derive(Debug, PartialEq)]
    /// # pub enum LogMessage { Line(u8) }
    /// let ctx = zctor::testing::context::<LogMessage>();
    /// ctx.send(LogMessage::Line(1)).unwrap();
    /// ctx.send(LogMessage::Line(2)).unwrap();
    /// assert_eq!(ctx.sent::<LogMessage>(), [LogMessage::Line(1), LogMessage::Line(2)]);
    /// assert_eq!(ctx.sent::<LogMessage>(), []);
    /// ```
    pub fn sent<T: Message>(&self) -> Vec<T> {
        let records = self.recorder.records::<T>();
        let all = records.take();
        let (requests, sent): (Vec<_>, Vec<_>) = all.into_iter().partition(|record| record.port.is_some());
        records.borrow_mut().extend(requests);
        sent.into_iter().map(|record| record.message).collect()
    }

    /// Takes the requests of `T` that were piped so far, in the order made, each with the place for its reply.
    ///
    /// ```
    /// # use zctor::{CallError, actor};
    /// # use zctor::testing::{Port, context};
    /// # #[actor]
    /// # #[derive(Debug, PartialEq)]
    /// # pub enum ClockMessage { #[reply(u8)] Now, Heard(Result<u8, CallError>) }
    /// let ctx = context::<ClockMessage>();
    /// ctx.pipe(ClockMessage::now(), ClockMessage::Heard);
    /// for request in ctx.requested::<ClockMessage>() {
    ///     request.answer(Port::<ClockMessage>::Now, 12);
    /// }
    /// assert_eq!(ctx.to_itself(), [ClockMessage::Heard(Ok(12))]);
    /// ```
    pub fn requested<T: Message>(&self) -> Vec<Received<T>> {
        let records = self.recorder.records::<T>();
        let all = records.take();
        let (requests, sent): (Vec<_>, Vec<_>) = all.into_iter().partition(|record| record.port.is_some());
        records.borrow_mut().extend(sent);
        requests.into_iter().map(|Recorded { message, port }| Received::new(message, port)).collect()
    }

    /// Takes the next request of its type that was piped, which must be this one: the place for its reply.
    ///
    /// # Panics
    /// If there is none, or it is another.
    ///
    /// ```
    /// # use zctor::{CallError, actor};
    /// # use zctor::testing::context;
    /// # #[actor]
    /// # #[derive(Debug, PartialEq)]
    /// # pub enum ClockMessage { #[reply(u8)] Now, Heard(Result<u8, CallError>) }
    /// let ctx = context::<ClockMessage>();
    /// ctx.pipe(ClockMessage::now(), ClockMessage::Heard);
    /// drop(ctx.expect_request(ClockMessage::now())); // unanswered
    /// assert_eq!(ctx.to_itself(), [ClockMessage::Heard(Err(CallError::NoReply { message: "ClockMessage" }))]);
    /// ```
    #[track_caller]
    pub fn expect_request<T, R, K>(&self, request: Request<T, R, K>) -> ReplyTo<R>
    where
        T: Doubled + PartialEq + fmt::Debug,
        R: 'static,
    {
        let records = self.recorder.records::<T>();
        let next = {
            let mut records = records.borrow_mut();
            let index = records.iter().position(|record| record.port.is_some());
            index.and_then(|index| records.remove(index))
        };
        let Some(Recorded { message, port }) = next else {
            panic!("{} was expected, and nothing more was requested", call_of::<T, R>(request.port));
        };
        match Received::<T>::new(message, port).into_call(request.port) {
            Ok((message, reply)) => {
                assert_eq!(message, request.message, "another request (left) was made than was expected (right)");
                reply
            }
            Err(other) => panic!("{} was expected, and {other:?} was made", call_of::<T, R>(request.port)),
        }
    }

    /// Takes the messages that have come to the instance itself, in their order: those of pipes whose outcome is there,
    /// of timers that are due, and what was sent by [`me`](Context::me).
    ///
    /// ```
    /// # #[zctor::actor]
    /// # #[derive(Debug, PartialEq)]
    /// # pub enum LogMessage { Line(u8) }
    /// let ctx = zctor::testing::context::<LogMessage>();
    /// ctx.me().line(1).unwrap();
    /// assert_eq!(ctx.to_itself(), [LogMessage::Line(1)]);
    /// ```
    pub fn to_itself(&self) -> Vec<M> {
        run_until_idle(&self.local);
        std::iter::from_fn(|| self.inbox.try_next()).map(Received::into_message).collect()
    }

    /// Lets each timer fire once, in the order of their times and whenever they are due, and takes the messages that
    /// they send. A timer of `send_every` stays set.
    ///
    /// # Panics
    /// If the closure of one does.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # #[zctor::actor]
    /// # #[derive(Debug, PartialEq)]
    /// # pub enum ClockMessage { Tick, Ring }
    /// let ctx = zctor::testing::context::<ClockMessage>();
    /// ctx.send_after(Duration::from_secs(3_600), ClockMessage::Ring);
    /// ctx.send_every(Duration::from_secs(60), || ClockMessage::Tick);
    /// assert_eq!(ctx.fire_timers(), [ClockMessage::Tick, ClockMessage::Ring]);
    /// assert_eq!(ctx.fire_timers(), [ClockMessage::Tick]);
    /// ```
    pub fn fire_timers(&self) -> Vec<M> {
        let cell = self.ctx.shared();
        let mut due: Vec<_> =
            cell.attachments.if_extras(|extras| extras.timers.iter().map(|(id, timer)| (timer.due, id)).collect());
        due.sort_unstable();
        let mut messages = Vec::with_capacity(due.len());
        for (due, id) in due {
            // A closure that ran before may have cancelled it.
            let Some(timer) = cell.attachments.if_extras(|extras| extras.timers.remove(id)) else { continue };
            self.local.timers.clear(due, id);
            match timer.fire(&self.local, &cell.attachments, cell.slot(), id) {
                Ok(message) => messages.extend(message.downcast::<Option<M>>().ok().and_then(|message| *message)),
                Err(text) => panic!("the closure of a timer panicked: {text}"),
            }
        }
        messages
    }

    /// Runs a handler as if its caller had set this deadline, which [`time_left`](Context::time_left) shows. Its waits
    /// are checked by call depth, as on an actor thread.
    ///
    /// # Panics
    /// If the handler does.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # #[zctor::actor(ctx)]
    /// # pub enum ClockMessage { Tick }
    /// let mut ctx = zctor::testing::context::<ClockMessage>();
    /// assert_eq!(ctx.time_left(), None);
    /// assert!(ctx.within(Duration::from_secs(60), |ctx| ctx.time_left()).is_some());
    /// assert!(ctx.within(Duration::ZERO, |ctx| ctx.caller_gone()));
    /// ```
    pub fn within<R>(&mut self, limit: Duration, handler: impl FnOnce(&mut Context<M>) -> R) -> R {
        match run_user(M::CALL_DEPTH, deadline(limit), || handler(&mut self.ctx)) {
            Ok(outcome) => outcome,
            Err(text) => panic!("the handler panicked: {text}"),
        }
    }

    /// Whether a handler has called [`stop`](Context::stop).
    ///
    /// ```
    /// # #[zctor::actor]
    /// # pub enum JobMessage { Run }
    /// let ctx = zctor::testing::context::<JobMessage>();
    /// ctx.stop();
    /// assert!(ctx.stop_requested() && !ctx.reset_requested());
    /// ```
    pub fn stop_requested(&self) -> bool {
        self.ctx.shared().common.requested.get() == Requested::Stop
    }

    /// Whether a handler has called [`reset`](Context::reset), and not [`stop`](Context::stop).
    ///
    /// ```
    /// # #[zctor::actor]
    /// # pub enum JobMessage { Run }
    /// let ctx = zctor::testing::context::<JobMessage>();
    /// ctx.reset();
    /// assert!(ctx.reset_requested() && !ctx.stop_requested());
    /// ```
    pub fn reset_requested(&self) -> bool {
        self.ctx.shared().common.requested.get() == Requested::Reset
    }
}

impl<M: Doubled> Deref for TestContext<M> {
    type Target = Context<M>;

    fn deref(&self) -> &Context<M> {
        &self.ctx
    }
}

impl<M: Doubled> DerefMut for TestContext<M> {
    fn deref_mut(&mut self) -> &mut Context<M> {
        &mut self.ctx
    }
}

impl<M: Doubled> Drop for TestContext<M> {
    fn drop(&mut self) {
        close(&self.local);
        discard_all(&self.local);
    }
}

impl<M: Doubled> fmt::Debug for TestContext<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Test{:?} of {:?}", self.ctx, self.engine)
    }
}
