//! Round robin is exact, whoever sends beside.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use zctor::simulation::simulate;
use zctor::{ActorEngine, Context, InstanceId, actor};

#[actor(ctx)]
enum PlaceMessage {
    Come(u32),
    #[reply(())]
    Ask(u32),
}

type Book = Arc<Mutex<BTreeMap<InstanceId, Vec<u32>>>>;

struct Place(Book);

impl Place {
    fn note(&self, ctx: &Context<PlaceMessage>, from: u32) {
        self.0.lock().expect("nothing panics under it").entry(ctx.instance_id()).or_default().push(from);
    }
}

impl PlaceHandler for Place {
    fn come(&mut self, ctx: &mut Context<PlaceMessage>, from: u32) {
        self.note(ctx, from);
    }

    fn ask(&mut self, ctx: &mut Context<PlaceMessage>, from: u32) {
        self.note(ctx, from);
    }
}

#[test]
fn senders_side_by_side_share_the_turns_exactly() {
    let search = simulate(|simulation| {
        let book = Book::default();
        let engine = ActorEngine::new();
        let places: PlaceClient = {
            let book = Arc::clone(&book);
            engine.pool(3, PlaceMessage::actor(move || Place(Arc::clone(&book))))?
        };
        let senders = [0, 1].map(|me| {
            let places = places.clone();
            simulation.spawn("sender", move || {
                for number in 0..3 {
                    if number == 1 {
                        places.ask(me).expect("it answers");
                    } else {
                        places.come(me).expect("it lives");
                    }
                }
            })
        });
        for sender in senders {
            sender.join();
        }
        engine.shutdown()?;
        let book = book.lock().expect("nothing panics under it");
        let shares: Vec<usize> = book.values().map(Vec::len).collect();
        assert_eq!(shares, [2, 2, 2], "{book:?}");
        Ok(())
    });
    search.seeds(0..2_000).run();
}

#[test]
fn a_place_that_ends_changes_nobody_elses_turn() {
    let search = simulate(|simulation| {
        let book = Book::default();
        let engine = ActorEngine::new();
        let places: PlaceClient = {
            let book = Arc::clone(&book);
            engine.pool(3, PlaceMessage::actor(move || Place(Arc::clone(&book))))?
        };
        let last = places.instances()[2];
        let stopping = {
            let last = places.pin(last);
            simulation.spawn("stopper", move || last.stop())
        };
        for number in 0..6 {
            places.come(number)?;
        }
        stopping.join()?;
        engine.settle();
        engine.shutdown()?;
        let book = book.lock().expect("nothing panics under it");
        let mut all: Vec<u32> = book.values().flatten().copied().collect();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3, 4, 5], "each was handled once: {book:?}");
        Ok(())
    });
    search.seeds(0..2_000).run();
}
