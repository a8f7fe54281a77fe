//! Two engines joined by a loopback, in one simulation: what goes through the link is handled once and in order, the books
//! balance and every call ends, whenever one of the engines stops.

use serde::{Deserialize, Serialize};
use zctor::remote::Loopback;
use zctor::simulation::{Faults, Search, simulate};
use zctor::{ActorEngine, Context, actor};

const LIMIT: std::time::Duration = std::time::Duration::from_secs(60);

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum LogMessage {
    Note(u32, u32),
    #[reply(Vec<(u32, u32)>)]
    Notes,
}

#[derive(Default)]
struct Log(Vec<(u32, u32)>);

impl LogHandler for Log {
    fn note(&mut self, from: u32, number: u32) {
        self.0.push((from, number));
    }

    fn notes(&mut self) -> Vec<(u32, u32)> {
        self.0.clone()
    }
}

#[test]
fn what_goes_through_a_link_is_handled_once_and_in_its_senders_order() {
    let search = simulate(|simulation| {
        let (serves, calls) = Loopback::pair();
        let (there, here) = (ActorEngine::new(), ActorEngine::new());
        there.pool(1, LogMessage::actor(Log::default))?;
        serves.serve::<LogMessage>(&there)?;
        let log: LogClient = calls.attach::<LogMessage>(&here)?;
        let senders = [0, 1].map(|me| {
            let log = log.clone();
            simulation.spawn("sender", move || (0..3).all(|number| log.note(me, number).is_ok()))
        });
        for sender in senders {
            assert!(sender.join());
        }
        let notes = log.notes()?;
        for me in [0, 1] {
            let of_one: Vec<u32> = notes.iter().filter(|(from, _)| *from == me).map(|(_, number)| *number).collect();
            assert_eq!(of_one, [0, 1, 2], "{notes:?}");
        }
        let books = calls.flush(LIMIT);
        assert!(books.is_balanced() && (books.acked, books.called) == (6, 1), "{books}");
        here.shutdown()?;
        there.shutdown()?;
        Ok(())
    });
    search.seeds(0..500).run();
}

#[test]
fn the_books_balance_whenever_the_serving_engine_stops() {
    let search = simulate(|simulation| {
        let (serves, calls) = Loopback::pair();
        let (there, here) = (ActorEngine::new(), ActorEngine::new());
        there.pool(1, LogMessage::actor(Log::default))?;
        serves.serve::<LogMessage>(&there)?;
        let log: LogClient = calls.attach::<LogMessage>(&here)?;
        let handle = there.handle();
        let stopper = simulation.spawn("stopper", move || handle.stop());
        for number in 0..3 {
            log.note(0, number)?;
        }
        if log.notes().is_err() {
            simulation.mark("a call found it stopped");
        }
        stopper.join();
        here.settle();
        let books = calls.flush(LIMIT);
        assert!(books.is_balanced() && (books.accepted, books.called) == (3, 1), "{books}");
        let report = here.shutdown()?;
        assert_eq!(report.dead_letters, books.accepted - books.acked, "{report}, {books}");
        there.shutdown()?;
        Ok(())
    });
    search.faults(Faults::new().timeouts()).must_reach(&["a call found it stopped"]).seeds(0..500).run();
}

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum StockMessage {
    #[reply(u32)]
    Left,
    Set(u32),
}

struct Stock(u32);

impl StockHandler for Stock {
    fn left(&mut self) -> u32 {
        self.0
    }

    fn set(&mut self, left: u32) {
        self.0 = left;
    }
}

#[actor(calls(StockMessage))]
enum SellerMessage {
    Sell,
}

struct Seller;

impl SellerHandler for Seller {
    fn sell(&mut self, ctx: &mut Context<SellerMessage>) {
        // The fault: another seller may come between these two lines, on their way to the other engine.
        let left = ctx.call(StockMessage::left()).expect("it answers");
        ctx.send(StockMessage::Set(left - 1)).expect("the link takes it");
    }
}

fn sales() -> Search {
    simulate(|_| {
        let (serves, calls) = Loopback::pair();
        let (there, here) = (ActorEngine::new(), ActorEngine::new());
        let stock: StockClient = there.pool(1, StockMessage::actor(|| Stock(10)))?;
        serves.serve::<StockMessage>(&there)?;
        calls.attach::<StockMessage>(&here)?;
        let sellers: SellerClient = here.pool(2, SellerMessage::actor(|| Seller))?;
        sellers.sell()?;
        sellers.sell()?;
        here.settle();
        calls.flush(LIMIT);
        let left = stock.left()?;
        here.shutdown()?;
        there.shutdown()?;
        if left == 8 { Ok(()) } else { Err(format!("{left} are left").into()) }
    })
}

#[test]
fn an_update_that_is_lost_across_two_engines_is_found_and_runs_again_by_its_seed() {
    let failure = sales().seeds(0..1_000).outcome().expect_err("no seed finds it");
    assert_eq!(failure.text(), "9 are left");
    assert!(failure.trace().contains("give work to a lane"), "{failure}");
    if let Some(seed) = failure.seed() {
        assert_eq!(sales().seeds(seed..seed + 1).outcome().expect_err("it fails again").trace(), failure.trace());
    }
}
