//! Actors that send to and call other actors, on their own thread and across threads.
//!
//! The waiter shares thread 0 with one cook; another cook has thread 1 alone. An actor declares the types that it
//! *calls* (waits for), `calls(CookMessage)`, so a cycle of waiting actors does not compile. The types that it *sends*
//! to need no declaration. Look at the thread of each cook: the waiter's code is the same for both, and a cook on the
//! waiter's own thread can answer while the waiter waits.
//!
//! ```text
//! cargo run --example thread_communication
//! ```

use zctor::{ActorEngine, ActorThread, CallError, Context, ThreadId, actor};

/// A dish and the thread it was cooked on, or why there is none.
type Served = Result<(String, ThreadId), CallError>;

#[actor(calls(CookMessage))]
enum WaiterMessage {
    /// Has a dish cooked by the next cook in turn.
    #[reply(Served)]
    Order { dish: &'static str },
    /// Has a dish cooked by the cook on the waiter's own thread.
    #[reply(Served)]
    QuickOrder { dish: &'static str },
    /// Passes a wish on to the next cook in turn, without waiting.
    Wish { text: &'static str },
}

#[actor(ctx)]
#[derive(Clone)]
enum CookMessage {
    /// Cooks a dish.
    #[reply((String, ThreadId))]
    Cook { dish: &'static str },
    /// Remembers a wish.
    Remember { wish: &'static str },
    /// Gives the wishes remembered.
    #[reply(Vec<&'static str>)]
    Wishes,
}

struct Waiter;
#[derive(Default)]
struct Cook(Vec<&'static str>);

impl WaiterHandler for Waiter {
    fn order(&mut self, ctx: &mut Context<WaiterMessage>, dish: &'static str) -> Served {
        ctx.call(CookMessage::cook(dish))
    }

    fn quick_order(&mut self, ctx: &mut Context<WaiterMessage>, dish: &'static str) -> Served {
        ctx.call_local(CookMessage::cook(dish))
    }

    fn wish(&mut self, ctx: &mut Context<WaiterMessage>, text: &'static str) {
        if let Err(error) = ctx.send(CookMessage::Remember { wish: text }) {
            eprintln!("a wish was lost: {error}");
        }
    }
}

impl CookHandler for Cook {
    fn cook(&mut self, ctx: &mut Context<CookMessage>, dish: &'static str) -> (String, ThreadId) {
        (format!("hot {dish}"), ctx.thread_id())
    }

    fn remember(&mut self, _ctx: &mut Context<CookMessage>, wish: &'static str) {
        self.0.push(wish);
    }

    fn wishes(&mut self, _ctx: &mut Context<CookMessage>) -> Vec<&'static str> {
        self.0.clone()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = ActorEngine::new();
    let restaurant = ActorThread::named("restaurant").register(WaiterMessage::actor(|| Waiter));
    let here = engine.spawn(restaurant.register(CookMessage::actor(Cook::default)))?;
    let there = engine.spawn(ActorThread::named("kitchen").register(CookMessage::actor(Cook::default)))?;
    println!("{}", engine.registry());
    let waiter = engine.client::<WaiterMessage>()?;

    // Calls go to the cooks in turn, except `quick_order`, which asks the cook on the waiter's own thread.
    for (expected, dish) in [(here, "soup"), (there, "fish"), (here, "pie"), (there, "tea")] {
        let (dish, thread) = waiter.order(dish)??; // the first `?` is for the waiter's reply, the second for the cook's
        println!("{dish} from the cook on thread {thread}");
        assert_eq!(thread, expected);
    }
    let (dish, thread) = waiter.quick_order("toast")??;
    println!("{dish} from the cook on thread {thread}, always the waiter's neighbour");
    assert_eq!(thread, here);

    // Sends do not wait; `settle` returns when every wish has been handled.
    for wish in ["less salt", "more pepper", "no onions", "extra bread"] {
        waiter.wish(wish)?;
    }
    engine.settle();
    let mut total = 0;
    for (cook, wishes) in engine.call_all(CookMessage::wishes())? {
        let wishes = wishes?;
        println!("the cook on thread {} remembers {wishes:?}", cook.thread());
        assert_eq!(wishes.len(), 2);
        total += wishes.len();
    }
    assert_eq!(total, 4);

    engine.shutdown()?;
    Ok(())
}
