//! Chameneos: creatures meet in pairs at a mall and change their colours.

use std::sync::mpsc::{self, Sender};

use super::{PROGRAM, program};
use crate::library::{Behaviour, Library, Never};
use crate::measure::{Figure, Plan};
use crate::workloads::{Spec, sink};

const CREATURES: usize = 100;
const MEETINGS: u64 = 20_000;

pub(crate) const SPEC: Spec = Spec {
    name: "savina-chameneos",
    title: "Savina: chameneos",
    about: "A hundred creatures meet in pairs at one mall, 20,000 times; each meeting is three messages and a change \
            of two colours.",
    ..PROGRAM
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Colour {
    Blue,
    Red,
    Yellow,
}

impl Colour {
    fn beside(self, other: Self) -> Self {
        use Colour::{Blue, Red, Yellow};
        match (self, other) {
            _ if self == other => self,
            (Blue, Red) | (Red, Blue) => Yellow,
            (Blue, Yellow) | (Yellow, Blue) => Red,
            _ => Blue,
        }
    }
}

struct Guest<L: Library> {
    colour: Colour,
    address: L::Address<Creature<L>>,
}

enum Visit<L: Library> {
    Arrive(Guest<L>),
    /// A creature goes home after so many meetings.
    Leave(u64),
}

struct Mall<L: Library> {
    left: u64,
    waiting: Option<Guest<L>>,
    gone: usize,
    met: u64,
    done: Sender<u64>,
}

impl<L: Library> Behaviour for Mall<L> {
    type Message = Visit<L>;
    type Question = Never;

    fn receive(&mut self, message: Visit<L>) {
        match message {
            Visit::Arrive(guest) if self.left == 0 => L::tell(&guest.address, Encounter::Closed),
            Visit::Arrive(guest) => match self.waiting.take() {
                None => self.waiting = Some(guest),
                Some(first) => {
                    self.left -= 1;
                    L::tell(&first.address, Encounter::Meet(guest));
                }
            },
            Visit::Leave(met) => {
                self.met += met;
                self.gone += 1;
                if self.gone == CREATURES {
                    self.done.send(self.met).expect("the outside waits");
                }
            }
        }
    }
}

enum Encounter<L: Library> {
    Start(L::Address<Creature<L>>),
    Meet(Guest<L>),
    Become(Colour),
    Closed,
}

struct Creature<L: Library> {
    colour: Colour,
    met: u64,
    mall: L::Address<Mall<L>>,
    me: Option<L::Address<Self>>,
}

impl<L: Library> Creature<L> {
    fn arrive(&self) {
        let address = self.me.clone().expect("it was told at the start");
        L::tell(&self.mall, Visit::Arrive(Guest { colour: self.colour, address }));
    }
}

impl<L: Library> Behaviour for Creature<L> {
    type Message = Encounter<L>;
    type Question = Never;

    fn receive(&mut self, message: Encounter<L>) {
        match message {
            Encounter::Start(me) => {
                self.me = Some(me);
                self.arrive();
            }
            Encounter::Meet(other) => {
                self.colour = self.colour.beside(other.colour);
                self.met += 1;
                L::tell(&other.address, Encounter::Become(self.colour));
                self.arrive();
            }
            Encounter::Become(colour) => {
                self.colour = colour;
                self.met += 1;
                self.arrive();
            }
            Encounter::Closed => L::tell(&self.mall, Visit::Leave(self.met)),
        }
    }
}

pub(crate) fn run<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    program(plan, || {
        let (done, ends) = mpsc::channel();
        let mall = library.spawn(0, || Mall::<L> { left: MEETINGS, waiting: None, gone: 0, met: 0, done });
        let creatures: Vec<_> = (0..CREATURES)
            .map(|i| {
                let mall = mall.clone();
                let colour = [Colour::Blue, Colour::Red, Colour::Yellow][i % 3];
                library.spawn(i + 1, move || Creature::<L> { colour, met: 0, mall, me: None })
            })
            .collect();
        creatures.iter().for_each(|creature| L::tell(creature, Encounter::Start(creature.clone())));
        sink::expect(&ends, 2 * MEETINGS);
        creatures.iter().for_each(L::stop);
        L::stop(&mall);
    })
}
