//! Slow handlers are found by another thread, which looks at the statistics: no handler reads a clock.
//!
//! An engine that has a hook for them has one thread that watches. The protocol:
//!
//! 1. While code of some instance runs or waits, the watcher looks four times within the shortest limit of all
//!    instances, and at least once a second, since an instance that starts next may have a shorter limit.
//!    `running_times.rs` compares the looks.
//! 2. If all threads are at rest, the watcher says so (`EngineShared::set_watcher_asleep`), looks once more, and sleeps.
//!    A thread that ends its rest wakes it (`wake`). That thread has no fence between the end of its rest and its look,
//!    since it is on the way of each message that finds a thread parked. So a wake-up may be missed; the watcher
//!    therefore wakes by itself each second.
//! 3. A handling is told when it has lasted for its limit, and again at each tenfold of that. A new hook is told of what
//!    the hook before was told of.
//! 4. The watcher ends with the engine: `close` takes its hook, and gives its thread to be joined.

use std::mem::take;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::core::Core;
use crate::engine::running_times::Sample;
use crate::engine::slow_watcher::SlowHook;
use crate::engine::stats;
use crate::error::SpawnError;
use crate::id::ThreadId;
use crate::mailbox::Mailbox;
use crate::mailbox::hooks::run_hook;
use crate::report::ThreadStats;
use crate::report::slow::Slow;
use crate::sys::clock::{deadline, now};
use crate::sys::simulated::this_member;
use crate::sys::spawn::{Started, start_thread};
use crate::sys::sync::lock;
use crate::sys::unwind::UserClosure;
use crate::trace;

/// The shortest time between two looks.
const SHORTEST: Duration = Duration::from_millis(1);

/// The longest time between two looks. So long a watcher sleeps while all threads are at rest, unless it is woken.
const LONGEST: Duration = Duration::from_secs(1);

/// Has `hook` told of each handler that runs for longer than `limit`.
pub(super) fn on_slow(
    core: &Arc<Core>,
    limit: Duration,
    hook: Box<dyn Fn(&Slow) + Send + Sync>,
) -> Result<(), SpawnError> {
    let hook = Arc::new(UserClosure::new(hook));
    if this_member().is_some() {
        return Ok(());
    }
    core.engine.edge.note_variants();
    let mut watcher = core.slow.lock();
    if watcher.is_closed {
        return Err(SpawnError::Stopped);
    }
    if watcher.thread.is_none() {
        let watched = Arc::clone(core);
        let started = start_thread("zctor-slow", None, move || watch_over(&watched));
        watcher.thread = Some(started.map_err(|source| SpawnError::Thread { source })?);
    }
    let before = watcher.hook.replace((limit, hook));
    watcher.is_new = true;
    watcher.is_woken = true;
    drop(watcher);
    core.slow.notify();
    drop(before);
    Ok(())
}

/// A thread has ended its rest, and the watcher sleeps.
#[cold]
pub(super) fn wake(core: &Core) {
    core.slow.lock().is_woken = true;
    core.slow.notify();
}

/// Step 4. Gives the thread of the watcher.
pub(super) fn close(core: &Core) -> Option<Started> {
    let mut watcher = core.slow.lock();
    watcher.is_closed = true;
    let (hook, thread) = (watcher.hook.take(), watcher.thread.take());
    drop(watcher);
    core.slow.notify();
    drop(hook);
    thread
}

/// The handlers that have run for longer than `limit`, or than the limit of their own actor.
pub(super) fn slow(core: &Core, limit: Duration) -> Vec<Slow> {
    core.engine.edge.note_variants();
    let mailboxes = stats::mailboxes(core);
    let (threads, _) = stats::threads(core, &mailboxes);
    threads.iter().filter_map(|thread| slow_on(thread, limit)).collect()
}

/// The handler that runs on a thread, if it is slow.
fn slow_on(thread: &ThreadStats, limit: Duration) -> Option<Slow> {
    let runs = thread.holder()?;
    let limit = runs.slow_limit.unwrap_or(limit);
    (runs.lasted >= limit).then(|| Slow {
        instance: runs.instance,
        message: runs.message,
        variant: runs.variant,
        thread_name: thread.name.clone(),
        lasted: runs.lasted,
        limit,
        queued: thread.queued_behind(),
    })
}

