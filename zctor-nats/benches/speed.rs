//! Calls and sends through a bridge, and the same by the NATS client alone: in turn, in one run, to a process of its own.
//!
//! ```sh
//! cargo bench --manifest-path zctor-nats/Cargo.toml    # with a `nats-server` of the path, or the one in NATS_SERVER
//! ```
//!
//! `SPEED_ROUNDS` sets how many rounds there are: five by itself. Only the ratios mean something beyond the machine.

use std::collections::HashMap;
use std::env;
use std::error::Error;
use std::future::Future;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};
use zctor::{ActorEngine, actor, now};
use zctor_nats::Bridge;

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum EchoMessage {
    #[reply(String)]
    Echo(String),
    Note(String),
}

struct Echo;
impl EchoHandler for Echo {
    fn echo(&mut self, value: String) -> String {
        value
    }
    fn note(&mut self, _value: String) {}
}

/// The address of the server, for the process that answers.
const SERVER: &str = "ZCTOR_NATS_SPEED";
const ECHO: &str = "speed.echo";
const NOTE: &str = "speed.note";

const CALLS: usize = 1_000;
const IN_FLIGHT: usize = 64;
const CALLS_IN_FLIGHT: usize = 10_000;
const SENDS: usize = 50_000;
const LIMIT: Duration = Duration::from_secs(60);

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    if let Ok(address) = env::var(SERVER) {
        return answer(&address);
    }
    let (_server, address) = start_server()?;
    let _answers = start_answering(&address)?;
    let rounds = env::var("SPEED_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(5);

    let raw = Raw::connect(&address)?;
    let engine = ActorEngine::new();
    let bridge = Bridge::builder("speed").server(&address).connect()?;
    let echo = bridge.attach::<EchoMessage>(&engine)?;
    let mut table = Table::default();
    for _ in 0..rounds {
        for bytes in [16, 4_096] {
            let payload = "x".repeat(bytes);
            let mine = median(each(CALLS, || Ok(echo.echo(payload.clone()).map(drop)?))?);
            let raws = median(raw.runtime.block_on(raw.calls(&payload))?);
            table.add(format!("a call, p50, {bytes} B"), "us, at most 1.40", raws, mine);

            let time = |begun: Instant, count: usize| count as f64 / (now() - begun).as_secs_f64() / 1e3;
            let begun = now();
            let call = || echo.non_blocking().echo(payload.clone());
            raw.runtime.block_on(in_flight(CALLS_IN_FLIGHT, call))?;
            let mine = time(begun, CALLS_IN_FLIGHT);
            let begun = now();
            let call = || raw.client.request(ECHO, payload.clone().into());
            raw.runtime.block_on(in_flight(CALLS_IN_FLIGHT, call))?;
            table.add(
                format!("calls, 64 in flight, {bytes} B"),
                "k/s, at least 0.75",
                time(begun, CALLS_IN_FLIGHT),
                mine,
            );

            let (begun, acked) = (now(), bridge.books().acked);
            for _ in 0..SENDS {
                echo.note(payload.clone())?;
            }
            engine.settle();
            let books = bridge.flush(LIMIT);
            assert_eq!(books.acked - acked, SENDS as u64, "{books}");
            let mine = time(begun, SENDS);
            let begun = now();
            raw.runtime.block_on(raw.sends(&payload))?;
            table.add(format!("sends, acked; raw: not, {bytes} B"), "k/s, at least 0.50", time(begun, SENDS), mine);
        }
    }
    table.print();
    Ok(())
}

/// How long each call took, in microseconds.
fn each(count: usize, mut call: impl FnMut() -> Outcome<()>) -> Outcome<Vec<f64>> {
    (0..count)
        .map(|_| {
            let begun = now();
            call()?;
            Ok((now() - begun).as_secs_f64() * 1e6)
        })
        .collect()
}

/// Makes so many calls, as many at a time as are to be in flight.
async fn in_flight<F, R, E>(count: usize, mut call: impl FnMut() -> F) -> Outcome<()>
where
    F: Future<Output = Result<R, E>>,
    E: Error + 'static,
{
    let mut calls: FuturesUnordered<F> = (0..IN_FLIGHT).map(|_| call()).collect();
    let mut begun = IN_FLIGHT;
    while let Some(reply) = calls.next().await {
        reply?;
        if begun < count {
            calls.push(call());
            begun += 1;
        }
    }
    Ok(())
}

/// The client of NATS by itself.
struct Raw {
    runtime: Runtime,
    client: async_nats::Client,
}

