//! [`Context`]: a handler is given it, to know its instance, reach others, and ask for timers, pipes, or its end.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::actor::attachments::Attachments;
use crate::actor::cell::SharedCell;
use crate::actor::pipe::{self, PanicPipe, Pipe, PipeHandle, PipeStarter, Piped, StartPipe};
use crate::actor::recorder;
use crate::actor::timer::{self, Timer};
use crate::client::message::{AnsweredInHandler, CallableFrom, Message};
use crate::client::{Client, call};
use crate::error::{CallError, Refusal, SendError, WatchError};
use crate::event::{Ended, PanicEvent};
use crate::id::{InstanceId, Slot, ThreadId};
use crate::messaging;
use crate::messaging::binding::Limit;
use crate::messaging::target::Target;
use crate::route::known_pool::{known_pool, with_known_pool};
use crate::route::payload::{Kind, ToPort};
use crate::sys::awaited::Running;
use crate::sys::clock::now;
use crate::sys::frame::Frame;
use crate::sys::runtime::assert_may_block;
use crate::thread::local::Local;
use crate::thread::phase::Requested;
use crate::trace::spans::{InSpans, SPANS};
use crate::trace::work::Work;
use crate::trace::{CAN_BE_WATCHED, watched_or_not};

/// The first parameter of the handlers of `M`, if the enum has `calls(..)` or `#[actor(ctx)]`.
///
/// The hooks `on_start` and `on_stop` and the factory of `try_actor` always get it. It belongs to one instance and
/// stays on that instance's thread.
///
/// ```
/// use zctor::{ActorEngine, Context, actor};
///
/// #[actor(ctx)]
/// pub enum GreeterMessage {
///     #[reply(String)]
///     Greet(String),
/// }
/// struct Greeter;
/// impl GreeterHandler for Greeter {
///     fn greet(&mut self, ctx: &mut Context<GreeterMessage>, name: String) -> String {
///         format!("thread {} greets {name}", ctx.thread_id())
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// let greeter: GreeterClient = engine.pool(1, GreeterMessage::actor(|| Greeter))?;
/// assert_eq!(greeter.greet("Ada".into())?, "thread 0 greets Ada");
/// # Ok(())
/// # }
/// ```
// Rustc shows the next line where a context would go to another thread.
pub struct Context<M: Message> /* stays on its thread; for another, take `ctx.me()` or a client first */ {
    pub(crate) local: Rc<Local>,
    shared: Rc<SharedCell<M>>,
}

impl<M: Message> Context<M> {
    pub(crate) fn new(local: Rc<Local>, shared: Rc<SharedCell<M>>) -> Self {
        Self { local, shared }
    }

    #[cfg(feature = "testing")]
    pub(crate) fn shared(&self) -> &SharedCell<M> {
        &self.shared
    }

    /// Gives the thread that this instance lives on.
    pub fn thread_id(&self) -> ThreadId {
        self.local.mailbox.thread
    }

    /// Gives the id of this instance.
    pub fn instance_id(&self) -> InstanceId {
        self.shared.endpoint.id()
    }

