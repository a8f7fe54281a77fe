//! Who waits for whom, down to the handler that all of them wait for.
//!
//! A wait says which thread its reply must come from. The next link is what that thread does just now: its innermost
//! wait, or the code that runs there. Chains of waits end, since every wait is for a lower call depth: the last link
//! waits for nothing of zctor's.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::id::{InstanceId, ThreadId};

/// The instance whose code runs on a thread, or that waits: its id, and the name of its message type.
pub(crate) type Occupant = (InstanceId, &'static str);

/// A thread, as far as waits lead to it and on from it.
pub(crate) struct Link {
    pub(crate) thread: ThreadId,
    pub(crate) name: String,
    /// The code that runs there beside its waits.
    pub(crate) runs: Option<Occupant>,
    pub(crate) queued: usize,
    pub(crate) oldest: Duration,
    /// Its waits, the outermost first: who waits, for which type, on which thread, for how long.
    pub(crate) waits: Vec<(Occupant, &'static str, ThreadId, Duration)>,
}

/// The waits of all handlers, as [`Stats::waits`](crate::Stats::waits) gives them: for each handler that others wait
/// for, directly or behind one another, a block of lines of which it is the last.
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
/// assert_eq!(engine.stats().waits().to_string(), "no handler waits");
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
/// assert_eq!(waits.roots[0].message, Some("DatabaseMessage"));
/// let text = waits.to_string();
/// let culprit = text.lines().last().unwrap_or_default();
/// assert!(culprit.starts_with("    `DatabaseMessage` 0.0 RUNS on thread 0 `db`"), "{text}");
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
    /// The thread that the chains end on.
    pub thread: ThreadId,
    /// The name of the thread.
    pub name: String,
    /// The instance whose code runs there and waits for nothing of zctor's. `None` if no code runs there: the reply is
    /// on its way, or a handler that has returned keeps its [`ReplyTo`](crate::ReplyTo).
    pub runs: Option<InstanceId>,
    /// The name of the message type of that instance.
    pub message: Option<&'static str>,
    /// Messages that wait on that thread or are being handled there.
    pub queued: usize,
    /// The time for which the oldest of them has waited, at least: see [`ThreadStats::oldest`](crate::ThreadStats).
    pub oldest: Duration,
    /// The handlers that wait for it, those furthest from it first.
    pub handlers: Vec<WaitingHandler>,
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
    /// The instance that waits.
    pub instance: InstanceId,
    /// The name of the message type that it handles.
    pub message: &'static str,
    /// The name of the message type whose reply it waits for.
    pub callee: &'static str,
    /// The thread that the reply must come from.
    pub on: ThreadId,
    /// For how long it has waited.
    pub lasted: Duration,
    /// The number of waits from here to the root: 1 if it waits for the root's thread itself.
    pub distance: usize,
}

impl WaitForest {
    pub(crate) fn new(links: &[Link]) -> Self {
        let by_thread: BTreeMap<ThreadId, &Link> = links.iter().map(|link| (link.thread, link)).collect();
        let mut roots: BTreeMap<ThreadId, WaitRoot> = BTreeMap::new();
        for ((instance, message), callee, on, lasted) in links.iter().flat_map(|link| link.waits.iter().copied()) {
            let (end, distance) = end_of_chain(&by_thread, instance, on);
            let root = roots.entry(end).or_insert_with(|| WaitRoot::new(end, by_thread.get(&end).copied()));
            root.handlers.push(WaitingHandler { instance, message, callee, on, lasted, distance });
        }
        let mut roots: Vec<_> = roots.into_values().collect();
        roots.iter_mut().for_each(|root| root.handlers.sort_by_key(|one| std::cmp::Reverse(one.distance)));
        Self { roots }
    }
}

/// The thread that a chain ends on which begins with a wait for the thread `on`, and the number of waits until there.
fn end_of_chain(by_thread: &BTreeMap<ThreadId, &Link>, waiter: InstanceId, mut on: ThreadId) -> (ThreadId, usize) {
    let mut last = waiter;
    // The threads were not read all at once, so links of different moments might lead in a circle: each is followed
    // once.
    for distance in 1..=by_thread.len() {
        let Some(link) = by_thread.get(&on) else { return (on, distance) };
        match link.waits.last() {
            Some(((next, _), _, further, _)) if link.runs.is_none() && *next != last => (last, on) = (*next, *further),
            _ => return (on, distance),
        }
    }
    (on, by_thread.len())
}

impl WaitRoot {
    fn new(thread: ThreadId, link: Option<&Link>) -> Self {
        let runs = link.and_then(|link| link.runs);
        Self {
            thread,
            name: link.map(|link| link.name.clone()).unwrap_or_default(),
            runs: runs.map(|(instance, _)| instance),
            message: runs.map(|(_, message)| message),
            queued: link.map_or(0, |link| link.queued),
            oldest: link.map_or(Duration::ZERO, |link| link.oldest),
            handlers: Vec::new(),
        }
    }
}

/// A time as people read it: `12.4 s`, `30 ms`.
struct Readable(Duration);

impl fmt::Display for Readable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_millis() {
            ms @ ..1_000 => write!(f, "{ms} ms"),
            _ => write!(f, "{:.1} s", self.0.as_secs_f64()),
        }
    }
}

impl fmt::Display for WaitForest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.roots.is_empty() {
            return f.write_str("no handler waits");
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
        let Self { thread, name, queued, oldest, handlers, .. } = self;
        match handlers.len() {
            1 => writeln!(f, "1 handler waits:")?,
            many => writeln!(f, "{many} handlers wait, all for one:")?,
        }
        let furthest = handlers.first().map_or(0, |one| one.distance);
        for WaitingHandler { instance, message, callee, on, lasted, distance } in handlers {
            let indent = 2 * (furthest - distance + 1);
            writeln!(
                f,
                "{:indent$}`{message}` {instance} waits {} for `{callee}` on thread {on}",
                "",
                Readable(*lasted)
            )?;
        }
        let indent = 2 * (furthest + 1);
        match self.runs.zip(self.message) {
            Some((instance, message)) => {
                write!(f, "{:indent$}`{message}` {instance} RUNS on thread {thread} `{name}`", "")?;
                write!(
                    f,
                    " and waits for nothing of zctor's; {queued} messages there, the oldest for {}",
                    Readable(*oldest)
                )
            }
            None => {
                write!(f, "{:indent$}no handler runs on thread {thread} `{name}`: the reply is on its way, or ", "")?;
                f.write_str("a handler that has returned keeps it")
            }
        }
    }
}
