//! The link. It stands in the place of a pool's instance, and sends the pool's messages to the other side as bytes.
//!
//! It tells messages from outside and messages of handlers apart: the former hold a permit of the link's mailbox, which
//! is always bounded.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Instant;

use crate::event::{DeadLetter, Undelivered};
use crate::id::InstanceId;
use crate::remote::ledger::Ledger;
use crate::remote::message::{RemoteMessage, RemotePort};
use crate::remote::packet::{Answer, CallHeader, Carrier, Packet, Receipt};
use crate::remote::partition::{Partition, Route, hash};
use crate::remote::under_way::{Sender, Sent, UnderWay};
use crate::remote::wire::Format;
use crate::route::link_route::{BoundKey, LinkRoute};
use crate::route::linked::{How, Outlet};
use crate::sys::unwind::ignoring_panic;

/// The format of links.
const FORMAT: Format = Format::MessagePack;

pub(super) struct Link<M> {
    pub(super) ledger: Arc<Ledger>,
    pub(super) carrier: Arc<dyn Carrier>,
    /// Into how many partitions the keys are divided; `None` if the pool is served whole.
    pub(super) partitions: Option<u32>,
    /// The instance whose state this is.
    pub(super) instance: InstanceId,
    pub(super) of: PhantomData<fn(M)>,
}

impl<M: RemoteMessage> Outlet<M> for Link<M> {
    fn send(&self, message: M, how: How) {
        let How { permit, route, from_hook } = how;
        let inside = !permit.is_held();
        let (instance, why) = (self.instance, Undelivered::Unreachable);
        let packet = DeadLetter { message: M::name(), variant: message.variant(), instance, why };
        let sender = Sender::Send(Sent { packet, from_hook });
        let entry = UnderWay::new(&self.ledger, sender, permit);
        self.carry(message, entry, route, inside, None);
    }

    fn call(&self, message: M, port: M::Port, how: How, until: Option<Instant>) {
        let inside = !how.permit.is_held();
        let answer = Box::new(|outcome| port.__answered(M::name(), outcome));
        let entry = UnderWay::new(&self.ledger, Sender::Call { message: M::name(), answer }, how.permit);
        let call = Some(CallHeader { until, depth: message.__depth(), or_send: false, queued: false });
        self.carry(message, entry, how.route, inside, call);
    }
}

impl<M: RemoteMessage> Link<M> {
    /// To which instances a message goes. `key`: that which its client is bound to.
    fn route(&self, message: &M, key: Option<&[u8]>) -> Route {
        let key_hash = || key.map(hash).or_else(|| message.__key_hash());
        let partition = self.partitions.and_then(|of| Some(Partition::of_hash(key_hash()?, of)));
        partition.map_or(Route::Turn, Route::Key)
    }

    fn carry(
        &self,
        message: M,
        entry: Box<UnderWay>,
        stated: Option<Arc<LinkRoute>>,
        inside: bool,
        call: Option<CallHeader>,
    ) {
        let packet = || {
            let (bytes, key) = (message.__encode(FORMAT)?, bound_key(stated.as_deref())?);
            let is_copy = matches!(stated.as_deref(), Some(LinkRoute::Copy));
            let route = if is_copy { Route::Copy } else { self.route(&message, key.as_deref()) };
            Ok(Packet { bytes: bytes.into(), format: FORMAT, call, inside, route, key })
        };
        match packet() {
            Ok(packet) => {
                // Of a call the reply is waited for. A copy is for every instance, and what a queue keeps is for one.
                if packet.call.is_none() && packet.route != Route::Copy && message.__is_durable() {
                    self.carrier.store(M::WIRE, packet, entry);
                } else {
                    self.carrier.carry(M::WIRE, packet, entry);
                }
            }
            Err(text) => entry.answer(Answer::Unfit(text)),
        }
        // Past the link's thread, a panic of the drop of a message would come out of its sender's call.
        ignoring_panic(|| drop(message));
    }
}

/// The key that the client of a message is bound to, as it travels, or why it does not.
fn bound_key(stated: Option<&LinkRoute>) -> Result<Option<Arc<[u8]>>, Arc<str>> {
    match stated {
        Some(LinkRoute::Key(BoundKey { bytes, .. })) => bytes.clone().map(Some),
        _ => Ok(None),
    }
}
