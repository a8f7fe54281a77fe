//! The engine: owns the actor threads and the registry, starts the ones and stops them all.
//!
//! Stopping, in order:
//!
//! 1. The edge closes: who is not one of the engine's own threads is refused. Timers close with it.
//! 2. The inside runs until it is quiet (`is_quiet`), or until the time is up: then the edge is sealed, so that the
//!    inside is refused too and what is queued becomes dead letters.
//! 3. Threads end in reverse order of their start: `on_stop`, drop, join.
//! 4. A thread that does not end in time is abandoned: its mailbox is closed from outside, and all who wait for it are
//!    answered.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use once_cell::sync::Lazy;

use crate::call::wait;
use crate::error::{CallError, Refusal, SendError, ShutdownError, SpawnError};
use crate::instance::InstanceId;
use crate::lock::lock;
use crate::mailbox::{Edge, Mail, Mailbox, Slot, What};
use crate::message::{Actor, Dispatch, IntoRequest, Message};
use crate::registry::{Pools, Registry};
use crate::route::{Address, Aim, Client, Replies};
use crate::thread::{ActorThread, Registration, ThreadId, install_on, on_actor_thread, start, start_thread};
use crate::timer::{deadline, now};
use crate::watch::{DeadLetters, EarlierReport, InstanceReport, Report, Stats, ThreadStats};

/// How long dropping an engine waits for its threads.
const PATIENCE: Duration = Duration::from_secs(5);
/// Of a shutdown's time, what is kept for ending the threads once the edge is sealed.
const GRACE: Duration = Duration::from_millis(100);

/// What the threads, the owner and the handles of an engine share.
pub(crate) struct Core {
    pub(crate) pools: Arc<Pools>,
    edge: Arc<Edge>,
    dead: Arc<DeadLetters>,
    name: String,
    /// Those who wait for the inside to be quiet: a thread that comes to rest tells them, if there are any.
    watchers: AtomicUsize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    next_thread: u32,
    /// In the order of their numbers.
    threads: Vec<Running>,
    /// Threads that have ended, or are about to: to be joined.
    ended: Vec<JoinHandle<()>>,
    reports: Vec<InstanceReport>,
    earlier: EarlierReport,
    phase: Phase,
}

struct Running {
    mailbox: Arc<Mailbox>,
    handle: JoinHandle<()>,
}

impl Running {
    fn stats(&self) -> ThreadStats {
        let mailbox = &self.mailbox;
        ThreadStats {
            thread: mailbox.thread,
            name: mailbox.name.clone(),
            instances: mailbox.meter.instances.load(Ordering::Relaxed),
            queued: mailbox.load(),
            handled: mailbox.meter.handled.load(Ordering::Relaxed),
            panicked: mailbox.meter.panicked.load(Ordering::Relaxed),
        }
    }
}

#[derive(Default)]
enum Phase {
    #[default]
    Open,
    Stopping {
        until: Option<Instant>,
        /// Somebody is at it.
        driven: bool,
    },
    Stopped(Result<Report, ShutdownError>),
}

