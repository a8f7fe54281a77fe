//! Each accepted message is handled, or told once as a dead letter.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use zctor::simulation::simulate;
use zctor::{ActorEngine, CallError, Context, actor};

#[actor(ctx)]
enum LeaverMessage {
    Work,
    #[reply(u32)]
    Ask,
    Leave,
}

struct Leaver;

impl LeaverHandler for Leaver {
    fn work(&mut self, _: &mut Context<LeaverMessage>) {}

    fn ask(&mut self, _: &mut Context<LeaverMessage>) -> u32 {
        1
    }

    fn leave(&mut self, ctx: &mut Context<LeaverMessage>) {
        ctx.stop();
    }
}

#[test]
fn what_an_instance_leaves_that_ends_amid_sends_is_told_once() {
    let search = simulate(|simulation| {
        let told = Arc::new(AtomicU64::new(0));
        let engine = ActorEngine::new();
        {
            let told = Arc::clone(&told);
            engine.on_dead_letter(move |_| {
                told.fetch_add(1, Ordering::Relaxed);
            });
        }
        let leaver: LeaverClient = engine.start(LeaverMessage::actor(|| Leaver))?;
        let senders = [0, 1].map(|_| {
            let leaver = leaver.clone();
            simulation.spawn("sender", move || {
                let sent = (0..3).filter(|_| leaver.work().is_ok()).count() as u64;
                match leaver.ask() {
                    Ok(_) => (sent + 1, 0),
                    Err(CallError::Stopped { .. }) => (sent, 1),
                    Err(other) => panic!("{other}"),
                }
            })
        });
        leaver.leave()?;
        let (sent, unclear) = senders.map(|sender| sender.join()).iter().fold((1, 0), |(a, b), (c, d)| (a + c, b + d));
        engine.settle();
        let report = engine.shutdown()?;
        let letters = report.dead_letters;
        assert_eq!(told.load(Ordering::Relaxed), letters, "each is told once");
        let accounted = report.handled() + letters;
        assert!((sent..=sent + unclear).contains(&accounted), "{sent} and {unclear} at most: {report}");
        if letters > 0 {
            simulation.mark("a letter is dead");
        }
        Ok(())
    });
    search.must_reach(&["a letter is dead"]).seeds(0..2_000).run();
}
