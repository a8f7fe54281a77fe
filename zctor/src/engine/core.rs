//! The life of an engine and its threads: starting them, knowing when the inside is quiet, stopping.
//!
//! Stopping, in order:
//!
//! 1. The edge closes: who is not one of the engine's own threads is refused. Timers close with it.
//! 2. The inside runs until it is quiet (`is_quiet`), or until the time is up: then the edge is sealed, so that the
//!    inside is refused too and what is queued becomes dead letters.
//! 3. Threads end in reverse order of their start: `on_stop`, drop, join.
//! 4. A thread that does not end in time is abandoned: its mailbox is closed from outside, and all who wait for it are
//!    answered.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::actor::timer::{deadline, now};
use crate::actor::{Registration, install_on};
use crate::client::Client;
use crate::client::message::{Actor, Dispatch, Message};
use crate::client::watch::{EarlierReport, End, Ended, InstanceReport, Report, RunningInstance, Stats, ThreadStats};
use crate::engine::here::Here;
use crate::error::{CallError, Refusal, ShutdownError, SpawnError};
use crate::mailbox::permits::Room;
use crate::mailbox::{Edge, Mail, Mailbox, Order, Slot};
use crate::messaging::pending::wait;
use crate::messaging::target::Aim;
use crate::route::endpoint::Address;
use crate::route::registry::Pools;
use crate::sys::frame::{Frame, Quiet, on_actor_thread};
use crate::sys::sync::{AtomicUsize, Condvar, Mutex, MutexGuard, fence, lock};
use crate::thread::local::{ActorThread, Exit, ThreadId, local, start, start_thread};

/// Of a shutdown's time, what is kept for ending the threads once the edge is sealed.
const GRACE: Duration = Duration::from_millis(500);

/// What the threads, the owner and the handles of an engine share.
pub(crate) struct Core {
    pub(crate) pools: Arc<Pools>,
    pub(crate) edge: Arc<Edge>,
    pub(crate) name: String,
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
    /// None for the calling thread of `here`, which is not ours to join.
    handle: Option<JoinHandle<()>>,
}

