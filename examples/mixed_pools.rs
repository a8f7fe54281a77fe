//! Pools beside single services: three workers, two databases, one monitor, each instance on a thread of its own.
//!
//! A message is routed by its type alone, so a sender need not know how many instances handle it. Look at the registry
//! (`WorkerMessage -> [0, 1, 2]` and so on), then at the rows: the databases get them in turn, whichever worker sends
//! them.
//!
//! ```text
//! cargo run --example mixed_pools
//! ```

use zctor::{ActorEngine, ActorThread, Context, actor};

const TASKS: u64 = 12;

#[actor(ctx)]
enum WorkerMessage {
    /// Squares a number, stores it in a database and tells the monitor.
    Process { number: u64 },
}

#[actor]
#[derive(Clone)]
enum DatabaseMessage {
    /// Keeps a row.
    Store { square: u64 },
    /// Gives the rows of this instance.
    #[reply(Vec<u64>)]
    Rows,
}

#[actor]
enum MonitorMessage {
    /// Notes that the worker on a thread has finished a task.
    Finished { worker: usize },
    /// Gives the tasks finished by each of the three workers.
    #[reply([u64; 3])]
    Report,
}

struct Worker;
#[derive(Default)]
struct Database(Vec<u64>);
#[derive(Default)]
struct Monitor([u64; 3]);

impl WorkerHandler for Worker {
    fn process(&mut self, ctx: &mut Context<WorkerMessage>, number: u64) {
        let stored = ctx.send(DatabaseMessage::Store { square: number * number });
        let told = ctx.send(MonitorMessage::Finished { worker: ctx.thread_id().index() });
        if stored.is_err() || told.is_err() {
            eprintln!("the square of {number} was not recorded");
        }
    }
}

impl DatabaseHandler for Database {
    fn store(&mut self, square: u64) {
        self.0.push(square);
    }

    fn rows(&mut self) -> Vec<u64> {
        self.0.clone()
    }
}

impl MonitorHandler for Monitor {
    fn finished(&mut self, worker: usize) {
        self.0[worker] += 1;
    }

    fn report(&mut self) -> [u64; 3] {
        self.0
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = ActorEngine::new();
    engine.pool(3, WorkerMessage::actor(|| Worker))?;
    engine.pool(2, DatabaseMessage::actor(Database::default))?;
    engine.spawn(ActorThread::named("monitor").register(MonitorMessage::actor(Monitor::default)))?;

    let registry = engine.registry().to_string();
    println!("{registry}");
    assert_eq!(registry, "WorkerMessage -> [0, 1, 2]\nDatabaseMessage -> [3, 4]\nMonitorMessage -> [5]");

    for number in 1..=TASKS {
        engine.send(WorkerMessage::Process { number })?;
    }
    engine.settle(); // returns when the tasks, and all messages that their handlers sent, are handled

    let finished = engine.call(MonitorMessage::report())?;
    println!("tasks finished by each worker: {finished:?}");
    assert_eq!(finished, [4, 4, 4]);

    let mut sum = 0;
    for (database, rows) in engine.call_all(DatabaseMessage::rows())? {
        let rows = rows?;
        println!("the database on thread {} has {rows:?}", database.thread());
        assert_eq!(rows.len(), 6);
        sum += rows.iter().sum::<u64>();
    }
    assert_eq!(sum, TASKS * (TASKS + 1) * (2 * TASKS + 1) / 6, "every square is stored once");

    engine.shutdown()?;
    Ok(())
}
