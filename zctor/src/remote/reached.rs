//! A broadcast whose sender wants to know which processes have it: its packets, and the sum of the answers.
//!
//! It is a copy that is called, as it were: each end on the other side answers how many instances it has reached, or why
//! none.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::CallError;
use crate::remote::message::{RemoteMessage, Reply};
use crate::remote::packet::{Answer, CallHeader, Packet, Receipt};
use crate::remote::partition::Route;
use crate::remote::wire::{Format, decode, encode};
use crate::sys::clock::now;
use crate::sys::monitor::Monitor;

/// Whom a broadcast has reached within its time: see [`Loopback::broadcast`](crate::remote::Loopback::broadcast).
///
/// ```
/// use zctor::remote::Reached;
///
/// let nobody = Reached::default();
/// assert_eq!((nobody.processes, nobody.instances), (0, 0));
/// assert_eq!(nobody.to_string(), "0 instances of 0 processes, 0 have refused it");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reached {
    /// How many processes have put a copy into the mailbox of an instance at least.
    pub processes: usize,
    /// How many instances these processes have given a copy. An instance whose mailbox was full has none: its copy is a
    /// dead letter there.
    pub instances: usize,
    /// For each process that serves the pool and has not taken the message, why not: `Full` if no instance had room,
    /// `Unfit` if it was not understood.
    pub refused: Vec<CallError>,
}

impl Reached {
    /// How many processes have said whether they have it.
    ///
    /// ```
    /// assert_eq!(zctor::remote::Reached::default().answers(), 0);
    /// ```
    pub fn answers(&self) -> usize {
        self.processes + self.refused.len()
    }

    /// Counts what one process has said. One whose pool has no instance is none that serves it.
    #[doc(hidden)]
    pub fn __count(&mut self, message: &'static str, answer: Answer) {
        match answer.of_call(message).and_then(|bytes| read(&bytes).map_err(|text| CallError::Unfit { message, text }))
        {
            Ok(instances) => {
                self.processes += 1;
                self.instances = self.instances.saturating_add(instances);
            }
            Err(CallError::NotRegistered { .. }) => {}
            Err(error) => self.refused.push(error),
        }
    }
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processes, instances, refused } = self;
        write!(f, "{instances} instances of {processes} processes, {} have refused it", refused.len())
    }
}

/// The packet of such a broadcast.
///
/// # Errors
/// [`CallError::Unfit`]: it cannot be written.
pub fn counted<M: RemoteMessage>(message: &M) -> Result<Packet<'static>, CallError> {
    let format = Format::MessagePack;
    let bytes = message.__encode(format).map_err(|text| CallError::Unfit { message: M::name(), text })?;
    // Nobody waits for a handler.
    let call = Some(CallHeader { until: None, depth: 0, or_send: false, queued: false });
    Ok(Packet { bytes: bytes.into(), format, call, inside: false, route: Route::Copy, key: None })
}

/// The answer to such a packet.
pub(super) fn reply(reached: usize, format: Format) -> Result<Reply, Answer> {
    match reached {
        0 => Err(Answer::Full),
        _ => Ok(Box::pin(async move { encode(&reached, format).map_or_else(Answer::Unfit, Answer::Reply) })),
    }
}

fn read(bytes: &[u8]) -> Result<usize, Arc<str>> {
    decode(bytes, Format::MessagePack)
}

/// Waits for the one answer of a single end.
pub(super) struct OneAnswer(Arc<Monitor<Told>>);

#[derive(Default)]
struct Told {
    answer: Option<Answer>,
    is_over: bool,
}

/// The receipt of that end.
struct Tell(Arc<Monitor<Told>>);

impl OneAnswer {
    pub(super) fn new() -> (Self, Box<dyn Receipt>) {
        let told = Arc::new(Monitor::default());
        (Self(Arc::clone(&told)), Box::new(Tell(told)))
    }

    /// `None` if the time was up before.
    pub(super) fn wait(self, until: Option<Instant>) -> Option<Answer> {
        let mut told = self.0.lock();
        while !told.is_over && until.is_none_or(|until| until.saturating_duration_since(now()) > Duration::ZERO) {
            told = self.0.wait(told, until);
        }
        told.answer.take()
    }
}

impl Receipt for Tell {
    fn taken(&mut self) {}

    fn answer(self: Box<Self>, answer: Answer) {
        self.0.lock().answer = Some(answer);
    }
}

impl Drop for Tell {
    fn drop(&mut self) {
        self.0.lock().is_over = true;
        self.0.notify();
    }
}
