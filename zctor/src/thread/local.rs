//! An actor thread: what a user describes with [`ActorThread`], and the loop that serves its instances.
//!
//! The life of a thread:
//!
//! 1. It builds its instances, each by its factory, and reports. Until the engine has registered them it runs nothing.
//! 2. It takes mail from its mailbox into its own queue, a lane a call depth, and serves it in order of arrival; but a
//!    call to an instance for which nothing else is queued goes ahead (`Queue`). `on_start` is the first entry of each
//!    instance. Mail between its own instances goes to the queue directly. Messages to one instance that wait one behind
//!    the other are gathered to a batch, and handled under one look-up.
//! 3. A handler that waits serves the lanes below its own call depth meanwhile (`Local::wait`).
//! 4. With nothing to do it rests: announces itself, looks a last time, spins, parks (`park.rs`).
//! 5. It ends when its last instance has, or when the engine tells it to and its queue is empty: each instance in
//!    reverse order runs `on_stop` and is dropped, the mailbox closes, and what is left in it becomes dead letters.

use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::task::{Wake, Waker};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::actor::instance::{AnyInstance, Phase};
use crate::actor::timer::{AlarmId, clear_alarm, now, set_alarm};
use crate::actor::{Registration, install_on};
use crate::client::message::Message;
use crate::client::watch::{End, InstanceReport};
use crate::engine::core::Core;
use crate::error::SpawnError;
use crate::mailbox::dead_letters::in_hook;
use crate::mailbox::permits::Overflow;
use crate::mailbox::roster::{Page, Struck};
use crate::mailbox::{Letter, Mail, Mailbox, Meter, ORDER, Order, Serving, Slot, Wants, What};
use crate::messaging::pending::Awaited;
use crate::messaging::target::Aim;
use crate::reply::cancellation::Terms;
use crate::reply::oneshot;
use crate::route::endpoint::{Address, How};
use crate::route::pool::KnownPool;
use crate::route::registry::{Enlist, TypeMap};
use crate::sys::frame::{self, Frame, is_at, quietly};
use crate::sys::park::FIRST_SPIN;
use crate::thread::slots::{Birth, Floor};

/// The number of an actor thread: counts from 0 in the order of spawning.
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
    /// The number.
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

/// Builds one instance on its thread; what it gives joins the registry when the whole thread stands.
pub(crate) type Build = Box<dyn FnOnce(&Rc<Local>) -> Result<Option<Box<dyn Enlist>>, SpawnError> + Send>;

/// An actor thread to be: a name, options, and the instances that will live on it.
///
/// ```
/// use zctor::{ActorEngine, ActorThread, actor};
///
/// #[actor]
/// pub enum JobMessage {
///     #[reply(Option<String>)]
///     Where,
/// }
/// struct Job;
/// impl JobHandler for Job {
///     fn r#where(&mut self) -> Option<String> {
///         std::thread::current().name().map(String::from)
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// engine.spawn(ActorThread::named("jobs").stack_size(256 * 1024).register(JobMessage::actor(|| Job)))?;
/// assert_eq!(engine.call(JobMessage::r#where())?.as_deref(), Some("jobs"));
/// # Ok(())
/// # }
/// ```
#[must_use = "a thread does nothing until it is spawned"]
#[derive(Default)]
pub struct ActorThread {
    pub(crate) name: Option<String>,
    pub(crate) stack_size: Option<usize>,
    pub(crate) mailbox_bound: Option<usize>,
    pub(crate) overflow: Overflow,
    pub(crate) builds: Vec<Build>,
}

impl ActorThread {
    /// A thread without instances; its name will be `zctor-` and its number.
    pub fn new() -> Self {
        Self::default()
    }