impl Core {
    fn new(name: String) -> Arc<Self> {
        let edge = Arc::new(Edge::new());
        Arc::new(Self {
            pools: Arc::new(Pools::new(Arc::clone(&edge))),
            edge,
            dead: Arc::default(),
            name,
            watchers: AtomicUsize::new(0),
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    // Starting.

    fn spawn_all(self: &Arc<Self>, threads: Vec<ActorThread>) -> Result<Vec<ThreadId>, SpawnError> {
        if threads.is_empty() || threads.iter().any(|thread| thread.builds.is_empty()) {
            return Err(SpawnError::Empty);
        }
        let ids = self.number(threads.len())?;
        let mut newborn = Vec::with_capacity(threads.len());
        let mut failure = None;
        for (id, thread) in ids.clone().zip(threads) {
            let id = ThreadId(id);
            let name = thread.name.clone().unwrap_or_else(|| format!("{}-{id}", self.name));
            let (edge, dead) = (Arc::clone(&self.edge), Arc::clone(&self.dead));
            let mailbox = Arc::new(Mailbox::new(id, name, edge, dead, Arc::downgrade(&self.pools)));
            match start(self, mailbox, thread) {
                Ok(thread) => newborn.push(thread),
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        let mut newcomers = Vec::new();
        for thread in &mut newborn {
            match wait(&mut thread.built, None) {
                Some(Ok(Ok(built))) => newcomers.extend(built),
                Some(Ok(Err(error))) => failure = failure.or(Some(error)),
                // The thread ended without a word, or this one was given up meanwhile.
                Some(Err(_)) | None => failure = failure.or(Some(SpawnError::Stopped)),
            }
        }
        if failure.is_none() {
            let mut state = lock(&self.state);
            if matches!(state.phase, Phase::Open) {
                self.pools.enlist(newcomers);
                for thread in newborn {
                    state.threads.push(Running { mailbox: thread.mailbox, handle: thread.handle });
                    // The thread waits for this and for nothing else.
                    let _ = thread.commit.send(());
                }
                state.threads.sort_by_key(|running| running.mailbox.thread);
                return Ok(ids.map(ThreadId).collect());
            }
        }
        let joinable = !on_actor_thread();
        for thread in newborn {
            drop(thread.commit);
            if joinable {
                // Its states are dropped by then. A panic there was caught.
                let _ = thread.handle.join();
            }
        }
        self.return_numbers(ids);
        Err(failure.unwrap_or(SpawnError::Stopped))
    }

    fn number(&self, count: usize) -> Result<std::ops::Range<u32>, SpawnError> {
        let mut state = lock(&self.state);
        if !matches!(state.phase, Phase::Open) {
            return Err(SpawnError::Stopped);
        }
        let first = state.next_thread;
        let count = u32::try_from(count).ok();
        let next = count.and_then(|count| first.checked_add(count)).ok_or_else(|| SpawnError::Thread {
            source: std::io::Error::other("an engine numbers its threads with 32 bits, and they are used up"),
        })?;
        state.next_thread = next;
        Ok(first..next)
    }

    /// The numbers of threads that failed are given again, unless others came after them.
    fn return_numbers(&self, ids: std::ops::Range<u32>) {
        let mut state = lock(&self.state);
        if state.next_thread == ids.end {
            state.next_thread = ids.start;
        }
    }

    fn start_one<A: Registration>(self: &Arc<Self>, actor: A) -> Result<Client<A::Message>, SpawnError> {
        let (sender, receiver) = oneshot::channel::<Address<A::Message>>();
        let mut thread = ActorThread::new();
        thread.builds.push(Box::new(move |local| {
            let _ = sender.send(install_on::<A::Message>(local, actor)?);
            Ok(None)
        }));
        self.spawn_all(vec![thread])?;
        match receiver.try_recv() {
            Ok(address) => Ok(Client::of_one(None, address)),
            Err(_) => Err(SpawnError::Stopped),
        }
    }

    // What threads report.

    /// A thread has nothing to do, for now.
    pub(crate) fn came_to_rest(&self) {
        // SeqCst: pairs with `watch`. Either the watcher is seen here, or it sees the rest that began before.
        if self.watchers.load(Ordering::SeqCst) > 0 {
            drop(lock(&self.state));
            self.changed.notify_all();
        }
    }

    pub(crate) fn instance_ended(&self, report: InstanceReport) {
        let mut state = lock(&self.state);
        if matches!(state.phase, Phase::Open) {
            state.earlier.instances += 1;
            state.earlier.handled += report.handled;
            state.earlier.panicked += report.panicked;
        } else {
            state.reports.push(report);
        }
    }

    pub(crate) fn thread_ended(&self, mailbox: &Arc<Mailbox>) {
        let mut state = lock(&self.state);
        if let Some(index) = state.threads.iter().position(|running| Arc::ptr_eq(&running.mailbox, mailbox)) {
            let running = state.threads.remove(index);
            // Those that are gone by now are joined here, so that short-lived threads do not pile up.
            state.ended.retain(|handle| !handle.is_finished());
            state.ended.push(running.handle);
        }
        drop(state);
        self.changed.notify_all();
    }

    // Quiet.

    /// Whether nothing is queued and nothing runs on any thread.
    ///
    /// Each thread is looked at twice. If in both rounds all rest, in the same spell of rest, and all mailboxes are
    /// empty, then at the moment between the rounds nothing was anywhere: a message pushed before it would still lie
    /// in its mailbox, or its receiver would have begun another spell. After Mattern's double counting (1987).
    fn is_quiet(state: &State) -> bool {
        let round = || state.threads.iter().map(|running| running.mailbox.rest()).collect::<Option<Vec<u64>>>();
        match round() {
            Some(first) => round() == Some(first),
            None => false,
        }
    }

    /// Waits until `done`, or the time given by `until` is up; `true` if it is done.
    fn watch(
        &self,
        mut done: impl FnMut(&State) -> bool,
        mut until: impl FnMut(&State) -> Option<Instant>,
    ) -> (MutexGuard<'_, State>, bool) {
        self.watchers.fetch_add(1, Ordering::SeqCst);
        let mut state = lock(&self.state);
        let outcome = loop {
            if done(&state) {
                break true;
            }
            match until(&state) {
                None => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(now());
                    if left.is_zero() {
                        break false;
                    }
                    let waited = self.changed.wait_timeout(state, left);
                    state = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        };
        self.watchers.fetch_sub(1, Ordering::SeqCst);
        (state, outcome)
    }

    // Stopping.

    /// Closes the edge, or hurries a shutdown that has begun. `true` if nobody drives it yet: the caller must.
    fn begin_shutdown(&self, limit: Option<Duration>) -> bool {
        let limit = limit.and_then(deadline);
        let mut state = lock(&self.state);
        let must_drive = match &mut state.phase {
            Phase::Open => {
                self.edge.close();
                state.phase = Phase::Stopping { until: limit, driven: true };
                true
            }
            Phase::Stopping { until, driven } => {
                *until = [*until, limit].into_iter().flatten().min();
                !std::mem::replace(driven, true)
            }
            Phase::Stopped(_) => false,
        };
        drop(state);
        self.changed.notify_all();
        must_drive
    }

    fn until(state: &State) -> Option<Instant> {
        match state.phase {
            Phase::Stopping { until, .. } => until,
            Phase::Open | Phase::Stopped(_) => None,
        }
    }

    /// When the edge is to be sealed, so that the threads can end by the time given.
    fn seal_at(state: &State, begun: Instant) -> Option<Instant> {
        let until = Self::until(state)?;
        let grace = GRACE.min(until.saturating_duration_since(begun) / 4);
        Some(until.checked_sub(grace).unwrap_or(until))
    }

    fn drive_shutdown(&self) {
        let begun = now();
        let (state, quiet) = self.watch(Self::is_quiet, |state| Self::seal_at(state, begun));
        drop(state);
        if !quiet {
            self.edge.seal();
        }
        loop {
            let state = lock(&self.state);
            let Some(last) = state.threads.last().map(|running| Arc::clone(&running.mailbox)) else {
                break;
            };
            let mailboxes: Vec<_> = state.threads.iter().map(|running| Arc::clone(&running.mailbox)).collect();
            drop(state);
            if self.edge.is_sealed() {
                // No order any more: each ends as soon as it can.
                mailboxes.iter().for_each(|mailbox| Self::tell_to_end(mailbox));
                let (state, _) = self.watch(|state| state.threads.is_empty(), Self::until);
                drop(state);
                break;
            }
            Self::tell_to_end(&last);
            let is_gone = |state: &State| !state.threads.iter().any(|running| Arc::ptr_eq(&running.mailbox, &last));
            let (state, gone) = self.watch(is_gone, |state| Self::seal_at(state, begun));
            drop(state);
            if !gone {
                self.edge.seal();
            }
        }
        self.finish_shutdown();
    }

    fn tell_to_end(mailbox: &Mailbox) {
        let to = Slot { index: u32::MAX, generation: u32::MAX };
        // An order is never given back.
        let _ = mailbox.push(Mail::order(to, What::Shutdown));
    }

    fn finish_shutdown(&self) {
        let (ended, abandoned) = {
            let mut state = lock(&self.state);
            (std::mem::take(&mut state.ended), std::mem::take(&mut state.threads))
        };
        for handle in ended {
            // The thread is past its last line of ours. zctor's own panic, if there was one, was reported by its hook.
            let _ = handle.join();
        }
        for running in &abandoned {
            running.mailbox.abandon();
        }
        let mut state = lock(&self.state);
        let mut instances = std::mem::take(&mut state.reports);
        instances.sort_by_key(|instance| instance.id);
        let left = abandoned.iter().map(|running| running.mailbox.meter.in_hand.load(Ordering::Relaxed) as u64).sum();
        let report = Report { instances, earlier: state.earlier, dead_letters: self.dead.letters(), left };
        state.phase = Phase::Stopped(if abandoned.is_empty() {
            Ok(report)
        } else {
            let threads = abandoned.iter().map(Running::stats).collect();
            Err(ShutdownError::Abandoned { threads, report })
        });
        drop(state);
        self.changed.notify_all();
    }

    /// Begins the shutdown and has another thread drive it: for those who may not wait.
    fn stop(self: &Arc<Self>, limit: Option<Duration>) {
        if !self.begin_shutdown(limit) {
            return;
        }
        let core = Arc::clone(self);
        if start_thread("zctor-shutdown", None, move || core.drive_shutdown()).is_err() {
            // Whoever waits for the end drives it.
            if let Phase::Stopping { driven, .. } = &mut lock(&self.state).phase {
                *driven = false;
            }
        }
    }

    fn shutdown(self: &Arc<Self>, limit: Option<Duration>) -> Result<Report, ShutdownError> {
        if on_actor_thread() {
            self.stop(limit);
            return Err(ShutdownError::OnActorThread);
        }
        if self.begin_shutdown(limit) {
            self.drive_shutdown();
        }
        self.wait_stopped()
    }

    fn wait_stopped(&self) -> Result<Report, ShutdownError> {
        loop {
            let undriven = |state: &State| matches!(state.phase, Phase::Stopping { driven: false, .. });
            let is_over = |state: &State| matches!(state.phase, Phase::Stopped(_)) || undriven(state);
            let (mut state, _) = self.watch(is_over, |_| None);
            match &mut state.phase {
                Phase::Stopped(outcome) => return outcome.clone(),
                Phase::Stopping { driven, .. } => *driven = true,
                Phase::Open => continue,
            }
            drop(state);
            self.drive_shutdown();
        }
    }

    // What engine and handle have in common.

    fn aim<M: Message, R>(&self, f: impl FnOnce(Aim<'_, M>) -> R) -> R {
        let pool = self.pools.get::<M>();
        f(Aim::at_pool(pool.as_deref(), &self.edge))
    }

    fn client_of<M: Message>(&self) -> Result<Client<M>, CallError> {
        if let Some(pool) = self.pools.get::<M>().filter(|pool| pool.has_instances()) {
            return Ok(Client::of_pool(pool));
        }
        // Looked at last: a shutdown that empties the pool has closed the edge before.
        let refusal = if self.edge.is_open() { Refusal::NotRegistered } else { Refusal::Stopped };
        Err(CallError::refused(M::NAME, refusal))
    }

    fn pool_on<M, S>(
        self: &Arc<Self>,
        n: usize,
        thread: impl Fn(usize) -> ActorThread,
        actor: &Actor<M, S>,
    ) -> Result<M::Client, SpawnError>
    where
        M: Dispatch<S, Port: Send> + Send,
        S: 'static,
    {
        self.spawn_all((0..n).map(|i| thread(i).register(actor.clone())).collect())?;
        match self.pools.get::<M>() {
            Some(pool) => Ok(Client::of_pool(pool).into()),
            None => Err(SpawnError::Stopped),
        }
    }

    fn stats(&self) -> Stats {
        let state = lock(&self.state);
        let threads = state.threads.iter().map(Running::stats);
        Stats {
            threads: threads.collect(),
            dead_letters: self.dead.letters(),
            skipped: self.dead.skipped(),
            restarts: self.dead.restarts(),
        }
    }
}

/// The owner of actor threads, their registry and their routes.
///
/// It is not `Clone`: who shares the engine takes a [`handle`](ActorEngine::handle). Dropping it is
/// [`shutdown_timeout`](ActorEngine::shutdown_timeout) with five seconds, or on an actor thread only the beginning of
/// that.
///
/// ```
/// use zctor::{ActorEngine, ActorThread, actor};
///
/// #[actor]
/// pub enum CounterMessage {
///     Add(u64),
///     #[reply(u64)]
///     Total,
/// }
/// #[derive(Default)]
/// struct Counter(u64);
/// impl CounterHandler for Counter {
///     fn add(&mut self, value: u64) {
///         self.0 += value;
///     }
///     fn total(&mut self) -> u64 {
///         self.0
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// engine.spawn(ActorThread::new().register(CounterMessage::actor(Counter::default)))?;
/// engine.send(CounterMessage::Add(2))?;
/// assert_eq!(engine.call(CounterMessage::total())?, 2);
/// engine.shutdown()?;
/// # Ok(())
/// # }
/// ```
pub struct ActorEngine {
    core: Arc<Core>,
}

/// Settings of an engine to be.
///
/// ```
/// use zctor::{ActorEngine, actor};
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
/// let engine = ActorEngine::builder().name("jobs").build();
/// engine.pool(2, JobMessage::actor(|| Job))?;
/// assert_eq!(engine.stats().threads[1].name, "jobs-1");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct EngineBuilder {
    name: String,
}

impl EngineBuilder {
    /// The first part of the names of its threads; `zctor` without it.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Makes the engine. It has no threads yet.
    pub fn build(self) -> ActorEngine {
        ActorEngine { core: Core::new(self.name) }
    }
}

impl Default for ActorEngine {
    fn default() -> Self {
        Self::new()
    }
}

impl ActorEngine {
    /// An engine without threads.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// An engine with settings.
    pub fn builder() -> EngineBuilder {
        EngineBuilder { name: "zctor".into() }
    }

    /// The one engine of the process, made on first use: for programs, not for libraries and tests.
    ///
    /// It is never dropped, so `main` should end with its [`shutdown`](ActorEngine::shutdown).
    ///
    /// ```
    /// use zctor::ActorEngine;
    ///
    /// assert!(std::ptr::eq(ActorEngine::global(), ActorEngine::global()));
    /// ```
    pub fn global() -> &'static Self {
        static GLOBAL: Lazy<ActorEngine> = Lazy::new(ActorEngine::new);
        &GLOBAL
    }

    /// A handle to share: all that sends and starts, nothing that waits for the engine itself.
    pub fn handle(&self) -> EngineHandle {
        EngineHandle::new(&self.core)
    }

    /// Starts a thread; returns its number when all its instances are built and registered.
    ///
    /// `on_start` runs after that, as each instance's first message.
    ///
    /// # Errors
    /// - [`SpawnError::Empty`]: no actor is registered on the thread.
    /// - [`SpawnError::Factory`], [`SpawnError::FactoryPanicked`]: a factory failed; nothing is registered.
    /// - [`SpawnError::Thread`]: the operating system refused.
    /// - [`SpawnError::Stopped`]: the engine stops.
    ///
    /// # Blocking
    /// Until the factories are through. Inside a handler, lower call depths of its thread are served meanwhile.
    pub fn spawn(&self, thread: ActorThread) -> Result<ThreadId, SpawnError> {
        spawn(&self.core, thread)
    }

    /// Starts `n` threads with one instance each, registered all at once or not at all; gives a client of the pool.
    ///
    /// # Errors
    /// As [`spawn`](ActorEngine::spawn); `Empty` if `n` is 0.
    ///
    /// # Blocking
    /// As [`spawn`](ActorEngine::spawn).
    ///
    /// ```
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor]
    /// # pub enum JobMessage { Run }
    /// # struct Job;
    /// # impl JobHandler for Job { fn run(&mut self) {} }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = ActorEngine::new();
    /// let jobs: JobClient = engine.pool(zctor::available_threads(), JobMessage::actor(|| Job))?;
    /// jobs.run()?;
    /// assert_eq!(engine.thread_count(), zctor::available_threads());
    /// # Ok(())
    /// # }
    /// ```
    pub fn pool<M, S>(&self, n: usize, actor: Actor<M, S>) -> Result<M::Client, SpawnError>
    where
        M: Dispatch<S, Port: Send> + Send,
        S: 'static,
    {
        self.core.pool_on(n, |_| ActorThread::new(), &actor)
    }

    /// As [`pool`](ActorEngine::pool), on threads of your making: named, or with other instances beside.
    ///
    /// # Errors
    /// As [`pool`](ActorEngine::pool).
    ///
    /// # Blocking
    /// As [`spawn`](ActorEngine::spawn).
    ///
    /// ```
    /// # use zctor::{ActorEngine, ActorThread, actor};
    /// # #[actor]
    /// # pub enum JobMessage { Run }
    /// # struct Job;
    /// # impl JobHandler for Job { fn run(&mut self) {} }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = ActorEngine::new();
    /// engine.pool_on(2, |i| ActorThread::named(format!("job-{i}")), JobMessage::actor(|| Job))?;
    /// assert_eq!(engine.stats().threads[1].name, "job-1");
    /// # Ok(())
    /// # }
    /// ```
    pub fn pool_on<M, S>(
        &self,
        n: usize,
        thread: impl Fn(usize) -> ActorThread,
        actor: Actor<M, S>,
    ) -> Result<M::Client, SpawnError>
    where
        M: Dispatch<S, Port: Send> + Send,
        S: 'static,
    {
        self.core.pool_on(n, thread, &actor)
    }

    /// Starts one instance on a thread of its own, in no pool; gives a client bound to it.
    ///
    /// Rotation, keys, broadcasts and the registry do not know it. It ends by `ctx.stop()`, by
    /// [`Client::stop`](crate::Client::stop) or with the engine, and its thread with it.
    ///
    /// # Errors
    /// As [`spawn`](ActorEngine::spawn).
    ///
    /// # Blocking
    /// As [`spawn`](ActorEngine::spawn).
    ///
    /// ```
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor]
    /// # pub enum JobMessage { #[reply(u8)] Run }
    /// # struct Job;
    /// # impl JobHandler for Job { fn run(&mut self) -> u8 { 1 } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = ActorEngine::new();
    /// let job: JobClient = engine.start(JobMessage::actor(|| Job))?;
    /// assert_eq!(job.run()?, 1);
    /// assert!(engine.client::<JobMessage>().is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn start<A: Registration>(&self, actor: A) -> Result<<A::Message as Message>::Client, SpawnError> {
        self.core.start_one(actor).map(Into::into)
    }

    /// A client of all instances of a type.
    ///
    /// # Errors
    /// - [`CallError::NotRegistered`]: there is none.
    /// - [`CallError::Stopped`]: the engine has stopped.
    pub fn client<M: Message>(&self) -> Result<M::Client, CallError> {
        self.core.client_of::<M>().map(Into::into)
    }

    /// Sends a message to the next instance of its type, in turn.
    ///
    /// # Errors
    /// - [`SendError::NotRegistered`]: the type has no live instance.
    /// - [`SendError::Stopped`]: the engine stops.
    ///
    /// # Blocking
    /// Never.
    pub fn send<M: Message>(&self, message: M) -> Result<(), SendError<M>> {
        self.core.aim(|aim| aim.send(message))
    }

    /// Sends a request to the next instance of its type, in turn, and waits for the reply.
    ///
    /// # Errors
    /// As [`Client::call`](crate::Client::call).
    ///
    /// # Blocking
    /// As [`Client::call`](crate::Client::call).
    pub fn call<Q: IntoRequest>(&self, request: Q) -> Result<Q::Reply, CallError> {
        self.core.aim(|aim| aim.call(request.__into()))
    }

    /// Sends a copy to every instance of the type; gives the number reached.
    ///
    /// # Errors
    /// As [`send`](ActorEngine::send).
    ///
    /// # Blocking
    /// Never.
    pub fn broadcast<M: Message + Clone>(&self, message: M) -> Result<usize, SendError<M>> {
        self.core.aim(|aim| aim.broadcast(message))
    }

    /// Sends every instance of the type the message that `make` gives for it; gives the number reached.
    ///
    /// # Errors
    /// As [`Client::broadcast_with`](crate::Client::broadcast_with).
    ///
    /// # Blocking
    /// Never.
    pub fn broadcast_with<M: Message>(&self, make: impl FnMut(InstanceId) -> M) -> Result<usize, CallError> {
        self.core.aim(|aim| aim.broadcast_with(make))
    }

    /// Asks every instance of the type, then waits for all replies, which come in registry order.
    ///
    /// # Errors
    /// As [`Client::call_all`](crate::Client::call_all).
    ///
    /// # Blocking
    /// As [`Client::call_all`](crate::Client::call_all).
    pub fn call_all<Q>(&self, request: Q) -> Result<Replies<Q::Reply>, CallError>
    where
        Q: IntoRequest + Clone,
    {
        self.core.aim(|aim| aim.call_all_with(|_| request.clone().__into()))
    }

    /// As [`call_all`](ActorEngine::call_all), with the request that `make` gives for each instance.
    ///
    /// # Errors
    /// As [`Client::call_all`](crate::Client::call_all).
    ///
    /// # Blocking
    /// As [`Client::call_all`](crate::Client::call_all).
    pub fn call_all_with<Q: IntoRequest>(
        &self,
        mut make: impl FnMut(InstanceId) -> Q,
    ) -> Result<Replies<Q::Reply>, CallError> {
        self.core.aim(|aim| aim.call_all_with(|id| make(id).__into()))
    }

    /// Which types are handled by which instances, now.
    pub fn registry(&self) -> Registry {
        self.core.pools.snapshot()
    }

    /// What the threads are doing, now.
    pub fn stats(&self) -> Stats {
        self.core.stats()
    }

    /// The number of actor threads that run.
    pub fn thread_count(&self) -> usize {
        lock(&self.core.state).threads.len()
    }

    /// Returns when the inside is quiet: nothing queued, nothing being handled, on any thread. Timers that are still
    /// to fire do not count. With this, tests need no sleeps.
    ///
    /// # Panics
    /// On an actor thread, which is not quiet while it waits.
    ///
    /// # Blocking
    /// Until the inside is quiet; while others keep sending, that may be long.
    #[track_caller]
    pub fn settle(&self) {
        assert!(!on_actor_thread(), "`settle` on an actor thread would wait for itself");
        drop(self.core.watch(Core::is_quiet, |_| None));
    }

    /// Waits until somebody has stopped the engine: [`EngineHandle::stop`], or a shutdown on another thread.
    ///
    /// # Panics
    /// On an actor thread, for whose end the stop waits.
    ///
    /// # Blocking
    /// Until the engine has stopped.
    ///
    /// ```
    /// # use zctor::{ActorEngine, Context, actor};
    /// # #[actor(ctx)]
    /// # pub enum QuitMessage { Quit }
    /// # struct Quit;
    /// # impl QuitHandler for Quit { fn quit(&mut self, ctx: &mut Context<QuitMessage>) { ctx.engine().stop() } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = ActorEngine::new();
    /// engine.pool(1, QuitMessage::actor(|| Quit))?.quit()?; // its handler calls `ctx.engine().stop()`
    /// engine.wait();
    /// assert_eq!(engine.thread_count(), 0);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn wait(&self) {
        assert!(!on_actor_thread(), "`wait` on an actor thread would wait for itself");
        // What became of it is for who calls `shutdown`.
        let _ = self.core.wait_stopped();
    }

    /// Stops the engine: the edge closes, the inside runs until it is quiet, then the threads end in reverse order.
    ///
    /// Again, or at the same time on another thread, it gives the same report.
    ///
    /// # Errors
    /// - [`ShutdownError::OnActorThread`]: it has begun, but an actor thread cannot wait for it.
    /// - [`ShutdownError::Abandoned`]: another caller set a deadline, and a handler outlasted it.
    ///
    /// # Blocking
    /// Until all threads have ended: without limit if handlers go on sending.
    pub fn shutdown(&self) -> Result<Report, ShutdownError> {
        self.core.shutdown(None)
    }

    /// As [`shutdown`](ActorEngine::shutdown), but ends by the time given.
    ///
    /// Shortly before it the inside is refused too, and what is queued becomes dead letters. A thread still in a
    /// handler then is left to itself, and who waits for it is answered [`CallError::Stopped`].
    ///
    /// # Errors
    /// - [`ShutdownError::OnActorThread`]: it has begun, but an actor thread cannot wait for it.
    /// - [`ShutdownError::Abandoned`]: it names the threads left to themselves.
    ///
    /// # Blocking
    /// At most so long.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zctor::ActorEngine;
    ///
    /// let engine = ActorEngine::new();
    /// assert!(engine.shutdown_timeout(Duration::from_secs(1)).is_ok());
    /// ```
    pub fn shutdown_timeout(&self, limit: Duration) -> Result<Report, ShutdownError> {
        self.core.shutdown(Some(limit))
    }
}

fn spawn(core: &Arc<Core>, thread: ActorThread) -> Result<ThreadId, SpawnError> {
    core.spawn_all(vec![thread])?.into_iter().next().ok_or(SpawnError::Empty)
}

impl Drop for ActorEngine {
    fn drop(&mut self) {
        // Its outcome is for those who ask for it by `shutdown`.
        let _ = self.core.shutdown(Some(PATIENCE));
    }
}

impl fmt::Debug for ActorEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActorEngine({}, {} threads)", self.core.name, self.thread_count())
    }
}

