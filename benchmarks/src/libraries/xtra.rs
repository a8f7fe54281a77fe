//! xtra: unbounded mailboxes, `send(..).detach()`, on tokio.

use xtra::{Actor, Address, Context, Handler, Mailbox};

use super::runtime::{Tokio, ready, wait};
use super::zctor::share;
use crate::library::{Behaviour, Library, Need, Oracle};

pub(crate) struct Host<B>(B);

impl<B: Behaviour> Actor for Host<B> {
    type Stop = ();

    async fn stopped(self) {}
}

struct Tell<M>(M);

impl<B: Behaviour> Handler<Tell<B::Message>> for Host<B> {
    type Return = ();

    async fn handle(&mut self, Tell(message): Tell<B::Message>, _: &mut Context<Self>) {
        self.0.receive(message);
    }
}

struct Ask<Q>(Q);

impl<B: Behaviour> Handler<Ask<B::Question>> for Host<B> {
    type Return = u64;

    async fn handle(&mut self, Ask(question): Ask<B::Question>, _: &mut Context<Self>) -> u64 {
        self.0.answer(question)
    }
}

struct Stop;

impl<B: Behaviour> Handler<Stop> for Host<B> {
    type Return = ();

    async fn handle(&mut self, _: Stop, context: &mut Context<Self>) {
        context.stop_self();
    }
}

struct Caller(Address<Host<Oracle>>);

impl Actor for Caller {
    type Stop = ();

    async fn stopped(self) {}
}

struct Calls(u64);

impl Handler<Calls> for Caller {
    type Return = u64;

    async fn handle(&mut self, Calls(count): Calls, _: &mut Context<Self>) -> u64 {
        let mut sum = 0;
        for i in 0..count {
            sum += self.0.send(Ask([i, 1, 0])).await.expect("the oracle lives");
        }
        sum
    }
}

pub(crate) struct Xtra(Tokio);

impl Library for Xtra {
    const SHARES_THREADS: bool = true;

    type Address<B: Behaviour> = Address<Host<B>>;

    fn lacks(need: Need) -> Option<&'static str> {
        match need {
            Need::Batch => Some("no batches"),
            // Its mailbox is a heap by priority, and equal ones come out as they like.
            Need::Order => Some("keeps no order"),
            _ => None,
        }
    }

    fn start(threads: usize) -> Self {
        Self(Tokio::start(threads))
    }

    fn spawn<B: Behaviour>(&self, _: usize, make: impl FnOnce() -> B + Send + 'static) -> Address<Host<B>> {
        let _inside = self.0.handle.enter();
        xtra::spawn_tokio(Host(make()), Mailbox::unbounded())
    }

    fn tell<B: Behaviour>(to: &Address<Host<B>>, message: B::Message) {
        // What is left is a future for the reply; nobody waits for it.
        drop(ready(to.send(Tell(message)).detach()).expect("the actor lives"));
    }

    fn ask<B: Behaviour>(of: &Address<Host<B>>, question: B::Question) -> u64 {
        wait(of.send(Ask(question))).expect("the actor lives")
    }

    fn stop<B: Behaviour>(address: &Address<Host<B>>) {
        drop(ready(address.send(Stop).detach()).expect("the actor lives"));
    }

    fn caller(&self, _: usize, target: Address<Host<Oracle>>) -> impl Fn(u64) -> u64 {
        let _inside = self.0.handle.enter();
        let caller = xtra::spawn_tokio(Caller(target), Mailbox::unbounded());
        move |count| wait(caller.send(Calls(count))).expect("the caller lives")
    }

    fn create<B: Behaviour<Message = ()>>(&self, count: u64, make: impl Fn() -> B + Clone + Send + Sync + 'static) {
        for place in 0..self.0.threads {
            let make = make.clone();
            let share = share(count, place, self.0.threads);
            self.0.handle.spawn(async move {
                for _ in 0..share {
                    let address = xtra::spawn_tokio(Host(make()), Mailbox::unbounded());
                    Self::tell(&address, ());
                    Self::stop(&address);
                }
            });
        }
    }
}