/// What abandoned threads have done and left.
#[derive(PartialEq)]
struct Books {
    instances: Vec<InstanceReport>,
    dead_letters: u64,
    left: u64,
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
    pub(crate) fn new(name: String, default_deadline: Option<Duration>) -> Arc<Self> {
        let edge = Arc::new(Edge::new(default_deadline));
        Arc::new(Self {
            pools: Arc::new(Pools::new(Arc::clone(&edge))),
            edge,
            name,
            watchers: AtomicUsize::new(0),
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    // Starting.

    pub(crate) fn spawn_all(self: &Arc<Self>, threads: Vec<ActorThread>) -> Result<Vec<ThreadId>, SpawnError> {
        if threads.is_empty() || threads.iter().any(|thread| thread.builds.is_empty()) {
            return Err(SpawnError::Empty);
        }
        let ids = self.number(threads.len())?;
        let mut newborn = Vec::with_capacity(threads.len());
        let mut failure = None;
        for (id, thread) in ids.clone().zip(threads) {
            let id = ThreadId(id);
            let name = thread.name.clone().unwrap_or_else(|| format!("{}-{id}", self.name));
            let room = thread.mailbox_bound.map(|bound| Room::new(bound, thread.overflow));
            let mailbox = Mailbox::new(id, name, Arc::clone(&self.edge), Arc::downgrade(&self.pools), room);
            match start(self, Arc::new(mailbox), thread) {
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
                let published = self.pools.enlist(newcomers);
                for thread in newborn {
                    state.threads.push(Running { mailbox: thread.mailbox, handle: Some(thread.handle) });
                    // The thread waits for this and for nothing else.
                    let _ = thread.commit.send(());
                }
                state.threads.sort_by_key(|running| running.mailbox.thread);
                drop(state);
                published.finish();
                return Ok(ids.map(ThreadId).collect());
            }
        }
        for thread in newborn {
            drop(thread.commit);
            if on_actor_thread() {
                // Not waited for here: the shutdown joins it.
                lock(&self.state).ended.push(thread.handle);
            } else {
                // Its states are dropped by then. A panic there was caught.
                let _ = thread.handle.join();
            }
        }
        self.return_numbers(ids);
        Err(failure.unwrap_or(SpawnError::Stopped))
    }

    pub(crate) fn spawn(self: &Arc<Self>, thread: ActorThread) -> Result<ThreadId, SpawnError> {
        self.spawn_all(vec![thread])?.into_iter().next().ok_or(SpawnError::Empty)
    }

    /// Makes the calling thread one of the engine's.
    pub(crate) fn here(self: &Arc<Self>) -> Result<Here, SpawnError> {
        if local().is_some() {
            return Err(SpawnError::OnActorThread);
        }
        let id = ThreadId(self.number(1)?.start);
        let current = std::thread::current();
        let name = current.name().map_or_else(|| format!("{}-{id}", self.name), String::from);
        let mailbox = Arc::new(Mailbox::new(id, name, Arc::clone(&self.edge), Arc::downgrade(&self.pools), None));
        let exit = Exit::enter(Arc::clone(self), Arc::clone(&mailbox));
        {
            let mut state = lock(&self.state);
            if matches!(state.phase, Phase::Open) {
                state.threads.push(Running { mailbox, handle: None });
                state.threads.sort_by_key(|running| running.mailbox.thread);
            } else {
                drop(state);
                return Err(SpawnError::Stopped);
            }
        }
        Ok(Here::new(exit))
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

    pub(crate) fn start_one<A: Registration>(self: &Arc<Self>, actor: A) -> Result<Client<A::Message>, SpawnError> {
        let (sender, receiver) = mpsc::channel::<Arc<Address<A::Message>>>();
        let mut thread = ActorThread::new();
        thread.builds.push(Box::new(move |local| {
            let _ = sender.send(install_on::<A::Message>(local, false, actor)?);
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
        // Pairs with the fence in `watch`. Either the watcher is seen here, or it sees the rest that began before. A
        // fence, for loom takes accesses that are SeqCst for acquire and release.
        fence(Ordering::SeqCst);
        if self.watchers.load(Ordering::Relaxed) > 0 {
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
            state.ended.extend(running.handle);
        }
        drop(state);
        self.changed.notify_all();
    }

    // Quiet.

    /// Whether nothing is queued and nothing runs on any thread.
    fn is_quiet(state: &State) -> bool {
        are_quiet(state.threads.iter().map(|running| &*running.mailbox))
    }

    /// Waits until `done`, or the time given by `until` is up; `true` if it is done.
    fn watch(
        &self,
        mut done: impl FnMut(&State) -> bool,
        mut until: impl FnMut(&State) -> Option<Instant>,
    ) -> (MutexGuard<'_, State>, bool) {
        self.watchers.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst); // pairs with that in `came_to_rest`
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
        self.watchers.fetch_sub(1, Ordering::Relaxed);
        (state, outcome)
    }

    /// Waits until the inside is quiet.
    pub(crate) fn settle(self: &Arc<Self>) {
        let Some(local) = local() else { return drop(self.watch(Self::is_quiet, |_| None)) };
        // The calling thread of `here`, of this engine or another: nobody else serves its instances. Meanwhile it is told
        // of mail where this waits.
        let core = Arc::clone(self);
        let is_own = Arc::ptr_eq(self, &local.core);
        let poke = move || {
            drop(lock(&core.state));
            core.changed.notify_all();
        };
        let parker = &local.mailbox.parker;
        parker.poke_by(Some(Arc::new(Quiet::new(Box::new(poke)))));
        loop {
            local.run_until_idle();
            let must_end = is_own && local.is_ending();
            let has_mail = || if local.is_ending() { is_own } else { local.has_work() };
            let (state, _) = self.watch(|state| Self::is_quiet(state) || has_mail(), |_| local.next_timer());
            if must_end || Self::is_quiet(&state) {
                break;
            }
        }
        parker.poke_by(None);
        local.as_actor_thread(|| ()); // tells the event loop of what has come since
    }

    pub(crate) fn thread_count(&self) -> usize {
        lock(&self.state).threads.len()
    }

    // Stopping.

    /// Closes the edge, or hurries a shutdown that has begun. `true` if nobody drives it yet: the caller must.
    fn begin_shutdown(&self, limit: Option<Duration>) -> bool {
        let limit = limit.and_then(deadline);
        let mut state = lock(&self.state);
        let must_drive = match &mut state.phase {
            Phase::Open => {
                self.edge.close();
                // Who waits for room waits in vain.
                state.threads.iter().for_each(|running| running.mailbox.call_all());
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
        let _ = mailbox.push(Mail::order(to, Order::Shutdown));
    }

    /// Waits until threads that are past their last line of ours have gone. What is left of them are the destructors of
    /// the user's thread-locals: with a deadline those are waited for no longer than that.
    fn join_all(&self, handles: Vec<JoinHandle<()>>) {
        if handles.is_empty() {
            return;
        }
        let join = move || {
            for handle in handles {
                // zctor's own panic, if there was one, was reported by its hook.
                let _ = handle.join();
            }
        };
        let Some(until) = Self::until(&lock(&self.state)) else { return join() };
        let (sender, receiver) = mpsc::channel();
        let joiner = start_thread("zctor-join", Some(64 * 1024), move || {
            join();
            let _ = sender.send(());
        });
        if joiner.is_ok() {
            let _ = receiver.recv_timeout(until.saturating_duration_since(now()));
        }
    }

    fn finish_shutdown(&self) {
        let (ended, abandoned) = {
            let mut state = lock(&self.state);
            (std::mem::take(&mut state.ended), std::mem::take(&mut state.threads))
        };
        // Before they are answered: who waits for whom.
        let threads: Vec<ThreadStats> = abandoned.iter().map(|running| running.mailbox.stats()).collect();
        if !abandoned.is_empty() {
            // First those who wait, then the mail, whose drops are the user's and may take their time.
            self.edge.abandon();
        }
        for running in &abandoned {
            running.mailbox.close();
        }
        self.join_all(ended);
        // Each instance that is there still is on the roll, or has reported by now.
        let there: Vec<_> = abandoned.iter().map(|running| running.mailbox.roll.abandon()).collect();
        for RunningInstance { instance, message } in there.iter().flatten().copied() {
            self.edge.losses.ended(&Ended { instance, message, why: End::Abandoned });
        }
        self.edge.losses.finish();
        let Books { instances: abandoned_instances, dead_letters, left } = self.balance(&abandoned, &there);
        let mut state = lock(&self.state);
        let mut instances = std::mem::take(&mut state.reports);
        instances.extend(abandoned_instances);
        instances.sort_by_key(|instance| instance.id);
        let report = Report { instances, earlier: state.earlier, dead_letters, left };
        state.phase = Phase::Stopped(if abandoned.is_empty() {
            Ok(report)
        } else {
            Err(ShutdownError::Abandoned { threads, report })
        });
        drop(state);
        self.changed.notify_all();
    }

    /// The books of abandoned threads and of the instances there. A thread that still moves changes them while they are
    /// read: they are read until two looks agree, or one gives up on that.
    fn balance(&self, abandoned: &[Running], there: &[Vec<RunningInstance>]) -> Books {
        let look = || Books {
            instances: abandoned.iter().zip(there).flat_map(|(one, there)| one.mailbox.roll.reports(there)).collect(),
            dead_letters: self.edge.losses.letters(),
            left: abandoned.iter().map(|one| one.mailbox.meter.in_hand() as u64).sum(),
        };
        let mut books = look();
        for _ in 0..1_000 {
            std::thread::yield_now();
            let again = look();
            if again == books {
                break;
            }
            books = again;
        }
        books
    }

    /// Begins the shutdown and has another thread drive it: for those who may not wait.
    pub(crate) fn stop(self: &Arc<Self>, limit: Option<Duration>) {
        if !self.begin_shutdown(limit) {
            return;
        }
        let core = Arc::clone(self);
        if start_thread("zctor-shutdown", None, move || core.drive_shutdown()).is_err() {
            // Whoever waits for the end drives it.
            if let Phase::Stopping { driven, .. } = &mut lock(&self.state).phase {
                *driven = false;
            }
            self.changed.notify_all();
        }
    }

    pub(crate) fn shutdown(self: &Arc<Self>, limit: Option<Duration>) -> Result<Report, ShutdownError> {
        // Nor what the runtime calls, which may be called by who drives the shutdown.
        if local().is_some() || Frame::current().is_user_code() {
            self.stop(limit);
            return Err(ShutdownError::OnActorThread);
        }
        if self.begin_shutdown(limit) {
            self.drive_shutdown();
        }
        self.wait_stopped()
    }

    pub(crate) fn wait_stopped(&self) -> Result<Report, ShutdownError> {
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

    pub(crate) fn aim<M: Message, R>(&self, f: impl FnOnce(Aim<'_, M>) -> R) -> R {
        let pool = self.pools.get::<M>();
        f(Aim::at_pool(pool.as_deref(), &self.edge))
    }

    pub(crate) fn client_of<M: Message>(&self) -> Result<Client<M>, CallError> {
        if let Some(pool) = self.pools.get::<M>().filter(|pool| pool.has_instances()) {
            return Ok(Client::of_pool(pool));
        }
        // Looked at last: a shutdown that empties the pool has closed the edge before.
        let refusal = if self.edge.is_open() { Refusal::NotRegistered } else { Refusal::Stopped };
        Err(CallError::refused(M::NAME, refusal))
    }

    pub(crate) fn pool_on<M, S>(
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

    pub(crate) fn stats(&self) -> Stats {
        let mailboxes: Vec<_> = lock(&self.state).threads.iter().map(|running| Arc::clone(&running.mailbox)).collect();
        let losses = &self.edge.losses;
        Stats {
            threads: mailboxes.iter().map(|mailbox| mailbox.stats()).collect(),
            dead_letters: losses.letters(),
            skipped: losses.skipped(),
            refused: losses.refused(),
            restarts: losses.restarts(),
        }
    }
}

/// Whether nothing is queued and nothing runs on any of these threads.
///
/// Each thread is looked at twice. If in both rounds all rest, in the same spell of rest, and all mailboxes are
/// empty, then at the moment between the rounds nothing was anywhere: a message pushed before it would still lie
/// in its mailbox, or its receiver would have begun another spell. After Mattern's double counting (1987).
fn are_quiet<'a>(mailboxes: impl Iterator<Item = &'a Mailbox> + Clone) -> bool {
    let round = || mailboxes.clone().map(Mailbox::rest).collect::<Option<Vec<u64>>>();
    match round() {
        Some(first) => round() == Some(first),
        None => false,
    }
}

#[cfg(all(test, loom))]
mod loom_models;
