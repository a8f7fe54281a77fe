//! The letters of one bridge that are under way: each is settled once, by an answer, or by the time that is up.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use zctor::now;
use zctor::remote::transport::{Answer, Receipt};

struct Letter {
    receipt: Box<dyn Receipt>,
    is_call: bool,
    until: Instant,
}

/// The letters that the server has been given, by their numbers.
pub(crate) struct UnderWay {
    letters: Mutex<HashMap<u64, Letter>>,
    /// How long after it was last heard of a send counts as lost.
    ack_wait: Duration,
    /// There is a letter where there was none.
    begun: Notify,
}

impl UnderWay {
    pub(crate) fn new(ack_wait: Duration) -> Self {
        Self { letters: Mutex::default(), ack_wait, begun: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Letter>> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a letter. `until` is the deadline of a call.
    pub(crate) fn add(&self, number: u64, receipt: Box<dyn Receipt>, until: Option<Instant>) {
        let is_call = until.is_some();
        let until = until.unwrap_or_else(|| now() + self.ack_wait);
        self.lock().insert(number, Letter { receipt, is_call, until });
        self.begun.notify_one();
    }

    /// These letters are in mailboxes.
    pub(crate) fn taken(&self, numbers: impl Iterator<Item = u64>) {
        for number in numbers {
            // Out of the table meanwhile: what it tells runs code of others.
            let letter = self.lock().remove(&number);
            if let Some(mut letter) = letter {
                letter.receipt.taken();
                if letter.is_call {
                    self.lock().insert(number, letter);
                }
            }
        }
    }

    /// These letters wait for room where they arrived.
    pub(crate) fn held(&self, numbers: impl Iterator<Item = u64>) {
        let until = now() + self.ack_wait;
        let mut letters = self.lock();
        for number in numbers {
            if let Some(letter) = letters.get_mut(&number).filter(|letter| !letter.is_call) {
                letter.until = until;
            }
        }
    }

    pub(crate) fn answer(&self, number: u64, answer: Answer) {
        let letter = self.lock().remove(&number);
        if let Some(letter) = letter {
            letter.receipt.answer(answer);
        }
    }

    /// The connection is gone: nobody will answer the calls that it carried. Sends may be acknowledged by the next one.
    pub(crate) fn lose_calls(&self) {
        self.settle(|letter| letter.is_call, |_| Answer::Lost);
    }

    /// Nothing that is under way can be answered any more.
    pub(crate) fn lose_all(&self) {
        self.settle(|_| true, |_| Answer::Lost);
    }

    fn settle(&self, which: impl Fn(&Letter) -> bool, answer: impl Fn(&Letter) -> Answer) {
        let settled: Vec<Letter> =
            self.lock().extract_if(|_, letter| which(letter)).map(|(_, letter)| letter).collect();
        for letter in settled {
            let answer = answer(&letter);
            letter.receipt.answer(answer);
        }
    }

    /// Settles the letters whose time is up, as long as the bridge lives. While none is under way it sleeps.
    pub(crate) async fn expire(&self) {
        loop {
            let next = self.lock().values().map(|letter| letter.until).min();
            match next {
                None => self.begun.notified().await,
                Some(next) => {
                    // Not at each letter's very end: the table is looked through each time.
                    let wait = next.saturating_duration_since(now()).max(Duration::from_millis(10));
                    tokio::time::sleep(wait.min(Duration::from_secs(1))).await;
                    let time = now();
                    self.settle(
                        |letter| letter.until <= time,
                        |letter| if letter.is_call { Answer::Timeout { begun: true } } else { Answer::Lost },
                    );
                }
            }
        }
    }
}
