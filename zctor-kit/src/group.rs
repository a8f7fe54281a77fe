//! Groups: actors whose states make no sense without each other start afresh together.
//!
//! After a panic the engine builds the state of that one instance again, and leaves the others as they are. In a group
//! the others are reset too: all of them, or those that were added later. A group may give up: beyond its limit, or when
//! the [`Restart`](zctor::Restart) of a member ends that, it ends all its members.
//!
//! 1. The group is an actor with a thread of its own, which watches each member from `add` on.
//! 2. Each panic of a member counts for the limit, unless it changes nothing: one in `on_stop`, in `on_panic` or in a
//!    drop. Within the limit the group resets the others; the engine builds the one that panicked.
//! 3. A reset keeps its place among the messages: what was sent to a member before is handled by its old state. The
//!    group resets its members in the order in which they were added, and does not wait between them. Meanwhile the one
//!    that panicked is back already, and may have sent to them. So a member reads what it builds on in its `on_start`,
//!    which runs after the reset, and takes what comes twice.
//! 4. A reset is no panic, so it leads to no further one. If the factory of a member fails then, that is one.
//! 5. Beyond the limit the members are stopped, the last one first. Then the engine is stopped, if the group says so.
//!    Then its hook is told why, and the group ends.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use zctor::{
    ActorThread, AfterPanic, CallError, Client, Context, End, Ended, EngineHandle, InstanceId, Message, PanicEvent,
    PanicOrigin, SpawnError, WatchError, actor, now,
};

/// Rules of a group in which a panic of one member has all others reset.
///
/// ```
/// use std::time::Duration;
/// use zctor::{ActorEngine, actor};
/// use zctor_kit::group::one_for_all;
///
/// #[actor]
/// pub enum CounterMessage {
///     #[reply(u32)]
///     Next,
///     #[reply(())]
///     Break,
/// }
/// #[derive(Default)]
/// struct Counter(u32);
/// impl CounterHandler for Counter {
///     fn next(&mut self) -> u32 {
///         self.0 += 1;
///         self.0
///     }
///     fn r#break(&mut self) {
///         panic!("broken");
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # std::panic::set_hook(Box::new(|_| {}));
/// let engine = ActorEngine::new();
/// let left: CounterClient = engine.start(CounterMessage::actor(Counter::default))?;
/// let right: CounterClient = engine.start(CounterMessage::actor(Counter::default))?;
/// let group = one_for_all().at_most(3, Duration::from_secs(10)).start(&engine.handle())?;
/// group.add(&left)?;
/// group.add(&right)?;
///
/// assert_eq!((left.next()?, right.next()?), (1, 1));
/// assert!(left.r#break().is_err());
/// engine.settle();
/// assert_eq!((left.next()?, right.next()?), (1, 1)); // both begin anew
/// # Ok(())
/// # }
/// ```
pub fn one_for_all() -> Rules {
    Rules::new(Strategy::OneForAll)
}

/// Rules of a group in which a panic of one member has those reset that were added after it, since they build on it.
///
/// ```
/// # use zctor::{ActorEngine, actor};
/// # #[actor]
/// # pub enum CounterMessage { #[reply(u32)] Next, #[reply(())] Break }
/// # #[derive(Default)]
/// # struct Counter(u32);
/// # impl CounterHandler for Counter {
/// #     fn next(&mut self) -> u32 { self.0 += 1; self.0 }
/// #     fn r#break(&mut self) { panic!("broken"); }
/// # }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # std::panic::set_hook(Box::new(|_| {}));
/// # let engine = ActorEngine::new();
/// use zctor_kit::group::rest_for_one;
///
/// let store: CounterClient = engine.start(CounterMessage::actor(Counter::default))?;
/// let index: CounterClient = engine.start(CounterMessage::actor(Counter::default))?;
/// let group = rest_for_one().start(&engine.handle())?;
/// group.add(&store)?;
/// group.add(&index)?;
///
/// assert_eq!((store.next()?, index.next()?), (1, 1));
/// assert!(index.r#break().is_err());
/// engine.settle();
/// assert_eq!((store.next()?, index.next()?), (2, 1)); // the store goes on
/// # Ok(())
/// # }
/// ```
pub fn rest_for_one() -> Rules {
    Rules::new(Strategy::RestForOne)
}

