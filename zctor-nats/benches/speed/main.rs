//! Calls and sends through a bridge, the same by the NATS client alone (`raw.rs`), and by hand with threads (`by_hand.rs`):
//! in turn, in one run, to a process of its own.
//!
//! ```sh
//! cargo bench --manifest-path zctor-nats/Cargo.toml    # with a `nats-server` of the path, or the one in NATS_SERVER
//! ```
//!
//! `SPEED_ROUNDS` sets how many rounds there are: five by itself. Only the ratios mean something beyond the machine. The
//! reasons for them are in the page of the guide on running a bridge.

mod by_hand;
mod raw;

use std::collections::HashMap;
use std::env;
use std::error::Error;
use std::future::Future;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::{Deserialize, Serialize};
use zctor::{ActorEngine, actor, now};
use zctor_nats::Bridge;

use crate::by_hand::ByHand;
use crate::raw::Raw;

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

    let (raw, by_hand) = (Raw::connect(&address)?, ByHand::connect(&address)?);
    let engine = ActorEngine::new();
    let bridge = Bridge::builder("speed").server(&address).connect()?;
    let echo = bridge.attach::<EchoMessage>(&engine)?;
    let mut table = Table::default();
    for _ in 0..rounds {
        for bytes in [16, 4_096] {
            let payload = "x".repeat(bytes);
            let mine = median(each(CALLS, || Ok(echo.echo(payload.clone()).map(drop)?))?);
            let raws = median(raw.runtime.block_on(raw.calls(&payload))?);
            let hand = median(by_hand.calls(&payload)?);
            table.add(format!("a call, p50, {bytes} B"), "us, at most 1.40", Round { raw: raws, hand, mine });

            let calls = || echo.non_blocking().echo(payload.clone());
            let mine = per_second(CALLS_IN_FLIGHT, || raw.runtime.block_on(in_flight(calls)))?;
            let raws = per_second(CALLS_IN_FLIGHT, || raw.runtime.block_on(in_flight(|| raw.call(&payload))))?;
            let hand = per_second(CALLS_IN_FLIGHT, || by_hand.handle.block_on(in_flight(|| by_hand.call(&payload))))?;
            let round = Round { raw: raws, hand, mine };
            table.add(format!("calls, 64 in flight, {bytes} B"), "k/s, at least 0.75", round);

            let acked = bridge.books().acked;
            let mine = per_second(SENDS, || {
                (0..SENDS).try_for_each(|_| echo.note(payload.clone()))?;
                engine.settle();
                let books = bridge.flush(LIMIT);
                assert_eq!(books.acked - acked, SENDS as u64, "{books}");
                Ok(())
            })?;
            let raws = per_second(SENDS, || raw.runtime.block_on(raw.sends(&payload)))?;
            let hand = per_second(SENDS, || by_hand.handle.block_on(by_hand.sends(&payload)))?;
            let round = Round { raw: raws, hand, mine };
            table.add(format!("sends, acked; raw: not, {bytes} B"), "k/s, at least 0.50", round);
        }
    }
    table.print();
    Ok(())
}

/// How many thousands of them there are in a second.
fn per_second(count: usize, all: impl FnOnce() -> Outcome<()>) -> Outcome<f64> {
    let begun = now();
    all()?;
    Ok(count as f64 / (now() - begun).as_secs_f64() / 1e3)
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

/// Makes many calls, as many at a time as are to be in flight.
async fn in_flight<F, R, E>(mut call: impl FnMut() -> F) -> Outcome<()>
where
    F: Future<Output = Result<R, E>>,
    E: Error + 'static,
{
    let mut calls: FuturesUnordered<F> = (0..IN_FLIGHT).map(|_| call()).collect();
    let mut begun = IN_FLIGHT;
    while let Some(reply) = calls.next().await {
        reply?;
        if begun < CALLS_IN_FLIGHT {
            calls.push(call());
            begun += 1;
        }
    }
    Ok(())
}

/// The other process: it answers all until its input ends.
fn answer(address: &str) -> Outcome<()> {
    let engine = ActorEngine::new();
    engine.pool(1, EchoMessage::actor(|| Echo))?;
    let bridge = Bridge::builder("speed").server(address).connect()?;
    bridge.serve::<EchoMessage>(&engine)?;
    ByHand::connect(address)?.answer()?;
    let Raw { runtime, client } = Raw::connect(address)?;
    runtime.block_on(raw::answer(&client))
}

/// The figures of one round.
#[derive(Clone, Copy)]
struct Round {
    raw: f64,
    hand: f64,
    mine: f64,
}

/// The figures, round by round.
#[derive(Default)]
struct Table {
    order: Vec<(String, &'static str)>,
    rounds: HashMap<String, Vec<Round>>,
}

impl Table {
    fn add(&mut self, name: String, promise: &'static str, round: Round) {
        let rounds = self.rounds.entry(name.clone()).or_default();
        if rounds.is_empty() {
            self.order.push((name, promise));
        }
        rounds.push(round);
    }

    /// The ratios are to the client alone, within the same round.
    fn print(&self) {
        println!("{:<36} async-nats    by hand ratio   zctor-nats ratio (range)          promised", "");
        for (name, promise) in &self.order {
            let rounds = &self.rounds[name];
            let column = |of: fn(&Round) -> f64| rounds.iter().map(of).collect::<Vec<f64>>();
            let (raw, hand, mine) = (column(|r| r.raw), column(|r| r.hand), column(|r| r.mine));
            let (of_hand, ratios) = (column(|r| r.hand / r.raw), column(|r| r.mine / r.raw));
            let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
            let most = ratios.iter().copied().fold(0.0, f64::max);
            println!(
                "{name:<36} {:>10.1} {:>10.1} {:>5.2}   {:>10.1} {:>5.2} ({least:.2} to {most:.2})   {promise}",
                median(raw),
                median(hand),
                median(of_hand),
                median(mine),
                median(ratios),
            );
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
