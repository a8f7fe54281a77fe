//! A token that is passed on: ping-pong between two, and a ring of a hundred.

use std::sync::mpsc::{self, Receiver, Sender};

use super::{Spec, Threads, sink};
use crate::library::{Behaviour, Library, Never};
use crate::measure::{Figure, Plan, each, rate};

pub(crate) enum Pass<L: Library> {
    Link(L::Address<Relay<L>>),
    /// How many hops are left.
    Token(u64),
}

pub(crate) struct Relay<L: Library> {
    next: Option<L::Address<Self>>,
    done: Sender<u64>,
}

impl<L: Library> Behaviour for Relay<L> {
    type Message = Pass<L>;
    type Question = Never;

    fn receive(&mut self, message: Pass<L>) {
        match (message, &self.next) {
            (Pass::Link(next), _) => self.next = Some(next),
            (Pass::Token(0), _) => self.done.send(0).expect("the outside waits"),
            (Pass::Token(left), Some(next)) => L::tell(next, Pass::Token(left - 1)),
            (Pass::Token(_), None) => unreachable!("the link came before the token"),
        }
    }
}

/// `count` relays in a ring from thread `place` on, and where it is told that the token stopped.
pub(crate) fn relays<L: Library>(library: &L, count: usize, place: usize) -> (L::Address<Relay<L>>, Receiver<u64>) {
    relays_at(library, count, |i| place + i)
}

/// As `relays`, each on the thread that `place` says.
fn relays_at<L: Library>(
    library: &L,
    count: usize,
    place: impl Fn(usize) -> usize,
) -> (L::Address<Relay<L>>, Receiver<u64>) {
    let (done, ends) = mpsc::channel();
    let ring: Vec<_> = (0..count)
        .map(|i| {
            let done = done.clone();
            library.spawn(place(i), move || Relay::<L> { next: None, done })
        })
        .collect();
    for (i, relay) in ring.iter().enumerate() {
        L::tell(relay, Pass::Link(ring[(i + 1) % count].clone()));
    }
    (ring[0].clone(), ends)
}

/// Each on the thread after that of the one before.
fn spread(i: usize, _threads: usize) -> usize {
    i
}

/// `place` gives the thread of each, of so many threads.
fn run<L: Library>(library: &L, plan: &Plan, count: usize, place: fn(usize, usize) -> usize) -> Vec<Figure> {
    let (first, ends) = relays_at(library, count, |i| place(i, plan.threads));
    each(rate(plan, 100, 500_000, |hops| {
        L::tell(&first, Pass::Token(hops));
        sink::expect(&ends, 0);
    }))
}

pub(crate) const PING_PONG: Spec = Spec {
    name: "ping-pong",
    title: "Ping-pong",
    about: "Two actors send one message to and fro; on two threads they are on different ones, where the library lets one \
            choose.",
    ..Spec::BASE
};

pub(crate) fn ping_pong<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    run(library, plan, 2, spread)
}

pub(crate) const RING: Spec = Spec {
    name: "ring",
    title: "Ring of 100",
    about: "A hundred actors pass one token round (Savina's thread ring); on two threads each neighbour is on the other.",
    ..Spec::BASE
};

pub(crate) fn ring<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    run(library, plan, 100, spread)
}

pub(crate) const PING_PONG_TOGETHER: Spec = Spec {
    name: "ping-pong-together",
    title: "Ping-pong, laid out by its user",
    about: "The same where there are several threads, and both actors are on one of them, as a user puts two that exchange \
            many messages, where the library lets one choose.",
    threads: Threads::Cores,
    ..Spec::BASE
};

pub(crate) fn ping_pong_together<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    run(library, plan, 2, |_, _| 0)
}

pub(crate) const RING_TOGETHER: Spec = Spec {
    name: "ring-together",
    title: "Ring of 100, laid out by its user",
    about: "The same where there are several threads, and neighbours are on one of them but where one thread's part of the \
            ring ends, where the library lets one choose.",
    threads: Threads::Cores,
    ..Spec::BASE
};

pub(crate) fn ring_together<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    run(library, plan, 100, |i, threads| i * threads / 100)
}
