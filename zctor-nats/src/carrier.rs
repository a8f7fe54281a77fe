//! The way out of the engine: what a link sends becomes a command to the connection.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Subject;
use tokio::sync::mpsc::UnboundedSender;
use zctor::now;
use zctor::remote::transport::{Answer, Carrier, Packet, Receipt, Route};

use crate::connection::{Command, Outbound};
use crate::state::State;
use crate::wire;

pub(crate) struct NatsCarrier {
    pub(crate) namespace: String,
    /// The subject of the messages that go in turn: most do.
    pub(crate) turn: Subject,
    pub(crate) commands: UnboundedSender<Command>,
    pub(crate) state: Arc<State>,
    /// Whether sends may take more room than that of their link, which is that of a link by itself.
    pub(crate) lends: bool,
    /// The deadline of calls that have none.
    pub(crate) deadline: Duration,
}

impl Carrier for NatsCarrier {
    fn carry(&self, name: &'static str, packet: Packet<'static>, receipt: Box<dyn Receipt>) {
        let Packet { bytes, call, inside, route, key, .. } = packet;
        let bytes = bytes.into_owned();
        let subject = match route {
            Route::Turn => self.turn.clone(),
            _ => wire::subject(&self.namespace, name, route).into(),
        };
        let call = call.map(|header| (header.until.unwrap_or_else(|| now() + self.deadline), header.depth));
        // Of those that no bound holds back each waits no longer than the bridge has waited already. In the queue of the
        // bridge it would wait for what a bound does hold back.
        let is_held_back = call.is_none() && !inside;
        if !is_held_back && self.state.refuses() {
            return receipt.answer(Answer::Unreachable);
        }
        let held = if is_held_back { self.state.hold() } else { None };
        let lends = self.lends && is_held_back;
        let packet = Outbound { subject, bytes, inside, call, key, held, lends, receipt };
        // If the bridge is closed, the receipt is dropped, which says that nobody serves the pool.
        drop(self.commands.send(Command::Packet(packet)));
    }
}
