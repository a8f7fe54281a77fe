//! The start, the loop, the rest and the end of an actor thread.
//!
//! They are steps 1, 4 and 5 of the list at the head of `thread.rs`, and the loop around step 2.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::SpawnError;
use crate::mailbox::Mailbox;
use crate::mailbox::parked::Park;
use crate::reply::cancellation::Cancellation;
use crate::reply::oneshot;
use crate::sys::clock::now;
use crate::sys::frame;
use crate::sys::outside::wait_outside;
use crate::sys::spawn::{Started, start_thread};
use crate::sys::spin::Spun;
use crate::sys::unwind::ignoring_panic;
use crate::thread::kept::Kept;
use crate::thread::local::{LOCAL, Local};
use crate::thread::owner::ThreadOwner;
use crate::thread::serve::serve;
use crate::thread::take_in::{publish_timers, queue_due_timers, take_in};
use crate::thread::undelivered::{clear_queue, divert_here};

/// Builds one instance on its thread. The `T` that it returns goes into the registry once all instances of the thread
/// are built.
pub(crate) type Build<T> = Box<dyn FnOnce(&Rc<Local>) -> Result<Option<T>, SpawnError> + Send>;

/// The plan of a thread that is to be started.
pub(crate) struct ThreadPlan<T> {
    pub(crate) stack_size: Option<usize>,
    pub(crate) builds: Vec<Build<T>>,
    /// Makes, on the new thread, what the layers above keep there.
    pub(crate) keep: Box<dyn FnOnce() -> Kept + Send>,
}

/// A thread that was started. Whether it could build its instances is not known yet.
pub(crate) struct Starting<T> {
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) handle: Started,
    /// Receives the outcome of the builds.
    pub(crate) built: oneshot::Receiver<Result<Vec<T>, SpawnError>>,
    /// Tells the thread to run. Dropped unsent, it tells the thread to drop its instances instead.
    pub(crate) commit: oneshot::Sender<()>,
}

/// Starts an actor thread.
pub(crate) fn start<T: Send + 'static>(
    owner: Arc<dyn ThreadOwner>,
    mailbox: Arc<Mailbox>,
    plan: ThreadPlan<T>,
) -> Result<Starting<T>, SpawnError> {
    let ThreadPlan { stack_size, builds, keep } = plan;
    let (built_sender, built) = oneshot::channel(Cancellation::none());
    let (commit, mut committed) = oneshot::channel(Cancellation::none());
    let body = {
        let mailbox = Arc::clone(&mailbox);
        move || {
            frame::be_engines_own();
            let guard = ThreadGuard::enter(owner, mailbox, keep());
            match build_all(guard.local(), builds) {
                Err(error) => {
                    discard_all(guard.local());
                    let _ = built_sender.send(Err(error));
                }
                Ok(enlisted) => {
                    let _ = built_sender.send(Ok(enlisted));
                    match wait_outside(&mut committed, None) {
                        Some(Ok(())) => run(guard.local()),
                        // Another thread of the same spawn failed: none of them runs.
                        Some(Err(_)) | None => discard_all(guard.local()),
                    }
                }
            }
        }
    };
    let handle = start_thread(&mailbox.name, stack_size, body).map_err(|source| SpawnError::Thread { source })?;
    Ok(Starting { mailbox, handle, built, commit })
}

/// Marks the current thread as an actor thread. Its drop closes the mailbox and reports the end, however the thread
/// ends.
pub(crate) struct ThreadGuard(Rc<Local>);

impl ThreadGuard {
    pub(crate) fn local(&self) -> &Rc<Local> {
        &self.0
    }

    pub(crate) fn enter(owner: Arc<dyn ThreadOwner>, mailbox: Arc<Mailbox>, kept: Kept) -> Self {
        mailbox.parker.adopt_current_thread();
        let local = Rc::new(Local::new(owner, mailbox, kept));
        local.mailbox.make_current();
        LOCAL.with(|current| current.replace(Some(Rc::clone(&local))));
        Self(local)
    }
}

impl Drop for ThreadGuard {
    fn drop(&mut self) {
        let local = &self.0;
        close(local);
        // No instance is left, unless a bug of zctor's own unwinds here. The states are dropped then too.
        discard_all(local);
        LOCAL.with(|current| current.replace(None));
        frame::leave();
        local.mailbox.parker.leave();
        local.owner.thread_ended(&local.mailbox);
    }
}

/// How many messages of its queue a thread serves before it looks at its mailbox and its timers again.
pub(super) const BATCH: usize = 64;

