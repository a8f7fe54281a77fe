//! The way in: what arrives for a pool that is served, and what its sender is told of it.

use std::sync::Arc;
use std::time::Instant;

use async_nats::Message;
use tokio::sync::mpsc::UnboundedSender;
use zctor::now;
use zctor::remote::transport::{Answer, End, Format, Packet, Receipt, Route};

use crate::arrived::Arrived;
use crate::connection::Command;
use crate::foreign;
use crate::service::Endpoint;
use crate::wire::{self, Origin};

/// What takes the messages of one subscription in.
pub(crate) struct Desk {
    pub(crate) route: Route,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) end: Arc<End>,
    pub(crate) arrived: Arc<Arrived>,
    pub(crate) commands: UnboundedSender<Command>,
}

impl Desk {
    /// Takes a message in.
    pub(crate) fn take_in(self: &Arc<Self>, message: Message) {
        let Some((origin, terms)) = message.reply.as_ref().and_then(|reply| wire::read_reply(reply, now)) else {
            return foreign::deliver(message, self.route, &self.endpoint, &self.end, &self.commands);
        };
        self.endpoint.arrived();
        let since = terms.as_ref().and_then(|(_, call)| call.as_ref()).map(|_| now());
        let receipt = Box::new(Sender { origin, desk: Arc::clone(self), since, is_noted: false, is_answered: false });
        match terms {
            Some((inside, call)) => {
                let bytes = message.payload.to_vec();
                let packet = Packet { bytes, format: Format::MessagePack, call, inside, route: self.route };
                self.end.deliver(self.endpoint.pool, packet, receipt);
            }
            None => receipt.answer(Answer::Unfit("its terms cannot be read on the other side".into())),
        }
    }
}

/// The sender of a packet that has arrived.
struct Sender {
    origin: Origin,
    desk: Arc<Desk>,
    /// When a call has arrived.
    since: Option<Instant>,
    /// Whether it is among those that have arrived and of which their senders do not know it yet.
    is_noted: bool,
    is_answered: bool,
}

impl Sender {
    fn forget(&mut self) {
        if std::mem::take(&mut self.is_noted) {
            self.desk.arrived.forget(&self.origin);
        }
    }

    fn publish(&mut self, answer: Answer) {
        self.is_answered = true;
        self.forget();
        self.desk.endpoint.answered(&answer);
        if let Some(since) = self.since {
            self.desk.endpoint.took(now().saturating_duration_since(since));
        }
        drop(self.desk.commands.send(Command::Answer { to: self.origin.clone(), answer }));
    }
}

impl Receipt for Sender {
    fn waits(&mut self) {
        self.is_noted = true;
        self.desk.arrived.note(self.origin.clone());
    }

    fn taken(&mut self) {
        self.is_answered = true;
        if self.since.is_some() {
            self.is_noted = true;
            for to in self.desk.arrived.take_call(self.origin.clone()) {
                drop(self.desk.commands.send(Command::Ack { to }));
            }
        } else {
            self.forget();
            drop(self.desk.commands.send(Command::Ack { to: self.origin.clone() }));
        }
    }

    fn answer(mut self: Box<Self>, answer: Answer) {
        self.publish(answer);
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        // A pool that was served before, and is no more.
        if !self.is_answered {
            self.publish(Answer::Unreachable);
        }
    }
}
