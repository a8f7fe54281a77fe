//! The memory that waiting costs.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use super::sink::{Sink, nth, sum_to};
use super::{Field, LIMIT, Spec, Threads, sink};
use crate::library::{Behaviour, Library, Need, Never, Payload};
use crate::measure::{Figure, Plan, one, resident};

pub(crate) const INSTANCE: Spec = Spec {
    name: "memory-instance",
    title: "Memory of an idle instance",
    about: "The growth of the process's resident memory by 10,000 instances (500 where each is a thread) with a state \
            of 8 bytes, each with the address that the outside keeps, a tenth of a second after they were made.",
    unit: "bytes an instance",
    threads: Threads::One,
    ..Spec::BASE
};

/// A state of eight bytes that tells when it is there.
struct Idle(u64);

impl Behaviour for Idle {
    type Message = Sender<u64>;
    type Question = Never;

    fn receive(&mut self, back: Sender<u64>) {
        back.send(self.0).expect("the outside waits");
    }
}

pub(crate) fn instance<L: Library>(library: &L, _: &Plan) -> Vec<Figure> {
    let count = if L::lacks(Need::Many).is_none() { 10_000 } else { 500 };
    one(growth(library, count, |addresses| addresses))
}

pub(crate) const ALONE: Spec = Spec {
    name: "memory-alone",
    title: "Memory of an idle instance that nobody outside knows",
    about: "The growth of the process's resident memory by 100,000 instances with a state of 8 bytes, a tenth of a second \
            after the last address was dropped. Only where an instance lives on without one.",
    needs: &[Need::Many],
    field: Field::Ours,
    ..INSTANCE
};

pub(crate) fn alone<L: Library>(library: &L, _: &Plan) -> Vec<Figure> {
    one(growth(library, 100_000, drop))
}

/// Bytes an instance; `keep` gives what of the addresses is there when the memory is looked at.
fn growth<L: Library, K>(library: &L, count: u64, keep: impl FnOnce(Vec<L::Address<Idle>>) -> K) -> f64 {
    // What is set up once, such as a registry, an allocator's arena, a thread, does not count.
    let warm = library.spawn_many(10, Idle);
    let (back, ends) = mpsc::channel();
    L::tell(&warm[9], back.clone());
    sink::expect(&ends, 9);

    let before = resident();
    let addresses = library.spawn_many(count, Idle);
    L::tell(&addresses[count as usize - 1], back);
    sink::expect(&ends, count - 1);
    let _kept = keep(addresses);
    // For what is given back at rest.
    thread::sleep(Duration::from_millis(100));
    (resident() - before) / count as f64
}

pub(crate) const MESSAGE: Spec = Spec {
    name: "memory-message",
    title: "Memory of a queued message",
    about: "The growth of the process's resident memory by a million messages of 24 bytes that wait for a blocked actor.",
    unit: "bytes a message",
    threads: Threads::One,
    ..Spec::BASE
};

/// A sink whose first message blocks it until the gate opens.
pub(crate) struct Gated {
    /// Says that it is at the gate.
    pub(crate) here: Sender<u64>,
    pub(crate) gate: Receiver<()>,
    pub(crate) sink: Sink,
}

impl Behaviour for Gated {
    type Message = Payload;
    type Question = Never;

    fn receive(&mut self, message: Payload) {
        if message[0] == 0 {
            self.here.send(0).expect("the outside waits");
            self.gate.recv_timeout(LIMIT).expect("the outside opens it");
        }
        self.sink.receive(message);
    }
}

pub(crate) fn message<L: Library>(library: &L, _: &Plan) -> Vec<Figure> {
    const COUNT: u64 = 1_000_000;
    let (here, arrivals) = mpsc::channel();
    let (open, gate) = mpsc::channel();
    let (done, sums) = mpsc::channel();
    let gated = library.spawn(0, move || Gated { here, gate, sink: Sink::new(1, done) });
    L::tell(&gated, nth(0, COUNT));
    sink::expect(&arrivals, 0);
    let before = resident();
    (1..COUNT).for_each(|i| L::tell(&gated, nth(i, COUNT)));
    let grown = resident() - before;
    open.send(()).expect("the actor waits");
    sink::expect(&sums, sum_to(COUNT));
    one(grown / COUNT as f64)
}
