//! The map shows the declared calls of the definitions, and what a running engine is doing.

use std::thread;

use zctor::map::Map;
use zctor::{ActorEngine, ActorThread, Context, Definition, Message, actor};
use zctor_tests::{Gate, LIMIT, bounded};

#[actor]
enum StoreMessage {
    #[reply(u32)]
    Load {
        #[key]
        id: u32,
    },
    Keep(Gate),
}

#[actor(calls(StoreMessage), sends(StoreMessage))]
enum AuthMessage {
    #[reply(bool)]
    Check(u32),
}

#[actor(calls(AuthMessage, StoreMessage))]
enum WebMessage {
    #[reply(Result<u32, ()>)]
    Page,
    #[reply(Vec<u8>, deferred)]
    Watch,
    #[reply(u32)]
    r#Type,
}

#[actor(name = "the \"shelf\" #1 & <more>", sends(WebMessage, Self))]
enum ShelfMessage {
    Fill,
}

#[actor(calls(StoreMessage))]
enum CacheMessage<K, const N: usize> {
    #[reply(Option<K>)]
    Get([K; N]),
}

struct Store;
impl StoreHandler for Store {
    fn load(&mut self, id: u32) -> u32 {
        id
    }
    fn keep(&mut self, gate: Gate) {
        gate.pass();
    }
}

struct Auth;
impl AuthHandler for Auth {
    fn check(&mut self, ctx: &mut Context<AuthMessage>, value: u32) -> bool {
        ctx.call(StoreMessage::load(value)).is_ok()
    }
}

struct Web;
impl WebHandler for Web {
    fn page(&mut self, ctx: &mut Context<WebMessage>) -> Result<u32, ()> {
        ctx.call(AuthMessage::check(7)).map(u32::from).map_err(|_| ())
    }
    fn watch(&mut self, _: &mut Context<WebMessage>, reply: zctor::ReplyTo<Vec<u8>>) {
        reply.send(Vec::new());
    }
    fn r#type(&mut self, _: &mut Context<WebMessage>) -> u32 {
        0
    }
}

