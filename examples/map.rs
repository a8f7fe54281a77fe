//! A map: who may call whom, what runs now, which handler all others wait for, and which is slow.
//!
//! The map is made from the definitions, without running anything, and a test can hold a picture in the documentation to
//! it. With the registry and the statistics of an engine it shows threads and waits too. Here three services wait for
//! one that is held. Look at the last line of the waits: it names the one that runs. The same one is told as slow, and
//! those that wait for it are not.
//!
//! ```text
//! cargo run --example map
//! ```

use std::error::Error;
use std::sync::mpsc;
use std::time::Duration;

use zctor::map::Map;
use zctor::{ActorEngine, ActorThread, CallError, Context, Message, Pending, SendStats, Spin, WaitRoot, actor, first};

#[actor]
enum DatabaseMessage {
    /// Gives a user's name, when the gate is open.
    #[reply(String)]
    Name {
        #[key]
        user: u64,
    },
}

#[actor(calls(DatabaseMessage))]
enum WebMessage {
    /// Gives the page of a user.
    #[reply(Result<String, CallError>)]
    Page { user: u64 },
}

struct Database {
    begun: mpsc::Sender<u64>,
    gate: mpsc::Receiver<()>,
}

struct Web;

impl DatabaseHandler for Database {
    fn name(&mut self, user: u64) -> String {
        self.begun.send(user).unwrap_or_default();
        self.gate.recv().unwrap_or_default();
        format!("user {user}")
    }
}

impl WebHandler for Web {
    fn page(&mut self, ctx: &mut Context<WebMessage>, user: u64) -> Result<String, CallError> {
        Ok(format!("<h1>{}</h1>", ctx.call(DatabaseMessage::name(user))?))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    const LIMIT: Duration = Duration::from_secs(30);

    let definition = WebMessage::DEFINITION;
    assert_eq!(definition.call_depth(), 1);
    let database = definition.calls().next().ok_or("it calls the database")?;
    let keyed: Vec<_> = database.variants().map(|variant| (variant.is_keyed(), variant.is_deferred())).collect();
    assert_eq!(keyed, [(true, false)]);
    let map = Map::of([definition]);
    println!("{}", map.mermaid());
    assert!(map.dot().contains("DatabaseMessage"));

    // A batch program: threads that wait leave the cores to others at once.
    let engine = ActorEngine::builder().spin(Spin::Never).record_sends().build();
    let (begun, begins) = mpsc::channel();
    let (open, gate) = mpsc::channel();
    let (tell, told) = mpsc::channel();
    engine.on_slow(Duration::from_millis(100), move |slow| tell.send(slow.clone()).unwrap_or_default())?;
    let actor = DatabaseMessage::actor_once(move || Database { begun, gate });
    engine.spawn(ActorThread::named("database").register(actor))?;
    // Pages may take their time to draw: these would be told after ten seconds.
    let web = engine.pool(3, WebMessage::actor(|| Web).slow(Duration::from_secs(10)))?;

    let pages: Vec<Pending<_>> = (0..3).map(|user| web.non_blocking().page(user)).collect();
    begins.recv_timeout(LIMIT)?;
    // A wait is noted when its thread parks, a moment after the call.
    let waits = loop {
        let forest = engine.stats().waits();
        let is_own = |root: &WaitRoot| root.own_thread() == Some(root.thread);
        assert!(forest.roots.iter().all(is_own), "no other engine is there");
        let waits = forest.to_string();
        if waits.lines().last().is_some_and(|line| line.contains("RUNS")) {
            break waits;
        }
    };
    println!("{waits}");
    assert!(waits.lines().last().is_some_and(|line| line.contains("DatabaseMessage")));
    let slow = told.recv_timeout(LIMIT)?;
    println!("{slow}");
    assert_eq!((slow.message, slow.variant), ("DatabaseMessage", Some("Name")));
    assert_eq!(engine.slow(Duration::from_millis(100)).len(), 1);
    let now = map.running(&engine.registry(), &engine.stats());
    assert!(now.svg().starts_with("<svg"));
    // What the handlers have done is what the definitions say, and no more.
    let stats = engine.stats();
    let seen: Vec<_> = stats.sends.iter().map(|SendStats { message, receiver, .. }| (*message, *receiver)).collect();
    assert_eq!(seen, [("WebMessage", "DatabaseMessage")]);
    assert!(definition.sends().next().is_none());
    let database = &stats.threads[0];
    assert_eq!(database.holder().map(|runs| runs.message), Some("DatabaseMessage"));
    assert_eq!(database.queued_behind(), database.queued - 1, "it handles one of them");

    // Whichever page is there first.
    (0..3).try_for_each(|_| open.send(()))?;
    let mut pages = first(pages);
    let mut seen = 0;
    while let Some((user, page)) = pages.wait()? {
        assert_eq!(page??, format!("<h1>user {user}</h1>"));
        seen += 1;
    }
    assert_eq!(seen, 3);
    engine.shutdown()?;
    Ok(())
}
