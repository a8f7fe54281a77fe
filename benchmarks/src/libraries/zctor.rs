//! zctor: one engine, `threads` actor threads, on each an actor that starts the instances of the workload beside it.
//!
//! An instance that `ctx.start` creates is reached by a client bound to it, which is the shortest way there is.

use std::sync::mpsc;

use zctor::{ActorEngine, ActorThread, Context, actor};

use crate::library::{Behaviour, Library, Never, Oracle};

#[actor]
pub(crate) enum Mail<B: Behaviour> {
    Tell(B::Message),
    #[reply(u64)]
    Ask(B::Question),
}

impl<B: Behaviour<Message: Clone, Question = Never>> Clone for Mail<B> {
    fn clone(&self) -> Self {
        match self {
            Self::Tell(message) => Self::Tell(message.clone()),
            Self::Ask(question) => match *question {},
        }
    }
}

struct Host<B>(B);

impl<B: Behaviour> MailHandler<B> for Host<B> {
    fn tell(&mut self, message: B::Message) {
        self.0.receive(message);
    }

    fn ask(&mut self, question: B::Question) -> u64 {
        self.0.answer(question)
    }
}

type Job = Box<dyn FnOnce(&Context<ThreadMessage>) + Send>;

/// Runs closures on an actor thread.
#[actor(ctx)]
enum ThreadMessage {
    Run(Job),
}

struct Thread;

impl ThreadHandler for Thread {
    fn run(&mut self, ctx: &mut Context<ThreadMessage>, job: Job) {
        job(ctx);
    }
}

#[actor(calls(Mail<Oracle>))]
enum CallerMessage {
    #[reply(u64)]
    Calls { target: MailClient<Oracle>, count: u64 },
}

struct Caller;

impl CallerHandler for Caller {
    fn calls(&mut self, _: &mut Context<CallerMessage>, target: MailClient<Oracle>, count: u64) -> u64 {
        (0..count).map(|i| target.ask([i, 1, 0]).expect("the oracle lives")).sum()
    }
}

pub(crate) struct Zctor {
    engine: ActorEngine,
    threads: Vec<ThreadClient>,
}

impl Zctor {
    /// Runs `job` on thread `place` and gives what it gives.
    fn on<R: Send + 'static>(
        &self,
        place: usize,
        job: impl FnOnce(&Context<ThreadMessage>) -> R + Send + 'static,
    ) -> R {
        let (give, given) = mpsc::channel();
        let job: Job = Box::new(move |ctx| give.send(job(ctx)).expect("the outside waits"));
        self.threads[place % self.threads.len()].run(job).expect("the engine runs");
        given.recv().expect("the job ran")
    }

    /// `count` instances in one pool, spread over the threads.
    fn pool<B: Behaviour>(&self, count: usize, make: impl Fn() -> B + Clone + Send + Sync + 'static) -> MailClient<B> {
        for first in 0..self.threads.len().min(count) {
            let mut thread = ActorThread::new();
            for _ in (first..count).step_by(self.threads.len()) {
                let make = make.clone();
                thread = thread.register(Mail::actor(move || Host(make())));
            }
            self.engine.spawn(thread).expect("threads can be had");
        }
        self.engine.client::<Mail<B>>().expect("it was just registered")
    }
}

impl Library for Zctor {
    const SHARES_THREADS: bool = true;

    type Address<B: Behaviour> = MailClient<B>;

    fn start(threads: usize) -> Self {
        let engine = ActorEngine::new();
        let start = |_| engine.start(ThreadMessage::actor(|| Thread)).expect("threads can be had");
        Self { threads: (0..threads).map(start).collect(), engine }
    }

    fn spawn<B: Behaviour>(&self, place: usize, make: impl FnOnce() -> B + Send + 'static) -> MailClient<B> {
        self.on(place, |ctx| ctx.start::<Mail<B>>(move || Host(make())).expect("a factory cannot fail"))
    }

    fn spawn_many<B: Behaviour>(
        &self,
        count: u64,
        make: impl Fn(u64) -> B + Clone + Send + 'static,
    ) -> Vec<MailClient<B>> {
        self.on(0, move |ctx| {
            let start = |i| {
                let make = make.clone();
                ctx.start::<Mail<B>>(move || Host(make(i))).expect("a factory cannot fail")
            };
            (0..count).map(start).collect()
        })
    }

    fn tell<B: Behaviour>(to: &MailClient<B>, message: B::Message) {
        assert!(to.tell(message).is_ok(), "the instance lives");
    }

    fn ask<B: Behaviour>(of: &MailClient<B>, question: B::Question) -> u64 {
        of.ask(question).expect("the instance lives")
    }

    fn stop<B: Behaviour>(address: &MailClient<B>) {
        address.stop().expect("the instance lives");
    }

    fn tell_all<B: Behaviour>(to: &MailClient<B>, messages: impl IntoIterator<Item = B::Message>) {
        assert!(to.send_all(messages.into_iter().map(Mail::Tell)).is_ok(), "the instance lives");
    }

    fn caller(&self, place: usize, target: MailClient<Oracle>) -> impl Fn(u64) -> u64 {
        let caller = self.on(place, |ctx| ctx.start::<CallerMessage>(|| Caller).expect("a factory cannot fail"));
        move |count| caller.calls(target.clone(), count).expect("the caller lives")
    }

    fn create<B: Behaviour<Message = ()>>(&self, count: u64, make: impl Fn() -> B + Clone + Send + Sync + 'static) {
        for place in 0..self.threads.len() {
            let make = make.clone();
            let share = share(count, place, self.threads.len());
            let job: Job = Box::new(move |ctx| {
                for _ in 0..share {
                    let make = make.clone();
                    let client = ctx.start::<Mail<B>>(move || Host(make())).expect("a factory cannot fail");
                    Self::tell(&client, ());
                    Self::stop(&client);
                }
            });
            self.threads[place].run(job).expect("the engine runs");
        }
    }

    fn broadcaster<B: Behaviour<Message: Clone, Question = Never>>(
        &self,
        count: usize,
        make: impl Fn() -> B + Clone + Send + Sync + 'static,
    ) -> impl Fn(B::Message) {
        let pool = self.pool(count, make);
        move |message| assert_eq!(pool.broadcast(Mail::Tell(message)).ok(), Some(count))
    }

    fn rotator<B: Behaviour>(
        &self,
        count: usize,
        make: impl Fn() -> B + Clone + Send + Sync + 'static,
    ) -> impl FnMut(B::Message) {
        let pool = self.pool(count, make);
        move |message| Self::tell(&pool, message)
    }
}

/// The part of `count` that falls to `place` of `places`.
pub(crate) fn share(count: u64, place: usize, places: usize) -> u64 {
    let (place, places) = (place as u64, places as u64);
    count / places + u64::from(place < count % places)
}
