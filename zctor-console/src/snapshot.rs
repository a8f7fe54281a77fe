//! An engine at one moment, as data: `snapshot.json`.
//!
//! Names and numbers only, never the contents of messages or states. Times are in seconds, shares from 0 to 1.

use serde::{Deserialize, Serialize};

/// The version of the form of [`Snapshot`]. A number is added when a field goes or changes its meaning, not when one is
/// added.
///
/// ```
/// assert_eq!(zctor_console::snapshot::VERSION, 1);
/// ```
pub const VERSION: u32 = 1;

/// An engine at one moment: its threads, its types, its instances, and the waits of its handlers.
///
/// Shares and rates are of the time since an earlier look, [`window`](Snapshot::window) seconds before. Printed, it is a
/// page of text whose last line is the culprit.
///
/// ```
/// use zctor::ActorEngine;
/// use zctor_console::Console;
/// use zctor_console::snapshot::{Snapshot, VERSION};
///
/// let engine = ActorEngine::builder().name("shop").build();
/// let snapshot: Snapshot = Console::new(&engine).snapshot();
/// assert_eq!((snapshot.version, &*snapshot.engine), (VERSION, "shop"));
/// assert!(snapshot.to_string().ends_with("nothing waits"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// The version of this form: [`VERSION`].
    pub version: u32,
    /// The name of the engine.
    pub engine: String,
    /// The number of the process.
    pub process: u32,
    /// When it was taken: seconds since 1970.
    pub time: f64,
    /// For how many seconds shares and rates hold: the time since an earlier look, or 0 without one. Then shares are of
    /// the whole life of the thread, and rates are 0.
    pub window: f64,
    /// The threads that run, in spawn order.
    pub threads: Vec<Thread>,
    /// The message types, in the order of their names.
    pub types: Vec<Type>,
    /// The number of instances that live.
    pub instances: usize,
    /// Those of them that have the longest queues, that did the most in the window, and that panicked most.
    pub top: Vec<Instance>,
    /// The ends of the chains in which handlers and threads outside wait, the worst last.
    pub waits: Vec<WaitRoot>,
    /// The waits as `zctor` prints them; the culprit is the last line.
    pub waits_text: String,
    /// The handler or the thread that needs a look first, in a line: the end of the longest wait, if that is a second
    /// and more; or else the handler that holds up messages for so long; or else the thread whose messages are the
    /// oldest. `None` if nothing waits for long.
    pub culprit: Option<String>,
    /// The number of the thread that [`culprit`](Self::culprit) is about. `None` without one, and if that waits for another
    /// engine.
    #[serde(default)]
    pub culprit_thread: Option<String>,
    /// Since when that is stuck, at the latest: seconds since 1970. `None` without a culprit, and if its thread goes on from
    /// message to message.
    #[serde(default)]
    pub culprit_since: Option<f64>,
    /// The counts that have grown between looks, the newest first.
    pub events: Vec<Event>,
}

/// A thread, in [`Snapshot`].
///
/// ```
/// assert_eq!(zctor_console::snapshot::Thread::default().queued, 0);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Thread {
    /// Its number.
    pub thread: String,
    /// Its name.
    pub name: String,
    /// The share of the window for which it was neither idle nor waiting.
    pub busy: f64,
    /// The share for which a handler on it waited for a reply.
    pub waiting: f64,
    /// Messages handled a second.
    pub rate: f64,
    /// The instances that live on it.
    pub instances: usize,
    /// Messages that wait or are being handled.
    pub queued: usize,
    /// For how many seconds the oldest of them has waited, at least.
    pub oldest: f64,
    /// The bounds of its mailbox.
    pub rooms: Vec<Room>,
    /// Timers that are set.
    pub timers: usize,
    /// Messages handled since it started.
    pub handled: u64,
    /// Messages whose handlers panicked.
    pub panicked: u64,
    /// The instance whose code runs, and the actor that it waits for, in words; empty if nothing runs.
    pub runs: String,
    /// Whether that waits for a reply.
    pub waits: bool,
    /// Instances that wait for their rebuild after a panic.
    pub backing_off: usize,
}

