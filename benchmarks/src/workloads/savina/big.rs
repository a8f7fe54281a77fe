//! Big: everybody pings everybody.

use std::sync::Arc;
use std::sync::mpsc::{self, Sender};

use super::Random;
use crate::library::{Behaviour, Library, Never};
use crate::measure::{Figure, Plan, each, rate};
use crate::workloads::{Field, Spec, sink};

const ACTORS: u64 = 100;

pub(crate) const SPEC: Spec = Spec {
    name: "big",
    title: "Big",
    about: "A hundred actors each ping one other at random, and the next when its pong has come (Savina's big).",
    field: Field::All,
    ..Spec::BASE
};

enum Message<L: Library> {
    Link(Arc<[L::Address<Node<L>>]>),
    /// Send this many pings.
    Start(u64),
    Ping(u64),
    Pong,
}

struct Node<L: Library> {
    id: u64,
    nodes: Arc<[L::Address<Node<L>>]>,
    left: u64,
    random: Random,
    done: Sender<u64>,
}

impl<L: Library> Node<L> {
    fn ping(&mut self) {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                let target = self.random.below(ACTORS) as usize;
                L::tell(&self.nodes[target], Message::Ping(self.id));
            }
            None => self.done.send(self.id).expect("the outside waits"),
        }
    }
}

impl<L: Library> Behaviour for Node<L> {
    type Message = Message<L>;
    type Question = Never;

    fn receive(&mut self, message: Message<L>) {
        match message {
            Message::Link(nodes) => self.nodes = nodes,
            Message::Start(pings) => {
                self.left = pings;
                self.ping();
            }
            Message::Ping(from) => L::tell(&self.nodes[from as usize], Message::Pong),
            Message::Pong => self.ping(),
        }
    }
}

pub(crate) fn run<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    let (done, ends) = mpsc::channel();
    let nodes: Arc<[_]> = (0..ACTORS)
        .map(|id| {
            let done = done.clone();
            let make = move || Node::<L> { id, nodes: Arc::new([]), left: 0, random: Random::new(id), done };
            library.spawn(id as usize, make)
        })
        .collect();
    nodes.iter().for_each(|node| L::tell(node, Message::Link(Arc::clone(&nodes))));
    // Two messages a ping.
    each(rate(plan, 20 * ACTORS, 400_000, |messages| {
        let pings = messages / ACTORS / 2;
        nodes.iter().for_each(|node| L::tell(node, Message::Start(pings)));
        let ids: u64 = nodes.iter().map(|_| ends.recv_timeout(crate::workloads::LIMIT).expect("a node ends")).sum();
        assert_eq!(ids, sink::sum_to(ACTORS));
    }))
}
