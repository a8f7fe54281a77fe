//! What a look costs: messages a second from a thread to another, without a console, with one that nobody looks at, and
//! with looks twice a second; and how long a look at many instances takes. Rounds alternate, and each figure is the median.
//!
//! ```text
//! cargo run --release -p zctor-console --example cost
//! ```

use std::error::Error;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use zctor::{ActorEngine, ActorThread, Context, actor};
use zctor_console::{Console, fetch};

const ROUNDS: usize = 15;
const MESSAGES: u64 = 5_000_000;
const INSTANCES: usize = 100_000;
const PERIOD: Duration = Duration::from_millis(500);

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
    let round = || -> Result<f64, Box<dyn Error>> {
        let start = Instant::now();
        source.send(MESSAGES)?;
        Ok(MESSAGES as f64 / start.elapsed().as_secs_f64() / 1e6)
    };
    round()?;
    let [mut without, mut unseen, mut looked] = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        without.push(round()?);
        let served = Console::new(&engine).serve_tcp("127.0.0.1:0")?;
        unseen.push(round()?);
        let (stop, stopped) = channel::<()>();
        let place = served.to_string();
        let looker = thread::spawn(move || {
            let mut looks = 0;
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(PERIOD) {
                looks += usize::from(fetch(&place).is_ok());
            }
            looks
        });
        looked.push(round()?);
        drop(stop);
        let _ = looker.join();
    }
    let base = median(&mut without);
    for (name, figures) in
        [("no console", &mut without), ("nobody looks", &mut unseen), ("two looks a second", &mut looked)]
    {
        let median = median(figures);
        println!("{name:18} {median:6.2} million messages a second, {:5.1} %", 100.0 * median / base);
    }
    drop(source);

    let many = ActorEngine::new();
    let mut thread = ActorThread::new();
    for _ in 0..INSTANCES {
        thread = thread.register(CounterMessage::actor(Counter::default));
    }
    many.spawn(thread)?;
    let console = Console::new(&many);
    let mut looks: Vec<f64> = (0..ROUNDS)
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
