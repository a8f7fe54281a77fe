//! Radix sort: a chain of actors, one a bit.

use std::sync::mpsc::{self, Sender};

use super::{PROGRAM, Random, program};
use crate::library::{Behaviour, Library, Need, Never};
use crate::measure::{Figure, Plan};
use crate::workloads::{Spec, sink};

const VALUES: u64 = 2_000;
const BITS: u32 = 60;

pub(crate) const SPEC: Spec = Spec {
    name: "savina-radix-sort",
    title: "Savina: radix sort",
    about: "2,000 numbers of 60 bits pass through 60 actors; each passes on those with a zero at its bit at once and \
            the others after them. The last checks the order.",
    needs: &[Need::Stop, Need::Order],
    ..PROGRAM
};

enum Next<L: Library> {
    Sorter(L::Address<Sorter<L>>),
    Check(L::Address<Check>),
}

struct Sorter<L: Library> {
    bit: u32,
    seen: u64,
    ones: Vec<u64>,
    next: Next<L>,
}

impl<L: Library> Sorter<L> {
    fn pass(&self, value: u64) {
        match &self.next {
            Next::Sorter(next) => L::tell(next, value),
            Next::Check(next) => L::tell(next, value),
        }
    }
}

impl<L: Library> Behaviour for Sorter<L> {
    type Message = u64;
    type Question = Never;

    fn receive(&mut self, value: u64) {
        self.seen += 1;
        if value >> self.bit & 1 == 0 {
            self.pass(value);
        } else {
            self.ones.push(value);
        }
        if self.seen == VALUES {
            self.ones.iter().for_each(|&value| self.pass(value));
        }
    }
}

struct Check {
    seen: u64,
    last: u64,
    sum: u64,
    done: Sender<u64>,
}

impl Behaviour for Check {
    type Message = u64;
    type Question = Never;

    fn receive(&mut self, value: u64) {
        assert!(self.last <= value, "the numbers are in order");
        self.last = value;
        self.seen += 1;
        self.sum = self.sum.wrapping_add(value);
        if self.seen == VALUES {
            self.done.send(self.sum).expect("the outside waits");
        }
    }
}

pub(crate) fn run<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    let mut random = Random::new(7);
    let values: Vec<u64> = (0..VALUES).map(|_| random.below(1 << BITS)).collect();
    let sum = values.iter().fold(0_u64, |sum, value| sum.wrapping_add(*value));
    program(plan, || {
        let (done, ends) = mpsc::channel();
        let check = library.spawn(0, || Check { seen: 0, last: 0, sum: 0, done });
        let mut sorters: Vec<L::Address<Sorter<L>>> = Vec::new();
        for bit in (0..BITS).rev() {
            let next = match sorters.last() {
                Some(sorter) => Next::Sorter(sorter.clone()),
                None => Next::Check(check.clone()),
            };
            let make = move || Sorter { bit, seen: 0, ones: Vec::new(), next };
            sorters.push(library.spawn(bit as usize, make));
        }
        let first = &sorters[sorters.len() - 1];
        values.iter().for_each(|&value| L::tell(first, value));
        sink::expect(&ends, sum);
        sorters.iter().for_each(L::stop);
        L::stop(&check);
    })
}
