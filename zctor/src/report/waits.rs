//! Chains of waits, down to the handler that all of them wait for.
//!
//! A wait says which thread its reply must come from. The next link is what that thread does just now: its innermost
//! wait, or the code that runs there. Chains of waits end, since every wait is for a lower call depth: the last link
//! waits for no actor.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::id::{InstanceId, ThreadId};
use crate::report::running::{Readable, RunningInstance, Typed, Wait, write_wait};

/// Less than that is not told apart.
const TENTH: Duration = Duration::from_millis(100);

/// A thread, as far as waits lead to it and on from it.
pub(crate) struct WaitLink<'a> {
    pub(crate) thread: ThreadId,
    pub(crate) name: &'a str,
    /// The code that runs there beside its waits.
    pub(crate) runs: Option<RunningInstance>,
    pub(crate) queued: usize,
    /// How many of those the code that runs does not handle.
    pub(crate) queued_behind: usize,
    pub(crate) oldest: Duration,
    /// Its waits, the outermost first.
    pub(crate) waits: &'a [Wait],
}

/// The waits of all handlers and of threads outside, as [`Stats::waits`](crate::Stats::waits) gives them: for each handler
/// that others wait for, directly or behind one another, a block of lines of which it is the last.
///
/// ```
/// use std::sync::mpsc::{Receiver, channel};
/// use zctor::{ActorEngine, ActorThread, Context, actor};
///
/// #[actor]
/// pub enum DatabaseMessage {
///     #[reply(())]
///     Load,
/// }
/// struct Database(Receiver<()>);
/// impl DatabaseHandler for Database {
///     fn load(&mut self) {
///         self.0.recv().unwrap_or_default(); // it does not come back
///     }
/// }
///
/// #[actor(calls(DatabaseMessage))]
/// pub enum WebMessage {
///     Page,
/// }
/// struct Web;
/// impl WebHandler for Web {
///     fn page(&mut self, ctx: &mut Context<WebMessage>) {
///         ctx.call(DatabaseMessage::load()).unwrap_or_default();
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// assert_eq!(engine.stats().waits().to_string(), "nothing waits");
/// let (open, gate) = channel();
/// engine.spawn(ActorThread::named("db").register(DatabaseMessage::actor_once(|| Database(gate))))?;
/// engine.spawn(ActorThread::named("web").register(WebMessage::actor(|| Web)))?;
/// engine.send(WebMessage::Page)?;
/// let waits = loop {
///     let waits = engine.stats().waits();
///     if waits.roots.iter().any(|root| root.runs.is_some()) {
///         break waits;
///     }
/// };
/// let root = &waits.roots[0];
/// assert_eq!((root.message, root.variant), (Some("DatabaseMessage"), Some("Load")));
/// let wait = root.handlers[0].wait;
/// assert_eq!((wait.message, wait.variant), ("WebMessage", Some("Page")));
/// let text = waits.to_string();
/// let culprit = text.lines().last().unwrap_or_default();
/// assert!(culprit.starts_with("    `DatabaseMessage::Load` 0.0 RUNS "), "{text}");
/// drop(open);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct WaitForest {
    /// The ends of all chains, in the order of their threads.
    pub roots: Vec<WaitRoot>,
}

/// The end of chains of waits, in [`WaitForest`]: what all the handlers in them wait for.
///
/// ```
/// use zctor::{ActorEngine, WaitRoot};
///
/// let roots: Vec<WaitRoot> = ActorEngine::new().stats().waits().roots;
/// assert!(roots.is_empty());
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WaitRoot {
    /// The thread that the chains end on. If it is [elsewhere](Self::is_elsewhere), this is its number in the other engine,
    /// and says nothing about the thread of this engine that has the same number: see [`own_thread`](Self::own_thread).
    pub thread: ThreadId,
    /// The name of the thread.
    pub name: String,
    /// Whether it is a thread of another engine, which has numbers of its own. Nothing else is known of it then.
    pub is_elsewhere: bool,
    /// The instance whose code runs there and waits for no actor. `None` if no code runs there: the reply is
    /// on its way, or a handler that has returned keeps its [`ReplyTo`](crate::ReplyTo).
    pub runs: Option<InstanceId>,
    /// The name of the message type of that instance.
    pub message: Option<&'static str>,
    /// The variant that it handles, where that is known: see [`RunningInstance::variant`].
    pub variant: Option<&'static str>,
    /// For how long it has run, at least: see [`RunningInstance::lasted`].
    pub lasted: Duration,
    /// Messages that wait on that thread or are being handled there.
    pub queued: usize,
    /// How many of those the code that runs does not handle: all but one at most.
    pub queued_behind: usize,
    /// The time for which the oldest of them has waited, at least: see [`ThreadStats::oldest`](crate::ThreadStats).
    pub oldest: Duration,
    /// The handlers that wait for it, those furthest from it first.
    pub handlers: Vec<WaitingHandler>,
    /// The threads outside that wait for it, those furthest from it first.
    pub callers: Vec<WaitingCaller>,
}

