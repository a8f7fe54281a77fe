//! `Here`: the calling thread as an actor thread, for states that only the main thread may touch, such as a window's.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use crate::actor::{LocalRegistration, install_alone};
use crate::client::message::Message;
use crate::error::SpawnError;
use crate::id::ThreadId;
use crate::sys::frame::Frame;
use crate::sys::runtime::assert_may_block;
use crate::sys::unwind::UserClosure;
use crate::thread::borrowed::{as_actor_thread, become_borrowed, end, end_later, run_pending};
use crate::thread::local::Local;
use crate::thread::run::{ThreadGuard, run};

/// The calling thread as an actor thread, made by [`ActorEngine::here`](crate::ActorEngine::here). It stays on that
/// thread.
///
/// [`run`](Here::run) serves its instances until the engine stops. [`run_pending`](Here::run_pending) serves them bit
/// by bit, inside the event loop of another library. Between calls of these two, the thread counts as outside. If its
/// code calls an actor then, its own instances are served during the wait, since the callee may need them. So hold no
/// `RefCell` borrow across such a call that one of their handlers needs.
///
/// While a `Here` lives, its thread cannot wait for the engine's end: [`shutdown`](crate::ActorEngine::shutdown) and
/// the drop of the engine only begin the shutdown there.
///
/// Dropping it ends its instances, and messages that wait for them become dead letters. To have those handled, stop the
/// engine first and let the thread run to the end: `engine.handle().stop(); here.run();`. If a handler of one of its
/// instances drops it, they end as soon as no handler runs on this thread any more.
///
/// ```
/// use std::rc::Rc;
/// use zctor::{ActorEngine, Context, actor};
///
/// #[actor]
/// pub enum WorkerMessage {
///     Double(u32, WindowClient),
/// }
/// struct Worker;
/// impl WorkerHandler for Worker {
///     fn double(&mut self, value: u32, window: WindowClient) {
///         window.show(value * 2).unwrap_or_default();
///     }
/// }
///
/// #[actor(ctx)]
/// pub enum WindowMessage {
///     Show(u32),
/// }
/// struct Window {
///     title: Rc<str>,
/// }
/// impl WindowHandler for Window {
///     fn show(&mut self, ctx: &mut Context<WindowMessage>, value: u32) {
///         assert_eq!((&*self.title, value), ("the only one", 42));
///         ctx.engine().stop();
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// let worker: WorkerClient = engine.pool(1, WorkerMessage::actor(|| Worker))?;
/// let here = engine.here()?;
/// let title: Rc<str> = "the only one".into();
/// let window: WindowClient = here.start::<WindowMessage>(move || Window { title })?;
/// worker.double(21, window)?;
/// here.run();
/// assert_eq!(engine.shutdown()?.handled(), 2);
/// # Ok(())
/// # }
/// ```
#[must_use = "its instances are served by `run` or `run_pending`; dropping it ends them"]
pub struct Here {
    /// `None` only while this is dropped.
    guard: Option<ThreadGuard>,
    local: Rc<Local>,
}

impl Here {
    pub(crate) fn new(guard: ThreadGuard) -> Self {
        let local = Rc::clone(guard.local());
        become_borrowed(&local);
        Self { guard: Some(guard), local }
    }

    /// Returns the number of this thread in its engine.
    pub fn thread_id(&self) -> ThreadId {
        self.local.mailbox.thread
    }

    /// Starts an instance on this thread, and returns a client bound to it.
    ///
    /// Its factory need not be `Send`. As with [`Context::start`](crate::Context::start), the instance is in no pool.
    /// If the factory is a closure, name the type of its messages, as in `here.start::<ScreenMessage>(..)`.
    ///
    /// # Errors
    /// - [`SpawnError::Factory`], [`SpawnError::FactoryPanicked`]: its factory failed.
    /// - [`SpawnError::Stopped`]: the engine has stopped, or this thread has ended.
    pub fn start<T: Message>(&self, actor: impl LocalRegistration<T>) -> Result<T::Client, SpawnError> {
        let local = &self.local;
        if local.mailbox.parker.is_closed() || !local.mailbox.engine.edge.is_open() {
            return Err(SpawnError::Stopped);
        }
        as_actor_thread(local, || install_alone::<T>(local, actor)).map(|endpoint| {
            let client = crate::client::Client::of_one(None, endpoint);
            client.into()
        })
    }

