//! A process leaves under load: what it has taken is done, nothing is lost, and the others go on.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zctor::{ActorEngine, ActorThread, CallError, actor};
use zctor_nats::Bridge;
use zctor_tests::{Counter, Gate, LIMIT, bounded, receive, within};

use crate::nats::Server;
use crate::proxy::Proxy;

const ROUNDS: usize = 10;
const SENDERS: u64 = 4;
const EACH: u64 = 2_500;
/// How many sends of a sender come between two of its calls.
const BETWEEN: u64 = 5;

#[actor(remote)]
#[derive(Clone, Serialize, Deserialize)]
enum WorkMessage {
    Do {
        sender: u64,
        number: u64,
    },
    #[reply(u64)]
    Ask(u64),
    #[reply(())]
    Hold,
}

/// A message that was handled: the process, the sender and its number.
type Done = (usize, u64, u64);

struct Work {
    process: usize,
    done: mpsc::Sender<Done>,
    count: Counter,
    gate: Gate,
}
impl WorkHandler for Work {
    fn r#do(&mut self, sender: u64, number: u64) {
        self.count.increment();
        self.done.send((self.process, sender, number)).unwrap_or_default();
    }
    fn ask(&mut self, value: u64) -> u64 {
        value + 1
    }
    fn hold(&mut self) {
        self.gate.pass();
    }
}

/// A process that serves: an engine with a pool of one instance, and its bridge.
struct Process {
    engine: ActorEngine,
    bridge: Bridge,
    count: Counter,
    gate: Gate,
}

impl Process {
    fn start(process: usize, bridge: Bridge, thread: ActorThread, done: &mpsc::Sender<Done>) -> Self {
        let (engine, count, gate) = (ActorEngine::new(), Counter::new(), Gate::new());
        let (done, counted, inside) = (done.clone(), count.clone(), gate.clone());
        let state = move || Work { process, done: done.clone(), count: counted.clone(), gate: inside.clone() };
        engine.spawn(thread.register(WorkMessage::actor(state))).expect("a pool");
        bridge.serve::<WorkMessage>(&engine).expect("it has the pool");
        Self { engine, bridge, count, gate }
    }
}

/// Three processes serve. One leaves while senders send and call, and is gone before they end.
fn round(number: usize) {
    let server = Server::start();
    let (tell, done) = mpsc::channel();
    let proxy = Proxy::to(server.port());
    // In every other round more is on its way between the server and the process that leaves.
    let way = if number.is_multiple_of(2) { server.builder() } else { server.builder().server(proxy.url()) };
    let leaves = Process::start(0, way.connect().expect("it is there"), ActorThread::new(), &tell);
    let stay: Vec<_> =
        (1..3).map(|process| Process::start(process, server.bridge(), ActorThread::new(), &tell)).collect();
    let (here, calls) = (ActorEngine::new(), server.patient_bridge());
    let dead = Counter::new();
    let letters = dead.clone();
    here.on_dead_letter(move |_| {
        letters.increment();
    });
    let work = calls.attach::<WorkMessage>(&here).expect("a link");
    let (taken, handled) = thread::scope(|scope| {
        for sender in 0..SENDERS {
            let work = work.clone();
            scope.spawn(move || {
                for number in 0..EACH {
                    work.r#do(sender, number).expect("it waits for room");
                    if number % BETWEEN == 0 {
                        assert_eq!(work.within(LIMIT).ask(number), Ok(number + 1));
                    }
                }
            });
        }
        while leaves.count.get() < 200 + 50 * number as u64 {
            thread::yield_now();
        }
        let Process { engine, bridge, .. } = leaves;
        let left = bridge.leave(LIMIT);
        assert!(left.is_drained(), "{left}");
        let handled = engine.shutdown().expect("nothing is in its way").handled();
        let books = bridge.close(LIMIT);
        assert_eq!(books.taken, left.taken, "it took nothing after it had left");
        (left.taken, handled)
    });
    assert_eq!(taken, handled, "what was taken was handled");
    here.settle();
    let books = calls.flush(LIMIT);
    assert!(books.is_balanced(), "{books}");
    assert_eq!((books.accepted, books.acked, dead.get()), (SENDERS * EACH, SENDERS * EACH, 0), "{books}");
    let asked = SENDERS * EACH.div_ceil(BETWEEN);
    let others: u64 = stay.iter().map(|process| process.bridge.books().taken).sum();
    assert_eq!(taken + others, SENDERS * EACH + asked, "each went to one process");
    assert!(taken < SENDERS * EACH / 2, "the others went on alone: {taken} of {others}");
    let mut next = vec![[0; 3]; SENDERS as usize];
    let mut came = vec![vec![false; EACH as usize]; SENDERS as usize];
    for _ in 0..SENDERS * EACH {
        let (process, sender, number) = receive(&done);
        let seen = &mut came[sender as usize][number as usize];
        assert!(!*seen, "{sender}:{number} came twice");
        *seen = true;
        let least = &mut next[sender as usize][process];
        assert!(*least <= number, "{sender}:{number} came after {least} in process {process}");
        *least = number;
    }
    assert!(done.try_recv().is_err(), "and nothing beyond");
}

#[test]
fn a_process_that_leaves_under_load_loses_nothing_and_the_others_go_on() {
    within(3 * LIMIT, || (0..ROUNDS).for_each(round));
}

