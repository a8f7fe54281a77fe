//! The metrics are those of the statistics, under the promised names, in a format that no name can break.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, Context, Overflow, TypeStats, actor};
use zctor_metrics::{DASHBOARD, EngineMetrics};
use zctor_tests::{Gate, bounded, expect_panics};

const HELD: Duration = Duration::from_millis(300);

#[actor]
enum DatabaseMessage {
    #[reply(())]
    Load(Gate),
    Break,
    Note,
}

struct Database;

impl DatabaseHandler for Database {
    fn load(&mut self, gate: Gate) {
        gate.pass();
    }
    fn r#break(&mut self) {
        panic!("the disk is broken");
    }
    fn note(&mut self) {}
}

#[actor(calls(DatabaseMessage))]
enum AuthMessage {
    #[reply(())]
    Check(Gate),
}

struct Auth;

impl AuthHandler for Auth {
    fn check(&mut self, ctx: &mut Context<AuthMessage>, gate: Gate) {
        ctx.call(DatabaseMessage::load(gate)).expect("the database answers");
    }
}

#[actor(calls(AuthMessage))]
enum WebMessage {
    Page(Gate),
}

struct Web;

impl WebHandler for Web {
    fn page(&mut self, ctx: &mut Context<WebMessage>, gate: Gate) {
        ctx.call(AuthMessage::check(gate)).expect("auth answers");
    }
}

#[actor(calls(DatabaseMessage))]
enum BridgeMessage {
    Cross(Gate),
}

/// Calls a database of another engine.
struct Bridge(DatabaseClient);

impl BridgeHandler for Bridge {
    fn cross(&mut self, _: &mut Context<BridgeMessage>, gate: Gate) {
        self.0.load(gate).expect("the other engine's database answers");
    }
}

/// The samples of a text: what stands before the value, and the value.
fn samples(text: &str) -> BTreeMap<&str, f64> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let samples: BTreeMap<_, _> = lines
        .iter()
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            (series, value.parse().unwrap_or_else(|error| panic!("{line}: {error}")))
        })
        .collect();
    assert_eq!(samples.len(), lines.len(), "a series comes twice:\n{text}");
    samples
}

/// The names of the metric families that a text declares.
fn families(text: &str) -> BTreeSet<&str> {
    text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect()
}

#[test]
fn after_settle_the_metrics_are_those_of_the_statistics() {
    bounded(|| {
        expect_panics("the disk is broken");
        let engine = ActorEngine::builder().name("shop").build();
        let metrics = EngineMetrics::new(&engine);
        assert!(engine.send(WebMessage::Page(Gate::new())).is_err());
        let thread = ActorThread::named("db").mailbox_bound(8).overflow(Overflow::Refuse);
        engine.spawn(thread.register(DatabaseMessage::actor(|| Database))).expect("it starts");
        let gate = Gate::new();
        engine
            .call(DatabaseMessage::load({
                gate.open();
                gate.clone()
            }))
            .expect("it answers");
        engine.send(DatabaseMessage::Break).expect("it lives");
        engine.settle();
        let (text, stats) = (metrics.text(), engine.stats());
        let samples = samples(&text);
        for TypeStats { message, handled, panicked, restarts, instances, queued, .. } in &stats.types {
            let row = |name: &str| samples[&*format!("zctor_{name}{{engine=\"shop\",message=\"{message}\"}}")];
            assert_eq!(row("messages_handled_total"), *handled as f64);
            assert_eq!(row("messages_panicked_total"), *panicked as f64);
            assert_eq!(row("restarts_total"), *restarts as f64);
            assert_eq!(row("instances"), *instances as f64);
            assert_eq!(row("messages_queued"), *queued as f64);
        }
        let refused = |reason: &str| {
            samples[&*format!(
                "zctor_messages_refused_total{{engine=\"shop\",message=\"WebMessage\",reason=\"{reason}\"}}"
            )]
        };
        assert_eq!((refused("not_registered"), refused("full"), refused("stopped")), (1.0, 0.0, 0.0));
        // The labels tell all reasons apart that the statistics know: nothing is missing in the sums.
        let sum = |name: &str| {
            let of = samples.iter().filter(|(series, _)| series.starts_with(name));
            of.map(|(_, value)| *value as u64).sum::<u64>()
        };
        assert_eq!(sum("zctor_dead_letters_total"), stats.dead_letters);
        assert_eq!(sum("zctor_messages_refused_total"), stats.refused);
        assert_eq!(sum("zctor_calls_timed_out_total"), stats.timed_out);
        let row = &stats.types[0];
        for (family, reasons) in [
            ("zctor_dead_letters_total", format!("{:?}", row.dead_letters)),
            ("zctor_messages_refused_total", format!("{:?}", row.refused)),
        ] {
            // `Counts { ended: 0, stopped: 0 }`.
            let names = reasons.split(['{', ',']).filter_map(|part| part.split_once(": "));
            for name in names.map(|(name, _)| name.trim()) {
                let label = format!("reason=\"{name}\"");
                assert!(samples.keys().any(|series| series.starts_with(family) && series.contains(&label)), "{label}");
            }
        }
        let bound = "zctor_mailbox_bound{engine=\"shop\",thread=\"0\",name=\"db\",side=\"outside\"}";
        assert_eq!(samples[bound], 8.0);
    });
}

