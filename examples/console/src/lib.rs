//! A shop in trouble: everything that can go wrong with actors, to be looked at.
//!
//! - Its database is held by something outside, so web waits for auth, and auth waits for the database.
//! - Its reports take long, and more are asked for than it can make.
//! - Its feed has broken lines: each is a panic, and the reader is built again and again.
//! - Its thumbnails have a bounded mailbox, which is full.
//! - Its cache is well, and busy.

mod actors;

use std::error::Error;
use std::fmt;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, Definition, Message, Overflow};

use actors::{
    Auth, AuthMessage, Cache, CacheClient, CacheMessage, Database, DatabaseMessage, Feed, FeedClient, FeedMessage,
    Report, ReportClient, ReportMessage, Thumbnail, ThumbnailClient, ThumbnailMessage, Web, WebClient, WebMessage,
};

/// How often something comes from outside.
const BEAT: Duration = Duration::from_millis(20);

/// How long the shop may take to close.
const CLOSING: Duration = Duration::from_millis(500);

/// A lock that is no actor's: zctor cannot see who holds it.
#[derive(Clone, Default)]
struct Lock {
    freed: Arc<(Mutex<bool>, Condvar)>,
}

impl Lock {
    fn free(&self) {
        *self.freed.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.freed.1.notify_all();
    }

    /// Waits until it is free, or until the time is up.
    fn pass(&self, time: Duration) {
        let freed = self.freed.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = self.freed.1.wait_timeout_while(freed, time, |freed| !*freed);
    }
}

/// The shop, which runs until it is dropped.
pub struct Shop {
    engine: ActorEngine,
    /// Holds the database.
    database: Lock,
    /// Slow work waits for this, so that it ends early when the shop closes.
    closing: Lock,
    close: Option<Sender<()>>,
    outside: Option<JoinHandle<()>>,
}

impl Shop {
    /// Opens the shop. Customers come at once.
    ///
    /// # Errors
    /// The machine gives no threads.
    pub fn open() -> Result<Self, Box<dyn Error>> {
        let engine = ActorEngine::builder().name("shop").build();
        engine.on_panic(|_| {}); // the console shows them
        engine.on_dead_letter(|_| {});
        let (database, closing) = (Lock::default(), Lock::default());
        let held = database.clone();
        let database_actor = DatabaseMessage::actor(move || Database(held.clone()));
        engine.spawn(ActorThread::named("db").register(database_actor))?;
        engine.spawn(ActorThread::named("auth").register(AuthMessage::actor(|| Auth)))?;
        let web = engine.pool_on(2, |number| ActorThread::named(format!("web-{number}")), WebMessage::actor(|| Web))?;
        let slow = closing.clone();
        let reports = engine.start_on(
            ActorThread::named("reports").mailbox_bound(200).overflow(Overflow::DropNewest),
            ReportMessage::actor(move || Report(slow.clone())),
        )?;
        let feed = engine.start_on(ActorThread::named("feed"), FeedMessage::actor(|| Feed))?;
        let slow = closing.clone();
        let thumbnails = engine.start_on(
            ActorThread::named("thumbnails").mailbox_bound(32).overflow(Overflow::Refuse),
            ThumbnailMessage::actor(move || Thumbnail(slow.clone())),
        )?;
        let cache = engine.pool_on(
            2,
            |number| ActorThread::named(format!("cache-{number}")),
            CacheMessage::actor(Cache::default),
        )?;
        let (close, closed) = channel();
        let outside = Outside { web, reports, feed, thumbnails, cache };
        let outside = thread::Builder::new().name("customers".to_owned()).spawn(move || outside.come(&closed))?;
        Ok(Self { engine, database, closing, close: Some(close), outside: Some(outside) })
    }

    /// The engine to look at.
    pub fn engine(&self) -> &ActorEngine {
        &self.engine
    }

    /// The definitions that the map is drawn from.
    pub fn definitions() -> [&'static Definition; 5] {
        [
            WebMessage::DEFINITION,
            ReportMessage::DEFINITION,
            FeedMessage::DEFINITION,
            ThumbnailMessage::DEFINITION,
            CacheMessage::DEFINITION,
        ]
    }

    /// Lets go of the database, so that all that wait for it go on.
    pub fn free_database(&self) {
        self.database.free();
    }
}

impl fmt::Debug for Shop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shop").field("engine", &self.engine).finish_non_exhaustive()
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        drop(self.close.take());
        if let Some(outside) = self.outside.take() {
            let _ = outside.join();
        }
        self.database.free();
        self.closing.free();
        // The reader of the feed backs off after each broken line, so all that is queued would take long.
        let _ = self.engine.shutdown_timeout(CLOSING);
    }
}

/// The customers, who come from outside.
struct Outside {
    web: WebClient,
    reports: ReportClient,
    feed: FeedClient,
    thumbnails: ThumbnailClient,
    cache: CacheClient,
}

impl Outside {
    /// Comes again and again until the shop closes. A refusal is no error here: the console counts it.
    fn come(&self, closed: &Receiver<()>) {
        for beat in 0_u64.. {
            if beat < 2 {
                let _ = self.web.page(beat); // both web instances wait from then on
            }
            if beat % 25 == 0 {
                let _ = self.reports.build(beat);
            }
            let line = if beat % 3 == 0 { "a line without a price" } else { "tea 3" };
            let _ = self.feed.line(line.to_owned());
            for picture in 0..4 {
                let _ = self.thumbnails.make(picture);
            }
            let _ = self.cache.send_all((0..40).map(CacheMessage::Get));
            match closed.recv_timeout(BEAT) {
                Err(RecvTimeoutError::Timeout) => {}
                _ => return,
            }
        }
    }
}