impl Raw {
    fn connect(address: &str) -> Outcome<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let client = runtime.block_on(async_nats::connect(address))?;
        Ok(Self { runtime, client })
    }

    async fn calls(&self, payload: &str) -> Outcome<Vec<f64>> {
        let mut times = Vec::with_capacity(CALLS);
        for _ in 0..CALLS {
            let begun = now();
            self.client.request(ECHO, payload.to_owned().into()).await?;
            times.push((now() - begun).as_secs_f64() * 1e6);
        }
        Ok(times)
    }

    /// The last one is answered when all before it have arrived.
    async fn sends(&self, payload: &str) -> Outcome<()> {
        for _ in 1..SENDS {
            self.client.publish(NOTE, payload.to_owned().into()).await?;
        }
        self.client.request(NOTE, payload.to_owned().into()).await?;
        Ok(())
    }
}

/// The other process: it answers both until its input ends.
fn answer(address: &str) -> Outcome<()> {
    let engine = ActorEngine::new();
    engine.pool(1, EchoMessage::actor(|| Echo))?;
    let bridge = Bridge::builder("speed").server(address).connect()?;
    bridge.serve::<EchoMessage>(&engine)?;
    let raw = Raw::connect(address)?;
    raw.runtime.block_on(async {
        let mut notes = raw.client.queue_subscribe(NOTE, "z".to_owned()).await?;
        let mut calls = raw.client.queue_subscribe(ECHO, "z".to_owned()).await?;
        raw.client.flush().await?;
        let client = raw.client.clone();
        tokio::spawn(async move {
            while let Some(message) = notes.next().await {
                if let Some(reply) = message.reply {
                    client.publish(reply, "".into()).await.unwrap_or_default();
                }
            }
        });
        println!("serving");
        while let Some(message) = calls.next().await {
            if let Some(reply) = message.reply {
                raw.client.publish(reply, message.payload).await?;
            }
        }
        Ok(())
    })
}

/// What was measured, round by round.
#[derive(Default)]
struct Table {
    order: Vec<(String, &'static str)>,
    rounds: HashMap<String, Vec<(f64, f64)>>,
}

impl Table {
    fn add(&mut self, name: String, promise: &'static str, raw: f64, mine: f64) {
        let rounds = self.rounds.entry(name.clone()).or_default();
        if rounds.is_empty() {
            self.order.push((name, promise));
        }
        rounds.push((raw, mine));
    }

    fn print(&self) {
        println!("{:<36} {:>10} {:>10}   ratio (range)         promised", "", "async-nats", "zctor-nats");
        for (name, promise) in &self.order {
            let rounds = &self.rounds[name];
            let column = |of: fn(&(f64, f64)) -> f64| rounds.iter().map(of).collect::<Vec<f64>>();
            let (raw, mine, ratios) = (median(column(|r| r.0)), median(column(|r| r.1)), column(|r| r.1 / r.0));
            let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
            let most = ratios.iter().copied().fold(0.0, f64::max);
            let ratio = median(ratios);
            println!("{name:<36} {raw:>10.1} {mine:>10.1}   {ratio:.2} ({least:.2} to {most:.2})   {promise}");
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
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

fn start_answering(address: &str) -> Outcome<Process> {
    let mut command = Command::new(env::current_exe()?);
    let mut process = Process(command.env(SERVER, address).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?);
    let output = process.0.stdout.take().ok_or("its output is piped")?;
    let first = BufReader::new(output).lines().next().transpose()?;
    if first.as_deref() == Some("serving") { Ok(process) } else { Err("the process that answers has ended".into()) }
}

/// Starts a server on a free port of this machine.
fn start_server() -> Outcome<(Process, String)> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
    let program = env::var("NATS_SERVER").unwrap_or_else(|_| "nats-server".to_owned());
    let mut command = Command::new(&program);
    command.args(["-a", "127.0.0.1", "-p", &port]).stdout(Stdio::null()).stderr(Stdio::null());
    let server = command.spawn().map_err(|error| {
        format!("{program}: {error}. Install the package `nats-server`, or give its path in NATS_SERVER")
    })?;
    let (server, address) = (Process(server), format!("nats://127.0.0.1:{port}"));
    // Until it listens, or will not.
    for _ in 0..100 {
        if Raw::connect(&address).is_ok() {
            return Ok((server, address));
        }
        zctor::sleep(Duration::from_millis(50));
    }
    Err("the server does not listen".into())
}