    /// A thread of this name, as debuggers and panics show it.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..Self::default() }
    }

    /// Adds an instance. Any number of any types can share a thread, and several of one type. One at a time is at work, but
    /// what is queued for one does not hold up a call to another that has nothing queued.
    ///
    /// Instances are built in the order of registration, on the thread, when it is spawned.
    pub fn register<A: Registration>(mut self, actor: A) -> Self {
        self.builds.push(Box::new(move |local| {
            let address = install_on::<A::Message>(local, true, actor)?;
            Ok(Some(Box::new(address) as Box<dyn Enlist>))
        }));
        self
    }

    /// Lets at most so many messages from outside wait in its mailbox at a time, for all its instances together; without
    /// it, any number. A message counts until its handler begins, wherever it waits. 0 counts as 1.
    ///
    /// What becomes of more than that is the [`overflow`](ActorThread::overflow). Messages from actor threads are not
    /// counted: inside, the brake is the call, which waits for its reply.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use zctor::{ActorEngine, ActorThread, actor};
    ///
    /// #[actor]
    /// pub enum JobMessage {
    ///     Wait,
    /// }
    /// struct Job(mpsc::Receiver<()>);
    /// impl JobHandler for Job {
    ///     fn wait(&mut self) {
    ///         self.0.recv().unwrap_or_default();
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = ActorEngine::new();
    /// let (go, wait) = mpsc::channel();
    /// engine.spawn(ActorThread::new().mailbox_bound(2).register(JobMessage::actor_once(|| Job(wait))))?;
    /// let job = engine.client::<JobMessage>()?.non_blocking();
    /// // One is at work by the end, and two wait.
    /// let accepted = std::iter::from_fn(|| job.wait().is_ok().then_some(())).count();
    /// assert!((2..=3).contains(&accepted));
    /// drop(go);
    /// # Ok(())
    /// # }
    /// ```
    pub fn mailbox_bound(mut self, messages: usize) -> Self {
        self.mailbox_bound = Some(messages);
        self
    }

    /// What becomes of a message from outside that finds no room under the
    /// [`mailbox_bound`](ActorThread::mailbox_bound); without it, [`Overflow::Wait`].
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Bytes of stack; without it, the platform's default for threads.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }
}

impl fmt::Debug for ActorThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActorThread").field("name", &self.name).field("instances", &self.builds.len()).finish()
    }
}

/// A thread that was started and may have failed to build its instances.
pub(crate) struct Newborn {
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) handle: JoinHandle<()>,
    pub(crate) built: oneshot::Receiver<Result<Vec<Box<dyn Enlist>>, SpawnError>>,
    pub(crate) commit: mpsc::Sender<()>,
}

/// Starts the operating system's thread: the one place that does.
pub(crate) fn start(core: &Arc<Core>, mailbox: Arc<Mailbox>, thread: ActorThread) -> Result<Newborn, SpawnError> {
    let (built_sender, built) = oneshot::channel(Terms::none());
    let (commit, committed) = mpsc::channel();
    let body = {
        let (core, mailbox) = (Arc::clone(core), Arc::clone(&mailbox));
        let builds = thread.builds;
        move || {
            let exit = Exit::enter(core, mailbox);
            match exit.0.build(builds) {
                Err(error) => {
                    exit.0.discard_all();
                    let _ = built_sender.send(Err(error));
                }
                Ok(enlisted) => {
                    let _ = built_sender.send(Ok(enlisted));
                    match committed.recv() {
                        Ok(()) => exit.0.run(),
                        // Another thread of the same pool failed: none of them comes to life.
                        Err(_) => exit.0.discard_all(),
                    }
                }
            }
        }
    };
    let handle = start_thread(&mailbox.name, thread.stack_size, body)?;
    Ok(Newborn { mailbox, handle, built, commit })
}

