//! `on_start` and `on_stop` call actors on threads that were started before theirs: those are served until the last of
//! the later ones has ended.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, CallError, Context, actor};
use zctor_tests::{Counter, Gate, bounded};

type Clicks = BTreeMap<String, u64>;

#[actor]
enum StoreMessage {
    #[reply(u64)]
    Load(String),
    #[reply(())]
    Write(Clicks),
}

/// What is in it outlives it, as a file would.
struct Store {
    file: Arc<Mutex<Clicks>>,
}

impl StoreHandler for Store {
    fn load(&mut self, link: String) -> u64 {
        self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get(&link).copied().unwrap_or_default()
    }

    fn write(&mut self, clicks: Clicks) {
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (link, more) in clicks {
            *file.entry(link).or_default() += more;
        }
    }
}

/// A buffer in front of the store.
#[actor(calls(StoreMessage))]
enum BufferMessage {
    Click(String),
    Hold(Gate),
    #[reply(u64)]
    Loaded,
}

#[derive(Default)]
struct Buffer {
    loaded: u64,
    clicks: Clicks,
    failed: Counter,
}

impl Buffer {
    fn flush(&mut self, ctx: &Context<BufferMessage>) {
        let clicks = std::mem::take(&mut self.clicks);
        if ctx.call(StoreMessage::write(clicks)).is_err() {
            self.failed.increment();
        }
    }
}

impl BufferHandler for Buffer {
    fn on_start(&mut self, ctx: &mut Context<BufferMessage>) {
        match ctx.call(StoreMessage::load("home".into())) {
            Ok(loaded) => self.loaded = loaded,
            Err(_) => drop(self.failed.increment()),
        }
    }

    fn on_stop(&mut self, ctx: &mut Context<BufferMessage>) {
        self.flush(ctx);
    }

    fn click(&mut self, ctx: &mut Context<BufferMessage>, link: String) {
        *self.clicks.entry(link).or_default() += 1;
        if self.clicks.values().sum::<u64>() >= 100 {
            self.flush(ctx);
        }
    }

    fn hold(&mut self, _: &mut Context<BufferMessage>, gate: Gate) {
        gate.pass();
    }

    fn loaded(&mut self, _: &mut Context<BufferMessage>) -> u64 {
        self.loaded
    }
}

/// A store, and three buffers that were started after it.
fn store_and_buffers(file: &Arc<Mutex<Clicks>>, failed: &Counter) -> (ActorEngine, BufferClient) {
    let engine = ActorEngine::new();
    let (file, failed) = (Arc::clone(file), failed.clone());
    engine.pool(1, StoreMessage::actor(move || Store { file: Arc::clone(&file) })).expect("the store starts");
    let buffer = move || Buffer { failed: failed.clone(), ..Buffer::default() };
    let buffers = engine.pool(3, BufferMessage::actor(buffer)).expect("the buffers start");
    (engine, buffers)
}

#[test]
fn a_buffer_in_front_of_a_store_loses_no_click_at_a_shutdown() {
    const CLICKS: u64 = if cfg!(miri) { 50 } else { 5_000 };
    bounded(|| {
        let (file, failed) = (Arc::default(), Counter::new());
        let (engine, buffers) = store_and_buffers(&file, &failed);
        let gate = Gate::new();
        // Each buffer has clicks that wait when the shutdown begins.
        engine.broadcast_with(|_| BufferMessage::Hold(gate.clone())).unwrap();
        gate.await_arrivals(3);
        for click in 0..CLICKS {
            buffers.click(if click % 2 == 0 { "home" } else { "about" }.into()).unwrap();
        }
        engine.handle().stop();
        gate.open();
        let report = engine.shutdown().unwrap();
        assert_eq!((report.dead_letters, report.left, failed.get()), (0, 0, 0));
        assert_eq!(file.lock().unwrap().values().sum::<u64>(), CLICKS);
    });
}

#[test]
fn a_buffer_that_is_stopped_or_reset_writes_to_its_store() {
    bounded(|| {
        let (file, failed) = (Arc::default(), Counter::new());
        let (engine, buffers) = store_and_buffers(&file, &failed);
        (0..30).for_each(|_| buffers.click("home".into()).unwrap());
        buffers.stop_all().unwrap();
        engine.settle();
        assert_eq!(file.lock().unwrap().get("home"), Some(&30));
        assert_eq!(failed.get(), 0);
    });
}

#[test]
fn on_start_calls_what_was_started_before() {
    bounded(|| {
        let file = Arc::new(Mutex::new(Clicks::from([("home".to_owned(), 17)])));
        let failed = Counter::new();
        let (engine, buffers) = store_and_buffers(&file, &failed);
        let loaded: Vec<_> = buffers.call_all_with(|_| BufferMessage::loaded()).unwrap();
        assert!(loaded.iter().all(|(_, loaded)| *loaded == Ok(17)), "{loaded:?}");
        // Of one spawn with its callee, too, in either order: all are registered before any starts.
        let (store, buffer) = (Arc::clone(&file), failed.clone());
        let store = StoreMessage::actor(move || Store { file: Arc::clone(&store) });
        let buffer = BufferMessage::actor(move || Buffer { failed: buffer.clone(), ..Buffer::default() });
        let other = ActorEngine::new();
        other.spawn(ActorThread::new().register(buffer).register(store)).unwrap();
        assert_eq!(other.call(BufferMessage::loaded()), Ok(17));
        other.shutdown().unwrap();
        engine.shutdown().unwrap();
        assert_eq!(failed.get(), 1, "but at its end that buffer's neighbour, which is younger, has ended");
    });
}

#[test]
fn a_buffer_writes_within_the_time_of_a_shutdown_with_a_deadline() {
    bounded(|| {
        let (file, failed) = (Arc::default(), Counter::new());
        let (engine, buffers) = store_and_buffers(&file, &failed);
        (0..30).for_each(|_| buffers.click("home".into()).unwrap());
        engine.shutdown_timeout(Duration::from_secs(3_600)).unwrap();
        assert_eq!(file.lock().unwrap().get("home"), Some(&30));
        assert_eq!(buffers.loaded(), Err(CallError::Stopped { message: "BufferMessage" }));
    });
}
