//! A pipeline: three bounded stages, batches by size or time, and nothing lost under panics.
//!
//! A stage calls the next one, so a slow stage slows the one before, up to the source, which waits at a bounded mailbox.
//! The parsers keep eight calls under way, so that the stages work at the same time. A batch is stored when it is full or
//! when its first record has waited long enough; the shutdown stores the last one. Look at the sums: a line that
//! breaks a parser is told by `on_panic`, and every other line is stored, in spite of a store that panics in between.
//!
//! ```text
//! cargo run --example pipeline
//! cargo test -p zctor-examples --features testing --example pipeline
//! ```

use std::collections::VecDeque;
use std::error::Error;
use std::mem;
use std::panic;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, CallError, Context, Pending, Timer, actor};

/// How many calls a parser keeps under way.
const WINDOW: usize = 8;
/// How many records a batch has at most.
const BATCH: usize = 16;
/// How long the first record of a batch waits at most.
const PATIENCE: Duration = Duration::from_millis(5);

#[actor]
#[derive(Debug, PartialEq)]
enum StoreMessage {
    /// Stores a batch, all of it or nothing.
    #[reply(())]
    Put { batch: Arc<[u64]> },
}

#[actor(calls(StoreMessage))]
#[derive(Debug, PartialEq)]
enum BatchMessage {
    /// Takes a record.
    #[reply(())]
    Add(u64),
    #[msg(internal)]
    Flush,
}

#[actor(calls(BatchMessage))]
enum ParseMessage {
    Line(String),
}

/// The shelf outlives the state: a panic does not lose what is stored.
struct Store {
    shelf: Arc<Mutex<Vec<u64>>>,
    puts: Arc<AtomicU32>,
}

impl StoreHandler for Store {
    fn put(&mut self, batch: Arc<[u64]>) {
        let put = self.puts.fetch_add(1, Relaxed);
        assert!(put % 5 != 2, "the disk hiccups");
        self.shelf.lock().expect("nobody panics with it").extend(&*batch);
    }
}

#[derive(Default)]
struct Batcher {
    records: Vec<u64>,
    timer: Option<Timer>,
}

impl Batcher {
    fn store(&mut self, ctx: &Context<BatchMessage>) {
        if let Some(timer) = self.timer.take() {
            timer.cancel();
        }
        if self.records.is_empty() {
            return;
        }
        let batch: Arc<[u64]> = mem::take(&mut self.records).into();
        loop {
            match ctx.call(StoreMessage::put(Arc::clone(&batch))) {
                Ok(()) => return,
                // The store says that a panic has stored nothing, so the batch can go once more.
                Err(CallError::Panicked { .. }) => {}
                // Kept for the next attempt. At the end of the program it would be lost, and is told.
                Err(error) => {
                    eprintln!("{} records are not stored yet: {error}", batch.len());
                    self.records = batch.to_vec();
                    return;
                }
            }
        }
    }
}

impl BatchHandler for Batcher {
    fn add(&mut self, ctx: &mut Context<BatchMessage>, value: u64) {
        self.records.push(value);
        if self.records.len() >= BATCH {
            self.store(ctx);
        } else if self.timer.is_none() {
            self.timer = Some(ctx.send_after(PATIENCE, BatchMessage::Flush));
        }
    }

    fn flush(&mut self, ctx: &mut Context<BatchMessage>) {
        self.store(ctx);
    }

    fn on_stop(&mut self, ctx: &mut Context<BatchMessage>) {
        self.store(ctx); // the store was started earlier, and is still served
    }
}

#[derive(Default)]
struct Parser {
    under_way: VecDeque<Pending<()>>,
}

impl ParseHandler for Parser {
    fn line(&mut self, ctx: &mut Context<ParseMessage>, value: String) {
        let record: u64 = value.parse().expect("a line is a number");
        if self.under_way.len() == WINDOW {
            let oldest = self.under_way.pop_front().expect("the window is full");
            oldest.wait().expect("the batcher outlives the parsers");
        }
        let batcher = ctx.client::<BatchMessage>().expect("the batcher outlives the parsers");
        self.under_way.push_back(batcher.request(BatchMessage::add(record)));
    }

    fn on_panic(self, _ctx: &mut Context<ParseMessage>, _text: &str) {
        // A `Pending` that is dropped gives its call up. These records are whole: they go on, unwatched.
        self.under_way.into_iter().for_each(Pending::detach);
    }

