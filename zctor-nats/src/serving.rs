//! The way in: what arrives for a pool that is served, and what its sender is told of it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_nats::Message;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;
use zctor::now;
use zctor::remote::transport::{Answer, End, Format, Packet, Receipt, Route};

use crate::connection::Command;
use crate::foreign;
use crate::service::Endpoint;
use crate::wire;

/// How many numbers one payload has at most: 32 KiB of them, and servers take 1 MB if nobody has set less.
const MOST_NUMBERS: usize = 4_096;

/// The packets that have arrived and are in no mailbox yet: they wait for room. Their senders are told so now and then.
#[derive(Default)]
pub(crate) struct Held {
    /// By the inboxes of their senders.
    numbers: Mutex<HashMap<String, HashSet<u64>>>,
    begun: Notify,
}

impl Held {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, HashSet<u64>>> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, inbox: &str, number: u64) {
        self.lock().entry(inbox.to_owned()).or_default().insert(number);
        self.begun.notify_one();
    }

    fn remove(&self, inbox: &str, number: u64) {
        let mut all = self.lock();
        if let Some(numbers) = all.get_mut(inbox) {
            numbers.remove(&number);
            if numbers.is_empty() {
                all.remove(inbox);
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Tells the senders, each `interval`, while there are any.
    pub(crate) async fn tell(&self, commands: &UnboundedSender<Command>, interval: Duration) {
        loop {
            if self.is_empty() {
                self.begun.notified().await;
            }
            tokio::time::sleep(interval).await;
            let held: Vec<(String, Vec<u64>)> =
                self.lock().iter().map(|(inbox, numbers)| (inbox.clone(), numbers.iter().copied().collect())).collect();
            for (inbox, numbers) in held {
                for numbers in numbers.chunks(MOST_NUMBERS) {
                    let payload = wire::numbers(numbers);
                    drop(commands.send(Command::Publish { subject: format!("{inbox}.h"), payload }));
                }
            }
        }
    }
}

/// Takes in what arrives for a pool, by one subscription.
pub(crate) fn take_in(
    route: Route,
    endpoint: Arc<Endpoint>,
    end: Arc<End>,
    held: Arc<Held>,
    commands: UnboundedSender<Command>,
) -> impl FnMut(Message) + Send + 'static {
    move |message| {
        let Some(sender) = Sender::of(&message, &endpoint, &held, &commands) else {
            return foreign::deliver(message, route, &endpoint, &end, &commands);
        };
        let header = message.headers.as_ref().and_then(|headers| headers.get(wire::HEADER));
        let read = header.map_or(Some((false, None)), |header| wire::read_header(header.as_str(), now()));
        let mut receipt = Box::new(sender);
        match read {
            Some((inside, call)) => {
                receipt.arrived = call.is_some().then(now);
                let bytes = message.payload.to_vec();
                let packet = Packet { bytes, format: Format::MessagePack, call, inside, route };
                end.deliver(endpoint.pool, packet, receipt);
            }
            None => receipt.answer(Answer::Unfit("its header cannot be read on the other side".into())),
        }
    }
}

/// The sender of a packet that has arrived.
struct Sender {
    /// The prefix of the subjects that it listens to.
    inbox: String,
    number: u64,
    endpoint: Arc<Endpoint>,
    /// When a call has arrived.
    arrived: Option<Instant>,
    held: Arc<Held>,
    commands: UnboundedSender<Command>,
    is_answered: bool,
}

impl Sender {
    /// `None` for a message that is none of a bridge's.
    fn of(
        message: &Message,
        endpoint: &Arc<Endpoint>,
        held: &Arc<Held>,
        commands: &UnboundedSender<Command>,
    ) -> Option<Self> {
        let (inbox, number) = message.reply.as_ref()?.as_str().rsplit_once(".r.")?;
        let (inbox, number) = (inbox.to_owned(), number.parse().ok()?);
        held.add(&inbox, number);
        endpoint.arrived();
        let (endpoint, held, commands) = (Arc::clone(endpoint), Arc::clone(held), commands.clone());
        Some(Self { inbox, number, endpoint, arrived: None, held, commands, is_answered: false })
    }

    fn publish(&mut self, answer: Answer) {
        self.is_answered = true;
        self.held.remove(&self.inbox, self.number);
        self.endpoint.answered(&answer);
        if let Some(arrived) = self.arrived {
            self.endpoint.took(now().saturating_duration_since(arrived));
        }
        let subject = format!("{}.r.{}", self.inbox, self.number);
        drop(self.commands.send(Command::Answer { subject, answer }));
    }
}

impl Receipt for Sender {
    fn taken(&mut self) {
        self.is_answered = true;
        self.held.remove(&self.inbox, self.number);
        drop(self.commands.send(Command::Ack { inbox: self.inbox.clone(), number: self.number }));
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Issue #17.
    #[test]
    fn senders_are_told_of_many_packets_in_payloads_that_the_server_takes() {
        const MANY: u64 = 200_000;
        let (commands, mut orders) = tokio::sync::mpsc::unbounded_channel();
        let held = Held::default();
        (0..MANY).for_each(|number| held.add("inbox", number));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let told = runtime.block_on(async {
            tokio::spawn(async move { held.tell(&commands, Duration::from_millis(1)).await });
            let mut told = BTreeSet::new();
            while told.len() < MANY as usize {
                let Some(Command::Publish { payload, .. }) = orders.recv().await else { panic!("a publication") };
                assert!(payload.len() <= 32 * 1_024, "{}", payload.len());
                told.extend(wire::read_numbers(&payload));
            }
            told
        });
        assert!(told.into_iter().eq(0..MANY));
    }
}
