//! All instances of a spawn are registered, or none.

use std::ops::Range;
#[cfg(feature = "testing")]
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use crate::actor::dispatch::Dispatch;
use crate::actor::{Actor, Registration, install_alone};
use crate::client::Client;
use crate::engine::actor_thread::ActorThread;
use crate::engine::core::{Core, EnginePhase, RunningThread};
use crate::engine::here::Here;
use crate::error::SpawnError;
use crate::id::ThreadId;
use crate::mailbox::Mailbox;
use crate::mailbox::permits::Permits;
use crate::mailbox::sends::{Done, Sends};
use crate::reply::oneshot;
use crate::route::endpoint::Endpoint;
use crate::route::pools::Enlist;
use crate::route::recorded::note_in;
use crate::sys::frame::{Frame, on_actor_thread};
use crate::sys::operation::Operation;
use crate::sys::simulated::{mailbox_bound, point};
use crate::thread::kept::Kept;
#[cfg(feature = "testing")]
use crate::thread::local::Local;
use crate::thread::local::local;
use crate::thread::owner::ThreadOwner;
use crate::thread::run::{Starting, ThreadGuard, ThreadPlan, start};
use crate::thread::wait::wait;

/// Lets a thread run that was started. Dropped in place of that, it ends the thread.
pub(super) type Commit = oneshot::Sender<()>;

/// A thread that was started. The endpoints that its builds give are for the registry.
type Thread = Starting<Box<dyn Enlist>>;

/// Starts threads, and registers all their instances at once; if one thread fails, none.
fn spawn_all(core: &Arc<Core>, threads: Vec<ActorThread>) -> Result<Vec<ThreadId>, SpawnError> {
    spawn_and(core, threads, run_all)
}

/// Lets threads run.
pub(super) fn run_all(commits: Vec<Commit>) {
    for commit in commits {
        // It cannot fail: the thread waits for this and for nothing else.
        let _ = commit.send(());
    }
}

/// As `spawn_all`. When the instances are registered, `run` is given what lets their threads run.
pub(super) fn spawn_and(
    core: &Arc<Core>,
    threads: Vec<ActorThread>,
    run: impl FnOnce(Vec<Commit>),
) -> Result<Vec<ThreadId>, SpawnError> {
    if threads.is_empty() || threads.iter().any(|thread| thread.builds.is_empty()) {
        return Err(SpawnError::Empty);
    }
    let ids = reserve_numbers(core, threads.len())?;
    let (mut starting, failure) = start_all(core, ids.clone(), threads);
    let failure = match (await_all(&mut starting), failure) {
        (Ok(newcomers), None) => match publish(core, newcomers, starting, run) {
            Ok(()) => return Ok(ids.map(ThreadId).collect()),
            Err(back) => {
                starting = back;
                SpawnError::Stopped
            }
        },
        (_, Some(failure)) | (Err(failure), None) => failure,
    };
    return_numbers(core, ids.start + starting.len() as u32..ids.end);
    abort(core, starting);
    Err(failure)
}

/// Starts the threads one after the other, up to the first that the operating system refuses.
fn start_all(core: &Arc<Core>, ids: Range<u32>, threads: Vec<ActorThread>) -> (Vec<Thread>, Option<SpawnError>) {
    let mut starting = Vec::with_capacity(threads.len());
    for (id, thread) in ids.map(ThreadId).zip(threads) {
        let name = thread.name.unwrap_or_else(|| format!("{}-{id}", core.name));
        let permits = thread.mailbox_bound.map(|bound| Permits::new(mailbox_bound(bound), thread.overflow));
        let mut mailbox = Mailbox::new(id, name, Arc::clone(&core.engine), permits);
        if let Some((bound, policy)) = thread.inner_bound {
            mailbox = mailbox.with_inner_bound(bound, policy);
        }
        let plan =
            ThreadPlan { stack_size: thread.stack_size, builds: thread.builds, keep: Box::new(kept_by_engine(core)) };
        match start(Arc::clone(core) as Arc<dyn ThreadOwner>, Arc::new(mailbox), plan) {
            Ok(thread) => starting.push(thread),
            Err(error) => return (starting, Some(error)),
        }
    }
    (starting, None)
}

/// Waits until all threads have built their instances or failed. Gives the error of the first that has failed.
fn await_all(starting: &mut [Thread]) -> Result<Vec<Box<dyn Enlist>>, SpawnError> {
    let mut newcomers = Ok(Vec::new());
    for thread in starting {
        let built = match wait(&mut thread.built, None) {
            Some(Ok(built)) => built,
            // The new thread ended without an answer, or the waiting thread was abandoned meanwhile.
            Some(Err(_)) | None => Err(SpawnError::Stopped),
        };
        match (&mut newcomers, built) {
            (Ok(all), Ok(built)) => all.extend(built),
            (Ok(_), Err(error)) => newcomers = Err(error),
            (Err(_), _) => {}
        }
    }
    newcomers
}

/// Registers the instances; `run` lets their threads run. Gives the threads back if the engine stops.
fn publish(
    core: &Core,
    newcomers: Vec<Box<dyn Enlist>>,
    starting: Vec<Thread>,
    run: impl FnOnce(Vec<Commit>),
) -> Result<(), Vec<Thread>> {
    if let Some(sends) = &core.engine.sends {
        starting.iter().for_each(|thread| note_start(sends, &thread.mailbox));
    }
    point(&core.engine.world, 0, || Operation::Plain("register the new instances"));
    let mut state = core.state.lock();
    if !matches!(state.phase, EnginePhase::Open) {
        return Err(starting);
    }
    let published = core.pools.enlist(newcomers);
    let mut commits = Vec::with_capacity(starting.len());
    for Starting { mailbox, handle, commit, .. } in starting {
        state.threads.insert(mailbox.thread, RunningThread { mailbox, handle: Some(handle) });
        commits.push(commit);
    }
    drop(state);
    // Before code of the user's may run, which may call the new instances.
    run(commits);
    published.finish();
    Ok(())
}

