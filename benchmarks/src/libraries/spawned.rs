//! spawned, in threads mode: an OS thread an actor, unbounded mailboxes.

use spawned_concurrency::message::Message;
use spawned_concurrency::threads::{Actor, ActorRef, ActorStart, Context, Handler};

use crate::library::{Behaviour, Library, Need, Oracle};

pub(crate) struct Host<B>(B);

impl<B: Behaviour> Actor for Host<B> {}

struct Tell<M>(M);

impl<M: Send + 'static> Message for Tell<M> {
    type Result = ();
}

impl<B: Behaviour> Handler<Tell<B::Message>> for Host<B> {
    fn handle(&mut self, Tell(message): Tell<B::Message>, _: &Context<Self>) {
        self.0.receive(message);
    }
}

struct Ask<Q>(Q);

impl<Q: Send + 'static> Message for Ask<Q> {
    type Result = u64;
}

impl<B: Behaviour> Handler<Ask<B::Question>> for Host<B> {
    fn handle(&mut self, Ask(question): Ask<B::Question>, _: &Context<Self>) -> u64 {
        self.0.answer(question)
    }
}

struct Stop;

impl Message for Stop {
    type Result = ();
}

impl<B: Behaviour> Handler<Stop> for Host<B> {
    fn handle(&mut self, _: Stop, context: &Context<Self>) {
        context.stop();
    }
}

struct Caller(ActorRef<Host<Oracle>>);

impl Actor for Caller {}

struct Calls(u64);

impl Message for Calls {
    type Result = u64;
}

impl Handler<Calls> for Caller {
    fn handle(&mut self, Calls(count): Calls, _: &Context<Self>) -> u64 {
        (0..count).map(|i| self.0.request(Ask([i, 1, 0])).expect("the oracle lives")).sum()
    }
}

pub(crate) struct Spawned;

impl Library for Spawned {
    const SHARES_THREADS: bool = false;

    type Address<B: Behaviour> = ActorRef<Host<B>>;

    fn lacks(need: Need) -> Option<&'static str> {
        match need {
            Need::SharedThread | Need::Many => Some("a thread an actor"),
            Need::Batch => Some("no batches"),
            _ => None,
        }
    }

    fn start(_: usize) -> Self {
        Self
    }

    fn spawn<B: Behaviour>(&self, _: usize, make: impl FnOnce() -> B + Send + 'static) -> ActorRef<Host<B>> {
        Host(make()).start()
    }

    fn tell<B: Behaviour>(to: &ActorRef<Host<B>>, message: B::Message) {
        to.send(Tell(message)).expect("the actor lives");
    }

    fn ask<B: Behaviour>(of: &ActorRef<Host<B>>, question: B::Question) -> u64 {
        of.request(Ask(question)).expect("the actor lives")
    }

    fn stop<B: Behaviour>(address: &ActorRef<Host<B>>) {
        address.send(Stop).expect("the actor lives");
    }

    fn caller(&self, _: usize, target: ActorRef<Host<Oracle>>) -> impl Fn(u64) -> u64 {
        let caller = Caller(target).start();
        // Its own wait would give up after five seconds.
        move |count| {
            let limit = std::time::Duration::from_secs(600);
            caller.request_with_timeout(Calls(count), limit).expect("the caller lives")
        }
    }
}
