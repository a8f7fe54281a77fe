//! The stop protocol of an engine.
//!
//! 1. The edge closes: sends and calls from outside, that is, from all but the engine's own threads, are refused.
//!    Timers close with it. Senders that wait for room are woken, and find the edge closed.
//! 2. The inside runs until it is quiet (`Core::is_quiet`), or until the time is up. If the time is up first, here or
//!    in step 3, the edge is sealed: sends from inside are refused too, and queued messages become dead letters.
//! 3. The threads end in reverse order of their start. Each instance, in reverse order, runs `on_stop` and is dropped.
//!    The mailbox closes: mail that is left in it goes to siblings where rotation had chosen its receiver, and else
//!    becomes dead letters. The thread is joined. Once the edge is sealed the order is given up, and each thread ends
//!    as soon as it can.
//! 4. A thread that does not end in time is abandoned: its mailbox is closed from outside, and all that wait for the
//!    thread are answered `Stopped`. The report has its instances too: their accounts are in the roster, which others
//!    can read.
//!
//! One thread drives the protocol: the first caller that may wait, or a thread started for it (`stop`). All others wait
//! for the outcome.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::engine::core::{Core, EnginePhase, RunningThread, State};
use crate::engine::{slow, stats};
use crate::error::ShutdownError;
use crate::event::{End, Ended};
use crate::id::Slot;
use crate::mailbox::Mailbox;
use crate::mailbox::mail::{Mail, Order};
use crate::mailbox::roster::EndedTotals;
use crate::report::running::NamedInstance;
use crate::report::waits::WaitForest;
use crate::report::{EarlierReport, InstanceReport, Report};
use crate::sys::clock::{deadline, now};
use crate::sys::frame::{Frame, is_engines_own};
use crate::sys::operation::Operation;
use crate::sys::simulated::point;
use crate::sys::spawn::{Started, join_aside, let_others_run, start_thread};

use crate::thread::local::local;
use crate::thread::undelivered::divert;

/// The part of a shutdown's time that is kept for ending the threads once the edge is sealed; at most a quarter of it.
const GRACE: Duration = Duration::from_millis(500);

/// The counts of abandoned threads: messages that they have handled, and that they have left.
#[derive(PartialEq)]
struct Reconciled {
    instances: Vec<InstanceReport>,
    dead_letters: u64,
    left: u64,
}

/// Closes the edge, or gives a shutdown that has begun an earlier deadline. `true` if no thread drives it yet: then the
/// caller must.
fn begin_shutdown(core: &Core, limit: Option<Duration>) -> bool {
    let limit = limit.and_then(deadline);
    point(&core.engine.world, 0, || Operation::Plain("close the edge"));
    let mut mailboxes = Vec::new();
    let mut state = core.state.lock();
    let must_drive = match &mut state.phase {
        EnginePhase::Open => {
            core.engine.edge.close();
            mailboxes.extend(state.threads.values().map(|running| Arc::clone(&running.mailbox)));
            state.earlier = ended_earlier(&state);
            state.phase = EnginePhase::Stopping { until: limit, has_driver: true };
            true
        }
        EnginePhase::Stopping { until, has_driver } => {
            *until = [*until, limit].into_iter().flatten().min();
            !std::mem::replace(has_driver, true)
        }
        EnginePhase::Stopped(_) => false,
    };
    drop(state);
    core.state.notify();
    // Senders that wait for room must see that the edge is closed. They are woken under no lock, since a task that is
    // polled inside its waker may ask the engine.
    mailboxes.iter().for_each(|mailbox| mailbox.wake_all());
    must_drive
}

/// The counts of the instances that have ended by now. Those that end later are reported one by one.
///
/// An end while the engine is open takes no lock of the engine's: its thread adds it up (`Roster::remove`). The lock of
/// a roster is taken under that of the engine here, once for each; a report takes them in the other order, but only
/// after that.
fn ended_earlier(state: &State) -> EarlierReport {
    let mut all = EndedTotals::sum(state.gone.values());
    for running in state.threads.values() {
        let EndedTotals { instances, handled, panicked } = running.mailbox.roster.report_ends();
        all.add(instances, handled, panicked);
    }
    let EndedTotals { instances, handled, panicked } = all;
    EarlierReport { instances, handled, panicked }
}

fn deadline_of(state: &State) -> Option<Instant> {
    match state.phase {
        EnginePhase::Stopping { until, .. } => until,
        EnginePhase::Open | EnginePhase::Stopped(_) => None,
    }
}