/// A handle to an engine: `Clone`, `Send` and `Sync`. It keeps nothing alive: when the engine is gone, its operations
/// are refused as stopped.
///
/// ```
/// use zctor::{ActorEngine, CallError, actor};
///
/// #[actor]
/// pub enum JobMessage {
///     #[reply(u8)]
///     Run,
/// }
/// struct Job;
/// impl JobHandler for Job {
///     fn run(&mut self) -> u8 {
///         1
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// let handle = engine.handle();
/// handle.pool(1, JobMessage::actor(|| Job))?;
/// assert_eq!(handle.call(JobMessage::run())?, 1);
/// drop(engine);
/// assert_eq!(handle.call(JobMessage::run()), Err(CallError::Stopped { message: "JobMessage" }));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct EngineHandle {
    core: Weak<Core>,
}

impl EngineHandle {
    pub(crate) fn new(core: &Arc<Core>) -> Self {
        Self { core: Arc::downgrade(core) }
    }

    fn with<R>(&self, gone: R, f: impl FnOnce(&Arc<Core>) -> R) -> R {
        match self.core.upgrade() {
            Some(core) => f(&core),
            None => gone,
        }
    }

    /// As [`ActorEngine::spawn`].
    ///
    /// # Errors
    /// As [`ActorEngine::spawn`].
    pub fn spawn(&self, thread: ActorThread) -> Result<ThreadId, SpawnError> {
        self.with(Err(SpawnError::Stopped), |core| spawn(core, thread))
    }

