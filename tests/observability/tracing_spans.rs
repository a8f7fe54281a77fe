//! With the feature `tracing` there is a span around each handler: a child of its caller's for a call, a root that
//! follows from its sender's for a send.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::mem::take;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{Interest, set_global_default};
use tracing::{Event, Metadata, Subscriber, info, info_span};
use tracing_core::span::Current;
use tracing_subscriber::layer::{Context as LayerContext, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};
use zctor::{ActorEngine, ActorThread, Context, actor};
use zctor_tests::{Gate, bounded, expect_panics};

type Fields = BTreeMap<&'static str, String>;

/// A span as it was made, and what became of it.
#[derive(Clone, Debug, Default)]
struct Seen {
    name: &'static str,
    target: &'static str,
    fields: Fields,
    /// The places of other spans in the list.
    parent: Option<usize>,
    follows: Option<usize>,
    closed: bool,
    /// The messages of the events in it.
    events: Vec<Fields>,
}

impl Seen {
    fn is(&self, message: &str, variant: &str) -> bool {
        let field = |name| self.fields.get(name).map(String::as_str);
        field("message_type") == Some(message) && field("variant") == Some(variant)
    }
}

/// All spans since the beginning, and those of them that are open by their ids.
#[derive(Default)]
struct Seens {
    all: Vec<Seen>,
    places: BTreeMap<u64, usize>,
}

static SEEN: Mutex<Seens> = Mutex::new(Seens { all: Vec::new(), places: BTreeMap::new() });

fn seen() -> MutexGuard<'static, Seens> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Collect;

thread_local! {
    /// What the subscriber does when it is asked next whether it takes spans of sends.
    static ASKED: Cell<Option<Box<dyn FnOnce()>>> = const { Cell::new(None) };
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Collect {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // So that it is asked at each send.
        if metadata.target() == "zctor::send" { Interest::sometimes() } else { Interest::always() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: LayerContext<'_, S>) -> bool {
        if metadata.target() == "zctor::send"
            && let Some(act) = ASKED.take()
        {
            act();
        }
        true
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: LayerContext<'_, S>) {
        let parent = ctx.span(id).and_then(|span| span.parent()).map(|parent| parent.id().into_u64());
        let mut fields = Fields::new();
        attributes.record(&mut Texts(&mut fields));
        let (name, target) = (attributes.metadata().name(), attributes.metadata().target());
        let mut seen = seen();
        let parent = parent.and_then(|parent| seen.places.get(&parent).copied());
        let place = seen.all.len();
        seen.places.insert(id.into_u64(), place);
        seen.all.push(Seen { name, target, fields, parent, ..Seen::default() });
    }

    fn on_follows_from(&self, span: &Id, follows: &Id, _: LayerContext<'_, S>) {
        let mut seen = seen();
        let follows = seen.places.get(&follows.into_u64()).copied();
        if let Some(place) = seen.places.get(&span.into_u64()).copied() {
            seen.all[place].follows = follows;
        }
    }

    fn on_event(&self, event: &Event<'_>, ctx: LayerContext<'_, S>) {
        let Some(span) = ctx.event_span(event).map(|span| span.id().into_u64()) else { return };
        let mut fields = Fields::new();
        event.record(&mut Texts(&mut fields));
        let mut seen = seen();
        if let Some(place) = seen.places.get(&span).copied() {
            seen.all[place].events.push(fields);
        }
    }

    fn on_close(&self, id: Id, _: LayerContext<'_, S>) {
        let mut seen = seen();
        if let Some(place) = seen.places.remove(&id.into_u64()) {
            seen.all[place].closed = true;
        }
    }
}

struct Texts<'a>(&'a mut Fields);

impl Visit for Texts<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

/// A subscriber that panics when the spans are cloned that are in `UNCLONED`.
struct Brittle<S>(S);

/// The spans of which no clone can be made.
static UNCLONED: Mutex<Vec<Id>> = Mutex::new(Vec::new());

