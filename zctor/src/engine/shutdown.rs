//! The stop protocol.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::core::{Core, EnginePhase, RunningThread, State};
use crate::engine::stats::thread_stats;
use crate::error::ShutdownError;
use crate::event::{End, Ended};
use crate::id::Slot;
use crate::mailbox::Mailbox;
use crate::mailbox::mail::{Mail, Order};
use crate::report::{InstanceReport, Report, RunningInstance, ThreadStats};
use crate::sys::clock::{deadline, now};
use crate::sys::frame::Frame;
use crate::sys::spawn::{join_all, let_others_run, start_thread};
use crate::thread::local::local;
use crate::thread::undelivered::divert;

/// Of a shutdown's time, what is kept for ending the threads once the edge is sealed.
const GRACE: Duration = Duration::from_millis(500);

/// What abandoned threads have done and left.
#[derive(PartialEq)]
struct Ledger {
    instances: Vec<InstanceReport>,
    dead_letters: u64,
    left: u64,
}

/// Closes the edge, or hurries a shutdown that has begun. `true` if nobody drives it yet: the caller must.
fn begin_shutdown(core: &Core, limit: Option<Duration>) -> bool {
    let limit = limit.and_then(deadline);
    let mut state = core.state.lock();
    let must_drive = match &mut state.phase {
        EnginePhase::Open => {
            core.edge.close();
            // Who waits for room waits in vain.
            state.threads.iter().for_each(|running| running.mailbox.wake_all());
            state.phase = EnginePhase::Stopping { until: limit, driven: true };
            true
        }
        EnginePhase::Stopping { until, driven } => {
            *until = [*until, limit].into_iter().flatten().min();
            !std::mem::replace(driven, true)
        }
        EnginePhase::Stopped(_) => false,
    };
    drop(state);
    core.state.notify();
    must_drive
}

fn until(state: &State) -> Option<Instant> {
    match state.phase {
        EnginePhase::Stopping { until, .. } => until,
        EnginePhase::Open | EnginePhase::Stopped(_) => None,
    }
}

/// When the edge is to be sealed, so that the threads can end by the time given.
fn seal_at(state: &State, begun: Instant) -> Option<Instant> {
    let until = until(state)?;
    let grace = GRACE.min(until.saturating_duration_since(begun) / 4);
    Some(until.checked_sub(grace).unwrap_or(until))
}

fn drive_shutdown(core: &Core) {
    let begun = now();
    let (state, quiet) = core.watch(Core::is_quiet, |state| seal_at(state, begun));
    drop(state);
    if !quiet {
        core.edge.seal();
    }
    loop {
        let state = core.state.lock();
        let Some(last) = state.threads.last().map(|running| Arc::clone(&running.mailbox)) else {
            break;
        };
        let mailboxes: Vec<_> = state.threads.iter().map(|running| Arc::clone(&running.mailbox)).collect();
        drop(state);
        if core.edge.is_sealed() {
            // No order any more: each ends as soon as it can.
            mailboxes.iter().for_each(|mailbox| tell_to_end(mailbox));
            let (state, _) = core.watch(|state| state.threads.is_empty(), until);
            drop(state);
            break;
        }
        tell_to_end(&last);
        let is_gone = |state: &State| !state.threads.iter().any(|running| Arc::ptr_eq(&running.mailbox, &last));
        let (state, gone) = core.watch(is_gone, |state| seal_at(state, begun));
        drop(state);
        if !gone {
            core.edge.seal();
        }
    }
    finish_shutdown(core);
}

fn tell_to_end(mailbox: &Mailbox) {
    let to = Slot { index: u32::MAX, generation: u32::MAX };
    // An order is never given back.
    let _ = mailbox.push(Mail::order(to, Order::Shutdown));
}

