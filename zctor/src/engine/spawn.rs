//! Starting threads: all instances of a spawn are registered, or none.

use std::sync::{Arc, OnceLock};

use crate::actor::dispatch::Dispatch;
use crate::actor::{Actor, Registration, install_on};
use crate::client::Client;
use crate::engine::actor_thread::ActorThread;
use crate::engine::core::{Core, Phase, Running};
use crate::engine::here::Here;
use crate::error::SpawnError;
use crate::id::ThreadId;
use crate::mailbox::Mailbox;
use crate::mailbox::permits::Room;
use crate::route::endpoint::Address;
use crate::sys::frame::on_actor_thread;
use crate::thread::local::{Kept, Parent, local};
use crate::thread::run::{Exit, Plan, start};
use crate::thread::wait::wait;

impl Core {
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
            let mailbox = Mailbox::new(id, name, Arc::clone(&self.edge), room);
            let keep = self.keep();
            let plan = Plan { stack_size: thread.stack_size, builds: thread.builds, keep: Box::new(keep) };
            match start(Arc::clone(self) as Arc<dyn Parent>, Arc::new(mailbox), plan) {
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
            let mut state = self.state.lock();
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
                self.state.lock().ended.push(thread.handle);
            } else {
                // Its states are dropped by then.
                thread.handle.until_gone();
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
        let mailbox = Arc::new(Mailbox::new(id, name, Arc::clone(&self.edge), None));
        let exit = Exit::enter(Arc::clone(self) as Arc<dyn Parent>, Arc::clone(&mailbox), self.keep()());
        {
            let mut state = self.state.lock();
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

    /// Makes what this engine keeps on each of its threads.
    fn keep(self: &Arc<Self>) -> impl FnOnce() -> Kept + Send + 'static {
        let (pools, core) = (Arc::clone(&self.pools), Arc::downgrade(self));
        move || {
            let kept = Kept::default();
            kept.put(pools);
            kept.put(core);
            kept
        }
    }

    fn number(&self, count: usize) -> Result<std::ops::Range<u32>, SpawnError> {
        let mut state = self.state.lock();
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
        let mut state = self.state.lock();
        if state.next_thread == ids.end {
            state.next_thread = ids.start;
        }
    }

    pub(crate) fn start_one<A: Registration>(self: &Arc<Self>, actor: A) -> Result<Client<A::Message>, SpawnError> {
        let place = Arc::new(OnceLock::<Arc<Address<A::Message>>>::new());
        let found = Arc::clone(&place);
        let mut thread = ActorThread::new();
        thread.builds.push(Box::new(move |local| {
            // It is built once, and put there once.
            let _ = place.set(install_on::<A::Message>(local, false, actor)?);
            Ok(None)
        }));
        self.spawn_all(vec![thread])?;
        match found.get() {
            Some(address) => Ok(Client::of_one(None, Arc::clone(address))),
            None => Err(SpawnError::Stopped),
        }
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
}
