//! An instance takes the memory of one that has ended on its thread; nothing of that one is left in it.

use std::cell::RefCell;
use std::time::Duration;

use zctor::{ActorEngine, CallError, Context, InstanceId, Restart, Timer, actor};
use zctor_tests::{AMPLE, bounded};

thread_local! {
    /// The timers of instances that may have ended.
    static TIMERS: RefCell<Vec<Timer>> = const { RefCell::new(Vec::new()) };
}

/// One of many short lives.
#[actor(ctx)]
enum BriefMessage {
    /// Gives what it was made with, and how often it was asked so far.
    #[reply((u64, u64))]
    Ask,
    #[reply(())]
    Break,
    /// Sets a timer so far off that it never fires, and leaves its handle to the thread.
    #[reply(())]
    SetTimer,
    /// Sets a timer for now.
    #[reply(())]
    TickSoon,
    #[reply(u64)]
    Ticks,
    #[msg(internal)]
    Tick,
}

struct Brief {
    number: u64,
    asked: u64,
    ticks: u64,
}

impl BriefHandler for Brief {
    fn ask(&mut self, _: &mut Context<BriefMessage>) -> (u64, u64) {
        self.asked += 1;
        (self.number, self.asked)
    }
    fn r#break(&mut self, _: &mut Context<BriefMessage>) {
        panic!("one life breaks");
    }
    fn set_timer(&mut self, ctx: &mut Context<BriefMessage>) {
        let timer = ctx.send_after(AMPLE, BriefMessage::Tick);
        TIMERS.with_borrow_mut(|timers| timers.push(timer));
    }
    fn tick_soon(&mut self, ctx: &mut Context<BriefMessage>) {
        // Left to the thread too: a handle that is dropped cancels nothing either.
        let timer = ctx.send_after(Duration::ZERO, BriefMessage::Tick);
        TIMERS.with_borrow_mut(|timers| timers.push(timer));
    }
    fn ticks(&mut self, _: &mut Context<BriefMessage>) -> u64 {
        self.ticks
    }
    fn tick(&mut self, _: &mut Context<BriefMessage>) {
        self.ticks += 1;
    }
}

/// Another type, whose instances live between those.
#[actor]
enum OtherMessage {
    #[reply(&'static str)]
    Ask,
}

struct Other;

impl OtherHandler for Other {
    fn ask(&mut self) -> &'static str {
        "another"
    }
}

/// Starts them beside itself.
#[actor(ctx)]
enum NestMessage {
    #[reply(BriefClient)]
    Start(u64),
    #[reply(BriefClient)]
    StartAtMostOnce(u64),
    #[reply(OtherClient)]
    StartOther,
    /// Cancels the timers that were left to the thread. Gives how many of them were still set.
    #[reply(usize)]
    Cancel,
}

struct Nest;

impl NestHandler for Nest {
    fn start(&mut self, ctx: &mut Context<NestMessage>, number: u64) -> BriefClient {
        ctx.start::<BriefMessage>(move || Brief { number, asked: 0, ticks: 0 }).expect("it is built")
    }
    fn start_at_most_once(&mut self, ctx: &mut Context<NestMessage>, number: u64) -> BriefClient {
        let brief = BriefMessage::actor(move || Brief { number, asked: 0, ticks: 0 });
        ctx.start(brief.restart(Restart::at_most(1, AMPLE))).expect("it is built")
    }
    fn start_other(&mut self, ctx: &mut Context<NestMessage>) -> OtherClient {
        ctx.start::<OtherMessage>(|| Other).expect("it is built")
    }
    fn cancel(&mut self, _: &mut Context<NestMessage>) -> usize {
        TIMERS.take().iter().filter(|timer| timer.cancel()).count()
    }
}

fn nest() -> (ActorEngine, NestClient) {
    let engine = ActorEngine::new();
    let nest = engine.start(NestMessage::actor(|| Nest)).unwrap();
    (engine, nest)
}