    /// Serves the instances of this thread until the engine stops, then ends them.
    ///
    /// If a handler of this thread calls it, it only drops this.
    ///
    /// # Blocking
    /// Waits until the engine stops.
    #[cfg_attr(feature = "tokio", track_caller)]
    pub fn run(self) {
        assert_may_block();
        if !Frame::current().is_user_code() {
            as_actor_thread(&self.local, || run(&self.local));
        }
    }

    /// Serves as many messages as wait for the instances of this thread when it is called, and the timers that are due.
    ///
    /// It serves no further messages for those that arrive meanwhile, so the event loop stays in control. It returns
    /// `false` when the engine has stopped: then the instances have ended. If a handler of this thread calls it, it
    /// does nothing.
    ///
    /// # Blocking
    /// Takes as long as the handlers take, and does not wait.
    ///
    /// ```
    /// use zctor::{ActorEngine, actor};
    ///
    /// #[actor]
    /// pub enum CounterMessage {
    ///     Add,
    ///     #[reply(u32)]
    ///     Read,
    /// }
    /// struct Counter(u32);
    /// impl CounterHandler for Counter {
    ///     fn add(&mut self) {
    ///         self.0 += 1;
    ///     }
    ///     fn read(&mut self) -> u32 {
    ///         self.0
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = ActorEngine::new();
    /// let here = engine.here()?;
    /// let counter: CounterClient = here.start::<CounterMessage>(|| Counter(0))?;
    /// counter.add()?;
    /// let count = counter.non_blocking().read();
    /// assert!(count.try_take().is_none());
    /// assert!(here.run_pending());
    /// assert_eq!(count.try_take(), Some(Ok(1)));
    /// assert_eq!(counter.read()?, 1); // a wait on this thread serves its instances too
    /// engine.handle().stop();
    /// while here.run_pending() {}
    /// # Ok(())
    /// # }
    /// ```
    pub fn run_pending(&self) -> bool {
        run_pending(&self.local)
    }

    /// Sets `wake`, which is called when there is something for `run_pending` to do.
    ///
    /// It is called once, and again only after `run_pending` has been called. It replaces the one that was set before.
    /// It runs on the thread that sends, on the process's clock thread, or on this thread. It may send, but not wait:
    /// let it post an event to the loop, and let the loop call `run_pending`.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use zctor::{ActorEngine, actor};
    ///
    /// #[actor]
    /// pub enum CounterMessage {
    ///     Add,
    /// }
    /// struct Counter(u32);
    /// impl CounterHandler for Counter {
    ///     fn add(&mut self) {
    ///         self.0 += 1;
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = ActorEngine::new();
    /// let here = engine.here()?;
    /// let (post, events) = mpsc::channel();
    /// here.on_message(move || post.send("messages").unwrap_or_default());
    /// let counter: CounterClient = here.start::<CounterMessage>(|| Counter(0))?;
    /// counter.add()?;
    /// // The loop:
    /// assert_eq!(events.recv()?, "messages");
    /// assert!(here.run_pending());
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_message(&self, wake: impl Fn() + Send + Sync + 'static) {
        let local = &self.local;
        drop(local.mailbox.parker.notify_by(Some(Arc::new(UserClosure::new(Box::new(wake))))));
        // Mail that came before `wake` was set has not called it: this looks for such mail, and calls it if there is
        // any.
        as_actor_thread(local, || ());
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        match self.guard.take() {
            Some(guard) if Frame::current().is_user_code() => end_later(&self.local, guard),
            Some(guard) => end(guard),
            None => {}
        }
    }
}

impl fmt::Debug for Here {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Here({})", self.thread_id())
    }
}
