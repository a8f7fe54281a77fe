//! The packets of one bridge that are under way: each is settled once, by an answer, or by the time that is up.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_nats::Subject;
use tokio::sync::Notify;
use zctor::now;
use zctor::remote::transport::{Answer, Receipt, TakenTogether};

use crate::credit::Credits;

struct Unacknowledged {
    receipt: Box<dyn Receipt>,
    subject: Subject,
    is_call: bool,
    /// The size of a send that has given its permit back already.
    lent: Option<usize>,
    since: Instant,
    until: Instant,
}

/// What is added to those under way.
pub(crate) struct Added {
    pub(crate) receipt: Box<dyn Receipt>,
    /// The deadline of a call.
    pub(crate) until: Option<Instant>,
    /// The size of a send that may give its permit back before it is acknowledged.
    pub(crate) lends: Option<usize>,
}

#[derive(Default)]
struct Table {
    packets: HashMap<u64, Unacknowledged>,
    credits: Credits,
}

impl Table {
    /// Takes a packet out that is acknowledged or answered. `time`: of its acknowledgement.
    fn take(&mut self, number: u64, time: Option<Instant>) -> Option<Unacknowledged> {
        let packet = self.packets.remove(&number)?;
        self.settled(&packet, time);
        Some(packet)
    }

    fn settled(&mut self, packet: &Unacknowledged, time: Option<Instant>) {
        if !packet.is_call {
            let after = time.map(|time| time.saturating_duration_since(packet.since));
            self.credits.settled(&packet.subject, packet.lent, after);
        }
    }
}

/// Replies that come within this time come soon.
const SOON: Duration = Duration::from_millis(1);

/// The packets that the server has been given, by their numbers.
pub(crate) struct UnderWay {
    table: Mutex<Table>,
    /// How long after it was last heard of a send counts as lost.
    ack_wait: Duration,
    /// There is a packet where there was none.
    begun: Notify,
    /// The subjects whose last calls had their replies soon, whatever their variants.
    soon: Mutex<BTreeSet<Subject>>,
}

