//! Batches: fewer, larger messages instead of very many small ones.
//!
//! There are two ways. A variant that carries a `Vec` moves many items as one message, and one handler call processes
//! them; only the pointer moves, however long the `Vec` is. `send_all` sends each item as a message of its own, but
//! puts all of them into the mailbox in one push. Look at the number of messages that each way takes for the same work.
//!
//! ```text
//! cargo run --example batching
//! ```

use zctor::{ActorEngine, actor};

const ITEMS: u64 = 10_000;
const BATCH: usize = 500;

/// A piece of work.
#[derive(Clone, Copy)]
struct WorkItem(u64);

#[actor]
enum BatchMessage {
    /// Processes many items.
    ProcessBatch { items: Vec<WorkItem> },
    /// Processes one.
    ProcessSingle(WorkItem),
    /// Gives the tally since the last time.
    #[reply(Tally)]
    Take,
}

/// What an instance has processed.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    messages: u64,
    items: u64,
    sum: u64,
}

#[derive(Default)]
struct Batcher {
    tally: Tally,
}

impl Batcher {
    fn process(&mut self, items: &[WorkItem]) {
        self.tally.messages += 1;
        self.tally.items += items.len() as u64;
        self.tally.sum += items.iter().map(|item| item.0).sum::<u64>();
    }
}

impl BatchHandler for Batcher {
    fn process_batch(&mut self, items: Vec<WorkItem>) {
        self.process(&items);
    }

    fn process_single(&mut self, value: WorkItem) {
        self.process(&[value]);
    }

    fn take(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = ActorEngine::new();
    let batcher = engine.pool(1, BatchMessage::actor(Batcher::default))?;
    let items: Vec<WorkItem> = (1..=ITEMS).map(WorkItem).collect();
    let whole = |messages| Tally { messages, items: ITEMS, sum: ITEMS * (ITEMS + 1) / 2 };

    for &item in &items {
        batcher.process_single(item)?;
    }
    let single = batcher.take()?;
    println!("one at a time:    {single:?}");
    assert_eq!(single, whole(ITEMS));

    let pushed = batcher.send_all(items.iter().copied().map(BatchMessage::ProcessSingle))?;
    let together = batcher.take()?;
    println!("all in one push:  {together:?}");
    assert_eq!(pushed as u64, ITEMS);
    assert_eq!(together, whole(ITEMS));

    for batch in items.chunks(BATCH) {
        batcher.process_batch(batch.to_vec())?;
    }
    let batched = batcher.take()?;
    println!("{BATCH} in a message: {batched:?}");
    assert_eq!(batched, whole(ITEMS / BATCH as u64));

    engine.shutdown()?;
    Ok(())
}
