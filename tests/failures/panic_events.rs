//! Every panic in the code of an instance is told, with what panicked, its text, and when the instance is back.

use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use zctor::{
    ActorEngine, AfterPanic, BoxError, CallError, Context, PanicEvent, PanicOrigin, Restart, WatchError, actor,
};
use zctor_tests::{Gate, bounded, receive, receive_many};

const LONG: Duration = Duration::from_secs(3600);
const SENDS: usize = if cfg!(miri) { 50 } else { 10_000 };
/// Built again at once, however often it panics.
fn restless() -> Restart {
    Restart::always().backoff(Duration::ZERO, Duration::ZERO)
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Fault {
    #[default]
    None,
    OnStart,
    OnStop,
    OnPanic,
    Drop,
    Factory,
    FactoryError,
}

#[actor(ctx)]
enum FragileMessage {
    /// The next state of this instance has this fault.
    Next(Fault),
    Break(u32),
    #[reply(())]
    BreakCall,
    #[reply(())]
    Sync,
    Tick,
    Pipe,
    Reset,
    End,
}

type Shared = std::sync::Arc<std::sync::Mutex<Fault>>;

struct Fragile {
    fault: Fault,
    next: Shared,
}

impl Fragile {
    fn build(next: &Shared) -> Result<Self, BoxError> {
        let fault = std::mem::take(&mut *next.lock().expect("no test panics under it"));
        match fault {
            Fault::Factory => panic!("the factory"),
            Fault::FactoryError => Err("the factory's error".into()),
            fault => Ok(Self { fault, next: next.clone() }),
        }
    }
}

impl FragileHandler for Fragile {
    fn next(&mut self, _: &mut Context<FragileMessage>, fault: Fault) {
        *self.next.lock().expect("no test panics under it") = fault;
    }
    fn r#break(&mut self, _: &mut Context<FragileMessage>, value: u32) {
        panic!("sent {value}");
    }
    fn break_call(&mut self, _: &mut Context<FragileMessage>) {
        panic!("called");
    }
    fn sync(&mut self, _: &mut Context<FragileMessage>) {}
    fn tick(&mut self, ctx: &mut Context<FragileMessage>) {
        ctx.send_every(Duration::from_millis(1), || panic!("the timer"));
    }
    fn pipe(&mut self, ctx: &mut Context<FragileMessage>) {
        ctx.pipe(LeafMessage::well(), |_| panic!("the pipe"));
    }
    fn reset(&mut self, ctx: &mut Context<FragileMessage>) {
        ctx.reset();
    }
    fn end(&mut self, ctx: &mut Context<FragileMessage>) {
        ctx.stop();
    }
    fn on_start(&mut self, _: &mut Context<FragileMessage>) {
        assert!(self.fault != Fault::OnStart, "on_start");
    }
    fn on_stop(&mut self, _: &mut Context<FragileMessage>) {
        assert!(self.fault != Fault::OnStop, "on_stop");
    }
    fn on_panic(self, _: &mut Context<FragileMessage>, _: &str) {
        assert!(self.fault != Fault::OnPanic, "on_panic");
    }
}

impl Drop for Fragile {
    fn drop(&mut self) {
        assert!(self.fault != Fault::Drop, "the drop");
    }
}

#[actor]
enum LeafMessage {
    #[reply(())]
    Well,
    #[reply(())]
    Badly,
}

struct Leaf;

impl LeafHandler for Leaf {
    fn well(&mut self) {}
    fn badly(&mut self) {
        panic!("the leaf");
    }
}

#[actor]
enum PlainMessage {
    Break,
}

/// Without an `on_panic` of its own.
struct Plain;

impl PlainHandler for Plain {
    fn r#break(&mut self) {
        panic!("plain");
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        panic!("its drop");
    }
}

