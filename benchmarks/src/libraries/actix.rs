//! actix: an arbiter a thread, `do_send`, which goes past the mailbox's bound, and `send` awaited.

use std::sync::mpsc;
use std::thread;

use actix::{
    Actor, ActorContext, Addr, Arbiter, Context, Handler, Message, ResponseActFuture, SyncArbiter, SyncContext, System,
    WrapFuture,
};

use super::runtime::wait;
use super::zctor::share;
use crate::library::{Behaviour, Library, Need, Oracle};

pub(crate) struct Host<B>(B);

impl<B: Behaviour> Actor for Host<B> {
    type Context = Context<Self>;
}

struct Tell<M>(M);

impl<M: 'static> Message for Tell<M> {
    type Result = ();
}

impl<B: Behaviour> Handler<Tell<B::Message>> for Host<B> {
    type Result = ();

    fn handle(&mut self, Tell(message): Tell<B::Message>, _: &mut Context<Self>) {
        self.0.receive(message);
    }
}

struct Ask<Q>(Q);

impl<Q: 'static> Message for Ask<Q> {
    type Result = u64;
}

impl<B: Behaviour> Handler<Ask<B::Question>> for Host<B> {
    type Result = u64;

    fn handle(&mut self, Ask(question): Ask<B::Question>, _: &mut Context<Self>) -> u64 {
        self.0.answer(question)
    }
}

/// A host on a thread of a pool that actix has for work on the CPU.
struct SyncHost<B>(B);

impl<B: Behaviour> Actor for SyncHost<B> {
    type Context = SyncContext<Self>;
}

impl<B: Behaviour> Handler<Tell<B::Message>> for SyncHost<B> {
    type Result = ();

    fn handle(&mut self, Tell(message): Tell<B::Message>, _: &mut SyncContext<Self>) {
        self.0.receive(message);
    }
}

struct Stop;

impl Message for Stop {
    type Result = ();
}

impl<B: Behaviour> Handler<Stop> for Host<B> {
    type Result = ();

    fn handle(&mut self, _: Stop, context: &mut Context<Self>) {
        context.stop();
    }
}

struct Caller(Addr<Host<Oracle>>);

impl Actor for Caller {
    type Context = Context<Self>;
}

struct Calls(u64);

impl Message for Calls {
    type Result = u64;
}

impl Handler<Calls> for Caller {
    type Result = ResponseActFuture<Self, u64>;

    fn handle(&mut self, Calls(count): Calls, _: &mut Context<Self>) -> Self::Result {
        let target = self.0.clone();
        let calls = async move {
            let mut sum = 0;
            for i in 0..count {
                sum += target.send(Ask([i, 1, 0])).await.expect("the oracle lives");
            }
            sum
        };
        Box::pin(calls.into_actor(self))
    }
}

pub(crate) struct Actix {
    arbiters: Vec<Arbiter>,
}

impl Library for Actix {
    const SHARES_THREADS: bool = true;

    type Address<B: Behaviour> = Addr<Host<B>>;

    fn lacks(need: Need) -> Option<&'static str> {
        (need == Need::Batch).then_some("no batches")
    }

    fn start(threads: usize) -> Self {
        let (give, given) = mpsc::channel();
        thread::spawn(move || {
            let runner = System::new();
            let arbiters = (0..threads).map(|_| Arbiter::new()).collect();
            give.send((System::current(), arbiters)).expect("the outside waits");
            runner.run().expect("the system runs");
        });
        let (system, arbiters) = given.recv().expect("the system started");
        // A pool of threads asks whoever starts it for the system.
        System::set_current(system);
        Self { arbiters }
    }

    fn spawn<B: Behaviour>(&self, place: usize, make: impl FnOnce() -> B + Send + 'static) -> Addr<Host<B>> {
        let arbiter = self.arbiters[place % self.arbiters.len()].handle();
        Host::start_in_arbiter(&arbiter, |_| Host(make()))
    }

    fn tell<B: Behaviour>(to: &Addr<Host<B>>, message: B::Message) {
        to.do_send(Tell(message));
    }

    fn ask<B: Behaviour>(of: &Addr<Host<B>>, question: B::Question) -> u64 {
        wait(of.send(Ask(question))).expect("the actor lives")
    }

    fn stop<B: Behaviour>(address: &Addr<Host<B>>) {
        address.do_send(Stop);
    }

    fn caller(&self, place: usize, target: Addr<Host<Oracle>>) -> impl Fn(u64) -> u64 {
        let arbiter = self.arbiters[place % self.arbiters.len()].handle();
        let caller = Caller::start_in_arbiter(&arbiter, |_| Caller(target));
        move |count| wait(caller.send(Calls(count))).expect("the caller lives")
    }

    fn create<B: Behaviour<Message = ()>>(&self, count: u64, make: impl Fn() -> B + Clone + Send + Sync + 'static) {
        for (place, arbiter) in self.arbiters.iter().enumerate() {
            let make = make.clone();
            let share = share(count, place, self.arbiters.len());
            arbiter.spawn_fn(move || {
                for _ in 0..share {
                    let address = Host(make()).start();
                    Self::tell(&address, ());
                    Self::stop(&address);
                }
            });
        }
    }

    fn rotator<B: Behaviour>(
        &self,
        count: usize,
        make: impl Fn() -> B + Clone + Send + Sync + 'static,
    ) -> impl FnMut(B::Message) {
        let pool = SyncArbiter::start(count, move || SyncHost(make()));
        move |message| pool.do_send(Tell(message))
    }
}
