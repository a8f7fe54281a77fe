//! A console that nobody looks at sleeps: its thread is not woken, whatever the engine does.
#![cfg(target_os = "linux")]

use std::fs;

use zctor::{ActorEngine, actor};
use zctor_console::{Console, fetch};
use zctor_tests::bounded;

#[actor]
enum JobMessage {
    #[reply(())]
    Run,
}

struct Job;

impl JobHandler for Job {
    fn run(&mut self) {}
}

/// A line of the status of the console's one thread. A thread that answers has the same name, while it lives.
fn status(line: &str) -> Option<String> {
    let tasks = fs::read_dir("/proc/self/task").expect("this system lists threads");
    let status = |task: fs::DirEntry| fs::read_to_string(task.path().join("status")).ok();
    let all: Vec<String> = tasks.filter_map(|task| status(task.ok()?)).collect();
    let mut named = all.iter().filter(|status| status.starts_with("Name:\tzctor-console\n"));
    let (one, more) = (named.next()?, named.next());
    let value = one.lines().find_map(|found| found.strip_prefix(line))?;
    more.is_none().then(|| value.trim().to_owned())
}

fn when_it_sleeps() -> String {
    while !status("State:").is_some_and(|state| state.starts_with('S')) {}
    status("voluntary_ctxt_switches:").expect("it sleeps alone")
}

#[test]
fn nobody_wakes_a_console_that_nobody_looks_at() {
    bounded(|| {
        let engine = ActorEngine::new();
        let served = Console::new(&engine).serve_tcp("127.0.0.1:0").expect("a port is free");
        let job: JobClient = engine.pool(2, JobMessage::actor(|| Job)).expect("it starts");
        let asleep = when_it_sleeps();
        for _ in 0..10_000 {
            job.run().expect("it lives");
        }
        engine.settle();
        assert_eq!(when_it_sleeps(), asleep);
        // A look wakes it, so the number says what it should.
        fetch(&served.to_string()).expect("it is served");
        assert_ne!(when_it_sleeps(), asleep);
    });
}
