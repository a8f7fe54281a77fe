//! A shutdown in the middle of everything, a thousand times: it ends, every accepted copy is in its report once, and
//! nobody hangs, not even on a thread that was left to itself.
//!
//! The worlds are those of `topology/mod.rs`, small ones, with the seeds `0..1000`; `ZCTOR_SEED` runs one, as a failure
//! prints it.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::topology::acts::Asked;
use crate::topology::{Style, World, given, watched};
use zctor::{ActorEngine, Report, ShutdownError};
use zctor_tests::{Gate, SplitMix64};

const ROUNDS: u64 = if cfg!(miri) { 3 } else { 1000 };
const OPERATIONS: u64 = if cfg!(miri) { 50 } else { 400 };

/// How a round ends.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Shutdown,
    /// By a handle; then a thread waits for it.
    Stop,
    /// Two threads shut it down at once.
    Twice,
    Deadline(Duration),
    Drop,
    /// By a deadline, while a handler does not return.
    Stuck,
}

impl Ending {
    fn draw(seed: u64, dice: &mut SplitMix64) -> Self {
        // A handler that does not return takes a shutdown's whole time, so that there are few of those.
        match seed % 20 {
            0 => Self::Stuck,
            1..4 => Self::Drop,
            4..8 => Self::Deadline(Duration::from_micros(dice.next_u64() % 3000)),
            8..10 => Self::Twice,
            10..14 => Self::Stop,
            _ => Self::Shutdown,
        }
    }
}

#[test]
fn a_shutdown_in_the_middle_of_everything_ends_and_accounts_for_all() {
    for seed in given("ZCTOR_SEED").map_or(0..ROUNDS, |seed| seed..seed + 1) {
        round(seed);
    }
}

fn round(seed: u64) {
    let mut dice = SplitMix64::new(seed);
    let ending = Ending::draw(seed, &mut dice);
    let stuck = matches!(ending, Ending::Stuck);
    let style = Style {
        threads: 3,
        kinds: 2 + dice.below(5),
        senders: 2,
        operations: OPERATIONS,
        panics: 40,
        leaving: dice.below(2) == 0,
        bounded: !stuck && dice.below(3) == 0,
    };
    let (engine, world) = World::start(seed, style);
    let its = Arc::clone(&world);
    watched(&world, move || {
        let world = its;
        let gate = Gate::new();
        let (asked, ended, own) = thread::scope(|scope| {
            let load = scope.spawn(|| world.load());
            let begun = dice.next_u64() % OPERATIONS;
            while world.operations_begun() < begun {
                thread::yield_now();
            }
            if stuck {
                world.hold_one(&gate);
                gate.await_arrivals(1);
            }
            world.expect_stop();
            let own = world.ledger.own.get();
            let ended = end(engine, ending);
            (load.join().expect("it does not panic"), ended, own)
        });
        // Whoever waits is answered, also by a thread that was left to itself and is still at work.
        world.deliver_post();
        asked.iter().for_each(|asked: &Asked| world.wait(asked));
        drop(asked);
        let own = [own, world.ledger.own.get()];
        gate.open();
        world.await_drops();
        if let Some(ended) = ended {
            account(&world, &ended, stuck, own);
        }
        world.ledger.claim_nothing_leaked();
        world.assert_no_faults();
    });
}

/// Ends the engine; gives its report where there is one.
fn end(engine: ActorEngine, ending: Ending) -> Option<Result<Report, ShutdownError>> {
    match ending {
        Ending::Shutdown => Some(engine.shutdown()),
        Ending::Stop => {
            engine.handle().stop();
            Some(engine.shutdown())
        }
        Ending::Twice => thread::scope(|scope| {
            let other = scope.spawn(|| engine.shutdown());
            let one = engine.shutdown().expect("every handler returns");
            let other = other.join().expect("it does not panic").expect("every handler returns");
            assert_eq!(one.to_string(), other.to_string(), "one shutdown, one report");
            Some(Ok(one))
        }),
        Ending::Deadline(limit) => Some(engine.shutdown_timeout(limit)),
        Ending::Stuck => Some(engine.shutdown_timeout(Duration::from_millis(200))),
        Ending::Drop => {
            drop(engine);
            None
        }
    }
}

fn account(world: &World, ended: &Result<Report, ShutdownError>, stuck: bool, own: [u64; 2]) {
    match ended {
        Ok(report) => {
            world.ledger.claim(!stuck, || "a handler that does not return was waited for".into());
            world.claim_report(report);
        }
        // A thread that is still at work goes on counting while the report is made; one that stands still does not.
        Err(ShutdownError::Abandoned { threads, report, .. }) if stuck && threads.len() == 1 => {
            world.claim_report_of_abandoned(report, threads, own);
        }
        Err(ShutdownError::Abandoned { .. }) => {}
        Err(error) => world.ledger.claim(false, || error.to_string()),
    }
}