fn uncloned() -> MutexGuard<'static, Vec<Id>> {
    UNCLONED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: Subscriber> Subscriber for Brittle<S> {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        self.0.register_callsite(metadata)
    }
    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.0.max_level_hint()
    }
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.0.enabled(metadata)
    }
    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        self.0.new_span(attributes)
    }
    fn record(&self, span: &Id, values: &Record<'_>) {
        self.0.record(span, values);
    }
    fn record_follows_from(&self, span: &Id, follows: &Id) {
        self.0.record_follows_from(span, follows);
    }
    fn event(&self, event: &Event<'_>) {
        self.0.event(event);
    }
    fn enter(&self, span: &Id) {
        self.0.enter(span);
    }
    fn exit(&self, span: &Id) {
        self.0.exit(span);
    }
    fn clone_span(&self, span: &Id) -> Id {
        let is_brittle = uncloned().contains(span);
        assert!(!is_brittle, "the span does not let itself be cloned");
        self.0.clone_span(span)
    }
    fn try_close(&self, span: Id) -> bool {
        self.0.try_close(span)
    }
    fn current_span(&self) -> Current {
        self.0.current_span()
    }
}

fn collect() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| set_global_default(Brittle(Registry::default().with(Collect))).expect("no other is set"));
}

/// The spans of handlers of a message type, in the order in which they began.
fn spans_of(message: &str) -> Vec<(usize, Seen)> {
    let all = seen().all.clone();
    all.into_iter()
        .enumerate()
        .filter(|(_, one)| one.fields.get("message_type").is_some_and(|of| of == message))
        .collect()
}

macro_rules! service {
    ($low:ident, $middle:ident, $high:ident, $lows:ident, $middles:ident, $highs:ident) => {
        #[actor]
        enum $low {
            #[reply(())]
            Load(Gate),
        }
        struct Low;
        impl $lows for Low {
            fn load(&mut self, gate: Gate) {
                info!("loads");
                gate.pass();
            }
        }
        #[actor(calls($low))]
        enum $middle {
            #[reply(())]
            Check(Gate),
        }
        struct Middle;
        impl $middles for Middle {
            fn check(&mut self, ctx: &mut Context<$middle>, gate: Gate) {
                ctx.call($low::load(gate)).expect("it answers");
            }
        }
        #[actor(calls($middle))]
        enum $high {
            #[reply(())]
            Page(Gate),
        }
        struct High;
        impl $highs for High {
            fn page(&mut self, ctx: &mut Context<$high>, gate: Gate) {
                ctx.call($middle::check(gate)).expect("it answers");
            }
        }
    };
}

#[test]
fn a_call_through_three_threads_is_one_trace_of_nested_spans() {
    service!(DeepLow, DeepMiddle, DeepHigh, DeepLowHandler, DeepMiddleHandler, DeepHighHandler);
    collect();
    bounded(|| {
        let engine = ActorEngine::new();
        engine.spawn(ActorThread::named("low").register(DeepLow::actor(|| Low))).expect("it starts");
        engine.pool(1, DeepMiddle::actor(|| Middle)).expect("it starts");
        let high: DeepHighClient = engine.pool(1, DeepHigh::actor(|| High)).expect("it starts");
        let gate = Gate::new();
        gate.open();
        let request = info_span!("request", is = "deep");
        request.in_scope(|| high.page(gate)).expect("it answers");
        drop(request);
        engine.settle();
        let only = |message| match &spans_of(message)[..] {
            [start, only] if start.1.name == "start" => only.clone(),
            other => panic!("one span of a call for {message}: {other:?}"),
        };
        let ((_, high), (at_high, _)) = (only("DeepHigh"), only("DeepHigh"));
        let ((at_middle, middle), (_, low)) = (only("DeepMiddle"), only("DeepLow"));
        let request = high.parent.map(|at| seen().all[at].clone()).expect("it has a parent");
        assert_eq!((request.name, request.fields["is"].as_str()), ("request", "deep"));
        assert_eq!((middle.parent, low.parent), (Some(at_high), Some(at_middle)));
        assert!(high.is("DeepHigh", "Page") && middle.is("DeepMiddle", "Check") && low.is("DeepLow", "Load"));
        for one in [&high, &middle, &low] {
            assert_eq!((one.name, one.target, one.fields["otel.kind"].as_str()), ("call", "zctor::call", "server"));
            assert!(one.fields.contains_key("queued_us") && one.closed, "{one:?}");
        }
        assert_eq!((low.fields["otel.name"].as_str(), low.fields["instance"].as_str()), ("DeepLow::Load", "0.0"));
        // The log line of a handler is in its span, which says all that.
        assert_eq!(low.events.iter().map(|event| event["message"].as_str()).collect::<Vec<_>>(), ["loads"]);
    });
}

