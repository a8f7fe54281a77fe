//! Words are counted by workers in processes of their own, one of which is killed in the middle.
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
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zctor::{ActorEngine, CallError, actor};
use zctor_nats::Bridge;

/// What travels: the one thing that the processes share.
#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum CounterMessage {
    /// Counts the words of a text.
    #[reply(BTreeMap<String, u64>)]
    Count(#[msg(into)] String),
}

struct Counter;
impl CounterHandler for Counter {
    fn count(&mut self, value: String) -> BTreeMap<String, u64> {
        let mut words = BTreeMap::new();
        for word in value.split_whitespace() {
            *words.entry(word.to_lowercase()).or_default() += 1;
        }
        words
    }
}

const WORKERS: usize = 3;
const TEXTS: u64 = 600;
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
    let engine = ActorEngine::new();
    engine.pool(2, CounterMessage::actor(|| Counter))?;
    let bridge = Bridge::builder("example").server(server).connect()?;
    bridge.serve::<CounterMessage>(&engine)?;
    println!("serving");
    std::io::stdin().lines().for_each(drop);
    engine.shutdown()?;
    bridge.close(Duration::from_secs(5));
    Ok(())
}

/// Has the texts counted, kills a worker, and checks the result.
fn client(server: &str) -> Result<(), Box<dyn Error>> {
    let mut workers = (0..WORKERS).map(|_| start_worker(server)).collect::<Result<Vec<_>, _>>()?;
    let engine = ActorEngine::new();
    let bridge = Bridge::builder("example").server(server).connect()?;
    // In place of `engine.pool(WORKERS, CounterMessage::actor(|| Counter))?`.
    let counter = bridge.attach::<CounterMessage>(&engine)?;

    let mut words: BTreeMap<String, u64> = BTreeMap::new();
    let mut again = 0;
    for number in 0..TEXTS {
        if number == TEXTS / 2 {
            drop(workers.pop());
            println!("one of {WORKERS} workers was killed");
        }
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

    let books = bridge.close(Duration::from_secs(5));
    assert!(books.is_balanced());
    println!("{books}");
    Ok(())
}

/// A process that is killed when this is dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start_worker(server: &str) -> Result<Process, Box<dyn Error>> {
    let mut command = Command::new(env::current_exe()?);
    let mut worker = Process(command.args(["worker", server]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?);
    let output = worker.0.stdout.take().ok_or("its output is piped")?;
    let first = BufReader::new(output).lines().next().transpose()?;
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
    let (server, address) = (Process(server), format!("nats://127.0.0.1:{port}"));
    // Until it listens, or will not.
    for _ in 0..100 {
        if Bridge::builder("example").server(&address).connect().is_ok() {
            return Ok((server, address));
        }
        zctor::sleep(Duration::from_millis(50));
    }
    Err("the server does not listen".into())
}
