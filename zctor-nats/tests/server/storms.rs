//! Faults at random under load: the books of each sender balance, every call ends, and no message is handled twice.
//!
//! Each run has a seed, which its failure names. `ZCTOR_NATS_RUNS` says how many runs each test has.

use std::collections::HashSet;
use std::env;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zctor::remote::Books;
use zctor::{ActorEngine, CallError, Undelivered, actor};
use zctor_nats::{Bridge, BridgeError};
use zctor_tests::{Counter, LIMIT, SplitMix64, within};

use crate::nats::Server;
use crate::over::Ends;
use crate::proxy::Proxy;

const SENDERS: u64 = 3;
/// How many sends come between two calls of one sender.
const BETWEEN: u64 = 16;
/// So long after a send counts as lost, and so long a bridge waits for its server.
const WAIT: Duration = Duration::from_millis(500);

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum WorkMessage {
    Do {
        sender: u64,
        number: u64,
    },
    #[reply(u64)]
    Ask {
        sender: u64,
        number: u64,
    },
}
struct Work {
    done: mpsc::Sender<(u64, u64, bool)>,
    count: Counter,
}
impl WorkHandler for Work {
    fn r#do(&mut self, sender: u64, number: u64) {
        self.count.increment();
        self.done.send((sender, number, false)).unwrap_or_default();
    }
    fn ask(&mut self, sender: u64, number: u64) -> u64 {
        self.done.send((sender, number, true)).unwrap_or_default();
        number + 1
    }
}

/// Runs `run` with one seed after the other.
pub(crate) fn runs(run: impl Fn(u64) + Send + 'static) {
    let count: u32 = env::var("ZCTOR_NATS_RUNS").map_or(3, |runs| runs.parse().expect("a number of runs"));
    within(LIMIT * count, move || {
        for seed in 0..u64::from(count) {
            println!("seed {seed}");
            run(seed);
        }
    });
}

/// A pool that is served by two bridges, and a caller.
struct World {
    there: Vec<(ActorEngine, Bridge)>,
    here: ActorEngine,
    calls: Bridge,
    work: WorkClient,
    done: mpsc::Receiver<(u64, u64, bool)>,
    count: Counter,
    dead: Dead,
}

/// The dead letters, by reason.
#[derive(Clone)]
struct Dead([Counter; 4]);

impl Dead {
    fn of(engine: &ActorEngine) -> Self {
        let dead = Self([Counter::new(), Counter::new(), Counter::new(), Counter::new()]);
        let letters = dead.clone();
        engine.on_dead_letter(move |letter| {
            let Dead([unreachable, full, unfit, lost]) = &letters;
            let reason = match letter.why {
                Undelivered::Unreachable => unreachable,
                Undelivered::Full => full,
                Undelivered::Unfit => unfit,
                Undelivered::Lost => lost,
                other => panic!("{other:?}"),
            };
            reason.increment();
        });
        dead
    }

    fn assert_match(&self, books: &Books) {
        let told = self.0.each_ref().map(Counter::get);
        assert_eq!(told, [books.unreachable, books.full, books.unfit, books.lost], "{books}");
    }
}

fn world(serve: [Bridge; 2], calls: Bridge) -> World {
    let (tell, done) = mpsc::channel();
    let count = Counter::new();
    let there = serve.map(|bridge| {
        let (engine, tell, count) = (ActorEngine::new(), tell.clone(), count.clone());
        let state = move || Work { done: tell.clone(), count: count.clone() };
        engine.pool(2, WorkMessage::actor(state)).expect("a pool");
        while let Err(error) = bridge.serve::<WorkMessage>(&engine) {
            // The machine is busy, and the bridge is not patient.
            assert!(matches!(error, BridgeError::Disconnected), "{error}");
        }
        (engine, bridge)
    });
    let here = ActorEngine::new();
    let dead = Dead::of(&here);
    let work = calls.attach::<WorkMessage>(&here).expect("a link");
    World { there: there.into(), here, calls, work, done, count, dead }
}

/// Sends and calls from several threads, while `faults` runs and until it returns. Gives how many each has sent.
fn load(work: &WorkClient, faults: impl FnOnce()) -> u64 {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let ends = Ends(&over);
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let (work, over) = (work.clone(), &over);
                scope.spawn(move || {
                    let mut number = 0;
                    while !over.load(Ordering::Relaxed) {
                        work.r#do(sender, number).expect("it waits for room");
                        number += 1;
                        if number % BETWEEN == 0 {
                            match work.within(2 * WAIT).ask(sender, number) {
                                Ok(reply) => assert_eq!(reply, number + 1),
                                Err(CallError::Lost { .. } | CallError::Timeout { .. }) => {}
                                // The link holds its callers back, too: the time may be up before there is room.
                                Err(CallError::NotRegistered { .. } | CallError::Full { .. }) => {}
                                Err(error) => panic!("{error}"),
                            }
                        }
                    }
                    number
                })
            })
            .collect();
        faults();
        drop(ends);
        senders.into_iter().map(|sender| sender.join().expect("it ends")).sum()
    })
}

