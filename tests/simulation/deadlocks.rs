//! A blocking call cannot deadlock, and always ends.

use zctor::simulation::{Search, simulate};
use zctor::{ActorEngine, ActorThread, Context, actor};

#[actor]
enum LeafMessage {
    #[reply(u32)]
    Get,
}

struct Leaf;

impl LeafHandler for Leaf {
    fn get(&mut self) -> u32 {
        1
    }
}

#[actor(calls(LeafMessage))]
enum MiddleMessage {
    #[reply(u32)]
    Get,
}

struct Middle;

impl MiddleHandler for Middle {
    fn get(&mut self, ctx: &mut Context<MiddleMessage>) -> u32 {
        1 + ctx.call(LeafMessage::get()).expect("it answers")
    }
}

#[actor(calls(MiddleMessage, LeafMessage))]
enum TopMessage {
    #[reply(u32)]
    Get,
}

struct Top;

impl TopHandler for Top {
    fn get(&mut self, ctx: &mut Context<TopMessage>) -> u32 {
        1 + ctx.call(MiddleMessage::get()).expect("it answers") + ctx.call(LeafMessage::get()).expect("it answers")
    }
}

pub(crate) fn search() -> Search {
    simulate(|simulation| {
        let engine = ActorEngine::new();
        // Each thread hosts all three depths, so every call may need the thread that its caller waits on.
        for _ in 0..2 {
            let thread = ActorThread::new().register(LeafMessage::actor(|| Leaf));
            let thread = thread.register(MiddleMessage::actor(|| Middle)).register(TopMessage::actor(|| Top));
            engine.spawn(thread)?;
        }
        let top: TopClient = engine.client::<TopMessage>()?;
        let callers = [0, 1, 2].map(|_| {
            let top = top.clone();
            simulation.spawn("caller", move || (top.get(), top.get()))
        });
        for caller in callers {
            assert_eq!(caller.join(), (Ok(4), Ok(4)));
        }
        engine.shutdown()?;
        Ok(())
    })
}

#[test]
fn calls_among_shared_threads_cannot_hang() {
    search().seeds(0..2_000).run();
}