/// Starts a thread of zctor's.
pub(crate) fn start_thread(
    name: &str,
    stack_size: Option<usize>,
    body: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, SpawnError> {
    let mut builder = std::thread::Builder::new();
    // A name with a NUL in it is not the caller's fault to panic for.
    builder = builder.name(name.replace('\0', " "));
    if let Some(bytes) = stack_size {
        builder = builder.stack_size(bytes);
    }
    builder.spawn(body).map_err(|source| SpawnError::Thread { source })
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

    pub(crate) fn enter(core: Arc<Core>, mailbox: Arc<Mailbox>) -> Self {
        mailbox.parker.adopt_current_thread();
        let local = Rc::new(Local::new(core, mailbox));
        frame::enter(&local.mailbox);
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
        local.core.thread_ended(&local.mailbox);
    }
}

thread_local! {
    static LOCAL: RefCell<Option<Rc<Local>>> = const { RefCell::new(None) };
}

/// The actor thread that this code runs on.
#[inline]
pub(crate) fn local() -> Option<Rc<Local>> {
    LOCAL.try_with(|local| local.borrow().clone()).ok().flatten()
}

/// Queues mail for an instance of the actor thread that this code runs on. It comes back if that is no more: while its
/// locals are going.
#[inline(never)]
pub(crate) fn enqueue_here(mail: Mail) -> Option<Mail> {
    match local() {
        Some(local) => {
            local.enqueue(mail);
            None
        }
        None => Some(mail),
    }
}

/// Queues a message for an instance of the actor thread that this code runs on, which takes mail: by `add` in the mail that
/// was queued last, if that is for the same instance and came in the same way, so that what a handler sends to one neighbour
/// again and again travels as a batch; else as mail of its own, by `make`. `false` if that thread is no more.
#[inline]
pub(crate) fn send_here<M: Message>(
    message: &mut Option<M>,
    address: &Address<M>,
    how: How,
    add: impl FnOnce(&mut Letter, &mut Option<M>) -> bool,
    make: impl FnOnce(&mut Option<M>) -> Mail,
) -> bool {
    let send = |local: &Local| {
        let mut floor = local.floor.borrow_mut();
        if let Some(account) = floor.account(address.slot) {
            account.take_in(1);
        }
        Meter::add(&local.mailbox.meter.taken, 1);
        let queue = &mut floor.queue;
        let last = queue.last(M::CALL_DEPTH).filter(|mail| mail.takes(address.slot, how, in_hook()));
        if let Some(Mail { what: What::Letter(letter), messages, .. }) = last {
            if add(letter, message) {
                *messages += 1;
                return;
            }
        }
        queue.push(M::CALL_DEPTH, false, || make(message));
    };
    // Borrowed all the while: nothing but the runtime's own code runs.
    LOCAL.try_with(|local| local.borrow().as_deref().map(send)).is_ok_and(|sent| sent.is_some())
}

/// Everything of an actor thread that no other thread touches.
///
/// Its cells are borrowed for a moment each, never while user code runs.
pub(crate) struct Local {
    pub(crate) core: Arc<Core>,
    pub(crate) mailbox: Arc<Mailbox>,
    waker: Waker,
    floor: RefCell<Floor>,
    timers: RefCell<BTreeMap<(Instant, u64), Slot>>,
    /// Numbers timers, pipes and tenants.
    serial: Cell<u64>,
    /// The engine told this thread to end.
    ending: Cell<bool>,
    /// It goes on without instances: the calling thread of `here`.
    stays: Cell<bool>,
    /// That one is back at something of its own: since when it rests, if it does, and the alarm for its next timer.
    away: Cell<Option<Away>>,
    /// The end of that one, put off until no code of its instances is on the stack.
    dropped: Cell<Option<Exit>>,
    /// Messages held for instances that rest.
    held: Cell<usize>,
    budget: Cell<u32>,
    /// Each a counted `KnownPool`.
    pools: RefCell<TypeMap<Box<dyn Any>>>,
    local_turns: RefCell<HashMap<TypeId, u64>>,
}

/// The calling thread of `here`, back at something of its own.
struct Away {
    /// Its word stands by.
    stands: bool,
    rests: bool,
    alarm: Option<AlarmId>,
}

/// A wait that the statistics tell of.
struct Noted<'a>(&'a Mailbox);

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        self.0.end_wait();
    }
}

/// Messages of its own that a thread serves before it looks at its mailbox and its timers again.
const BATCH: usize = 64;

impl Local {
    fn new(core: Arc<Core>, mailbox: Arc<Mailbox>) -> Self {
        let waker = Waker::from(Arc::clone(&mailbox.parker));
        Self {
            core,
            mailbox,
            waker,
            floor: RefCell::default(),
            timers: RefCell::default(),
            serial: Cell::new(0),
            ending: Cell::new(false),
            stays: Cell::new(false),
            away: Cell::new(None),
            dropped: Cell::new(None),
            held: Cell::new(0),
            budget: Cell::new(FIRST_SPIN),
            pools: RefCell::default(),
            local_turns: RefCell::default(),
        }
    }

