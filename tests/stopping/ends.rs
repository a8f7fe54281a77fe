//! Each end of an instance is in the report once, among those that came earlier or by itself, whenever the shutdown
//! begins.

use zctor::{ActorEngine, Context, actor};
use zctor_tests::{Counter, bounded, receive};

use std::sync::mpsc;

/// How often a shutdown begins amid ends.
const ROUNDS: u64 = 60;
const THREADS: usize = 3;

#[actor]
enum BriefMessage {
    Count,
}

struct Brief(Counter);

impl BriefHandler for Brief {
    fn count(&mut self) {
        self.0.increment();
    }
}

#[actor(ctx)]
enum BreederMessage {
    /// Starts an instance that handles one message and ends; then goes on until the engine stops.
    Breed,
}

struct Breeder {
    handled: Counter,
    started: Counter,
    many: mpsc::Sender<()>,
}

impl BreederHandler for Breeder {
    fn breed(&mut self, ctx: &mut Context<BreederMessage>) {
        let handled = self.handled.clone();
        let brief = ctx.start::<BriefMessage>(|| Brief(handled)).expect("the inside is open");
        brief.count().expect("it lives");
        brief.stop().expect("it lives");
        if self.started.increment() % 100 == 99 {
            self.many.send(()).unwrap_or_default();
        }
        if !ctx.stopping() {
            ctx.me().breed().expect("it lives");
        }
    }
}

#[test]
fn each_end_is_reported_once_whenever_the_shutdown_begins() {
    bounded(|| {
        for round in 0..ROUNDS {
            let (handled, started) = (Counter::new(), Counter::new());
            let (many, there) = mpsc::channel();
            let (of_briefs, of_breeders) = (handled.clone(), started.clone());
            let breeder = BreederMessage::actor(move || Breeder {
                handled: of_briefs.clone(),
                started: of_breeders.clone(),
                many: many.clone(),
            });
            let engine = ActorEngine::new();
            let breeders = engine.pool(THREADS, breeder).unwrap();
            assert_eq!(breeders.broadcast_with(|_| BreederMessage::Breed), Ok(THREADS));
            (0..round % 4).for_each(|_| receive(&there));
            let report = engine.shutdown().unwrap();
            assert_eq!(report.earlier.instances + report.instances.len() as u64, started.get() + THREADS as u64);
            assert_eq!(report.handled(), handled.get() + started.get());
            let briefs = report.instances.iter().filter(|one| one.message == "BriefMessage");
            assert!(briefs.into_iter().all(|one| one.handled == 1), "{report}");
            assert_eq!((report.dead_letters, report.left), (0, 0));
        }
    });
}
