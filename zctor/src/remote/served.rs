//! A pool that one end serves: packets for it are decoded, and their messages go into its mailboxes.
//!
//! The protocol. No thread waits for a thing that its own wait could hold up:
//!
//! 1. A packet from outside goes into the pool's own feeder. There it waits for room as its sender would here,
//!    or is refused, as the full mailbox says. The packets behind it wait too, which keeps their order.
//! 2. A packet from a handler goes through the feeder of the end, past every `mailbox_bound`, as it would here. An
//!    `inner_bound` of the pool's thread may refuse it. It waits for nothing, and for no packet from outside: room may
//!    come only when its sender goes on.
//! 3. A packet goes into its mailbox at once, on the thread that delivers it, if it can neither wait there nor hold that
//!    thread up for long, if that thread runs no user code for the runtime, and if its feeder is idle. A sender's
//!    packets are delivered one after the other. So those before it that went through the feeder are in mailboxes by
//!    then, and their order is kept.
//! 4. Its sender is told when it is in a mailbox. Until then a packet from outside keeps its permit there, so no more
//!    are under way than the mailbox of the link has room for.
//! 5. The reply goes back on the thread that replies (`reply_task.rs`), so a full pool delays no reply, and no other
//!    pool.
//! 6. Each packet is counted when it arrives, until its sender has been told that it is in a mailbox or refused; and each
//!    call until its reply has gone out. An end counts it under the lock under which it finds the pool. So once the pool
//!    has been taken out and nothing is counted, nothing goes into its mailboxes any more (`End::leave`).
//! 7. A call is refused if its callee is deeper here than its sender counts. So a handler that waits stands above its
//!    callee by the callee's own count, whatever the versions, and along a chain of waits the depths fall.

use std::any::TypeId;
use std::sync::Arc;

use crate::client::Client;
use crate::error::SendError;
use crate::messaging::binding::Limit;
use crate::remote::feeder::Feeder;
use crate::remote::key::of_bound_key;
use crate::remote::ledger::Inbound;
use crate::remote::message::{Answering, Called, RemoteMessage, Reply};
use crate::remote::packet::{Answer, CallHeader, Pack, PackReceipt, Packet, Receipt};
use crate::remote::partition::{Partition, Partitions, Route};
use crate::remote::reached;
use crate::remote::reply_task::answer_when_there;
use crate::remote::wire::{Format, of_variant};
use crate::route::link_route::KeyRoute;
use crate::sys::frame::{Frame, as_inside, is_inside};
use crate::sys::unwind::catch;