/// When the edge is to be sealed, so that the threads can still end by the deadline.
fn seal_at(state: &State, begun: Instant) -> Option<Instant> {
    let until = deadline_of(state)?;
    let grace = GRACE.min(until.saturating_duration_since(begun) / 4);
    Some(until.checked_sub(grace).unwrap_or(until))
}

pub(super) fn drive_shutdown(core: &Arc<Core>) {
    let begun = now();
    let (state, quiet) = core.wait_until(Core::is_quiet, |state| seal_at(state, begun));
    drop(state);
    if !quiet {
        seal(core);
    }
    loop {
        let state = core.state.lock();
        let Some(last) = state.threads.last_key_value().map(|(_, running)| Arc::clone(&running.mailbox)) else {
            break;
        };
        if core.engine.edge.is_sealed() {
            // The order is given up: each thread ends as soon as it can.
            let mailboxes: Vec<_> = state.threads.values().map(|running| Arc::clone(&running.mailbox)).collect();
            drop(state);
            mailboxes.iter().for_each(|mailbox| order_end(mailbox));
            let (state, _) = core.wait_until(|state| state.threads.is_empty(), deadline_of);
            drop(state);
            break;
        }
        drop(state);
        order_end(&last);
        let is_gone = |state: &State| !state.threads.contains_key(&last.thread);
        let (state, gone) = core.wait_until(is_gone, |state| seal_at(state, begun));
        drop(state);
        if !gone {
            seal(core);
        }
    }
    finish_shutdown(core);
}

fn seal(core: &Core) {
    point(&core.engine.world, 0, || Operation::Plain("seal the edge"));
    core.engine.edge.seal();
}

fn order_end(mailbox: &Mailbox) {
    point(&mailbox.engine.world, mailbox.thread.index(), || Operation::Plain("order a thread to end"));
    let to = Slot { index: u32::MAX, generation: u32::MAX };
    // It cannot fail: an order is never given back.
    let _ = mailbox.push(Mail::order(to, Order::Shutdown));
}

fn finish_shutdown(core: &Arc<Core>) {
    let (ended, abandoned) = {
        let mut state = core.state.lock();
        let threads = std::mem::take(&mut state.threads);
        (std::mem::take(&mut state.ended), threads.into_values().collect::<Vec<_>>())
    };
    // Read before the waiters are answered, so that it still says which handler waits for which type.
    let mailboxes: Vec<_> = abandoned.iter().map(|running| Arc::clone(&running.mailbox)).collect();
    let (threads, callers) = stats::threads(core, &mailboxes);
    let waits = WaitForest::of(&threads, &callers);
    if !abandoned.is_empty() {
        // The waiters are answered first. The mail comes after them, since its drops are the user's and may take long.
        core.engine.abandon();
        for mailbox in &mailboxes {
            mailbox.parker.wake();
        }
    }
    for RunningThread { mailbox, .. } in &abandoned {
        for mail in mailbox.close() {
            divert(mailbox, &**core, mail);
        }
    }
    let watcher = slow::close(core);
    join(core, ended.into_iter().chain(watcher).collect());
    // Each instance of an abandoned thread is on its roster still, or has been reported by now.
    let living: Vec<_> = abandoned.iter().map(|running| running.mailbox.roster.abandon()).collect();
    for NamedInstance { instance, message } in living.iter().flatten().copied() {
        core.engine.incidents.tell_ended(|| Ended { instance, message, why: End::Abandoned });
    }
    core.engine.incidents.finish();
    let Reconciled { instances: abandoned_instances, dead_letters, left } = reconcile(core, &abandoned, &living);
    let mut state = core.state.lock();
    let mut instances = std::mem::take(&mut state.reports);
    instances.extend(abandoned_instances);
    instances.sort_by_key(|instance| instance.id);
    let skipped = core.engine.incidents.skipped();
    let report = Report { instances, earlier: state.earlier, dead_letters, skipped, left };
    state.phase = EnginePhase::Stopped(if abandoned.is_empty() {
        Ok(report)
    } else {
        Err(ShutdownError::Abandoned { threads, waits, report })
    });
    drop(state);
    core.state.notify();
    core.wake_awaiting();
}

