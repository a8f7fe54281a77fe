//! Actors on threads: several types on one thread, one type on several threads.
//!
//! An `ActorThread` is an OS thread that hosts the actors registered on it. Here "front" hosts a parser and a counter,
//! "back" a parser and a printer. Look at the thread of each reply: the two parsers get their messages in turn. Actors
//! on one OS thread never run at the same time.
//!
//! ```text
//! cargo run --example multi_thread
//! ```

use std::thread;

use zctor::{ActorEngine, ActorThread, Context, Message, ThreadId, actor};

/// The actor thread that handled a message, and the id of its OS thread.
type Place = (ThreadId, thread::ThreadId);

#[actor(ctx)]
enum ParserMessage {
    /// Gives the number written in `text`, if there is one, and where it was parsed.
    #[reply((Option<i64>, Place))]
    Parse { text: String },
}

#[actor(ctx)]
enum CounterMessage {
    /// Adds to the count, and gives the count and where it is kept.
    #[reply((i64, Place))]
    Add { number: i64 },
}

#[actor(ctx)]
enum PrinterMessage {
    /// Prints a line, and gives where it was printed.
    #[reply(Place)]
    Print { line: String },
}

struct Parser;
struct Counter(i64);
struct Printer;

fn place<M: Message>(ctx: &Context<M>) -> Place {
    (ctx.thread_id(), thread::current().id())
}

impl ParserHandler for Parser {
    fn parse(&mut self, ctx: &mut Context<ParserMessage>, text: String) -> (Option<i64>, Place) {
        println!("[thread {}] parsing {text:?}", ctx.thread_id());
        (text.parse().ok(), place(ctx))
    }
}

impl CounterHandler for Counter {
    fn add(&mut self, ctx: &mut Context<CounterMessage>, number: i64) -> (i64, Place) {
        println!("[thread {}] adding {number}", ctx.thread_id());
        self.0 += number;
        (self.0, place(ctx))
    }
}

impl PrinterHandler for Printer {
    fn print(&mut self, ctx: &mut Context<PrinterMessage>, line: String) -> Place {
        println!("[thread {}] {line}", ctx.thread_id());
        place(ctx)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = ActorEngine::new();
    let front = engine.spawn(
        ActorThread::named("front")
            .register(ParserMessage::actor(|| Parser))
            .register(CounterMessage::actor(|| Counter(0))),
    )?;
    let back = engine.spawn(
        ActorThread::named("back")
            .register(ParserMessage::actor(|| Parser))
            .register(PrinterMessage::actor(|| Printer)),
    )?;
    println!("{}", engine.registry());
    assert_eq!(engine.thread_count(), 2);

    let (one, first_parser) = engine.call(ParserMessage::parse("20".to_owned()))?;
    let (two, second_parser) = engine.call(ParserMessage::parse("22".to_owned()))?;
    engine.call(CounterMessage::add(one.unwrap_or(0)))?;
    let (count, counter) = engine.call(CounterMessage::add(two.unwrap_or(0)))?;
    let printer = engine.call(PrinterMessage::print(format!("the count is {count}")))?;

    assert_eq!(count, 42);
    assert_eq!((first_parser.0, second_parser.0), (front, back), "they took turns");
    assert_eq!(counter, first_parser, "neighbours share an OS thread");
    assert_eq!(printer, second_parser);
    assert_ne!(first_parser.1, second_parser.1, "two actor threads are two OS threads");
    assert_ne!(counter.1, thread::current().id(), "neither is this one");

    engine.shutdown()?;
    Ok(())
}