fn callees(definition: &'static Definition) -> Vec<&'static str> {
    definition.calls().map(Definition::name).collect()
}

#[test]
fn a_definition_has_the_variants_and_the_declared_calls() {
    let web = WebMessage::DEFINITION;
    assert_eq!((web.name(), web.call_depth()), (WebMessage::name(), WebMessage::CALL_DEPTH));
    assert_eq!(callees(web), ["AuthMessage", "StoreMessage"]);
    let variants: Vec<_> = web.variants().map(|one| (one.name(), one.reply(), one.is_deferred())).collect();
    let expected =
        [("Page", Some("Result<u32, ()>"), false), ("Watch", Some("Vec<u8>"), true), ("Type", Some("u32"), false)];
    assert_eq!(variants, expected);
    let keyed: Vec<_> = StoreMessage::DEFINITION.variants().map(|one| (one.reply(), one.is_keyed())).collect();
    assert_eq!(keyed, [(Some("u32"), true), (None, false)]);
    let shelf = ShelfMessage::DEFINITION;
    assert_eq!(shelf.variants().len(), 1);
    assert!(shelf.sends().eq([web, shelf]));
    assert_eq!((shelf.calls().count(), shelf.call_depth()), (0, 0));
    assert!(web.sends().next().is_none());
}

#[test]
fn each_instance_of_a_generic_enum_has_a_definition_of_its_own() {
    let (small, large) = (CacheMessage::<u8, 2>::DEFINITION, CacheMessage::<u8, 3>::DEFINITION);
    assert_ne!(small, large);
    assert_eq!((small.name(), large.name()), ("CacheMessage<u8, 2>", "CacheMessage<u8, 3>"));
    assert_eq!(callees(small), ["StoreMessage"]);
    let text = Map::of([small, large, small]).mermaid();
    assert_eq!(text.matches("<b>CacheMessage#lt;u8, ").count(), 2, "{text}");
    assert_eq!(text.matches(" --> StoreMessage").count(), 2, "{text}");
}

#[test]
fn a_map_has_each_declared_send_once_and_none_beside_a_call() {
    let map = Map::of([ShelfMessage::DEFINITION]);
    let mermaid = map.mermaid();
    let name = |id: &str| if id.contains("shelf") { "shelf" } else { id }.to_owned();
    let arrows: Vec<Vec<String>> = mermaid
        .lines()
        .filter(|line| line.contains("->"))
        .map(|line| line.split_whitespace().map(name).collect())
        .collect();
    let expected = [
        ["WebMessage", "-->", "AuthMessage"],
        ["WebMessage", "-->", "StoreMessage"],
        ["AuthMessage", "-->", "StoreMessage"],
        ["shelf", "-.->", "WebMessage"],
        ["shelf", "-.->", "shelf"],
    ];
    assert_eq!(arrows, expected, "{mermaid}");

    let dot = map.dot();
    assert_eq!((dot.matches(" -> ").count(), dot.matches("[style=dashed]").count()), (5, 2), "{dot}");
    let svg = map.svg();
    // The third is in the legend.
    assert_eq!(svg.matches("<g class=\"sends\">").count(), 3, "{svg}");
    assert_eq!(
        svg.matches("<title>the &quot;shelf&quot; #1 &amp; &lt;more&gt; sends to WebMessage</title>").count(),
        1
    );
}

/// Types of one call depth that send to one another stand one below the other, also where they send in a circle.
#[test]
fn a_sender_stands_above_its_receivers_of_the_same_call_depth() {
    #[actor(sends(SecondMessage, ThirdMessage))]
    enum FirstMessage {
        Go,
    }
    #[actor(sends(ThirdMessage))]
    enum SecondMessage {
        Go,
    }
    #[actor(sends(FirstMessage))]
    enum ThirdMessage {
        Go,
    }
    let svg = Map::of([ThirdMessage::DEFINITION, SecondMessage::DEFINITION, FirstMessage::DEFINITION]).svg();
    let top = |name: &str| -> usize {
        let end = svg.find(&format!(">{name}</text>")).unwrap_or_else(|| panic!("{name} in {svg}"));
        let y = svg[..end].rsplit(" y=\"").next().and_then(|y| y.split('"').next()).and_then(|y| y.parse().ok());
        y.unwrap_or_else(|| panic!("{name} in {svg}"))
    };
    let (third, first, second) = (top("ThirdMessage"), top("FirstMessage"), top("SecondMessage"));
    assert!(third < first && first < second, "{svg}");
}

#[test]
fn a_map_has_each_type_and_each_declared_call_once() {
    let map = Map::of([WebMessage::DEFINITION, AuthMessage::DEFINITION, ShelfMessage::DEFINITION]);
    let mermaid = map.mermaid();
    let arrows: Vec<&str> = mermaid.lines().filter(|line| line.contains("-->")).collect();
    let expected = ["  WebMessage --> AuthMessage", "  WebMessage --> StoreMessage", "  AuthMessage --> StoreMessage"];
    assert_eq!(arrows, expected);
    for part in [
        "Watch → Vec#lt;u8#gt;, deferred",
        "Load → u32, by key",
        "<b>the #quot;shelf#quot; #35;1 #amp; #lt;more#gt;</b>",
    ] {
        assert_eq!(mermaid.matches(part).count(), 1, "{part} in {mermaid}");
    }

    let dot = map.dot();
    assert_eq!((dot.matches(" -> ").count(), dot.matches("[label=").count()), (5, 4), "{dot}");
    assert!(dot.contains("the \\\"shelf\\\" #1 & <more>"), "{dot}");

    let svg = map.svg();
    // Two heads are in the legend.
    assert_eq!((svg.matches("class=\"head\"").count(), svg.matches("class=\"box\"").count()), (7, 4), "{svg}");
    assert!(svg.contains("the &quot;shelf&quot; #1 &amp; &lt;more&gt;"), "{svg}");
    for outside in ["href", "url(", "@import", "<script", "<image"] {
        assert!(!svg.contains(outside), "{outside} in {svg}");
    }
}

#[test]
fn no_control_character_of_a_name_is_in_a_picture() {
    let engine = ActorEngine::new();
    let thread = ActorThread::named("a\ttab, \u{1b}[31mred\r\n\u{7f}\u{85}]]>");
    engine.spawn(thread.register(StoreMessage::actor(|| Store))).expect("it starts");
    let svg = Map::of([StoreMessage::DEFINITION]).running(&engine.registry(), &engine.stats()).svg();
    assert!(svg.contains("a tab,  [31mred    ]]&gt;"), "{svg}");
    let controls: Vec<char> = svg.chars().filter(|char| char.is_control() && *char != '\n').collect();
    assert!(controls.is_empty(), "{controls:?} in {svg}");
}

#[test]
fn the_map_of_a_running_engine_shows_threads_instances_and_waits() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (store, auth) = (StoreMessage::actor(|| Store), AuthMessage::actor(|| Auth));
        engine.spawn(ActorThread::named("store").register(store.clone()).register(store)).expect("it starts");
        engine.spawn(ActorThread::named("auth").register(auth)).expect("it starts");
        engine.spawn(ActorThread::named("web").register(WebMessage::actor(|| Web))).expect("it starts");
        let gate = Gate::new();
        // The handler at the gate holds the thread, and with it both of its instances.
        engine.send(StoreMessage::Keep(gate.clone())).expect("it is taken");
        gate.await_arrivals(1);
        let page = engine.client::<WebMessage>().expect("it is registered").non_blocking().page();

        // Nothing tells when a handler has begun to wait; the limit of the test bounds the loop.
        let map = loop {
            let stats = engine.stats();
            if stats.threads.iter().filter(|thread| !thread.waits.is_empty()).count() == 2 {
                break Map::of([AuthMessage::DEFINITION]).running(&engine.registry(), &stats);
            }
            thread::yield_now();
        };
        let mermaid = map.mermaid();
        for part in [
            "<b>StoreMessage ×2</b>",
            "<b>AuthMessage ×1</b>",
            "  WebMessage[\"<b>WebMessage ×1</b>\"]",
            "AuthMessage -->|1 wait| StoreMessage",
            "WebMessage -->|1 wait| AuthMessage",
            "linkStyle 0 stroke",
            "linkStyle 1 stroke",
            "<b>store</b><br/>StoreMessage ×2<br/>",
            "runs StoreMessage 0.",
            "waits for AuthMessage",
            "style thread1 stroke",
            "style thread2 stroke",
        ] {
            assert_eq!(mermaid.matches(part).count(), 1, "{part} in {mermaid}");
        }
        // What all wait for stands out from those that wait.
        assert!(mermaid.contains("  style thread0 stroke:#d1242f"), "{mermaid}");
        assert_eq!(mermaid.matches("#bc4c00").count(), 4, "{mermaid}");
        let svg = map.svg();
        assert_eq!([svg.matches("class=\"waits\"").count(), svg.matches("class=\"root\"").count()], [6, 1]);
        let dot = map.dot();
        let root = dot.lines().find(|line| line.contains("#d1242f")).expect("the thread that runs");
        assert!(root.contains("store") && dot.matches("#bc4c00").count() == 4, "{dot}");

        gate.open();
        assert_eq!(page.wait_timeout(LIMIT), Some(Ok(Ok(1))));
        engine.settle();
        let quiet = Map::of([WebMessage::DEFINITION]).running(&engine.registry(), &engine.stats()).mermaid();
        assert!(!quiet.contains("waits") && !quiet.contains("stroke"), "{quiet}");
        engine.shutdown().expect("all handlers have returned");
    });
}

