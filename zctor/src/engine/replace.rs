//! A new instance in the place of another; the protocol is at the head of `route/replacement.rs`.

use std::mem::take;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Wake, Waker};

use crate::actor::{Registration, install_pooled};
use crate::client::Client;
use crate::client::message::Message;
use crate::engine::actor_thread::ActorThread;
use crate::engine::core::Core;
use crate::engine::spawn::{Commit, run_all, spawn_and};
use crate::error::SpawnError;
use crate::id::InstanceId;
use crate::route::endpoint::Endpoint;
use crate::route::location::Way;
use crate::route::payload::Payload;
use crate::route::pools::Enlist;
use crate::route::replacement::Replacement;
use crate::sys::lock::lock;

/// Lets threads run once it is woken, by the end of an instance.
struct RunAfter(Mutex<Vec<Commit>>);

impl Wake for RunAfter {
    fn wake(self: Arc<Self>) {
        let commits = take(&mut *lock(&self.0));
        run_all(commits);
    }
}

/// Ends an instance in its turn, if it lives; when it has ended, lets threads run.
fn end_first<M: Payload>(before: Option<&Endpoint<M>>, commits: Vec<Commit>) {
    let run = Waker::from(Arc::new(RunAfter(Mutex::new(commits))));
    let Some(before) = before else { return run.wake() };
    // Not refused by a closed edge: a shutdown that has just begun waits for the threads, and so for this end.
    before.stop(Way::There);
    if before.mailbox.roster.watch(before.slot, run.clone()).is_err() {
        run.wake();
    }
}

/// Starts a thread with one instance more than are registered on it, in the place of another of its pool.
pub(crate) fn replace_on<A: Registration>(
    core: &Arc<Core>,
    instance: InstanceId,
    mut thread: ActorThread,
    actor: A,
) -> Result<Client<A::Message>, SpawnError> {
    let no_place = SpawnError::NoPlace { message: <A::Message as Message>::name(), instance };
    let Some(pool) = core.pools.get::<A::Message>() else { return Err(no_place) };
    let Some(claim) = pool.claim(instance) else { return Err(no_place) };
    let built = Arc::new(OnceLock::<Arc<Endpoint<A::Message>>>::new());
    let (put, number) = (Arc::clone(&built), claim.number);
    thread.builds.push(Box::new(move |local| {
        let endpoint = install_pooled::<A::Message>(local, actor)?;
        // It cannot fail: the instance is built once.
        let _ = put.set(Arc::clone(&endpoint));
        Ok(Some(Box::new(Replacement { endpoint, number, instance }) as Box<dyn Enlist>))
    }));
    spawn_and(core, vec![thread], |commits| end_first(claim.before.as_deref(), commits))?;
    drop(claim);
    match built.get() {
        Some(endpoint) => Ok(Client::of_one(Some(pool), Arc::clone(endpoint))),
        None => Err(SpawnError::Stopped),
    }
}