    fn build(self: &Rc<Self>, builds: Vec<Build>) -> Result<Vec<Box<dyn Enlist>>, SpawnError> {
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
    fn end_all(self: &Rc<Self>) {
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
            self.core.came_to_rest();
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
    fn give_room_back(&self) {
        self.floor.borrow_mut().queue.shrink();
        self.mailbox.spares.shrink();
    }

    // The calling thread of `here`: an actor thread only while it serves or waits.

    /// Called once, when it has become an actor thread: it stays one without instances, and goes back to its own.
    pub(crate) fn settle_here(&self) {
        self.stays.set(true);
        self.go();
    }

    /// Runs `f` as an actor thread. Where it is one just now, that is all.
    pub(crate) fn as_actor_thread<R>(&self, f: impl FnOnce() -> R) -> R {
        if !self.stays.get() || is_at(&self.mailbox) {
            return f();
        }
        self.come_back();
        let result = f();
        match self.dropped.take() {
            Some(exit) => exit.end(),
            None => self.go(),
        }
        result
    }

    /// One of its own instances has dropped what `here` gave: it ends when no code of theirs is on the stack any more.
    pub(crate) fn end_later(&self, exit: Exit) {
        self.ending.set(true);
        self.dropped.set(Some(exit));
    }

    fn come_back(&self) {
        if let Some(Away { stands, rests, alarm }) = self.away.take() {
            if let Some(alarm) = alarm {
                clear_alarm(alarm);
            }
            if stands {
                self.mailbox.parker.come_back();
            }
            if rests {
                self.mailbox.end_rest();
            }
        }
        frame::enter(&self.mailbox);
    }

    /// It is an actor thread until its end.
    fn come_back_for_good(&self) {
        self.stays.set(false);
        self.come_back();
    }

    /// Goes back to its own; told at once if there is something to do here.
    fn go(&self) {
        let parker = &self.mailbox.parker;
        parker.announce();
        let idle = self.take_in() && !self.floor.borrow().queue.has(u32::MAX) && !self.ending.get();
        let rests = idle && self.held.get() == 0;
        if rests {
            self.give_room_back();
            self.mailbox.begin_rest();
            self.core.came_to_rest();
        }
        let alarm = self.next_timer().filter(|_| idle).map(|due| set_alarm(due, self.waker.clone()));
        frame::leave();
        let stands = idle && parker.stand_by();
        if !stands {
            parker.retract();
        }
        self.away.set(Some(Away { stands, rests, alarm }));
        if !stands && !self.is_over() {
            parker.notify();
        }
    }

    /// Something waits for it.
    pub(crate) fn has_work(&self) -> bool {
        !self.mailbox.is_empty() || self.floor.borrow().queue.has(u32::MAX)
    }

    /// The calling thread of `here`, after its part in the engine is over.
    pub(crate) fn is_done(&self) -> bool {
        self.stays.get() && self.mailbox.parker.is_closed()
    }

    /// The engine has told it to end.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.get()
    }

    /// Its instances have ended, and so has its part in the engine.
    fn is_over(&self) -> bool {
        self.ending.get() && self.is_empty()
    }

    /// Serves as much as waits, and not what comes meanwhile on top. `false` when the engine has ended this thread.
    pub(crate) fn run_pending(self: &Rc<Self>) -> bool {
        if Frame::current().is_user_code() {
            return true;
        }
        self.as_actor_thread(|| {
            self.take_in();
            self.ring();
            let mut waiting = self.floor.borrow().queue.len();
            while waiting > 0 {
                match self.serve_one(u32::MAX, waiting) {
                    0 => break,
                    done => waiting = waiting.saturating_sub(done),
                }
            }
            // Closed from outside: this thread was given up.
            let told = self.ending.get() || self.mailbox.parker.is_closed();
            let waits = self.floor.borrow().queue.has(u32::MAX) || self.held.get() > 0;
            if told && (!waits || self.mailbox.edge.is_sealed()) {
                self.ending.set(true);
                self.end_all();
                // The engine need not wait for its owner.
                self.close();
                self.core.thread_ended(&self.mailbox);
                return false;
            }
            true
        })
    }

    /// Serves until there is nothing to do.
    pub(crate) fn run_until_idle(self: &Rc<Self>) {
        self.as_actor_thread(|| {
            while !self.ending.get() {
                self.ring();
                if !self.take_in() || self.floor.borrow().queue.has(u32::MAX) {
                    self.serve_one(u32::MAX, BATCH);
                } else {
                    break;
                }
            }
        });
    }

    /// Waits inside a handler, serving what lies below the handler's depth meanwhile. `None` at the deadline, or when
    /// this thread was given up.
    pub(crate) fn wait<A: Awaited>(
        self: &Rc<Self>,
        below: u32,
        awaited: &mut A,
        deadline: Option<Instant>,
    ) -> Option<A::Output> {
        let parker = &self.mailbox.parker;
        parker.announce();
        parker.spin_for_reply(&self.budget, || awaited.is_ready());
        parker.retract();
        let _wait = self.note_wait(awaited);
        loop {
            if awaited.is_ready() {
                if let Some(value) = awaited.poll(Waker::noop()) {
                    return Some(value);
                }
            }
            self.take_in();
            self.ring();
            let served = self.serve_one(below, 1) > 0;
            // The loop around what `here` gave waits no longer than the engine lets that live.
            let is_loop = below == u32::MAX;
            let over = parker.is_closed() || (is_loop && self.ending.get());
            if deadline.is_some_and(|deadline| deadline <= now()) || over {
                return awaited.poll(Waker::noop());
            }
            if served {
                continue;
            }
            parker.announce();
            if let Some(value) = awaited.poll(&self.waker) {
                parker.retract();
                return Some(value);
            }
            if !self.take_in() || self.floor.borrow().queue.has(below) {
                parker.retract();
                continue;
            }
            // That loop is outside: while it waits, and nothing waits for this thread, it is at rest.
            let rests = is_loop && self.held.get() == 0;
            if rests {
                self.give_room_back();
                self.mailbox.begin_rest();
                self.core.came_to_rest();
            }
            parker.park([deadline, self.next_timer()].into_iter().flatten().min());
            if rests {
                self.mailbox.end_rest();
            }
        }
    }

    /// Notes, for the statistics, what the code that runs here waits for; until what it gives is dropped.
    fn note_wait<A: Awaited>(&self, awaited: &A) -> Option<Noted<'_>> {
        let (callee, on) = awaited.callee()?;
        let waiter = self.mailbox.meter.running()?;
        self.mailbox.begin_wait(self.mailbox.roll.find(waiter)?, callee, on);
        Some(Noted(&self.mailbox))
    }

