//! Time is virtual: it passes while all threads wait, and as fast as they do.

use std::time::Duration;

use zctor::simulation::{Search, simulate};
use zctor::{ActorEngine, Context, actor};

#[actor(ctx)]
enum ClockMessage {
    Start,
    Tick,
    #[reply(u32)]
    Ticks,
}

#[derive(Default)]
struct Clock(u32);

impl ClockHandler for Clock {
    fn start(&mut self, ctx: &mut Context<ClockMessage>) {
        ctx.send_every(Duration::from_secs(60), || ClockMessage::Tick);
    }

    fn tick(&mut self, _: &mut Context<ClockMessage>) {
        self.0 += 1;
    }

    fn ticks(&mut self, _: &mut Context<ClockMessage>) -> u32 {
        self.0
    }
}

pub(crate) fn a_day() -> Search {
    simulate(|_| {
        let engine = ActorEngine::new();
        let clock: ClockClient = engine.pool(1, ClockMessage::actor(Clock::default))?;
        let before = zctor::now();
        clock.start()?;
        zctor::sleep(Duration::from_secs(24 * 3600) + Duration::from_secs(1));
        assert_eq!(clock.ticks()?, 1_440);
        assert_eq!(zctor::now() - before, Duration::from_secs(24 * 3600 + 1));
        engine.shutdown()?;
        Ok(())
    })
}

#[test]
fn a_day_of_ticks_passes_by_itself() {
    a_day().slowest(Duration::ZERO).seeds(0..20).run();
}

#[test]
fn a_real_engine_runs_beside_a_simulation() {
    let engine = ActorEngine::new();
    let clock: ClockClient = engine.pool(1, ClockMessage::actor(Clock::default)).expect("it starts");
    let seen = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let also = std::sync::Arc::clone(&seen);
    let search = simulate(move |_| {
        also.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        zctor::sleep(Duration::from_secs(3600));
        Ok(())
    });
    search.seeds(0..20).run();
    assert!(seen.load(std::sync::atomic::Ordering::Relaxed) > 20);
    assert_eq!(clock.ticks().expect("it answers"), 0);
    engine.shutdown().expect("it stops");
}
