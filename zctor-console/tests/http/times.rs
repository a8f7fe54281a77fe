//! `times.txt` and `times.json` measure while they are asked.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use zctor_console::fetch_text;
use zctor_tests::bounded;

use crate::{Job, JobClient, JobMessage, served};

#[test]
fn what_is_handled_during_the_request_is_in_the_answer() {
    bounded(|| {
        let (engine, served) = served();
        let job: JobClient = engine.pool(1, JobMessage::actor(|| Job)).expect("it starts");
        job.ask().expect("it answers"); // before anybody observes
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    job.answer().expect("it answers");
                }
            });
            let place = served.to_string();
            // A thread may get no core for long.
            let text = loop {
                let text = fetch_text(&place, "times.txt?seconds=0.05").expect("it is served");
                if text.contains("JobMessage::Answer") {
                    break text;
                }
            };
            let json = loop {
                let json = fetch_text(&place, "times.json?seconds=0.05").expect("it is served");
                if json.contains("\"variant\":\"Answer\"") {
                    break json;
                }
            };
            done.store(true, Ordering::Relaxed);
            assert!(
                text.lines().nth(2).is_some_and(|head| head.starts_with("HANDLER") && head.contains("p99")),
                "{text}"
            );
            assert!(!text.contains("Ask") && !json.contains("Ask"), "{text}\n{json}");
            let rows: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
            let row = &rows[0];
            assert!(row["count"].as_u64() > Some(0) && row["p50"].as_f64() <= row["p99"].as_f64(), "{json}");
        });
        let observer = engine.observe();
        job.answer().expect("it answers");
        engine.settle();
        assert_eq!(observer.handling_times()[0].count, 1);
    });
}

#[test]
fn a_time_that_is_none_or_too_long_is_refused() {
    bounded(|| {
        let (_engine, served) = served();
        for query in ["seconds=-1", "seconds=NaN", "seconds=61", "seconds=", "minutes=1", "5"] {
            let refused = fetch_text(&served.to_string(), &format!("times.txt?{query}")).expect_err("it is refused");
            assert!(refused.to_string().contains("times.txt?seconds=5"), "{refused}");
        }
        assert_eq!(fetch_text(&served.to_string(), "times.json?seconds=0").expect("it is served"), "[]");
    });
}