/// Notes that the handler which runs here, if one does, has started the instances of a thread.
fn note_start(sends: &Sends, mailbox: &Mailbox) {
    let (mut started, mut number) = (Vec::new(), 0);
    while mailbox.roster.read_block(number, |report| started.push(report.message)) {
        number += 1;
    }
    started.into_iter().for_each(|message| note_in(sends, message, Done::Started));
}

/// Ends threads that were started and whose instances are not registered.
fn abort(core: &Core, starting: Vec<Thread>) {
    for thread in starting {
        drop(thread.commit);
        if on_actor_thread() {
            // An actor thread does not wait for it here: the shutdown joins it.
            core.state.lock().ended.push(thread.handle);
        } else {
            // Its states are to be dropped before the spawn returns.
            thread.handle.until_gone();
        }
    }
}

/// Starts one thread, and registers all its instances.
pub(crate) fn spawn(core: &Arc<Core>, thread: ActorThread) -> Result<ThreadId, SpawnError> {
    spawn_all(core, vec![thread])?.into_iter().next().ok_or(SpawnError::Empty)
}

/// Makes the calling thread one of the engine's.
pub(crate) fn here(core: &Arc<Core>) -> Result<Here, SpawnError> {
    if local().is_some() || Frame::current().is_user_code() {
        return Err(SpawnError::OnActorThread);
    }
    let id = ThreadId(reserve_numbers(core, 1)?.start);
    let current = std::thread::current();
    let name = current.name().map_or_else(|| format!("{}-{id}", core.name), String::from);
    let mailbox = Arc::new(Mailbox::new(id, name, Arc::clone(&core.engine), None));
    let guard =
        ThreadGuard::enter(Arc::clone(core) as Arc<dyn ThreadOwner>, Arc::clone(&mailbox), kept_by_engine(core)());
    {
        let mut state = core.state.lock();
        if matches!(state.phase, EnginePhase::Open) {
            state.threads.insert(id, RunningThread { mailbox, handle: None });
        } else {
            drop(state);
            return Err(SpawnError::Stopped);
        }
    }
    Ok(Here::new(guard))
}

/// Makes the state of an actor thread that no thread runs, for the context of a test.
#[cfg(feature = "testing")]
pub(crate) fn local_without_thread(core: &Arc<Core>) -> Result<Rc<Local>, SpawnError> {
    let id = ThreadId(reserve_numbers(core, 1)?.start);
    let mailbox = Mailbox::new(id, format!("{}-{id}", core.name), Arc::clone(&core.engine), None);
    Ok(Rc::new(Local::new(Arc::clone(core) as Arc<dyn ThreadOwner>, Arc::new(mailbox), kept_by_engine(core)())))
}

/// Makes what this engine keeps on each of its threads: its pools, and a weak reference to itself.
fn kept_by_engine(core: &Arc<Core>) -> impl FnOnce() -> Kept + Send + 'static {
    let (pools, core) = (Arc::clone(&core.pools), Arc::downgrade(core));
    move || {
        let kept = Kept::default();
        kept.put(pools);
        kept.put(core);
        kept
    }
}

/// Gives `count` threads their numbers.
fn reserve_numbers(core: &Core, count: usize) -> Result<Range<u32>, SpawnError> {
    let mut state = core.state.lock();
    if !matches!(state.phase, EnginePhase::Open) {
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

/// Takes back the numbers of threads that never started, to be given again; unless later numbers were given meanwhile.
/// A thread that did start keeps its number even if it failed: its factories have seen it, and may have told it on.
fn return_numbers(core: &Core, ids: Range<u32>) {
    let mut state = core.state.lock();
    if state.next_thread == ids.end {
        state.next_thread = ids.start;
    }
}

/// Starts a thread with one instance more than are registered on it, in no pool.
pub(crate) fn start_on<A: Registration>(
    core: &Arc<Core>,
    mut thread: ActorThread,
    actor: A,
) -> Result<Client<A::Message>, SpawnError> {
    let place = Arc::new(OnceLock::<Arc<Endpoint<A::Message>>>::new());
    let found = Arc::clone(&place);
    thread.builds.push(Box::new(move |local| {
        // It cannot fail: the instance is built once.
        let _ = place.set(install_alone::<A::Message>(local, actor)?);
        Ok(None)
    }));
    spawn_all(core, vec![thread])?;
    match found.get() {
        Some(endpoint) => Ok(Client::of_one(None, Arc::clone(endpoint))),
        None => Err(SpawnError::Stopped),
    }
}

/// Starts `n` threads with one instance of `actor` each, registered at once.
pub(crate) fn pool_on<M, S>(
    core: &Arc<Core>,
    n: usize,
    thread: impl Fn(usize) -> ActorThread,
    actor: &Actor<M, S>,
) -> Result<M::Client, SpawnError>
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    spawn_all(core, (0..n).map(|i| thread(i).register(actor.clone())).collect())?;
    match core.pools.get::<M>() {
        Some(pool) => Ok(Client::of_pool(pool).into()),
        None => Err(SpawnError::Stopped),
    }
}
