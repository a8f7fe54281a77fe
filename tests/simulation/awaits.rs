//! Futures and conditions are waited for in a simulation by its own means: in virtual time, and a wait that cannot end is
//! a hang that is told at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use zctor::simulation::simulate;
use zctor::{ActorEngine, ActorThread, CallError, ReplyTo, actor};

use crate::found::{Account, AccountClient, AccountMessage};

#[actor]
enum DeskMessage {
    #[reply(u32, deferred)]
    Ask,
    Answer,
}

#[derive(Default)]
struct Desk(Vec<ReplyTo<u32>>);

impl DeskHandler for Desk {
    fn ask(&mut self, reply: ReplyTo<u32>) {
        self.0.push(reply);
    }

    fn answer(&mut self) {
        self.0.drain(..).for_each(|reply| reply.send(1));
    }
}

#[test]
fn replies_room_and_the_end_of_an_engine_are_awaited() {
    let search = simulate(|simulation| {
        let engine = ActorEngine::new();
        engine.spawn(ActorThread::new().mailbox_bound(1).register(AccountMessage::actor(Account::default)))?;
        let account: AccountClient = engine.client::<AccountMessage>()?;
        let adders = [0, 1].map(|_| {
            let account = account.non_blocking();
            simulation.spawn_task("adder", async move {
                for _ in 0..3 {
                    account.call_async(AccountMessage::add(1)).await?;
                }
                Ok::<_, CallError>(())
            })
        });
        for adder in adders {
            adder.join().expect("no fault drops it")?;
        }
        assert_eq!(simulation.block_on(account.non_blocking().balance())?, 6);
        let handle = engine.handle();
        let stopped = simulation.spawn_task("watcher", async move { handle.stopped().await });
        let report = simulation.block_on(engine.shutdown_async())?;
        assert_eq!(report.handled(), 7);
        stopped.join().expect("no fault drops it");
        Ok(())
    });
    search.seeds(0..1_000).run();
}

#[test]
fn a_deadline_ends_an_awaited_call_in_virtual_time() {
    let search = simulate(|simulation| {
        let engine = ActorEngine::new();
        let desk: DeskClient = engine.pool(1, DeskMessage::actor(Desk::default))?;
        let begun = zctor::now();
        let late = desk.within(Duration::from_secs(3_600)).non_blocking().ask();
        assert!(matches!(simulation.block_on(late), Err(CallError::Timeout { begun: true, .. })));
        assert_eq!(begun + Duration::from_secs(3_600), zctor::now());
        engine.shutdown()?;
        Ok(())
    });
    search.slowest(Duration::ZERO).seeds(0..200).run();
}

#[test]
fn a_reply_that_nobody_sends_to_an_awaiting_task_is_a_hang() {
    let search = simulate(|simulation| {
        let engine = ActorEngine::new();
        let desk: DeskClient = engine.pool(1, DeskMessage::actor(Desk::default))?;
        let other = desk.clone();
        let answering = simulation.spawn("answering", move || other.answer());
        // The fault: an answer that comes first is for nobody.
        assert_eq!(simulation.block_on(desk.non_blocking().ask())?, 1);
        answering.join()?;
        engine.shutdown()?;
        Ok(())
    });
    let failure = search.seeds(0..1_000).outcome().expect_err("no seed finds it");
    assert!(failure.text().contains("nobody can move"), "{failure}");
}

#[test]
fn a_condition_is_waited_for_while_others_run_and_time_passes() {
    let search = simulate(|simulation| {
        let steps = Arc::new(AtomicU32::new(0));
        let walkers = [1, 2].map(|pause| {
            let steps = Arc::clone(&steps);
            simulation.spawn("walker", move || {
                for _ in 0..3 {
                    zctor::sleep(Duration::from_secs(pause));
                    steps.fetch_add(1, Ordering::Relaxed);
                }
            })
        });
        // Two that wait at a time, of which the second is met by what the first does.
        let (seen, told) = (Arc::clone(&steps), Arc::clone(&steps));
        let first = simulation.clone();
        let first = simulation.spawn("first", move || {
            first.wait_until(|| seen.load(Ordering::Relaxed) == 6);
            seen.fetch_add(1, Ordering::Relaxed);
        });
        simulation.wait_until(|| told.load(Ordering::Relaxed) == 7);
        first.join();
        walkers.into_iter().for_each(|walker| walker.join());
        Ok(())
    });
    search.seeds(0..1_000).run();
}

#[test]
fn a_condition_that_can_never_hold_is_a_hang_that_says_so() {
    let failure = simulate(|simulation| {
        let other = simulation.clone();
        let other = simulation.spawn("other", move || other.wait_until(|| false));
        simulation.wait_until(|| false);
        other.join();
        Ok(())
    });
    let failure = failure.seeds(0..10).outcome().expect_err("it cannot hold");
    assert!(failure.text().contains("nobody can move"), "{failure}");
    assert!(failure.text().contains("`other` waits until a condition holds, by `wait_until`"), "{failure}");
}
