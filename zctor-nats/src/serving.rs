//! The way in: what arrives for a pool that is served, and what its sender is told of it.

use std::sync::Arc;
use std::time::Instant;

use async_nats::Message;
use tokio::sync::mpsc::UnboundedSender;
use zctor::now;
use zctor::remote::transport::{Answer, CallHeader, End, Format, Pack, PackReceipt, Packet, Receipt, Route};

use crate::arrivals::Arrivals;
use crate::connection::Command;
use crate::foreign;
use crate::service::Endpoint;
use crate::wire::{self, Origin, PacketHeader};

/// Takes in the messages of one subscription.
pub(crate) struct Desk {
    pub(crate) route: Route,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) end: Arc<End>,
    pub(crate) arrived: Arc<Arrivals>,
    pub(crate) commands: UnboundedSender<Command>,
}

impl Desk {
    /// Takes a message in.
    pub(crate) fn take_in(self: &Arc<Self>, message: Message) {
        let Some((origin, header)) = message.reply.as_ref().and_then(|reply| wire::read_reply(reply, now)) else {
            return foreign::deliver(message, self.route, &self.endpoint, &self.end, &self.commands);
        };
        match header {
            Some(PacketHeader { inside, call, pack: None, key }) => {
                let Some((key, bytes)) = wire::split_key(&message.payload, key) else {
                    return self.refuse(origin, "its key is longer than its payload");
                };
                self.deliver(origin, bytes, inside, call, key.map(Arc::from));
            }
            // A sender that waits for a packet which is not there hears of it when its time is up.
            Some(PacketHeader { inside, call, pack: Some(packets), .. }) => {
                let packets = wire::read_pack(&message.payload).take(usize::try_from(packets).unwrap_or(usize::MAX));
                if call.is_none() {
                    return self.deliver_sends(origin, packets.collect(), inside);
                }
                for (number, bytes) in (origin.number..=u64::MAX).zip(packets) {
                    let origin = Origin { inbox: Arc::clone(&origin.inbox), number };
                    self.deliver(origin, bytes, inside, call.clone(), None);
                }
            }
            None => self.refuse(origin, "its header cannot be read on the other side"),
        }
    }

    fn refuse(self: &Arc<Self>, origin: Origin, text: &str) {
        self.endpoint.arrived(1);
        Box::new(PacketSender::new(self, origin, None)).answer(Answer::Unfit(text.into()));
    }

    fn deliver(
        self: &Arc<Self>,
        origin: Origin,
        bytes: &[u8],
        inside: bool,
        call: Option<CallHeader>,
        key: Option<Arc<[u8]>>,
    ) {
        self.endpoint.arrived(1);
        let receipt = Box::new(PacketSender::new(self, origin, call.as_ref().map(|_| now())));
        let packet = Packet { bytes: bytes.into(), format: Format::MessagePack, call, inside, route: self.route, key };
        self.end.deliver(self.endpoint.pool, packet, receipt);
    }

    fn deliver_sends(self: &Arc<Self>, first: Origin, messages: Vec<&[u8]>, inside: bool) {
        let packets = messages.len();
        self.endpoint.arrived(packets);
        let pack = Pack { messages, inside, route: self.route };
        self.end.deliver_pack(self.endpoint.pool, &pack, &PackSender { first, packets, desk: self });
    }
}

/// The sender of a pack of sends that has arrived.
struct PackSender<'a> {
    first: Origin,
    packets: usize,
    desk: &'a Arc<Desk>,
}

impl PackReceipt for PackSender<'_> {
    fn of(&self, place: usize) -> Box<dyn Receipt> {
        let Origin { inbox, number } = &self.first;
        let origin = Origin { inbox: Arc::clone(inbox), number: number.saturating_add(place as u64) };
        Box::new(PacketSender::new(self.desk, origin, None))
    }

    fn taken(&self) {
        drop(self.desk.commands.send(Command::Ack { to: self.first.clone(), packets: self.packets }));
    }
}

/// The sender of a packet that has arrived.
struct PacketSender {
    origin: Origin,
    desk: Arc<Desk>,
    /// When a call has arrived.
    since: Option<Instant>,
    /// Whether `arrived` has it: its sender does not know yet that it has arrived.
    is_noted: bool,
    /// Whether a call is in a mailbox.
    is_taken: bool,
    is_answered: bool,
}

impl PacketSender {
    fn new(desk: &Arc<Desk>, origin: Origin, since: Option<Instant>) -> Self {
        Self { origin, desk: Arc::clone(desk), since, is_noted: false, is_taken: false, is_answered: false }
    }

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

impl Receipt for PacketSender {
    fn waits(&mut self) {
        self.is_noted = true;
        self.desk.arrived.note(self.origin.clone());
    }

    fn taken(&mut self) {
        if self.since.is_some() {
            (self.is_taken, self.is_noted) = (true, true);
            for to in self.desk.arrived.take_call(self.origin.clone()) {
                drop(self.desk.commands.send(Command::Ack { to, packets: 1 }));
            }
        } else {
            self.is_answered = true;
            self.forget();
            drop(self.desk.commands.send(Command::Ack { to: self.origin.clone(), packets: 1 }));
        }
    }

    fn answer(mut self: Box<Self>, answer: Answer) {
        self.publish(answer);
    }
}

impl Drop for PacketSender {
    fn drop(&mut self) {
        if !self.is_answered {
            // The drop of the reply has panicked; or the pool was served before, and is no more.
            self.publish(if self.is_taken { Answer::NoReply } else { Answer::Unreachable });
        }
    }
}
