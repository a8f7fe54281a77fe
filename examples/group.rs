//! A group: actors whose states make no sense without each other start afresh together.
//!
//! An index knows the words of a store. When the store panics, its notes are lost, and an index that went on would name
//! notes that are not there. So the two are a group, `rest_for_one`: a panic of the first has the second reset, which
//! reads the store anew in `on_start`. Beyond the group's limit both end, and the engine with them. Look at the counts:
//! index and store agree after each panic.
//!
//! ```text
//! cargo run --example group
//! ```

use std::collections::{BTreeSet, HashMap};
use std::error::Error;
use std::sync::mpsc;
use std::time::Duration;

use zctor::{ActorEngine, Context, actor};
use zctor_kit::group::rest_for_one;
use zctor_kit::signals::stop_on_signals;

#[actor(ctx)]
enum StoreMessage {
    #[reply(())]
    Put { number: u64, text: String },
    #[reply(Vec<String>)]
    Texts,
}

#[actor(calls(StoreMessage))]
enum IndexMessage {
    /// Knows the words of a text from now on, if it did not before.
    Learn(String),
    #[reply(usize)]
    Words,
}

#[derive(Default)]
struct Store {
    notes: HashMap<u64, String>,
}

impl StoreHandler for Store {
    fn put(&mut self, ctx: &mut Context<StoreMessage>, number: u64, text: String) {
        assert!(!text.is_empty(), "an empty note");
        self.notes.insert(number, text.clone());
        ctx.send(IndexMessage::Learn(text)).unwrap_or_default(); // an index that is gone needs no words
    }

    fn texts(&mut self, _ctx: &mut Context<StoreMessage>) -> Vec<String> {
        self.notes.values().cloned().collect()
    }
}

#[derive(Default)]
struct Index {
    words: BTreeSet<String>,
}

impl IndexHandler for Index {
    /// Whatever the store has by now. What it sends while it is read comes once more, and changes nothing.
    fn on_start(&mut self, ctx: &mut Context<IndexMessage>) {
        let texts = ctx.call(StoreMessage::texts()).unwrap_or_default();
        texts.into_iter().for_each(|text| self.learn(ctx, text));
    }

    fn learn(&mut self, _ctx: &mut Context<IndexMessage>, value: String) {
        self.words.extend(value.split_whitespace().map(str::to_owned));
    }

    fn words(&mut self, _ctx: &mut Context<IndexMessage>) -> usize {
        self.words.len()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    std::panic::set_hook(Box::new(|_| {})); // the panics of this program are meant
    let engine = ActorEngine::new();
    engine.on_panic(|panic| println!("{panic}"));
    let stores = engine.pool(1, StoreMessage::actor(Store::default))?;
    let indexes = engine.pool(1, IndexMessage::actor(Index::default))?;

    let (tell, told) = mpsc::channel();
    let group = rest_for_one()
        .at_most(1, Duration::from_secs(60))
        .or_stop_engine()
        .on_end(move |end| tell.send(end.text.to_string()).unwrap_or_default())
        .start(&engine.handle())?;
    group.add(&stores.pin(stores.instances()[0]))?; // a member is one instance
    group.add(&indexes.pin(indexes.instances()[0]))?;

    stores.put(1, "buy milk".to_owned())?;
    stores.put(2, "buy bread".to_owned())?;
    engine.settle();
    assert_eq!(indexes.words()?, 3);

    assert!(stores.put(3, String::new()).is_err());
    engine.settle(); // until the index has read the new store
    assert_eq!((stores.texts()?.len(), indexes.words()?), (0, 0));
    stores.put(4, "sell milk".to_owned())?;
    engine.settle();
    assert_eq!((stores.texts()?.len(), indexes.words()?), (1, 2));

    // The second panic within a minute is one too many.
    assert!(stores.put(5, String::new()).is_err());
    stop_on_signals(&engine)?;
    engine.wait(); // until the group has ended, or a Ctrl-C comes
    println!("the end: {}", told.recv()?);
    assert_eq!(engine.shutdown()?.panicked(), 2);
    Ok(())
}
