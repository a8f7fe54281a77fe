//! Fork-join throughput: many messages to many actors, a little work for each.

use std::hint::black_box;
use std::sync::mpsc::{self, Sender};

use super::{PROGRAM, churn, program};
use crate::library::{Behaviour, Library, Never};
use crate::measure::{Figure, Plan};
use crate::workloads::{Spec, sink};

const ACTORS: u64 = 60;
const MESSAGES: u64 = 1_000;

pub(crate) const SPEC: Spec = Spec {
    name: "savina-fork-join",
    title: "Savina: fork-join throughput",
    about: "A thread outside sends 1,000 messages to each of 60 actors in turn; each message is a sine.",
    ..PROGRAM
};

struct Worker {
    handled: u64,
    done: Sender<u64>,
}

impl Behaviour for Worker {
    type Message = ();
    type Question = Never;

    fn receive(&mut self, (): ()) {
        black_box(churn(1));
        self.handled += 1;
        if self.handled == MESSAGES {
            self.done.send(self.handled).expect("the outside waits");
        }
    }
}

pub(crate) fn run<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    program(plan, || {
        let (done, ends) = mpsc::channel();
        let workers: Vec<_> = (0..ACTORS)
            .map(|place| {
                let done = done.clone();
                library.spawn(place as usize, move || Worker { handled: 0, done })
            })
            .collect();
        for _ in 0..MESSAGES {
            workers.iter().for_each(|worker| L::tell(worker, ()));
        }
        workers.iter().for_each(|_| sink::expect(&ends, MESSAGES));
        workers.iter().for_each(L::stop);
    })
}
