//! Many send to one.

use super::Spec;
use super::sink::{self, Source, sum_to};
use crate::library::Library;
use crate::measure::{Figure, Plan, each, rate};

const SENDERS: u64 = 60;

pub(crate) const SPEC: Spec = Spec {
    name: "fan-in",
    title: "Fan-in of 60",
    about: "Sixty actors send messages of 24 bytes to one, each from its handler as fast as it can.",
    ..Spec::BASE
};

pub(crate) fn run<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    let (target, sums) = sink::spawn(library, 0, SENDERS);
    let sources: Vec<_> = (1..=SENDERS)
        .map(|place| {
            let target = target.clone();
            library.spawn(place as usize, move || Source::<L> { target })
        })
        .collect();
    each(rate(plan, 100 * SENDERS, 200_000, |count| {
        let each = count / SENDERS;
        sources.iter().for_each(|source| L::tell(source, each));
        sink::expect(&sums, SENDERS * sum_to(each));
    }))
}