/// Waits until threads are gone that have left the engine: only the destructors of the user's thread-locals still run
/// there. They are waited for no longer than the shutdown may take, by a limit that it had or that it is given
/// meanwhile.
fn join(core: &Arc<Core>, ended: Vec<Started>) {
    if ended.is_empty() {
        return;
    }
    let gone = Arc::new(AtomicBool::new(false));
    let tell = {
        let (core, gone) = (Arc::clone(core), Arc::clone(&gone));
        move || {
            let state = core.state.lock();
            gone.store(true, Ordering::Relaxed); // read under the same lock
            drop(state);
            core.state.notify();
        }
    };
    if join_aside(ended, tell) {
        drop(core.wait_until(|_| gone.load(Ordering::Relaxed), deadline_of));
    }
}

/// Reads the counts of abandoned threads and their instances.
///
/// A thread that still moves changes its counts while they are read. So they are read again until two looks agree, at
/// most 1,000 times.
fn reconcile(core: &Core, abandoned: &[RunningThread], living: &[Vec<NamedInstance>]) -> Reconciled {
    let look = || Reconciled {
        instances: abandoned.iter().zip(living).flat_map(|(one, living)| one.mailbox.roster.reports(living)).collect(),
        dead_letters: core.engine.incidents.dead_letters(),
        left: abandoned.iter().map(|one| one.mailbox.meter.in_hand() as u64).sum(),
    };
    let mut reconciled = look();
    for _ in 0..1_000 {
        let_others_run();
        let again = look();
        if again == reconciled {
            break;
        }
        reconciled = again;
    }
    reconciled
}

/// Begins the shutdown and has another thread drive it, for callers that may not wait.
pub(crate) fn stop(core: &Arc<Core>, limit: Option<Duration>) {
    if !begin_shutdown(core, limit) {
        return;
    }
    let driver = Arc::clone(core);
    if start_thread("zctor-shutdown", None, move || drive_shutdown(&driver)).is_err() {
        // No thread could be started: the next caller that waits for the end drives the shutdown.
        if let EnginePhase::Stopping { has_driver, .. } = &mut core.state.lock().phase {
            *has_driver = false;
        }
        core.state.notify();
        core.wake_awaiting();
    }
}

/// Begins the shutdown, drives it if no other thread does, and waits for its outcome.
pub(crate) fn shutdown(core: &Arc<Core>, limit: Option<Duration>) -> Result<Report, ShutdownError> {
    if !may_wait() {
        stop(core, limit);
        return Err(ShutdownError::OnActorThread);
    }
    if begin_shutdown(core, limit) {
        drive_shutdown(core);
    }
    wait_stopped(core)
}

/// Shuts the engine down when its owner is dropped: waits no longer than `limit`, whatever another thread that drives
/// the shutdown is held up by. The outcome is for those who ask for it.
pub(crate) fn shutdown_by_drop(core: &Arc<Core>, limit: Duration) {
    if !may_wait() {
        return stop(core, Some(limit));
    }
    if begin_shutdown(core, Some(limit)) {
        drive_shutdown(core);
    }
    drop(wait_stopped_until(core, deadline(limit)));
}

/// Whether the code that runs here may wait for the end of an engine.
///
/// An actor thread cannot wait for its own end, and its thread-locals may hold an engine when it is none any more. User
/// code that the runtime calls cannot either: the thread that drives the shutdown may be the one that calls it.
fn may_wait() -> bool {
    local().is_none() && !is_engines_own() && !Frame::current().is_user_code()
}

/// Waits until the engine has stopped. Drives a shutdown that has begun and that no other thread drives.
pub(crate) fn wait_stopped(core: &Arc<Core>) -> Result<Report, ShutdownError> {
    loop {
        if let Some(outcome) = wait_stopped_until(core, None) {
            return outcome;
        }
    }
}

/// As `wait_stopped`; `None` when the time is up.
fn wait_stopped_until(core: &Arc<Core>, until: Option<Instant>) -> Option<Result<Report, ShutdownError>> {
    loop {
        let has_no_driver = |state: &State| matches!(state.phase, EnginePhase::Stopping { has_driver: false, .. });
        let is_over = |state: &State| matches!(state.phase, EnginePhase::Stopped(_)) || has_no_driver(state);
        let (mut state, is_over) = core.wait_until(is_over, |_| until);
        match &mut state.phase {
            EnginePhase::Stopped(outcome) => return Some(outcome.clone()),
            EnginePhase::Stopping { has_driver, .. } if is_over => *has_driver = true,
            EnginePhase::Stopping { .. } | EnginePhase::Open => return None,
        }
        drop(state);
        drive_shutdown(core);
    }
}
