//! Concurrent dictionary: many read and write one map.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::mpsc::{self, Sender};

use super::{PROGRAM, Random, program};
use crate::library::{Behaviour, Library, Never};
use crate::measure::{Figure, Plan};
use crate::workloads::{Spec, sink};

const WORKERS: u64 = 20;
const REQUESTS: u64 = 1_000;
const WRITES_OF_HUNDRED: u64 = 10;

pub(crate) const SPEC: Spec = Spec {
    name: "savina-dictionary",
    title: "Savina: concurrent dictionary",
    about: "Twenty workers send 1,000 requests each to one dictionary, one after the other; one in ten is a write.",
    ..PROGRAM
};

enum Request<L: Library> {
    Read { key: u64, back: L::Address<Worker<L>> },
    Write { key: u64, value: u64, back: L::Address<Worker<L>> },
}

struct Dictionary<L> {
    entries: HashMap<u64, u64>,
    library: PhantomData<fn() -> L>,
}

impl<L: Library> Behaviour for Dictionary<L> {
    type Message = Request<L>;
    type Question = Never;

    fn receive(&mut self, request: Request<L>) {
        let (value, back) = match request {
            Request::Read { key, back } => (self.entries.get(&key).copied().unwrap_or(0), back),
            Request::Write { key, value, back } => {
                self.entries.insert(key, value);
                (value, back)
            }
        };
        L::tell(&back, Reply::Value(value));
    }
}

enum Reply<L: Library> {
    Start(L::Address<Worker<L>>),
    Value(u64),
}

struct Worker<L: Library> {
    dictionary: L::Address<Dictionary<L>>,
    me: Option<L::Address<Self>>,
    random: Random,
    answered: u64,
    /// What it read and wrote; nobody looks at it, but a program would.
    sum: u64,
    done: Sender<u64>,
}

impl<L: Library> Behaviour for Worker<L> {
    type Message = Reply<L>;
    type Question = Never;

    fn receive(&mut self, message: Reply<L>) {
        match message {
            Reply::Start(me) => self.me = Some(me),
            Reply::Value(value) => {
                self.answered += 1;
                self.sum += value;
            }
        }
        if self.answered == REQUESTS {
            self.done.send(self.answered).expect("the outside waits");
            return;
        }
        let back = self.me.clone().expect("it was told at the start");
        let key = self.random.below(512);
        let is_write = self.random.below(100) < WRITES_OF_HUNDRED;
        let request = if is_write { Request::Write { key, value: key, back } } else { Request::Read { key, back } };
        L::tell(&self.dictionary, request);
    }
}

pub(crate) fn run<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    program(plan, || {
        let (done, ends) = mpsc::channel();
        let dictionary = library.spawn(0, || Dictionary::<L> { entries: HashMap::new(), library: PhantomData });
        let workers: Vec<_> = (1..=WORKERS)
            .map(|i| {
                let (dictionary, done) = (dictionary.clone(), done.clone());
                let random = Random::new(i);
                library.spawn(i as usize, move || Worker::<L> {
                    dictionary,
                    me: None,
                    random,
                    answered: 0,
                    sum: 0,
                    done,
                })
            })
            .collect();
        workers.iter().for_each(|worker| L::tell(worker, Reply::Start(worker.clone())));
        workers.iter().for_each(|_| sink::expect(&ends, REQUESTS));
        workers.iter().for_each(L::stop);
        L::stop(&dictionary);
    })
}
