//! With `with_handling_times` there is a histogram for each variant that was handled.

use zctor::{ActorEngine, actor};
use zctor_metrics::EngineMetrics;
use zctor_tests::bounded;

#[actor]
enum JobMessage {
    Run,
    #[reply(())]
    Ask,
}

struct Job;

impl JobHandler for Job {
    fn run(&mut self) {}
    fn ask(&mut self) {}
}

/// The samples of a name whose labels contain `with`: the labels, and the value.
fn samples<'t>(text: &'t str, name: &str, with: &str) -> Vec<(&'t str, f64)> {
    let lines = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('{'));
    let samples = lines.map(|line| line.rsplit_once("} ").expect("labels and a value"));
    let parsed = samples.map(|(labels, value)| (labels, value.parse().expect("a number")));
    parsed.filter(|(labels, _)| labels.contains(with)).collect()
}

fn value(text: &str, name: &str, with: &str) -> f64 {
    match samples(text, name, with)[..] {
        [(_, value)] => value,
        ref other => panic!("{other:?} for {name} with {with} in:\n{text}"),
    }
}

fn run(engine: &ActorEngine, runs: u32) {
    (0..runs).for_each(|_| engine.send(JobMessage::Run).expect("a job lives"));
    engine.settle();
}

#[test]
fn a_histogram_counts_the_handlers_of_its_variant_and_its_buckets_add_up() {
    bounded(|| {
        let engine = ActorEngine::builder().name("shop").build();
        let unobserved = EngineMetrics::new(&engine);
        engine.pool(2, JobMessage::actor(|| Job)).expect("they start");
        run(&engine, 1);
        let metrics = EngineMetrics::new(&engine).with_handling_times();
        run(&engine, 500);
        assert_eq!(engine.call(JobMessage::ask()), Ok(()));
        engine.settle();
        let text = metrics.text();
        for (variant, count) in [("variant=\"Run\"", 500.0), ("variant=\"Ask\"", 1.0)] {
            assert_eq!(value(&text, "zctor_handler_seconds_count", variant), count);
            assert!(value(&text, "zctor_handler_seconds_sum", variant) > 0.0);
            let buckets = samples(&text, "zctor_handler_seconds_bucket", variant);
            let bounds: Vec<f64> = buckets
                .iter()
                .map(|(labels, _)| {
                    labels.split("le=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a bound")
                })
                .map(|bound| bound.parse().expect("a number"))
                .collect();
            assert!(bounds.is_sorted_by(|one, next| one < next), "{bounds:?}");
            assert_eq!((bounds.len(), bounds[0], bounds[27]), (28, 1e-6, f64::INFINITY));
            assert!(buckets.is_sorted_by_key(|(_, below)| *below), "{buckets:?}");
            assert_eq!(buckets[27].1, count);
        }
        assert!(!unobserved.text().contains("zctor_handler_seconds"));
    });
}

#[test]
fn handlers_are_measured_until_the_last_clone_is_gone() {
    bounded(|| {
        let engine = ActorEngine::new();
        engine.pool(1, JobMessage::actor(|| Job)).expect("it starts");
        let metrics = EngineMetrics::new(&engine).with_handling_times();
        let (clone, observer) = (metrics.clone(), engine.observe());
        drop(metrics);
        run(&engine, 3);
        assert_eq!(value(&clone.text(), "zctor_handler_seconds_count", "Run"), 3.0);
        drop(clone);
        run(&engine, 1);
        assert_eq!(observer.handling_times()[0].count, 4);
    });
}

#[test]
fn engines_added_later_are_measured_too_and_one_that_is_gone_has_no_series() {
    bounded(|| {
        let (first, second) = (ActorEngine::builder().name("one").build(), ActorEngine::builder().name("two").build());
        let metrics = EngineMetrics::new(&first).with_handling_times().with(&second);
        for engine in [&first, &second] {
            engine.pool(1, JobMessage::actor(|| Job)).expect("it starts");
            run(engine, 2);
        }
        let text = metrics.text();
        let [one, two] = ["engine=\"one\"", "engine=\"two\""];
        for engine in [one, two] {
            assert_eq!(value(&text, "zctor_handler_seconds_count", engine), 2.0);
        }
        // Its threads may still hold an engine for a moment when its drop has returned.
        drop(second);
        while metrics.text().contains(two) {}
        assert_eq!(value(&metrics.text(), "zctor_handler_seconds_count", one), 2.0);
    });
}
