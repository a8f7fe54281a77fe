//! Bounded buffer: producers and consumers, and a manager who pairs them.

use std::collections::VecDeque;
use std::sync::mpsc::{self, Sender};

use super::{PROGRAM, churn, program};
use crate::library::{Behaviour, Library, Never};
use crate::measure::{Figure, Plan};
use crate::workloads::{Spec, sink};

const PRODUCERS: usize = 20;
const CONSUMERS: usize = 20;
const ITEMS: u64 = 200;
const ROOM: usize = 50;
const WORK: u64 = 25;

pub(crate) const SPEC: Spec = Spec {
    name: "savina-bounded-buffer",
    title: "Savina: bounded buffer",
    about: "Twenty producers make 200 items each, twenty consumers use them, at 25 sines a side; a manager holds at \
            most 50 items and lets producers and consumers wait.",
    ..PROGRAM
};

enum Notice<L: Library> {
    Staff(Vec<L::Address<Producer<L>>>, Vec<L::Address<Consumer<L>>>),
    Made {
        producer: usize,
        item: f64,
    },
    Free {
        consumer: usize,
    },
    /// A producer has made all it had to.
    Finished,
}

struct Manager<L: Library> {
    producers: Vec<L::Address<Producer<L>>>,
    consumers: Vec<L::Address<Consumer<L>>>,
    items: VecDeque<f64>,
    /// Those who wait for room and for an item.
    full: VecDeque<usize>,
    free: VecDeque<usize>,
    working: usize,
    used: u64,
    done: Sender<u64>,
}

impl<L: Library> Manager<L> {
    fn pair(&mut self) {
        while !self.items.is_empty() && !self.free.is_empty() {
            if let (Some(item), Some(consumer)) = (self.items.pop_front(), self.free.pop_front()) {
                self.used += 1;
                L::tell(&self.consumers[consumer], Task { item, consumer });
            }
        }
        while self.items.len() < ROOM
            && let Some(producer) = self.full.pop_front()
        {
            L::tell(&self.producers[producer], ());
        }
        if self.working == 0 && self.items.is_empty() && self.free.len() == CONSUMERS {
            self.done.send(self.used).expect("the outside waits");
        }
    }
}

impl<L: Library> Behaviour for Manager<L> {
    type Message = Notice<L>;
    type Question = Never;

    fn receive(&mut self, message: Notice<L>) {
        match message {
            Notice::Staff(producers, consumers) => {
                (self.producers, self.consumers) = (producers, consumers);
                self.full.extend(0..PRODUCERS);
                self.free.extend(0..CONSUMERS);
            }
            Notice::Made { producer, item } => {
                self.items.push_back(item);
                self.full.push_back(producer);
            }
            Notice::Free { consumer } => self.free.push_back(consumer),
            Notice::Finished => self.working -= 1,
        }
        self.pair();
    }
}

struct Producer<L: Library> {
    id: usize,
    left: u64,
    manager: L::Address<Manager<L>>,
}

impl<L: Library> Behaviour for Producer<L> {
    /// There is room.
    type Message = ();
    type Question = Never;

    fn receive(&mut self, (): ()) {
        if self.left == 0 {
            L::tell(&self.manager, Notice::Finished);
        } else {
            self.left -= 1;
            L::tell(&self.manager, Notice::Made { producer: self.id, item: churn(WORK) });
        }
    }
}

struct Task {
    item: f64,
    consumer: usize,
}

struct Consumer<L: Library> {
    sum: f64,
    manager: L::Address<Manager<L>>,
}

impl<L: Library> Behaviour for Consumer<L> {
    type Message = Task;
    type Question = Never;

    fn receive(&mut self, Task { item, consumer }: Task) {
        self.sum += item + churn(WORK);
        L::tell(&self.manager, Notice::Free { consumer });
    }
}

pub(crate) fn run<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    program(plan, || {
        let (done, ends) = mpsc::channel();
        let manager = library.spawn(0, || Manager::<L> {
            producers: Vec::new(),
            consumers: Vec::new(),
            items: VecDeque::new(),
            full: VecDeque::new(),
            free: VecDeque::new(),
            working: PRODUCERS,
            used: 0,
            done,
        });
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|id| {
                let manager = manager.clone();
                library.spawn(id, move || Producer::<L> { id, left: ITEMS, manager })
            })
            .collect();
        let consumers: Vec<_> = (0..CONSUMERS)
            .map(|id| {
                let manager = manager.clone();
                library.spawn(id, move || Consumer::<L> { sum: 0.0, manager })
            })
            .collect();
        L::tell(&manager, Notice::Staff(producers.clone(), consumers.clone()));
        sink::expect(&ends, PRODUCERS as u64 * ITEMS);
        producers.iter().for_each(L::stop);
        consumers.iter().for_each(L::stop);
        L::stop(&manager);
    })
}
