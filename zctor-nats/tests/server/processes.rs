//! Workers in processes of their own, one of which is killed: the others go on, the books balance, and no message is
//! handled twice.

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zctor::{ActorEngine, CallError, actor};
use zctor_nats::Bridge;
use zctor_tests::{Counter, LIMIT, SplitMix64, bounded};

use crate::nats::Server;
use crate::storms::{balanced, runs};

const SENDERS: u64 = 2;
/// How many messages each of them sends.
const EACH: u64 = 3_000;
/// How many messages come between two calls of one sender.
const BETWEEN: u64 = 50;
const CALLS: u64 = SENDERS * EACH / BETWEEN;
/// A worker prints this before the number of a message that it has handled.
const RAN: &str = "ran ";
/// The variable with the address of the server, for a worker.
const URL: &str = "ZCTOR_NATS_TEST_WORKER";

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum JobMessage {
    Run(u64),
    Tell,
    #[reply(u32)]
    Process,
}
struct Job;
/// How many messages this process has handled.
static HANDLED: AtomicU64 = AtomicU64::new(0);
impl JobHandler for Job {
    fn run(&mut self, value: u64) {
        // One write, so that what is told before the process is killed is told whole.
        println!("{RAN}{value}");
        HANDLED.fetch_add(1, Ordering::Relaxed);
    }
    fn tell(&mut self) {}
    fn process(&mut self) -> u32 {
        HANDLED.fetch_add(1, Ordering::Relaxed);
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
    engine.pool(2, JobMessage::actor(|| Job)).expect("a pool");
    let bridge = Bridge::builder("test").server(url.clone()).connect().expect("the server is there");
    bridge.serve::<JobMessage>(&engine).expect("it has the pool");
    println!("\n{SERVING}");
    if server.is_some() {
        let (here, own) = (ActorEngine::new(), Bridge::builder("test").server(url).connect().expect("it is there"));
        let job = own.attach::<JobMessage>(&here).expect("a link");
        assert_eq!(job.process(), Ok(std::process::id()));
    } else {
        // Until the input ends, or this process is killed.
        std::io::stdin().lines().for_each(drop);
    }
    // It handles all that it has taken, but for calls whose time is up before.
    let books = bridge.leave(LIMIT);
    engine.shutdown().expect("nothing is in its way");
    assert!(books.is_drained(), "{books}");
    let handled = HANDLED.load(Ordering::Relaxed);
    assert!((handled..=handled + CALLS).contains(&books.taken), "{handled} were handled: {books}");
}

const SERVING: &str = "serving";

struct Worker {
    process: Child,
    /// Reads what it says, until it ends.
    reader: Option<JoinHandle<Vec<u64>>>,
}

impl Worker {
    fn start(server: &Server) -> Self {
        let mut command = Command::new(env::current_exe().expect("this binary"));
        command.args(["processes::a_worker_serves_until_its_input_ends", "--exact", "--nocapture", "--test-threads=1"]);
        command.env(URL, server.url()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("a process");
        let output = process.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(output).lines();
        assert!(lines.any(|line| line.is_ok_and(|line| line == SERVING)), "the worker serves");
        let read =
            move || lines.map_while(Result::ok).filter_map(|line| line.strip_prefix(RAN)?.parse().ok()).collect();
        Self { process, reader: Some(thread::Builder::new().spawn(read).expect("a thread")) }
    }

    /// Kills it, as `kill -9` does; gives what it has handled.
    fn kill(mut self) -> Vec<u64> {
        self.process.kill().expect("it can be killed");
        self.handled()
    }

    /// Has it end in order; gives what it has handled.
    fn end(mut self) -> Vec<u64> {
        drop(self.process.stdin.take());
        let handled = self.handled();
        assert!(self.process.wait().expect("it has ended").success(), "a worker handles all that it has taken");
        handled
    }

    fn handled(&mut self) -> Vec<u64> {
        self.process.wait().expect("it ends");
        self.reader.take().expect("it is read once").join().expect("it ends with the process")
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn one_of_three_workers_is_killed_and_the_others_go_on() {
    runs(|seed| {
        let (mut random, server) = (SplitMix64::new(seed), Server::start());
        let mut workers: Vec<Worker> = (0..3).map(|_| Worker::start(&server)).collect();
        let (here, bridge) = (ActorEngine::new(), server.bridge());
        let dead = Counter::new();
        let letters = dead.clone();
        here.on_dead_letter(move |_| {
            letters.increment();
        });
        let job = bridge.attach::<JobMessage>(&here).expect("a link");
        let begun = Counter::new();
        let handled_by_killed = thread::scope(|scope| {
            for sender in 0..SENDERS {
                let (job, begun) = (&job, &begun);
                scope.spawn(move || {
                    for number in 0..EACH {
                        job.run(number * SENDERS + sender).expect("it waits for room");
                        begun.increment();
                        if number % BETWEEN == 0 {
                            // Nobody tells of a process that is gone: a call that it had ends at its deadline.
                            match job.within(Duration::from_secs(2)).process() {
                                Ok(_) | Err(CallError::Timeout { .. }) => {}
                                Err(error) => panic!("{error}"),
                            }
                        }
                    }
                });
            }
            let least = random.below(EACH as usize) as u64;
            while begun.get() < least {
                thread::yield_now();
            }
            workers.swap_remove(random.below(3)).kill()
        });
        here.settle();
        let books = balanced(&bridge);
        assert_eq!((books.accepted, books.acked + books.lost), (SENDERS * EACH, SENDERS * EACH), "{books}");
        assert_eq!(books.lost, dead.get(), "{books}");
        let left: Vec<u32> = workers.iter().map(|worker| worker.process.id()).collect();
        for _ in 0..20 {
            let process = job.within(LIMIT).process().expect("the others are there");
            assert!(left.contains(&process));
        }
        let mut handled = handled_by_killed;
        handled.extend(workers.into_iter().flat_map(Worker::end));
        let count = handled.len() as u64;
        handled.sort_unstable();
        handled.dedup();
        assert_eq!(handled.len() as u64, count, "none was handled twice");
        // Messages in the mailboxes of the killed worker were acknowledged, and nobody handles them.
        assert!(count <= books.acked + books.lost, "{count} were handled: {books}");
    });
}

/// Issue #17.
#[test]
fn a_broadcast_that_is_waited_for_counts_no_worker_that_was_killed() {
    bounded(|| {
        let (server, mut workers) = (Server::start(), Vec::new());
        let bridge = server.bridge();
        workers.extend((0..3).map(|_| Worker::start(&server)));
        let reached = bridge.broadcast_expecting(JobMessage::Tell, 3, LIMIT).expect("it is sent");
        assert_eq!((reached.processes, reached.instances), (3, 6), "{reached}");
        workers.swap_remove(0).kill();
        for _ in 0..20 {
            let reached = bridge.broadcast_expecting(JobMessage::Tell, 2, LIMIT).expect("it is sent");
            assert_eq!((reached.processes, reached.instances), (2, 4), "{reached}");
        }
        // The wait for one that is gone ends.
        let reached = bridge.broadcast(JobMessage::Tell, Duration::from_millis(300)).expect("it is sent");
        assert!(reached.answers() <= 2, "{reached}");
    });
}
