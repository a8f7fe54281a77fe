//! Replicas: the first answer of several, and so many answers of several.
//!
//! Three replicas hold the same values, and one of them is slow. A hedged read asks the first, and the next only if no
//! answer has come for a while. A write goes to all, and is done when two have it. A breaker leaves a replica alone that
//! has failed twice in a row. Look at who was asked: what is not needed any more is given up, and never runs if it has
//! not begun.
//!
//! ```text
//! cargo run --example replicas
//! ```

use std::collections::HashMap;
use std::error::Error;
use std::sync::mpsc;
use std::time::Duration;

use zctor::{ActorEngine, CallError, actor};
use zctor_kit::breaker::{Breaker, BreakerError};
use zctor_kit::hedge::hedge;
use zctor_kit::quorum::quorum;

#[actor]
#[derive(Clone)]
enum ReplicaMessage {
    #[reply(Option<u64>)]
    Read { key: String },
    #[reply(())]
    Write { key: String, value: u64 },
    /// Is slow from now on: each message waits for the gate.
    Slow,
}

struct Replica {
    values: HashMap<String, u64>,
    slow: bool,
    gate: mpsc::Receiver<()>,
}

impl ReplicaHandler for Replica {
    fn read(&mut self, key: String) -> Option<u64> {
        self.pass();
        self.values.get(&key).copied()
    }

    fn write(&mut self, key: String, value: u64) {
        self.pass();
        self.values.insert(key, value);
    }

    fn slow(&mut self) {
        self.slow = true;
    }
}

impl Replica {
    fn pass(&self) {
        if self.slow {
            self.gate.recv().unwrap_or_default();
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let engine = ActorEngine::new();
    let (mut replicas, mut gates) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let (open, gate) = mpsc::channel();
        let replica = ReplicaMessage::actor_once(move || Replica { values: HashMap::new(), slow: false, gate });
        replicas.push(engine.start(replica)?.non_blocking());
        gates.push(open);
    }
    let write = |value: u64| replicas.iter().map(move |replica| replica.write("zig".to_owned(), value));
    let read = || replicas.iter().map(|replica| || replica.read("zig".to_owned()));

    quorum(3, write(1))?;
    replicas[0].slow()?;
    // The first does not answer, so the second is asked too; the third is not.
    assert_eq!(hedge(Duration::from_millis(20), read())?, Some(1));
    // The first is still slow, and the others have the value.
    assert_eq!(quorum(2, write(2))?.len(), 2);
    assert_eq!(hedge(Duration::from_millis(20), read().skip(1))?, Some(2));

    // Two failures in a row, and the first is asked no more.
    let (breaker, first) = (Breaker::new(2, Duration::from_secs(60)), replicas[0].within(Duration::from_millis(5)));
    let ask = || breaker.call(|| first.read("zig".to_owned()).wait());
    for _ in 0..2 {
        assert!(matches!(ask(), Err(BreakerError::Failed(CallError::Timeout { .. }))));
    }
    assert!(matches!(ask(), Err(BreakerError::Open { .. })) && breaker.is_open());

    gates.clear(); // the slow one goes on
    let report = engine.shutdown()?;
    println!("{report}");
    assert!(report.skipped >= 3, "of four calls that the first had, it has begun one");
    Ok(())
}
