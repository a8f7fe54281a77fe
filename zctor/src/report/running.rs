//! Whose code runs on a thread, and which handlers wait there.

use std::fmt;
use std::time::Duration;

use crate::id::{InstanceId, ThreadId};

/// An instance whose code runs, in [`ThreadStats`](crate::ThreadStats).
///
/// ```
/// use zctor::ActorEngine;
///
/// let stats = ActorEngine::new().stats();
/// assert!(stats.threads.iter().all(|thread| thread.runs.is_none()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunningInstance {
    /// The id of the instance.
    pub instance: InstanceId,
    /// The name of the message type that it handles.
    pub message: &'static str,
    /// Whether it handles a message. Otherwise its factory runs, a hook, the closure of a timer or of a pipe, or a drop.
    pub handles: bool,
    /// The variant of the message that it handles, if that is known.
    ///
    /// It is known if all messages on its thread are calls of threads and handlers that wait, and those for this instance
    /// are of one variant. From the first [`ActorEngine::slow`](crate::ActorEngine::slow) or
    /// [`on_slow`](crate::ActorEngine::on_slow) on it is known of all messages, but for those of timers and pipes, and for
    /// calls that are handled on the thread of their caller.
    pub variant: Option<&'static str>,
    /// For how long it has run, at least, without the time for which it waited.
    ///
    /// No handler reads a clock for it. If nothing else was handled since the thread last woke up, it is right to
    /// within a millisecond or two. If somebody waits for a reply of this thread, it is at least as long as that wait,
    /// provided that the thread has ended nothing since. Otherwise it comes from earlier looks, to within the time
    /// between two calls of [`ActorEngine::stats`](crate::ActorEngine::stats).
    pub lasted: Duration,
    /// The limit of an actor that is slow by right, if it has one: see [`Actor::slow`](crate::Actor::slow).
    pub slow_limit: Option<Duration>,
}

impl fmt::Display for RunningInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", Typed(self.message, self.variant), self.instance)?;
        if self.lasted.is_zero() { Ok(()) } else { write!(f, " for {}", Readable(self.lasted)) }
    }
}

/// An instance and the name of its message type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NamedInstance {
    pub(crate) instance: InstanceId,
    pub(crate) message: &'static str,
}

impl fmt::Display for NamedInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.message, self.instance)
    }
}

/// A handler that waits for a reply, in [`ThreadStats`](crate::ThreadStats).
///
/// ```
/// use zctor::ActorEngine;
///
/// let stats = ActorEngine::new().stats();
/// assert!(stats.threads.iter().all(|thread| thread.waits.is_empty()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wait {
    /// The instance that waits.
    pub instance: InstanceId,
    /// The name of the message type that the waiting instance handles.
    pub message: &'static str,
    /// The variant of the message that it handles; `None` in `on_start` and `on_stop`.
    pub variant: Option<&'static str>,
    /// The name of the message type whose reply it waits for.
    pub callee: &'static str,
    /// The variant that it has called, if it waits in the call itself. A wait for a [`Pending`](crate::Pending) does not
    /// know it.
    pub callee_variant: Option<&'static str>,
    /// The instance that it has called. For a wait for a [`Pending`](crate::Pending) it is known if the thread hosts few
    /// instances, and one alone of that type.
    pub callee_instance: Option<InstanceId>,
    /// The thread that the reply must come from.
    pub on: ThreadId,
    /// Whether that is a thread of another engine, which has numbers of its own.
    pub is_elsewhere: bool,
    /// For how long it has waited.
    pub lasted: Duration,
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message, variant, instance, callee, callee_variant, callee_instance, on, lasted, .. } = *self;
        write!(f, "{} {instance} ", Typed(message, variant))?;
        write_wait(f, lasted, (callee, callee_variant, callee_instance), on)?;
        if self.is_elsewhere { f.write_str(" of another engine") } else { Ok(()) }
    }
}

/// Writes what somebody waits for, and for how long.
pub(crate) fn write_wait(
    f: &mut fmt::Formatter<'_>,
    lasted: Duration,
    (callee, variant, instance): (&'static str, Option<&'static str>, Option<InstanceId>),
    on: ThreadId,
) -> fmt::Result {
    write!(f, "waits {} for {}", Readable(lasted), Typed(callee, variant))?;
    instance.map_or(Ok(()), |instance| write!(f, " {instance}"))?;
    write!(f, " on thread {on}")
}

/// The name of a message type, with the variant if that is known, as people read it.
pub(crate) struct Typed(pub(crate) &'static str, pub(crate) Option<&'static str>);

impl fmt::Display for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self(message, Some(variant)) => write!(f, "`{message}::{variant}`"),
            Self(message, None) => write!(f, "`{message}`"),
        }
    }
}

/// A time as people read it: `12.4 s`, `30 ms`.
pub(crate) struct Readable(pub(crate) Duration);

impl fmt::Display for Readable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_millis() {
            ms @ ..1_000 => write!(f, "{ms} ms"),
            _ => write!(f, "{:.1} s", self.0.as_secs_f64()),
        }
    }
}
