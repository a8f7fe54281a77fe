//! The random topologies of `tests/worlds`, in simulated worlds: every call ends, nothing is lost or comes twice, order
//! holds, and nothing hangs.

use std::sync::Arc;

use zctor::simulation::{Search, Simulation, simulate};

use crate::Outcome;
use crate::topology::acts::Sender;
use crate::topology::{Style, World};

fn world(simulation: &Simulation) -> Outcome {
    let seed = simulation.seed();
    // As in `tests/worlds/topologies.rs`, but smaller: a run is one of thousands.
    let (leaving, bounded) = (seed.is_multiple_of(2), seed % 3 == 2);
    let style = Style { threads: 3, kinds: 4, senders: 2, operations: 24, panics: 40, leaving, bounded };
    let (engine, world) = World::start(seed, style);
    let senders: Vec<_> = (0..style.senders)
        .map(|_| {
            let (world, sender) = (Arc::clone(&world), Sender::new(world.number()));
            simulation.spawn("outside", move || world.send_from_outside(&sender))
        })
        .collect();
    let asked = senders.into_iter().flat_map(|sender| sender.join()).collect();
    world.finish(engine, asked);
    Ok(())
}

pub(crate) fn search() -> Search {
    simulate(world).allow_panics()
}

#[test]
fn random_topologies_lose_nothing_keep_order_and_do_not_hang() {
    search().seeds(0..300).run();
}