    /// Moves mail from the mailbox to the queue; `true` if the mailbox was emptied.
    fn take_in(&self) -> bool {
        let mut arrivals = self.mailbox.take();
        let (emptied, counted) = (arrivals.is_none(), arrivals.counted as u64);
        if !emptied {
            // For all of it at once: nothing but the runtime's own code runs meanwhile.
            let mut floor = self.floor.borrow_mut();
            let mut messages = 0;
            // It stays in this place if it joins a batch.
            let mut place = None;
            arrivals.next_into(&mut place);
            while let Some(mail) = &place {
                if let What::Order(Order::Shutdown) = mail.what {
                    self.ending.set(true);
                    arrivals.next_into(&mut place);
                } else {
                    messages += floor.take_in(&mut place, &mut arrivals, &self.mailbox.spares);
                }
            }
            Meter::add(&self.mailbox.meter.taken, messages.wrapping_sub(counted));
        }
        if self.ending.get() && self.held.get() > 0 && self.mailbox.edge.is_sealed() {
            self.give_up_all();
        }
        emptied
    }

    /// The time is up: nobody waits any longer for instances that rest.
    fn give_up_all(&self) {
        let instances = self.floor.borrow().instances();
        for instance in instances {
            self.give_up(instance.slot(), instance.take_held());
        }
    }

    /// Queues mail for an instance of this thread.
    #[inline]
    pub(crate) fn enqueue(&self, mail: Mail) {
        Meter::add(&self.mailbox.meter.taken, u64::from(mail.messages));
        self.floor.borrow_mut().enqueue(mail);
    }