/// The only process of a pool, and a caller.
fn alone(thread: ActorThread) -> (Server, Process, ActorEngine, Bridge, WorkClient) {
    let server = Server::start();
    let process = Process::start(0, server.bridge(), thread, &mpsc::channel().0);
    let (here, calls) = (ActorEngine::new(), server.patient_bridge());
    let work = calls.attach::<WorkMessage>(&here).expect("a link");
    (server, process, here, calls, work)
}

#[test]
fn who_leaves_answers_the_calls_that_it_has_and_what_waits_for_room_gets_it() {
    bounded(|| {
        const MANY: u64 = 20;
        let (_server, process, here, calls, work) = alone(ActorThread::new().mailbox_bound(2));
        let held = work.non_blocking().hold();
        process.gate.await_arrivals(1);
        for number in 0..MANY {
            work.r#do(0, number).expect("it is sent");
        }
        here.settle();
        while process.bridge.books().waiting != MANY - 2 {
            thread::yield_now();
        }
        thread::scope(|scope| {
            let leaving = scope.spawn(|| process.bridge.leave(LIMIT));
            // It has left when nobody takes a new call.
            loop {
                match work.within(Duration::from_millis(50)).ask(1) {
                    Err(CallError::NotRegistered { .. }) => break,
                    // It was taken, and waits for room.
                    Err(CallError::Timeout { .. }) => {}
                    other => panic!("{other:?}"),
                }
            }
            assert!(!leaving.is_finished(), "a call is not answered, and messages wait for room");
            process.gate.open();
            let books = leaving.join().expect("it ends");
            assert!(books.is_drained(), "{books}");
        });
        assert_eq!(held.wait(), Ok(()));
        let books = calls.flush(LIMIT);
        assert_eq!((books.accepted, books.acked), (MANY, MANY), "{books}");
        process.engine.settle();
        assert_eq!(process.count.get(), MANY);
    });
}

/// Issue #17: it waited for its whole limit, though no server was there that could have sent it anything.
#[test]
fn a_process_whose_server_is_gone_has_left_as_soon_as_its_calls_are_answered() {
    bounded(|| {
        let mut server = Server::start();
        let (tell, _done) = mpsc::channel();
        let process = Process::start(0, server.bridge(), ActorThread::new(), &tell);
        let (calls, here) = (server.bridge(), ActorEngine::new());
        let work = calls.attach::<WorkMessage>(&here).expect("a link");
        let held = work.non_blocking().hold();
        process.gate.await_arrivals(1);
        server.kill();
        assert_eq!(held.wait(), Err(CallError::Lost { message: "WorkMessage" }));
        while process.bridge.is_connected() {
            thread::yield_now();
        }
        thread::scope(|scope| {
            let leaving = scope.spawn(|| process.bridge.leave(Duration::MAX));
            process.gate.open();
            assert!(leaving.join().expect("it ends").is_drained());
        });

        // It serves again when there is a server.
        server.restart();
        while process.bridge.serve::<WorkMessage>(&process.engine).is_err() {
            thread::yield_now();
        }
        while work.within(LIMIT).ask(1) != Ok(2) {
            thread::yield_now();
        }
        assert!(process.bridge.close(Duration::MAX).is_drained());
    });
}

#[test]
fn a_process_has_left_when_its_server_is_killed_meanwhile() {
    bounded(|| {
        for _ in 0..ROUNDS {
            let mut server = Server::start();
            let proxy = Proxy::to(server.port());
            let (tell, _done) = mpsc::channel();
            let bridge = server.builder().server(proxy.url()).connect().expect("it is there");
            let process = Process::start(0, bridge, ActorThread::new(), &tell);
            proxy.stall(true);
            thread::scope(|scope| {
                let leaving = scope.spawn(|| process.bridge.leave(Duration::MAX));
                server.kill();
                proxy.stall(false);
                assert!(leaving.join().expect("it ends").is_drained());
            });
        }
    });
}

/// Issue #17: each waited for the other, without an end.
#[test]
fn a_hook_of_a_bridge_may_leave_while_another_thread_serves() {
    bounded(|| {
        let server = Server::start();
        let (there, here, bridge) = (ActorEngine::new(), ActorEngine::new(), Arc::new(server.bridge()));
        let (tell, told) = mpsc::channel();
        there
            .pool(
                1,
                WorkMessage::actor(move || Work {
                    process: 0,
                    done: tell.clone(),
                    count: Counter::new(),
                    gate: Gate::new(),
                }),
            )
            .expect("a pool");
        let (gate, of_hook) = (Gate::new(), Arc::downgrade(&bridge));
        let inside = gate.clone();
        here.on_dead_letter(move |_| {
            inside.pass();
            // It has begun to serve by then, or the test shows nothing.
            thread::park_timeout(Duration::from_millis(200));
            if let Some(bridge) = of_hook.upgrade() {
                bridge.leave(Duration::from_millis(10));
            }
        });
        let nobody = bridge.attach::<IdleMessage>(&here).expect("a link");
        nobody.rest().expect("the link takes it");
        gate.await_arrivals(1);
        thread::scope(|scope| {
            let serves = scope.spawn(|| bridge.serve::<WorkMessage>(&there));
            gate.open();
            serves.join().expect("it ends").expect("it has the pool");
        });
        // It has left after that, and serves again.
        bridge.serve::<WorkMessage>(&there).expect("it has the pool");
        let (other, elsewhere) = (server.bridge(), ActorEngine::new());
        let work = other.attach::<WorkMessage>(&elsewhere).expect("a link");
        assert_eq!(work.within(LIMIT).ask(1), Ok(2));
        drop(told);
    });
}

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum IdleMessage {
    Rest,
}