/// The numbers of a struct of counts, by the names of its fields: of `Counts { ended: 0, stopped: 2 }`.
fn fields(counts: &str) -> Vec<(&str, f64)> {
    let pairs = counts.split(['{', ',', '}']).filter_map(|part| part.split_once(": "));
    pairs.map(|(name, count)| (name.trim(), count.trim().parse().expect("a count"))).collect()
}

#[test]
fn each_count_is_under_its_own_name() {
    bounded(|| {
        expect_panics("the disk is broken");
        let engine = ActorEngine::builder().name("shop").build();
        let metrics = EngineMetrics::new(&engine);
        (0..3).for_each(|_| assert!(engine.send(DatabaseMessage::Note).is_err(), "nobody handles it yet"));
        let thread = ActorThread::named("db").mailbox_bound(8).overflow(Overflow::Refuse);
        engine.spawn(thread.register(DatabaseMessage::actor(|| Database))).expect("it starts");
        // No two counts are alike, so none can stand in for another.
        (0..7).for_each(|_| engine.send(DatabaseMessage::Note).expect("there is room"));
        engine.settle();
        (0..2).for_each(|_| engine.send(DatabaseMessage::Break).expect("it lives"));
        engine.settle();
        let gate = Gate::new();
        let database = engine.client::<DatabaseMessage>().expect("it lives");
        database.non_blocking().load(gate.clone()).detach();
        gate.await_arrivals(1);
        let late = database.within(Duration::from_millis(1)).load(gate.clone());
        assert!(late.is_err(), "it is behind the one at the gate");
        while engine.send(DatabaseMessage::Note).is_ok() {}
        let (before, text, after) = (engine.stats(), metrics.text(), engine.stats());
        let samples = samples(&text);
        let of_type = "engine=\"shop\",message=\"DatabaseMessage\"";
        let row = &before.types[0];
        let counts = [row.handled, row.panicked, row.restarts, row.ended].map(|count| count as f64);
        assert_eq!(counts, [7.0, 2.0, 2.0, 0.0]);
        let names = ["messages_handled_total", "messages_panicked_total", "restarts_total", "instances_ended_total"];
        assert_eq!(names.map(|name| samples[&*format!("zctor_{name}{{{of_type}}}")]), counts);
        assert!(row.queued > 8, "{row}");
        assert_eq!(samples[&*format!("zctor_messages_queued{{{of_type}}}")], row.queued as f64);
        let (refused, lost) = (format!("{:?}", row.refused), format!("{:?}", row.dead_letters));
        assert_eq!((row.refused.not_registered, row.refused.full), (3, 1));
        for (family, counts) in [("messages_refused", &refused), ("dead_letters", &lost)] {
            for (reason, count) in fields(counts) {
                let series = format!("zctor_{family}_total{{{of_type},reason=\"{reason}\"}}");
                assert_eq!(samples.get(&*series), Some(&count), "{series}");
            }
        }
        let timed_out = |begun| samples[&*format!("zctor_calls_timed_out_total{{{of_type},begun=\"{begun}\"}}")];
        assert_eq!((timed_out(true), timed_out(false)), (0.0, 1.0));
        // The thread goes on while it is looked at, so its times lie between those of two looks.
        let of_thread = "engine=\"shop\",thread=\"0\",name=\"db\"";
        let [before, after] = [&before, &after].map(|stats| {
            let thread = &stats.threads[0];
            [("busy", thread.busy()), ("waiting", thread.waiting), ("idle", thread.idle)]
        });
        for ((name, least), (_, most)) in before.into_iter().zip(after) {
            let seconds = samples[&*format!("zctor_thread_{name}_seconds_total{{{of_thread}}}")];
            let range = least.as_secs_f64() - 1e-6..=most.as_secs_f64() + 1e-6;
            assert!(range.contains(&seconds), "{name}: {seconds} is not in {range:?}");
        }
        let room = |name: &str| samples[&*format!("zctor_mailbox_{name}{{{of_thread},side=\"outside\"}}")];
        assert_eq!(["bound", "taken", "waiting_senders"].map(room), [8.0, 8.0, 0.0]);
        assert_eq!(samples[&*format!("zctor_thread_timers{{{of_thread}}}")], 0.0);
        let brief = EngineMetrics::new(&engine).without_threads().text();
        assert!(brief.contains("zctor_messages_handled_total") && !brief.contains("zctor_thread_busy"), "{brief}");
        gate.open();
        engine.settle();
    });
}

