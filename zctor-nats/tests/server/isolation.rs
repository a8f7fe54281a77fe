//! A full or slow pool delays no other pool of its bridge, and a process that hangs no other process.

use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zctor::{ActorEngine, ActorThread, CallError, actor};
use zctor_tests::{Counter, Gate, LIMIT, bounded};

use crate::nats::Server;
use crate::proxy::Proxy;

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum SlowMessage {
    Do(u64),
}
struct Slow(Gate);
impl SlowHandler for Slow {
    fn r#do(&mut self, _value: u64) {
        self.0.pass();
    }
}

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum FastMessage {
    #[reply(u64)]
    Ask(u64),
    Note,
}
struct Fast(Counter);
impl FastHandler for Fast {
    fn ask(&mut self, value: u64) -> u64 {
        value + 1
    }
    fn note(&mut self) {
        self.0.increment();
    }
}

#[test]
fn calls_and_sends_to_a_pool_go_on_while_another_of_its_bridge_is_full() {
    bounded(|| {
        const MANY: u64 = 500;
        // Beyond the link's own room of 1,024, the mailbox there and the handler.
        const SENDS: u64 = 1_100;
        let (server, there, here) = (Server::start(), ActorEngine::new(), ActorEngine::new());
        let (serves, calls) = (server.bridge(), server.patient_bridge());
        let (gate, notes) = (Gate::new(), Counter::new());
        let (inside, counted) = (gate.clone(), notes.clone());
        let slow = SlowMessage::actor(move || Slow(inside.clone()));
        there.spawn(ActorThread::new().mailbox_bound(2).register(slow)).expect("a pool");
        there.pool(1, FastMessage::actor(move || Fast(counted.clone()))).expect("a pool");
        serves.serve::<SlowMessage>(&there).expect("it has the pool");
        serves.serve::<FastMessage>(&there).expect("it has the pool");
        let slow = calls.attach::<SlowMessage>(&here).expect("a link");
        let fast = calls.attach::<FastMessage>(&here).expect("a link");
        thread::scope(|scope| {
            let sender = slow.clone();
            let sender = scope.spawn(move || (0..SENDS).for_each(|number| sender.r#do(number).expect("it waits")));
            gate.await_arrivals(1);
            // The link's room is used up when all that it holds waits over there.
            while serves.books().waiting < 1_000 {
                thread::yield_now();
            }
            for number in 0..MANY {
                assert_eq!(fast.within(LIMIT).ask(number), Ok(number + 1));
                fast.note().expect("it is sent");
            }
            while notes.get() < MANY {
                thread::yield_now();
            }
            assert!(!sender.is_finished(), "the other pool is as full as before");
            gate.open();
            sender.join().expect("all were sent");
        });
        here.settle();
        let books = calls.flush(LIMIT);
        assert_eq!(books.acked, SENDS + MANY, "{books}");
    });
}

#[test]
fn calls_that_other_processes_get_are_answered_while_one_process_hangs() {
    const AT_A_TIME: u64 = 20;
    bounded(|| {
        let (server, here) = (Server::start(), ActorEngine::new());
        let proxy = Proxy::to(server.port());
        let hanging = server.builder().server(proxy.url()).connect().expect("it is there");
        let processes = [hanging, server.bridge()].map(|bridge| {
            let engine = ActorEngine::new();
            engine.pool(1, FastMessage::actor(|| Fast(Counter::new()))).expect("a pool");
            bridge.serve::<FastMessage>(&engine).expect("it has the pool");
            (engine, bridge)
        });
        let calls = server.patient_bridge();
        let fast = calls.attach::<FastMessage>(&here).expect("a link");
        proxy.stall(true);
        // The server chooses at random, and knows nothing of it.
        let (mut answered, mut late) = (0, 0);
        while answered == 0 || late == 0 {
            let ask = |number| (number, fast.within(Duration::from_secs(2)).non_blocking().ask(number));
            let asked: Vec<_> = (0..AT_A_TIME).map(ask).collect();
            for (number, reply) in asked {
                match reply.wait() {
                    Ok(reply) => {
                        assert_eq!(reply, number + 1);
                        answered += 1;
                    }
                    Err(CallError::Timeout { .. }) => late += 1,
                    other => panic!("{other:?}"),
                }
            }
        }
        proxy.stall(false);
        // A call whose caller has given up may still be under way, and a flush waits for sends alone.
        while !calls.books().is_balanced() {
            thread::yield_now();
        }
        drop(processes);
    });
}
