//! A timeline: what each thread did and when, in a file that Perfetto opens.
//!
//! With the feature `tracing` each handler is a span, and the crate `tracing-chrome` writes them down. Open the file
//! at <https://ui.perfetto.dev>, which reads it on your own machine. There is a track for each thread. Look at the three
//! orders: each is handled by a shop, which waits for a warehouse; the bills are sent, and written later.
//!
//! ```text
//! cargo run --example timeline --features timeline -- timeline.json
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Debug;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use tracing::field::Field;
use tracing::span::{Attributes, Id};
use tracing::{Subscriber, info, info_span};
use tracing_chrome::{ChromeLayerBuilder, EventOrSpan};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{self, Layer};
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;
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

/// The name of a span on the timeline: `ShopMessage::Order`, which zctor gives in the field `otel.name`.
struct Name(String);

/// Keeps the names of spans for the layer that writes them.
struct Names;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Names {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: layer::Context<'_, S>) {
        let mut name = None;
        attributes.record(&mut |field: &Field, value: &dyn Debug| {
            if field.name() == "otel.name" {
                name = Some(Name(format!("{value:?}")));
            }
        });
        if let (Some(name), Some(span)) = (name, ctx.span(id)) {
            span.extensions_mut().insert(name);
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args_os().nth(1).map_or_else(
        || std::env::temp_dir().join(format!("zctor-timeline-{}.json", std::process::id())),
        PathBuf::from,
    );
    let (layer, written) = ChromeLayerBuilder::new()
        .file(&file)
        .include_args(true)
        .name_fn(Box::new(|of| match of {
            EventOrSpan::Event(event) => event.metadata().target().to_owned(),
            EventOrSpan::Span(span) => {
                span.extensions().get::<Name>().map_or_else(|| span.name().to_owned(), |name| name.0.clone())
            }
        }))
        .build();
    // Calls are at `DEBUG`, sends at `TRACE`.
    tracing_subscriber::registry().with(Names).with(layer).with(LevelFilter::TRACE).init();

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
    drop(written); // waits until all is in the file

    // The file has an event for the begin of each handler.
    let events: Vec<serde_json::Value> = serde_json::from_str(&fs::read_to_string(&file)?)?;
    let mut begun: BTreeMap<String, u32> = BTreeMap::new();
    for event in events.iter().filter(|event| event["ph"] == "B") {
        if let Some(name) = event["name"].as_str() {
            *begun.entry(name.to_owned()).or_default() += 1;
        }
    }
    for (name, count) in &begun {
        println!("{count} × {name}");
    }
    let handlers = ["ShopMessage::Order", "WarehouseMessage::Take", "BillMessage::Write"];
    assert_eq!(handlers.map(|name| begun.get(name).copied()), [Some(3); 3]);
    println!("open {} at https://ui.perfetto.dev", file.display());
    if std::env::args_os().len() < 2 {
        fs::remove_file(file)?;
    }
    Ok(())
}