fn build_all<T>(local: &Rc<Local>, builds: Vec<Build<T>>) -> Result<Vec<T>, SpawnError> {
    let mut enlisted = Vec::with_capacity(builds.len());
    let mut builds = builds.into_iter();
    while let Some(build) = builds.next() {
        match build(local) {
            Ok(built) => enlisted.extend(built),
            Err(error) => {
                // The factories that will not run hold values of the user's, whose drops are the user's code.
                ignoring_panic(|| drop(builds));
                return Err(error);
            }
        }
    }
    Ok(enlisted)
}

/// Drops all instances as they are, on the thread that built them: it will not run.
pub(crate) fn discard_all(local: &Rc<Local>) {
    while let Some(instance) = local.youngest() {
        instance.discard(local);
    }
}

/// Serves the instances until the last of them has ended, or until the engine ends the thread.
pub(crate) fn run(local: &Rc<Local>) {
    let mailbox = &local.mailbox;
    let (mut has_rested, mut looks) = (false, true);
    serve(local, u32::MAX, BATCH);
    loop {
        if looks {
            take_in(local);
        }
        queue_due_timers(local);
        // Once the edge is sealed nothing is handled any more: `close` gives up what is queued.
        let out_of_time = local.ending.get() && mailbox.engine.edge.is_sealed();
        if local.has_mail(u32::MAX) && !out_of_time {
            serve(local, u32::MAX, BATCH);
            // A thread that has served what ended its rest will mostly rest again, which looks at the mailbox too.
            looks = !std::mem::take(&mut has_rested);
            continue;
        }
        let wait_for_held = !local.held.is_empty() && !mailbox.engine.edge.is_sealed();
        // If the mailbox was closed from outside, this thread was abandoned.
        let over = mailbox.parker.is_closed() || (local.ending.get() && !wait_for_held);
        if over || (local.is_empty() && !local.borrowed.is_one.get()) {
            break;
        }
        rest(local);
        (has_rested, looks) = (true, true);
    }
    end_all(local);
}

/// Ends the instances, the youngest first. Messages that their `on_stop` sends to older ones are served before those
/// end.
pub(super) fn end_all(local: &Rc<Local>) {
    while let Some(instance) = local.youngest() {
        instance.end(local);
        take_in(local);
        // One by one: orders run code of their own, for which there is no time behind the seal.
        while !local.mailbox.engine.edge.is_sealed() && serve(local, u32::MAX, 1) > 0 {}
    }
}

/// Waits for mail or the next timer, if there is nothing to do.
fn rest(local: &Local) {
    let parker = &local.mailbox.parker;
    parker.announce();
    if !take_in(local) || local.has_mail(u32::MAX) || (local.ending.get() && local.held.is_empty()) {
        parker.retract();
        return;
    }
    at_rest(local, local.held.is_empty(), || {
        match parker.spin(&local.budgets, local.mailbox.engine.spin.no_later_than(|| local.next_timer())) {
            Spun::Came => parker.retract(),
            Spun::Nothing(budget) => {
                free_memory(local);
                let time = parked(local, Park::Idle, now(), local.next_timer());
                budget.into_iter().for_each(|budget| budget.parked_for(time));
            }
        }
    });
}

/// Parks the thread, at this time, and counts for how long. Gives that time.
pub(super) fn parked(local: &Local, park: Park, at: Instant, until: Option<Instant>) -> Duration {
    let since = local.mailbox.parked.begin(park, at);
    local.mailbox.parker.park(until);
    local.mailbox.parked.end(park, local.mailbox.meter.progress()).saturating_sub(since)
}

/// Waits by `f`. If `rests` says that the thread has nothing to do meanwhile, it counts as at rest until `f` returns.
pub(super) fn at_rest(local: &Local, rests: bool, f: impl FnOnce()) {
    if rests {
        begin_rest(local);
    }
    f();
    if rests {
        end_rest(local);
    }
}

/// Ends what `begin_rest` began.
pub(super) fn end_rest(local: &Local) {
    local.mailbox.meter.end_rest();
    if local.mailbox.engine.is_watcher_asleep() {
        local.owner.wake_watcher();
    }
}

/// Says that the thread has nothing to do, until `end_rest`.
pub(super) fn begin_rest(local: &Local) {
    publish_timers(local);
    local.mailbox.meter.begin_rest();
    local.owner.came_to_rest();
}

/// Frees the memory that a burst of messages took, once they are handled, and that of a burst of instances that have
/// ended.
pub(super) fn free_memory(local: &Local) {
    local.hosting.borrow_mut().queue.shrink();
    local.mailbox.buffers.shrink();
    local.free_ended();
}

/// Closes the mailbox, and gives up the mail in it and in the queue.
pub(crate) fn close(local: &Local) {
    for mail in local.mailbox.close() {
        divert_here(local, mail);
    }
    clear_queue(local);
    local.mailbox.buffers.clear();
    // The user's hook may hold clients of instances that lived here.
    drop(local.mailbox.parker.notify_by(None));
}
