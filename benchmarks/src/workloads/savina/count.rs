//! Counting actor: one actor sends another a long row of increments and asks for the count.

use std::marker::PhantomData;
use std::sync::mpsc::{self, Sender};

use super::{PROGRAM, program};
use crate::library::{Behaviour, Library, Need, Never};
use crate::measure::{Figure, Plan};
use crate::workloads::{Spec, sink};

const MESSAGES: u64 = 100_000;

pub(crate) const SPEC: Spec = Spec {
    name: "savina-count",
    title: "Savina: counting actor",
    about: "A producer sends a counter 100,000 increments, then asks it for the count.",
    needs: &[Need::Stop, Need::Order],
    ..PROGRAM
};

enum Count<L: Library> {
    Increment,
    Retrieve(L::Address<Producer<L>>),
}

struct Counter<L> {
    count: u64,
    library: PhantomData<fn() -> L>,
}

impl<L: Library> Behaviour for Counter<L> {
    type Message = Count<L>;
    type Question = Never;

    fn receive(&mut self, message: Count<L>) {
        match message {
            Count::Increment => self.count += 1,
            Count::Retrieve(producer) => L::tell(&producer, Produce::Counted(self.count)),
        }
    }
}

enum Produce<L: Library> {
    Start(L::Address<Producer<L>>),
    Counted(u64),
}

struct Producer<L: Library> {
    counter: L::Address<Counter<L>>,
    done: Sender<u64>,
}

impl<L: Library> Behaviour for Producer<L> {
    type Message = Produce<L>;
    type Question = Never;

    fn receive(&mut self, message: Produce<L>) {
        match message {
            Produce::Start(me) => {
                (0..MESSAGES).for_each(|_| L::tell(&self.counter, Count::Increment));
                L::tell(&self.counter, Count::Retrieve(me));
            }
            Produce::Counted(count) => self.done.send(count).expect("the outside waits"),
        }
    }
}

pub(crate) fn run<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    program(plan, || {
        let (done, ends) = mpsc::channel();
        let counter = library.spawn(1, || Counter::<L> { count: 0, library: PhantomData });
        let target = counter.clone();
        let producer = library.spawn(0, move || Producer::<L> { counter: target, done });
        L::tell(&producer, Produce::Start(producer.clone()));
        sink::expect(&ends, MESSAGES);
        L::stop(&counter);
        L::stop(&producer);
    })
}
