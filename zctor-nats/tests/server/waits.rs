//! Each wait of a bridge ends while the server is gone, also when the client takes no more commands.

use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zctor::{ActorEngine, actor};
use zctor_nats::{BridgeError, WorkQueue};
use zctor_tests::{LIMIT, bounded};

use crate::nats::Server;

/// So often is the client asked for several things that it has more than the 2,048 which it keeps while it is not connected.
const MANY: usize = 1_000;

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum BellMessage {
    #[msg(durable)]
    #[reply(())]
    Ring,
}
struct Bell;
impl BellHandler for Bell {
    fn ring(&mut self) {}
}

fn is_disconnected<T: std::fmt::Debug>(outcome: Result<T, BridgeError>) {
    assert!(matches!(outcome, Err(BridgeError::Disconnected)), "{outcome:?}");
}

#[test]
fn each_wait_of_a_bridge_ends_while_the_server_is_gone() {
    bounded(|| {
        let mut server = Server::start_with_streams();
        let bridge = server.builder().patience(Duration::from_millis(1)).connect().expect("it is there");
        let (engine, queue) = (ActorEngine::new(), WorkQueue::new("jobs"));
        engine.pool(1, BellMessage::actor(|| Bell)).expect("a pool");
        server.kill();
        while bridge.is_connected() {
            thread::yield_now();
        }
        for is_full in [false, true] {
            if is_full {
                for _ in 0..MANY {
                    is_disconnected(bridge.serve_partitions::<BellMessage>(&engine, 0..1, 1));
                }
            }
            is_disconnected(bridge.serve_partitions::<BellMessage>(&engine, 0..1, 1));
            is_disconnected(bridge.serve::<BellMessage>(&engine));
            is_disconnected(bridge.broadcast(BellMessage::Ring, Duration::from_millis(1)));
            // Messages will tell whether it may send.
            let here = ActorEngine::new();
            let bell = bridge.attach::<BellMessage>(&here).expect("a link");
            assert!(bell.ring().is_err(), "no server has it");
            is_disconnected(bridge.attach_durable::<BellMessage>(&here, &queue));
            is_disconnected(bridge.serve_durable::<BellMessage>(&engine, &queue));
            assert!(bridge.leave(Duration::MAX).is_drained());
            assert!(bridge.flush(LIMIT).is_balanced());
        }
        assert!(bridge.close(Duration::MAX).is_balanced());
    });
}