fn id(client: &BriefClient) -> InstanceId {
    client.instance_id().expect("it is bound")
}

#[test]
fn a_client_of_an_ended_instance_never_reaches_the_next_one() {
    bounded(|| {
        let (engine, nest) = nest();
        let mut ended: Vec<BriefClient> = Vec::new();
        for number in 0..100 {
            let brief = nest.start(number).unwrap();
            assert_eq!((brief.ask(), brief.ask()), (Ok((number, 1)), Ok((number, 2))));
            assert!(ended.iter().all(|other| id(other) != id(&brief)));
            for other in &ended {
                assert_eq!(other.ask(), Err(CallError::Stopped { message: "BriefMessage" }));
                assert!(other.stop().is_err());
            }
            assert_eq!(brief.ask(), Ok((number, 3)));
            brief.stop().unwrap();
            engine.settle();
            // Some clients live on, and others do not.
            if number % 3 == 0 {
                ended.push(brief);
            }
        }
        let report = engine.shutdown().unwrap();
        assert_eq!((report.earlier.instances, report.dead_letters), (100, 0));
        assert_eq!(report.handled(), 100 * 3 + 100);
    });
}

#[test]
fn the_panics_of_an_ended_instance_do_not_count_for_the_next_one() {
    bounded(|| {
        let (engine, nest) = nest();
        for number in 0..5 {
            let brief = nest.start_at_most_once(number).unwrap();
            assert!(matches!(brief.r#break(), Err(CallError::Panicked { .. })));
            assert_eq!(brief.ask(), Ok((number, 1)), "it was built again");
            brief.stop().unwrap();
            engine.settle();
        }
        // The second panic ends one, and the next one can break again.
        let brief = nest.start_at_most_once(5).unwrap();
        assert!(brief.r#break().is_err() && brief.r#break().is_err());
        engine.settle();
        assert_eq!(brief.ask(), Err(CallError::Stopped { message: "BriefMessage" }));
        let next = nest.start_at_most_once(6).unwrap();
        assert!(next.r#break().is_err());
        assert_eq!(next.ask(), Ok((6, 1)));
    });
}

#[test]
fn a_timer_of_an_ended_instance_says_nothing_of_those_of_the_next_one() {
    bounded(|| {
        let (engine, nest) = nest();
        let first = nest.start(1).unwrap();
        first.set_timer().unwrap();
        first.stop().unwrap();
        engine.settle();
        let second = nest.start(2).unwrap();
        second.set_timer().unwrap();
        // Of the two timers the second instance's is set.
        assert_eq!(nest.cancel(), Ok(1));
        second.tick_soon().unwrap();
        while second.ticks().unwrap() == 0 {}
        assert_eq!((second.ticks(), nest.cancel()), (Ok(1), Ok(0)));
        second.stop().unwrap();
        engine.settle();
        // No handle is left that would hold an ended one.
        let third = nest.start(3).unwrap();
        assert_eq!((third.ticks(), third.ask()), (Ok(0), Ok((3, 1))));
    });
}

#[test]
fn instances_of_several_types_take_turns() {
    bounded(|| {
        let (engine, nest) = nest();
        for number in 0..50 {
            let (brief, other, second) =
                (nest.start(number).unwrap(), nest.start_other().unwrap(), nest.start(number + 1).unwrap());
            assert_eq!((brief.ask(), other.ask(), second.ask()), (Ok((number, 1)), Ok("another"), Ok((number + 1, 1))));
            let stops: [&dyn Fn(); 3] =
                [&|| brief.stop().unwrap(), &|| other.stop().unwrap(), &|| second.stop().unwrap()];
            (0..3).for_each(|place| stops[(place + number as usize) % 3]());
            engine.settle();
        }
        assert_eq!(engine.shutdown().unwrap().earlier.instances, 150);
    });
}
