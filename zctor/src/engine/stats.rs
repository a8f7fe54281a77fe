//! Statistics say what an engine is doing. They are read on demand, and stop no thread.
//!
//! The accounts of instances are read a block at a time, so no lock is held for longer than a block takes.

use std::collections::BTreeMap;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::engine::core::{Core, State};
use crate::engine::running_times::Sample;
use crate::id::ThreadId;
use crate::mailbox::Mailbox;
use crate::mailbox::inner_bound::InnerQueue;
use crate::mailbox::permits::Permits;
use crate::mailbox::roster::EndedTotals;
use crate::mailbox::sends::Sends;
use crate::report::instances::InstanceStats;
use crate::report::running::RunningInstance;
use crate::report::types::TypeStats;
use crate::report::waits::OutsideCaller;
use crate::report::{InstanceReport, Stats, ThreadStats};
use crate::sys::clock::now;
use crate::sys::sync::lock;

pub(super) fn stats(core: &Core) -> Stats {
    // The threads that run and what those have done that are gone, in one look: a thread that ends after it is among
    // the former still.
    let (mailboxes, gone) = {
        let state = core.state.lock();
        (running(&state), state.gone.clone())
    };
    let mut types = core.engine.incidents.by_type();
    for (name, ended) in gone {
        add_ended(&mut types, name, ended);
    }
    let living: Vec<_> = mailboxes.iter().map(|mailbox| add_thread(&mut types, mailbox)).collect();
    let incidents = &core.engine.incidents;
    let (mut threads, callers) = threads(core, &mailboxes);
    threads.iter_mut().zip(living).for_each(|(thread, living)| thread.types = living);
    let runs = |thread| threads.binary_search_by_key(&thread, |one| one.thread).is_ok();
    lock(&core.ages).keep(runs);
    lock(&core.running_times).keep(runs);
    Stats {
        threads,
        types: types.into_values().collect(),
        dead_letters: incidents.dead_letters(),
        skipped: incidents.skipped(),
        refused: incidents.refused(),
        restarts: incidents.restarts(),
        timed_out: incidents.timed_out(),
        callers,
        sends: core.engine.sends.as_ref().map(Sends::rows).unwrap_or_default(),
    }
}

/// The mailboxes of the threads that run, in the order of their numbers.
pub(super) fn mailboxes(core: &Core) -> Vec<Arc<Mailbox>> {
    running(&core.state.lock())
}

fn running(state: &State) -> Vec<Arc<Mailbox>> {
    state.threads.values().map(|running| Arc::clone(&running.mailbox)).collect()
}

/// The statistics of these threads, and the waits of threads outside.
pub(super) fn threads(core: &Core, mailboxes: &[Arc<Mailbox>]) -> (Vec<ThreadStats>, Vec<OutsideCaller>) {
    // In this order: a caller is listed when its message has been sent, so each that is listed has its message counted.
    let (mut callers, progress): (Vec<OutsideCaller>, Vec<u64>) = core.engine.callers.list().into_iter().unzip();
    let mut awaited: Vec<Awaited> =
        callers.iter().zip(progress).map(|(caller, progress)| (caller.on, progress, caller.lasted)).collect();
    let mut ended = Vec::with_capacity(mailboxes.len());
    let mut threads = Vec::with_capacity(mailboxes.len());
    for mailbox in mailboxes {
        let (thread, progress) = thread_stats(core, mailbox, &mut awaited);
        threads.push(thread);
        ended.push(progress);
    }
    for (thread, progress) in threads.iter_mut().zip(ended) {
        run_as_long_as_awaited(thread, progress, &awaited);
    }
    let only = |on, message| mailboxes.iter().find(|mailbox| mailbox.thread == on)?.roster.only(message);
    let waits = threads.iter_mut().flat_map(|thread| &mut thread.waits).filter(|wait| !wait.is_elsewhere);
    for wait in waits.filter(|wait| wait.callee_instance.is_none()) {
        wait.callee_instance = only(wait.on, wait.callee);
    }
    for caller in callers.iter_mut().filter(|caller| caller.callee_instance.is_none()) {
        caller.callee_instance = only(caller.on, caller.callee);
    }
    let variants: Vec<_> = threads.iter().map(|thread| variant(thread, &threads, &callers)).collect();
    for (thread, variant) in threads.iter_mut().zip(variants) {
        thread.runs = thread.runs.map(|runs| RunningInstance { variant: runs.variant.or(variant), ..runs });
    }
    (threads, callers)
}

