//! More threads than cores, all busy.

use super::ring::{Pass, relays};
use super::{Field, Spec, Threads, sink};
use crate::library::Library;
use crate::measure::{Figure, Plan, each, rate};

pub(crate) const SPEC: Spec = Spec {
    name: "crowd",
    title: "Round trips of many busy threads",
    about: "2, 16 and 64 threads in pairs, each pair at ping-pong with one message: the time of a round trip, over all \
            pairs together. `flume` parks at once, so it shows the price without spinning; `flume + oneshot, spinning` \
            spins whatever the others do.",
    unit: "ns a round trip",
    threads: Threads::Point,
    field: Field::Ours,
    points: &[2, 16, 64],
    axis: "threads",
    ..Spec::BASE
};

pub(crate) fn run<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    let pairs: Vec<_> = (0..plan.point as usize / 2).map(|pair| relays(library, 2, 2 * pair)).collect();
    each(rate(plan, 20 * pairs.len() as u64, 500_000, |trips| {
        let each = trips / pairs.len() as u64;
        pairs.iter().for_each(|(first, _)| L::tell(first, Pass::Token(2 * each)));
        pairs.iter().for_each(|(_, ends)| sink::expect(ends, 0));
    }))
}
