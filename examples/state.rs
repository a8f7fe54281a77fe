//! State: each instance has its own, on its own thread, and can start again with a new one.
//!
//! A state is built on its thread by its factory and never leaves it, so it needs neither a lock nor `Send`: this one
//! shares its strings by `Rc`. `ctx.reset()` drops the state after the running handler, and the factory builds the
//! next. Look at the guests of the three guest books, and at the book that is reset: it starts empty, the others are
//! unchanged.
//!
//! ```text
//! cargo run --example state
//! ```

use std::collections::HashSet;
use std::rc::Rc;

use zctor::{ActorEngine, CallError, Context, actor};

#[actor(ctx)]
#[derive(Clone)]
enum GuestBookMessage {
    /// Enters a guest, once, and gives the number of guests in this book.
    #[reply(usize)]
    Sign { name: String },
    /// Gives the guests in the order of their first visit.
    #[reply(Vec<String>)]
    Guests,
    /// Begins a new book.
    Renew,
}

/// Each name is stored once and has two owners; only this instance's thread ever uses them.
#[derive(Default)]
struct GuestBook {
    known: HashSet<Rc<str>>,
    in_order: Vec<Rc<str>>,
}

impl GuestBookHandler for GuestBook {
    fn sign(&mut self, _ctx: &mut Context<GuestBookMessage>, name: String) -> usize {
        let name = Rc::<str>::from(name);
        if self.known.insert(Rc::clone(&name)) {
            self.in_order.push(name);
        }
        self.in_order.len()
    }

    fn guests(&mut self, _ctx: &mut Context<GuestBookMessage>) -> Vec<String> {
        self.in_order.iter().map(|name| name.to_string()).collect()
    }

    fn renew(&mut self, ctx: &mut Context<GuestBookMessage>) {
        ctx.reset();
    }

    /// Runs before an orderly end and before a reset.
    fn on_stop(&mut self, ctx: &mut Context<GuestBookMessage>) {
        println!("[thread {}] closing a book of {} guests", ctx.thread_id(), self.in_order.len());
    }
}

fn pages(books: &GuestBookClient) -> Result<Vec<Vec<String>>, CallError> {
    books.call_all(GuestBookMessage::guests())?.into_iter().map(|(_, guests)| guests).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = ActorEngine::new();
    let books = engine.pool(3, GuestBookMessage::actor(GuestBook::default))?;
    println!("{}", engine.registry());

    // The books get the names in turn; a pinned client always reaches the same book.
    for name in ["ann", "bob", "cyd", "dan", "eve"] {
        books.sign(name.to_owned())?;
    }
    let second = books.pin(books.instances()[1]);
    assert_eq!(second.sign("ann".to_owned())?, 3, "unknown to this book");
    assert_eq!(second.sign("bob".to_owned())?, 3, "known to this book");
    let before = pages(&books)?;
    println!("the books: {before:?}");
    assert_eq!(before, [vec!["ann", "dan"], vec!["bob", "eve", "ann"], vec!["cyd"]]);

    second.renew()?;
    let after = pages(&books)?;
    println!("the second is renewed: {after:?}");
    assert_eq!(after, [vec!["ann", "dan"], vec![], vec!["cyd"]]);
    assert_eq!(second.sign("fay".to_owned())?, 1, "the same instance, a fresh state");

    engine.shutdown()?;
    Ok(())
}
