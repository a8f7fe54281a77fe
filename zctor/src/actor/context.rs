//! What a handler is given: who it is, whom it can reach, and what it can ask of its thread.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::actor::cell::{PipeTask, SharedCell};
use crate::actor::pipe::{OncePipe, PanicPipe, Pipe, Start, Starter, pipe_waker};
use crate::actor::timer::{Timer, send_after, send_every};
use crate::client::message::{AnsweredInHandler, CallableFrom, Message};
use crate::client::{Client, call};
use crate::error::{CallError, Refusal, SendError, WatchError};
use crate::event::{Ended, PanicEvent};
use crate::id::{InstanceId, ThreadId};
use crate::mailbox::mail::{Mail, Order};
use crate::messaging;
use crate::messaging::binding::{Binding, Limit};
use crate::messaging::target::Target;
use crate::route::payload::{Kind, ToPort};
use crate::route::pool::{KnownPool, known};
use crate::sys::awaited::Running;
use crate::thread::local::{Local, Requested};

/// What the handlers of `M` are given as their first parameter, if the enum has `calls(..)` or `#[actor(ctx)]`.
///
/// Hooks and fallible factories always get it. It belongs to one instance and stays on its thread.
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
pub struct Context<M: Message> {
    pub(crate) local: Rc<Local>,
    shared: Rc<SharedCell<M>>,
}

impl<M: Message> Context<M> {
    pub(crate) fn new(local: Rc<Local>, shared: Rc<SharedCell<M>>) -> Self {
        Self { local, shared }
    }

    /// The thread that this instance lives on.
    pub fn thread_id(&self) -> ThreadId {
        self.local.mailbox.thread
    }

    /// This instance.
    pub fn instance_id(&self) -> InstanceId {
        self.shared.endpoint.id()
    }

    /// A client bound to this very instance, to hand out.
    pub fn me(&self) -> M::Client {
        let endpoint = Arc::clone(&self.shared.endpoint);
        let pool = if self.shared.endpoint.pooled { self.pool::<M>() } else { None };
        Client::of_one(pool.map(|known| Arc::clone(&known.pool)), endpoint).into()
    }

    fn pool<T: Message>(&self) -> Option<Rc<KnownPool<T>>> {
        known(&self.local)
    }

    fn target<T: Message, R>(&self, limit: Limit, f: impl FnOnce(Target<'_, T>) -> R) -> R {
        Target::with(&self.local, |target| f(target.with_limit(limit)))
    }

    /// Sends a message to the next instance of its type, in turn.
    ///
    /// # Errors
    /// - [`SendError::NotRegistered`]: the type has no live instance.
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
        self.target(Limit::Inherited, |target| messaging::send(&target, place))
    }

    /// Sends a copy to every instance of the type; gives the number reached.
    ///
    /// # Errors
    /// As [`send`](Context::send).
    ///
    /// # Blocking
    /// Never.
    pub fn broadcast<T: Message + Clone>(&self, message: T) -> Result<usize, SendError<T>> {
        self.target(Limit::Inherited, |target| messaging::broadcast(&target, message))
    }

    /// Sends a request to the next instance of its type and waits for the reply.
    ///
    /// A call is a yield point of this thread: no borrow, lock or transaction that a neighbour on the thread can reach
    /// may be held across one. It needs the declaration `calls(..)` of this enum's `#[actor]`.
    ///
    /// # Errors
    /// - [`CallError::NotRegistered`]: the type has no live instance; nothing was sent.
    /// - [`CallError::Stopped`]: the engine or the instance stopped before it was handled.
    /// - [`CallError::Panicked`]: the handler panicked; the message is spent.
    /// - [`CallError::Timeout`]: what was left of the caller's deadline passed first.
    /// - [`CallError::NoReply`]: the handler gave the reply up.
    ///
    /// # Blocking
    /// Until the reply is there; instances of lower call depth on this thread are served meanwhile.
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
    pub fn call<Q>(&self, request: Q) -> Result<Q::Reply, CallError>
    where
        Q: AnsweredInHandler,
        Q::Message: CallableFrom<M>,
    {
        let (message, port) = request.__into().into_parts();
        self.call_from::<_, _, Q::Kind>(&mut Some(message), port)
    }

