//! The link: what stands in the place of a pool's instance, and hands its messages to the other side as bytes.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};

use crate::actor::double::role::Role;
use crate::error::CallError;
use crate::event::Undelivered;
use crate::id::InstanceId;
use crate::mailbox::envelope::Undeliverable;
use crate::remote::books::Books;
use crate::remote::message::{RemoteMessage, RemotePort};
use crate::remote::served::Served;
use crate::remote::tasks::Tasks;
use crate::remote::wire;
use crate::reply::reply_to::ReplySlot;
use crate::route::contents::lose;
use crate::route::payload::Port;
use crate::sys::lock::lock;
use crate::thread::local::local;

/// One end of a loopback: the pools that it serves, and its books.
#[derive(Default)]
pub(super) struct End {
    pub(super) served: Mutex<HashMap<&'static str, Arc<dyn Served>>>,
    pub(super) books: Mutex<Books>,
}

pub(super) struct Link<M> {
    pub(super) mine: Arc<End>,
    pub(super) theirs: Arc<End>,
    pub(super) tasks: Tasks,
    /// The instance whose state this is.
    pub(super) instance: InstanceId,
    pub(super) of: PhantomData<fn(M)>,
}

impl<M: RemoteMessage> Role<M> for Link<M> {
    fn take(&self, message: M, slot: &mut ReplySlot<'_, M::Port>) {
        // (It is never `Here`: a link is not called on the spot.)
        match slot {
            ReplySlot::Port(_) => self.call(&message, slot),
            ReplySlot::Nobody | ReplySlot::Here(_) => self.send(message),
        }
    }
}

impl<M: RemoteMessage> Link<M> {
    fn send(&self, message: M) {
        lock(&self.mine.books).accepted += 1;
        let sent = wire::encode(&message)
            .map_err(|_| Undelivered::Unfit)
            .and_then(|bytes| self.served().ok_or(Undelivered::Unreachable)?.send(&bytes));
        match sent {
            Ok(()) => {
                lock(&self.mine.books).acked += 1;
                lock(&self.theirs.books).taken += 1;
            }
            Err(why) => {
                lock(&self.mine.books).lost(why);
                self.lose(message, why);
            }
        }
    }

    fn call(&self, message: &M, slot: &mut ReplySlot<'_, M::Port>) {
        let until = match slot {
            ReplySlot::Port(port) => port.cancellation().and_then(|cancellation| cancellation.deadline()),
            ReplySlot::Nobody | ReplySlot::Here(_) => None,
        };
        lock(&self.mine.books).called += 1;
        let ended = Ended(Arc::clone(&self.mine));
        let name = M::name();
        // Until the call is sent the port stays in the slot: a panic of the user's `Serialize` then ends it `Panicked`.
        let sent = wire::encode(message)
            .map_err(|text| CallError::Unfit { message: name, text })
            .and_then(|bytes| self.served().ok_or(CallError::NotRegistered { message: name })?.call(&bytes, until));
        let Some(port) = slot.take() else { return };
        match sent {
            Err(error) => {
                drop(ended);
                port.__answered(name, Err(error));
            }
            Ok(answer) => {
                lock(&self.theirs.books).taken += 1;
                self.tasks.spawn(async move {
                    let outcome = answer.await;
                    drop(ended);
                    port.__answered(name, outcome);
                });
            }
        }
    }

    /// The pool on the other side, if it is served. The lock is not held while that takes a message.
    fn served(&self) -> Option<Arc<dyn Served>> {
        lock(&self.theirs.served).get(M::WIRE).cloned()
    }

    /// Tells of a message that was accepted here, and that no mailbox on the other side has.
    fn lose(&self, message: M, why: Undelivered) {
        let Some(local) = local() else { return };
        let losses = &local.mailbox.edge.losses;
        losses.count(1, why);
        lose(message, None, Undeliverable { losses, instance: self.instance, why, from_hook: false });
    }
}

/// Counts the end of a call, before its caller learns of it and however it ends.
struct Ended(Arc<End>);

impl Drop for Ended {
    fn drop(&mut self) {
        lock(&self.0.books).ended += 1;
    }
}