/// A bound of a mailbox, in [`Thread`].
///
/// ```
/// assert!(!zctor_console::snapshot::Room::default().inside);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Room {
    /// Whether it is for messages from inside.
    pub inside: bool,
    /// Messages that there is room for.
    pub bound: usize,
    /// Messages that take room.
    pub taken: usize,
    /// Senders that wait for room.
    pub waiting: usize,
}

/// A message type, in [`Snapshot`].
///
/// ```
/// assert_eq!(zctor_console::snapshot::Type::default().message, "");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Type {
    /// Its name.
    pub message: String,
    /// Instances that live.
    pub instances: usize,
    /// Instances that have ended.
    pub ended: u64,
    /// Messages that wait or are being handled.
    pub queued: usize,
    /// Messages handled a second.
    pub rate: f64,
    /// Messages handled.
    pub handled: u64,
    /// Messages whose handlers panicked.
    pub panicked: u64,
    /// Rebuilds of a state.
    pub restarts: u64,
    /// Accepted messages that no handler got.
    pub dead_letters: u64,
    /// Sends and calls that were refused.
    pub refused: u64,
    /// Calls whose callers waited in vain.
    pub timed_out: u64,
}

/// An instance, in [`Snapshot`].
///
/// ```
/// assert_eq!(zctor_console::snapshot::Instance::default().handled, 0);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Instance {
    /// Its id.
    pub instance: String,
    /// The name of the message type that it handles.
    pub message: String,
    /// Messages that wait for it, or are being handled by it.
    pub queued: usize,
    /// Messages handled a second.
    pub rate: f64,
    /// Messages handled.
    pub handled: u64,
    /// Messages whose handlers panicked.
    pub panicked: u64,
    /// Whether it waits for its rebuild after a panic.
    pub backing_off: bool,
}

/// The end of chains in which handlers and threads outside wait, in [`Snapshot`].
///
/// ```
/// assert!(zctor_console::snapshot::WaitRoot::default().waiting.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WaitRoot {
    /// It as `zctor` prints it: the last line of its block.
    pub text: String,
    /// The number of its thread. Empty for a thread of another engine, since a thread of this one may have the same number.
    pub thread: String,
    /// The name of its thread. Empty for a thread of another engine.
    pub name: String,
    /// Whether its thread belongs to another engine, whose console knows more.
    #[serde(default)]
    pub is_elsewhere: bool,
    /// Since when it is stuck, at the latest: it has run since then, or the first of those that wait for it has waited.
    /// Seconds since 1970.
    #[serde(default)]
    pub since: f64,
    /// The instance that runs there; `None` if none does: the reply is on its way, or is kept.
    pub instance: Option<String>,
    /// The name of its message type.
    pub message: Option<String>,
    /// The variant that it handles, where that is known.
    pub variant: Option<String>,
    /// For how many seconds it has run, at least.
    pub lasted: f64,
    /// For how many seconds the first of those that wait for it has waited.
    pub longest: f64,
    /// The number of handlers that wait for it.
    pub handlers: usize,
    /// The number of threads outside that wait for it.
    pub callers: usize,
    /// Those that wait for it, the furthest from it first.
    pub waiting: Vec<Waiting>,
}

/// A handler or a thread outside that waits, in [`WaitRoot`].
///
/// ```
/// assert_eq!(zctor_console::snapshot::Waiting::default().distance, 0);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Waiting {
    /// The wait as `zctor` prints it.
    pub text: String,
    /// Whether it is a thread outside.
    pub outside: bool,
    /// For how many seconds it has waited.
    pub lasted: f64,
    /// The number of waits from here to the root.
    pub distance: usize,
}

/// A count that has grown between looks, in [`Snapshot`]. While a kind of event goes on, it is one.
///
/// ```
/// assert_eq!(zctor_console::snapshot::Event::default().count, 0);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Event {
    /// It happened since then: seconds since 1970. It is the time of the last look that knew nothing of it.
    pub since: f64,
    /// When it was seen last.
    pub time: f64,
    /// Its kind: `panics`, `restarts`, `dead letters`, `refused`, `timed out`, `ended`.
    pub what: String,
    /// How often.
    pub count: u64,
    /// The name of the message type.
    pub message: String,
}