    /// As [`ActorEngine::pool`].
    ///
    /// # Errors
    /// As [`ActorEngine::pool`].
    pub fn pool<M, S>(&self, n: usize, actor: Actor<M, S>) -> Result<M::Client, SpawnError>
    where
        M: Dispatch<S, Port: Send> + Send,
        S: 'static,
    {
        self.pool_on(n, |_| ActorThread::new(), actor)
    }

    /// As [`ActorEngine::pool_on`].
    ///
    /// # Errors
    /// As [`ActorEngine::pool_on`].
    pub fn pool_on<M, S>(
        &self,
        n: usize,
        thread: impl Fn(usize) -> ActorThread,
        actor: Actor<M, S>,
    ) -> Result<M::Client, SpawnError>
    where
        M: Dispatch<S, Port: Send> + Send,
        S: 'static,
    {
        self.with(Err(SpawnError::Stopped), |core| core.pool_on(n, thread, &actor))
    }

    /// As [`ActorEngine::start`].
    ///
    /// # Errors
    /// As [`ActorEngine::start`].
    pub fn start<A: Registration>(&self, actor: A) -> Result<<A::Message as Message>::Client, SpawnError> {
        self.with(Err(SpawnError::Stopped), |core| core.start_one(actor).map(Into::into))
    }