/// A handler that waits, in [`WaitRoot`].
///
/// ```
/// use zctor::{ActorEngine, WaitingHandler};
///
/// let waits = ActorEngine::new().stats().waits();
/// let handlers: Vec<WaitingHandler> = waits.roots.into_iter().flat_map(|root| root.handlers).collect();
/// assert!(handlers.is_empty());
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WaitingHandler {
    /// Which handler waits, for what, and for how long.
    pub wait: Wait,
    /// The number of waits from here to the root: 1 if it waits for the root's thread itself.
    pub distance: usize,
    /// The other instance whose code holds that thread, if the call is queued behind it there.
    pub behind: Option<InstanceId>,
}

/// A thread outside the engine that waits for a reply, in [`Stats`](crate::Stats).
///
/// ```
/// use std::sync::mpsc::{Receiver, channel};
/// use zctor::{ActorEngine, OutsideCaller, actor};
///
/// #[actor]
/// pub enum DatabaseMessage {
///     #[reply(())]
///     Load,
/// }
/// struct Database(Receiver<()>);
/// impl DatabaseHandler for Database {
///     fn load(&mut self) {
///         self.0.recv().unwrap_or_default();
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// let (open, gate) = channel();
/// let database: DatabaseClient = engine.start(DatabaseMessage::actor_once(|| Database(gate)))?;
/// std::thread::scope(|scope| {
///     let reader = std::thread::Builder::new().name("reader".into()).spawn_scoped(scope, || database.load());
///     let caller: OutsideCaller = loop {
///         if let Some(caller) = engine.stats().callers.first() {
///             break caller.clone();
///         }
///     };
///     assert_eq!(caller.thread.as_deref(), Some("reader"));
///     assert_eq!((caller.callee, caller.callee_variant), ("DatabaseMessage", Some("Load")));
///     drop(open);
///     reader.map(|reader| reader.join().is_ok())
/// })?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OutsideCaller {
    /// The name of the thread, if it has one. It may be an actor thread of another engine.
    pub thread: Option<String>,
    /// The name of the message type whose reply it waits for.
    pub callee: &'static str,
    /// The variant that it has called, where that is known: see [`Wait::callee_variant`].
    pub callee_variant: Option<&'static str>,
    /// The instance that it has called, where that is known: see [`Wait::callee_instance`].
    pub callee_instance: Option<InstanceId>,
    /// The thread that the reply must come from.
    pub on: ThreadId,
    /// For how long it has waited.
    pub lasted: Duration,
}

/// A thread outside that waits, in [`WaitRoot`].
///
/// ```
/// use zctor::{ActorEngine, WaitingCaller};
///
/// let waits = ActorEngine::new().stats().waits();
/// let callers: Vec<WaitingCaller> = waits.roots.into_iter().flat_map(|root| root.callers).collect();
/// assert!(callers.is_empty());
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WaitingCaller {
    /// The wait: its callee, and for how long.
    pub caller: OutsideCaller,
    /// The number of waits from here to the root: 1 if it waits for the root's thread itself.
    pub distance: usize,
    /// The other instance whose code holds that thread, if the call is queued behind it there.
    pub behind: Option<InstanceId>,
}

/// A thread as the end of a chain.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct ChainEnd {
    thread: ThreadId,
    /// It belongs to another engine.
    is_elsewhere: bool,
}