/// The family that is there with a feature.
const HANDLER_SECONDS: &str = "zctor_handler_seconds";

/// All families of an engine.
fn all_of(engine: &ActorEngine) -> String {
    let metrics = EngineMetrics::new(engine);
    #[cfg(feature = "observe")]
    let metrics = metrics.with_handling_times();
    metrics.text()
}

#[test]
fn every_promised_name_is_in_the_text_and_no_other() {
    let engine = ActorEngine::new();
    let text = all_of(&engine);
    // The table at the head of the crate.
    let page = include_str!("../src/lib.rs");
    let rows = page.lines().filter(|line| line.starts_with("//! | `zctor_"));
    let cells = rows.filter_map(|line| line.split('|').nth(1));
    let names = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let mut promised: BTreeSet<&str> = names.map(|name| name.strip_suffix("_total").unwrap_or(name)).collect();
    assert!(promised.contains(HANDLER_SECONDS));
    if cfg!(not(feature = "observe")) {
        promised.remove(HANDLER_SECONDS);
    }
    assert_eq!(families(&text), promised);
}

#[test]
fn a_chain_of_waits_names_its_root() {
    bounded(|| {
        let engine = ActorEngine::builder().name("shop").build();
        let metrics = EngineMetrics::new(&engine);
        engine.spawn(ActorThread::named("db").register(DatabaseMessage::actor(|| Database))).expect("it starts");
        engine.spawn(ActorThread::named("auth").register(AuthMessage::actor(|| Auth))).expect("it starts");
        engine.spawn(ActorThread::named("web").register(WebMessage::actor(|| Web))).expect("it starts");
        let gate = Gate::new();
        engine.client::<DatabaseMessage>().expect("it lives").non_blocking().load(gate.clone()).detach();
        gate.await_arrivals(1);
        // It has run for a while before others wait for it.
        thread::park_timeout(HELD);
        engine.send(WebMessage::Page(gate.clone())).expect("it lives");
        let root = "{engine=\"shop\",thread=\"0\",name=\"db\",message=\"DatabaseMessage\"}";
        let handlers = format!("zctor_wait_root_handlers{root}");
        let text = loop {
            let text = metrics.text();
            if samples(&text).get(&*handlers) == Some(&2.0) {
                break text;
            }
        };
        let samples = samples(&text);
        let [longest, stuck] =
            ["zctor_wait_root_seconds", "zctor_wait_root_stuck_seconds"].map(|name| samples[&*format!("{name}{root}")]);
        assert_eq!(samples[&*format!("zctor_wait_root_callers{root}")], 0.0);
        assert!(stuck > longest, "stuck for {stuck} s, waited for for {longest} s");
        assert_eq!(samples["zctor_waits{engine=\"shop\",message=\"AuthMessage\",callee=\"DatabaseMessage\"}"], 1.0);
        assert_eq!(samples["zctor_waits{engine=\"shop\",message=\"WebMessage\",callee=\"AuthMessage\"}"], 1.0);
        gate.open();
        engine.settle();
        assert!(!metrics.text().contains("zctor_waits{"));
    });
}

#[test]
fn a_wait_for_another_engine_is_not_taken_for_one_for_the_thread_of_the_same_number() {
    bounded(|| {
        let (shop, bank) = (ActorEngine::builder().name("shop").build(), ActorEngine::new());
        let metrics = EngineMetrics::new(&shop);
        let far: DatabaseClient = bank.start(DatabaseMessage::actor(|| Database)).expect("it starts");
        shop.spawn(ActorThread::named("db").register(DatabaseMessage::actor(|| Database))).expect("it starts");
        shop.pool(1, AuthMessage::actor(|| Auth)).expect("it starts");
        shop.pool(1, BridgeMessage::actor(move || Bridge(far.clone()))).expect("it starts");
        let gate = Gate::new();
        shop.client::<AuthMessage>().expect("it lives").non_blocking().check(gate.clone()).detach();
        shop.send(BridgeMessage::Cross(gate.clone())).expect("it lives");
        gate.await_arrivals(2);
        // Thread 0 here, and thread 0 there.
        let here = "zctor_wait_root_handlers{engine=\"shop\",thread=\"0\",name=\"db\",message=\"DatabaseMessage\"}";
        let cross = "zctor_waits{engine=\"shop\",message=\"BridgeMessage\",callee=\"DatabaseMessage\"}";
        loop {
            let text = metrics.text();
            let samples = samples(&text);
            let roots = samples.keys().filter(|series| series.starts_with("zctor_wait_root_handlers")).count();
            assert!(roots <= 1, "{text}");
            if samples.get(here) == Some(&1.0) && samples.get(cross) == Some(&1.0) {
                break;
            }
        }
        gate.open();
        shop.settle();
    });
}