fn told(engine: &ActorEngine) -> Receiver<PanicEvent> {
    let (tell, told) = mpsc::channel();
    // A test that has seen enough may be gone.
    engine.on_panic(move |panic: &PanicEvent| tell.send(panic.clone()).unwrap_or_default());
    told
}

fn fragile(engine: &ActorEngine, restart: Restart) -> FragileClient {
    let next = Shared::default();
    let actor = FragileMessage::try_actor(move |_| Fragile::build(&next)).restart(restart);
    engine.start(actor).expect("it has no fault at first")
}

fn parts(panic: &PanicEvent) -> (PanicOrigin, &str, usize) {
    (panic.origin, &panic.text, panic.in_window)
}

#[test]
fn each_of_ten_thousand_panics_of_sends_is_told_with_its_variant_and_text() {
    bounded(|| {
        let engine = ActorEngine::new();
        let told = told(&engine);
        let client = fragile(&engine, restless());
        for value in 0..SENDS as u32 {
            client.r#break(value).unwrap();
        }
        for (value, panic) in receive_many(&told, SENDS).iter().enumerate() {
            let text = format!("sent {value}");
            assert_eq!((panic.origin, &*panic.text), (PanicOrigin::Handler("Break"), text.as_str()));
            assert_eq!((Some(panic.instance), panic.message), (client.instance_id(), "FragileMessage"));
            assert_eq!(panic.next, AfterPanic::Rebuilt);
        }
        let report = engine.shutdown().unwrap();
        assert_eq!(report.panicked(), SENDS as u64);
        assert!(told.try_recv().is_err(), "each was told once");
    });
}

