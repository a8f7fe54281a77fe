//! ractor: `cast` and `call`, on tokio, without the spans of its default features.

use std::marker::PhantomData;

use ractor::rpc::CallResult;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};

use super::runtime::{Tokio, wait};
use super::zctor::share;
use crate::library::{Behaviour, Library, Need, Oracle};

pub(crate) enum Mail<B: Behaviour> {
    Tell(B::Message),
    Ask(B::Question, RpcReplyPort<u64>),
}

struct Host<B>(PhantomData<fn() -> B>);

impl<B: Behaviour> Actor for Host<B> {
    type Msg = Mail<B>;
    type State = B;
    type Arguments = B;

    async fn pre_start(&self, _: ActorRef<Mail<B>>, behaviour: B) -> Result<B, ActorProcessingErr> {
        Ok(behaviour)
    }

    async fn handle(&self, _: ActorRef<Mail<B>>, mail: Mail<B>, behaviour: &mut B) -> Result<(), ActorProcessingErr> {
        match mail {
            Mail::Tell(message) => behaviour.receive(message),
            Mail::Ask(question, reply) => reply.send(behaviour.answer(question))?,
        }
        Ok(())
    }
}

struct Caller;

struct Calls(u64, RpcReplyPort<u64>);

impl Actor for Caller {
    type Msg = Calls;
    type State = ActorRef<Mail<Oracle>>;
    type Arguments = ActorRef<Mail<Oracle>>;

    async fn pre_start(
        &self,
        _: ActorRef<Calls>,
        target: ActorRef<Mail<Oracle>>,
    ) -> Result<ActorRef<Mail<Oracle>>, ActorProcessingErr> {
        Ok(target)
    }

    async fn handle(
        &self,
        _: ActorRef<Calls>,
        Calls(count, reply): Calls,
        target: &mut ActorRef<Mail<Oracle>>,
    ) -> Result<(), ActorProcessingErr> {
        let mut sum = 0;
        for i in 0..count {
            let answer = target.call(|port| Mail::Ask([i, 1, 0], port), None).await;
            sum += answered(answer.ok());
        }
        reply.send(sum)?;
        Ok(())
    }
}

fn answered(result: Option<CallResult<u64>>) -> u64 {
    match result {
        Some(CallResult::Success(answer)) => answer,
        _ => panic!("the actor lives"),
    }
}

pub(crate) struct Ractor(Tokio);

impl Library for Ractor {
    const SHARES_THREADS: bool = true;

    type Address<B: Behaviour> = ActorRef<Mail<B>>;

    fn lacks(need: Need) -> Option<&'static str> {
        (need == Need::Batch).then_some("no batches")
    }

    fn start(threads: usize) -> Self {
        Self(Tokio::start(threads))
    }

    fn spawn<B: Behaviour>(&self, _: usize, make: impl FnOnce() -> B + Send + 'static) -> ActorRef<Mail<B>> {
        let _inside = self.0.handle.enter();
        wait(Actor::spawn(None, Host(PhantomData), make())).expect("the runtime runs").0
    }

    fn spawn_many<B: Behaviour>(
        &self,
        count: u64,
        make: impl Fn(u64) -> B + Clone + Send + 'static,
    ) -> Vec<ActorRef<Mail<B>>> {
        let all = self.0.handle.spawn(async move {
            let mut actors = Vec::new();
            for i in 0..count {
                actors.push(Actor::spawn(None, Host(PhantomData), make(i)).await.expect("the runtime runs").0);
            }
            actors
        });
        wait(all).expect("a start cannot fail")
    }

    fn tell<B: Behaviour>(to: &ActorRef<Mail<B>>, message: B::Message) {
        assert!(to.cast(Mail::Tell(message)).is_ok(), "the actor lives");
    }

    fn ask<B: Behaviour>(of: &ActorRef<Mail<B>>, question: B::Question) -> u64 {
        answered(wait(of.call(|port| Mail::Ask(question, port), None)).ok())
    }

    fn stop<B: Behaviour>(address: &ActorRef<Mail<B>>) {
        address.drain().expect("the actor lives");
    }

    fn caller(&self, _: usize, target: ActorRef<Mail<Oracle>>) -> impl Fn(u64) -> u64 {
        let _inside = self.0.handle.enter();
        let caller = wait(Actor::spawn(None, Caller, target)).expect("the runtime runs").0;
        move |count| answered(wait(caller.call(|port| Calls(count, port), None)).ok())
    }

    fn create<B: Behaviour<Message = ()>>(&self, count: u64, make: impl Fn() -> B + Clone + Send + Sync + 'static) {
        for place in 0..self.0.threads {
            let make = make.clone();
            let share = share(count, place, self.0.threads);
            self.0.handle.spawn(async move {
                for _ in 0..share {
                    let (actor, _) = Actor::spawn(None, Host(PhantomData), make()).await.expect("the runtime runs");
                    Self::tell(&actor, ());
                    Self::stop(&actor);
                }
            });
        }
    }
}
