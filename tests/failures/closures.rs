//! Closures that a program hands to an engine are dropped when their instance has ended, or the engine has stopped.

use std::sync::mpsc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use zctor::{
    ActorEngine, ActorThread, Context, DeadLetter, Ended, PanicEvent, Restart, Restarted, Slow, Undelivered, actor,
};
use zctor_tests::{Counter, DropGuard, bounded, receive};

#[actor(ctx)]
enum JobMessage {
    Run(u32),
    /// Takes closures that capture a guard each: of timers, pipes, watches, and of an instance that it starts.
    #[reply(())]
    Take(JobClient, Vec<DropGuard>),
    #[reply(())]
    Sync,
    End,
}

struct Job;

impl JobHandler for Job {
    fn run(&mut self, _: &mut Context<JobMessage>, _: u32) {}
    fn take(&mut self, ctx: &mut Context<JobMessage>, other: JobClient, guards: Vec<DropGuard>) {
        let mut guards = guards.into_iter();
        let mut next = || (guards.next().expect("there is one for each"), ctx.me());
        let held = next();
        ctx.send_every(Duration::from_secs(3600), move || {
            let _ = &held;
            JobMessage::Run(0)
        });
        let held = next();
        ctx.pipe(other.non_blocking().sync(), move |_| {
            let _ = &held;
            JobMessage::Run(1)
        });
        let held = next();
        ctx.watch(&other, move |_| {
            let _ = &held;
            JobMessage::Run(2)
        })
        .expect("it is bound");
        let held = next();
        ctx.watch_panics(&other, move |_| {
            let _ = &held;
            JobMessage::Run(3)
        })
        .expect("it is bound");
        let held = next();
        ctx.start::<JobMessage>(move || {
            let _ = &held;
            Job
        })
        .expect("its factory cannot fail");
    }
    fn sync(&mut self, _: &mut Context<JobMessage>) {}
    fn end(&mut self, ctx: &mut Context<JobMessage>) {
        ctx.stop();
    }
}

const IN_HANDLERS: usize = 5;

/// What a closure captures: a guard, and a client that the engine must not keep alive by it.
struct Held {
    _guard: DropGuard,
    own: Arc<OnceLock<JobClient>>,
}

impl Held {
    /// Captures all of it.
    fn touch(&self) {
        let _ = self.own.get();
    }
}

/// Each closure that an engine takes, with a client in it that the engine must not keep alive by it.
#[test]
fn every_closure_that_an_engine_takes_is_freed_after_the_shutdown() {
    bounded(|| {
        let freed = Counter::new();
        let mut made = 0;
        let mut guard = || {
            made += 1;
            freed.guard()
        };
        let engine = ActorEngine::new();
        let own = Arc::new(OnceLock::<JobClient>::new());
        let hold = |guard| Held { _guard: guard, own: Arc::clone(&own) };

        // Factories and the hook of actors.
        let held = hold(guard());
        let hook = hold(guard());
        let actor = JobMessage::actor(move || {
            held.touch();
            Job
        });
        let pool = engine.pool(2, actor.on_undelivered(move |_, _| hook.touch())).unwrap();
        let held = hold(guard());
        let actor = JobMessage::try_actor(move |_| {
            held.touch();
            Ok(Job)
        });
        let hook = hold(guard());
        let started = engine.start(actor.on_undelivered(move |_, _| hook.touch())).unwrap();
        let held = hold(guard());
        let once = JobMessage::actor_once(move || {
            held.touch();
            Job
        });
        let hook = hold(guard());
        engine.spawn(ActorThread::new().register(once.on_undelivered(move |_, _| hook.touch()))).unwrap();
        own.set(started.clone()).unwrap();

        // Hooks of the engine.
        let held = hold(guard());
        engine.on_dead_letter(move |_: &DeadLetter| held.touch());
        let held = hold(guard());
        engine.on_end(move |_: &Ended| held.touch());
        let held = hold(guard());
        engine.on_panic(move |_: &PanicEvent| held.touch());
        let held = hold(guard());
        engine.on_restart(move |_: &Restarted| held.touch());
        let held = hold(guard());
        engine.on_slow(Duration::from_secs(3600), move |_: &Slow| held.touch()).unwrap();

        // Of the calling thread.
        let here = engine.here().unwrap();
        let held = hold(guard());
        here.on_message(move || held.touch());
        let held = hold(guard());
        let local: JobClient = here
            .start::<JobMessage>(move || {
                held.touch();
                Job
            })
            .unwrap();

        // Of handlers.
        let guards = (0..IN_HANDLERS).map(|_| guard()).collect();
        pool.pin(pool.instances()[0]).take(started.clone(), guards).unwrap();
        for client in [&pool, &started, &local] {
            client.run(5).unwrap();
        }
        here.run_pending();
        drop(here);

        engine.shutdown().unwrap();
        assert_eq!(freed.get(), made, "with clients of all of them still there");
        drop((pool, started, local, own));
    });
}