#[test]
fn a_call_on_the_spot_is_a_child_of_its_caller() {
    service!(NearLow, NearMiddle, NearHigh, NearLowHandler, NearMiddleHandler, NearHighHandler);
    collect();
    bounded(|| {
        let engine = ActorEngine::new();
        let shared = ActorThread::new().register(NearLow::actor(|| Low)).register(NearMiddle::actor(|| Middle));
        engine.spawn(shared.register(NearHigh::actor(|| High))).expect("it starts");
        let gate = Gate::new();
        gate.open();
        engine.call(NearHigh::page(gate)).expect("it answers");
        engine.settle();
        let call = |message| spans_of(message).into_iter().find(|(_, one)| one.name == "call").expect("it was called");
        let ((at_high, high), (at_middle, middle), (_, low)) = (call("NearHigh"), call("NearMiddle"), call("NearLow"));
        assert_eq!((high.parent, middle.parent, low.parent), (None, Some(at_high), Some(at_middle)));
    });
}

#[actor]
enum BrittleMessage {
    #[reply(())]
    Use(bool),
}

struct Glass;

impl BrittleHandler for Glass {
    fn r#use(&mut self, breaks: bool) {
        assert!(!breaks, "the glass breaks");
    }
}

#[actor(calls(BrittleMessage))]
enum GuestMessage {
    #[reply(())]
    Drink,
}

struct Guest;