    pub(crate) fn client_of<M: Message>(&self) -> Result<Client<M>, CallError> {
        self.with(Err(CallError::Stopped { message: M::NAME }), |core| core.client_of::<M>())
    }

    /// As [`ActorEngine::client`].
    ///
    /// # Errors
    /// As [`ActorEngine::client`].
    pub fn client<M: Message>(&self) -> Result<M::Client, CallError> {
        self.client_of::<M>().map(Into::into)
    }

    /// As [`ActorEngine::send`].
    ///
    /// # Errors
    /// As [`ActorEngine::send`].
    pub fn send<M: Message>(&self, message: M) -> Result<(), SendError<M>> {
        match self.core.upgrade() {
            Some(core) => core.aim(|aim| aim.send(message)),
            None => Err(SendError::new(M::NAME, message, Refusal::Stopped)),
        }
    }

    /// As [`ActorEngine::call`].
    ///
    /// # Errors
    /// As [`ActorEngine::call`].
    ///
    /// # Blocking
    /// As [`ActorEngine::call`].
    pub fn call<Q: IntoRequest>(&self, request: Q) -> Result<Q::Reply, CallError> {
        let message = <Q::Message as Message>::NAME;
        self.with(Err(CallError::Stopped { message }), |core| core.aim(|aim| aim.call(request.__into())))
    }