#[test]
fn a_hook_that_holds_its_own_client_or_a_partner_s_goes_with_the_instance() {
    bounded(|| {
        let freed = Counter::new();
        let engine = ActorEngine::new();
        let slots = [Arc::new(OnceLock::<JobClient>::new()), Arc::new(OnceLock::new())];
        for (own, to) in [(0, 0), (0, 1), (1, 0)] {
            let (held, to) = (freed.guard(), slots[to].clone());
            let actor = JobMessage::actor(|| Job).on_undelivered(move |message, _| {
                let _ = &held;
                if let Some(to) = to.get() {
                    // To whom it may concern.
                    let _ = to.send(message);
                }
            });
            let client = engine.start(actor).unwrap();
            let _ = slots[own].set(client.clone());
            client.end().unwrap();
        }
        engine.settle();
        assert_eq!(freed.get(), 3, "the engine runs on, and clients of all of them are there");
        engine.shutdown().unwrap();
    });
}

#[test]
fn what_is_under_way_when_its_instance_ends_comes_to_the_hook() {
    const ROUNDS: usize = if cfg!(miri) { 5 } else { 300 };
    const SENDERS: u32 = 3;
    bounded(|| {
        for _ in 0..ROUNDS {
            let engine = ActorEngine::new();
            engine.on_dead_letter(|_| {});
            let (keep, kept) = mpsc::channel();
            let actor = JobMessage::actor(|| Job).restart(Restart::never());
            let job = engine
                .start(actor.on_undelivered(move |message, why| {
                    assert_eq!(why, Undelivered::Ended);
                    if let JobMessage::Run(number) = message {
                        keep.send(number).unwrap();
                    }
                }))
                .unwrap();
            // Three race with the end: what is accepted is handled or comes to the hook, what is refused comes back.
            let accepted = std::thread::scope(|scope| {
                let send = || (0..20).filter(|number| job.run(*number).is_ok()).count();
                let senders: Vec<_> = (0..SENDERS).map(|_| scope.spawn(send)).collect();
                job.end().unwrap();
                senders.into_iter().map(|sender| sender.join().unwrap()).sum::<usize>()
            });
            let report = engine.shutdown().unwrap();
            let kept = kept.iter().count();
            assert_eq!(kept as u64, report.dead_letters);
            assert_eq!(report.handled() as usize - 1 + kept, accepted);
        }
    });
}

#[test]
fn a_hook_is_there_until_the_last_message_for_it_is_told() {
    bounded(|| {
        let engine = ActorEngine::new();
        let freed = Counter::new();
        let (keep, kept) = mpsc::channel();
        let held = freed.guard();
        let actor = JobMessage::actor(|| Job).on_undelivered(move |message, _| {
            let _ = &held;
            keep.send(matches!(message, JobMessage::Run(7))).unwrap();
        });
        let job = engine.start(actor).unwrap();
        job.send_all([JobMessage::End, JobMessage::Run(7)]).unwrap();
        assert!(receive(&kept));
        engine.settle();
        assert_eq!(freed.get(), 1);
        assert!(job.run(8).is_err());
    });
}
