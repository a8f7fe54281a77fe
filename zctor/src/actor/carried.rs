//! [`Carried`]: code that a handler hands to other threads runs by it as a part of the handler.

use std::fmt;
use std::sync::Arc;

use crate::actor::context::Context;
use crate::client::message::Message;
use crate::report::running::NamedInstance;
use crate::thread::carried::{self, Home};
use crate::thread::serve_while::serve_while;

/// Makes code on other threads a part of the handler that has handed it there; given by [`Context::carry`] and
/// [`Context::serve_while`].
///
/// A handler may hand work to a thread pool, such as rayon's, or to scoped threads, and wait for it there. zctor does
/// not see that wait. If the work then calls the handler's own actor, or another one on the handler's thread, the two
/// wait for each other. Inside [`run`](Carried::run) such a call is refused instead:
///
/// - A wait is checked by the handler's call depth, and inherits the handler's deadline.
/// - A wait for an instance on the handler's own thread is refused, since that thread does not serve it; so is one for
///   a pool of which an instance lives there. While the handler is in [`serve_while`](Context::serve_while) its thread
///   does serve, and such a wait is allowed.
/// - Sends and calls go past every [`mailbox_bound`](crate::ActorThread::mailbox_bound), as all from inside do.
/// - [`Stats`](crate::Stats) lists a wait as one of the handler's.
///
/// A callee on a third thread may in its turn need the handler's thread. Only `serve_while` covers that; a deadline
/// ends it otherwise. Code that outlives the handler needs none of this: it is outside, as any other thread.
///
/// ```
/// use zctor::{ActorEngine, CallError, Context, actor};
///
/// #[actor(ctx)]
/// pub enum SumMessage {
///     #[reply(Result<u32, CallError>)]
///     Sum,
///     #[reply(u32)]
///     Part(u32),
/// }
/// struct Sum;
/// impl SumHandler for Sum {
///     fn sum(&mut self, ctx: &mut Context<SumMessage>) -> Result<u32, CallError> {
///         let (me, carried) = (ctx.me(), ctx.carry());
///         std::thread::scope(|scope| {
///             // Without `run`, this call would wait for this very handler, and the handler for this thread.
///             let part = scope.spawn(|| carried.run(|| me.part(1)));
///             part.join().expect("it does not panic")
///         })
///     }
///     fn part(&mut self, _ctx: &mut Context<SumMessage>, part: u32) -> u32 {
///         part
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// let sum = engine.start(SumMessage::actor(|| Sum))?;
/// assert!(matches!(sum.sum()?, Err(CallError::Undeclared { .. })));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Carried {
    home: Arc<Home>,
}

impl Carried {
    /// Runs `code` on this thread as a part of the handler. A panic of `code` goes on to the caller.
    ///
    /// Inside other code that the runtime runs, such as another handler, the stricter of both depths and the earlier of
    /// both deadlines hold.
    ///
    /// # Blocking
    /// As long as `code` takes.
    pub fn run<R>(&self, code: impl FnOnce() -> R) -> R {
        carried::run(&self.home, code)
    }
}

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Carried({})", self.home.handler)
    }
}

impl<M: Message> Context<M> {
    /// Gives what code on other threads needs to run as a part of this handler: its waits are checked then.
    ///
    /// An example is at [`Carried`].
    pub fn carry(&self) -> Carried {
        let handler = NamedInstance { instance: self.instance_id(), message: M::name() };
        Carried { home: Home::new(&self.local, handler) }
    }

    /// Runs `work` on a thread of its own as a part of this handler, and serves the instances of lower call depth on
    /// this thread until it has ended.
    ///
    /// So `work`, and what it hands to further threads by the [`Carried`] that it is given, may wait for whatever this
    /// handler may wait for, on this thread too. A call is a yield point of this thread, and so is this: hold no
    /// borrow, lock or transaction across it that another instance on the thread can reach.
    ///
    /// If the system refuses the thread, `work` runs on this one; then a wait of other threads for an instance on this
    /// one is refused, as by [`carry`](Context::carry).
    ///
    /// # Panics
    /// If `work` panics: its panic goes on in this handler.
    ///
    /// # Blocking
    /// Until `work` has ended, whatever the handler's deadline; the waits of `work` inherit that.
    ///
    /// ```
    /// use zctor::{ActorEngine, ActorThread, CallError, Context, actor};
    ///
    /// #[actor]
    /// pub enum CacheMessage {
    ///     #[reply(u32)]
    ///     Get(u32),
    /// }
    /// struct Cache;
    /// impl CacheHandler for Cache {
    ///     fn get(&mut self, key: u32) -> u32 {
    ///         key * 10
    ///     }
    /// }
    ///
    /// #[actor(calls(CacheMessage))]
    /// pub enum PageMessage {
    ///     #[reply(Result<u32, CallError>)]
    ///     Render,
    /// }
    /// struct Page;
    /// impl PageHandler for Page {
    ///     fn render(&mut self, ctx: &mut Context<PageMessage>) -> Result<u32, CallError> {
    ///         let cache: CacheClient = ctx.client::<CacheMessage>()?;
    ///         // In place of the scope: `rayon::join`, with `carried.run` in each closure.
    ///         ctx.serve_while(|carried| {
    ///             std::thread::scope(|scope| {
    ///                 let left = scope.spawn(|| carried.run(|| cache.get(1)));
    ///                 let right = cache.get(2)?;
    ///                 Ok(left.join().expect("it does not panic")? + right)
    ///             })
    ///         })
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = ActorEngine::new();
    /// // Both on one thread: the page's thread serves the cache meanwhile.
    /// let cache = CacheMessage::actor(|| Cache);
    /// engine.spawn(ActorThread::new().register(PageMessage::actor(|| Page)).register(cache))?;
    /// assert_eq!(engine.call(PageMessage::render())??, 30);
    /// # Ok(())
    /// # }
    /// ```
    pub fn serve_while<R: Send>(&self, work: impl FnOnce(&Carried) -> R + Send) -> R {
        let carried = self.carry();
        serve_while(&carried.home, || carried.run(|| work(&carried)))
    }
}