#[derive(Clone, Copy)]
enum Strategy {
    OneForAll,
    RestForOne,
}

/// The rules of a group, before it is started: whom it resets, how often, and what follows.
#[must_use = "a group does nothing until it is started"]
pub struct Rules {
    strategy: Strategy,
    limit: Option<(usize, Duration)>,
    stops_engine: bool,
    on_end: Box<dyn FnOnce(&GroupEnd) + Send>,
}

impl Rules {
    fn new(strategy: Strategy) -> Self {
        Self { strategy, limit: None, stops_engine: false, on_end: Box::new(|_| {}) }
    }

    /// Sets the limit: one more panic than `restarts` within `window` ends the group. Without it there is no limit.
    ///
    /// A member's own [`Restart`](zctor::Restart) counts that member's panics beside it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zctor_kit::group::one_for_all;
    ///
    /// let rules = one_for_all().at_most(3, Duration::from_secs(10));
    /// assert_eq!(format!("{rules:?}"), "Rules { limit: Some((3, 10s)), .. }");
    /// ```
    pub fn at_most(self, restarts: usize, window: Duration) -> Self {
        Self { limit: Some((restarts, window)), ..self }
    }

    /// Stops the engine when the group ends by a panic, as [`Restart::or_stop_engine`](zctor::Restart::or_stop_engine)
    /// does for one actor.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor]
    /// # pub enum CounterMessage { #[reply(u32)] Next, #[reply(())] Break }
    /// # #[derive(Default)]
    /// # struct Counter(u32);
    /// # impl CounterHandler for Counter {
    /// #     fn next(&mut self) -> u32 { self.0 += 1; self.0 }
    /// #     fn r#break(&mut self) { panic!("broken"); }
    /// # }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # std::panic::set_hook(Box::new(|_| {}));
    /// use zctor_kit::group::one_for_all;
    ///
    /// let engine = ActorEngine::new();
    /// let counter: CounterClient = engine.start(CounterMessage::actor(Counter::default))?;
    /// let group = one_for_all().at_most(0, Duration::from_secs(10)).or_stop_engine().start(&engine.handle())?;
    /// group.add(&counter)?;
    /// assert!(counter.r#break().is_err());
    /// engine.wait(); // until the group has ended, and the engine with it
    /// assert_eq!(engine.shutdown()?.panicked(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn or_stop_engine(self) -> Self {
        Self { stops_engine: true, ..self }
    }

    /// Has `hook` told why the group has ended, when its members are stopped: to log it, or to tell an actor that
    /// decides what follows. It runs on the group's thread, and may send but not wait.
    ///
    /// ```
    /// # use std::sync::mpsc;
    /// # use std::time::Duration;
    /// # use zctor::{ActorEngine, CallError, actor};
    /// # use zctor_kit::group::one_for_all;
    /// # #[actor]
    /// # pub enum CounterMessage { #[reply(u32)] Next, #[reply(())] Break }
    /// # #[derive(Default)]
    /// # struct Counter(u32);
    /// # impl CounterHandler for Counter {
    /// #     fn next(&mut self) -> u32 { self.0 += 1; self.0 }
    /// #     fn r#break(&mut self) { panic!("broken"); }
    /// # }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # std::panic::set_hook(Box::new(|_| {}));
    /// # let engine = ActorEngine::new();
    /// # let left: CounterClient = engine.start(CounterMessage::actor(Counter::default))?;
    /// # let right: CounterClient = engine.start(CounterMessage::actor(Counter::default))?;
    /// let (tell, told) = mpsc::channel();
    /// let group = one_for_all()
    ///     .at_most(0, Duration::from_secs(10))
    ///     .on_end(move |end| tell.send(end.to_string()).unwrap_or_default())
    ///     .start(&engine.handle())?;
    /// group.add(&left)?;
    /// group.add(&right)?;
    /// assert!(left.r#break().is_err());
    /// let end = told.recv()?;
    /// assert!(end.starts_with("the group ended with a panic of `CounterMessage`") && end.ends_with(": broken"));
    /// engine.settle();
    /// assert_eq!(right.next(), Err(CallError::Stopped { message: "CounterMessage" }));
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_end(self, hook: impl FnOnce(&GroupEnd) + Send + 'static) -> Self {
        Self { on_end: Box::new(hook), ..self }
    }

    /// Starts the group, without members.
    ///
    /// # Errors
    /// As [`EngineHandle::start_on`].
    ///
    /// # Blocking
    /// Until its thread has started.
    pub fn start(self, engine: &EngineHandle) -> Result<Group, SpawnError> {
        let members = Members { rules: Some(self), members: Vec::new(), panics: VecDeque::new() };
        let client = engine.start_on(ActorThread::named("zctor-group"), GroupMessage::actor_once(move || members))?;
        Ok(Group { client })
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// A group that has started. It is cheap to clone; dropping it ends nothing.
#[derive(Clone, Debug)]
pub struct Group {
    client: GroupClient,
}

impl Group {
    /// Adds the instance that `client` is bound to. If it is a member already, nothing changes.
    ///
    /// A member that is stopped leaves the group. For a pool, add a client of each instance:
    /// `pool.instances().into_iter().try_for_each(|id| group.add(&pool.pin(id)))`.
    ///
    /// # Errors
    /// - [`AddError::Unbound`]: the client is bound to no single instance.
    /// - [`AddError::Refused`]: the group has ended, or it may not be waited for here.
    ///
    /// # Blocking
    /// Until the group watches the member. A handler that adds members needs a call depth of one or more; another actor
    /// can add them before.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor]
    /// # pub enum CounterMessage { #[reply(u32)] Next, #[reply(())] Break }
    /// # #[derive(Default)]
    /// # struct Counter(u32);
    /// # impl CounterHandler for Counter {
    /// #     fn next(&mut self) -> u32 { self.0 += 1; self.0 }
    /// #     fn r#break(&mut self) { panic!("broken"); }
    /// # }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use zctor_kit::group::{AddError, one_for_all};
    ///
    /// let engine = ActorEngine::new();
    /// let pool: CounterClient = engine.pool(2, CounterMessage::actor(Counter::default))?;
    /// let group = one_for_all().start(&engine.handle())?;
    /// assert_eq!(group.add(&pool), Err(AddError::Unbound { message: "CounterMessage" }));
    /// pool.instances().into_iter().try_for_each(|id| group.add(&pool.pin(id)))?;
    /// # let _ = Duration::ZERO;
    /// # Ok(())
    /// # }
    /// ```
    pub fn add<M: Message, V: 'static>(&self, client: &Client<M, V>) -> Result<(), AddError> {
        let Some(id) = client.instance_id() else { return Err(AddError::Unbound { message: M::name() }) };
        match self.client.add(Box::new(Bound { client: client.clone(), id })) {
            Ok(watched) => watched.map_err(|_| AddError::Unbound { message: M::name() }),
            Err(error) => Err(AddError::Refused(error)),
        }
    }
}