    /// Held mail of an instance that is back: to the place in the queue that it had.
    pub(crate) fn requeue(&self, depth: u16, held: VecDeque<Mail>) {
        self.held.set(self.held.get() - held.len());
        self.floor.borrow_mut().queue.push_front(depth, held.into_iter());
    }

    /// Held mail of an instance that will not come back.
    pub(crate) fn give_up(&self, slot: Slot, held: VecDeque<Mail>) {
        self.held.set(self.held.get() - held.len());
        for mail in held {
            self.get_done(slot, mail.weight());
            self.pass(mail.messages);
            self.mailbox.divert(mail);
        }
    }

    /// What was taken in is given to others, or to nobody.
    fn pass(&self, messages: u32) {
        Meter::add(&self.mailbox.meter.passed, u64::from(messages));
    }

    /// Serves the next mail below a depth, of a batch at most `budget` messages; what is left of that goes back to
    /// where it was. Gives how much was done: 0 if there is nothing to do.
    fn serve_one(self: &Rc<Self>, below: u32, budget: usize) -> usize {
        let mut floor = self.floor.borrow_mut();
        let Some((depth, lane)) = floor.queue.take_turn(below) else { return 0 };
        // It stays in this place, for each time that it is moved costs more than all else that is done with it.
        let mut place = lane.pop_front();
        let Some(mail) = &mut place else { return 0 };
        let instance = floor.instance(mail.to);
        // What a call lets pass is one message, not a batch.
        let budget = if floor.queue.waiting > 0 { 1 } else { budget };
        drop(floor);
        let messages = mail.messages;
        let on_terms = mail.wants == Wants::ReplyOnTerms;
        let serving = Serving { budget, permitted: mail.permitted, from_hook: mail.from_hook, on_terms };
        let Some(instance) = instance else {
            self.pass(messages);
            place.into_iter().for_each(|mail| self.mailbox.divert(mail));
            return messages.max(1) as usize;
        };
        let letter = match &mut mail.what {
            What::Letter(letter) => letter,
            What::Order(order) => {
                self.obey(instance, mail.to, *order);
                return 1;
            }
        };
        let comes_back = messages as usize > budget;
        if comes_back {
            self.floor.borrow_mut().queue.in_hand += 1;
        }
        let all_done = letter.deliver(instance, self, serving);
        if comes_back {
            self.floor.borrow_mut().queue.in_hand -= 1;
        }
        let mut done = messages;
        if !all_done {
            if let Some(left) = place.and_then(|mail| self.keep(mail)) {
                done -= left.messages;
                self.floor.borrow_mut().queue.put_back(depth, left);
            }
        }
        done.max(1) as usize
    }

    // What lies here for an instance.

    fn get_done(&self, slot: Slot, weight: u64) {
        if let Some(account) = self.floor.borrow().account(slot) {
            account.get_done(weight);
        }
    }

    /// So many messages of an instance of this thread are given to others, or to nobody.
    pub(crate) fn settle_account(&self, slot: Slot, messages: u32) {
        self.get_done(slot, u64::from(messages));
        self.pass(messages);
    }

    /// `on_start` of an instance that was built again: before all else that is queued for it.
    pub(crate) fn start_first(&self, slot: Slot, depth: u16) {
        let mut floor = self.floor.borrow_mut();
        if let Some(account) = floor.account(slot) {
            account.take_in(ORDER);
        }
        floor.queue.push_front(depth, std::iter::once(Mail::order(slot, Order::Start)));
    }

    /// Mail that was not delivered, or not all of it: stays where it was, waits for its instance, or is given up.
    #[cold]
    fn keep(&self, mut mail: Mail) -> Option<Mail> {
        mail.recount();
        let sealed = self.mailbox.edge.is_sealed();
        let instance = self.instance(mail.to).filter(|_| !sealed);
        match instance.as_ref().map(|instance| (instance, instance.common().phase.get())) {
            // The rest of a batch, or it was reset, and its `on_start` comes first.
            Some((_, Phase::Live | Phase::New)) => return Some(mail),
            Some((instance, Phase::Resting)) => self.hold(&**instance, mail),
            Some((_, Phase::Ended)) | None => {
                self.settle_account(mail.to, mail.messages);
                if sealed { self.mailbox.bury(mail) } else { self.mailbox.divert(mail) }
            }
        }
        None
    }