/// A pool whose messages come as bytes, whatever their type.
pub(super) trait Served: Send + Sync {
    /// Takes a packet in. Never waits.
    fn deliver(self: Arc<Self>, packet: Packet<'_>, receipt: Box<dyn Receipt>, arrived: Inbound);
    /// Takes a pack in: see `pack.rs`. Never waits.
    fn deliver_pack(self: Arc<Self>, pack: &Pack<'_>, receipt: &dyn PackReceipt, arrived: Inbound);
    fn message(&self) -> TypeId;
    fn partitions(&self) -> Option<&Partitions>;
}

/// Larger packets take their time to decode.
const LARGE: usize = 16 * 1_024;

pub(super) struct ServedPool<M: RemoteMessage> {
    pub(super) pool: Client<M>,
    /// The same, which never waits for room.
    pub(super) pool_at_once: Client<M>,
    /// The partitions that are served; `None` if the pool is served whole.
    pub(super) partitions: Option<Partitions>,
    /// For packets from outside.
    pub(super) feeder: Feeder,
    /// The feeder of the end, for packets from handlers.
    pub(super) inside_feeder: Feeder,
}

impl<M: RemoteMessage> Served for ServedPool<M> {
    fn deliver(self: Arc<Self>, packet: Packet<'_>, mut receipt: Box<dyn Receipt>, arrived: Inbound) {
        let feeder = self.feeder_of(packet.inside);
        if self.takes_at_once(packet.bytes.len(), packet.inside) && feeder.is_idle() {
            // A panic is that of a drop of the user's.
            drop(catch(|| self.feed(&self.pool_at_once, packet, receipt, &arrived)));
        } else {
            let (feeder, packet) = (feeder.clone(), packet.into_owned());
            receipt.waits();
            feeder.give(move || self.feed(&self.pool, packet, receipt, &arrived));
        }
    }

    fn deliver_pack(self: Arc<Self>, pack: &Pack<'_>, receipt: &dyn PackReceipt, arrived: Inbound) {
        self.take_pack_in(pack, receipt, arrived);
    }

    fn message(&self) -> TypeId {
        TypeId::of::<M>()
    }

    fn partitions(&self) -> Option<&Partitions> {
        self.partitions.as_ref()
    }
}

impl<M: RemoteMessage> ServedPool<M> {
    /// Whether a packet can go into its mailbox on this thread: it neither waits for room there nor takes long. On an
    /// actor thread it would be sent as if by a handler, past every `mailbox_bound`; in a hook it would be that hook's,
    /// so nobody would be told of its loss, and its reply could not be polled; in a waker those that it wakes could
    /// deliver in turn, one inside the other.
    pub(super) fn takes_at_once(&self, bytes: usize, inside: bool) -> bool {
        let is_own_code = !is_inside() && !Frame::current().is_user_code();
        is_own_code && bytes <= LARGE && (inside || !self.pool.is_bounded())
    }

    pub(super) fn feeder_of(&self, inside: bool) -> &Feeder {
        if inside { &self.inside_feeder } else { &self.feeder }
    }

    fn feed(&self, pool: &Client<M>, packet: Packet<'_>, receipt: Box<dyn Receipt>, arrived: &Inbound) {
        tell(self.take_in(pool, packet), receipt, arrived);
    }

    pub(super) fn read(bytes: &[u8], format: Format) -> Result<M, Answer> {
        M::__decode(bytes, format).map_err(|text| Answer::Unfit(of_variant(bytes, format, text)))
    }

    /// Puts a packet's message into a mailbox, and gives the reply that is to come.
    fn take_in(&self, pool: &Client<M>, packet: Packet<'_>) -> Result<Option<Reply>, Answer> {
        let Packet { bytes, format, call, inside, route, key } = packet;
        let message = Self::read(&bytes, format)?;
        let bound = |bytes: Arc<[u8]>| Ok((M::__bound_key(&bytes)?, bytes));
        let key = key.map(bound).transpose().map_err(|text| Answer::Unfit(of_bound_key(text)))?;
        self.check(&message, route, key.as_ref().map(|(key, _)| key.partition))?;
        let bound_pool = key.map(|(key, bytes)| pool.bound_to_key(KeyRoute::new(key.instance, Ok(bytes))));
        let pool = bound_pool.as_ref().unwrap_or(pool);
        match call {
            Some(_) if route == Route::Copy => {
                let reached = self.broadcast(message, &bytes, format, inside)?;
                reached::reply(reached, format).map(Some)
            }
            Some(header) if !(header.or_send && is_sent(&message)) => {
                request(pool, message, inside, &header, format).map(Some)
            }
            _ if route == Route::Copy => self.broadcast(message, &bytes, format, inside).map(|_| None),
            _ => send(pool, message, inside).map(|()| None),
        }
    }

    /// Refuses a message with a key whose partition is not served here: another process has its state. `bound`: the hash
    /// of the key that its client is bound to.
    pub(super) fn check(&self, message: &M, route: Route, bound: Option<u64>) -> Result<(), Answer> {
        let unfit = |text: &str| Err(Answer::Unfit(text.into()));
        let own = || bound.or_else(|| message.__key_hash());
        match (&self.partitions, route) {
            (None, Route::Turn | Route::Copy) | (Some(_), Route::Copy) => Ok(()),
            (None, Route::Key(_)) => Err(Answer::Unreachable),
            (Some(_), Route::Turn) if own().is_none() => Ok(()),
            (Some(served), Route::Turn) => {
                let of = served.of;
                unfit(&format!(
                    "it has a key, and its pool is served by partitions: attach that with `attach_partitions` and {of}"
                ))
            }
            (Some(served), Route::Key(to)) if !served.contain(to) => Err(Answer::Unreachable),
            (Some(_), Route::Key(to)) => match own().map(|hash| Partition::of_hash(hash, to.of)) {
                Some(own) if own == to => Ok(()),
                _ if bound.is_some() => unfit(
                    "the two sides take another type for its key, or its client is bound to a borrowed form of the key \
                     that is written in another way: bind it to the key itself",
                ),
                _ => unfit("the two sides take another field for its key, or another type"),
            },
        }
    }

    /// Gives each instance a copy, which is decoded for it: messages need not be `Clone`. Returns how many have one.
    fn broadcast(&self, message: M, bytes: &[u8], format: Format, inside: bool) -> Result<usize, Answer> {
        let mut first = Some(message);
        let mut copy = |_| match first.take().map_or_else(|| M::__decode(bytes, format), Ok) {
            Ok(copy) => copy,
            // It could be decoded just before. All copies are made before one is sent, so nobody has one then.
            Err(text) => panic!("{text}"),
        };
        let mut broadcast = || self.pool.broadcast_with(&mut copy);
        match catch(|| if inside { as_inside(broadcast) } else { broadcast() }) {
            Ok(reached) => reached.map_err(Answer::from),
            Err(text) => Err(Answer::Unfit(text)),
        }
    }
}

/// Step 4, and 5 of a call.
pub(super) fn tell(outcome: Result<Option<Reply>, Answer>, mut receipt: Box<dyn Receipt>, arrived: &Inbound) {
    match outcome {
        Err(answer) => receipt.answer(answer),
        Ok(reply) => {
            let answering = arrived.taken(reply.is_some());
            receipt.taken();
            if let Some(reply) = reply {
                answer_when_there(reply, receipt, answering);
            }
        }
    }
}

pub(super) fn send<M: RemoteMessage>(pool: &Client<M>, message: M, inside: bool) -> Result<(), Answer> {
    let sent = if inside { as_inside(|| pool.send(message)) } else { pool.send(message) };
    sent.map_err(|refused: SendError<M>| match refused {
        SendError::Full(_) => Answer::Full,
        SendError::NotRegistered(_) | SendError::Stopped(_) => Answer::Unreachable,
    })
}

fn request<M: RemoteMessage>(
    pool: &Client<M>,
    message: M,
    inside: bool,
    header: &CallHeader,
    format: Format,
) -> Result<Reply, Answer> {
    let pool = match header.until {
        Some(until) => pool.clone().with_limit(Limit::Until(until)),
        None => pool.clone(),
    };
    let variant = message.variant();
    match message.__serve(&Called { pool: &pool, inside, depth: header.depth, format, queued: header.queued }) {
        Some(Answering(called)) => called,
        None => Err(Answer::Unfit(format!("`{variant}` has no reply on the other side").into())),
    }
}

/// Whether the message is of a variant without a reply.
fn is_sent<M: RemoteMessage>(message: &M) -> bool {
    let name = message.variant();
    M::DEFINITION.variants().any(|variant| variant.name() == name && variant.reply().is_none())
}