/// Error returned by [`Group::add`].
///
/// ```
/// use zctor_kit::group::AddError;
///
/// let error = AddError::Unbound { message: "CounterMessage" };
/// assert_eq!(error.to_string(), "this client of `CounterMessage` is bound to no single instance; pin one");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddError {
    /// The client is bound to no single instance; `pin` it to one.
    Unbound {
        /// The name of the message type.
        message: &'static str,
    },
    /// The group could not be asked: [`CallError::Stopped`] if it has ended.
    Refused(CallError),
}

impl fmt::Display for AddError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unbound { message } => {
                write!(f, "this client of `{message}` is bound to no single instance; pin one")
            }
            Self::Refused(error) => write!(f, "the group takes no member: {error}"),
        }
    }
}

impl Error for AddError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unbound { .. } => None,
            Self::Refused(error) => Some(error),
        }
    }
}

/// Why a group has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupEnd {
    /// The member whose panic was one too many.
    pub instance: InstanceId,
    /// The name of its message type.
    pub message: &'static str,
    /// The text of that panic.
    pub text: Arc<str>,
}

impl fmt::Display for GroupEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { instance, message, text } = self;
        write!(f, "the group ended with a panic of `{message}` {instance}: {text}")
    }
}

/// A member, whatever its message type.
trait Member: Send {
    fn id(&self) -> InstanceId;
    fn watch(&self, ctx: &Context<GroupMessage>) -> Result<(), WatchError>;
    fn reset(&self);
    fn stop(&self);
}

