//! Messages of programs that are no bridge, by the subjects of the pools: JSON or MessagePack, and the reply alike.

use std::sync::Arc;
use std::time::Instant;

use async_nats::{HeaderMap, Message, Subject};
use tokio::sync::mpsc::UnboundedSender;
use zctor::now;
use zctor::remote::transport::{Answer, CallHeader, End, Format, Packet, Receipt, Route};

use crate::connection::Command;
use crate::service::Endpoint;
use crate::wire;

/// By these headers services tell of an error, and the tools for services show them.
const ERROR: &str = "Nats-Service-Error";
const ERROR_CODE: &str = "Nats-Service-Error-Code";

/// Takes a message in. If it has a reply subject it is a call, or a send whose sender wants to know that it is in a
/// mailbox.
pub(crate) fn deliver(
    message: Message,
    route: Route,
    endpoint: &Arc<Endpoint>,
    end: &End,
    commands: &UnboundedSender<Command>,
) {
    let (bytes, reply) = (&*message.payload, message.reply.map(Subject::into_string));
    // By empty messages a bridge finds out whether it may publish and who serves a partition, and one that leaves ends its
    // subscriptions. Any other program that sends one is told.
    if bytes.is_empty() {
        if let Some(subject) = reply {
            drop(commands.send(Command::Respond { subject, answer: Answer::Unfit("it is empty".into()) }));
        }
        return;
    }
    // An enum in MessagePack is a map or a text, and begins with a byte that JSON never begins with.
    let format = if bytes.first().is_some_and(|first| *first >= 0x80) { Format::MessagePack } else { Format::Json };
    let arrived = now();
    let until = Some(arrived + endpoint.deadline);
    // No handler waits for it, so no depth is too great.
    let call = (reply.is_some() && route != Route::Copy).then_some(CallHeader {
        until,
        depth: u32::MAX,
        or_send: true,
        queued: false,
    });
    endpoint.arrived(1);
    if !endpoint.wait() {
        endpoint.answered(&Answer::Full);
        if let Some(subject) = reply {
            drop(commands.send(Command::Respond { subject, answer: Answer::Full }));
        }
        return;
    }
    let (endpoint_of, commands) = (Arc::clone(endpoint), commands.clone());
    let requester = Requester { reply, endpoint: endpoint_of, arrived, commands, is_taken: false, is_answered: false };
    let packet = Packet { bytes: bytes.into(), format, call, inside: false, route, key: None };
    end.deliver(endpoint.pool, packet, Box::new(requester));
}

/// The program that has sent such a message.
struct Requester {
    reply: Option<String>,
    endpoint: Arc<Endpoint>,
    arrived: Instant,
    commands: UnboundedSender<Command>,
    is_taken: bool,
    is_answered: bool,
}

impl Requester {
    fn tell(&mut self, answer: Answer) {
        self.is_answered = true;
        if !self.is_taken {
            self.endpoint.wait_no_more();
        }
        self.endpoint.answered(&answer);
        if let Some(subject) = self.reply.take() {
            drop(self.commands.send(Command::Respond { subject, answer }));
        }
    }
}

impl Receipt for Requester {
    fn taken(&mut self) {
        if !self.is_taken {
            self.endpoint.wait_no_more();
        }
        self.is_taken = true;
    }

    fn answer(mut self: Box<Self>, answer: Answer) {
        self.endpoint.took(now().saturating_duration_since(self.arrived));
        self.tell(answer);
    }
}

impl Drop for Requester {
    fn drop(&mut self) {
        if !self.is_answered {
            // Of a send that is in a mailbox nothing more is told, and nothing of one for a pool that is served no more.
            self.tell(if self.is_taken { Answer::Reply(Vec::new()) } else { Answer::Unreachable });
        }
    }
}

/// The response to such a program: the reply, or nothing and the headers of an error.
pub(crate) fn response(answer: Answer) -> (Vec<u8>, Option<HeaderMap>) {
    let error = wire::service_error(&answer).map(|(code, text)| {
        let mut headers = HeaderMap::new();
        headers.insert(ERROR_CODE, code.to_string());
        headers.insert(ERROR, &*text);
        headers
    });
    match answer {
        Answer::Reply(bytes) => (bytes, None),
        _ => (Vec::new(), error),
    }
}