    /// The handler of this message is about to begin. If it may wait, its variant is noted: the statistics of each wait
    /// name it. If spans are asked for, its span is entered.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn begins<P>(&self, place: &P, front: fn(&P) -> Option<&M>, (work, in_spans): (Work, InSpans)) {
        if M::CALL_DEPTH > 0 {
            self.local.variant.set(front(place).map(Message::variant));
        }
        if SPANS && in_spans.is_asked() {
            enter_span((work, in_spans), place, front, &self.shared);
        }
    }

    /// Whether the edge allows that the next message of a batch is handled.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn admit_and_note<'a>(&self, message: impl FnOnce() -> Option<&'a M>) -> bool {
        self.local.mailbox.engine.edge.is_plain() || self.shared.admit_and_note(&self.local, message())
    }

    /// Gives a client bound to this very instance, to pass on to others.
    pub fn me(&self) -> M::Client {
        let endpoint = Arc::clone(&self.shared.endpoint);
        let pool = if self.shared.endpoint.pooled { known_pool(&self.local) } else { None };
        Client::of_one(pool, endpoint).into()
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn target<T: Message, R>(&self, f: impl FnOnce(Target<'_, T>) -> R) -> R {
        Target::with(&self.local, f)
    }

    /// The time left until the deadline of this handler's caller; `None` without one. Zero: the caller waits no more.
    ///
    /// A call made here by [`call`](Context::call) or by a [`client`](Context::client) has no more time than that,
    /// whatever its own limit. A message that was sent, a timer and a pipe bring no deadline.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zctor::{ActorEngine, Context, actor};
    ///
    /// #[actor(ctx)]
    /// pub enum SearchMessage {
    ///     #[reply(Option<Duration>)]
    ///     Find,
    /// }
    /// struct Search;
    /// impl SearchHandler for Search {
    ///     fn find(&mut self, ctx: &mut Context<SearchMessage>) -> Option<Duration> {
    ///         ctx.time_left() // a longer search would look at it from time to time
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let search: SearchClient = engine.start(SearchMessage::actor(|| Search))?;
    /// let limit = Duration::from_secs(60);
    /// assert!(search.within(limit).find()?.is_some_and(|left| left <= limit));
    /// assert_eq!(search.find()?, None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn time_left(&self) -> Option<Duration> {
        Frame::current().deadline.map(|deadline| deadline.saturating_duration_since(now()))
    }

    /// Whether the caller of this handler waits for the reply no more, so that the work for it can be saved: its
    /// deadline has passed, or it has dropped its [`Pending`](crate::Pending).
    ///
    /// `false` for a message that was sent, and for a call that was [detached](crate::Pending::detach): nobody waits
    /// for those, and they are to be done all the same. For a deferred reply
    /// [`ReplyTo::is_given_up`](crate::ReplyTo::is_given_up) says it after the handler has returned, too.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use zctor::{ActorEngine, Context, actor};
    ///
    /// #[actor(ctx)]
    /// pub enum SearchMessage {
    ///     #[reply(u32)]
    ///     Find,
    /// }
    /// struct Search(mpsc::Sender<&'static str>);
    /// impl SearchHandler for Search {
    ///     fn find(&mut self, ctx: &mut Context<SearchMessage>) -> u32 {
    ///         let _ = self.0.send("begun");
    ///         let mut looked = 0;
    ///         while !ctx.caller_gone() {
    ///             looked += 1; // a little more of a long search
    ///         }
    ///         let _ = self.0.send("left");
    ///         looked
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let (tell, told) = mpsc::channel();
    /// let search: SearchClient = engine.start(SearchMessage::actor(move || Search(tell.clone())))?;
    /// let found = search.non_blocking().find();
    /// assert_eq!(told.recv()?, "begun");
    /// drop(found);
    /// assert_eq!(told.recv()?, "left");
    /// # Ok(())
    /// # }
    /// ```
    pub fn caller_gone(&self) -> bool {
        self.time_left().is_some_and(|left| left.is_zero()) || self.local.has_caller_left(self.shared.slot())
    }

    /// Sends a message to the next instance of its type, in turn.
    ///
    /// # Errors
    /// - [`SendError::NotRegistered`]: the type has no live instance.
    /// - [`SendError::Full`]: the thread of the instance has an [inner bound](crate::ActorThread::inner_bound), and no
    ///   room under it.
    /// - [`SendError::Stopped`]: the engine has stopped.
    ///
    /// # Blocking
    /// Never.
    #[inline]
    pub fn send<T: Message>(&self, message: T) -> Result<(), SendError<T>> {
        self.send_from(&mut Some(message))
    }

    #[inline(never)]
    fn send_from<T: Message>(&self, place: &mut Option<T>) -> Result<(), SendError<T>> {
        let sent = watched_or_not(
            (self, place),
            |(ctx, place)| ctx.target(|target| messaging::send::<true, T>(target, place)),
            |(ctx, place)| ctx.target(|target| messaging::send::<false, T>(target, place)),
        );
        recorder::sent(&self.local, sent)
    }

    /// Sends a copy to every instance of the type, and gives the number of instances reached.
    ///
    /// # Errors
    /// As [`send`](Context::send).
    ///
    /// # Blocking
    /// Never.
    pub fn broadcast<T: Message + Clone>(&self, message: T) -> Result<usize, SendError<T>> {
        match self.target(|target| messaging::broadcast(&target, message)) {
            Ok(reached) => Ok(reached),
            // A recorder counts as one receiver.
            Err(refused) => recorder::sent(&self.local, Err(refused)).map(|()| 1),
        }
    }

    /// Sends a request to the next instance of its type and waits for the reply.
    ///
    /// A call is a yield point of this thread: hold no borrow, lock or transaction across it that another instance on
    /// the thread can reach. It needs the declaration `calls(..)` in this enum's `#[actor]`.
    ///
    /// # Errors
    /// - [`CallError::NotRegistered`]: the type has no live instance; nothing was sent.
    /// - [`CallError::Full`]: the thread of the instance has an [inner bound](crate::ActorThread::inner_bound), and no
    ///   room under it, or the call was the oldest and made room for another message. It never ran.
    /// - [`CallError::Stopped`]: the engine or the instance stopped before the request was handled.
    /// - [`CallError::Panicked`]: the handler panicked; the message is spent.
    /// - [`CallError::Timeout`]: the deadline of the handler that calls passed first, or if it has none, the engine's
    ///   default.
    /// - [`CallError::NoReply`]: the callee dropped its [`ReplyTo`](crate::ReplyTo) without an answer.
    ///
    /// # Blocking
    /// Until the reply is there. Instances of lower call depth on this thread are served meanwhile.
    ///
    /// ```
    /// use zctor::{ActorEngine, ActorThread, CallError, Context, actor};
    ///
    /// #[actor]
    /// pub enum StoreMessage {
    ///     #[reply(u32)]
    ///     Load,
    /// }
    /// struct Store;
    /// impl StoreHandler for Store {
    ///     fn load(&mut self) -> u32 {
    ///         41
    ///     }
    /// }
    ///
    /// #[actor(calls(StoreMessage))]
    /// pub enum WebMessage {
    ///     #[reply(Result<u32, CallError>)]
    ///     Show,
    /// }
    /// struct Web;
    /// impl WebHandler for Web {
    ///     fn show(&mut self, ctx: &mut Context<WebMessage>) -> Result<u32, CallError> {
    ///         Ok(ctx.call(StoreMessage::load())? + 1)
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = ActorEngine::new();
    /// // Both on one thread: the caller serves its callee while it waits.
    /// let store = StoreMessage::actor(|| Store);
    /// engine.spawn(ActorThread::new().register(WebMessage::actor(|| Web)).register(store))?;
    /// assert_eq!(engine.call(WebMessage::show())??, 42);
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    #[cfg_attr(feature = "tokio", track_caller)]
    pub fn call<Q>(&self, request: Q) -> Result<Q::Reply, CallError>
    where
        Q: AnsweredInHandler,
        Q::Message: CallableFrom<M>,
    {
        assert_may_block();
        let (message, port) = request.__into().into_parts();
        self.call_from::<_, _, Q::Kind>(&mut Some(message), port)
    }

    #[inline(never)]
    fn call_from<T: Message, R: 'static, K: Kind>(
        &self,
        place: &mut Option<T>,
        port: ToPort<T, R>,
    ) -> Result<R, CallError> {
        self.target(|target| messaging::call::<T, R, K>(target, place, port))
    }

    /// Sends a message to the next instance of its type on this thread, in turn among those.
    ///
    /// # Errors
    /// - [`SendError::NotRegistered`]: the type has no live instance on this thread.
    /// - [`SendError::Full`]: the thread has an [inner bound](crate::ActorThread::inner_bound), and no room under it.
    /// - [`SendError::Stopped`]: the engine has stopped.
    ///
    /// # Blocking
    /// Never.
    pub fn send_local<T: Message>(&self, message: T) -> Result<(), SendError<T>> {
        self.send_local_from(&mut Some(message))
    }

    #[inline(never)]
    fn send_local_from<T: Message>(&self, place: &mut Option<T>) -> Result<(), SendError<T>> {
        let sent = self.local_target(|target| match (target, place) {
            (Ok(target), place) => messaging::send::<CAN_BE_WATCHED, T>(target, place),
            (Err(refusal), place) => {
                place.take().map_or(Ok(()), |message| Err(SendError::new(T::name(), message, refusal)))
            }
        });
        recorder::sent(&self.local, sent)
    }

    /// Sends a request to the next instance of its type on this thread, in turn among those, and waits for the reply.
    ///
    /// # Errors
    /// As [`call`](Context::call); `NotRegistered` if the type has no live instance on this thread.
    ///
    /// # Blocking
    /// As [`call`](Context::call).
    #[cfg_attr(feature = "tokio", track_caller)]
    pub fn call_local<Q>(&self, request: Q) -> Result<Q::Reply, CallError>
    where
        Q: AnsweredInHandler,
        Q::Message: CallableFrom<M>,
    {
        assert_may_block();
        let (message, port) = request.__into().into_parts();
        self.call_local_from::<_, _, Q::Kind>(&mut Some(message), port)
    }

    #[inline(never)]
    fn call_local_from<T: Message, R: 'static, K: Kind>(
        &self,
        place: &mut Option<T>,
        port: ToPort<T, R>,
    ) -> Result<R, CallError> {
        self.local_target(|target| match target {
            Ok(target) => messaging::call::<T, R, K>(target, place, port),
            Err(refusal) => Err(CallError::refused(T::name(), refusal)),
        })
    }

    /// Runs `f` with the next instance of the type on this thread as its target. If there is none, the refusal is counted
    /// here.
    fn local_target<T: Message, R>(&self, f: impl FnOnce(Result<Target<'_, T>, Refusal>) -> R) -> R {
        with_known_pool::<T, R>(&self.local, |known| {
            let next = known.ok_or(Refusal::NotRegistered).and_then(|known| known.next_local(&self.local));
            let target = next.map(|endpoint| Target::at_one(endpoint).on(&self.local));
            f(target.inspect_err(|refusal| self.local.mailbox.engine.incidents.count_refusal(T::name(), 1, *refusal)))
        })
    }

    /// Gives a client whose calls wait; this needs the declaration `calls(..)` in this enum's `#[actor]`.
    ///
    /// # Errors
    /// [`CallError::NotRegistered`]: the type has no live instance.
    pub fn client<T: CallableFrom<M> + Message>(&self) -> Result<T::Client, CallError> {
        self.client_of::<T>(Limit::Inherited).map(Into::into)
    }

    /// Gives a client whose calls give a [`Pending`](crate::Pending), to be piped or detached; this needs no
    /// declaration.
    ///
    /// # Errors
    /// [`CallError::NotRegistered`]: the type has no live instance.
    pub fn non_blocking<T: Message>(&self) -> Result<T::NonBlockingClient, CallError> {
        self.client_of::<T>(Limit::Inherited).map(|client| client.non_blocking().into())
    }

    fn client_of<T: Message>(&self, limit: Limit) -> Result<Client<T>, CallError> {
        self.engine().client_of::<T>().map(|client| client.with_limit(limit))
    }

    /// Awaits something without blocking, and turns its outcome into a message to this instance.
    ///
    /// `what` is a request (which is sent at once), a [`Pending`](crate::Pending), a tuple or `Vec` of `Pending`s, or
    /// the [`first`](crate::first) of several. `then` runs on this thread, so it may hold what is not `Send`. A rebuild
    /// of this instance's state ends the pipe, and drops what it awaits: a request that was not begun is skipped then,
    /// and the reply to one that was is lost.
    ///
    /// # Blocking
    /// Never. `then` may send, but not wait.
    ///
    /// ```
    /// use zctor::{ActorEngine, Context, actor};
    ///
    /// #[actor]
    /// pub enum PriceMessage {
    ///     #[reply(u32)]
    ///     Price,
    /// }
    /// struct Shop;
    /// impl PriceHandler for Shop {
    ///     fn price(&mut self) -> u32 {
    ///         7
    ///     }
    /// }
    ///
    /// #[actor(ctx)]
    /// pub enum BuyerMessage {
    ///     Look,
    ///     Seen(Option<u32>),
    ///     #[reply(Option<u32>)]
    ///     Known,
    /// }
    /// #[derive(Default)]
    /// struct Buyer(Option<u32>);
    /// impl BuyerHandler for Buyer {
    ///     fn look(&mut self, ctx: &mut Context<BuyerMessage>) {
    ///         ctx.pipe(PriceMessage::price(), |price| BuyerMessage::Seen(price.ok()));
    ///     }
    ///     fn seen(&mut self, _ctx: &mut Context<BuyerMessage>, price: Option<u32>) {
    ///         self.0 = price;
    ///     }
    ///     fn known(&mut self, _ctx: &mut Context<BuyerMessage>) -> Option<u32> {
    ///         self.0
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = ActorEngine::new();
    /// engine.pool(1, PriceMessage::actor(|| Shop))?;
    /// let buyer: BuyerClient = engine.pool(1, BuyerMessage::actor(Buyer::default))?;
    /// buyer.look()?;
    /// engine.settle();
    /// assert_eq!(buyer.known()?, Some(7));
    /// # Ok(())
    /// # }
    /// ```
    pub fn pipe<W: Pipe>(&self, what: W, then: impl FnOnce(W::Outcome) -> M + 'static) -> PipeHandle
    where
        W::Running: Running<Outcome = W::Outcome>,
    {
        let id = self.add_pipe(<W as StartPipe>::__start(what, &PipeStarter(&self.local)), then);
        PipeHandle { local: Rc::clone(&self.local), slot: self.shared.slot(), id }
    }

    /// Sends this instance the message that `then` makes, when the outcome of `running` is there. Gives the pipe's
    /// number.
    fn add_pipe<W: Running + 'static>(&self, running: W, then: impl FnOnce(W::Outcome) -> M + 'static) -> u64 {
        pipe::begin(&self.local, self.attached(), Box::new(Piped { running, then }))
    }

    /// The instance, as its timers and pipes know it.
    fn attached(&self) -> (Slot, &Attachments) {
        (self.shared.slot(), &self.shared.attachments)
    }

    /// Turns the end of another instance into a message to this one.
    ///
    /// An instance ends when it has stopped, has panicked more often than its [`Restart`](crate::Restart) allows, or
    /// was abandoned with its thread. A rebuild is no end. The message comes after all that the ended instance had sent
    /// to this one; if it had ended before the watch, the message comes at once. `then` runs on this thread; it may
    /// send, but not wait. The watch ends with this instance, and with a rebuild of its state.
    ///
    /// # Errors
    /// [`WatchError::Unbound`]: the client is bound to no single instance; [`pin`](Client::pin) it to one.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use zctor::{ActorEngine, Context, End, Ended, actor};
    ///
    /// #[actor]
    /// pub enum JobMessage {
    ///     Run,
    /// }
    /// struct Job;
    /// impl JobHandler for Job {
    ///     fn run(&mut self) {}
    /// }
    ///
    /// #[actor(ctx)]
    /// pub enum GuardMessage {
    ///     Watch(JobClient),
    ///     #[msg(internal)]
    ///     Gone(Ended),
    /// }
    /// struct Guard(mpsc::Sender<Ended>);
    /// impl GuardHandler for Guard {
    ///     fn watch(&mut self, ctx: &mut Context<GuardMessage>, job: JobClient) {
    ///         ctx.watch(&job, GuardMessage::Gone).expect("it is bound to one that was started");
    ///     }
    ///     fn gone(&mut self, _ctx: &mut Context<GuardMessage>, ended: Ended) {
    ///         self.0.send(ended).unwrap_or_default();
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = ActorEngine::new();
    /// let (tell, told) = mpsc::channel();
    /// let job: JobClient = engine.start(JobMessage::actor(|| Job))?;
    /// let guard: GuardClient = engine.start(GuardMessage::actor(move || Guard(tell.clone())))?;
    /// guard.watch(job.clone())?;
    /// job.stop()?;
    /// assert_eq!(told.recv()?.why, End::Stopped);
    /// # Ok(())
    /// # }
    /// ```
    pub fn watch<T: Message, V>(
        &self,
        client: &Client<T, V>,
        then: impl FnOnce(Ended) -> M + 'static,
    ) -> Result<(), WatchError> {
        self.add_pipe(client.end()?, then);
        Ok(())
    }

    /// Turns each panic in the code of another instance into a message to this one, with what becomes of that instance.
    ///
    /// The message comes after all that the other had sent to this one before. `then` runs on this thread; it may send,
    /// not wait. A watch ends with the instance that is watched, with its own, and with a rebuild of its own state.
    ///
    /// # Errors
    /// [`WatchError::Unbound`]: the client is bound to no single instance. [`pin`](Client::pin) one.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use zctor::{ActorEngine, AfterPanic, Context, PanicEvent, PanicOrigin, actor};
    ///
    /// #[actor]
    /// pub enum JobMessage {
    ///     Run,
    /// }
    /// struct Job;
    /// impl JobHandler for Job {
    ///     fn run(&mut self) {
    ///         panic!("broken");
    ///     }
    /// }
    ///
    /// #[actor(ctx)]
    /// pub enum GuardMessage {
    ///     #[reply(())]
    ///     Watch(JobClient),
    ///     #[msg(internal)]
    ///     Panicked(PanicEvent),
    /// }
    /// struct Guard(mpsc::Sender<PanicEvent>);
    /// impl GuardHandler for Guard {
    ///     fn watch(&mut self, ctx: &mut Context<GuardMessage>, job: JobClient) {
    ///         ctx.watch_panics(&job, GuardMessage::Panicked).expect("it is bound to one that was started");
    ///     }
    ///     fn panicked(&mut self, _ctx: &mut Context<GuardMessage>, panic: PanicEvent) {
    ///         self.0.send(panic).unwrap_or_default();
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # std::panic::set_hook(Box::new(|_| {}));
    /// let engine = ActorEngine::new();
    /// let (tell, told) = mpsc::channel();
    /// let job: JobClient = engine.start(JobMessage::actor(|| Job))?;
    /// let guard: GuardClient = engine.start(GuardMessage::actor(move || Guard(tell.clone())))?;
    /// guard.watch(job.clone())?;
    /// job.run()?;
    /// let panic = told.recv()?;
    /// assert_eq!((panic.origin, panic.next), (PanicOrigin::Handler("Run"), AfterPanic::Rebuilt));
    /// # Ok(())
    /// # }
    /// ```
    pub fn watch_panics<T: Message, V>(
        &self,
        client: &Client<T, V>,
        then: impl FnMut(PanicEvent) -> M + 'static,
    ) -> Result<(), WatchError> {
        pipe::begin(&self.local, self.attached(), Box::new(PanicPipe { watch: client.panics()?, then }));
        Ok(())
    }

    /// Sends `message` to this instance after `delay`.
    ///
    /// The timer ends with the instance, with a rebuild of its state, and when a shutdown begins.
    pub fn send_after(&self, delay: Duration, message: M) -> Timer {
        timer::send_after(&self.local, self.attached(), delay, Box::new(Some(message)))
    }

    /// Sends this instance the message that `make` gives, every `period`, for the first time after one period.
    ///
    /// The timer does not drift: ticks are due at multiples of the period. Ticks that were missed, because the thread
    /// was busy, are not made up for by a burst. `make` may send, but not wait. A period below a millisecond counts as
    /// one. The timer ends as that of [`send_after`](Context::send_after) does.
    pub fn send_every(&self, period: Duration, mut make: impl FnMut() -> M + 'static) -> Timer {
        timer::send_every(&self.local, self.attached(), period, Box::new(move || Box::new(Some(make()))))
    }

    /// Gives the means to call without this handler's deadline, for calls that must go out though it may have passed,
    /// such as a compensation.
    pub fn without_deadline(&self) -> NoDeadline<'_, M> {
        NoDeadline { ctx: self }
    }

    /// Has the state built afresh when this handler has returned.
    ///
    /// `on_stop` runs, the state is dropped, and the factory builds a new one before the next message. An instance
    /// whose factory runs once ends instead.
    pub fn reset(&self) {
        // A stop that was requested before is not taken back.
        if self.shared.common.requested.get() == Requested::None {
            self.shared.common.requested.set(Requested::Reset);
        }
    }

    /// Ends this instance when this handler has returned.
    ///
    /// `on_stop` runs, and the state is dropped. Messages and calls that were sent in turn go to the other instances of
    /// its pool; all others that wait for it become dead letters.
    pub fn stop(&self) {
        self.shared.common.requested.set(Requested::Stop);
    }

    /// Whether the engine is shutting down; a long handler should return then.
    pub fn stopping(&self) -> bool {
        !self.local.mailbox.engine.edge.is_open()
    }
}

