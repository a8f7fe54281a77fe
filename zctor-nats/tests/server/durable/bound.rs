//! A client that is bound to a key, and whose messages go through a work queue.

use std::sync::mpsc;

use serde::{Deserialize, Serialize};
use zctor::{ActorEngine, actor};
use zctor_tests::{Counter, LIMIT, bounded, receive_many};

use super::jobs;
use crate::nats::Server;

const KEYS: u64 = 20;

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum ParcelMessage {
    #[msg(durable)]
    #[reply(())]
    Ship(u64),
    #[reply(u64)]
    Instance {
        #[key]
        customer: String,
    },
}
struct Parcel {
    instance: u64,
    tell: mpsc::Sender<(u64, u64)>,
}
impl ParcelHandler for Parcel {
    fn ship(&mut self, value: u64) {
        self.tell.send((value, self.instance)).unwrap_or_default();
    }
    fn instance(&mut self, _customer: String) -> u64 {
        self.instance
    }
}

#[test]
fn a_queued_message_of_a_bound_client_reaches_the_instance_that_has_the_key() {
    bounded(|| {
        let (server, there, (tell, told)) = (Server::start_with_streams(), ActorEngine::new(), mpsc::channel());
        let (next, queue) = (Counter::new(), jobs());
        let local = there
            .pool(5, ParcelMessage::actor(move || Parcel { instance: next.increment(), tell: tell.clone() }))
            .expect("a pool");
        let (here, calls, serves) = (ActorEngine::new(), server.bridge(), server.bridge());
        let parcel = calls.attach_durable::<ParcelMessage>(&here, &queue).expect("the server has streams");
        for number in 0..KEYS {
            parcel.keyed(&number.to_string()).send(ParcelMessage::Ship(number)).expect("the link takes it");
        }
        here.settle();
        assert_eq!(calls.flush(LIMIT).acked, KEYS);
        serves.serve_durable::<ParcelMessage>(&there, &queue).expect("it has the pool");
        let mut came = receive_many(&told, KEYS as usize);
        came.sort_unstable();
        let owner = |number: u64| (number, local.instance(number.to_string()).expect("an instance"));
        assert!(came.into_iter().eq((0..KEYS).map(owner)), "each where its key is");
    });
}
