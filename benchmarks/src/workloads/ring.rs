//! A token that is passed on: ping-pong between two, and a ring of a hundred.

use std::sync::mpsc::{self, Receiver, Sender};

use super::{Spec, sink};
use crate::library::{Behaviour, Library, Never};
use crate::measure::{Figure, Plan, one, rate};

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
    let (done, ends) = mpsc::channel();
    let ring: Vec<_> = (0..count)
        .map(|i| {
            let done = done.clone();
            library.spawn(place + i, move || Relay::<L> { next: None, done })
        })
        .collect();
    for (i, relay) in ring.iter().enumerate() {
        L::tell(relay, Pass::Link(ring[(i + 1) % count].clone()));
    }
    (ring[0].clone(), ends)
}

fn run<L: Library>(library: &L, plan: &Plan, count: usize) -> Vec<Figure> {
    let (first, ends) = relays(library, count, 0);
    one(rate(plan, 100, 500_000, |hops| {
        L::tell(&first, Pass::Token(hops));
        sink::expect(&ends, 0);
    }))
}

pub(crate) const PING_PONG: Spec = Spec {
    name: "ping-pong",
    title: "Ping-pong",
    about: "Two actors send one message to and fro; on two threads they are on different ones.",
    ..Spec::BASE
};

pub(crate) fn ping_pong<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    run(library, plan, 2)
}

pub(crate) const RING: Spec = Spec {
    name: "ring",
    title: "Ring of 100",
    about: "A hundred actors pass one token round (Savina's thread ring); on two threads each neighbour is on the other.",
    ..Spec::BASE
};

pub(crate) fn ring<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    run(library, plan, 100)
}