struct Bound<M: Message, V> {
    client: Client<M, V>,
    id: InstanceId,
}

impl<M: Message, V: 'static> Member for Bound<M, V> {
    fn id(&self) -> InstanceId {
        self.id
    }

    fn watch(&self, ctx: &Context<GroupMessage>) -> Result<(), WatchError> {
        ctx.watch_panics(&self.client, GroupMessage::Panicked)?;
        ctx.watch(&self.client, GroupMessage::Ended)
    }

    // One that has ended meanwhile needs neither, and the group is told of its end.

    fn reset(&self) {
        self.client.reset().unwrap_or_default();
    }

    fn stop(&self) {
        self.client.stop().unwrap_or_default();
    }
}

#[actor(ctx)]
enum GroupMessage {
    #[reply(Result<(), WatchError>)]
    Add(Box<dyn Member>),
    #[msg(internal)]
    Panicked(PanicEvent),
    #[msg(internal)]
    Ended(Ended),
}

struct Members {
    /// `None` when the group has ended.
    rules: Option<Rules>,
    /// In the order in which they were added.
    members: Vec<Box<dyn Member>>,
    /// When members have panicked within the window, oldest first.
    panics: VecDeque<Instant>,
}

impl Members {
    fn position(&self, instance: InstanceId) -> Option<usize> {
        self.members.iter().position(|member| member.id() == instance)
    }

    /// Notes a panic; gives whether it is one too many.
    fn is_beyond_limit(&mut self) -> bool {
        let Some((restarts, window)) = self.rules.as_ref().and_then(|rules| rules.limit) else { return false };
        let now = now();
        self.panics.push_back(now);
        while self.panics.front().is_some_and(|first| now.duration_since(*first) > window) {
            self.panics.pop_front();
        }
        self.panics.len() > restarts
    }

    fn end(&mut self, ctx: &mut Context<GroupMessage>, end: &GroupEnd) {
        self.members.drain(..).rev().for_each(|member| member.stop());
        ctx.stop();
        if let Some(rules) = self.rules.take() {
            if rules.stops_engine {
                ctx.engine().stop();
            }
            (rules.on_end)(end);
        }
    }
}

impl GroupHandler for Members {
    fn add(&mut self, ctx: &mut Context<GroupMessage>, member: Box<dyn Member>) -> Result<(), WatchError> {
        // A second watch would tell of each panic twice.
        if self.position(member.id()).is_some() {
            return Ok(());
        }
        member.watch(ctx)?;
        self.members.push(member);
        Ok(())
    }

    fn panicked(&mut self, ctx: &mut Context<GroupMessage>, panic: PanicEvent) {
        let Some(index) = self.position(panic.instance) else { return };
        let changes_nothing = matches!(panic.origin, PanicOrigin::OnStop | PanicOrigin::OnPanic | PanicOrigin::Drop);
        // One that ends is told as `Ended` next.
        if changes_nothing || panic.next == AfterPanic::Ended {
            return;
        }
        if self.is_beyond_limit() {
            let PanicEvent { instance, message, text, .. } = panic;
            return self.end(ctx, &GroupEnd { instance, message, text });
        }
        let (first, but) = match self.rules.as_ref().map(|rules| rules.strategy) {
            Some(Strategy::OneForAll) => (0, index),
            Some(Strategy::RestForOne) => (index + 1, index),
            None => return,
        };
        let others = self.members.iter().enumerate().skip(first).filter(|(other, _)| *other != but);
        others.for_each(|(_, member)| member.reset());
    }

    fn ended(&mut self, ctx: &mut Context<GroupMessage>, ended: Ended) {
        let Some(index) = self.position(ended.instance) else { return };
        self.members.remove(index);
        if let Ended { instance, message, why: End::Panicked(text), .. } = ended {
            self.end(ctx, &GroupEnd { instance, message, text });
        }
    }
}
