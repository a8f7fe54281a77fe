//! Workers in processes of their own, one of which is killed: the others go on, and the books balance.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zctor::{ActorEngine, CallError, actor};
use zctor_nats::Bridge;
use zctor_tests::{Counter, LIMIT, bounded};

use crate::nats::Server;

/// Where a worker finds the server.
const URL: &str = "ZCTOR_NATS_TEST_WORKER";

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum JobMessage {
    Run(u64),
    #[reply(u32)]
    Process,
}
struct Job(u64);
impl JobHandler for Job {
    fn run(&mut self, value: u64) {
        self.0 += value;
    }
    fn process(&mut self) -> u32 {
        std::process::id()
    }
}

/// The body of a worker's process, which is this test binary with the address of the server. Without that it is a test
/// that a worker serves and ends when its input does.
#[test]
fn a_worker_serves_until_its_input_ends() {
    let server = env::var(URL).is_err().then(Server::start);
    let url = server.as_ref().map_or_else(|| env::var(URL).expect("it is given"), Server::url);
    let engine = ActorEngine::new();
    engine.pool(2, JobMessage::actor(|| Job(0))).expect("a pool");
    let bridge = Bridge::builder("test").server(url.clone()).connect().expect("the server is there");
    bridge.serve::<JobMessage>(&engine).expect("it has the pool");
    println!("\nserving");
    if server.is_some() {
        let (here, own) = (ActorEngine::new(), Bridge::builder("test").server(url).connect().expect("it is there"));
        let job = own.attach::<JobMessage>(&here).expect("a link");
        assert_eq!(job.process(), Ok(std::process::id()));
    } else {
        // Until the input ends, or this process is killed.
        std::io::stdin().lines().for_each(drop);
    }
}

struct Worker(Child);

impl Worker {
    fn start(server: &Server) -> Self {
        let mut command = Command::new(env::current_exe().expect("this binary"));
        command.args(["processes::a_worker_serves_until_its_input_ends", "--exact", "--nocapture", "--test-threads=1"]);
        command.env(URL, server.url()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("a process");
        let output = process.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(output).lines();
        assert!(lines.any(|line| line.is_ok_and(|line| line == "serving")), "the worker serves");
        // What it says after that goes nowhere, and must not hold it up.
        thread::Builder::new().spawn(move || lines.for_each(drop)).expect("a thread");
        Self(process)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn one_of_three_workers_is_killed_and_the_others_go_on() {
    bounded(|| {
        const EACH: u64 = 4_000;
        let server = Server::start();
        let mut workers: Vec<Worker> = (0..3).map(|_| Worker::start(&server)).collect();
        let (here, bridge) = (ActorEngine::new(), server.bridge());
        let dead = Counter::new();
        let letters = dead.clone();
        here.on_dead_letter(move |_| {
            letters.increment();
        });
        let job = bridge.attach::<JobMessage>(&here).expect("a link");
        let begun = Counter::new();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for number in 0..EACH {
                        job.run(number).expect("it waits for room");
                        begun.increment();
                        if number % 50 == 0 {
                            // Nobody tells of a process that is gone: a call that it had ends at its deadline.
                            match job.within(Duration::from_secs(2)).process() {
                                Ok(_) | Err(CallError::Timeout { .. }) => {}
                                Err(error) => panic!("{error}"),
                            }
                        }
                    }
                });
            }
            while begun.get() < EACH / 2 {
                thread::yield_now();
            }
            workers.remove(0);
        });
        here.settle();
        let books = bridge.flush(LIMIT);
        assert_eq!((books.accepted, books.unsettled()), (2 * EACH, 0), "{books}");
        assert_eq!((books.acked + books.lost, books.lost), (2 * EACH, dead.get()), "{books}");
        let left: Vec<u32> = workers.iter().map(|worker| worker.0.id()).collect();
        for _ in 0..20 {
            let process = job.within(LIMIT).process().expect("the others are there");
            assert!(left.contains(&process));
        }
        std::io::stdout().flush().expect("it can be written");
    });
}