#[test]
fn instances_in_no_pool_are_on_the_map_with_the_others_of_their_type() {
    bounded(|| {
        let engine = ActorEngine::new();
        engine.pool(2, StoreMessage::actor(|| Store)).expect("it starts");
        engine.start(StoreMessage::actor(|| Store)).expect("it starts");
        engine.start(AuthMessage::actor(|| Auth)).expect("it starts");
        let map = Map::of([StoreMessage::DEFINITION]).running(&engine.registry(), &engine.stats()).mermaid();
        for part in [
            "<b>StoreMessage ×3</b><br/>Load → u32, by key<br/>Keep<br/>(2 in the pool, 1 outside it)",
            "<b>AuthMessage ×1</b><br/>(in no pool)",
        ] {
            assert_eq!(map.matches(part).count(), 1, "{part} in {map}");
        }
        // Threads show them by their types, as those of a pool.
        assert_eq!((map.matches("in no pool").count(), map.matches(" the pool").count()), (1, 1), "{map}");
        for part in [
            "<b>zctor-3</b><br/>AuthMessage ×1<br/>0 queued",
            "<b>3 threads</b><br/>zctor-0 … zctor-2<br/>StoreMessage ×1 each<br/>",
        ] {
            assert_eq!(map.matches(part).count(), 1, "{part} in {map}");
        }
        engine.shutdown().expect("all handlers have returned");
    });
}

