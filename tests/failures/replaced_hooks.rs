//! There is one hook for each kind of event: a later one replaces the one before, which is dropped at once.

use zctor::{ActorEngine, Context, Restart, actor};
use zctor_tests::{Counter, DropGuard, bounded};

#[actor(ctx)]
enum JobMessage {
    Break,
    /// Leaves a message behind its own end.
    Lose,
}

struct Job;

impl JobHandler for Job {
    fn r#break(&mut self, _: &mut Context<JobMessage>) {
        panic!("the job breaks");
    }

    fn lose(&mut self, ctx: &mut Context<JobMessage>) {
        ctx.me().stop().expect("it is live");
        ctx.me().lose().expect("it is live until its end is served");
    }
}

/// A hook that counts its events, and holds a guard.
fn counting<E: ?Sized>(counter: &Counter, guard: DropGuard) -> impl Fn(&E) + Send + Sync + 'static {
    let counter = counter.clone();
    move |_| {
        let _held = &guard;
        counter.increment();
    }
}

#[test]
fn a_later_hook_of_the_engine_is_told_instead_of_the_one_before() {
    bounded(|| {
        let engine = ActorEngine::new();
        let kinds = ["a panic", "a restart", "an end", "a dead letter"];
        let [before, after, dropped] = [(); 3].map(|()| kinds.map(|_| Counter::new()));
        for told in [&before, &after] {
            engine.on_panic(counting(&told[0], dropped[0].guard()));
            engine.on_restart(counting(&told[1], dropped[1].guard()));
            engine.on_end(counting(&told[2], dropped[2].guard()));
            engine.on_dead_letter(counting(&told[3], dropped[3].guard()));
        }
        assert_eq!(dropped.each_ref().map(Counter::get), [1; 4], "the hooks before are dropped");
        let job: JobClient = engine.start(JobMessage::actor(|| Job)).expect("it starts");
        job.r#break().expect("it is accepted");
        job.lose().expect("it is accepted");
        engine.settle();
        for (index, kind) in kinds.iter().enumerate() {
            assert_eq!((before[index].get(), after[index].get()), (0, 1), "{kind}");
        }
        engine.shutdown().expect("it ends");
        assert_eq!(dropped.each_ref().map(Counter::get), [2; 4]);
    });
}

#[test]
fn a_later_hook_of_an_actor_gets_what_is_not_delivered_instead_of_the_one_before() {
    bounded(|| {
        let (before, after) = (Counter::new(), Counter::new());
        let hooks = [&before, &after].map(|told| {
            let told = told.clone();
            move |_, _| {
                told.increment();
            }
        });
        let [first, second] = hooks;
        let engine = ActorEngine::new();
        let actor = JobMessage::actor(|| Job).restart(Restart::never());
        let job: JobClient = engine.start(actor.on_undelivered(first).on_undelivered(second)).expect("it starts");
        job.lose().expect("it is accepted");
        engine.settle();
        assert_eq!((before.get(), after.get()), (0, 1));
    });
}
