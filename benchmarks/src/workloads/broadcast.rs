//! One message to all of a pool.

use std::sync::mpsc;

use super::Spec;
use super::sink::{self, Sink, nth, sum_to};
use crate::library::Library;
use crate::measure::{Figure, Plan, each, rate};

const POOL: u64 = 8;

pub(crate) const SPEC: Spec = Spec {
    name: "broadcast",
    title: "Broadcast to 8",
    about: "A thread outside sends each message to all eight actors of a pool. Counted are the copies.",
    unit: "ns a copy",
    ..Spec::BASE
};

pub(crate) fn run<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    let (done, sums) = mpsc::channel();
    let send = library.broadcaster(POOL as usize, move || Sink::new(1, done.clone()));
    each(rate(plan, 100 * POOL, 200_000, |count| {
        let each = count / POOL;
        (0..each).for_each(|i| send(nth(i, each)));
        (0..POOL).for_each(|_| sink::expect(&sums, sum_to(each)));
    }))
}