impl GuestHandler for Guest {
    fn drink(&mut self, ctx: &mut Context<GuestMessage>) {
        ctx.call(BrittleMessage::r#use(false)).expect("it answers");
        assert!(ctx.call(BrittleMessage::r#use(true)).is_err());
        info!("drinks from the bottle");
        ctx.call(BrittleMessage::r#use(false)).expect("it was rebuilt");
    }
}

#[test]
fn a_panic_on_the_spot_leaves_its_own_span_and_none_else() {
    expect_panics("the glass breaks");
    collect();
    bounded(|| {
        let engine = ActorEngine::new();
        engine.on_panic(|_| {});
        let shared = ActorThread::new().register(BrittleMessage::actor(|| Glass));
        engine.spawn(shared.register(GuestMessage::actor(|| Guest))).expect("it starts");
        engine.call(GuestMessage::drink()).expect("it answers");
        engine.shutdown().expect("it stops");
        let calls = |message| {
            let calls = spans_of(message).into_iter().filter(|(_, one)| one.name == "call");
            calls.collect::<Vec<_>>()
        };
        let [(at, guest)] = &calls("GuestMessage")[..] else { panic!("there is one call") };
        let texts = |one: &Seen| {
            let texts = one.events.iter().map(|event| event["message"].clone());
            texts.filter(|text| text != "routed").collect::<Vec<_>>()
        };
        assert_eq!(texts(guest), ["drinks from the bottle"], "the event of the panic is not the caller's");
        let glasses = calls("BrittleMessage");
        assert_eq!(glasses.iter().map(|(_, one)| texts(one).len()).collect::<Vec<_>>(), [0, 1, 0]);
        assert!(glasses.iter().all(|(_, one)| one.parent == Some(*at) && one.closed) && guest.closed);
    });
}

#[actor(ctx)]
enum BallMessage {
    Hit(Box<BallClient>, u32),
    Wait(Gate),
    #[reply(())]
    Quick,
    Break,
    Tick,
    SetTimer,
    Pipe,
    /// Starts another, and sends it its first message.
    Serve,
}

#[derive(Default)]
struct Ball;

impl BallHandler for Ball {
    fn hit(&mut self, ctx: &mut Context<BallMessage>, to: Box<BallClient>, left: u32) {
        if left > 0 {
            to.hit(Box::new(ctx.me()), left - 1).expect("it lives");
        }
    }
    fn wait(&mut self, _: &mut Context<BallMessage>, gate: Gate) {
        gate.pass();
    }
    fn quick(&mut self, _: &mut Context<BallMessage>) {}
    fn r#break(&mut self, _: &mut Context<BallMessage>) {
        panic!("the ball is flat");
    }
    fn tick(&mut self, _: &mut Context<BallMessage>) {
        info!("ticks");
    }
    fn set_timer(&mut self, ctx: &mut Context<BallMessage>) {
        let _ = ctx.send_after(Duration::ZERO, BallMessage::Tick);
    }
    fn pipe(&mut self, ctx: &mut Context<BallMessage>) {
        let _ = ctx.pipe(BallMessage::quick(), |_| BallMessage::Tick);
    }
    fn serve(&mut self, ctx: &mut Context<BallMessage>) {
        let other: BallClient = ctx.start::<BallMessage>(Ball::default).expect("it is built");
        other.tick().expect("it lives");
    }
}

/// The tests of balls look at the spans from a place in the list on, one after the other.
static BALLS: Mutex<()> = Mutex::new(());

/// Runs a test of balls; gives the spans of balls that it has made.
fn balls(test: impl FnOnce(&ActorEngine)) -> Vec<(usize, Seen)> {
    collect();
    let _one_at_a_time = BALLS.lock().unwrap_or_else(PoisonError::into_inner);
    let first = seen().all.len();
    let engine = ActorEngine::new();
    test(&engine);
    engine.settle();
    engine.shutdown().expect("it ends");
    spans_of("BallMessage").into_iter().filter(|(place, _)| *place >= first).collect()
}

#[test]
fn sends_to_and_fro_are_traces_of_one_span_each_that_follow_one_another() {
    bounded(|| {
        let spans = balls(|engine| {
            let [one, other] = [(); 2].map(|()| engine.start(BallMessage::actor(Ball::default)).expect("it starts"));
            one.hit(Box::new(other), 999).expect("it lives");
        });
        let hits: Vec<_> = spans.iter().filter(|(_, one)| one.is("BallMessage", "Hit")).collect();
        assert_eq!(hits.len(), 1_000);
        assert!(hits.iter().all(|(_, one)| (one.name, one.target, one.parent) == ("send", "zctor::send", None)));
        assert_eq!(hits[0].1.follows, None, "it was sent outside of any span");
        for pair in hits.windows(2) {
            assert_eq!(pair[1].1.follows, Some(pair[0].0));
        }
        assert!(spans.iter().all(|(_, one)| one.closed));
    });
}

#[test]
fn the_first_message_of_an_instance_follows_its_sender_though_on_start_runs_before_it() {
    bounded(|| {
        let spans = balls(|engine| {
            let ball: BallClient = engine.start(BallMessage::actor(Ball::default)).expect("it starts");
            ball.serve().expect("it lives");
        });
        let of = |variant| {
            let all: Vec<_> = spans.iter().filter(|(_, one)| one.is("BallMessage", variant)).collect();
            let [only] = all[..] else { panic!("one span of {variant}: {all:?}") };
            only
        };
        assert_eq!(of("Tick").1.follows, Some(of("Serve").0));
        assert_eq!(spans.iter().filter(|(_, one)| one.name == "start").count(), 2);
    });
}

#[test]
fn each_message_of_a_batch_has_a_span_that_follows_from_its_sender_s() {
    bounded(|| {
        let spans = balls(|engine| {
            let ball: BallClient = engine.start(BallMessage::actor(Ball::default)).expect("it starts");
            let gate = Gate::new();
            ball.wait(gate.clone()).expect("it lives");
            let batch = (0..3).map(|_| BallMessage::Tick);
            info_span!("sender").in_scope(|| ball.send_all(batch)).expect("it lives");
            gate.open();
        });
        let ticks: Vec<_> = spans.iter().filter(|(_, one)| one.is("BallMessage", "Tick")).collect();
        let senders: Vec<_> = ticks.iter().map(|(_, one)| seen().all[one.follows.expect("it follows")].name).collect();
        assert_eq!(senders, ["sender"; 3]);
        assert!(ticks.iter().all(|(_, one)| one.parent.is_none() && one.events.len() == 1 && one.closed));
        assert!(seen().all.iter().filter(|one| one.name == "sender").all(|one| one.closed));
    });
}

#[actor(calls(BallMessage))]
enum PlayerMessage {
    Ask(BallClient, Gate),
}

struct Player;

impl PlayerHandler for Player {
    fn ask(&mut self, _: &mut Context<PlayerMessage>, far: BallClient, gate: Gate) {
        // The far one is held; meanwhile this thread serves the near one.
        far.wait(gate.clone()).expect("it lives");
        far.quick().expect("it answers");
    }
}

#[test]
fn what_is_served_during_a_wait_is_no_child_of_the_handler_that_waits() {
    bounded(|| {
        let spans = balls(|engine| {
            let far: BallClient = engine.start(BallMessage::actor(Ball::default)).expect("it starts");
            let shared = ActorThread::new().register(BallMessage::actor(Ball::default));
            let player: PlayerClient = engine.start_on(shared, PlayerMessage::actor(|| Player)).expect("it starts");
            let near: BallClient = engine.client::<BallMessage>().expect("it lives");
            let gate = Gate::new();
            player.ask(far, gate.clone()).expect("it lives");
            gate.await_arrivals(1);
            // Served by the player's thread while the player waits: the call and the send from outside are roots.
            near.quick().expect("it answers");
            near.tick().expect("it lives");
            near.quick().expect("it answers");
            gate.open();
        });
        let served: Vec<_> = spans.iter().filter(|(_, one)| one.fields["instance"].starts_with("1.")).collect();
        let names: Vec<_> = served.iter().map(|(_, one)| (one.name, one.parent, one.follows)).collect();
        let expected = [("start", None, None), ("call", None, None), ("send", None, None), ("call", None, None)];
        assert_eq!(names[..4], expected);
        assert_eq!(served[2].1.events[0]["message"], "ticks", "a log line is in the span of its own message");
    });
}

#[test]
fn a_panic_is_an_event_in_the_span_of_its_handler() {
    expect_panics("the ball is flat");
    bounded(|| {
        let spans = balls(|engine| {
            let ball: BallClient = engine.start(BallMessage::actor(Ball::default)).expect("it starts");
            ball.send(BallMessage::Break).expect("it lives");
            ball.quick().expect("it answers");
        });
        let (_, broken) = spans.iter().find(|(_, one)| one.is("BallMessage", "Break")).expect("it was handled");
        let [event] = &broken.events[..] else { panic!("there is one: {broken:?}") };
        assert_eq!((event["text"].as_str(), event["variant"].as_str()), ("the ball is flat", "Break"));
        assert!(broken.closed && spans.iter().all(|(_, one)| one.closed));
    });
}

#[test]
fn hooks_and_messages_of_timers_and_pipes_have_spans_of_their_own() {
    bounded(|| {
        let spans = balls(|engine| {
            let ball: BallClient = engine.pool(1, BallMessage::actor(Ball::default)).expect("it starts");
            ball.set_timer().expect("it lives");
            ball.pipe().expect("it lives");
            while engine.stats().handled() < 5 {
                std::thread::yield_now();
            }
        });
        let mut names: Vec<_> = spans.iter().map(|(_, one)| one.name).collect();
        names.sort_unstable();
        assert_eq!(names, ["call", "pipe", "send", "send", "start", "stop", "timer"]);
        assert!(spans.iter().filter(|(_, one)| one.target == "zctor::own").all(|(_, one)| one.parent.is_none()));
    });
}

/// How many calls are given up before they begin, in spans that are closed by then.
const GIVEN_UP: usize = 10_000;

#[test]
fn a_caller_s_span_may_close_before_the_handler_begins() {
    bounded(|| {
        let spans = balls(|engine| {
            let ball: BallClient = engine.start(BallMessage::actor(Ball::default)).expect("it starts");
            let gate = Gate::new();
            ball.wait(gate.clone()).expect("it lives");
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        for number in 0..GIVEN_UP / 4 {
                            if number == 1_000 {
                                gate.open(); // the rest are given up while others are handled
                            }
                            info_span!("caller").in_scope(|| drop(ball.non_blocking().quick()));
                        }
                    });
                }
            });
            let limit = ball.within(Duration::ZERO);
            info_span!("caller").in_scope(|| limit.quick().expect_err("there is no time"));
            ball.quick().expect("it answers");
        });
        let seen = seen();
        assert!(spans.iter().all(|(_, one)| one.closed));
        assert!(seen.all.iter().filter(|one| one.name == "caller").all(|one| one.closed), "no span is kept open");
    });
}

