//! A bounded mailbox: a sender that waits for room gets it, and no more wait in it than its bound says.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use zctor::simulation::{Faults, simulate};
use zctor::{ActorEngine, ActorThread, Overflow, actor};

use crate::order::{Sink, SinkClient, SinkMessage};

#[test]
fn a_sender_that_waits_for_room_gets_it() {
    let search = simulate(|simulation| {
        let engine = ActorEngine::new();
        engine.spawn(ActorThread::new().mailbox_bound(2).register(SinkMessage::actor(Sink::default)))?;
        let sink: SinkClient = engine.client::<SinkMessage>()?;
        let senders = [0, 1, 2].map(|me| {
            let sink = sink.clone();
            simulation.spawn("sender", move || (0..3).all(|number| sink.note(me, number).is_ok()))
        });
        for sender in senders {
            assert!(sender.join());
        }
        engine.settle();
        assert_eq!(sink.noted()?.len(), 9);
        engine.shutdown()?;
        Ok(())
    });
    search.faults(Faults::new().small_mailboxes()).seeds(0..2_000).run();
}

#[actor]
enum GateMessage {
    Pass,
}

struct Gate {
    begun: Arc<AtomicU64>,
}

impl GateHandler for Gate {
    fn pass(&mut self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn no_more_wait_in_a_bounded_mailbox_than_its_bound_and_each_refusal_is_told() {
    let search = simulate(|simulation| {
        let (begun, accepted) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let engine = ActorEngine::new();
        let gate = {
            let begun = Arc::clone(&begun);
            GateMessage::actor(move || Gate { begun: Arc::clone(&begun) })
        };
        engine.spawn(ActorThread::new().mailbox_bound(2).overflow(Overflow::Refuse).register(gate))?;
        let waiting = {
            let (begun, accepted) = (Arc::clone(&begun), Arc::clone(&accepted));
            // A permit comes back before the handler counts, so one more may be on its way to be counted.
            move || accepted.load(Ordering::Relaxed).saturating_sub(begun.load(Ordering::Relaxed)) <= 3
        };
        simulation.invariant("two wait at most", waiting);
        let senders = [0, 1, 2].map(|_| {
            let (gate, accepted): (GateClient, _) =
                (engine.client::<GateMessage>().expect("it lives"), Arc::clone(&accepted));
            simulation.spawn("sender", move || {
                let sent = (0..3).filter(|_| gate.pass().map(|()| accepted.fetch_add(1, Ordering::Relaxed)).is_ok());
                sent.count() as u64
            })
        });
        let sent: u64 = senders.map(|sender| sender.join()).iter().sum();
        if sent < 9 {
            simulation.mark("one was refused");
        }
        let report = engine.shutdown()?;
        assert_eq!(report.handled(), sent);
        Ok(())
    });
    search.must_reach(&["one was refused"]).seeds(0..2_000).run();
}
