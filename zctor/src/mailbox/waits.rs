//! The waits for replies that did not end at once: of the handlers of one thread, and of the threads outside an engine.

use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use crate::id::{InstanceId, Slot, ThreadId};
use crate::mailbox::roster::Roster;
use crate::report::running::{NamedInstance, Wait};
use crate::report::waits::OutsideCaller;
use crate::sys::clock::now;
use crate::sys::park::Parker;
use crate::sys::sync::{Mutex, lock};

/// A handler that waits. Its name is found when somebody looks: it lives while it waits.
#[derive(Clone, Copy)]
pub(crate) struct Waiter {
    pub(crate) slot: Slot,
    /// The variant that it handles.
    pub(crate) variant: Option<&'static str>,
    /// Whether it waits for another engine.
    pub(crate) is_elsewhere: bool,
}

/// A thread outside that waits: its word, which also wakes it if the reply can never come.
#[derive(Clone)]
pub(crate) struct OutsideThread(pub(crate) Arc<Parker>);

/// The callee of a wait, as far as the caller knows it.
#[derive(Clone, Copy)]
pub(crate) struct Callee {
    /// The name of its message type.
    pub(crate) message: fn() -> &'static str,
    /// The variant that was called, and the slot of the instance.
    pub(crate) called: Option<(&'static str, Slot)>,
    pub(crate) on: ThreadId,
    /// `Meter::progress` of that thread when the wait began: while it is the same, the same code runs there.
    pub(crate) progress: u64,
}

impl Callee {
    fn variant(&self) -> Option<&'static str> {
        self.called.map(|(variant, _)| variant)
    }

    fn instance(&self) -> Option<InstanceId> {
        self.called.map(|(_, slot)| InstanceId { thread: self.on, slot })
    }
}

/// The waits of handlers on one thread, or those of threads outside for one engine, in the order in which they began.
pub(crate) struct Waits<W>(Mutex<Listed<W>>);

struct Listed<W> {
    last: u64,
    waits: Vec<(u64, BegunWait<W>)>,
}

/// A wait, and when it began.
#[derive(Clone)]
struct BegunWait<W> {
    waiter: W,
    callee: Callee,
    since: Instant,
}

impl<W> Default for Waits<W> {
    fn default() -> Self {
        Self(Mutex::new(Listed { last: 0, waits: Vec::new() }))
    }
}

impl<W: Clone> Waits<W> {
    /// Notes a wait that lasts from this time on until `end` is called with the number that this gives.
    #[inline]
    pub(crate) fn begin(&self, waiter: W, callee: Callee, since: Instant) -> u64 {
        let begun = BegunWait { waiter, callee, since };
        let mut listed = lock(&self.0);
        listed.last += 1;
        let number = listed.last;
        listed.waits.push((number, begun));
        number
    }

    /// Notes that a wait is over. Of the handlers of one thread it is the innermost, but for those of carried code.
    pub(crate) fn end(&self, number: u64) {
        let waits = &mut lock(&self.0).waits;
        match waits.last() {
            Some((last, _)) if *last == number => waits.truncate(waits.len() - 1), // `pop` would move it out
            _ => waits.retain(|(known, _)| *known != number),
        }
    }

    fn copy(&self) -> Vec<BegunWait<W>> {
        lock(&self.0).waits.iter().map(|(_, wait)| wait.clone()).collect()
    }
}

impl Waits<Waiter> {
    /// The waits of the handlers of a thread, whose roster has their names, with the progress of their callees'
    /// threads.
    pub(crate) fn list(&self, roster: &Roster) -> Vec<(Wait, u64)> {
        let (waits, at) = (self.copy(), now());
        let wait = |BegunWait { waiter, callee, since }: BegunWait<Waiter>| {
            let NamedInstance { instance, message } = roster.find(waiter.slot)?;
            let wait = Wait {
                instance,
                message,
                variant: waiter.variant,
                callee: (callee.message)(),
                callee_variant: callee.variant(),
                callee_instance: callee.instance(),
                on: callee.on,
                is_elsewhere: waiter.is_elsewhere,
                lasted: at.saturating_duration_since(since),
            };
            Some((wait, callee.progress))
        };
        waits.into_iter().filter_map(wait).collect()
    }
}

impl Waits<OutsideThread> {
    /// The wakers of all that wait.
    pub(super) fn wakers(&self) -> Vec<Waker> {
        lock(&self.0).waits.iter().map(|(_, wait)| Waker::from(Arc::clone(&wait.waiter.0))).collect()
    }

    /// The waits of threads outside, with the progress of their callees' threads.
    pub(crate) fn list(&self) -> Vec<(OutsideCaller, u64)> {
        let (waits, at) = (self.copy(), now());
        let caller = |BegunWait { waiter, callee, since }: BegunWait<OutsideThread>| {
            let caller = OutsideCaller {
                thread: waiter.0.thread_name().map(str::to_owned),
                callee: (callee.message)(),
                callee_variant: callee.variant(),
                callee_instance: callee.instance(),
                on: callee.on,
                lasted: at.saturating_duration_since(since),
            };
            (caller, callee.progress)
        };
        waits.into_iter().map(caller).collect()
    }
}