impl WaitForest {
    pub(crate) fn new(links: &[WaitLink<'_>], callers: &[OutsideCaller]) -> Self {
        let threads = Threads(links.iter().map(|link| (link.thread, link)).collect());
        let mut roots: BTreeMap<ChainEnd, WaitRoot> = BTreeMap::new();
        for wait in links.iter().flat_map(|link| link.waits) {
            let on = ChainEnd { thread: wait.on, is_elsewhere: wait.is_elsewhere };
            let (end, distance) = threads.end_of_chain(Some(wait.instance), on);
            let root = roots.entry(end).or_insert_with(|| threads.root(end));
            let behind = if wait.is_elsewhere { None } else { threads.holder(wait.on, wait.callee_instance) };
            root.handlers.push(WaitingHandler { wait: *wait, distance, behind });
        }
        for caller in callers {
            let on = ChainEnd { thread: caller.on, is_elsewhere: false };
            let (end, distance) = threads.end_of_chain(None, on);
            let root = roots.entry(end).or_insert_with(|| threads.root(end));
            let behind = threads.holder(caller.on, caller.callee_instance);
            root.callers.push(WaitingCaller { caller: caller.clone(), distance, behind });
        }
        let mut roots: Vec<_> = roots.into_values().collect();
        for root in &mut roots {
            root.handlers.sort_by_key(|one| std::cmp::Reverse(one.distance));
            root.callers.sort_by_key(|one| std::cmp::Reverse(one.distance));
        }
        Self { roots }
    }
}

/// The threads of an engine by their numbers.
struct Threads<'a>(BTreeMap<ThreadId, &'a WaitLink<'a>>);

impl Threads<'_> {
    /// Follows a chain that begins with a wait for the thread `on`. Gives the thread that it ends on, and its number of
    /// waits.
    fn end_of_chain(&self, waiter: Option<InstanceId>, on: ChainEnd) -> (ChainEnd, usize) {
        let (mut last, mut on) = (waiter, on);
        // The threads were not read all at once, so links of different moments might lead in a circle: each is followed
        // once.
        for distance in 1..=self.0.len() {
            let ChainEnd { thread, is_elsewhere: false } = on else { return (on, distance) };
            let Some(link) = self.0.get(&thread) else { return (on, distance) };
            match link.waits.last() {
                Some(wait) if link.runs.is_none() && Some(wait.instance) != last => {
                    on = ChainEnd { thread: wait.on, is_elsewhere: wait.is_elsewhere };
                    last = Some(wait.instance);
                }
                _ => return (on, distance),
            }
        }
        (on, self.0.len())
    }

    /// The instance whose code holds a thread, if it is another than the callee.
    fn holder(&self, on: ThreadId, callee: Option<InstanceId>) -> Option<InstanceId> {
        let link = self.0.get(&on)?;
        let waiting = link.waits.iter().map(|wait| wait.instance);
        let mut inside = waiting.chain(link.runs.map(|runs| runs.instance));
        let holds = inside.clone().last()?;
        (callee.is_some() && inside.all(|one| Some(one) != callee)).then_some(holds)
    }

    fn root(&self, ChainEnd { thread, is_elsewhere }: ChainEnd) -> WaitRoot {
        let link = if is_elsewhere { None } else { self.0.get(&thread) };
        let runs = link.and_then(|link| link.runs);
        WaitRoot {
            thread,
            name: link.map(|link| link.name.to_owned()).unwrap_or_default(),
            is_elsewhere,
            runs: runs.map(|runs| runs.instance),
            message: runs.map(|runs| runs.message),
            variant: runs.and_then(|runs| runs.variant),
            lasted: runs.map_or(Duration::ZERO, |runs| runs.lasted),
            queued: link.map_or(0, |link| link.queued),
            queued_behind: link.map_or(0, |link| link.queued_behind),
            oldest: link.map_or(Duration::ZERO, |link| link.oldest),
            handlers: Vec::new(),
            callers: Vec::new(),
        }
    }
}

impl fmt::Display for WaitForest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.roots.is_empty() {
            return f.write_str("nothing waits");
        }
        for (index, root) in self.roots.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{root}")?;
        }
        Ok(())
    }
}