fn finish_shutdown(core: &Core) {
    let (ended, abandoned, until) = {
        let mut state = core.state.lock();
        (std::mem::take(&mut state.ended), std::mem::take(&mut state.threads), until(&state))
    };
    // Before they are answered: who waits for whom.
    let threads: Vec<ThreadStats> = abandoned.iter().map(|running| thread_stats(&running.mailbox)).collect();
    if !abandoned.is_empty() {
        // First those who wait, then the mail, whose drops are the user's and may take their time.
        core.edge.abandon();
    }
    for RunningThread { mailbox, .. } in &abandoned {
        for mail in mailbox.close() {
            divert(mailbox, core, mail);
        }
    }
    // What is left of these are the destructors of the user's thread-locals. With a deadline they are waited for no longer
    // than that.
    join_all(ended, until);
    // Each instance that is there still is on the roster, or has reported by now.
    let there: Vec<_> = abandoned.iter().map(|running| running.mailbox.roster.abandon()).collect();
    for RunningInstance { instance, message } in there.iter().flatten().copied() {
        core.edge.losses.ended(&Ended { instance, message, why: End::Abandoned });
    }
    core.edge.losses.finish();
    let Ledger { instances: abandoned_instances, dead_letters, left } = reconcile(core, &abandoned, &there);
    let mut state = core.state.lock();
    let mut instances = std::mem::take(&mut state.reports);
    instances.extend(abandoned_instances);
    instances.sort_by_key(|instance| instance.id);
    let skipped = core.edge.losses.skipped();
    let report = Report { instances, earlier: state.earlier, dead_letters, skipped, left };
    state.phase = EnginePhase::Stopped(if abandoned.is_empty() {
        Ok(report)
    } else {
        Err(ShutdownError::Abandoned { threads, report })
    });
    drop(state);
    core.state.notify();
}

/// The ledger of abandoned threads and of the instances there. A thread that still moves changes them while they are
/// read: they are read until two looks agree, or one gives up on that.
fn reconcile(core: &Core, abandoned: &[RunningThread], there: &[Vec<RunningInstance>]) -> Ledger {
    let look = || Ledger {
        instances: abandoned.iter().zip(there).flat_map(|(one, there)| one.mailbox.roster.reports(there)).collect(),
        dead_letters: core.edge.losses.letters(),
        left: abandoned.iter().map(|one| one.mailbox.meter.in_hand() as u64).sum(),
    };
    let mut ledger = look();
    for _ in 0..1_000 {
        let_others_run();
        let again = look();
        if again == ledger {
            break;
        }
        ledger = again;
    }
    ledger
}

/// Begins the shutdown and has another thread drive it: for those who may not wait.
pub(crate) fn stop(core: &Arc<Core>, limit: Option<Duration>) {
    if !begin_shutdown(core, limit) {
        return;
    }
    let driver = Arc::clone(core);
    if start_thread("zctor-shutdown", None, move || drive_shutdown(&driver)).is_err() {
        // Whoever waits for the end drives it.
        if let EnginePhase::Stopping { driven, .. } = &mut core.state.lock().phase {
            *driven = false;
        }
        core.state.notify();
    }
}

pub(crate) fn shutdown(core: &Arc<Core>, limit: Option<Duration>) -> Result<Report, ShutdownError> {
    // Nor what the runtime calls, which may be called by who drives the shutdown.
    if local().is_some() || Frame::current().is_user_code() {
        stop(core, limit);
        return Err(ShutdownError::OnActorThread);
    }
    if begin_shutdown(core, limit) {
        drive_shutdown(core);
    }
    wait_stopped(core)
}

pub(crate) fn wait_stopped(core: &Core) -> Result<Report, ShutdownError> {
    loop {
        let undriven = |state: &State| matches!(state.phase, EnginePhase::Stopping { driven: false, .. });
        let is_over = |state: &State| matches!(state.phase, EnginePhase::Stopped(_)) || undriven(state);
        let (mut state, _) = core.watch(is_over, |_| None);
        match &mut state.phase {
            EnginePhase::Stopped(outcome) => return outcome.clone(),
            EnginePhase::Stopping { driven, .. } => *driven = true,
            EnginePhase::Open => continue,
        }
        drop(state);
        drive_shutdown(core);
    }
}
