//! tonari-actor: an OS thread an actor; one-way messages only. Mailboxes are bounded, and a send to a full one is
//! refused, so the bound is out of reach here.

use std::sync::Mutex;

use tonari_actor::{Actor, Context, Recipient, System};

use crate::library::{Behaviour, Library, Need, Oracle};

const CAPACITY: usize = usize::MAX / 2;

struct Host<B>(B);

impl<B: Behaviour> Actor for Host<B> {
    type Message = B::Message;
    type Error = String;
    type Context = Context<B::Message>;

    fn handle(&mut self, _: &mut Self::Context, message: B::Message) -> Result<(), String> {
        self.0.receive(message);
        Ok(())
    }
}

pub(crate) struct Tonari(Mutex<System>);

impl Library for Tonari {
    const SHARES_THREADS: bool = false;

    type Address<B: Behaviour> = Recipient<B::Message>;

    fn lacks(need: Need) -> Option<&'static str> {
        match need {
            Need::Ask | Need::AskInside => Some("no calls"),
            Need::SharedThread | Need::Many => Some("a thread an actor"),
            Need::Stop => Some("stops a system, not an actor"),
            Need::Batch => Some("no batches"),
            Need::Order => None,
        }
    }

    fn start(_: usize) -> Self {
        Self(Mutex::new(System::new("benchmark")))
    }

    fn spawn<B: Behaviour>(&self, _: usize, make: impl FnOnce() -> B + Send + 'static) -> Recipient<B::Message> {
        let mut system = self.0.lock().expect("nobody panics with it");
        let address = system.prepare_fn(|| Host(make())).with_capacity(CAPACITY).spawn().expect("the system runs");
        (*address).clone()
    }

    fn tell<B: Behaviour>(to: &Recipient<B::Message>, message: B::Message) {
        to.send(message).expect("there is room");
    }

    fn ask<B: Behaviour>(_: &Recipient<B::Message>, _: B::Question) -> u64 {
        unreachable!("there are no calls")
    }

    fn stop<B: Behaviour>(_: &Recipient<B::Message>) {
        unreachable!("no single actor can be stopped")
    }

    fn caller(&self, _: usize, _: Self::Address<Oracle>) -> impl Fn(u64) -> u64 {
        |_| unreachable!("there are no calls")
    }
}
