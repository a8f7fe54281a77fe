//! Statistics say what an engine is doing. They are read on demand, and stop no thread.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::engine::core::Core;
use crate::mailbox::Mailbox;
use crate::report::{Stats, ThreadStats};

pub(super) fn stats(core: &Core) -> Stats {
    let mailboxes: Vec<_> = core.state.lock().threads.values().map(|running| Arc::clone(&running.mailbox)).collect();
    let losses = &core.edge.losses;
    Stats {
        threads: mailboxes.iter().map(|mailbox| thread_stats(mailbox)).collect(),
        dead_letters: losses.letters(),
        skipped: losses.skipped(),
        refused: losses.refused(),
        restarts: losses.restarts(),
    }
}

pub(super) fn thread_stats(mailbox: &Mailbox) -> ThreadStats {
    let meter = &mailbox.meter;
    ThreadStats {
        thread: mailbox.thread,
        name: mailbox.name.clone(),
        instances: meter.instances.load(Ordering::Relaxed),
        queued: mailbox.load(),
        handled: meter.handled.get(),
        panicked: meter.panicked.get(),
        runs: meter.running().and_then(|slot| mailbox.roster.find(slot)),
        waits: mailbox.waits.list(),
        backing_off: mailbox.roster.backing_off(),
    }
}
