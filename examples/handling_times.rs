//! Which handlers take long? Measured while somebody looks, by variant.

use std::error::Error;

use zctor::{ActorEngine, HandlingTimes, Observer, actor};

#[actor]
enum ReportMessage {
    /// Quick.
    Add { amount: u64 },
    /// Slow: it goes through all that was added.
    #[reply(u64)]
    Sum,
}

#[derive(Default)]
struct Report {
    amounts: Vec<u64>,
}

impl ReportHandler for Report {
    fn add(&mut self, amount: u64) {
        self.amounts.push(amount);
    }

    fn sum(&mut self) -> u64 {
        (0..100).map(|_| self.amounts.iter().sum::<u64>()).max().unwrap_or_default()
    }
}

fn print(title: &str, times: &[HandlingTimes]) {
    println!("{title:30} {:>6} {:>9} {:>9} {:>9}", "count", "mean", "half", "99 of 100");
    for one in times {
        let name = format!("{}::{}", one.message, one.variant);
        let (mean, half, most) = (one.mean(), one.quantile(0.5), one.quantile(0.99));
        println!("{name:30} {:6} {mean:>9.1?} {half:>9.1?} {most:>9.1?}", one.count);
    }
    println!();
}

fn main() -> Result<(), Box<dyn Error>> {
    let engine = ActorEngine::new();
    let report: ReportClient = engine.pool(1, ReportMessage::actor(Report::default))?;
    report.add(1)?;
    engine.settle(); // it was handled, and nobody looked: nothing was measured

    let observer: Observer = engine.observe();
    for amount in 0..10_000 {
        report.add(amount)?;
    }
    assert_eq!(report.sum()?, 49_995_001);
    engine.settle();
    let earlier = observer.handling_times();
    print("since the observer came", &earlier);

    for _ in 0..10 {
        report.sum()?;
    }
    engine.settle();
    let now = observer.handling_times();
    let window: Vec<HandlingTimes> = now.iter().zip(&earlier).map(|(now, earlier)| now.since(earlier)).collect();
    print("in the last window", &window);

    let counts = |times: &[HandlingTimes]| times.iter().map(|one| (one.variant, one.count)).collect::<Vec<_>>();
    assert_eq!(counts(&earlier), [("Add", 10_000), ("Sum", 1)]);
    assert_eq!(counts(&window), [("Add", 0), ("Sum", 10)]);
    drop(observer); // and nothing is measured any more
    engine.shutdown()?;
    Ok(())
}
