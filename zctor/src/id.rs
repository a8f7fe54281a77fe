//! Names of threads and instances: `ThreadId`, `InstanceId`, and the slot of an instance on its thread.

use std::fmt;

/// The number of an actor thread. Numbers count from 0 in the order of spawning.
///
/// ```
/// use zctor::{ActorEngine, ActorThread, actor};
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
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// let first = engine.spawn(ActorThread::new().register(JobMessage::actor(|| Job)))?;
/// assert_eq!((first.index(), first.to_string()), (0, "0".to_string()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ThreadId(pub(crate) u32);

impl ThreadId {
    /// Returns the number.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for ThreadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for ThreadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ThreadId({})", self.0)
    }
}

/// When an instance came to its thread: a serial number, by which the instances of the thread are ordered. It has six
/// bytes, which are enough for one number every microsecond for eight years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Birth([u16; 3]);

impl Birth {
    pub(crate) fn of(serial: u64) -> Self {
        Self([(serial >> 32) as u16, (serial >> 16) as u16, serial as u16])
    }
}

/// The name of one instance: its thread and its slot there. No later occupant of the slot has the same name.
///
/// ```
/// use zctor::{ActorEngine, actor};
///
/// #[actor]
/// pub enum JobMessage {
///     #[reply(())]
///     Run,
/// }
/// struct Job;
/// impl JobHandler for Job {
///     fn run(&mut self) {}
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// let jobs: JobClient = engine.pool(2, JobMessage::actor(|| Job))?;
/// let ids = jobs.instances();
/// assert_eq!(ids[1].thread().index(), 1);
/// assert_eq!(ids[1].to_string(), "1.0");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceId {
    pub(crate) thread: ThreadId,
    pub(crate) slot: Slot,
}

impl InstanceId {
    /// Returns the thread that the instance lives on.
    pub fn thread(self) -> ThreadId {
        self.thread
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.thread, self.slot.index)?;
        match self.slot.generation {
            0 => Ok(()),
            generation => write!(f, "#{generation}"),
        }
    }
}

impl fmt::Debug for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InstanceId({self})")
    }
}

/// A slot on an actor thread, for one instance at a time. The generation tells it from earlier occupants of the same
/// slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Slot {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn births_are_ordered_as_their_serials_are() {
        let serials = [0, 1, 0xffff, 0x1_0000, 0xffff_ffff, 0x1_0000_0000, 0xffff_ffff_ffff];
        let births: Vec<_> = serials.into_iter().map(Birth::of).collect();
        assert!(births.is_sorted_by(|a, b| a < b), "{births:?}");
    }
}