/// A wait for a thread, the progress of the thread when it began (`Callee::progress`), and how long it has lasted.
type Awaited = (ThreadId, u64, Duration);

/// Raises `lasted` of the handler that runs to the longest wait for its thread, if the thread has ended no piece of
/// code since that wait began: then this handler has run all the time. This helps where the thread has not slept since an
/// earlier message, so that no clock tells when the handler began. The thread may have spun before the handler began, but
/// for no longer than a caller spins before its wait is listed. `oldest` is raised to the same time.
fn run_as_long_as_awaited(thread: &mut ThreadStats, progress: Option<u64>, awaited: &[Awaited]) {
    let on = thread.thread;
    // While a handler waits, another may begin without a change of `progress`.
    let Some(runs) = thread.runs.as_mut().filter(|runs| runs.handles && thread.waits.is_empty()) else { return };
    let since_then = awaited.iter().filter(|(awaited, at, _)| *awaited == on && Some(*at) == progress);
    runs.lasted = since_then.map(|(.., lasted)| *lasted).fold(runs.lasted, Duration::max);
    thread.oldest = thread.oldest.max(runs.lasted);
}

/// The variant that the instance which runs on a thread handles, as far as it follows from the waits.
fn variant(thread: &ThreadStats, threads: &[ThreadStats], callers: &[OutsideCaller]) -> Option<&'static str> {
    let runs = thread.runs.filter(|runs| runs.handles)?;
    if let Some(wait) = thread.waits.last().filter(|wait| wait.instance == runs.instance) {
        return wait.variant;
    }
    // If the caller of each message here is known, the instance handles one of those calls.
    let waits = threads.iter().flat_map(|thread| &thread.waits).filter(|wait| !wait.is_elsewhere);
    let waits = waits.map(|wait| (wait.on, wait.callee_instance, wait.callee_variant));
    let callers = callers.iter().map(|caller| (caller.on, caller.callee_instance, caller.callee_variant));
    let calls: Vec<_> = waits.chain(callers).filter(|(on, ..)| *on == thread.thread).collect();
    let mut own = calls.iter().filter(|(_, callee, _)| *callee == Some(runs.instance)).map(|(_, _, variant)| *variant);
    let variant = own.next().flatten().filter(|_| calls.len() == thread.queued);
    variant.filter(|_| own.all(|other| other == variant))
}

/// The instance whose code runs on a thread. Also the thread's `Meter::progress` at that moment, if its clock does not
/// tell how long that code has run and it is still the same code.
fn running_instance(
    core: &Core,
    mailbox: &Mailbox,
    at: Instant,
    (idle, waiting): (Duration, Duration),
) -> (Option<RunningInstance>, Option<u64>) {
    let meter = &mailbox.meter;
    let other_pieces = meter.other_pieces.get();
    let running = meter.running_with_message();
    let found = running.and_then(|(slot, handles)| Some((slot, handles, mailbox.roster.find_with_done(slot)?)));
    let sample = found.map(|(slot, _, (_, done))| Sample { slot, done, other_pieces, idle, waiting });
    let spanned = lock(&core.running_times).look(mailbox.thread, at, sample);
    let Some((slot, handles, (named, done))) = found else { return (None, None) };
    let progress = Some(meter.progress()).filter(|_| meter.running() == Some(slot));
    let since_wake = progress.and_then(|progress| mailbox.parked.runs_since_wake(at, progress));
    let lasted = spanned.max(since_wake.unwrap_or_default());
    let variant = mailbox.noted.get(slot, done).filter(|_| handles);
    let slow_limit = mailbox.roster.slow_limit(slot);
    let runs =
        RunningInstance { instance: named.instance, message: named.message, handles, variant, lasted, slow_limit };
    (Some(runs), progress.filter(|_| since_wake.is_none()))
}