#[test]
fn the_span_of_a_call_that_is_skipped_is_let_go_at_once() {
    bounded(|| {
        let spans = balls(|engine| {
            let ball: BallClient = engine.start(BallMessage::actor(Ball::default)).expect("it starts");
            let gate = Gate::new();
            ball.wait(gate.clone()).expect("it lives");
            gate.await_arrivals(1);
            info_span!("gives_up").in_scope(|| drop(ball.non_blocking().quick()));
            gate.open();
            engine.settle();
            // No mail has come behind it.
            let seen = seen();
            let caller = seen.all.iter().find(|one| one.name == "gives_up").expect("there was one");
            assert!(caller.closed, "the thread of the callee still has it");
        });
        assert!(spans.iter().all(|(_, one)| !one.is("BallMessage", "Quick")), "it was skipped");
    });
}

#[test]
fn a_subscriber_may_panic_at_the_clone_of_a_span() {
    expect_panics("the span does not let itself be cloned");
    bounded(|| {
        let spans = balls(|engine| {
            let ball: BallClient = engine.start(BallMessage::actor(Ball::default)).expect("it starts");
            let gate = Gate::new();
            ball.wait(gate.clone()).expect("it lives");
            gate.await_arrivals(1);
            let span = info_span!("brittle");
            let (asked, ticked) = span.in_scope(|| (ball.non_blocking().quick(), ball.tick()));
            ticked.expect("it lives");
            uncloned().extend(span.id());
            gate.open();
            asked.wait().expect("it answers");
            // Nor can it be taken along, as the sender's own.
            span.in_scope(|| ball.quick()).expect("it answers");
            engine.settle();
            assert_eq!((engine.stats().threads.len(), engine.stats().threads[0].panicked), (1, 0));
            uncloned().clear();
        });
        let handled: Vec<_> = spans.iter().filter(|(_, one)| one.is("BallMessage", "Quick")).collect();
        assert!(handled.len() == 2 && handled.iter().all(|(_, one)| one.parent.is_none() && one.closed), "{handled:?}");
        assert!(spans.iter().any(|(_, one)| one.is("BallMessage", "Tick") && one.follows.is_none()));
    });
}

