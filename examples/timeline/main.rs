//! A timeline: what each thread did and when, in a file that Perfetto opens.
//!
//! With the feature `tracing` each handler is a span; `layer.rs` keeps the spans and writes them down. Open the file at
//! <https://ui.perfetto.dev>, which reads it on your own machine. There is a track for each thread, and an arrow from where
//! a message was sent to its handler. Look at the three orders: each is handled by a shop, which waits for a warehouse; the
//! bills are sent, and written later. Before that `format.rs` has checked that the file is what Perfetto reads.
//!
//! ```text
//! cargo run --example timeline --features timeline -- timeline.json
//! ```

mod format;
mod layer;

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use layer::Timeline;
use tracing::{info, info_span};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::prelude::*;
use zctor::{ActorEngine, ActorThread, CallError, Context, actor, sleep};

#[actor]
enum WarehouseMessage {
    /// Takes so many out of the shelf; gives what is left.
    #[reply(u32)]
    Take(u32),
}

#[actor]
enum BillMessage {
    Write { order: u32 },
}

#[actor(calls(WarehouseMessage))]
enum ShopMessage {
    /// Gives what is left in the warehouse.
    #[reply(Result<u32, CallError>)]
    Order { number: u32, pieces: u32 },
}

struct Warehouse(u32);
struct Bills;
struct Shop;

impl WarehouseHandler for Warehouse {
    fn take(&mut self, pieces: u32) -> u32 {
        sleep(Duration::from_millis(2)); // it walks to the shelf
        self.0 -= pieces;
        self.0
    }
}

impl BillHandler for Bills {
    fn write(&mut self, order: u32) {
        sleep(Duration::from_millis(3));
        info!(order, "written");
    }
}

impl ShopHandler for Shop {
    fn order(&mut self, ctx: &mut Context<ShopMessage>, number: u32, pieces: u32) -> Result<u32, CallError> {
        let left = ctx.call(WarehouseMessage::take(pieces))?;
        if ctx.send(BillMessage::Write { order: number }).is_err() {
            info!(number, "no bill: nobody writes them any more");
        }
        Ok(left)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args_os().nth(1).map_or_else(
        || std::env::temp_dir().join(format!("zctor-timeline-{}.json", std::process::id())),
        PathBuf::from,
    );
    let timeline = Timeline::new();
    // Calls are at `DEBUG`, sends at `TRACE`.
    tracing_subscriber::registry().with(timeline.clone()).with(LevelFilter::TRACE).init();

    let engine = ActorEngine::new();
    engine.spawn(ActorThread::named("warehouse").register(WarehouseMessage::actor(|| Warehouse(100))))?;
    engine.spawn(ActorThread::named("bills").register(BillMessage::actor(|| Bills)))?;
    engine.pool_on(2, |number| ActorThread::named(format!("shop-{number}")), ShopMessage::actor(|| Shop))?;
    let shop: ShopClient = engine.client::<ShopMessage>()?;
    let orders: Vec<_> = (1..=3)
        .map(|number| info_span!("customer", number).in_scope(|| shop.non_blocking().order(number, 10)))
        .collect();
    let left = orders.iter().map(|order| order.wait()?).collect::<Result<Vec<u32>, CallError>>()?;
    assert_eq!(left.iter().min(), Some(&70));
    engine.settle();
    engine.shutdown()?;
    timeline.write(&file)?;

    // The file has a bar for each handler, and an arrow to each from where its message was sent.
    let shown = format::check(&fs::read_to_string(&file)?)?;
    for (name, count) in &shown.bars {
        println!("{count} × {name}");
    }
    let handlers = ["ShopMessage::Order", "WarehouseMessage::Take", "BillMessage::Write"];
    assert_eq!(handlers.map(|name| shown.bars.get(name).copied()), [Some(3); 3]);
    let senders = ["customer", "ShopMessage::Order", "ShopMessage::Order"];
    for (from, to) in senders.into_iter().zip(handlers) {
        let arrow = (from.to_owned(), to.to_owned(), true);
        assert_eq!(shown.arrows.iter().filter(|other| **other == arrow).count(), 3, "{from} -> {to}");
    }
    println!("open {} at https://ui.perfetto.dev", file.display());
    if std::env::args_os().len() < 2 {
        fs::remove_file(file)?;
    }
    Ok(())
}