/// The statistics of a thread, and its progress as `running_instance` gives it. Adds the waits of its handlers to
/// `awaited`.
fn thread_stats(core: &Core, mailbox: &Mailbox, awaited: &mut Vec<Awaited>) -> (ThreadStats, Option<u64>) {
    let meter = &mailbox.meter;
    // Before the clock is read, so that all that is counted had come by then.
    let (accepted, done) = mailbox.flow();
    // The clock is read after the look, and at once.
    let (look, at) = (mailbox.parked.look(), now());
    let (idle, waiting) = mailbox.parked.until(&look, at);
    let (runs, progress) = running_instance(core, mailbox, at, (idle, waiting));
    let waits = mailbox.waits.list(&mailbox.roster);
    let inside = waits.iter().filter(|(wait, _)| !wait.is_elsewhere);
    awaited.extend(inside.map(|(wait, progress)| (wait.on, *progress, wait.lasted)));
    let thread = ThreadStats {
        thread: mailbox.thread,
        name: mailbox.name.clone(),
        instances: meter.instances.get() as usize,
        queued: mailbox.load(),
        oldest: lock(&core.ages).look(mailbox.thread, at, accepted, done),
        accepted,
        done,
        handled: meter.handled.get() + meter.past.get(),
        panicked: meter.panicked.get(),
        age: mailbox.parked.age(at),
        idle,
        waiting,
        timers: meter.timers.load(Ordering::Relaxed),
        room: mailbox.permits.as_ref().map(Permits::room),
        inner_room: mailbox.inner.as_ref().map(InnerQueue::room),
        runs,
        waits: waits.into_iter().map(|(wait, _)| wait).collect(),
        backing_off: mailbox.roster.backing_off(),
        types: BTreeMap::new(),
    };
    (thread, progress)
}

pub(super) fn instances(core: &Core) -> Vec<InstanceStats> {
    let mailboxes = mailboxes(core);
    let mut all = Vec::new();
    for mailbox in &mailboxes {
        let first = all.len();
        each_instance(mailbox, |InstanceReport { id, message, handled, panicked, left }| {
            all.push(InstanceStats { id, message, queued: left as usize, handled, panicked, backing_off: None });
        });
        if let [alone] = &mut all[first..] {
            alone.queued = alone.queued.max(mailbox.load());
        }
        for one in mailbox.roster.backing_off() {
            if let Ok(index) = all[first..].binary_search_by_key(&one.instance, |known| known.id) {
                all[first + index].backing_off = Some(one);
            }
        }
    }
    all
}

/// Reads the accounts of all instances of a thread, in the order of their ids.
fn each_instance(mailbox: &Mailbox, mut each: impl FnMut(InstanceReport)) {
    let mut number = 0;
    while mailbox.roster.read_block(number, &mut each) {
        number += 1;
    }
}

/// Adds what the instances of one thread have done. Returns how many of each type live there.
fn add_thread(types: &mut BTreeMap<&'static str, TypeStats>, mailbox: &Mailbox) -> BTreeMap<&'static str, usize> {
    let mut ended = mailbox.roster.ended();
    let mut living = living_types(mailbox);
    // An instance that ended between the two looks is in neither of them, or in both. So they are taken again, but not
    // without end: under a storm of ends the row is as of about now.
    for _ in 0..8 {
        let again = mailbox.roster.ended();
        if again == ended {
            break;
        }
        (ended, living) = (again, living_types(mailbox));
    }
    if let [alone] = &mut living[..] {
        // All that lies in the mailbox is for this type.
        alone.queued = alone.queued.max(mailbox.load());
    }
    let mut counts = BTreeMap::new();
    for row in living {
        *counts.entry(row.message).or_default() += row.instances;
        let sum = types.entry(row.message).or_insert_with(|| TypeStats::new(row.message));
        sum.instances += row.instances;
        sum.queued += row.queued;
        sum.handled += row.handled;
        sum.panicked += row.panicked;
    }
    for (name, ended) in ended {
        add_ended(types, name, ended);
    }
    counts
}

/// The counts of the living instances of one thread, by type.
fn living_types(mailbox: &Mailbox) -> Vec<TypeStats> {
    // Few types live on a thread, and neighbours are often of one type.
    let mut living: Vec<TypeStats> = Vec::new();
    each_instance(mailbox, |InstanceReport { message, handled, panicked, left, .. }| {
        let place = living.iter().rposition(|row| ptr::eq(row.message, message)).unwrap_or_else(|| {
            living.push(TypeStats::new(message));
            living.len() - 1
        });
        let row = &mut living[place];
        row.instances += 1;
        row.queued += left as usize;
        row.handled += handled;
        row.panicked += panicked;
    });
    living
}

/// Adds the counts of instances that have ended.
fn add_ended(types: &mut BTreeMap<&'static str, TypeStats>, name: &'static str, ended: EndedTotals) {
    let sum = types.entry(name).or_insert_with(|| TypeStats::new(name));
    sum.ended += ended.instances;
    sum.handled += ended.handled;
    sum.panicked += ended.panicked;
}
