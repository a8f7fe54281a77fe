//! kameo: unbounded mailboxes, `tell(..).try_send()`, `ask(..)` awaited; no tracing.

use kameo::Actor;
use kameo::actor::{ActorRef, Spawn};
use kameo::error::Infallible;
use kameo::mailbox;
use kameo::message::{Context, Message};

use super::runtime::{Tokio, ready, wait};
use super::zctor::share;
use crate::library::{Behaviour, Library, Need, Oracle};

pub(crate) struct Host<B>(B);

impl<B: Behaviour> Actor for Host<B> {
    type Args = Self;
    type Error = Infallible;

    async fn on_start(host: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(host)
    }
}

pub(crate) struct Tell<M>(M);

impl<B: Behaviour> Message<Tell<B::Message>> for Host<B> {
    type Reply = ();

    async fn handle(&mut self, Tell(message): Tell<B::Message>, _: &mut Context<Self, ()>) {
        self.0.receive(message);
    }
}

pub(crate) struct Ask<Q>(Q);

impl<B: Behaviour> Message<Ask<B::Question>> for Host<B> {
    type Reply = u64;

    async fn handle(&mut self, Ask(question): Ask<B::Question>, _: &mut Context<Self, u64>) -> u64 {
        self.0.answer(question)
    }
}

struct Caller(ActorRef<Host<Oracle>>);

impl Actor for Caller {
    type Args = Self;
    type Error = Infallible;

    async fn on_start(caller: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(caller)
    }
}

struct Calls(u64);

impl Message<Calls> for Caller {
    type Reply = u64;

    async fn handle(&mut self, Calls(count): Calls, _: &mut Context<Self, u64>) -> u64 {
        let mut sum = 0;
        for i in 0..count {
            sum += self.0.ask(Ask([i, 1, 0])).send().await.expect("the oracle lives");
        }
        sum
    }
}

pub(crate) struct Kameo(Tokio);

impl Library for Kameo {
    const SHARES_THREADS: bool = true;

    type Address<B: Behaviour> = ActorRef<Host<B>>;

    fn lacks(need: Need) -> Option<&'static str> {
        (need == Need::Batch).then_some("no batches")
    }

    fn start(threads: usize) -> Self {
        Self(Tokio::start(threads))
    }

    fn spawn<B: Behaviour>(&self, _: usize, make: impl FnOnce() -> B + Send + 'static) -> ActorRef<Host<B>> {
        let _inside = self.0.handle.enter();
        Host::spawn_with_mailbox(Host(make()), mailbox::unbounded())
    }

    fn tell<B: Behaviour>(to: &ActorRef<Host<B>>, message: B::Message) {
        assert!(to.tell(Tell(message)).try_send().is_ok(), "the actor lives");
    }

    fn ask<B: Behaviour>(of: &ActorRef<Host<B>>, question: B::Question) -> u64 {
        wait(of.ask(Ask(question)).send()).expect("the actor lives")
    }

    fn stop<B: Behaviour>(address: &ActorRef<Host<B>>) {
        ready(address.stop_gracefully()).expect("the actor lives");
    }

    fn caller(&self, _: usize, target: ActorRef<Host<Oracle>>) -> impl Fn(u64) -> u64 {
        let _inside = self.0.handle.enter();
        let caller = Caller::spawn_with_mailbox(Caller(target), mailbox::unbounded());
        move |count| wait(caller.ask(Calls(count)).send()).expect("the caller lives")
    }

    fn create<B: Behaviour<Message = ()>>(&self, count: u64, make: impl Fn() -> B + Clone + Send + Sync + 'static) {
        for place in 0..self.0.threads {
            let make = make.clone();
            let share = share(count, place, self.0.threads);
            self.0.handle.spawn(async move {
                for _ in 0..share {
                    let actor = Host::spawn_with_mailbox(Host(make()), mailbox::unbounded());
                    Self::tell(&actor, ());
                    Self::stop(&actor);
                }
            });
        }
    }
}
