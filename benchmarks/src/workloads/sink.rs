//! The receiver of most workloads: adds up what it is sent, and tells the outside when a lot is complete.

use std::sync::mpsc::{self, Receiver, Sender};

use super::LIMIT;
use crate::library::{Behaviour, Library, Never, Payload};

pub(crate) struct Sink {
    /// How many send to it, each the same number of messages a lot.
    senders: u64,
    seen: u64,
    sum: u64,
    done: Sender<u64>,
}

impl Sink {
    pub(crate) fn new(senders: u64, done: Sender<u64>) -> Self {
        Self { senders, seen: 0, sum: 0, done }
    }
}

/// The `i`-th of `count` messages. Each says how many there are, since not every library keeps their order.
pub(crate) fn nth(i: u64, count: u64) -> Payload {
    [i, count, 0]
}

/// The sum of the messages of one sender.
pub(crate) fn sum_to(count: u64) -> u64 {
    count * (count - 1) / 2
}

impl Behaviour for Sink {
    type Message = Payload;
    type Question = Never;

    fn receive(&mut self, [value, count, _]: Payload) {
        self.sum += value;
        self.seen += 1;
        if self.seen == count * self.senders {
            self.done.send(self.sum).expect("the outside waits");
            (self.seen, self.sum) = (0, 0);
        }
    }
}

/// Sends `count` messages to a sink when it is told to.
pub(crate) struct Source<L: Library> {
    pub(crate) target: L::Address<Sink>,
}

impl<L: Library> Behaviour for Source<L> {
    type Message = u64;
    type Question = Never;

    fn receive(&mut self, count: u64) {
        for i in 0..count {
            L::tell(&self.target, nth(i, count));
        }
    }
}

/// A sink on thread `place`, and where its sums arrive.
pub(crate) fn spawn<L: Library>(library: &L, place: usize, senders: u64) -> (L::Address<Sink>, Receiver<u64>) {
    let (done, sums) = mpsc::channel();
    (library.spawn(place, move || Sink::new(senders, done)), sums)
}

/// Waits for the end of a lot and checks it.
#[track_caller]
pub(crate) fn expect(ends: &Receiver<u64>, value: u64) {
    assert_eq!(ends.recv_timeout(LIMIT), Ok(value));
}