/// Its name is that of another type, as that of a generic enum is for all its types.
#[actor(name = "StoreMessage")]
enum ShopMessage {
    Open,
}

struct Shop;
impl ShopHandler for Shop {
    fn open(&mut self) {}
}

#[test]
fn the_pools_of_types_of_one_name_are_not_taken_for_instances_in_no_pool() {
    bounded(|| {
        let engine = ActorEngine::new();
        engine.pool(2, StoreMessage::actor(|| Store)).expect("it starts");
        engine.pool(3, ShopMessage::actor(|| Shop)).expect("it starts");
        let definitions = [StoreMessage::DEFINITION, ShopMessage::DEFINITION];
        let map = Map::of(definitions).running(&engine.registry(), &engine.stats()).mermaid();
        for part in ["<b>StoreMessage ×2</b>", "<b>StoreMessage ×3</b>"] {
            assert_eq!(map.matches(part).count(), 1, "{part} in {map}");
        }
        assert!(!map.contains(" pool"), "{map}");
        engine.shutdown().expect("all handlers have returned");
    });
}

#[test]
fn threads_that_are_alike_share_a_box_and_the_one_that_all_wait_for_has_its_own() {
    bounded(|| {
        let engine = ActorEngine::new();
        let store: StoreClient = engine.pool(2, StoreMessage::actor(|| Store)).expect("it starts");
        let auth: AuthClient = engine.pool(40, AuthMessage::actor(|| Auth)).expect("it starts");
        engine.pool(50, WebMessage::actor(|| Web)).expect("it starts");
        let gate = Gate::new();
        // Both are held at the gate. The checks have one key, so they wait for one of the two.
        (0..2).for_each(|_| store.keep(gate.clone()).expect("it lives"));
        gate.await_arrivals(2);
        let checks: Vec<_> = (0..3).map(|_| auth.non_blocking().check(7)).collect();
        // Nothing tells when a handler has begun to wait; the limit of the test bounds the loop.
        let map = loop {
            let stats = engine.stats();
            if stats.threads.iter().filter(|thread| !thread.waits.is_empty()).count() == 3 {
                break Map::of([WebMessage::DEFINITION]).running(&engine.registry(), &stats);
            }
            thread::yield_now();
        };
        let mermaid = map.mermaid();
        let boxes: Vec<&str> = mermaid.lines().filter(|line| line.starts_with("    thread")).collect();
        let [first, second, waiting, auth, web] = boxes[..] else { panic!("{mermaid}") };
        assert_eq!(mermaid.matches("stroke:#d1242f").count(), 1, "{mermaid}");
        for store in [first, second] {
            assert!(store.contains("<br/>StoreMessage ×1<br/>") && store.contains("runs StoreMessage"), "{mermaid}");
        }
        let expected = [
            (
                waiting,
                "3 threads</b><br/>zctor-2 … zctor-4<br/>AuthMessage ×1 each<br/>3 queued, 0 handled in all<br/>each AuthMessage waits for StoreMessage\"]",
            ),
            (auth, "37 threads</b><br/>zctor-5 … zctor-41<br/>AuthMessage ×1 each<br/>0 queued, 0 handled in all\"]"),
            (web, "50 threads</b><br/>zctor-42 … zctor-91<br/>WebMessage ×1 each<br/>0 queued, 0 handled in all\"]"),
        ];
        for (is, expected) in expected {
            assert!(is.ends_with(expected), "{is} is not {expected}");
        }
        assert!(mermaid.contains("AuthMessage -->|3 waits| StoreMessage"), "{mermaid}");
        // No line goes through the label: it has a ground, and comes after all arrows.
        let svg = map.svg();
        let label = svg.find(">3 waits</text>").unwrap_or_else(|| panic!("{svg}"));
        assert!(
            svg[..label].rsplit("<g").next().is_some_and(|group| group.contains("<rect class=\"ground\"")),
            "{svg}"
        );
        assert!(!svg[label..].contains("class=\"head\""), "{svg}");
        gate.open();
        assert!(checks.into_iter().all(|check| check.wait_timeout(LIMIT) == Some(Ok(true))));
        engine.shutdown().expect("all handlers have returned");
    });
}
