//! Round robin: five workers, and tasks 1 to 6 go to threads 0 1 2 3 4 0, exactly.
//!
//! Each message type has one turn, shared by the engine and all its clients. Look at the table of the tasks, and at
//! task 7: pinned messages do not move the turn, so task 7 goes where it would have gone without them.
//!
//! ```text
//! cargo run --example load_balancing
//! ```

use zctor::{ActorEngine, ActorThread, Context, actor};

const WORKERS: usize = 5;

#[actor(ctx)]
#[derive(Clone)]
enum WorkerMessage {
    /// Does a task.
    Process { task: u32 },
    /// Gives the tasks done by this worker, in order.
    #[reply(Vec<u32>)]
    Done,
}

#[derive(Default)]
struct Worker {
    done: Vec<u32>,
}

impl WorkerHandler for Worker {
    fn process(&mut self, ctx: &mut Context<WorkerMessage>, task: u32) {
        println!("[thread {}] task {task}", ctx.thread_id()); // five threads print: these lines come in any order
        self.done.push(task);
    }

    fn done(&mut self, _ctx: &mut Context<WorkerMessage>) -> Vec<u32> {
        self.done.clone()
    }
}

/// The tasks done by each worker, by the index of its thread.
fn table(engine: &ActorEngine) -> Result<Vec<Vec<u32>>, zctor::CallError> {
    // The sender of the tasks asks, so each worker answers after all tasks that it was sent.
    engine.call_all(WorkerMessage::done())?.into_iter().map(|(_, tasks)| tasks).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = ActorEngine::new();
    for _ in 0..WORKERS {
        engine.spawn(ActorThread::new().register(WorkerMessage::actor(Worker::default)))?;
    }
    println!("{}", engine.registry());

    for task in 1..=6 {
        engine.send(WorkerMessage::Process { task })?;
    }
    let done = table(&engine)?;
    assert_eq!(done, [vec![1, 6], vec![2], vec![3], vec![4], vec![5]]);

    // Another client shares the turn: it is at thread 0, and three tasks pinned to thread 4 leave it there.
    let workers = engine.client::<WorkerMessage>()?;
    let last = workers.pin(workers.instances()[WORKERS - 1]);
    for task in [100, 101, 102] {
        last.process(task)?;
    }
    workers.process(7)?;
    let done = table(&engine)?;
    assert_eq!(done, [vec![1, 6], vec![2, 7], vec![3], vec![4], vec![5, 100, 101, 102]]);

    for (thread, tasks) in done.iter().enumerate() {
        println!("thread {thread} did {tasks:?}");
    }
    engine.shutdown()?;
    Ok(())
}
