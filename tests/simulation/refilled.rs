//! A place of a pool by key is filled again while messages are on their way: an order holds for each key, one instance at a
//! time has it, and each message is handled, told of, or back.

use std::sync::{Arc, Mutex, PoisonError};

use zctor::simulation::{Faults, Simulation, simulate};
use zctor::{ActorEngine, BoxError, Context, InstanceId, Restart, actor};

#[actor(ctx)]
enum ShelfMessage {
    Put {
        #[key]
        key: u32,
        number: u32,
    },
}

/// Where each was put, in the order in which that was done.
type Book = Arc<Mutex<Vec<(InstanceId, u32, u32)>>>;

struct Shelf(Book);

impl ShelfHandler for Shelf {
    fn put(&mut self, ctx: &mut Context<ShelfMessage>, key: u32, number: u32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((ctx.instance_id(), key, number));
    }
}

const KEYS: u32 = 4;
const BATCHES: u32 = 3;
const EACH: u32 = 8;

fn refilled(simulation: &Simulation) -> Result<(), BoxError> {
    let (engine, book) = (ActorEngine::new(), Book::default());
    let shelf = || {
        let book = Arc::clone(&book);
        ShelfMessage::actor(move || Shelf(Arc::clone(&book))).restart(Restart::always())
    };
    let shelves: ShelfClient = engine.pool(2, shelf())?;
    let places = shelves.instances();
    let sender = {
        let shelves = shelves.clone();
        simulation.spawn("sender", move || {
            let mut back = Vec::new();
            for batch in 0..BATCHES {
                let numbers = batch * EACH..(batch + 1) * EACH;
                let all = numbers.map(|number| ShelfMessage::Put { key: number % KEYS, number });
                if let Err(refused) = shelves.send_all(all) {
                    back.extend(refused.into_inner());
                }
            }
            back
        })
    };
    let new = engine.replace(places[1], shelf())?;
    if simulation.below(2) == 0 {
        // And once more, while the one before it is only just there.
        engine.replace(new.instance_id().ok_or("it is bound")?, shelf())?;
    }
    let back = sender.join();
    assert_eq!(shelves.instances().len(), 2);
    let report = engine.shutdown()?;
    let book = book.lock().unwrap_or_else(PoisonError::into_inner);
    for key in 0..KEYS {
        let put: Vec<u32> = book.iter().filter(|(_, of, _)| *of == key).map(|(_, _, number)| *number).collect();
        assert!(put.is_sorted_by(|one, next| one < next), "one sender's messages by one key: {put:?}");
        let mut by: Vec<InstanceId> = book.iter().filter(|(_, of, _)| *of == key).map(|(by, _, _)| *by).collect();
        by.dedup();
        if by.len() > 1 {
            simulation.mark("a key went from one instance to the next");
        }
        assert!(by.iter().enumerate().all(|(at, one)| !by[..at].contains(one)), "one at a time has it: {by:?}");
    }
    assert_eq!(book.len() + report.dead_letters as usize + back.len(), (BATCHES * EACH) as usize, "{report}");
    if report.dead_letters > 0 {
        simulation.mark("some came too late for the instance before");
    }
    Ok(())
}

#[test]
fn each_key_keeps_its_order_while_its_place_is_filled_again() {
    let marks = ["a key went from one instance to the next", "some came too late for the instance before"];
    simulate(refilled).must_reach(&marks).seeds(0..1_000).run();
}

#[test]
fn so_it_does_where_instances_stop_by_themselves() {
    // Then a replacement may find no place, or one that is vacant; and what an instance leaves is told.
    let search = simulate(|simulation| {
        let (engine, book) = (ActorEngine::new(), Book::default());
        let shelf = || {
            let book = Arc::clone(&book);
            ShelfMessage::actor(move || Shelf(Arc::clone(&book)))
        };
        let shelves: ShelfClient = engine.pool(2, shelf())?;
        let places = shelves.instances();
        let sender = {
            let shelves = shelves.clone();
            simulation.spawn("sender", move || {
                let all = (0..EACH).map(|number| ShelfMessage::Put { key: number % KEYS, number });
                shelves.send_all(all).map_or_else(|refused| refused.into_inner().len(), |_| 0)
            })
        };
        engine.replace(places[0], shelf())?;
        engine.replace(places[1], shelf())?;
        let back = sender.join();
        let report = engine.shutdown()?;
        let book = book.lock().unwrap_or_else(PoisonError::into_inner);
        let by: std::collections::BTreeSet<InstanceId> = book.iter().map(|(by, _, _)| *by).collect();
        for one in by {
            let put: Vec<u32> = book.iter().filter(|(by, _, _)| *by == one).map(|(_, _, number)| *number).collect();
            assert!(put.is_sorted(), "one sender's messages to one instance: {put:?}");
        }
        assert_eq!(book.len() + report.dead_letters as usize + back, EACH as usize, "{report}");
        Ok(())
    });
    search.faults(Faults::new().stops()).seeds(0..1_000).run();
}
