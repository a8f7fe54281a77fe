//! A pool that is served to another engine: every message goes through bytes, as it would to another process.
//!
//! The words of a text are counted by workers of one engine for a handler of the other, and visits by the partitions of
//! their pages. Then one side leaves, and the books say what became of every message.

use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zctor::remote::{Books, Loopback, Reached};
use zctor::{ActorEngine, CallError, Context, Overflow, actor};

/// What travels. It is the one enum that both sides know.
#[actor(remote)]
#[derive(Clone, Serialize, Deserialize)]
enum CounterMessage {
    /// Adds the words of a line.
    Count(#[msg(into)] String),
    /// Gives the number of times that a word was counted, by this instance.
    #[reply(u64)]
    Total {
        #[msg(into)]
        word: String,
    },
    Forget,
}

#[derive(Default)]
struct Counter(HashMap<String, u64>);

impl CounterHandler for Counter {
    fn count(&mut self, value: String) {
        for word in value.split_whitespace() {
            *self.0.entry(word.to_lowercase()).or_default() += 1;
        }
    }
    fn total(&mut self, word: String) -> u64 {
        self.0.get(&word).copied().unwrap_or_default()
    }
    fn forget(&mut self) {
        self.0.clear();
    }
}

/// Stays here, and calls the counters as if they did too.
#[actor(calls(CounterMessage))]
enum EditorMessage {
    #[reply(Result<u64, CallError>)]
    Uses {
        #[msg(into)]
        text: String,
        #[msg(into)]
        word: String,
    },
}
struct Editor;

impl EditorHandler for Editor {
    fn uses(&mut self, ctx: &mut Context<EditorMessage>, text: String, word: String) -> Result<u64, CallError> {
        for line in text.lines() {
            // Refused only if this engine stops; what the other side refuses is told as a dead letter.
            let stopped = |_| CallError::Stopped { message: "CounterMessage" };
            ctx.send(CounterMessage::Count(line.to_owned())).map_err(stopped)?;
        }
        ctx.call(CounterMessage::total(word))
    }
}

/// The visits of a page belong to its name.
#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum VisitMessage {
    /// Gives how often the page was visited.
    #[reply(u64)]
    Visit {
        #[key]
        #[msg(into)]
        page: String,
    },
}

#[derive(Default)]
struct Visits(HashMap<String, u64>);

impl VisitHandler for Visits {
    fn visit(&mut self, page: String) -> u64 {
        let visits = self.0.entry(page).or_default();
        *visits += 1;
        *visits
    }
}

const TEXT: &str = "the quick brown fox\njumps over the lazy dog\nthe end";

fn main() -> Result<(), Box<dyn Error>> {
    let (serves, calls) = Loopback::pair();

    // One side serves.
    let there = ActorEngine::new();
    there.pool(1, CounterMessage::actor(Counter::default))?;
    serves.serve::<CounterMessage>(&there)?;

    // The other side attaches what is served, in place of a pool of its own.
    let here = ActorEngine::new();
    let counter = calls.attach::<CounterMessage>(&here)?;
    let editor = here.pool(1, EditorMessage::actor(|| Editor))?;
    assert_eq!(editor.uses(TEXT, "the")??, 3);
    counter.broadcast(CounterMessage::Forget)?;
    assert_eq!(counter.total("the")?, 0);
    // This one waits until the other side has said how many instances have it.
    let reached: Reached = calls.broadcast(CounterMessage::Forget, Duration::from_secs(60))?;
    assert_eq!((reached.instances, reached.answers()), (1, 1));

    // Of the messages to this link no more than 8 are under way; the next one is refused while they are.
    let hasty = ActorEngine::new();
    let bounded = calls.attach_bounded::<CounterMessage>(&hasty, 8, Overflow::Refuse)?;
    let refused = (0..1_000).filter(|_| bounded.count("again").is_err()).count() as u64;

    // Everything that was taken is in a mailbox over there.
    here.settle();
    hasty.settle();
    let books: Books = calls.flush(Duration::from_secs(60));
    assert_eq!((books.unsettled(), books.acked), (0, 3 + 1 + 1_000 - refused));
    assert!(books.is_balanced());

    // The pages are divided into 16 partitions. Another process would serve those from 8 on.
    there.pool(2, VisitMessage::actor(Visits::default))?;
    serves.serve_partitions::<VisitMessage>(&there, 0..8, 16)?;
    let visits = calls.attach_partitions::<VisitMessage>(&here, 16)?;
    let pages = ["index", "news", "about", "help"].into_iter();
    let served: Vec<&str> = pages.filter(|page| visits.visit(*page).is_ok()).collect();
    println!("visits are counted here of {served:?}");
    for page in served {
        assert_eq!(visits.visit(page)?, 2);
    }

    // One side leaves: it finishes what it has taken. What is sent now has nobody to take it: each message is a dead
    // letter, and each call ends.
    assert!(serves.leave(Duration::from_secs(60)).is_drained());
    there.shutdown()?;
    here.on_dead_letter(|letter| println!("{letter}"));
    counter.count("late")?;
    assert_eq!(counter.total("late"), Err(CallError::NotRegistered { message: "CounterMessage" }));
    here.settle();
    println!("{}", calls.flush(Duration::from_secs(60)));
    assert_eq!(calls.books().unreachable, 1);
    Ok(())
}
