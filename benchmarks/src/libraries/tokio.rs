//! The floor of the libraries on tokio: a task an actor, an unbounded mpsc channel, replies through oneshot.

use tokio::sync::{mpsc, oneshot};

use super::channels::Mail;
use super::runtime;
use super::zctor::share;
use crate::library::{Behaviour, Library, Need, Oracle};

type Sender<B> = mpsc::UnboundedSender<Mail<B, oneshot::Sender<u64>>>;

pub(crate) struct Tokio(runtime::Tokio);

const ALIVE: &str = "the other side lives";

fn open<B: Behaviour>(mut behaviour: B) -> (Sender<B>, impl Future<Output = ()> + Send) {
    let (sender, mut receiver) = mpsc::unbounded_channel::<Mail<B, oneshot::Sender<u64>>>();
    let serve = async move {
        while let Some(mail) = receiver.recv().await {
            match mail {
                Mail::Tell(message) => behaviour.receive(message),
                Mail::Ask(question, reply) => reply.send(behaviour.answer(question)).expect(ALIVE),
            }
        }
    };
    (sender, serve)
}

fn request<B: Behaviour>(of: &Sender<B>, question: B::Question) -> oneshot::Receiver<u64> {
    let (reply, answer) = oneshot::channel();
    assert!(of.send(Mail::Ask(question, reply)).is_ok(), "{ALIVE}");
    answer
}

impl Library for Tokio {
    const SHARES_THREADS: bool = true;

    type Address<B: Behaviour> = Sender<B>;

    fn lacks(need: Need) -> Option<&'static str> {
        (need == Need::Batch).then_some("no batches")
    }

    fn start(threads: usize) -> Self {
        Self(runtime::Tokio::start(threads))
    }

    fn spawn<B: Behaviour>(&self, _: usize, make: impl FnOnce() -> B + Send + 'static) -> Sender<B> {
        let (sender, serve) = open(make());
        self.0.handle.spawn(serve);
        sender
    }

    fn tell<B: Behaviour>(to: &Sender<B>, message: B::Message) {
        assert!(to.send(Mail::Tell(message)).is_ok(), "{ALIVE}");
    }

    fn ask<B: Behaviour>(of: &Sender<B>, question: B::Question) -> u64 {
        request(of, question).blocking_recv().expect(ALIVE)
    }

    fn stop<B: Behaviour>(_: &Sender<B>) {
        // The task ends with its last sender.
    }

    fn caller(&self, _: usize, target: Sender<Oracle>) -> impl Fn(u64) -> u64 {
        let (order, mut orders) = mpsc::unbounded_channel::<(u64, oneshot::Sender<u64>)>();
        self.0.handle.spawn(async move {
            while let Some((count, reply)) = orders.recv().await {
                let mut sum = 0;
                for i in 0..count {
                    sum += request(&target, [i, 1, 0]).await.expect(ALIVE);
                }
                reply.send(sum).expect(ALIVE);
            }
        });
        move |count| {
            let (reply, answer) = oneshot::channel();
            order.send((count, reply)).expect(ALIVE);
            answer.blocking_recv().expect(ALIVE)
        }
    }

    fn create<B: Behaviour<Message = ()>>(&self, count: u64, make: impl Fn() -> B + Clone + Send + Sync + 'static) {
        for place in 0..self.0.threads {
            let make = make.clone();
            let share = share(count, place, self.0.threads);
            self.0.handle.spawn(async move {
                for _ in 0..share {
                    let (sender, serve) = open(make());
                    tokio::spawn(serve);
                    Self::tell(&sender, ());
                }
            });
        }
    }
}
