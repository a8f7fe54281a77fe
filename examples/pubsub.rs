//! Publish and subscribe: a broker that knows the subscribers of each topic.
//!
//! If the topics are known when the program is written, make each a message type and `broadcast` it. Here they come and
//! go. A subscriber is an actor of its own, its client is plain data, and to subscribe you send that client to the
//! broker. Look at the inboxes, and at the subscriber that ends: the broker notices when a send to it is refused.
//!
//! ```text
//! cargo run --example pubsub
//! ```

use std::collections::HashMap;

use zctor::{ActorEngine, actor};

#[actor]
enum BrokerMessage {
    /// Sends all that is published under `topic` from now on to a subscriber.
    Subscribe { topic: &'static str, subscriber: SubscriberClient },
    /// Passes `text` to the subscribers of `topic` and gives their number.
    #[reply(usize)]
    Publish { topic: &'static str, text: String },
}

#[actor]
enum SubscriberMessage {
    /// Takes a piece of news.
    News { topic: &'static str, text: String },
    /// Gives all the news so far, oldest first.
    #[reply(Vec<String>)]
    Inbox,
}

#[derive(Default)]
struct Broker {
    topics: HashMap<&'static str, Vec<SubscriberClient>>,
}

#[derive(Default)]
struct Subscriber {
    inbox: Vec<String>,
}

impl BrokerHandler for Broker {
    fn subscribe(&mut self, topic: &'static str, subscriber: SubscriberClient) {
        self.topics.entry(topic).or_default().push(subscriber);
    }

    fn publish(&mut self, topic: &'static str, text: String) -> usize {
        let Some(subscribers) = self.topics.get_mut(topic) else {
            return 0;
        };
        // A send to a subscriber that has ended is refused, and the subscriber is removed.
        subscribers.retain(|subscriber| subscriber.news(topic, text.clone()).is_ok());
        subscribers.len()
    }
}

impl SubscriberHandler for Subscriber {
    fn news(&mut self, topic: &'static str, text: String) {
        self.inbox.push(format!("{topic}: {text}"));
    }

    fn inbox(&mut self) -> Vec<String> {
        self.inbox.clone()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = ActorEngine::new();
    let broker = engine.pool(1, BrokerMessage::actor(Broker::default))?;
    // Each subscriber is in no pool and has a thread of its own: its client reaches this one subscriber only.
    let ann = engine.start(SubscriberMessage::actor(Subscriber::default))?;
    let bob = engine.start(SubscriberMessage::actor(Subscriber::default))?;
    let cyd = engine.start(SubscriberMessage::actor(Subscriber::default))?;

    broker.subscribe("sports", ann.clone())?;
    for subscriber in [&ann, &bob, &cyd] {
        broker.subscribe("weather", subscriber.clone())?;
    }

    assert_eq!(broker.publish("weather", "rain".to_owned())?, 3);
    assert_eq!(broker.publish("sports", "a draw".to_owned())?, 1);
    assert_eq!(broker.publish("opera", "a premiere".to_owned())?, 0);

    cyd.stop()?; // handled after the messages queued before, the rain among them
    engine.settle();
    let reached = broker.publish("weather", "sun".to_owned())?;
    println!("the sun reaches {reached} subscribers");
    assert_eq!(reached, 2);

    // The broker sent the news before it replied, so the news is in the mailboxes of the subscribers already.
    let (ann_has, bob_has) = (ann.inbox()?, bob.inbox()?);
    println!("ann has {ann_has:?}\nbob has {bob_has:?}");
    assert_eq!(ann_has, ["weather: rain", "sports: a draw", "weather: sun"]);
    assert_eq!(bob_has, ["weather: rain", "weather: sun"]);
    assert!(cyd.inbox().is_err(), "an ended subscriber answers nobody");

    engine.shutdown()?;
    Ok(())
}
