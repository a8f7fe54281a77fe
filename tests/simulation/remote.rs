//! Two engines joined by a loopback, in one simulation: what goes through the link is handled once and in order, the books
//! balance and every call ends, whenever one of the engines stops.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use zctor::remote::{Loopback, RemoteMessage};
use zctor::simulation::{Faults, Search, Simulation, simulate};
use zctor::{ActorEngine, BoxError, CallError, Context, SpawnError, actor};

const LIMIT: Duration = Duration::from_secs(60);

/// An engine that serves a pool of one, and one that has a link to it.
struct Joined<M: RemoteMessage> {
    serves: Loopback,
    calls: Loopback,
    there: ActorEngine,
    here: ActorEngine,
    /// Of the pool there.
    pool: M::Client,
    /// Of the link to it.
    link: M::Client,
}

fn joined<M: RemoteMessage>(
    pool: impl FnOnce(&ActorEngine) -> Result<M::Client, SpawnError>,
) -> Result<Joined<M>, BoxError> {
    let (serves, calls) = Loopback::pair();
    let (there, here) = (ActorEngine::new(), ActorEngine::new());
    let pool = pool(&there)?;
    serves.serve::<M>(&there)?;
    let link = calls.attach::<M>(&here)?;
    Ok(Joined { serves, calls, there, here, pool, link })
}

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
        let Joined { calls, there, here, link: log, .. } =
            joined::<LogMessage>(|there| there.pool(1, LogMessage::actor(Log::default)))?;
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
        let Joined { calls, there, here, link: log, .. } =
            joined::<LogMessage>(|there| there.pool(1, LogMessage::actor(Log::default)))?;
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

/// The end that serves leaves, or its engine stops, while calls are on their way and on their way back.
fn cut(simulation: &Simulation) -> Result<(), BoxError> {
    let Joined { serves, calls, there, here, link: log, .. } =
        joined::<LogMessage>(|there| there.pool(1, LogMessage::actor(Log::default)))?;
    let callers = [0, 1].map(|me| {
        let log = log.clone();
        simulation.spawn("caller", move || {
            let (mut answered, mut sent) = (0, 0);
            for number in 0..3 {
                sent += u64::from(log.note(me, number).is_ok());
                match log.notes() {
                    Ok(_) => answered += 1,
                    // Nobody serves it, or no longer.
                    Err(CallError::NotRegistered { .. } | CallError::Stopped { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            (answered, sent)
        })
    });
    let leaves = simulation.below(3);
    match leaves {
        0 => there.handle().stop(),
        1 => drop(serves.leave(Duration::ZERO)),
        _ => {
            let books = serves.leave(LIMIT);
            assert!(books.is_drained(), "{books}");
        }
    }
    let (answered, sent) =
        callers.map(|caller| caller.join()).into_iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    here.settle();
    let books = calls.flush(LIMIT);
    assert!(books.is_balanced() && (books.accepted, books.called) == (sent, 6), "{books}");
    let report = there.shutdown()?;
    if leaves > 0 {
        assert_eq!(
            report.handled(),
            books.acked + answered,
            "what was taken is handled and answered: {report}, {books}"
        );
    }
    assert!(report.handled() >= answered && report.left == 0, "{report}, {books}");
    let report = here.shutdown()?;
    assert_eq!(report.dead_letters, sent - books.acked, "{report}, {books}");
    if (1..6).contains(&answered) {
        simulation.mark("it was cut in the middle");
    }
    Ok(())
}

#[test]
fn each_call_ends_wherever_it_is_when_the_link_is_cut() {
    let search = simulate(cut).faults(Faults::new().timeouts());
    search.must_reach(&["it was cut in the middle"]).seeds(0..1_000).run();
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
        let Joined { calls, there, here, pool: stock, .. } =
            joined::<StockMessage>(|there| there.pool(1, StockMessage::actor(|| Stock(10))))?;
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
    assert!(failure.trace().contains("give work to a feeder"), "{failure}");
    if let Some(seed) = failure.seed() {
        assert_eq!(sales().seeds(seed..seed + 1).outcome().expect_err("it fails again").trace(), failure.trace());
    }
}
