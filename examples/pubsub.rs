//! Publish and subscribe: topics whose subscribers come and go.
//!
//! If the topics are known when the program is written, and all instances of a type listen, make each a message type and
//! `broadcast` it. Here they come and go. A `Topic` needs no actor between publisher and subscriber: who publishes sends
//! a copy to each. A subscriber names the variant that takes the value, so subscribers may be of different types. Look
//! at the inboxes, and at the two that leave: one drops its subscription, and one ends.
//!
//! ```text
//! cargo run --example pubsub
//! ```

use zctor::{ActorEngine, actor};
use zctor_kit::topic::Topic;

#[actor]
enum ReaderMessage {
    /// Takes a piece of news.
    News(String),
    /// Gives all the news so far, oldest first.
    #[reply(Vec<String>)]
    Inbox,
}

#[actor]
enum ArchiveMessage {
    /// Counts the letters of what is kept.
    Keep { text: String },
    #[reply(usize)]
    Letters,
}

#[derive(Default)]
struct Reader {
    inbox: Vec<String>,
}

#[derive(Default)]
struct Archive {
    letters: usize,
}

impl ReaderHandler for Reader {
    fn news(&mut self, value: String) {
        self.inbox.push(value);
    }

    fn inbox(&mut self) -> Vec<String> {
        self.inbox.clone()
    }
}

impl ArchiveHandler for Archive {
    fn keep(&mut self, text: String) {
        self.letters += text.len();
    }

    fn letters(&mut self) -> usize {
        self.letters
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = ActorEngine::new();
    // Each subscriber is in no pool and has a thread of its own: its client reaches this one subscriber only.
    let ann = engine.start(ReaderMessage::actor(Reader::default))?;
    let bob = engine.start(ReaderMessage::actor(Reader::default))?;
    let cyd = engine.start(ReaderMessage::actor(Reader::default))?;
    let archive = engine.start(ArchiveMessage::actor(Archive::default))?;

    let (sports, weather) = (Topic::new(), Topic::new());
    sports.subscribe(&ann, ReaderMessage::News).detach(); // for as long as she lives
    for reader in [&ann, &cyd] {
        weather.subscribe(reader, ReaderMessage::News).detach();
    }
    let subscription = weather.subscribe(&bob, ReaderMessage::News);
    weather.subscribe(&archive, |text| ArchiveMessage::Keep { text }).detach();

    assert_eq!(weather.publish("rain".to_owned()).reached, 4);
    assert_eq!(sports.publish("a draw".to_owned()).reached, 1);

    drop(subscription); // nothing is sent to Bob any more
    cyd.stop()?; // handled after the messages queued before, the rain among them
    engine.settle();
    let published = weather.publish("sun".to_owned());
    println!("the sun reaches {} subscribers", published.reached);
    assert_eq!((published.reached, published.refused, weather.len()), (2, 1, 2)); // Cyd is off the list

    let (ann_has, bob_has) = (ann.inbox()?, bob.inbox()?);
    println!("ann has {ann_has:?}\nbob has {bob_has:?}");
    assert_eq!(ann_has, ["rain", "a draw", "sun"]);
    assert_eq!(bob_has, ["rain"]);
    assert_eq!(archive.letters()?, 7);
    assert!(cyd.inbox().is_err(), "an ended subscriber answers nobody");

    engine.shutdown()?;
    Ok(())
}
