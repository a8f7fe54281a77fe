//! A durable variant is one like any other where nothing keeps its messages.

use std::sync::mpsc;

use serde::{Deserialize, Serialize};
use zctor::remote::{DurableMessage, Loopback};
use zctor::{ActorEngine, ReplyTo, actor};
use zctor_tests::{LIMIT, bounded, receive};

/// With what a generic enum, a deferred reply, and a renamed method are durable, too.
#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum OrderMessage<K> {
    #[msg(durable)]
    #[reply(Result<(), String>)]
    Charge(K),
    #[msg(durable, name = ship)]
    #[reply((), deferred)]
    Send {
        order: K,
    },
    Note(K),
}

struct Orders(mpsc::Sender<u64>);
impl OrderHandler<u64> for Orders {
    fn charge(&mut self, value: u64) -> Result<(), String> {
        self.0.send(value).map_err(|error| error.to_string())
    }
    fn ship(&mut self, order: u64, reply: ReplyTo<()>) {
        self.0.send(order).unwrap_or_default();
        reply.send(());
    }
    fn note(&mut self, value: u64) {
        self.0.send(value).unwrap_or_default();
    }
}

fn is_durable<M: DurableMessage>() {}

#[test]
fn through_a_loopback_a_durable_message_is_sent_like_any_other() {
    bounded(|| {
        is_durable::<OrderMessage<u64>>();
        let (serving, calling, ends) = (ActorEngine::new(), ActorEngine::new(), Loopback::pair());
        let (tell, told) = mpsc::channel();
        serving.pool(1, OrderMessage::actor(move || Orders(tell.clone()))).expect("a pool");
        ends.0.serve::<OrderMessage<u64>>(&serving).expect("it has the pool");
        let orders = ends.1.attach::<OrderMessage<u64>>(&calling).expect("a link");
        orders.send(OrderMessage::Charge(1)).expect("the link takes it");
        orders.send(OrderMessage::Send { order: 2 }).expect("the link takes it");
        orders.note(3).expect("the link takes it");
        assert_eq!([receive(&told), receive(&told), receive(&told)], [1, 2, 3]);
        assert_eq!((orders.charge(4), orders.ship(5)), (Ok(Ok(())), Ok(())));
        calling.settle();
        let books = ends.1.flush(LIMIT);
        assert_eq!((books.accepted, books.acked, books.called), (3, 3, 2), "{books}");
    });
}
