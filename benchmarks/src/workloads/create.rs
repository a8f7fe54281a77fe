//! Creating and stopping instances.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};

use super::{Spec, sink};
use crate::library::{Behaviour, Library, Need, Never};
use crate::measure::{Figure, Plan, each, rate};

pub(crate) const SPEC: Spec = Spec {
    name: "create",
    title: "Create and stop 20,000 instances",
    about: "Instances are created, sent one message each and stopped, in lots of up to 20,000 (200 where each is a \
            thread), inside the library's own threads where it has them; the lot ends when the last state is dropped.",
    unit: "ns an instance",
    needs: &[Need::Stop],
    ..Spec::BASE
};

/// Counts what its instances handled and how many of them ended.
struct Tally {
    size: u64,
    handled: AtomicU64,
    ended: AtomicU64,
    done: Sender<u64>,
}

struct Brief(Arc<Tally>);

impl Behaviour for Brief {
    type Message = ();
    type Question = Never;

    fn receive(&mut self, (): ()) {
        self.0.handled.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Brief {
    fn drop(&mut self) {
        if self.0.ended.fetch_add(1, Ordering::AcqRel) + 1 == self.0.size {
            self.0.done.send(self.0.handled.load(Ordering::Relaxed)).expect("the outside waits");
        }
    }
}

pub(crate) fn run<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    let most = if L::lacks(Need::Many).is_none() { 20_000 } else { 200 };
    let (done, ends) = mpsc::channel();
    each(rate(plan, most / 100, most, |size| {
        let tally = Tally { size, handled: AtomicU64::new(0), ended: AtomicU64::new(0), done: done.clone() };
        let tally = Arc::new(tally);
        library.create(size, move || Brief(Arc::clone(&tally)));
        sink::expect(&ends, size);
    }))
}
