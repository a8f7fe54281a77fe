//! One-way messages to one actor.

use std::thread;

use super::sink::{self, Source, nth, sum_to};
use super::{Field, Spec, Threads};
use crate::library::{Library, Need};
use crate::measure::{Figure, Plan, each, rate};

const FIRST: u64 = 1_000;
const MOST: u64 = 200_000;

pub(crate) const OUTSIDE: Spec = Spec {
    name: "one-way",
    title: "One way, from an outside thread",
    about: "A thread that is no actor's sends messages of 24 bytes to one actor, as fast as it can.",
    ..Spec::BASE
};

pub(crate) fn outside<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    let (sink, sums) = sink::spawn(library, 0, 1);
    each(rate(plan, FIRST, MOST, |count| {
        for i in 0..count {
            L::tell(&sink, nth(i, count));
        }
        sink::expect(&sums, sum_to(count));
    }))
}

pub(crate) const FOUR: Spec = Spec {
    name: "one-way-from-four",
    title: "One way, from four outside threads",
    about: "Four threads send messages of 24 bytes to one actor, as fast as they can.",
    ..Spec::BASE
};

pub(crate) fn four<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    const SENDERS: u64 = 4;
    let (sink, sums) = sink::spawn(library, 0, SENDERS);
    each(rate(plan, FIRST * SENDERS, MOST, |count| {
        let each = count / SENDERS;
        thread::scope(|scope| {
            for _ in 0..SENDERS {
                scope.spawn(|| {
                    for i in 0..each {
                        L::tell(&sink, nth(i, each));
                    }
                });
            }
        });
        sink::expect(&sums, SENDERS * sum_to(each));
    }))
}

pub(crate) const BATCH: Spec = Spec {
    name: "one-way-batched",
    title: "One way in batches of 64, from an outside thread",
    about: "The same in batches of 64 messages, where a library has an operation for that (`send_all` in zctor).",
    needs: &[Need::Batch],
    threads: Threads::One,
    ..Spec::BASE
};

pub(crate) fn batch<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    const BATCH: u64 = 64;
    let (sink, sums) = sink::spawn(library, 0, 1);
    each(rate(plan, FIRST, MOST, |count| {
        for first in (0..count).step_by(BATCH as usize) {
            let last = (first + BATCH).min(count);
            L::tell_all(&sink, (first..last).map(|i| nth(i, count)));
        }
        sink::expect(&sums, sum_to(count));
    }))
}

pub(crate) const INSIDE: Spec = Spec {
    name: "one-way-inside",
    title: "One way, from an actor on one thread to one on another",
    about: "A handler sends messages of 24 bytes to an actor on another thread (on tokio: wherever the runtime puts it).",
    threads: Threads::Cores,
    ..Spec::BASE
};

pub(crate) fn inside<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    from_inside(library, plan, 1)
}

pub(crate) const SAME: Spec = Spec {
    name: "one-way-same-thread",
    title: "One way, between two actors of one thread",
    about: "A handler sends messages of 24 bytes to another actor of its own thread.",
    needs: &[Need::SharedThread],
    threads: Threads::One,
    field: Field::All,
    ..Spec::BASE
};

pub(crate) fn same<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    from_inside(library, plan, 0)
}

fn from_inside<L: Library>(library: &L, plan: &Plan, place: usize) -> Vec<Figure> {
    let (target, sums) = sink::spawn(library, place, 1);
    let source = library.spawn(0, move || Source::<L> { target });
    each(rate(plan, FIRST, MOST, |count| {
        L::tell(&source, count);
        sink::expect(&sums, sum_to(count));
    }))
}
