//! One message to all: a copy for every instance of a type, on whichever thread it lives.
//!
//! `broadcast` never waits and gives the number of instances reached. `broadcast_with` makes each copy by a closure,
//! for messages that differ or cannot be cloned. `call_all` sends a request to every instance and waits for all
//! replies. Look at the three threads that print the alert: the thread that hosts two instances prints it twice.
//!
//! ```text
//! cargo run --example broadcast
//! ```

use zctor::{Actor, ActorEngine, ActorThread, Context, actor};

#[actor(ctx)]
#[derive(Clone)]
enum NotificationMessage {
    /// Notifies an instance.
    Alert { text: String },
    /// Gives the texts that this instance was sent.
    #[reply(Vec<String>)]
    Heard,
}

#[derive(Default)]
struct Listener {
    heard: Vec<String>,
}

impl NotificationHandler for Listener {
    fn alert(&mut self, ctx: &mut Context<NotificationMessage>, text: String) {
        println!("[thread {}] heard: {text}", ctx.thread_id());
        self.heard.push(text);
    }

    fn heard(&mut self, _ctx: &mut Context<NotificationMessage>) -> Vec<String> {
        self.heard.clone()
    }
}

fn listener() -> Actor<NotificationMessage, Listener> {
    NotificationMessage::actor(Listener::default)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = ActorEngine::new();
    engine.spawn(ActorThread::new().register(listener()))?;
    engine.spawn(ActorThread::new().register(listener()))?;
    engine.spawn(ActorThread::new().register(listener()).register(listener()))?;
    println!("{}", engine.registry());

    let alert = NotificationMessage::Alert { text: "maintenance in 5 minutes".to_owned() };
    let reached = engine.broadcast(alert)?;
    println!("the alert was sent to {reached} instances");
    assert_eq!(reached, 4);

    let reached =
        engine.broadcast_with(|instance| NotificationMessage::Alert { text: format!("you are {instance}") })?;
    assert_eq!(reached, 4);

    // The replies come in registry order, each with the instance that gave it.
    let replies = engine.call_all(NotificationMessage::heard())?;
    assert_eq!(replies.len(), 4);
    for (instance, heard) in replies {
        let heard = heard?;
        println!("{instance} was told {heard:?}");
        assert_eq!(heard, ["maintenance in 5 minutes".to_owned(), format!("you are {instance}")]);
    }

    engine.shutdown()?;
    Ok(())
}