    #[inline(never)]
    fn call_from<T: Message, R: 'static, K: Kind>(
        &self,
        place: &mut Option<T>,
        port: ToPort<T, R>,
    ) -> Result<R, CallError> {
        self.target(Limit::Inherited, |target| messaging::call::<T, R, K>(&target, place, port))
    }

    /// As [`send`](Context::send), but only to instances on this thread, in turn among them.
    ///
    /// # Errors
    /// - [`SendError::NotRegistered`]: the type has no live instance on this thread.
    /// - [`SendError::Stopped`]: the engine has stopped.
    ///
    /// # Blocking
    /// Never.
    pub fn send_local<T: Message>(&self, message: T) -> Result<(), SendError<T>> {
        match self.local_binding::<T>() {
            Ok(binding) => messaging::send(&Target::at_one(&binding), &mut Some(message)),
            Err(refusal) => Err(SendError::new(T::NAME, message, refusal)),
        }
    }

    /// As [`call`](Context::call), but only to instances on this thread, in turn among them.
    ///
    /// # Errors
    /// As [`call`](Context::call); `NotRegistered` if the type has no live instance on this thread.
    ///
    /// # Blocking
    /// As [`call`](Context::call).
    pub fn call_local<Q>(&self, request: Q) -> Result<Q::Reply, CallError>
    where
        Q: AnsweredInHandler,
        Q::Message: CallableFrom<M>,
    {
        let name = <Q::Message as Message>::NAME;
        let binding = self.local_binding::<Q::Message>().map_err(|refusal| CallError::refused(name, refusal))?;
        call(&Target::at_one(&binding), request)
    }

    /// Counts a refusal.
    fn local_binding<T: Message>(&self) -> Result<Binding<T>, Refusal> {
        let known = self.pool::<T>().ok_or(Refusal::NotRegistered);
        let endpoint = known.and_then(|known| known.next_local(&self.local));
        endpoint.map(Binding::One).inspect_err(|_| self.local.mailbox.edge.losses.refuse(1))
    }

    /// A client whose calls wait; it needs the declaration `calls(..)` of this enum's `#[actor]`.
    ///
    /// # Errors
    /// [`CallError::NotRegistered`]: the type has no live instance.
    pub fn client<T: CallableFrom<M> + Message>(&self) -> Result<T::Client, CallError> {
        self.client_of::<T>(Limit::Inherited).map(Into::into)
    }

    /// A client whose calls give a [`Pending`](crate::Pending), to be piped or detached; it needs no declaration.
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
    /// `what` is a request (which is sent at once), a [`Pending`](crate::Pending), or a tuple or `Vec` of `Pending`s.
    /// `then` runs on this thread, so it may hold what is not `Send`. A rebuild of this instance's state ends the pipe.
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
    pub fn pipe<W: Pipe>(&self, what: W, then: impl FnOnce(W::Outcome) -> M + 'static)
    where
        W::Running: Running<Outcome = W::Outcome>,
    {
        self.await_here(<W as Start>::__start(what, &Starter(&self.local)), then);
    }

    /// Has this instance get a message when `running` is there.
    fn await_here<W: Running + 'static>(&self, running: W, then: impl FnOnce(W::Outcome) -> M + 'static) {
        self.add_pipe(Box::new(OncePipe { running, then }));
    }

    fn add_pipe(&self, mut task: Box<dyn PipeTask<M>>) {
        let id = self.local.timers.next_serial();
        let slot = self.shared.slot();
        let waker = pipe_waker(&self.local, slot, id);
        let there = task.poll(&waker);
        self.shared.with_extras(|extras| extras.pipes.insert(id, (waker, task)));
        if there {
            // Behind what is in the mailbox already: of one that has ended, all that it had sent.
            let _ = self.local.mailbox.push(Mail::order(slot, Order::Piped(id)));
        }
    }

    /// Turns the end of another instance into a message to this one: when it has stopped, has panicked beyond its limit,
    /// or was abandoned with its thread. A rebuild is no end.
    ///
    /// The message comes after all that the ended instance had sent to this one, and at once for an instance that has
    /// ended before. `then` runs on this thread; it may send, not wait. A watch ends with its instance, and with a
    /// rebuild of its state.
    ///
    /// # Errors
    /// [`WatchError::Unbound`]: the client is bound to no single instance. [`pin`](Client::pin) one.
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
    pub fn watch<T: Message>(
        &self,
        client: &Client<T>,
        then: impl FnOnce(Ended) -> M + 'static,
    ) -> Result<(), WatchError> {
        self.await_here(client.end()?, then);
        Ok(())
    }

    /// Turns each panic in the code of another instance into a message to this one, with what becomes of that instance.
    ///
    /// The message comes after all that the other had sent to this one before. `then` runs on this thread; it may send, not
    /// wait. A watch ends with the instance that is watched, with its own, and with a rebuild of its own state.
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
    pub fn watch_panics<T: Message>(
        &self,
        client: &Client<T>,
        then: impl FnMut(PanicEvent) -> M + 'static,
    ) -> Result<(), WatchError> {
        self.add_pipe(Box::new(PanicPipe { watch: client.panics()?, then }));
        Ok(())
    }

    /// Sends `message` to this instance after `delay`.
    ///
    /// The timer is gone with the instance, and with a rebuild of its state; a shutdown closes it.
    pub fn send_after(&self, delay: Duration, message: M) -> Timer {
        send_after(&self.local, &self.shared, delay, message)
    }

    /// Sends this instance what `make` gives, every `period`, first after one period.
    ///
    /// Without drift: ticks come at multiples of the period. A tick that comes late, because the thread was busy, is
    /// not made up for by a burst. `make` may send, but not wait. A period below a millisecond counts as one.
    pub fn send_every(&self, period: Duration, make: impl FnMut() -> M + 'static) -> Timer {
        send_every(&self.local, &self.shared, period, Box::new(make))
    }

    /// The means for calls that must go out though the caller's deadline may have passed, such as a compensation.
    pub fn without_deadline(&self) -> NoDeadline<'_, M> {
        NoDeadline { ctx: self }
    }

    /// After this handler: `on_stop`, then the state is dropped, and the factory builds a fresh one before the next
    /// message. Ends an instance whose factory runs once.
    pub fn reset(&self) {
        // A stop that was asked for stays asked for.
        if self.shared.common.requested.get() == Requested::None {
            self.shared.common.requested.set(Requested::Reset);
        }
    }

    /// Ends this instance after this handler: `on_stop`, then the state is dropped. Its rotated mail goes to its
    /// siblings, the rest becomes dead letters.
    pub fn stop(&self) {
        self.shared.common.requested.set(Requested::Stop);
    }

    /// Whether the engine is shutting down: long handlers should come to an end.
    pub fn stopping(&self) -> bool {
        !self.local.mailbox.edge.is_open()
    }
}

impl<M: Message> fmt::Debug for Context<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Context({}, {})", M::NAME, self.shared.endpoint.id())
    }
}

/// Calls that do not inherit the deadline of the handler they are made in: see [`Context::without_deadline`].
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
    /// As [`Context::call`], without a deadline.
    ///
    /// # Errors
    /// As [`Context::call`], but for `Timeout`.
    ///
    /// # Blocking
    /// As [`Context::call`].
    pub fn call<Q>(&self, request: Q) -> Result<Q::Reply, CallError>
    where
        Q: AnsweredInHandler,
        Q::Message: CallableFrom<M>,
    {
        self.ctx.target(Limit::None, |target| call(&target, request))
    }

    /// As [`Context::client`]; its calls inherit no deadline.
    ///
    /// # Errors
    /// As [`Context::client`].
    pub fn client<T: CallableFrom<M> + Message>(&self) -> Result<T::Client, CallError> {
        self.ctx.client_of::<T>(Limit::None).map(Into::into)
    }
}