    /// Does what an order says.
    fn obey(self: &Rc<Self>, instance: Rc<dyn AnyInstance>, slot: Slot, order: Order) {
        match order {
            Order::Tick(id) => {
                self.start_new(&instance);
                instance.tick(self, id);
            }
            Order::Piped(id) => {
                self.start_new(&instance);
                instance.piped(self, id);
            }
            Order::Start => instance.start(self),
            Order::Shutdown => self.ending.set(true),
            // In its place: after what an instance that rests still has to handle.
            Order::End if instance.common().phase.get() == Phase::Resting && instance.holds_mail() => {
                return self.hold(&*instance, Mail::order(slot, order));
            }
            Order::End => {
                Rc::clone(&instance).start(self);
                instance.end(self);
            }
        }
        self.get_done(slot, ORDER);
    }

    /// `on_start` comes before all else.
    fn start_new(self: &Rc<Self>, instance: &Rc<dyn AnyInstance>) {
        if instance.common().phase.get() == Phase::New {
            Rc::clone(instance).start(self);
        }
    }

    /// Keeps mail for an instance that rests.
    fn hold(&self, instance: &dyn AnyInstance, mail: Mail) {
        self.held.set(self.held.get() + 1);
        instance.hold(mail);
    }

    /// From here on nobody finds it open, and what it had taken in is given up.
    fn close(&self) {
        self.mailbox.close();
        self.clear_queue();
        self.mailbox.spares.clear();
        // It may hold clients of instances that lived here.
        drop(self.mailbox.parker.notify_by(None));
    }

    /// What the thread had taken in and did not come to.
    fn clear_queue(&self) {
        loop {
            let mail = self.floor.borrow_mut().queue.pop(u32::MAX);
            match mail {
                Some((_, mail)) => {
                    self.pass(mail.messages);
                    self.mailbox.divert(mail);
                }
                None => break,
            }
        }
    }

    // Slots.

    #[inline(always)]
    pub(crate) fn instance(&self, slot: Slot) -> Option<Rc<dyn AnyInstance>> {
        self.floor.borrow().instance(slot)
    }

    /// A slot for a newcomer, and when it came.
    pub(crate) fn reserve(&self) -> (Slot, Birth) {
        (self.floor.borrow_mut().reserve(), Birth::of(self.next_serial()))
    }

    /// Puts a newcomer on the roll; gives the page with its account.
    pub(crate) fn enrol(&self, slot: Slot, name: &'static str) -> Arc<Page> {
        let page = self.mailbox.roll.enrol(slot, name);
        self.floor.borrow_mut().keep(slot, &page);
        page
    }

    pub(crate) fn settle_in(&self, instance: Rc<dyn AnyInstance>, depth: u16) {
        self.floor.borrow_mut().settle_in(instance, depth);
        self.mailbox.meter.instances.fetch_add(1, Ordering::Relaxed);
    }

    /// Nobody lives here.
    fn is_empty(&self) -> bool {
        self.mailbox.meter.instances.load(Ordering::Relaxed) == 0
    }

    /// The youngest of those that live here.
    fn youngest(&self) -> Option<Rc<dyn AnyInstance>> {
        self.floor.borrow_mut().youngest()
    }

    /// The instance has ended: reports it and frees its slot.
    pub(crate) fn vacate(&self, slot: Slot, why: &End) -> Struck {
        self.leave(slot, why, |report| self.core.instance_ended(report))
    }

    /// Frees the slot of an instance that has ended. `report` is given its account, unless an abandonment has reported that
    /// before.
    pub(crate) fn leave(&self, slot: Slot, why: &End, report: impl FnOnce(InstanceReport)) -> Struck {
        let struck = self.mailbox.roll.strike(slot, why, report);
        // Its account is still read where it was reported with its thread: that is nobody else's then.
        let left = self.floor.borrow_mut().vacate(slot, struck.is_news);
        self.mailbox.meter.instances.fetch_sub(1, Ordering::Relaxed);
        // Its parts of the user's making are gone by now; what is left is ours.
        drop(left);
        struck
    }

