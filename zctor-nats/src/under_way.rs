//! The packets of one bridge that are under way: each is settled once, by an answer, or by the time that is up.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_nats::Subject;
use tokio::sync::Notify;
use zctor::now;
use zctor::remote::transport::{Answer, Receipt};

struct Unacknowledged {
    receipt: Box<dyn Receipt>,
    subject: Subject,
    is_call: bool,
    until: Instant,
}

/// The packets that the server has been given, by their numbers.
pub(crate) struct UnderWay {
    packets: Mutex<HashMap<u64, Unacknowledged>>,
    /// How long after it was last heard of a send counts as lost.
    ack_wait: Duration,
    /// There is a packet where there was none.
    begun: Notify,
}

impl UnderWay {
    pub(crate) fn new(ack_wait: Duration) -> Self {
        Self { packets: Mutex::default(), ack_wait, begun: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Unacknowledged>> {
        self.packets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a packet. `until` is the deadline of a call.
    pub(crate) fn add(&self, number: u64, receipt: Box<dyn Receipt>, subject: Subject, until: Option<Instant>) {
        let is_call = until.is_some();
        let until = until.unwrap_or_else(|| now() + self.ack_wait);
        self.lock().insert(number, Unacknowledged { receipt, subject, is_call, until });
        self.begun.notify_one();
    }

    /// These packets are in mailboxes.
    pub(crate) fn taken(&self, numbers: impl Iterator<Item = u64>) {
        // Out of the table meanwhile: what they tell runs code of others.
        let taken: Vec<(u64, Unacknowledged)> = {
            let mut packets = self.lock();
            numbers.filter_map(|number| Some((number, packets.remove(&number)?))).collect()
        };
        for (number, mut packet) in taken {
            packet.receipt.taken();
            if packet.is_call {
                self.lock().insert(number, packet);
            }
        }
    }

    /// These packets wait for room where they arrived.
    pub(crate) fn held(&self, numbers: impl Iterator<Item = u64>) {
        let until = now() + self.ack_wait;
        let mut packets = self.lock();
        for number in numbers {
            if let Some(packet) = packets.get_mut(&number).filter(|packet| !packet.is_call) {
                packet.until = until;
            }
        }
    }

    pub(crate) fn answer(&self, number: u64, answer: Answer) {
        let packet = self.lock().remove(&number);
        if let Some(packet) = packet {
            packet.receipt.answer(answer);
        }
    }

    /// The connection is gone: nobody will answer the calls that it carried. Sends may be acknowledged by the next one.
    pub(crate) fn lose_calls(&self) {
        self.settle(|packet| packet.is_call, |_| Answer::Lost);
    }

    /// The server does not permit what goes to this subject.
    pub(crate) fn refuse(&self, subject: &str, text: &Arc<str>) {
        self.settle(|packet| packet.subject.as_str() == subject, |_| Answer::Unfit(Arc::clone(text)));
    }

    /// Nothing that is under way can be answered any more.
    pub(crate) fn lose_all(&self) {
        self.settle(|_| true, |_| Answer::Lost);
    }

    fn settle(&self, which: impl Fn(&Unacknowledged) -> bool, answer: impl Fn(&Unacknowledged) -> Answer) {
        let settled: Vec<Unacknowledged> =
            self.lock().extract_if(|_, packet| which(packet)).map(|(_, packet)| packet).collect();
        for packet in settled {
            let answer = answer(&packet);
            packet.receipt.answer(answer);
        }
    }

    /// Settles the packets whose time is up, as long as the bridge lives. While none is under way it sleeps.
    pub(crate) async fn expire(&self) {
        loop {
            let next = self.lock().values().map(|packet| packet.until).min();
            match next {
                None => self.begun.notified().await,
                Some(next) => {
                    // Not at each packet's very end: the table is looked through each time.
                    let wait = next.saturating_duration_since(now()).max(Duration::from_millis(10));
                    tokio::time::sleep(wait.min(Duration::from_secs(1))).await;
                    let time = now();
                    self.settle(
                        |packet| packet.until <= time,
                        |packet| if packet.is_call { Answer::Timeout { begun: true } } else { Answer::Lost },
                    );
                }
            }
        }
    }
}

impl Drop for UnderWay {
    /// The thread of the bridge may have ended by a panic: nobody else would answer then.
    fn drop(&mut self) {
        self.lose_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    struct Tell(mpsc::Sender<Answer>);
    impl Receipt for Tell {
        fn taken(&mut self) {}
        fn answer(self: Box<Self>, answer: Answer) {
            self.0.send(answer).unwrap_or_default();
        }
    }

    /// A call that is given up leaves nothing. In the client's own requests it leaves an entry for good.
    #[test]
    fn calls_whose_time_is_up_leave_nothing() {
        const MANY: u64 = 10_000;
        let (tell, told) = mpsc::channel();
        let table = UnderWay::new(Duration::from_secs(1));
        for number in 0..MANY {
            table.add(number, Box::new(Tell(tell.clone())), "a".into(), Some(now()));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let expire = tokio::time::timeout(Duration::from_millis(100), table.expire());
            assert!(expire.await.is_err(), "it goes on");
        });
        assert!(table.lock().is_empty());
        assert_eq!(
            told.try_iter().filter(|answer| matches!(answer, Answer::Timeout { begun: true })).count() as u64,
            MANY
        );
        // A reply that comes late is of no packet.
        table.answer(7, Answer::NoReply);
        table.taken([7].into_iter());
        assert!(table.lock().is_empty() && told.try_recv().is_err());
    }

    /// Issue #17.
    #[test]
    fn what_is_under_way_is_lost_with_the_table() {
        let (tell, told) = mpsc::channel();
        let table = UnderWay::new(Duration::from_secs(1));
        table.add(1, Box::new(Tell(tell)), "a".into(), None);
        drop(table);
        assert!(matches!(told.try_recv(), Ok(Answer::Lost)));
    }
}
