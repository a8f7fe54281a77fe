//! The start, the loop, the rest and the end of an actor thread.

use std::rc::Rc;
use std::sync::Arc;

use crate::error::SpawnError;
use crate::mailbox::Mailbox;
use crate::reply::cancellation::Cancellation;
use crate::reply::oneshot;
use crate::sys::frame;
use crate::sys::park::wait_outside;
use crate::sys::spawn::{Started, start_thread};
use crate::sys::unwind::quietly;
use crate::thread::local::{Kept, LOCAL, Local, Parent};
use crate::thread::serve::{ring, serve_one, take_in};
use crate::thread::undelivered::{clear_queue, divert_here};

/// Builds one instance on its thread. What it gives joins the registry when the whole thread stands.
pub(crate) type Build<T> = Box<dyn FnOnce(&Rc<Local>) -> Result<Option<T>, SpawnError> + Send>;

/// A thread to be.
pub(crate) struct Plan<T> {
    pub(crate) stack_size: Option<usize>,
    pub(crate) builds: Vec<Build<T>>,
    /// What the layers above keep there, made on the thread.
    pub(crate) keep: Box<dyn FnOnce() -> Kept + Send>,
}

/// A thread that was started and may have failed to build its instances.
pub(crate) struct Starting<T> {
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) handle: Started,
    pub(crate) built: oneshot::Receiver<Result<Vec<T>, SpawnError>>,
    pub(crate) commit: oneshot::Sender<()>,
}

/// Starts an actor thread.
pub(crate) fn start<T: Send + 'static>(
    parent: Arc<dyn Parent>,
    mailbox: Arc<Mailbox>,
    plan: Plan<T>,
) -> Result<Starting<T>, SpawnError> {
    let Plan { stack_size, builds, keep } = plan;
    let (built_sender, built) = oneshot::channel(Cancellation::none());
    let (commit, mut committed) = oneshot::channel(Cancellation::none());
    let body = {
        let mailbox = Arc::clone(&mailbox);
        move || {
            let guard = ThreadGuard::enter(parent, mailbox, keep());
            match build_all(guard.local(), builds) {
                Err(error) => {
                    discard_all(guard.local());
                    let _ = built_sender.send(Err(error));
                }
                Ok(enlisted) => {
                    let _ = built_sender.send(Ok(enlisted));
                    match wait_outside(&mut committed, None) {
                        Some(Ok(())) => run(guard.local()),
                        // Another thread of the same pool failed: none of them comes to life.
                        Some(Err(_)) | None => discard_all(guard.local()),
                    }
                }
            }
        }
    };
    let handle = start_thread(&mailbox.name, stack_size, body).map_err(|source| SpawnError::Thread { source })?;
    Ok(Starting { mailbox, handle, built, commit })
}

/// Marks the current thread as an actor thread; dropped, it closes the mailbox and reports, however the thread ends.
pub(crate) struct ThreadGuard(Rc<Local>);

impl ThreadGuard {
    pub(crate) fn local(&self) -> &Rc<Local> {
        &self.0
    }

    pub(crate) fn enter(parent: Arc<dyn Parent>, mailbox: Arc<Mailbox>, kept: Kept) -> Self {
        mailbox.parker.adopt_current_thread();
        let local = Rc::new(Local::new(parent, mailbox, kept));
        local.mailbox.make_current();
        LOCAL.with(|current| current.replace(Some(Rc::clone(&local))));
        Self(local)
    }
}

impl Drop for ThreadGuard {
    fn drop(&mut self) {
        let local = &self.0;
        close(local);
        // None are left, unless a bug of ours unwinds: their states are dropped all the same.
        discard_all(local);
        // A thread that never left by itself, and whose locals are going, is past this.
        let _ = LOCAL.try_with(|current| current.replace(None));
        frame::leave();
        local.mailbox.parker.leave();
        local.parent.thread_ended(&local.mailbox);
    }
}

/// Messages of its own that a thread serves before it looks at its mailbox and its timers again.
pub(super) const BATCH: usize = 64;

fn build_all<T>(local: &Rc<Local>, builds: Vec<Build<T>>) -> Result<Vec<T>, SpawnError> {
    let mut enlisted = Vec::with_capacity(builds.len());
    let mut builds = builds.into_iter();
    while let Some(build) = builds.next() {
        match build(local) {
            Ok(built) => enlisted.extend(built),
            Err(error) => {
                // The factories that will not run hold what the user moved into them.
                quietly(|| drop(builds));
                return Err(error);
            }
        }
    }
    Ok(enlisted)
}

/// The thread never came to run: its states are dropped where they were built.
fn discard_all(local: &Rc<Local>) {
    while let Some(instance) = local.youngest() {
        instance.discard(local);
    }
}

/// Serves the instances until the last of them has ended, or until the engine ends the thread.
pub(crate) fn run(local: &Rc<Local>) {
    let mailbox = &local.mailbox;
    loop {
        let mut served = 0;
        while served < BATCH {
            match serve_one(local, u32::MAX, BATCH - served) {
                0 => break,
                done => served += done,
            }
        }
        take_in(local);
        ring(local);
        // Once the time is up nothing is handled any more: what is queued is left for the end.
        let out_of_time = local.ending.get() && mailbox.edge.is_sealed();
        if local.has_mail(u32::MAX) && !out_of_time {
            continue;
        }
        let wait_for_held = !local.held.is_empty() && !mailbox.edge.is_sealed();
        // Closed from outside: this thread was given up.
        let over = mailbox.parker.is_closed() || (local.ending.get() && !wait_for_held);
        if over || (local.is_empty() && !local.borrowed.is_one.get()) {
            break;
        }
        rest(local);
    }
    end_all(local);
}

/// Ends the instances, the youngest first; what `on_stop` sends to those still there is served before they end.
pub(super) fn end_all(local: &Rc<Local>) {
    while let Some(instance) = local.youngest() {
        Rc::clone(&instance).start(local);
        instance.end(local);
        take_in(local);
        while !local.mailbox.edge.is_sealed() && serve_one(local, u32::MAX, BATCH) > 0 {}
    }
}

/// With nothing to do: waits for mail or the next timer.
fn rest(local: &Local) {
    let parker = &local.mailbox.parker;
    parker.announce();
    if !take_in(local) || local.has_mail(u32::MAX) || (local.ending.get() && local.held.is_empty()) {
        parker.retract();
        return;
    }
    at_rest(local, local.held.is_empty(), || {
        if parker.spin(&local.budget, || false) {
            parker.retract();
        } else {
            free_memory(local);
            parker.park(local.next_timer());
        }
    });
}

/// Waits by `f`; if the thread `rests` meanwhile, it says so.
pub(super) fn at_rest(local: &Local, rests: bool, f: impl FnOnce()) {
    if rests {
        begin_rest(local);
    }
    f();
    if rests {
        local.mailbox.end_rest();
    }
}

/// The thread has nothing to do, until `Mailbox::end_rest`.
pub(super) fn begin_rest(local: &Local) {
    local.mailbox.begin_rest();
    local.parent.came_to_rest();
}

/// The room of a crowd, when that is gone.
pub(super) fn free_memory(local: &Local) {
    local.hosting.borrow_mut().queue.shrink();
    local.mailbox.buffers.shrink();
}

/// From here on nobody finds it open, and what it had taken in is given up.
pub(super) fn close(local: &Local) {
    for mail in local.mailbox.close() {
        divert_here(local, mail);
    }
    clear_queue(local);
    local.mailbox.buffers.clear();
    // It may hold clients of instances that lived here.
    drop(local.mailbox.parker.notify_by(None));
}
