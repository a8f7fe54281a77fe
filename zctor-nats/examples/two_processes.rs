//! Words are counted by workers in processes of their own, one of which is killed in the middle, and one leaves in order.
//!
//! One command runs it all: it starts a NATS server if it is given none, and itself again as the workers.
//!
//! ```sh
//! cargo run --example two_processes                          # with a `nats-server` of the path
//! cargo run --example two_processes nats://127.0.0.1:4222    # with a server that runs
//! ```

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::io::{BufRead, BufReader, Lines};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zctor::{ActorEngine, CallError, actor};
use zctor_nats::Bridge;

/// The messages: the one thing that the processes share.
#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum CounterMessage {
    /// Counts the words of a text: a call.
    #[reply(BTreeMap<String, u64>)]
    Count(#[msg(into)] String),
    /// Counts a text whose words nobody wants to know: a send.
    Skip(#[msg(into)] String),
}

struct Counter {
    skipped: Arc<AtomicU64>,
}
impl CounterHandler for Counter {
    fn count(&mut self, value: String) -> BTreeMap<String, u64> {
        let mut words = BTreeMap::new();
        for word in value.split_whitespace() {
            *words.entry(word.to_lowercase()).or_default() += 1;
        }
        words
    }
    fn skip(&mut self, _value: String) {
        self.skipped.fetch_add(1, Ordering::Relaxed);
    }
}

const WORKERS: usize = 3;
const TEXTS: u64 = 600;
/// A message that was sent to a worker which is killed counts as lost after so long. It is the same in all processes.
const ACK_WAIT: Duration = Duration::from_secs(2);
const TEXT: &str = "the quick brown fox jumps over the lazy dog";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    match (arguments.next(), arguments.next()) {
        (Some(role), Some(server)) if role == "worker" => worker(&server),
        (Some(server), None) => client(&server),
        _ => {
            let (server, address) = start_server()?;
            let done = client(&address);
            drop(server);
            done
        }
    }
}

/// Serves counters until its input ends, or it is killed.
fn worker(server: &str) -> Result<(), Box<dyn Error>> {
    let (engine, skipped) = (ActorEngine::new(), Arc::<AtomicU64>::default());
    let counted = Arc::clone(&skipped);
    engine.pool(2, CounterMessage::actor(move || Counter { skipped: Arc::clone(&counted) }))?;
    let bridge = Bridge::builder("example").server(server).ack_wait(ACK_WAIT).connect()?;
    bridge.serve::<CounterMessage>(&engine)?;
    println!("serving");
    std::io::stdin().lines().for_each(drop);
    // The order at the end of a process, by which nothing is lost.
    assert!(bridge.leave(Duration::from_secs(5)).is_drained());
    engine.shutdown()?;
    let books = bridge.close(Duration::from_secs(5));
    println!("{} texts, and its books are: {books}", skipped.load(Ordering::Relaxed));
    Ok(())
}

/// Has the texts counted, kills a worker, and checks the result.
fn client(server: &str) -> Result<(), Box<dyn Error>> {
    let mut workers = (0..WORKERS).map(|_| start_worker(server)).collect::<Result<Vec<_>, _>>()?;
    let engine = ActorEngine::new();
    let bridge = Bridge::builder("example").server(server).ack_wait(ACK_WAIT).connect()?;
    // In place of `engine.pool(WORKERS, CounterMessage::actor(|| Counter))?`.
    let counter = bridge.attach::<CounterMessage>(&engine)?;

    let mut words: BTreeMap<String, u64> = BTreeMap::new();
    let mut again = 0;
    for number in 0..TEXTS {
        if number == TEXTS / 2 {
            drop(workers.pop());
            println!("one of {WORKERS} workers was killed");
        }
        counter.skip(TEXT)?;
        let counted = loop {
            // A text may be counted twice when its worker is killed. That does no harm: the second reply is used.
            match counter.within(Duration::from_secs(1)).count(TEXT) {
                Ok(counted) => break counted,
                Err(CallError::Timeout { .. } | CallError::Lost { .. }) => again += 1,
                Err(error) => return Err(error.into()),
            }
        };
        for (word, count) in counted {
            *words.entry(word).or_default() += count;
        }
    }
    assert_eq!(words["the"], 2 * TEXTS);
    assert_eq!(words.values().sum::<u64>(), 9 * TEXTS);
    println!("{TEXTS} texts were counted, {again} of them again");

    engine.settle(); // the link has taken every message
    let books = bridge.flush(Duration::from_secs(30)); // each is in a mailbox over there, or was lost with its worker
    assert!(books.is_balanced());
    assert_eq!(books.accepted, TEXTS);
    assert_eq!(books.accepted, books.acked + books.lost);
    println!("here: {books}");

    let mut skipped = 0;
    for worker in workers {
        let said = worker.end()?;
        println!("a worker skipped {said}");
        skipped += said.split(' ').next().map_or(Ok(0), str::parse::<u64>)?;
    }
    // The worker that was killed has taken the others with it.
    assert!(skipped <= TEXTS);
    Ok(())
}

/// A process that is killed when this is dropped.
struct Process(Child, Option<Lines<BufReader<ChildStdout>>>);

impl Process {
    /// Has a worker end in order, and gives what it says then.
    fn end(mut self) -> Result<String, Box<dyn Error>> {
        drop(self.0.stdin.take());
        let last = self.1.as_mut().and_then(Iterator::next).ok_or("the worker has said nothing")??;
        self.0.wait()?;
        Ok(last)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start_worker(server: &str) -> Result<Process, Box<dyn Error>> {
    let mut command = Command::new(env::current_exe()?);
    let mut child = command.args(["worker", server]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut lines = child.stdout.take().map(|output| BufReader::new(output).lines());
    let first = lines.as_mut().and_then(Iterator::next).transpose()?;
    let worker = Process(child, lines);
    if first.as_deref() == Some("serving") { Ok(worker) } else { Err("the worker has ended".into()) }
}

/// Starts a server on a free port of this machine.
fn start_server() -> Result<(Process, String), Box<dyn Error>> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
    let program = env::var("NATS_SERVER").unwrap_or_else(|_| "nats-server".to_owned());
    let mut command = Command::new(&program);
    command.args(["-a", "127.0.0.1", "-p", &port]).stdout(Stdio::null()).stderr(Stdio::null());
    let server = command.spawn().map_err(|error| {
        format!("{program}: {error}. Install the package `nats-server`, give its path in NATS_SERVER, or the address of one that runs")
    })?;
    let (server, address) = (Process(server, None), format!("nats://127.0.0.1:{port}"));
    // Until it listens, or will not.
    for _ in 0..100 {
        if Bridge::builder("example").server(&address).connect().is_ok() {
            return Ok((server, address));
        }
        zctor::sleep(Duration::from_millis(50));
    }
    Err("the server does not listen".into())
}
