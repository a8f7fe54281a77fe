//! A shutdown at any moment accounts for each message, and every call ends.

use std::time::Duration;

use zctor::simulation::{Faults, Search, simulate};
use zctor::{ActorEngine, CallError, ShutdownError};

use crate::order::{Sink, SinkClient, SinkMessage};

fn search(limit: Option<Duration>) -> Search {
    simulate(move |simulation| {
        let engine = ActorEngine::new();
        let sink: SinkClient = engine.pool(2, SinkMessage::actor(Sink::default))?;
        let senders = [0, 1].map(|me| {
            let sink = sink.clone();
            simulation.spawn("sender", move || {
                let notes = (0..3).filter(|number| sink.note(me, *number).is_ok()).count() as u64;
                // Whether a call that was answered `Stopped` had been accepted is not known.
                match sink.ask(me, 3) {
                    Ok(_) => (notes + 1, 0),
                    Err(CallError::Stopped { .. }) => (notes, 1),
                    Err(other) => panic!("{other}"),
                }
            })
        });
        let report = match limit {
            None => engine.shutdown()?,
            Some(limit) => match engine.shutdown_timeout(limit) {
                Ok(report) | Err(ShutdownError::Abandoned { report, .. }) => report,
                Err(other) => return Err(other.into()),
            },
        };
        let (accepted, unclear) =
            senders.map(|sender| sender.join()).iter().fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
        let accounted = report.handled() + report.dead_letters + report.left;
        assert!((accepted..=accepted + unclear).contains(&accounted), "{accepted} and {unclear} at most: {report}");
        Ok(())
    })
}

#[test]
fn a_shutdown_at_any_moment_accounts_for_all_and_every_call_ends() {
    search(None).seeds(0..2_000).run();
}

#[test]
fn a_shutdown_whose_time_is_up_at_any_moment_accounts_for_all_too() {
    let search = search(Some(Duration::from_millis(10)));
    search.slowest(Duration::from_millis(5)).faults(Faults::new().timeouts()).seeds(0..2_000).run();
}