impl UnderWay {
    pub(crate) fn new(ack_wait: Duration) -> Self {
        Self { table: Mutex::default(), ack_wait, begun: Notify::new(), soon: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn soon(&self) -> MutexGuard<'_, BTreeSet<Subject>> {
        self.soon.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether replies come soon from this subject, as the last ones have.
    pub(crate) fn are_calls_answered_soon(&self, subject: &Subject) -> bool {
        self.soon().contains(subject)
    }

    /// These calls are answered now. An answer that is no reply may come soon from a pool that is full, or gone: it says
    /// nothing of what a call takes.
    fn note<'a>(&self, calls: impl Iterator<Item = (&'a Unacknowledged, &'a Answer)>) {
        let mut last = None;
        for (Unacknowledged { subject, since, .. }, answer) in calls {
            let is_reply = matches!(answer, Answer::Reply(_));
            // Of the replies from one subject the first is that to the oldest call, mostly.
            if is_reply && last.replace(subject) == Some(subject) {
                continue;
            }
            let is_soon = is_reply && now().saturating_duration_since(*since) <= SOON;
            let mut soon = self.soon();
            if !is_soon {
                soon.remove(subject);
            } else if !soon.contains(subject) {
                soon.insert(subject.clone());
            }
        }
    }

    /// Adds packets to one subject, whose numbers follow this one. `lent` has the permits that they give back at once.
    pub(crate) fn add<A>(&self, first: u64, subject: &Subject, mut added: A, lent: &mut TakenTogether)
    where
        A: AsMut<[Added]> + IntoIterator<Item = Added>,
    {
        let packets = added.as_mut();
        let lends = match packets {
            [Added { lends: Some(_), .. }, ..] => {
                let sizes = packets.iter().map_while(|packet| packet.lends);
                self.lock().credits.lend(subject, sizes)
            }
            // Calls, and sends of a link whose bound is stated.
            _ => 0,
        };
        // Not under the lock: a permit that is given back may wake its sender.
        packets[..lends].iter_mut().for_each(|packet| packet.receipt.lend_with(lent));
        let since = now();
        let packet = |(place, Added { receipt, until, lends: size })| Unacknowledged {
            receipt,
            subject: subject.clone(),
            is_call: until.is_some(),
            lent: size.filter(|_| place < lends),
            since,
            until: until.unwrap_or(since + self.ack_wait),
        };
        self.lock().packets.extend((first..).zip(added.into_iter().enumerate().map(packet)));
        self.begun.notify_one();
    }

    /// These packets are in mailboxes.
    pub(crate) fn taken(&self, numbers: impl Iterator<Item = u64>) {
        // Out of the table meanwhile: what they tell runs code of others.
        let taken: Vec<(u64, Unacknowledged)> = {
            let (time, mut table) = (now(), self.lock());
            numbers.filter_map(|number| Some((number, table.take(number, Some(time))?))).collect()
        };
        let mut together = TakenTogether::default();
        for (number, mut packet) in taken {
            packet.receipt.taken_with(&mut together);
            if packet.is_call {
                self.lock().packets.insert(number, packet);
            }
        }
    }

    /// These packets wait for room where they arrived.
    pub(crate) fn held(&self, numbers: impl Iterator<Item = u64>) {
        let until = now() + self.ack_wait;
        let mut table = self.lock();
        for number in numbers {
            if let Some(packet) = table.packets.get_mut(&number).filter(|packet| !packet.is_call) {
                packet.until = until;
            }
        }
    }

    /// These packets are answered.
    pub(crate) fn answer(&self, answers: impl Iterator<Item = (u64, Answer)>) {
        let answered: Vec<(Unacknowledged, Answer)> = {
            let mut table = self.lock();
            answers.filter_map(|(number, answer)| Some((table.take(number, None)?, answer))).collect()
        };
        self.note(answered.iter().map(|(packet, answer)| (packet, answer)).filter(|(packet, _)| packet.is_call));
        answered.into_iter().for_each(|(packet, answer)| packet.receipt.answer(answer));
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
        let settled: Vec<Unacknowledged> = {
            let mut table = self.lock();
            let settled: Vec<_> =
                table.packets.extract_if(|_, packet| which(packet)).map(|(_, packet)| packet).collect();
            settled.iter().for_each(|packet| table.settled(packet, None));
            settled
        };
        for packet in settled {
            let answer = answer(&packet);
            packet.receipt.answer(answer);
        }
    }

    /// Settles the packets whose time is up, as long as the bridge lives. While none is under way it sleeps.
    pub(crate) async fn expire(&self) {
        loop {
            let next = self.lock().packets.values().map(|packet| packet.until).min();
            match next {
                None => self.begun.notified().await,
                Some(next) => {
                    // Not at each packet's very end: the table is looked through each time.
                    let wait = next.saturating_duration_since(now()).max(Duration::from_millis(10));
                    tokio::time::sleep(wait.min(Duration::from_secs(1))).await;
                    let time = now();
                    self.settle(
                        |packet| packet.until <= time,
                        |packet| {
                            if !packet.is_call {
                                return Answer::Lost;
                            }
                            // A reply that comes late finds no packet any more.
                            self.soon().remove(&packet.subject);
                            Answer::Timeout { begun: true }
                        },
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

    fn add(table: &UnderWay, number: u64, tell: &mpsc::Sender<Answer>, until: Option<Instant>) {
        let added = Added { receipt: Box::new(Tell(tell.clone())), until, lends: None };
        table.add(number, &"a".into(), vec![added], &mut TakenTogether::default());
    }

    fn expired(table: &UnderWay) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let expire = tokio::time::timeout(Duration::from_millis(100), table.expire());
            assert!(expire.await.is_err(), "it goes on");
        });
    }

    #[test]
    fn calls_are_answered_soon_as_long_as_the_last_one_had_its_reply_soon() {
        let (tell, told) = mpsc::channel();
        let table = UnderWay::new(Duration::from_secs(1));
        let are_soon = |subject: &str| table.are_calls_answered_soon(&subject.into());
        assert!(!are_soon("a"), "none was answered");
        let reply = || Answer::Reply(Vec::new());
        let answers = [(reply(), true), (reply(), false), (reply(), true), (Answer::Full, true), (reply(), true)];
        for (number, (answer, is_quick)) in (1..).zip(answers) {
            let is_soon = is_quick && matches!(answer, Answer::Reply(_));
            add(&table, number, &tell, Some(now() + Duration::from_secs(1)));
            let since = if is_quick {
                // Long after this test has come to the answer.
                now() + Duration::from_secs(60)
            } else {
                now().checked_sub(2 * SOON).expect("the clock runs for longer")
            };
            table.lock().packets.get_mut(&number).expect("it was added").since = since;
            // A send is acknowledged whenever it is in a mailbox.
            add(&table, 10 + number, &tell, None);
            table.answer([(number, answer)].into_iter());
            table.taken([10 + number].into_iter());
            assert_eq!(are_soon("a"), is_soon, "{number}");
            assert!(!are_soon("b"), "another pool");
        }
        // One whose time is up had none.
        add(&table, 7, &tell, Some(now()));
        expired(&table);
        assert!(!are_soon("a"));
        assert_eq!(told.try_iter().count(), 6);
    }

    /// A call that is given up leaves nothing. In the client's own requests it leaves an entry for good.
    #[test]
    fn calls_whose_time_is_up_leave_nothing() {
        const MANY: u64 = 10_000;
        let (tell, told) = mpsc::channel();
        let table = UnderWay::new(Duration::from_secs(1));
        for number in 0..MANY {
            add(&table, number, &tell, Some(now()));
        }
        expired(&table);
        assert!(table.lock().packets.is_empty());
        assert_eq!(
            told.try_iter().filter(|answer| matches!(answer, Answer::Timeout { begun: true })).count() as u64,
            MANY
        );
        // A reply that comes late is of no packet.
        table.answer([(7, Answer::NoReply)].into_iter());
        table.taken([7].into_iter());
        assert!(table.lock().packets.is_empty() && told.try_recv().is_err());
    }

    /// Issue #17.
    #[test]
    fn what_is_under_way_is_lost_with_the_table() {
        let (tell, told) = mpsc::channel();
        let table = UnderWay::new(Duration::from_secs(1));
        add(&table, 1, &tell, None);
        drop(table);
        assert!(matches!(told.try_recv(), Ok(Answer::Lost)));
    }
}