    // Timers.

    pub(crate) fn next_serial(&self) -> u64 {
        self.serial.set(self.serial.get() + 1);
        self.serial.get()
    }

    pub(crate) fn set_timer(&self, due: Instant, slot: Slot) -> u64 {
        let id = self.next_serial();
        self.timers.borrow_mut().insert((due, id), slot);
        id
    }

    /// Sets a timer again under its old number.
    pub(crate) fn set_timer_again(&self, due: Instant, id: u64, slot: Slot) {
        self.timers.borrow_mut().insert((due, id), slot);
    }

    pub(crate) fn clear_timer(&self, due: Instant, id: u64) {
        self.timers.borrow_mut().remove(&(due, id));
    }

    pub(crate) fn next_timer(&self) -> Option<Instant> {
        if self.ending.get() && self.held.get() == 0 {
            return None;
        }
        self.timers.borrow().first_key_value().map(|((due, _), _)| *due)
    }

    /// Queues a tick for each timer that is due.
    fn ring(&self) {
        if self.timers.borrow().is_empty() {
            return;
        }
        let now = now();
        loop {
            let due = {
                let mut timers = self.timers.borrow_mut();
                match timers.first_key_value() {
                    Some(((due, _), _)) if *due <= now => timers.pop_first(),
                    _ => None,
                }
            };
            let Some(((_, id), slot)) = due else { break };
            self.enqueue(Mail::order(slot, Order::Tick(id)));
        }
    }

    // Odds and ends that need the thread.

    pub(crate) fn pipe_waker(&self, slot: Slot, id: u64) -> Waker {
        Waker::from(Arc::new(PipeWaker { mailbox: Arc::clone(&self.mailbox), slot, id }))
    }

    pub(crate) fn count_restart(&self) {
        self.mailbox.edge.losses.restart();
    }

    /// The pool of a type, with its places as this thread last saw them, and now.
    #[inline]
    pub(crate) fn pool<M: Message>(&self) -> Option<Rc<KnownPool<M>>> {
        let known = self.known_pool::<M>().filter(|known| known.is_current());
        known.or_else(|| self.look_up_pool::<M>())
    }

    #[inline]
    fn known_pool<M: Message>(&self) -> Option<Rc<KnownPool<M>>> {
        self.pools.borrow().get(&TypeId::of::<M>())?.downcast_ref().cloned()
    }

    #[cold]
    fn look_up_pool<M: Message>(&self) -> Option<Rc<KnownPool<M>>> {
        let known = self.known_pool::<M>().map(|known| Arc::clone(&known.pool));
        let known = Rc::new(KnownPool::new(known.or_else(|| self.core.pools.get::<M>())?));
        let old = self.pools.borrow_mut().insert(TypeId::of::<M>(), Box::new(Rc::clone(&known)));
        // With the places that it knew go addresses, and with the last of those what the user gave to an actor.
        quietly(|| drop(old));
        Some(known)
    }

    /// At the pool of a type, for what this thread's handlers send.
    pub(crate) fn aim<M: Message, R>(&self, f: impl FnOnce(Aim<'_, M>) -> R) -> R {
        match self.pool::<M>() {
            Some(known) => f(known.aim()),
            None => f(Aim::at_pool(None, &self.mailbox.edge)),
        }
    }

    /// The turn among this thread's own instances of a type.
    pub(crate) fn local_turn(&self, key: TypeId) -> u64 {
        self.local_turns.borrow().get(&key).copied().unwrap_or(0)
    }

    pub(crate) fn set_local_turn(&self, key: TypeId, turn: u64) {
        self.local_turns.borrow_mut().insert(key, turn);
    }
}

/// Puts the news that a pipe can go on into its thread's mailbox.
struct PipeWaker {
    mailbox: Arc<Mailbox>,
    slot: Slot,
    id: u64,
}

impl Wake for PipeWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // An order is never given back: a thread that has ended has no pipes.
        let _ = self.mailbox.push(Mail::order(self.slot, Order::Piped(self.id)));
    }
}
