//! Orders are charged by a worker that is killed in the middle of one: none is lost, and none is charged twice.
//!
//! One command runs it all: it starts a NATS server with JetStream, and itself again as the worker.
//!
//! ```sh
//! cargo run --example work_queue    # with a `nats-server` of the path, or the one in NATS_SERVER
//! ```

use std::collections::BTreeSet;
use std::env;
use std::error::Error;
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zctor::{ActorEngine, actor};
use zctor_nats::{Bridge, WorkQueue};

#[derive(Debug, Serialize, Deserialize)]
struct NoSuchOrder;

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum OrderMessage {
    /// Charges an order. The queue keeps it until the reply is `Ok`.
    #[msg(durable)]
    #[reply(Result<(), NoSuchOrder>)]
    Charge { order: u64 },
}

/// The orders that have been charged: a file, as a database would be, that outlives the process.
struct Orders {
    book: PathBuf,
    charged: BTreeSet<u64>,
}

impl Orders {
    fn open(book: PathBuf) -> Self {
        let lines = fs::read_to_string(&book).unwrap_or_default();
        Self { book, charged: lines.lines().filter_map(|line| line.parse().ok()).collect() }
    }
}

impl OrderHandler for Orders {
    fn charge(&mut self, order: u64) -> Result<(), NoSuchOrder> {
        if order >= ORDERS {
            return Err(NoSuchOrder);
        }
        // The same order may come again: its number says whether it was charged before.
        if self.charged.insert(order) {
            let book = fs::OpenOptions::new().create(true).append(true).open(&self.book);
            book.and_then(|mut book| writeln!(book, "{order}")).map_err(|_| NoSuchOrder)?;
            if order == ORDERS / 2 {
                // It is charged, and the queue is never told.
                println!("the worker is killed at order {order}");
                std::process::abort();
            }
        }
        Ok(())
    }
}

const ORDERS: u64 = 100;

fn queue() -> WorkQueue {
    WorkQueue::new("orders").tries(3).ack_wait(Duration::from_secs(1)).backoff(Duration::from_millis(10))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    if let (Some(server), Some(book)) = (arguments.next(), arguments.next()) {
        return worker(&server, book.into());
    }
    let folder = env::temp_dir().join(format!("zctor-work-queue-{}", std::process::id()));
    let done = shop(&folder);
    // It may never have been made.
    let _ = fs::remove_dir_all(&folder);
    done
}

/// Serves the queue until every order is charged and the wrong one is a dead letter, or it is killed.
fn worker(server: &str, book: PathBuf) -> Result<(), Box<dyn Error>> {
    let (engine, own) = (ActorEngine::new(), book.clone());
    engine.pool(1, OrderMessage::actor(move || Orders::open(own.clone())))?;
    let bridge = Bridge::builder("example").server(server).connect()?;
    bridge.serve_durable::<OrderMessage>(&engine, &queue())?;
    // The message that the first worker had comes again, after its time to acknowledge.
    while bridge.queue_books().dead == 0 || (Orders::open(book.clone()).charged.len() as u64) < ORDERS {
        zctor::sleep(Duration::from_millis(20));
    }
    println!("the worker: {}", bridge.queue_books());
    bridge.close(Duration::from_secs(5));
    Ok(())
}

/// Fills the queue while nobody serves it, starts the worker, and another one when it has died.
fn shop(folder: &std::path::Path) -> Result<(), Box<dyn Error>> {
    let (_server, address) = start_server(folder)?;
    let engine = ActorEngine::new();
    let bridge = Bridge::builder("example").server(&address).connect()?;
    let orders = bridge.attach_durable::<OrderMessage>(&engine, &queue())?;
    for order in 0..=ORDERS {
        orders.send(OrderMessage::Charge { order })?; // the last one does not exist
    }
    engine.settle();
    assert_eq!(bridge.close(Duration::from_secs(10)).acked, ORDERS + 1);

    let book = folder.join("charged");
    let work = || Command::new(env::current_exe()?).arg(&address).arg(&book).stderr(Stdio::null()).status();
    assert!(!work()?.success());
    assert!(work()?.success());
    let charged: Vec<u64> = fs::read_to_string(&book)?.lines().map(str::parse).collect::<Result<_, _>>()?;
    assert_eq!(charged.len() as u64, ORDERS, "each once");
    assert!(charged.into_iter().collect::<BTreeSet<_>>().into_iter().eq(0..ORDERS), "and every one");
    println!("{ORDERS} orders were charged once each, though one came twice");
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

/// Starts a server on a free port of this machine, which keeps its streams in the folder.
fn start_server(folder: &std::path::Path) -> Result<(Process, String), Box<dyn Error>> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
    let program = env::var("NATS_SERVER").unwrap_or_else(|_| "nats-server".to_owned());
    let mut command = Command::new(&program);
    command
        .args(["-a", "127.0.0.1", "-p", &port, "-js", "-sd"])
        .arg(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let server = command.spawn().map_err(|error| {
        format!("{program}: {error}. Install the package `nats-server`, or give its path in NATS_SERVER")
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
