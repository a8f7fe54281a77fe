//! A bridge that is given the servers of a cluster goes from one that is gone to another.

use std::thread;

use serde::{Deserialize, Serialize};
use zctor::{ActorEngine, CallError, actor};
use zctor_nats::{Bridge, BridgeError};
use zctor_tests::{LIMIT, bounded};

use crate::nats::Server;

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum ClockMessage {
    #[reply(u64)]
    Next(u64),
}
struct Clock;
impl ClockHandler for Clock {
    fn next(&mut self, value: u64) -> u64 {
        value + 1
    }
}

fn serving(bridge: &Bridge) -> ActorEngine {
    let there = ActorEngine::new();
    there.pool(1, ClockMessage::actor(|| Clock)).expect("a pool");
    bridge.serve::<ClockMessage>(&there).expect("it has the pool");
    there
}

/// Calls until an answer comes: meanwhile bridges connect, and servers learn of one another.
fn await_answer(clock: &ClockClient) {
    let begun = zctor::now();
    loop {
        match clock.within(LIMIT).next(1) {
            Ok(next) => return assert_eq!(next, 2),
            Err(CallError::NotRegistered { .. } | CallError::Lost { .. }) => {
                assert!(zctor::now() - begun < LIMIT, "no answer comes");
                thread::yield_now();
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

fn await_connected(bridge: &Bridge, connected: bool) {
    let begun = zctor::now();
    while bridge.is_connected() != connected {
        assert!(zctor::now() - begun < LIMIT, "it is to be {connected}");
        thread::yield_now();
    }
}

#[test]
fn bridges_that_know_both_servers_of_a_cluster_go_on_when_one_is_killed() {
    bounded(|| {
        let user = "authorization { user: ann, password: secret }";
        let mut first = Server::of_cluster(&[], user);
        let mut second = Server::of_cluster(&[&first], user);
        // By one server each: messages go by the route between the two.
        let by = |server: &Server| server.builder().user("ann", "secret").connect().expect("it is there");
        let (there, here) = (by(&first), ActorEngine::new());
        let engine = serving(&there);
        let calls = by(&second);
        await_answer(&calls.attach::<ClockMessage>(&here).expect("a link"));
        drop((engine, there, calls));

        // The user stands in one of the addresses, and is that of all.
        let addresses = [format!("nats://ann:secret@127.0.0.1:{}", first.port()), second.url()];
        let by_both = || first.builder().servers(addresses.clone()).patience(LIMIT).connect().expect("one is there");
        let (there, calls, here) = (by_both(), by_both(), ActorEngine::new());
        let _engine = serving(&there);
        let clock = calls.attach::<ClockMessage>(&here).expect("a link");
        await_answer(&clock);
        // One of the two is that to which a bridge is connected, whichever that is.
        first.kill();
        await_answer(&clock);
        first.restart();
        second.kill();
        await_answer(&clock);
        assert!(calls.is_connected());
        first.kill();
        await_connected(&calls, false);
        second.restart();
        await_connected(&calls, true);
        await_answer(&clock);
        assert!(calls.close(LIMIT).is_balanced());
    });
}

#[test]
fn a_bridge_passes_over_servers_that_are_not_there_and_names_all_when_none_is() {
    bounded(|| {
        let server = Server::start();
        let nobody = "nats://127.0.0.1:1".to_owned();
        for _ in 0..10 {
            let bridge = server.builder().servers([nobody.clone(), server.url()]).connect();
            assert!(bridge.expect("one is there").books().is_balanced());
        }
        match server.builder().servers([nobody.clone(), "nats://ann:secret@127.0.0.1:2".to_owned()]).connect() {
            Err(error @ BridgeError::Connect { .. }) => {
                assert!(error.to_string().contains("nats://127.0.0.1:1, nats://127.0.0.1:2: "), "{error}");
                assert!(!format!("{error:?}").contains("secret"), "{error:?}");
            }
            other => panic!("{other:?}"),
        }
        match server.builder().servers([nobody, "no address at all".to_owned()]).connect() {
            Err(error @ BridgeError::Connect { .. }) => {
                assert!(error.to_string().contains("no address at all"), "{error}");
            }
            other => panic!("{other:?}"),
        }
    });
}