#[actor]
enum NoteMessage {
    Note(u32),
    #[reply(Vec<u32>)]
    Noted,
}

#[derive(Default)]
struct Notes(Vec<u32>);

impl NoteHandler for Notes {
    fn note(&mut self, number: u32) {
        self.0.push(number);
    }
    fn noted(&mut self) -> Vec<u32> {
        take(&mut self.0)
    }
}

#[actor(ctx)]
enum WriterMessage {
    Write,
}

struct Writer;

impl WriterHandler for Writer {
    fn write(&mut self, ctx: &mut Context<WriterMessage>) {
        let engine = ctx.engine();
        ASKED.set(Some(Box::new(move || engine.send(NoteMessage::Note(1)).expect("it lives"))));
        ctx.send(NoteMessage::Note(2)).expect("it lives");
    }
}

#[test]
fn a_subscriber_may_send_to_the_thread_of_the_send_that_it_is_asked_about() {
    collect();
    bounded(|| {
        let engine = ActorEngine::new();
        let both =
            ActorThread::new().register(NoteMessage::actor(Notes::default)).register(WriterMessage::actor(|| Writer));
        engine.spawn(both).expect("it starts");
        engine.send(WriterMessage::Write).expect("it lives");
        engine.settle();
        let mut noted = engine.call(NoteMessage::noted()).expect("it answers");
        noted.sort_unstable();
        assert_eq!(noted, [1, 2]);
        engine.shutdown().expect("it ends");
    });
}
