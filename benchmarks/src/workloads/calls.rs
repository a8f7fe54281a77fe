//! Calls: a request, and a wait for its reply.

use super::sink::sum_to;
use super::{Spec, Threads};
use crate::library::{Library, Need, Oracle};
use crate::measure::{Figure, Plan, each, rate};

const FIRST: u64 = 20;
const MOST: u64 = 100_000;
const UNIT: &str = "ns a call";

pub(crate) const OUTSIDE: Spec = Spec {
    name: "call",
    title: "Call, from an outside thread",
    about: "A thread that is no actor's calls one actor and waits for the reply, one call after the other.",
    unit: UNIT,
    needs: &[Need::Ask],
    ..Spec::BASE
};

pub(crate) fn outside<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    let oracle = library.spawn(0, Oracle::new);
    each(rate(plan, FIRST, MOST, |count| {
        let sum: u64 = (0..count).map(|i| L::ask(&oracle, [i, 1, 0])).sum();
        assert_eq!(sum, sum_to(count) + count);
    }))
}

pub(crate) const INSIDE: Spec = Spec {
    name: "call-inside",
    title: "Call, from an actor on one thread to one on another",
    about: "A handler calls an actor on another thread and waits (blocking in zctor and in the threads, `.await` on \
            tokio, where the runtime puts the two as it likes).",
    unit: UNIT,
    needs: &[Need::AskInside],
    threads: Threads::Cores,
    ..Spec::BASE
};

pub(crate) fn inside<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    from_inside(library, plan, 1)
}

pub(crate) const SAME: Spec = Spec {
    name: "call-same-thread",
    title: "Call, between two actors of one thread",
    about: "A handler calls another actor of its own thread and waits for the reply.",
    unit: UNIT,
    needs: &[Need::AskInside, Need::SharedThread],
    threads: Threads::One,
    ..Spec::BASE
};

pub(crate) fn same<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    from_inside(library, plan, 0)
}

fn from_inside<L: Library>(library: &L, plan: &Plan, place: usize) -> Vec<Figure> {
    let oracle = library.spawn(place, Oracle::new);
    let caller = library.caller(0, oracle);
    each(rate(plan, FIRST, MOST, |count| assert_eq!(caller(count), sum_to(count) + count)))
}
