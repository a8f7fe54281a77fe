//! The reference parser of the format takes the text, and finds in it what the statistics say.
//!
//! Needs Python with `prometheus_client` (Debian: `python3-prometheus-client`); `PYTHON` names another interpreter.

use std::env;
use std::io::Write;
use std::process::{Command, Stdio};

use zctor::{ActorEngine, ActorThread, actor};
use zctor_metrics::EngineMetrics;

#[actor]
enum JobMessage<T> {
    Run(T),
}

struct Job;

impl<T: Send + 'static> JobHandler<T> for Job {
    fn run(&mut self, _: T) {}
}

/// Parses what it reads strictly, and prints the value of each sample of one family.
const PARSE: &str = "
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
for family in text_string_to_metric_families(sys.stdin.read()):
    for sample in family.samples:
        print(family.type, sample.name, sorted(sample.labels.items()), sample.value)
";

#[test]
fn the_reference_parser_finds_every_count() {
    let engine = ActorEngine::builder().name("a \"quoted\"\\ name").build();
    let thread = ActorThread::named("first\nsecond").mailbox_bound(4).inner_bound(4, zctor::Inner::Refuse);
    engine.spawn(thread.register(JobMessage::<Vec<u8>>::actor(|| Job))).expect("it starts");
    let metrics = EngineMetrics::new(&engine).with_handling_times();
    engine.send(JobMessage::Run(vec![1_u8])).expect("it lives");
    assert!(engine.send(JobMessage::Run("nobody handles text")).is_err());
    engine.settle();
    let python = env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut parser = Command::new(&python)
        .args(["-c", PARSE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{python}: {error}; install Python, or name another interpreter in PYTHON"));
    let text = metrics.text();
    parser.stdin.take().expect("it is piped").write_all(text.as_bytes()).expect("the parser reads");
    let output = parser.wait_with_output().expect("the parser ends");
    assert!(output.status.success(), "the parser refuses this text:\n{text}");
    let parsed = String::from_utf8(output.stdout).expect("text");
    let handled = r#"counter zctor_messages_handled_total [('engine', 'a "quoted"\\ name'), ('message', 'JobMessage<Vec<u8>>')] 1"#;
    let found = parsed.lines().find(|line| line.starts_with(handled));
    assert!(found.is_some_and(|line| matches!(&line[handled.len()..], "" | ".0")), "{handled} is not in:\n{parsed}");
    let bucket = "histogram zctor_handler_seconds_bucket";
    assert_eq!(parsed.lines().filter(|line| line.starts_with(bucket)).count(), 28, "{parsed}");
    let samples = text.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(parsed.lines().count(), samples);
    assert!(parsed.contains(r"('name', 'first\nsecond')"), "{parsed}");
}