impl World {
    /// Waits until so many more messages have been handled.
    fn await_more(&self, more: u64) {
        let least = self.count.get() + more;
        while self.count.get() < least {
            thread::yield_now();
        }
    }

    /// Waits until a call is answered: the bridges connect again in their own time.
    fn await_answer(&self) {
        while self.work.within(LIMIT).ask(SENDERS, 0) != Ok(1) {
            thread::yield_now();
        }
    }

    fn audit(self, sent: u64) {
        self.here.settle();
        let books = balanced(&self.calls);
        assert_eq!(books.accepted, sent);
        self.dead.assert_match(&books);
        for (engine, bridge) in &self.there {
            let left = bridge.leave(LIMIT);
            assert!(left.is_drained(), "{left}");
            engine.settle();
        }
        let mut seen = HashSet::new();
        let all: Vec<_> = self.done.try_iter().collect();
        let handled: Vec<_> = all.iter().filter(|(sender, ..)| *sender < SENDERS).collect();
        for done in &handled {
            assert!(seen.insert(**done), "{done:?} was handled twice: {books}");
        }
        let sends = handled.iter().filter(|(_, _, is_call)| !is_call).count() as u64;
        assert!(books.acked <= sends && sends <= books.acked + books.lost, "{sends} were handled: {books}");
        let taken: u64 = self.there.iter().map(|(_, bridge)| bridge.books().taken).sum();
        // A call whose time is up before its handler begins is taken and not handled. All else that is taken is handled.
        let range = all.len() as u64..=sends + books.called;
        assert!(range.contains(&taken), "{taken} were taken, {} handled, {sends} of them sends: {books}", all.len());
    }
}

/// Waits until everything is settled. A call may be under way though its caller has given it up.
pub(crate) fn balanced(bridge: &Bridge) -> Books {
    bridge.flush(LIMIT);
    while !bridge.books().is_balanced() {
        thread::yield_now();
    }
    bridge.books()
}

fn builder(server: &Server, proxy: Option<&Proxy>) -> Bridge {
    let url = proxy.map_or_else(|| server.url(), Proxy::url);
    server.builder().server(url).patience(WAIT).ack_wait(WAIT).connect().expect("it is there")
}

#[test]
fn the_server_is_killed_and_comes_back() {
    runs(|seed| {
        let (mut random, mut server) = (SplitMix64::new(seed), Server::start());
        let world = world([0, 1].map(|_| builder(&server, None)), builder(&server, None));
        let sent = load(&world.work, || {
            for _ in 0..1 + random.below(3) {
                world.await_more(random.below(1_500) as u64);
                server.kill();
                if random.below(2) == 0 {
                    zctor::sleep(Duration::from_millis(random.below(700) as u64));
                }
                server.restart();
                world.await_answer();
            }
        });
        world.audit(sent);
    });
}

/// Loads two pools through a proxy each, and the bridge that calls them through another, while faults happen to the
/// proxies: up to `most`, each after up to `pace` more messages.
fn through_proxies(most: usize, pace: usize, fault: fn(&mut SplitMix64, &Proxy)) {
    runs(move |seed| {
        let (mut random, server) = (SplitMix64::new(seed), Server::start());
        let proxies: Vec<Proxy> = (0..3).map(|_| Proxy::to(server.port())).collect();
        let bridge = |index: usize| builder(&server, proxies.get(index));
        let world = world([bridge(0), bridge(1)], bridge(2));
        let sent = load(&world.work, || {
            for _ in 0..1 + random.below(most) {
                world.await_more(random.below(pace) as u64);
                let proxy = &proxies[random.below(3)];
                fault(&mut random, proxy);
                world.await_answer();
            }
        });
        world.audit(sent);
    });
}

#[test]
fn connections_stall_and_go_on() {
    through_proxies(3, 1_500, |random, proxy| {
        proxy.stall(true);
        zctor::sleep(Duration::from_millis(random.below(1_500) as u64));
        proxy.stall(false);
    });
}

#[test]
fn connections_are_cut_in_the_middle_of_messages() {
    through_proxies(5, 500, |random, proxy| proxy.cut_after(random.below(20_000)));
}
