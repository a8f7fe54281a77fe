//! The start, the loop, the rest and the end of an actor thread.

use std::rc::Rc;
use std::sync::Arc;

use crate::error::SpawnError;
use crate::mailbox::Mailbox;
use crate::reply::cancellation::Terms;
use crate::reply::oneshot;
use crate::sys::frame;
use crate::sys::park::wait_outside;
use crate::sys::spawn::{Started, start_thread};
use crate::sys::unwind::quietly;
use crate::thread::local::{Kept, LOCAL, Local, Parent};

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
pub(crate) struct Newborn<T> {
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
) -> Result<Newborn<T>, SpawnError> {
    let Plan { stack_size, builds, keep } = plan;
    let (built_sender, built) = oneshot::channel(Terms::none());
    let (commit, mut committed) = oneshot::channel(Terms::none());
    let body = {
        let mailbox = Arc::clone(&mailbox);
        move || {
            let exit = Exit::enter(parent, mailbox, keep());
            match exit.0.build(builds) {
                Err(error) => {
                    exit.0.discard_all();
                    let _ = built_sender.send(Err(error));
                }
                Ok(enlisted) => {
                    let _ = built_sender.send(Ok(enlisted));
                    match wait_outside(&mut committed, None) {
                        Some(Ok(())) => exit.0.run(),
                        // Another thread of the same pool failed: none of them comes to life.
                        Some(Err(_)) | None => exit.0.discard_all(),
                    }
                }
            }
        }
    };
    let handle = start_thread(&mailbox.name, stack_size, body).map_err(|source| SpawnError::Thread { source })?;
    Ok(Newborn { mailbox, handle, built, commit })
}

/// Marks the current thread as an actor thread; dropped, it closes the mailbox and reports, however the thread ends.
pub(crate) struct Exit(Rc<Local>);

impl Exit {
    pub(crate) fn local(&self) -> &Rc<Local> {
        &self.0
    }

    /// The calling thread of `here` ends its part in the engine.
    pub(crate) fn end(self) {
        self.0.come_back_for_good();
        self.0.end_all();
    }

    pub(crate) fn enter(parent: Arc<dyn Parent>, mailbox: Arc<Mailbox>, kept: Kept) -> Self {
        mailbox.parker.adopt_current_thread();
        let local = Rc::new(Local::new(parent, mailbox, kept));
        local.mailbox.make_current();
        LOCAL.with(|current| current.replace(Some(Rc::clone(&local))));
        Self(local)
    }
}

impl Drop for Exit {
    fn drop(&mut self) {
        let local = &self.0;
        local.close();
        // None are left, unless a bug of ours unwinds: their states are dropped all the same.
        local.discard_all();
        // A thread that never left by itself, and whose locals are going, is past this.
        let _ = LOCAL.try_with(|current| current.replace(None));
        frame::leave();
        local.mailbox.parker.leave();
        local.parent.thread_ended(&local.mailbox);
    }
}

/// Messages of its own that a thread serves before it looks at its mailbox and its timers again.
pub(super) const BATCH: usize = 64;

impl Local {
    fn build<T>(self: &Rc<Self>, builds: Vec<Build<T>>) -> Result<Vec<T>, SpawnError> {
        let mut enlisted = Vec::with_capacity(builds.len());
        let mut builds = builds.into_iter();
        while let Some(build) = builds.next() {
            match build(self) {
                Ok(address) => enlisted.extend(address),
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
    fn discard_all(self: &Rc<Self>) {
        while let Some(instance) = self.youngest() {
            instance.discard(self);
        }
    }

    pub(crate) fn run(self: &Rc<Self>) {
        loop {
            let mut served = 0;
            while served < BATCH {
                match self.serve_one(u32::MAX, BATCH - served) {
                    0 => break,
                    done => served += done,
                }
            }
            self.take_in();
            self.ring();
            // Once the time is up nothing is handled any more: what is queued is left for the end.
            let out_of_time = self.ending.get() && self.mailbox.edge.is_sealed();
            if self.floor.borrow().queue.has(u32::MAX) && !out_of_time {
                continue;
            }
            let wait_for_held = self.held.get() > 0 && !self.mailbox.edge.is_sealed();
            // Closed from outside: this thread was given up.
            let over = self.mailbox.parker.is_closed() || (self.ending.get() && !wait_for_held);
            if over || (self.is_empty() && !self.stays.get()) {
                break;
            }
            self.rest();
        }
        self.end_all();
    }

    /// Ends the instances, the youngest first; what `on_stop` sends to those still there is served before they end.
    pub(super) fn end_all(self: &Rc<Self>) {
        while let Some(instance) = self.youngest() {
            Rc::clone(&instance).start(self);
            instance.end(self);
            self.take_in();
            while !self.mailbox.edge.is_sealed() && self.serve_one(u32::MAX, BATCH) > 0 {}
        }
    }

    /// With nothing to do: waits for mail or the next timer.
    fn rest(&self) {
        let parker = &self.mailbox.parker;
        parker.announce();
        if !self.take_in() || self.floor.borrow().queue.has(u32::MAX) || (self.ending.get() && self.held.get() == 0) {
            parker.retract();
            return;
        }
        let quiet = self.held.get() == 0;
        if quiet {
            self.mailbox.begin_rest();
            self.parent.came_to_rest();
        }
        if parker.spin(&self.budget, || false) {
            parker.retract();
        } else {
            self.give_room_back();
            parker.park(self.next_timer());
        }
        if quiet {
            self.mailbox.end_rest();
        }
    }

    /// The room of a crowd, when that is gone.
    pub(super) fn give_room_back(&self) {
        self.floor.borrow_mut().queue.shrink();
        self.mailbox.spares.shrink();
    }

    /// From here on nobody finds it open, and what it had taken in is given up.
    pub(super) fn close(&self) {
        for mail in self.mailbox.close() {
            self.divert(mail);
        }
        self.clear_queue();
        self.mailbox.spares.clear();
        // It may hold clients of instances that lived here.
        drop(self.mailbox.parker.notify_by(None));
    }
}
