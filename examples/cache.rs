//! A cache: equal requests are answered once, and a value expires.
//!
//! A request for a key that is being fetched already is not sent again: its `ReplyTo` is kept, and one answer goes to
//! all. The fetch is a pipe, so the cache answers other keys meanwhile. A timer drops each value in its time. `#[key]`
//! brings a key to the same instance each time, so the threads of the cache share nothing. Look at the counts: 300
//! requests, and ten fetches.
//!
//! ```text
//! cargo run --example cache
//! cargo test -p zctor-examples --features testing --example cache
//! ```

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use zctor::{ActorEngine, CallError, Context, ReplyTo, actor};

#[actor]
#[derive(Debug, PartialEq)]
enum OriginMessage {
    /// Gives the page at a path: slow, and often asked for.
    #[reply(String)]
    Fetch { path: String },
}

#[actor(ctx, sends(OriginMessage))]
#[derive(Debug, PartialEq)]
enum CacheMessage {
    /// Gives the page at a path, from the cache if it is there.
    #[reply(Result<String, CallError>, deferred)]
    Get {
        #[key]
        path: String,
    },
    #[msg(internal)]
    Fetched { path: String, outcome: Result<String, CallError> },
    #[msg(internal)]
    Expired { path: String },
}

enum Entry {
    /// It is being fetched, and these wait for it.
    Fetching(Vec<ReplyTo<Result<String, CallError>>>),
    Here(String),
}

struct Cache {
    entries: HashMap<String, Entry>,
    /// How long a value is kept.
    kept: Duration,
    /// How long the origin may take.
    limit: Duration,
}

impl Cache {
    fn new(kept: Duration) -> Self {
        Self { entries: HashMap::new(), kept, limit: Duration::from_secs(60) }
    }
}

impl CacheHandler for Cache {
    fn get(&mut self, ctx: &mut Context<CacheMessage>, path: String, reply: ReplyTo<Result<String, CallError>>) {
        match self.entries.get_mut(&path) {
            Some(Entry::Here(page)) => reply.send(Ok(page.clone())),
            Some(Entry::Fetching(waiting)) => waiting.push(reply),
            None => {
                let origin = match ctx.non_blocking::<OriginMessage>() {
                    Ok(origin) => origin.within(self.limit),
                    Err(error) => return reply.send(Err(error)),
                };
                self.entries.insert(path.clone(), Entry::Fetching(vec![reply]));
                ctx.pipe(origin.fetch(path.clone()), move |outcome| CacheMessage::Fetched { path, outcome });
            }
        }
    }

    fn fetched(&mut self, ctx: &mut Context<CacheMessage>, path: String, outcome: Result<String, CallError>) {
        let Some(Entry::Fetching(waiting)) = self.entries.remove(&path) else { return };
        if let Ok(page) = &outcome {
            self.entries.insert(path.clone(), Entry::Here(page.clone()));
            ctx.send_after(self.kept, CacheMessage::Expired { path });
        }
        // An error is not kept: the next request tries again.
        waiting.into_iter().for_each(|reply| reply.send(outcome.clone()));
    }

    fn expired(&mut self, _ctx: &mut Context<CacheMessage>, path: String) {
        self.entries.remove(&path);
    }
}

struct Origin {
    fetches: Arc<AtomicU32>,
}

impl OriginHandler for Origin {
    fn fetch(&mut self, path: String) -> String {
        self.fetches.fetch_add(1, Relaxed);
        format!("the page at {path}")
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let fetches = Arc::new(AtomicU32::new(0));
    let engine = ActorEngine::new();
    let counted = Arc::clone(&fetches);
    engine.pool(1, OriginMessage::actor(move || Origin { fetches: Arc::clone(&counted) }))?;
    let cache = engine.pool(2, CacheMessage::actor(|| Cache::new(Duration::from_secs(3600))))?;

    // All requests at once: a `Pending` is sent when it is made.
    let paths: Vec<_> = (0..300).map(|number| format!("/news/{}", number % 10)).collect();
    let pages: Vec<_> = paths.iter().map(|path| cache.non_blocking().get(path.clone())).collect();
    for (path, page) in paths.iter().zip(pages) {
        assert_eq!(page.wait()??, format!("the page at {path}"));
    }
    println!("300 requests, {} fetches", fetches.load(Relaxed));
    assert_eq!(fetches.load(Relaxed), 10);

    // A shutdown does not wait for timers: the values have an hour to go.
    let report = engine.shutdown()?;
    println!("{report}");
    assert_eq!(report.handled(), 300 + 10 + 10); // requests, fetches, and what the pipes brought
    Ok(())
}

#[cfg(test)]
#[path = "picture.rs"]
mod picture;

#[cfg(test)]
#[test]
fn the_picture_shows_the_definitions() {
    use zctor::Message;
    picture::shows("cache.svg", [CacheMessage::DEFINITION, OriginMessage::DEFINITION]);
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use zctor::testing::{Port, Probe, context};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    #[test]
    fn equal_requests_are_fetched_once() {
        let engine = ActorEngine::new();
        let origin = Probe::<OriginMessage>::new();
        engine.pool(1, origin.actor()).unwrap();
        let cache = engine.pool(2, CacheMessage::actor(|| Cache::new(LIMIT))).unwrap();

        let pages: Vec<_> = (0..100).map(|_| cache.non_blocking().get("/".to_owned())).collect();
        origin.expect_request(OriginMessage::fetch("/".to_owned()), LIMIT).send("home".to_owned());
        for page in pages {
            assert_eq!(page.wait(), Ok(Ok("home".to_owned())));
        }
        engine.settle();
        assert!(origin.is_empty(), "one fetch for a hundred requests");
    }

    #[test]
    fn a_failed_fetch_is_told_to_all_and_tried_again_by_the_next() {
        let engine = ActorEngine::new();
        let origin = Probe::<OriginMessage>::new();
        engine.pool(1, origin.actor()).unwrap();
        let cache = engine.pool(1, CacheMessage::actor(|| Cache::new(LIMIT))).unwrap();

        let (first, second) = (cache.non_blocking().get("/".to_owned()), cache.non_blocking().get("/".to_owned()));
        engine.settle(); // both wait for the fetch
        drop(origin.expect_call(Port::<OriginMessage>::Fetch, LIMIT)); // the origin gives no answer
        let failed = Err(CallError::NoReply { message: "OriginMessage" });
        assert_eq!((first.wait(), second.wait()), (Ok(failed.clone()), Ok(failed)));

        let third = cache.non_blocking().get("/".to_owned());
        origin.expect_request(OriginMessage::fetch("/".to_owned()), LIMIT).send("home".to_owned());
        assert_eq!(third.wait(), Ok(Ok("home".to_owned())));
    }

    #[test]
    fn a_value_expires() {
        let (mut ctx, mut cache) = (context::<CacheMessage>(), Cache::new(LIMIT));
        cache.entries.insert("/".to_owned(), Entry::Fetching(Vec::new()));
        cache.fetched(&mut ctx, "/".to_owned(), Ok("home".to_owned()));
        assert!(matches!(cache.entries["/"], Entry::Here(_)));

        let due = ctx.fire_timers();
        assert_eq!(due, [CacheMessage::Expired { path: "/".to_owned() }]);
        cache.expired(&mut ctx, "/".to_owned());
        assert!(cache.entries.is_empty());
    }
}
