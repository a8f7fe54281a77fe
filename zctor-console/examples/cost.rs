//! The cost of a look: messages from a thread to another, without a console, with one that nobody looks at, and with
//! looks twice a second; and how long a look at many instances takes.
//!
//! A round has all three, each for two seconds, in an order that turns, so that what slows the machine meets all of them
//! alike. A figure is a ratio within a round; the median of the rounds is printed, and the interval in which the true one
//! lies with 95 % at least. Two minutes on a quiet machine tell 2 %.
//!
//! ```text
//! cargo run --release -p zctor-console --example cost [ROUNDS]
//! ```

use std::error::Error;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use zctor::{ActorEngine, ActorThread, Context, actor};
use zctor_console::{Console, fetch};

const ROUNDS: usize = 21;
/// For so long messages are sent. There are four looks in it.
const STRETCH: Duration = Duration::from_secs(2);
/// So many messages are sent before the clock is read.
const BATCH: u64 = 1_000_000;
const PERIOD: Duration = Duration::from_millis(500);
const INSTANCES: usize = 100_000;
const LOOKS: usize = 15;

#[actor]
enum CounterMessage {
    Add(u64),
    #[reply(u64)]
    Total,
}

#[derive(Default)]
struct Counter(u64);

impl CounterHandler for Counter {
    fn add(&mut self, value: u64) {
        self.0 += value;
    }
    fn total(&mut self) -> u64 {
        self.0
    }
}

#[actor(calls(CounterMessage))]
enum SourceMessage {
    #[reply(u64)]
    Send(u64),
}

struct Source(CounterClient);

impl SourceHandler for Source {
    fn send(&mut self, ctx: &mut Context<SourceMessage>, messages: u64) -> u64 {
        for _ in 0..messages {
            let _ = self.0.add(1);
        }
        ctx.call(CounterMessage::total()).unwrap_or_default()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let engine = ActorEngine::builder().name("cost").build();
    let counter: CounterClient = engine.pool(1, CounterMessage::actor(Counter::default))?;
    let source: SourceClient = engine.start(SourceMessage::actor(move || Source(counter.clone())))?;
    let stretch = || -> Result<f64, Box<dyn Error>> {
        let (start, mut sent) = (Instant::now(), 0);
        while start.elapsed() < STRETCH {
            source.send(BATCH)?;
            sent += BATCH;
        }
        Ok(sent as f64 / start.elapsed().as_secs_f64() / 1e6)
    };
    let looked_at = || -> Result<f64, Box<dyn Error>> {
        let served = Console::new(&engine).serve_tcp("127.0.0.1:0")?;
        let (stop, stopped) = channel::<()>();
        let place = served.to_string();
        let looker = thread::spawn(move || {
            let mut looks = 0;
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(PERIOD) {
                looks += usize::from(fetch(&place).is_ok());
            }
            looks
        });
        let figure = stretch()?;
        drop(stop);
        match looker.join() {
            Ok(3..) => Ok(figure),
            _ => Err("there were fewer than three looks in two seconds".into()),
        }
    };
    let unseen = || -> Result<f64, Box<dyn Error>> {
        let _served = Console::new(&engine).serve_tcp("127.0.0.1:0")?;
        stretch()
    };
    stretch()?;
    let [mut bases, mut unseens, mut looks] = [const { Vec::new() }; 3];
    let rounds = std::env::args().nth(1).map_or(Ok(ROUNDS), |rounds| rounds.parse())?;
    for round in 0..rounds {
        let [mut base, mut beside, mut looked] = [0.0; 3];
        for turn in 0..3 {
            match (round + turn) % 3 {
                0 => base = stretch()?,
                1 => beside = unseen()?,
                _ => looked = looked_at()?,
            }
        }
        bases.push(base);
        unseens.push(100.0 * beside / base);
        looks.push(100.0 * looked / base);
    }
    println!("no console         {:6.2} million messages a second", median(&mut bases));
    for (name, ratios) in [("nobody looks", &mut unseens), ("two looks a second", &mut looks)] {
        let (middle, (low, high)) = (median(ratios), interval(ratios));
        println!("{name:18} {middle:5.1} % of that, with 95 % between {low:.1} and {high:.1}");
    }
    drop(source);

    let many = ActorEngine::new();
    let mut thread = ActorThread::new();
    for _ in 0..INSTANCES {
        thread = thread.register(CounterMessage::actor(Counter::default));
    }
    many.spawn(thread)?;
    let console = Console::new(&many);
    let mut looks: Vec<f64> = (0..LOOKS)
        .map(|_| {
            let start = Instant::now();
            let snapshot = console.snapshot();
            assert_eq!(snapshot.instances, INSTANCES);
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    println!("a look at {INSTANCES} instances takes {:.1} ms", median(&mut looks));
    Ok(())
}

fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// The interval in which the true median lies with 95 % at least, by the order of the figures alone, which must be sorted.
///
/// A figure is below the true median as often as not. So the chance that at most so many of them are below it is that of
/// as many heads in as many throws of a coin, and each end of the interval may be wrong by 2.5 %.
fn interval(sorted: &[f64]) -> (f64, f64) {
    let count = sorted.len() as f64;
    let mut exactly = 0.5_f64.powf(count);
    let (mut at_most, mut off) = (exactly, 0);
    loop {
        exactly *= (count - off as f64) / (off as f64 + 1.0);
        at_most += exactly;
        if at_most > 0.025 {
            return (sorted[off], sorted[sorted.len() - 1 - off]);
        }
        off += 1;
    }
}