#[test]
fn a_panic_of_a_call_is_told_before_its_caller_has_the_error() {
    bounded(|| {
        // It is built again, backs off at its third panic, or ends.
        for (restart, before) in [(restless(), 0), (Restart::always().backoff(LONG, LONG), 2), (Restart::never(), 0)] {
            let engine = ActorEngine::new();
            let client = fragile(&engine, restart);
            (0..before).for_each(|value| client.r#break(value).unwrap());
            engine.settle();
            let (gate, (tell, told)) = (Gate::new(), mpsc::channel());
            let hook = gate.clone();
            engine.on_panic(move |panic: &PanicEvent| {
                tell.send(panic.clone()).unwrap_or_default();
                hook.pass();
            });
            let asked = client.non_blocking().break_call();
            let panic = receive(&told);
            assert_eq!(parts(&panic), (PanicOrigin::Handler("BreakCall"), "called", before as usize + 1));
            assert_eq!(asked.try_take(), None, "{panic}");
            gate.open();
            assert!(matches!(asked.wait(), Err(CallError::Panicked { .. })), "{panic}");
        }
    });
}

#[test]
fn what_else_panics_is_named_as_what_it_is() {
    bounded(|| {
        let engine = ActorEngine::new();
        let _leaf = engine.pool(1, LeafMessage::actor(|| Leaf)).unwrap();
        let told = told(&engine);
        for (fault, message, origin, text) in [
            (Fault::None, FragileMessage::Tick, PanicOrigin::Timer, "the timer"),
            (Fault::None, FragileMessage::Pipe, PanicOrigin::Pipe, "the pipe"),
            (Fault::OnStart, FragileMessage::Reset, PanicOrigin::OnStart, "on_start"),
            (Fault::Factory, FragileMessage::Reset, PanicOrigin::Factory, "the factory"),
            (Fault::FactoryError, FragileMessage::Reset, PanicOrigin::Factory, "the factory's error"),
            (Fault::None, FragileMessage::Break(1), PanicOrigin::Handler("Break"), "sent 1"),
        ] {
            let client = fragile(&engine, restless());
            client.next(fault).unwrap();
            client.send(message).unwrap();
            let panic = receive(&told);
            assert_eq!((parts(&panic), panic.next), ((origin, text, 1), AfterPanic::Rebuilt));
            client.sync().unwrap();
        }
        engine.shutdown().unwrap();
        assert!(told.try_recv().is_err(), "nothing was told twice");
    });
}

#[test]
fn a_panic_that_changes_nothing_is_told_and_not_counted() {
    bounded(|| {
        let engine = ActorEngine::new();
        let told = told(&engine);
        for (fault, origin, text) in
            [(Fault::OnStop, PanicOrigin::OnStop, "on_stop"), (Fault::Drop, PanicOrigin::Drop, "the drop")]
        {
            let client = fragile(&engine, restless());
            client.next(fault).unwrap();
            client.reset().unwrap();
            client.reset().unwrap();
            let panic = receive(&told);
            assert_eq!((parts(&panic), panic.next), ((origin, text, 0), AfterPanic::Rebuilt));
            client.next(fault).unwrap();
            client.reset().unwrap();
            client.end().unwrap();
            let panic = receive(&told);
            assert_eq!((parts(&panic), panic.next), ((origin, text, 0), AfterPanic::Ended));
        }
        let client = fragile(&engine, restless());
        client.next(Fault::OnPanic).unwrap();
        client.reset().unwrap();
        client.r#break(5).unwrap();
        assert_eq!(parts(&receive(&told)), (PanicOrigin::Handler("Break"), "sent 5", 1));
        assert_eq!(parts(&receive(&told)), (PanicOrigin::OnPanic, "on_panic", 1));
        let plain = engine.start(PlainMessage::actor(|| Plain).restart(Restart::never())).unwrap();
        plain.r#break().unwrap();
        let panics = receive_many(&told, 2);
        assert_eq!(parts(&panics[0]), (PanicOrigin::Handler("Break"), "plain", 1));
        assert_eq!((panics[1].origin, &*panics[1].text), (PanicOrigin::Drop, "its drop"));
        assert_eq!(engine.shutdown().unwrap().panicked(), 2, "the handlers alone are counted");
    });
}

#[test]
fn the_variant_is_that_of_the_handler_and_not_of_one_that_it_calls_while_it_unwinds() {
    #[actor(calls(LeafMessage))]
    enum RootMessage {
        Outer,
    }
    struct Root;
    struct CallsInDrop<'a>(&'a Context<RootMessage>);
    impl Drop for CallsInDrop<'_> {
        fn drop(&mut self) {
            assert!(matches!(self.0.call(LeafMessage::badly()), Err(CallError::Panicked { .. })));
        }
    }
    impl RootHandler for Root {
        fn outer(&mut self, ctx: &mut Context<RootMessage>) {
            let _calls = CallsInDrop(ctx);
            panic!("the root");
        }
    }
    bounded(|| {
        let engine = ActorEngine::new();
        let told = told(&engine);
        // On one thread, so that the leaf's handler runs on the root's stack.
        let thread = zctor::ActorThread::new().register(LeafMessage::actor(|| Leaf));
        engine.spawn(thread.register(RootMessage::actor(|| Root))).unwrap();
        engine.send(RootMessage::Outer).unwrap();
        let panics = receive_many(&told, 2);
        let told: Vec<_> = panics.iter().map(|panic| (panic.message, panic.origin.variant())).collect();
        assert_eq!(told, [("LeafMessage", Some("Badly")), ("RootMessage", Some("Outer"))]);
    });
}

#[test]
fn the_variant_is_that_of_the_handler_and_not_of_one_that_the_drop_of_the_payload_calls() {
    #[actor(calls(LeafMessage))]
    enum RootMessage {
        Outer(LeafClient),
    }
    struct Root;
    struct CallsInDrop(LeafClient);
    impl Drop for CallsInDrop {
        fn drop(&mut self) {
            assert!(matches!(self.0.badly(), Err(CallError::Panicked { .. })));
        }
    }
    impl RootHandler for Root {
        fn outer(&mut self, _: &mut Context<RootMessage>, leaf: LeafClient) {
            std::panic::panic_any(CallsInDrop(leaf));
        }
    }
    bounded(|| {
        let engine = ActorEngine::new();
        let told = told(&engine);
        let thread = zctor::ActorThread::new().register(LeafMessage::actor(|| Leaf));
        engine.spawn(thread.register(RootMessage::actor(|| Root))).unwrap();
        engine.send(RootMessage::Outer(engine.client::<LeafMessage>().unwrap())).unwrap();
        let panics = receive_many(&told, 2);
        let told: Vec<_> = panics.iter().map(|panic| panic.origin.variant()).collect();
        assert_eq!(told, [Some("Badly"), Some("Outer")]);
    });
}

