//! `settle` returns when the inside is quiet, and not before.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use zctor::simulation::{Search, simulate};
use zctor::{ActorEngine, Context, actor};

#[actor(ctx)]
enum RelayMessage {
    Run(u32),
}

struct Relay(Arc<AtomicU32>);

impl RelayHandler for Relay {
    fn run(&mut self, ctx: &mut Context<RelayMessage>, hops: u32) {
        self.0.fetch_add(1, Ordering::Relaxed);
        if hops > 0 {
            ctx.send(RelayMessage::Run(hops - 1)).expect("the next relay lives");
        }
    }
}

pub(crate) fn search() -> Search {
    simulate(|simulation| {
        let runs = Arc::new(AtomicU32::new(0));
        let engine = ActorEngine::new();
        let relays: RelayClient = {
            let runs = Arc::clone(&runs);
            engine.pool(3, RelayMessage::actor(move || Relay(Arc::clone(&runs))))?
        };
        let beside = {
            let relays = relays.clone();
            simulation.spawn("beside", move || relays.run(2))
        };
        relays.run(4)?;
        engine.settle();
        assert!(runs.load(Ordering::Relaxed) >= 5, "settled after {} runs", runs.load(Ordering::Relaxed));
        beside.join()?;
        engine.settle();
        assert_eq!(runs.load(Ordering::Relaxed), 8);
        engine.shutdown()?;
        Ok(())
    })
}

#[test]
fn a_settled_engine_is_quiet() {
    search().seeds(0..2_000).run();
}