impl fmt::Display for WaitRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.handlers.len(), self.callers.len()) {
            (1, 0) => writeln!(f, "1 handler waits:")?,
            (0, 1) => writeln!(f, "1 thread outside waits:")?,
            (many, 0) => writeln!(f, "{many} handlers wait, all for one:")?,
            (0, many) => writeln!(f, "{many} threads outside wait, all for one:")?,
            (handlers, callers) => {
                let plural = |count: usize| if count == 1 { "" } else { "s" };
                let (some, more) = (plural(handlers), plural(callers));
                writeln!(f, "{handlers} handler{some} and {callers} thread{more} outside wait, all for one:")?;
            }
        }
        let mut lines: Vec<(usize, String)> = Vec::new();
        lines.extend(self.callers.iter().map(|one| (one.distance, one.to_string())));
        lines.extend(self.handlers.iter().map(|one| (one.distance, one.to_string())));
        lines.sort_by_key(|(distance, _)| std::cmp::Reverse(*distance));
        let furthest = lines.first().map_or(0, |(distance, _)| *distance);
        for (distance, line) in lines {
            writeln!(f, "{:indent$}{line}", "", indent = 2 * (furthest - distance + 1))?;
        }
        write!(f, "{:indent$}", "", indent = 2 * (furthest + 1))?;
        self.write_end(f)
    }
}

impl WaitRoot {
    /// Returns the thread that the chains end on, if it is one of this engine; `None` if it is another engine's.
    ///
    /// ```
    /// use zctor::ActorEngine;
    ///
    /// let stats = ActorEngine::new().stats();
    /// let own: Vec<_> = stats.waits().roots.iter().filter_map(|root| root.own_thread()).collect();
    /// assert!(own.is_empty());
    /// ```
    pub fn own_thread(&self) -> Option<ThreadId> {
        (!self.is_elsewhere).then_some(self.thread)
    }

    /// The time for which the first of those has waited that wait for its thread itself.
    fn longest_direct(&self) -> Duration {
        let handlers = self.handlers.iter().map(|one| (one.distance, one.wait.lasted));
        let all = handlers.chain(self.callers.iter().map(|one| (one.distance, one.caller.lasted)));
        all.filter(|(distance, _)| *distance == 1).map(|(_, lasted)| lasted).max().unwrap_or_default()
    }

    /// Writes what all the others wait for.
    fn write_end(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { thread, name, queued, queued_behind, oldest, lasted, .. } = self;
        if self.is_elsewhere {
            return write!(f, "thread {thread} of another engine: look at the waits of that engine");
        }
        let Some((instance, message)) = self.runs.zip(self.message) else {
            return match queued {
                0 => write!(
                    f,
                    "nothing runs and nothing is queued on thread {thread} `{name}`: a handler that has returned keeps \
                     the reply, or it comes just now"
                ),
                _ => write!(f, "no handler runs on thread {thread} `{name}`: the reply is on its way"),
            };
        };
        write!(f, "{} {instance} RUNS", Typed(message, self.variant))?;
        // Those that wait may have been queued behind others first, so their time need not be its own.
        let longest = self.longest_direct();
        match (lasted.is_zero(), longest.saturating_sub(*lasted) >= TENTH) {
            (true, false) => Ok(()),
            (true, true) => write!(f, " perhaps for {}", Readable(longest)),
            (false, true) => write!(f, " for at least {}, perhaps for {},", Readable(*lasted), Readable(longest)),
            (false, false) => write!(f, " for {}", Readable(*lasted)),
        }?;
        write!(f, " on thread {thread} `{name}` and waits for no actor; ")?;
        match queued_behind {
            0 => f.write_str("nothing else is queued there"),
            more => write!(f, "{more} more queued there, the oldest for {}", Readable(*oldest)),
        }
    }
}

impl fmt::Display for WaitingHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.wait)?;
        write_behind(f, self.behind)
    }
}

impl fmt::Display for WaitingCaller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OutsideCaller { thread, callee, callee_variant, callee_instance, on, lasted } = &self.caller;
        match thread {
            Some(name) => write!(f, "thread `{name}` outside ")?,
            None => f.write_str("a thread outside ")?,
        }
        write_wait(f, *lasted, (callee, *callee_variant, *callee_instance), *on)?;
        write_behind(f, self.behind)
    }
}

fn write_behind(f: &mut fmt::Formatter<'_>, behind: Option<InstanceId>) -> fmt::Result {
    behind.map_or(Ok(()), |holder| write!(f, ", queued behind {holder}"))
}
