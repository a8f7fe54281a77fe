//! The calling thread as an actor thread: for states that only the main thread may touch, a window's for instance.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use crate::actor::{LocalRegistration, install_on};
use crate::client::message::Message;
use crate::error::SpawnError;
use crate::id::ThreadId;
use crate::sys::frame::Frame;
use crate::sys::unwind::Quiet;
use crate::thread::borrowed::{as_actor_thread, become_borrowed, end, end_later, run_pending};
use crate::thread::local::Local;
use crate::thread::run::{ThreadGuard, run};

/// The calling thread as an actor thread, made by [`ActorEngine::here`](crate::ActorEngine::here). It stays on that
/// thread.
///
/// Its instances are served in [`run`](Here::run), or bit by bit in [`run_pending`](Here::run_pending), inside an event
/// loop of somebody else's; and while code of this thread waits for a reply. Between those this thread is an outside
/// thread like any other, but that it must not wait for the engine's end: [`shutdown`](crate::ActorEngine::shutdown) and
/// the drop of the engine only begin it here. Dropping it ends its instances; in a handler of one of them, as soon as no
/// handler of this thread runs any more.
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
    /// Taken when it is dropped.
    guard: Option<ThreadGuard>,
    local: Rc<Local>,
}

impl Here {
    pub(crate) fn new(guard: ThreadGuard) -> Self {
        let local = Rc::clone(guard.local());
        become_borrowed(&local);
        Self { guard: Some(guard), local }
    }

    /// The number of this thread in its engine.
    pub fn thread_id(&self) -> ThreadId {
        self.local.mailbox.thread
    }

    /// Starts an instance on this thread: its factory need not be `Send`. Gives a client bound to it; as with
    /// [`Context::start`](crate::Context::start) it is in no pool. A closure needs the type of its messages named, as in
    /// `here.start::<ScreenMessage>(..)`.
    ///
    /// # Errors
    /// - [`SpawnError::Factory`], [`SpawnError::FactoryPanicked`]: its factory failed.
    /// - [`SpawnError::Stopped`]: the engine has stopped, or this thread has ended.
    pub fn start<T: Message>(&self, actor: impl LocalRegistration<T>) -> Result<T::Client, SpawnError> {
        let local = &self.local;
        if local.mailbox.parker.is_closed() || !local.mailbox.edge.is_open() {
            return Err(SpawnError::Stopped);
        }
        as_actor_thread(local, || install_on::<T>(local, false, actor)).map(|endpoint| {
            let client = crate::client::Client::of_one(None, endpoint);
            client.into()
        })
    }

    /// Serves the instances of this thread until the engine stops, then ends them. Called from a handler of this thread it
    /// is a drop.
    ///
    /// # Blocking
    /// Until then.
    pub fn run(self) {
        if !Frame::current().is_user_code() {
            as_actor_thread(&self.local, || run(&self.local));
        }
    }

    /// Serves as many messages as wait for the instances of this thread, and what timers are due, but no more for what comes
    /// meanwhile; `false` when the engine has stopped: then they have ended.
    ///
    /// Called from a handler of this thread it does nothing.
    ///
    /// # Blocking
    /// Only as long as the handlers take.
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
    /// assert_eq!(counter.read()?, 1); // who waits here serves them too
    /// engine.handle().stop();
    /// while here.run_pending() {}
    /// # Ok(())
    /// # }
    /// ```
    pub fn run_pending(&self) -> bool {
        run_pending(&self.local)
    }

    /// Has `wake` called when there is something for `run_pending` to do: once, until that has been called. The last
    /// one given counts.
    ///
    /// It is called on whichever thread sends, on that of the process's timers, or on this. It may send, not wait: let it
    /// post an event to the loop, and the loop call `run_pending`.
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
        drop(local.mailbox.parker.notify_by(Some(Arc::new(Quiet::new(Box::new(wake))))));
        // What waits already has told nobody.
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
