//! A search is the same however it is made: several runs at a time, for a time, with marks and invariants.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use zctor::simulation::{Failure, Summary, simulate};
use zctor::{ActorEngine, actor};

use crate::found::{Account, AccountClient, AccountMessage, TellerMessage, bank};
use crate::order::order_and_totals;

#[test]
fn several_runs_at_a_time_are_the_runs_that_one_makes() {
    let search = |jobs| simulate(order_and_totals).jobs(jobs).seeds(0..400).outcome().unwrap_or_else(|f| panic!("{f}"));
    assert_eq!(search(1), search(3));
}

#[test]
fn of_several_seeds_that_fail_the_first_is_told_whoever_finds_it() {
    let search = |jobs| {
        let search = simulate(|_| bank(TellerMessage::Deposit)).jobs(jobs).slowest(Duration::ZERO);
        search.seeds(0..1_000).outcome().expect_err("a deposit is lost")
    };
    assert_eq!(search(1).seed(), search(4).seed());
}

#[test]
fn a_search_ends_with_its_time() {
    let search = simulate(|_| Ok(())).seeds(0..u64::MAX).time_limit(Duration::from_millis(50));
    assert!(search.outcome().expect("no run fails").runs() > 1);
}

#[actor]
enum TillMessage {
    Take,
    GiveBack,
}

struct Till(Arc<AtomicU32>);

impl TillHandler for Till {
    fn take(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    fn give_back(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn an_invariant_tells_the_step_behind_which_it_does_not_hold() {
    let search = simulate(|simulation| {
        let coins = Arc::new(AtomicU32::new(1));
        {
            let coins = Arc::clone(&coins);
            simulation.invariant("a coin is left", move || coins.load(Ordering::Relaxed) > 0);
        }
        let engine = ActorEngine::new();
        let till: TillClient = engine.pool(1, TillMessage::actor(move || Till(Arc::clone(&coins))))?;
        let taker = till.clone();
        let taking = simulation.spawn("taker", move || taker.take());
        // In the usual order first.
        till.give_back()?;
        taking.join()?;
        engine.shutdown()?;
        Ok(())
    });
    let failure = search.seeds(0..1_000).outcome().expect_err("the order is not given");
    let text = "the invariant `a coin is left` does not hold behind `0.0 begins TillMessage::Take`";
    assert!(failure.text().contains(text), "{failure}");
    let last = failure.trace().lines().last().unwrap_or_default();
    assert!(last.contains("begins TillMessage::Take"), "the trace ends there: {failure}");
}

#[test]
fn an_invariant_that_holds_changes_no_run() {
    let search = |looks: bool| {
        let search = simulate(move |simulation| {
            if looks {
                simulation.invariant("all is well", || true);
            }
            let engine = ActorEngine::new();
            let account: AccountClient = engine.pool(1, AccountMessage::actor(Account::default))?;
            account.set(3)?;
            assert_eq!(account.balance()?, 3);
            engine.shutdown()?;
            Ok(())
        });
        search.seeds(0..200).outcome().unwrap_or_else(|failure| panic!("{failure}"))
    };
    assert_eq!(search(true), search(false));
}

/// A thread that `main` does not join, and what becomes of the run.
fn left_behind(ends: impl Fn() + Clone + Send + Sync + 'static) -> Result<Summary, Box<Failure>> {
    let search = simulate(move |simulation| {
        drop(simulation.spawn("left behind", ends.clone()));
        Ok(())
    });
    search.seeds(0..20).outcome()
}

#[test]
fn a_thread_that_outlives_main_may_run_to_its_end_and_may_not_wait() {
    let ended = left_behind(|| assert!(zctor::now() <= zctor::now()));
    assert!(ended.is_ok(), "{ended:?}");
    let waits = left_behind(|| zctor::sleep(Duration::from_millis(1))).expect_err("it sleeps");
    assert_eq!(
        waits.text(),
        "main has ended, and 1 thread of the simulation still waits: shut each engine down, and join what was spawned"
    );
}