#[test]
fn what_backs_off_says_until_when_and_shows_in_the_statistics_meanwhile() {
    bounded(|| {
        let engine = ActorEngine::new();
        let told = told(&engine);
        // Beside another instance, with which the thread goes on.
        let next = Shared::default();
        let actor = FragileMessage::try_actor(move |_| Fragile::build(&next));
        let thread = zctor::ActorThread::new().register(LeafMessage::actor(|| Leaf));
        engine.spawn(thread.register(actor.restart(Restart::always().backoff(LONG, LONG)))).unwrap();
        let client = engine.client::<FragileMessage>().unwrap();
        let client = client.pin(client.instances()[0]);
        for value in 0..3 {
            client.r#break(value).unwrap();
        }
        let panics = receive_many(&told, 3);
        assert_eq!(panics.iter().map(|panic| panic.in_window).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!([panics[0].next, panics[1].next], [AfterPanic::Rebuilt; 2]);
        let AfterPanic::BackingOff { until, backoff } = panics[2].next else { panic!("it backs off: {}", panics[2]) };
        assert_eq!(backoff, LONG);
        let stats = engine.stats();
        let [one] = stats.threads[0].backing_off[..] else { panic!("one backs off: {stats}") };
        assert_eq!((Some(one.instance), one.message), (client.instance_id(), "FragileMessage"));
        assert_eq!((one.since + LONG, one.until), (until, until));
        assert!(stats.to_string().contains("backs off for 3600s"), "{stats}");
        // It ends: from then on it backs off no more.
        client.stop().unwrap();
        engine.settle();
        assert_eq!(engine.stats().threads[0].backing_off, []);
    });
}

#[test]
fn what_is_back_does_not_back_off_any_more() {
    bounded(|| {
        let engine = ActorEngine::new();
        let told = told(&engine);
        let short = Duration::from_millis(1);
        let client = fragile(&engine, Restart::always().backoff(short, short));
        for value in 0..3 {
            client.r#break(value).unwrap();
        }
        let panics = receive_many(&told, 3);
        assert!(matches!(panics[2].next, AfterPanic::BackingOff { backoff, .. } if backoff == short));
        client.sync().unwrap();
        assert_eq!(engine.stats().threads[0].backing_off, []);
    });
}

#[test]
fn a_panic_beyond_the_limit_says_that_it_ends() {
    bounded(|| {
        let engine = ActorEngine::new();
        let told = told(&engine);
        let client = fragile(&engine, Restart::at_most(1, LONG));
        client.r#break(0).unwrap();
        client.r#break(1).unwrap();
        let panics = receive_many(&told, 2);
        assert_eq!((panics[0].in_window, panics[0].next), (1, AfterPanic::Rebuilt));
        assert_eq!((panics[1].in_window, panics[1].next), (2, AfterPanic::Ended));
        let once = engine.start(LeafMessage::actor_once(|| Leaf)).unwrap();
        assert!(once.badly().is_err());
        assert_eq!((receive(&told).next, told.try_recv().ok()), (AfterPanic::Ended, None));
    });
}

// `on_panic`.

#[actor(ctx)]
enum BufferMessage {
    Keep(u32),
    Break,
    BreakAndStop,
    #[reply(usize)]
    Len,
}

struct Buffer {
    kept: Vec<u32>,
    stops: bool,
    report: Sender<(Vec<u32>, String)>,
    leaf: Option<LeafClient>,
}

impl BufferHandler for Buffer {
    fn keep(&mut self, _: &mut Context<BufferMessage>, value: u32) {
        self.kept.push(value);
    }
    fn r#break(&mut self, _: &mut Context<BufferMessage>) {
        panic!("broken");
    }
    fn break_and_stop(&mut self, _: &mut Context<BufferMessage>) {
        self.stops = true;
        panic!("broken for good");
    }
    fn len(&mut self, _: &mut Context<BufferMessage>) -> usize {
        self.kept.len()
    }
    fn on_panic(self, ctx: &mut Context<BufferMessage>, text: &str) {
        if let Some(leaf) = self.leaf {
            assert!(matches!(leaf.well(), Err(CallError::Undeclared { .. })), "it may not wait");
        }
        // What it sends to itself is for the state that is built next.
        ctx.me().keep(7).expect("it lives");
        if self.stops {
            ctx.stop();
        }
        self.report.send((self.kept, text.to_owned())).unwrap_or_default();
    }
}