    /// As [`ActorEngine::broadcast`].
    ///
    /// # Errors
    /// As [`ActorEngine::broadcast`].
    pub fn broadcast<M: Message + Clone>(&self, message: M) -> Result<usize, SendError<M>> {
        match self.core.upgrade() {
            Some(core) => core.aim(|aim| aim.broadcast(message)),
            None => Err(SendError::new(M::NAME, message, Refusal::Stopped)),
        }
    }

    /// As [`ActorEngine::broadcast_with`].
    ///
    /// # Errors
    /// As [`ActorEngine::broadcast_with`].
    pub fn broadcast_with<M: Message>(&self, make: impl FnMut(InstanceId) -> M) -> Result<usize, CallError> {
        self.with(Err(CallError::Stopped { message: M::NAME }), |core| core.aim(|aim| aim.broadcast_with(make)))
    }

    /// As [`ActorEngine::call_all`].
    ///
    /// # Errors
    /// As [`ActorEngine::call_all`].
    ///
    /// # Blocking
    /// As [`ActorEngine::call_all`].
    pub fn call_all<Q>(&self, request: Q) -> Result<Replies<Q::Reply>, CallError>
    where
        Q: IntoRequest + Clone,
    {
        self.call_all_with(|_| request.clone())
    }

    /// As [`ActorEngine::call_all_with`].
    ///
    /// # Errors
    /// As [`ActorEngine::call_all_with`].
    ///
    /// # Blocking
    /// As [`ActorEngine::call_all_with`].
    pub fn call_all_with<Q: IntoRequest>(
        &self,
        mut make: impl FnMut(InstanceId) -> Q,
    ) -> Result<Replies<Q::Reply>, CallError> {
        let message = <Q::Message as Message>::NAME;
        self.with(Err(CallError::Stopped { message }), |core| core.aim(|aim| aim.call_all_with(|id| make(id).__into())))
    }

    /// As [`ActorEngine::registry`]; empty when the engine is gone.
    pub fn registry(&self) -> Registry {
        match self.core.upgrade() {
            Some(core) => core.pools.snapshot(),
            None => Registry::empty(),
        }
    }

    /// As [`ActorEngine::stats`]; all zero when the engine is gone.
    pub fn stats(&self) -> Stats {
        self.core.upgrade().map(|core| core.stats()).unwrap_or_default()
    }

    /// As [`ActorEngine::thread_count`].
    pub fn thread_count(&self) -> usize {
        self.with(0, |core| lock(&core.state).threads.len())
    }

    /// Begins the shutdown and returns at once: for those who may not wait, such as handlers. It has no deadline; the
    /// engine's owner may set one by [`ActorEngine::shutdown_timeout`].
    ///
    /// # Blocking
    /// Never.
    pub fn stop(&self) {
        if let Some(core) = self.core.upgrade() {
            core.stop(None);
        }
    }
}

impl fmt::Debug for EngineHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.core.upgrade() {
            Some(core) => write!(f, "EngineHandle({})", core.name),
            None => f.write_str("EngineHandle(gone)"),
        }
    }
}
