//! Dining philosophers, with an arbiter who gives out the forks.

use std::sync::mpsc::{self, Sender};

use super::{PROGRAM, program};
use crate::library::{Behaviour, Library, Never};
use crate::measure::{Figure, Plan};
use crate::workloads::{Spec, sink};

const PHILOSOPHERS: usize = 20;
const MEALS: u64 = 1_000;

pub(crate) const SPEC: Spec = Spec {
    name: "savina-philosophers",
    title: "Savina: dining philosophers",
    about: "Twenty philosophers eat 1,000 times each; an arbiter gives both forks or none, and who gets none asks again.",
    ..PROGRAM
};

enum Table<L: Library> {
    Seat(Vec<L::Address<Philosopher<L>>>),
    Hungry(usize),
    Full(usize),
}

struct Arbiter<L: Library> {
    taken: [bool; PHILOSOPHERS],
    seats: Vec<L::Address<Philosopher<L>>>,
}

impl<L: Library> Behaviour for Arbiter<L> {
    type Message = Table<L>;
    type Question = Never;

    fn receive(&mut self, message: Table<L>) {
        match message {
            Table::Seat(seats) => {
                self.seats = seats;
                self.seats.iter().for_each(|seat| L::tell(seat, Dinner::Start));
            }
            Table::Hungry(seat) => {
                let forks = [seat, (seat + 1) % PHILOSOPHERS];
                let is_free = forks.iter().all(|&fork| !self.taken[fork]);
                if is_free {
                    forks.iter().for_each(|&fork| self.taken[fork] = true);
                }
                L::tell(&self.seats[seat], if is_free { Dinner::Eat } else { Dinner::Denied });
            }
            Table::Full(seat) => [seat, (seat + 1) % PHILOSOPHERS].iter().for_each(|&fork| self.taken[fork] = false),
        }
    }
}

enum Dinner {
    Start,
    Eat,
    Denied,
}

struct Philosopher<L: Library> {
    seat: usize,
    meals: u64,
    arbiter: L::Address<Arbiter<L>>,
    done: Sender<u64>,
}

impl<L: Library> Behaviour for Philosopher<L> {
    type Message = Dinner;
    type Question = Never;

    fn receive(&mut self, message: Dinner) {
        if let Dinner::Eat = message {
            self.meals += 1;
            L::tell(&self.arbiter, Table::Full(self.seat));
        }
        if self.meals < MEALS {
            L::tell(&self.arbiter, Table::Hungry(self.seat));
        } else {
            self.done.send(self.meals).expect("the outside waits");
        }
    }
}

pub(crate) fn run<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    program(plan, || {
        let (done, ends) = mpsc::channel();
        let arbiter = library.spawn(0, || Arbiter::<L> { taken: [false; PHILOSOPHERS], seats: Vec::new() });
        let seats: Vec<_> = (0..PHILOSOPHERS)
            .map(|seat| {
                let (arbiter, done) = (arbiter.clone(), done.clone());
                library.spawn(seat + 1, move || Philosopher::<L> { seat, meals: 0, arbiter, done })
            })
            .collect();
        L::tell(&arbiter, Table::Seat(seats.clone()));
        seats.iter().for_each(|_| sink::expect(&ends, MEALS));
        seats.iter().for_each(L::stop);
        L::stop(&arbiter);
    })
}