    fn on_stop(&mut self, _ctx: &mut Context<ParseMessage>) {
        self.under_way.drain(..).for_each(Pending::detach);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    panic::set_hook(Box::new(|_| {})); // the panics of this program are meant

    let (shelf, puts) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicU32::new(0)));
    let broken = Arc::new(AtomicU32::new(0));
    let engine = ActorEngine::new();
    let count = Arc::clone(&broken);
    engine.on_panic(move |event| {
        if event.message == "ParseMessage" {
            count.fetch_add(1, Relaxed);
        }
    });

    // From the end to the beginning: what is called is started before its callers, and stopped after them.
    let (keep, number) = (Arc::clone(&shelf), Arc::clone(&puts));
    let store = StoreMessage::actor(move || Store { shelf: Arc::clone(&keep), puts: Arc::clone(&number) });
    engine.pool(1, store.restart(zctor::Restart::always().backoff(Duration::ZERO, Duration::ZERO)))?;
    engine.pool(1, BatchMessage::actor(Batcher::default))?;
    let parsers = engine.pool_on(
        2,
        |number| ActorThread::named(format!("parser-{number}")).mailbox_bound(32),
        ParseMessage::actor(Parser::default),
    )?;

    // The source. It waits while both parsers have 32 lines to go.
    let lines = (0..1_000_u64).map(|n| if n % 250 == 99 { format!("line {n}") } else { n.to_string() });
    parsers.send_all(lines.map(ParseMessage::Line))?;

    let report = engine.shutdown()?;
    println!("{report}");
    let mut stored = shelf.lock().map_err(|error| error.to_string())?.clone();
    stored.sort_unstable();
    println!("{} stored in {} attempts, {} broken", stored.len(), puts.load(Relaxed), broken.load(Relaxed));
    assert_eq!(stored, (0..1_000).filter(|n| n % 250 != 99).collect::<Vec<u64>>(), "each once");
    assert_eq!(broken.load(Relaxed), 4);
    assert_eq!((report.dead_letters, report.left), (0, 0));
    Ok(())
}

#[cfg(test)]
#[path = "picture.rs"]
mod picture;

#[cfg(test)]
#[test]
fn the_picture_shows_the_definitions() {
    use zctor::Message;
    picture::shows("pipeline.svg", [ParseMessage::DEFINITION]);
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use zctor::testing::{Port, Probe, context};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    #[test]
    fn a_batch_goes_when_it_is_full() {
        let engine = ActorEngine::new();
        let store = Probe::<StoreMessage>::new();
        engine.pool(1, store.actor()).unwrap();
        let batcher = engine.pool(1, BatchMessage::actor(Batcher::default)).unwrap();
        let all: Vec<_> = (0..BATCH as u64).map(|record| batcher.non_blocking().add(record)).collect();
        let batch: Arc<[u64]> = (0..BATCH as u64).collect();
        store.expect_request(StoreMessage::put(batch), LIMIT).send(());
        assert!(all.into_iter().all(|add| add.wait().is_ok()));
    }

    #[test]
    fn a_batch_goes_when_its_time_has_come() {
        let (mut ctx, mut batcher) = (context::<BatchMessage>(), Batcher::default());
        let store = zctor::testing::Mock::<StoreMessage>::new().script(Port::<StoreMessage>::Put, [()]);
        ctx.engine().pool(1, store.actor()).unwrap();
        batcher.add(&mut ctx, 7);
        batcher.add(&mut ctx, 8);
        assert!(store.messages().is_empty());
        assert_eq!(ctx.fire_timers(), [BatchMessage::Flush], "one timer a batch");
        batcher.flush(&mut ctx);
        assert_eq!(store.messages(), [StoreMessage::Put { batch: [7, 8].into() }]);
    }

    #[test]
    fn what_is_not_stored_is_kept_for_the_next_attempt() {
        let engine = ActorEngine::new();
        let store = Probe::<StoreMessage>::new();
        engine.pool(1, store.actor()).unwrap();
        let batcher = engine.pool(1, BatchMessage::actor(Batcher::default)).unwrap();
        batcher.add(7).unwrap();
        drop(store.expect(LIMIT)); // the timer's attempt gets no answer
        batcher.add(8).unwrap();
        store.expect_request(StoreMessage::put([7, 8].into()), LIMIT).send(());
    }
}
