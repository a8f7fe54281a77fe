//! A pool that one end serves: what comes for it is decoded and goes into its mailboxes.
//!
//! The protocol, by which nobody waits for what it could hold up:
//!
//! 1. A packet from outside goes into the pool's own lane, the feeder. There it waits for room as its sender would here,
//!    or is refused, as the full mailbox says. Those behind it wait too, which keeps their order.
//! 2. A packet from a handler goes through the lane of the end, past all bounds, as it would here. It waits for nothing,
//!    and for no packet from outside: room may come only when its sender goes on.
//! 3. Its sender is told when it is in a mailbox. Until then a packet from outside keeps its permit there, so no more
//!    are under way than the mailbox of the link has room for.
//! 4. The reply goes back through the lane of the end, so a full pool delays no reply, and no other pool.
//! 5. A call is refused if its callee is deeper here than its sender counts. So a handler that waits stands above its
//!    callee by the callee's own count, whatever the versions, and along a chain of waits the depths fall.

use std::any::TypeId;
use std::sync::Arc;

use crate::client::Client;
use crate::error::SendError;
use crate::messaging::binding::Limit;
use crate::remote::lane::Lane;
use crate::remote::ledger::Ledger;
use crate::remote::message::{Answering, Called, RemoteMessage, Reply};
use crate::remote::packet::{Answer, CallHeader, Packet, Receipt};
use crate::sys::frame::as_inside;
use crate::sys::unwind::catch;

/// A pool whose messages come as bytes, whatever their type.
pub(super) trait Served: Send + Sync {
    /// Takes a packet in. Never waits.
    fn deliver(self: Arc<Self>, packet: Packet, receipt: Box<dyn Receipt>);
    /// The type of its messages.
    fn message(&self) -> TypeId;
}

pub(super) struct ServedPool<M: RemoteMessage> {
    pub(super) pool: Client<M>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) feeder: Lane,
    /// The lane of the end.
    pub(super) lane: Lane,
}

impl<M: RemoteMessage> Served for ServedPool<M> {
    fn deliver(self: Arc<Self>, packet: Packet, receipt: Box<dyn Receipt>) {
        let lane = if packet.inside { self.lane.clone() } else { self.feeder.clone() };
        lane.spawn(async move { self.feed(packet, receipt) });
    }

    fn message(&self) -> TypeId {
        TypeId::of::<M>()
    }
}

impl<M: RemoteMessage> ServedPool<M> {
    fn feed(&self, packet: Packet, mut receipt: Box<dyn Receipt>) {
        let Packet { bytes, call, inside, copy } = packet;
        let fed = M::__decode(&bytes).map_err(Answer::Unfit).and_then(|message| match call {
            Some(header) => self.call(message, inside, &header).map(Some),
            None if copy => self.broadcast(message, &bytes, inside).map(|()| None),
            None => self.send(message, inside).map(|()| None),
        });
        match fed {
            Err(answer) => receipt.answer(answer),
            Ok(reply) => {
                self.ledger.taken();
                receipt.taken();
                if let Some(reply) = reply {
                    self.lane.spawn(async move { receipt.answer(reply.await) });
                }
            }
        }
    }

    fn send(&self, message: M, inside: bool) -> Result<(), Answer> {
        let sent = if inside { as_inside(|| self.pool.send(message)) } else { self.pool.send(message) };
        sent.map_err(|refused: SendError<M>| match refused {
            SendError::Full(_) => Answer::Full,
            SendError::NotRegistered(_) | SendError::Stopped(_) => Answer::Unreachable,
        })
    }

    /// Gives each instance a copy, which is decoded for it: messages need not be `Clone`.
    fn broadcast(&self, message: M, bytes: &[u8], inside: bool) -> Result<(), Answer> {
        let mut first = Some(message);
        let mut copy = |_| match first.take().map_or_else(|| M::__decode(bytes), Ok) {
            Ok(copy) => copy,
            // It could be decoded just before. A panic tells of the rest.
            Err(text) => panic!("{text}"),
        };
        let mut broadcast = || self.pool.broadcast_with(&mut copy);
        match catch(|| if inside { as_inside(broadcast) } else { broadcast() }) {
            Ok(reached) => reached.map(|_| ()).map_err(Answer::from),
            Err(text) => Err(Answer::Unfit(text)),
        }
    }

    fn call(&self, message: M, inside: bool, header: &CallHeader) -> Result<Reply, Answer> {
        let pool = match header.until {
            Some(until) => self.pool.clone().with_limit(Limit::Until(until)),
            None => self.pool.clone(),
        };
        let variant = message.variant();
        match message.__serve(&Called { pool: &pool, inside, depth: header.depth, queued: header.queued }) {
            Some(Answering(called)) => called,
            None => Err(Answer::Unfit(format!("`{variant}` has no reply on the other side").into())),
        }
    }
}
