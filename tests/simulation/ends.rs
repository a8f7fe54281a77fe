//! An instance, an engine, a rebuild or a task that ends at the seed's choice finds what a program does not allow for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use zctor::simulation::{Failure, Faults, Search, simulate};
use zctor::{ActorEngine, BoxError, CallError, Restart, actor};

use crate::found::{Account, AccountClient, AccountMessage};

/// Passes without faults, and is found by this one, which is told as a reason.
fn found(search: impl Fn() -> Search, faults: Faults, told: &str) -> Box<Failure> {
    search().seeds(0..300).run();
    let failure = search().faults(faults).seeds(0..1_000).outcome().expect_err("no seed finds it");
    assert!(failure.explanation().contains("it takes a fault too"), "{failure}");
    assert!(failure.trace().contains(told), "{failure}");
    failure
}

#[actor]
enum DispenserMessage {
    #[reply(u32)]
    Next,
}

#[derive(Default)]
struct Dispenser(u32);

impl DispenserHandler for Dispenser {
    fn next(&mut self) -> u32 {
        self.0 += 1;
        self.0
    }
}

/// The next number, of another dispenser if this one has ended. The fault: that one begins with the first number again.
fn number(engine: &ActorEngine, dispenser: &mut DispenserClient) -> Result<u32, BoxError> {
    loop {
        match dispenser.next() {
            Err(CallError::Stopped { .. } | CallError::NotRegistered { .. }) => {
                *dispenser = engine.start(DispenserMessage::actor(Dispenser::default))?;
            }
            outcome => return Ok(outcome?),
        }
    }
}

#[test]
fn an_instance_that_stops_shows_that_a_number_is_given_twice() {
    let search = || {
        simulate(|_| {
            let engine = ActorEngine::new();
            let mut dispenser: DispenserClient = engine.pool(1, DispenserMessage::actor(Dispenser::default))?;
            let mut numbers = Vec::new();
            for _ in 0..3 {
                numbers.push(number(&engine, &mut dispenser)?);
            }
            engine.shutdown()?;
            numbers.dedup();
            if numbers.len() == 3 { Ok(()) } else { Err("a number is given twice".into()) }
        })
    };
    let failure = found(search, Faults::new().stops(), "stops its instance, by a fault");
    assert_eq!(failure.text(), "a number is given twice");
}

/// What is in the shop and in its books, as on a disk.
#[derive(Default)]
struct Disk {
    sold: AtomicU32,
    noted: AtomicU32,
}

#[actor]
enum ShopMessage {
    #[reply(())]
    Sell,
    Note,
}

struct Shop(Arc<Disk>);

impl ShopHandler for Shop {
    fn sell(&mut self) {
        self.0.sold.fetch_add(1, Ordering::Relaxed);
    }

    fn note(&mut self) {
        self.0.noted.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn an_engine_that_stops_shows_that_a_sale_is_not_noted() {
    let search = || {
        simulate(|_| {
            let disk = Arc::new(Disk::default());
            let engine = ActorEngine::new();
            let shop: ShopClient = {
                let disk = Arc::clone(&disk);
                engine.pool(1, ShopMessage::actor(move || Shop(Arc::clone(&disk))))?
            };
            for _ in 0..3 {
                // The fault: the engine may stop between these two.
                if shop.sell().is_err() || shop.note().is_err() {
                    break;
                }
            }
            let report = engine.shutdown()?;
            assert_eq!(report.left, 0, "{report}");
            let [sold, noted] = [&disk.sold, &disk.noted].map(|count| count.load(Ordering::Relaxed));
            if sold == noted { Ok(()) } else { Err("a sale is not noted".into()) }
        })
    };
    let failure = found(search, Faults::new().shutdowns(), "stops an engine, by a fault");
    assert_eq!(failure.text(), "a sale is not noted");
}

#[actor]
enum ParserMessage {
    #[reply(u32)]
    Parse(&'static str),
}

struct Parser;

impl ParserHandler for Parser {
    fn parse(&mut self, line: &'static str) -> u32 {
        line.parse().expect("a number")
    }
}

#[test]
fn a_rebuild_that_fails_shows_that_lines_behind_a_bad_one_are_lost() {
    let search = || {
        let search = simulate(|_| {
            let engine = ActorEngine::new();
            // The fault: one rebuild is one bad line, but a rebuild that fails counts too.
            let restart = Restart::at_most(1, Duration::from_secs(60));
            let parser: ParserClient = engine.pool(1, ParserMessage::actor(|| Parser).restart(restart))?;
            let parsed = ["1", "two", "3", "4"].map(|line| parser.parse(line));
            engine.shutdown()?;
            let parsed = parsed.iter().filter(|number| number.is_ok()).count();
            if parsed == 3 { Ok(()) } else { Err("a good line is not parsed".into()) }
        });
        search.allow_panics()
    };
    let failure = found(search, Faults::new().failed_rebuilds(), "cannot build a state again, by a fault");
    assert_eq!(failure.text(), "a good line is not parsed");
}

#[test]
fn a_task_that_is_dropped_shows_that_money_is_lost() {
    let search = || {
        simulate(|simulation| {
            let engine = ActorEngine::new();
            let [from, to]: [AccountClient; 2] = [
                engine.start(AccountMessage::actor(Account::default))?,
                engine.start(AccountMessage::actor(Account::default))?,
            ];
            let transfer = {
                let (from, to) = (from.clone(), to.clone());
                async move {
                    // The fault: a task that is dropped here has taken the money and not given it.
                    from.non_blocking().add(-10).await?;
                    to.non_blocking().add(10).await
                }
            };
            let outcome = simulation.spawn_task("transfer", transfer).join().transpose()?;
            if outcome.is_none() {
                simulation.mark("a task was dropped");
            }
            let sum = from.balance()? + to.balance()?;
            engine.shutdown()?;
            if sum == 0 { Ok(()) } else { Err("money is lost".into()) }
        })
    };
    let failure = found(search, Faults::new().cancellations(), "drops its task, by a fault");
    assert_eq!(failure.text(), "money is lost");
}

#[test]
fn whatever_ends_at_the_seeds_choice_each_message_is_accounted_for_and_each_call_ends() {
    let search = simulate(|simulation| {
        let engine = ActorEngine::new();
        let restart = Restart::always().backoff(Duration::from_millis(1), Duration::from_millis(50));
        let account: AccountClient = engine.pool(2, AccountMessage::actor(Account::default).restart(restart))?;
        let callers = [0, 1].map(|_| {
            let account = account.clone();
            simulation.spawn("caller", move || (0..3).filter(|number| account.add(*number).is_err()).count())
        });
        let sent = (0..3).filter(|number| account.set(*number).is_ok()).count() as u64;
        if callers.map(|caller| caller.join()).iter().sum::<usize>() > 0 {
            simulation.mark("a call was not answered");
        }
        let report = engine.shutdown()?;
        let accounted = report.handled() + report.panicked() + report.dead_letters + report.left;
        assert!(accounted >= sent, "{sent} were accepted: {report}");
        assert!(accounted <= 9, "nothing twice: {report}");
        Ok(())
    });
    let faults = Faults::new().panics().stops().shutdowns().failed_rebuilds();
    search.faults(faults).must_reach(&["a call was not answered"]).seeds(0..2_000).run();
}