/// Enters the span of a handler. Not inlined, and not given the context: whatever an outlined function can reach must
/// be in memory, not in registers.
#[cold]
#[inline(never)]
fn enter_span<M: Message, P>(
    (work, in_spans): (Work, InSpans),
    place: &P,
    front: fn(&P) -> Option<&M>,
    instance: &SharedCell<M>,
) {
    in_spans.enter(work, M::name, || front(place).map(Message::variant), || instance.endpoint.id());
}

impl<M: Message> fmt::Debug for Context<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Context({}, {})", M::name(), self.shared.endpoint.id())
    }
}

/// Makes calls that do not inherit the deadline of the handler they are made in; given by
/// [`Context::without_deadline`].
///
/// ```
/// use std::time::Duration;
/// use zctor::{ActorEngine, CallError, Context, actor};
///
/// #[actor]
/// pub enum LedgerMessage {
///     #[reply(())]
///     Undo,
/// }
/// struct Ledger;
/// impl LedgerHandler for Ledger {
///     fn undo(&mut self) {}
/// }
///
/// #[actor(calls(LedgerMessage))]
/// pub enum OrderMessage {
///     #[reply(Result<(), CallError>)]
///     Cancel,
/// }
/// struct Order;
/// impl OrderHandler for Order {
///     fn cancel(&mut self, ctx: &mut Context<OrderMessage>) -> Result<(), CallError> {
///         ctx.without_deadline().call(LedgerMessage::undo())
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// engine.pool(1, LedgerMessage::actor(|| Ledger))?;
/// let order: OrderClient = engine.pool(1, OrderMessage::actor(|| Order))?;
/// order.within(Duration::from_secs(60)).cancel()??;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct NoDeadline<'a, M: Message> {
    ctx: &'a Context<M>,
}

impl<M: Message> NoDeadline<'_, M> {
    /// Sends a request and waits for the reply, as [`Context::call`] does, but without a deadline.
    ///
    /// # Errors
    /// As [`Context::call`], except for `Timeout`.
    ///
    /// # Blocking
    /// As [`Context::call`].
    pub fn call<Q>(&self, request: Q) -> Result<Q::Reply, CallError>
    where
        Q: AnsweredInHandler,
        Q::Message: CallableFrom<M>,
    {
        self.ctx.target(|target| call(target.with_limit(Limit::None), request))
    }

    /// Gives a client, as [`Context::client`] does; its calls inherit no deadline.
    ///
    /// # Errors
    /// As [`Context::client`].
    pub fn client<T: CallableFrom<M> + Message>(&self) -> Result<T::Client, CallError> {
        self.ctx.client_of::<T>(Limit::None).map(Into::into)
    }
}