#[test]
fn the_state_that_panicked_is_given_to_on_panic() {
    bounded(|| {
        let engine = ActorEngine::new();
        let leaf = engine.pool(1, LeafMessage::actor(|| Leaf)).unwrap();
        let (report, reports) = mpsc::channel();
        let build = move || Buffer { kept: Vec::new(), stops: false, report: report.clone(), leaf: Some(leaf.clone()) };
        let buffer = engine.start(BufferMessage::actor(build)).unwrap();
        for value in 0..3 {
            buffer.keep(value).unwrap();
        }
        buffer.r#break().unwrap();
        assert_eq!(receive(&reports), (vec![0, 1, 2], "broken".to_owned()));
        assert_eq!(buffer.len(), Ok(1), "what `on_panic` had sent to itself");
        buffer.break_and_stop().unwrap();
        assert_eq!(receive(&reports), (vec![7], "broken for good".to_owned()));
        engine.settle();
        assert_eq!(buffer.len(), Err(CallError::Stopped { message: "BufferMessage" }));
        assert_eq!(engine.shutdown().unwrap().panicked(), 2);
    });
}

#[test]
fn on_panic_may_end_an_instance_that_would_back_off() {
    bounded(|| {
        let engine = ActorEngine::new();
        let told = told(&engine);
        let (report, reports) = mpsc::channel();
        let build = move || Buffer { kept: Vec::new(), stops: false, report: report.clone(), leaf: None };
        let restart = Restart::always().backoff(LONG, LONG);
        let buffer = engine.start(BufferMessage::actor(build).restart(restart)).unwrap();
        buffer.r#break().unwrap();
        buffer.r#break().unwrap();
        buffer.break_and_stop().unwrap();
        assert!(matches!(receive_many(&told, 3)[2].next, AfterPanic::BackingOff { .. }));
        receive_many(&reports, 3);
        engine.settle();
        assert_eq!(buffer.len(), Err(CallError::Stopped { message: "BufferMessage" }));
        assert!(engine.stats().threads.iter().all(|thread| thread.backing_off.is_empty()));
        engine.shutdown().unwrap();
    });
}

// `ctx.watch_panics`.

#[actor(ctx)]
enum WatcherMessage {
    #[reply(Result<(), WatchError>)]
    Watch(FragileClient),
    #[reply(WatchError)]
    WatchUnbound(LeafClient),
    Panicked(PanicEvent),
    Break,
    #[reply(())]
    Sync,
}

struct Watcher(Sender<PanicEvent>);

