//! The packets that have arrived, and whose senders do not know that yet.
//!
//! 1. A packet is noted when it has to wait, for room perhaps. Meanwhile its sender is told so now and then.
//! 2. A send that is in a mailbox is acknowledged, and no longer noted.
//! 3. A call that is in a mailbox is noted, and not acknowledged at once: most replies come soon, and say more. Until
//!    either comes, the call keeps its permit at its sender. So it is acknowledged at the second look that finds it
//!    unanswered, of which there is one each [`PAUSE`]; or with all others as soon as there are [`MOST`].
//! 4. A packet that is answered is no longer noted.
//!
//! An acknowledgement and an answer that cross each other do no harm: the sender forgets a packet that is answered, and
//! takes no notice of a number that it does not know.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

use crate::connection::Command;
use crate::wire::{self, Origin};

/// Between two looks at the calls that are not answered.
const PAUSE: Duration = Duration::from_millis(5);
/// How many calls may be in mailboxes, neither answered nor acknowledged. Links have room for 1,024 messages by
/// themselves.
const MOST: usize = 64;

/// The packets.
#[derive(Default)]
pub(crate) struct Arrivals {
    packets: Mutex<Packets>,
    begun: Notify,
    has_calls: Notify,
}

#[derive(Default)]
struct Packets {
    /// The packets that wait for room. There may be very many, so the looks at the calls leave them alone.
    waiting: HashSet<Origin>,
    /// The calls in mailboxes, less than [`MOST`], and whether one look has found them there.
    calls: HashMap<Origin, bool>,
}

impl Arrivals {
    fn lock(&self) -> MutexGuard<'_, Packets> {
        self.packets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Step 1.
    pub(crate) fn note(&self, origin: Origin) {
        self.lock().waiting.insert(origin);
        self.begun.notify_one();
    }

    /// Step 3: a call is in a mailbox. Gives the calls that are to be acknowledged now.
    pub(crate) fn take_call(&self, origin: Origin) -> Vec<Origin> {
        let mut packets = self.lock();
        packets.waiting.remove(&origin);
        packets.calls.insert(origin, false);
        match packets.calls.len() {
            1 => self.has_calls.notify_one(),
            MOST.. => return packets.calls.drain().map(|(origin, _)| origin).collect(),
            _ => {}
        }
        Vec::new()
    }

    /// Steps 2 and 4.
    pub(crate) fn forget(&self, origin: &Origin) {
        let mut packets = self.lock();
        if !packets.waiting.remove(origin) {
            packets.calls.remove(origin);
        }
    }

    /// All calls in mailboxes that are not answered, which are to be acknowledged now.
    pub(crate) fn unanswered(&self) -> Vec<Origin> {
        self.lock().calls.drain().map(|(origin, _)| origin).collect()
    }

    /// Acknowledges calls that are not answered soon.
    pub(crate) async fn acknowledge(&self, commands: &UnboundedSender<Command>) {
        loop {
            if self.lock().calls.is_empty() {
                self.has_calls.notified().await;
            }
            tokio::time::sleep(PAUSE).await;
            for to in self.look() {
                drop(commands.send(Command::Ack { to, packets: 1 }));
            }
        }
    }

    fn look(&self) -> Vec<Origin> {
        let mut packets = self.lock();
        let due = packets.calls.extract_if(|_, seen| std::mem::replace(seen, true));
        due.map(|(origin, _)| origin).collect()
    }

    /// Tells the senders of what waits for room, each `interval`, while anything does. `most`: the bytes of a payload.
    pub(crate) async fn tell(&self, commands: &UnboundedSender<Command>, interval: Duration, most: impl Fn() -> usize) {
        loop {
            if self.lock().waiting.is_empty() {
                self.begun.notified().await;
            }
            tokio::time::sleep(interval).await;
            for (inbox, numbers) in self.waiting() {
                for payload in wire::numbers(&numbers, most()) {
                    drop(commands.send(Command::Publish { subject: format!("{inbox}.h"), payload }));
                }
            }
        }
    }

    /// The numbers of the packets that wait for room, by the inboxes of their senders.
    fn waiting(&self) -> HashMap<Arc<str>, Vec<u64>> {
        let mut waiting: HashMap<Arc<str>, Vec<u64>> = HashMap::new();
        for Origin { inbox, number } in &self.lock().waiting {
            waiting.entry(Arc::clone(inbox)).or_default().push(*number);
        }
        waiting
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn packet(number: u64) -> Origin {
        Origin { inbox: "inbox".into(), number }
    }

    /// Issue #17.
    #[test]
    fn senders_are_told_of_many_packets_in_payloads_that_the_server_takes() {
        const MANY: u64 = 200_000;
        const MOST_BYTES: usize = 4_096;
        let (commands, mut orders) = tokio::sync::mpsc::unbounded_channel();
        let arrived = Arrivals::default();
        (0..MANY).for_each(|number| arrived.note(packet(number)));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let told = runtime.block_on(async {
            tokio::spawn(async move { arrived.tell(&commands, Duration::from_millis(1), || MOST_BYTES).await });
            let mut told = BTreeSet::new();
            while told.len() < MANY as usize {
                let Some(Command::Publish { payload, .. }) = orders.recv().await else { panic!("a publication") };
                assert!(payload.len() <= MOST_BYTES, "{}", payload.len());
                told.extend(wire::read_numbers(&payload));
            }
            told
        });
        assert!(told.into_iter().eq(0..MANY));
    }

    #[test]
    fn a_call_is_acknowledged_if_no_answer_comes_soon() {
        let arrived = Arrivals::default();
        for number in 1..3 {
            arrived.note(packet(number));
        }
        // One had to wait before, the other had not.
        assert!(arrived.take_call(packet(0)).is_empty() && arrived.take_call(packet(1)).is_empty());
        assert!(arrived.look().is_empty(), "their answers may be on their way");
        arrived.forget(&packet(0));
        assert_eq!(arrived.look(), [packet(1)]);
        assert_eq!(arrived.waiting(), HashMap::from([("inbox".into(), vec![2])]));
        assert!(arrived.look().is_empty(), "each is acknowledged once");
        arrived.forget(&packet(1));
        arrived.forget(&packet(2));
        assert!(arrived.lock().waiting.is_empty() && arrived.lock().calls.is_empty());
    }

    #[test]
    fn many_calls_are_acknowledged_at_once() {
        let arrived = Arrivals::default();
        let mut due = Vec::new();
        for number in 0..MOST as u64 {
            assert!(due.is_empty());
            due = arrived.take_call(packet(number));
        }
        assert_eq!(due.len(), MOST);
        assert!(arrived.unanswered().is_empty(), "each is acknowledged once");
        // An answer to one that was acknowledged changes nothing.
        arrived.forget(&packet(7));
        assert!(arrived.take_call(packet(MOST as u64)).is_empty());
        assert_eq!(arrived.unanswered(), [packet(MOST as u64)]);
    }

    /// Issue #17: a number that came twice was counted twice, and the looks had no end.
    #[test]
    fn a_call_whose_number_comes_twice_is_one() {
        let arrived = Arrivals::default();
        arrived.note(packet(1));
        for _ in 0..2 {
            assert!(arrived.take_call(packet(1)).is_empty());
        }
        arrived.forget(&packet(1));
        let packets = arrived.lock();
        assert!(packets.waiting.is_empty() && packets.calls.is_empty());
    }
}
