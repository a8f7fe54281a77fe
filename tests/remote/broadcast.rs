//! A broadcast reaches every instance on the other side; a call of all is refused, since a link has one reply.

use std::collections::BTreeMap;
use std::sync::mpsc;

use serde::{Deserialize, Serialize};
use zctor::remote::Loopback;
use zctor::{ActorEngine, CallError, Context, actor};
use zctor_tests::{LIMIT, bounded, receive_many};

const POOL: usize = 5;

#[actor(remote, ctx)]
#[derive(Clone, Serialize, Deserialize)]
enum NewsMessage {
    Read(u64),
    #[reply(u64)]
    Count,
}
struct News(mpsc::Sender<(usize, u64)>);
impl NewsHandler for News {
    fn read(&mut self, ctx: &mut Context<NewsMessage>, value: u64) {
        self.0.send((ctx.thread_id().index(), value)).unwrap_or_default();
    }
    fn count(&mut self, _: &mut Context<NewsMessage>) -> u64 {
        1
    }
}

struct Joined {
    // They stop when they are dropped.
    _engines: (ActorEngine, ActorEngine),
    calling: Loopback,
    news: NewsClient,
    read: mpsc::Receiver<(usize, u64)>,
}

fn joined() -> Joined {
    let (ends, there, here) = (Loopback::pair(), ActorEngine::new(), ActorEngine::new());
    let (tell, read) = mpsc::channel();
    there.pool(POOL, NewsMessage::actor(move || News(tell.clone()))).expect("a pool");
    ends.0.serve::<NewsMessage>(&there).expect("it has the pool");
    let news = ends.1.attach::<NewsMessage>(&here).expect("a link");
    Joined { _engines: (there, here), calling: ends.1, news, read }
}

#[test]
fn a_broadcast_reaches_every_instance_there_once() {
    bounded(|| {
        let at = joined();
        assert_eq!(at.news.broadcast(NewsMessage::Read(7)).expect("it is sent"), 1, "one link");
        let mut read = receive_many(&at.read, POOL);
        read.sort_unstable();
        assert_eq!(read, (0..POOL).map(|instance| (instance, 7)).collect::<Vec<_>>());
        assert_eq!(at.news.broadcast_with(|_| NewsMessage::Read(8)).expect("it is sent"), 1);
        assert!(receive_many(&at.read, POOL).iter().all(|(_, value)| *value == 8));
        let books = at.calling.flush(LIMIT);
        assert_eq!((books.accepted, books.acked), (2, 2), "a broadcast is one message on its way");
        assert!(at.read.try_recv().is_err(), "and nothing comes twice");
    });
}

#[test]
fn broadcasts_and_sends_of_one_sender_keep_their_order() {
    bounded(|| {
        const ROUNDS: u64 = 200;
        let at = joined();
        for round in 0..ROUNDS {
            at.news.read(2 * round).expect("it is sent");
            at.news.broadcast(NewsMessage::Read(2 * round + 1)).expect("it is sent");
        }
        let mut by_instance: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
        for (instance, value) in receive_many(&at.read, (POOL + 1) * ROUNDS as usize) {
            by_instance.entry(instance).or_default().push(value);
        }
        assert_eq!(by_instance.len(), POOL);
        for values in by_instance.values() {
            assert!(values.is_sorted(), "{values:?}");
            assert_eq!(values.iter().filter(|value| *value % 2 == 1).count() as u64, ROUNDS);
        }
    });
}

#[test]
fn a_call_of_all_says_that_a_link_has_one_reply() {
    bounded(|| {
        let at = joined();
        let replies = at.news.call_all(NewsMessage::count()).expect("there is a link");
        assert_eq!(replies.len(), 1);
        match &replies[0].1 {
            Err(CallError::Unfit { text, .. }) => assert!(text.contains("`call_all`"), "{text}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(at.news.count(), Ok(1), "each by itself can be called");
    });
}

#[test]
fn a_broadcast_that_nobody_serves_is_a_dead_letter() {
    bounded(|| {
        let (ends, here) = (Loopback::pair(), ActorEngine::new());
        here.on_dead_letter(|_| {});
        let news = ends.1.attach::<NewsMessage>(&here).expect("a link");
        news.broadcast(NewsMessage::Read(1)).expect("the link takes it");
        here.settle();
        let books = ends.1.flush(LIMIT);
        assert_eq!((books.accepted, books.unreachable), (1, 1));
    });
}