#[test]
fn a_thousand_more_instances_bring_no_more_series() {
    bounded(|| {
        let engine = ActorEngine::new();
        let database: DatabaseClient = engine.pool(1, DatabaseMessage::actor(|| Database)).expect("it starts");
        let metrics = EngineMetrics::new(&engine);
        let before: BTreeSet<String> = samples(&metrics.text()).into_keys().map(str::to_owned).collect();
        let mut thread = ActorThread::new();
        for _ in 0..1_000 {
            thread = thread.register(DatabaseMessage::actor(|| Database));
        }
        engine.spawn(thread).expect("it starts");
        assert_eq!(database.instances().len(), 1_001);
        let text = metrics.text();
        let added: Vec<&str> = samples(&text).into_keys().filter(|series| !before.contains(*series)).collect();
        // Each of them is of the one thread that has come.
        assert!(added.iter().all(|series| series.contains("thread=\"1\"")), "{added:?}");
        assert!(!added.is_empty() && added.len() < 10, "{added:?}");
    });
}

#[test]
fn no_counter_falls_in_a_storm_of_restarts() {
    const PANICS: usize = 500;
    bounded(|| {
        expect_panics("the disk is broken");
        let engine = ActorEngine::new();
        let metrics = EngineMetrics::new(&engine);
        let actor = DatabaseMessage::actor(|| Database);
        let restart = zctor::Restart::always().backoff(Duration::ZERO, Duration::ZERO);
        let database: DatabaseClient = engine.pool(2, actor.restart(restart)).expect("it starts");
        let mut before = BTreeMap::new();
        for _ in 0..PANICS {
            database.r#break().expect("it lives");
            let text = metrics.text();
            let now: BTreeMap<String, f64> = samples(&text)
                .into_iter()
                .filter(|(series, _)| series.split('{').next().is_some_and(|name| name.ends_with("_total")))
                .map(|(series, value)| (series.to_owned(), value))
                .collect();
            for (series, value) in &before {
                assert!(now[series] >= *value, "{series} fell from {value} to {}", now[series]);
            }
            before = now;
        }
        engine.settle();
        let text = metrics.text();
        let restarts = samples(&text)["zctor_restarts_total{engine=\"zctor\",message=\"DatabaseMessage\"}"];
        assert_eq!(restarts, PANICS as f64);
    });
}

#[test]
fn no_name_breaks_out_of_its_label() {
    let engine = ActorEngine::builder().name("a\"b\\c\nd").build();
    let thread = ActorThread::named("x\"} 1\n# EOF\n");
    engine.spawn(thread.register(DatabaseMessage::actor(|| Database))).expect("it starts");
    let text = EngineMetrics::new(&engine).text();
    let samples = samples(&text);
    let labels = r#"{engine="a\"b\\c\nd",thread="0",name="x\"} 1\n# EOF\n"}"#;
    assert!(samples.contains_key(&*format!("zctor_queue_messages{labels}")), "{text}");
    assert_eq!(text.matches("# EOF\n").count(), 1);
}

#[test]
fn engines_of_one_name_and_an_engine_that_is_gone_give_no_series_twice() {
    bounded(|| {
        let (first, second) = (ActorEngine::new(), ActorEngine::new());
        let metrics = EngineMetrics::new(&first).with(&second);
        for engine in [&first, &second] {
            engine.pool(3, DatabaseMessage::actor(|| Database)).expect("it starts");
        }
        let text = metrics.text();
        assert_eq!(samples(&text)["zctor_instances{engine=\"zctor-2\",message=\"DatabaseMessage\"}"], 3.0);
        // Its threads may still hold an engine for a moment when its drop has returned.
        drop(second);
        while metrics.text().contains("engine=\"zctor-2\"") {}
        assert!(samples(&metrics.text()).contains_key("zctor_instances{engine=\"zctor\",message=\"DatabaseMessage\"}"));
        drop(first);
        while !samples(&metrics.text()).is_empty() {}
    });
}

#[test]
fn the_board_asks_for_metrics_that_there_are() {
    let engine = ActorEngine::new();
    let text = all_of(&engine);
    let mut families = families(&text);
    families.insert(HANDLER_SECONDS);
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let asked: BTreeSet<&str> = DASHBOARD.split(|c| !is_word(c)).filter(|word| word.starts_with("zctor_")).collect();
    assert!(asked.len() > 12, "the board was not read");
    let family =
        |name: &str| name.trim_end_matches("_total").trim_end_matches("_bucket").trim_end_matches("_sum").to_owned();
    let unknown: Vec<_> = asked.iter().filter(|name| !families.contains(&*family(name))).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}