/// A handling that was told.
struct Told {
    thread: ThreadId,
    sample: Sample,
    /// When it is told again.
    next: Duration,
}

impl Told {
    /// Whether the instance has neither finished a message since, nor was its thread idle.
    fn goes_on(&self, mailbox: &Mailbox, thread: &ThreadStats) -> bool {
        let done = mailbox.roster.find_with_done(self.sample.slot).map(|(_, done)| done);
        thread.idle == self.sample.idle && done == Some(self.sample.done)
    }
}

fn watch_over(core: &Arc<Core>) {
    let mut told: Vec<Told> = Vec::new();
    loop {
        let mailboxes = stats::mailboxes(core);
        let mut watcher = core.slow.lock();
        let (is_new, current) = (take(&mut watcher.is_new), watcher.hook.clone());
        drop(watcher);
        let Some((limit, hook)) = current else { return };
        if is_new {
            told.clear();
        }
        look(core, &mailboxes, (limit, &hook), &mut told);
        // Dropped before the wait: the hook may hold what must go before the engine does.
        drop(hook);
        let are_at_rest = || mailboxes.iter().all(|mailbox| mailbox.rest().is_some());
        let mut sleeps = are_at_rest();
        if sleeps {
            core.engine.set_watcher_asleep(true);
            sleeps = are_at_rest();
        }
        let until = deadline(if sleeps { LONGEST } else { pace(limit, &mailboxes) });
        let mut watcher = core.slow.lock();
        while !watcher.is_closed && !watcher.is_woken && until.is_none_or(|until| until > now()) {
            watcher = core.slow.wait(watcher, until);
        }
        watcher.is_woken = false;
        core.engine.set_watcher_asleep(false);
        if watcher.is_closed {
            return;
        }
    }
}

/// The time between two looks while something runs, where `limit` is that of the instances without one of their own.
fn pace(limit: Duration, mailboxes: &[Arc<Mailbox>]) -> Duration {
    let own = mailboxes.iter().filter_map(|mailbox| mailbox.roster.least_slow_limit()).min();
    (own.unwrap_or(limit).min(limit) / 4).clamp(SHORTEST, LONGEST)
}

/// The first tenfold of a limit that has not passed yet: a look may come late, and tells once.
fn tenfold_beyond(limit: Duration, lasted: Duration) -> Duration {
    let mut next = limit.max(Duration::from_nanos(1)).saturating_mul(10);
    while next <= lasted {
        next = next.saturating_mul(10);
    }
    next
}

/// Steps 1 and 3.
fn look(core: &Core, mailboxes: &[Arc<Mailbox>], (limit, hook): (Duration, &Arc<SlowHook>), told: &mut Vec<Told>) {
    let (threads, _) = stats::threads(core, mailboxes);
    let both = || mailboxes.iter().zip(&threads);
    told.retain(|one| both().any(|(mailbox, thread)| thread.thread == one.thread && one.goes_on(mailbox, thread)));
    for thread in &threads {
        let Some(slow) = slow_on(thread, limit) else { continue };
        let Some(sample) = lock(&core.running_times).first_sample(thread.thread) else { continue };
        if sample.slot != slow.instance.slot {
            continue; // another handler since
        }
        let key = |sample: &Sample| (sample.slot, sample.done, sample.other_pieces);
        let is_known = |one: &&mut Told| one.thread == thread.thread && key(&one.sample) == key(&sample);
        match told.iter_mut().find(is_known) {
            Some(one) if slow.lasted < one.next => continue,
            Some(one) => one.next = tenfold_beyond(one.next, slow.lasted),
            None => {
                let next = tenfold_beyond(slow.limit, slow.lasted);
                told.push(Told { thread: thread.thread, sample, next });
            }
        }
        trace::slow(&slow);
        run_hook(|| hook.get().into_iter().for_each(|hook| hook(&slow)));
    }
}