impl WatcherHandler for Watcher {
    fn watch(&mut self, ctx: &mut Context<WatcherMessage>, target: FragileClient) -> Result<(), WatchError> {
        ctx.watch_panics(&target, WatcherMessage::Panicked)
    }
    fn watch_unbound(&mut self, ctx: &mut Context<WatcherMessage>, target: LeafClient) -> WatchError {
        ctx.watch_panics(&target, WatcherMessage::Panicked).expect_err("it is bound to none")
    }
    fn panicked(&mut self, _: &mut Context<WatcherMessage>, panic: PanicEvent) {
        self.0.send(panic).unwrap_or_default();
    }
    fn r#break(&mut self, _: &mut Context<WatcherMessage>) {
        panic!("the watcher");
    }
    fn sync(&mut self, _: &mut Context<WatcherMessage>) {}
}

fn watcher(engine: &ActorEngine) -> (WatcherClient, Receiver<PanicEvent>) {
    let (tell, told) = mpsc::channel();
    (engine.start(WatcherMessage::actor(move || Watcher(tell.clone()))).expect("its factory cannot fail"), told)
}

#[test]
fn each_panic_of_one_that_is_watched_is_a_message_in_order() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (watcher, told) = watcher(&engine);
        let (watched, other) = (fragile(&engine, restless()), fragile(&engine, restless()));
        watcher.watch(watched.clone()).unwrap().unwrap();
        for value in 0..100 {
            other.r#break(value).unwrap();
            watched.r#break(value).unwrap();
        }
        let panics = receive_many(&told, 100);
        for (value, panic) in panics.iter().enumerate() {
            assert_eq!((Some(panic.instance), &*panic.text), (watched.instance_id(), format!("sent {value}").as_str()));
        }
        engine.settle();
        assert!(told.try_recv().is_err(), "of the other nothing is told");
    });
}

#[test]
fn a_watch_of_panics_ends_with_the_watcher_s_state_and_with_the_watched() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (watcher, told) = watcher(&engine);
        let watched = fragile(&engine, restless());
        watcher.watch(watched.clone()).unwrap().unwrap();
        watched.r#break(1).unwrap();
        assert_eq!(&*receive(&told).text, "sent 1");
        watcher.r#break().unwrap();
        watcher.sync().unwrap();
        assert!(watched.break_call().is_err());
        watcher.sync().unwrap();
        assert!(told.try_recv().is_err(), "the rebuild has ended the watch");
        // Again, to the end of the watched; its last panic is told.
        watcher.watch(watched.clone()).unwrap().unwrap();
        watched.r#break(2).unwrap();
        watched.stop().unwrap();
        assert_eq!(&*receive(&told).text, "sent 2");
        engine.settle();
        assert_eq!(watcher.watch(watched).unwrap(), Ok(()), "nothing will come of it");
        let leaf = engine.pool(1, LeafMessage::actor(|| Leaf)).unwrap();
        assert_eq!(watcher.watch_unbound(leaf).unwrap(), WatchError::Unbound { message: "LeafMessage" });
        engine.settle();
        assert!(told.try_recv().is_err());
        assert_eq!(engine.shutdown().unwrap().left, 0);
    });
}

#[test]
fn a_hook_may_panic_send_and_use_the_engine() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (tell, told) = mpsc::channel();
        let (handle, sink) = (engine.handle(), engine.pool(1, LeafMessage::actor(|| Leaf)).unwrap());
        engine.on_panic(move |panic: &PanicEvent| {
            assert!(matches!(sink.well(), Err(CallError::Undeclared { .. })), "it may not wait");
            let _ = (handle.stats(), handle.registry());
            tell.send(panic.to_string()).unwrap_or_default();
            panic!("the hook");
        });
        let client = fragile(&engine, restless());
        client.r#break(3).unwrap();
        let id = client.instance_id().unwrap();
        let line = format!("`FragileMessage::Break` of {id} panicked: sent 3 (1 in its window); it is rebuilt");
        assert_eq!(receive(&told), line);
        client.sync().unwrap();
        engine.shutdown().unwrap();
        assert!(told.try_recv().is_err(), "the hook's own panic is told to nobody");
    });
}
