//! Random engines, joined by loopbacks at random: nothing is lost or handled twice, every call ends, the books balance.
//!
//! Three kinds of pools are in two to four engines, which the seed chooses. Each engine attaches the pools that it does
//! not have. Messages go down the kinds, from handler to handler, through whatever is between; they are counted by their
//! kind where they are sent, handled and lost. In every third world an end leaves meanwhile. `ZCTOR_SEED` runs one seed,
//! as a failure names it.

use std::collections::{HashMap, HashSet};
use std::env;
use std::sync::{Arc, Mutex};
use std::thread;

use serde::{Deserialize, Serialize};
use zctor::remote::Loopback;
use zctor::{ActorEngine, ActorThread, CallError, Context, Overflow, actor};
use zctor_tests::{Counter, LIMIT, SplitMix64, within};

const SEEDS: u64 = 40;
const SENDERS: usize = 3;
const EACH: u64 = 200;
const KINDS: usize = 3;

/// What was handled, by kind and number, and what was lost, by kind.
#[derive(Clone, Default)]
struct Trail {
    handled: Arc<Mutex<HashSet<(usize, u64)>>>,
    lost: [Counter; KINDS],
}

impl Trail {
    fn handle(&self, kind: usize, number: u64) {
        let is_first = self.handled.lock().expect("nobody panics with it").insert((kind, number));
        assert!(is_first, "{number} was handled twice by kind {kind}");
    }

    fn handled_by(&self, kind: usize) -> u64 {
        self.handled.lock().expect("nobody panics with it").iter().filter(|handled| handled.0 == kind).count() as u64
    }
}

#[actor(remote, calls(MiddleMessage))]
#[derive(Serialize, Deserialize)]
enum TopMessage {
    Note(u64),
    #[reply(Result<u64, String>)]
    Ask(u64),
}
#[actor(remote, calls(BottomMessage))]
#[derive(Serialize, Deserialize)]
enum MiddleMessage {
    Note(u64),
    #[reply(Result<u64, String>)]
    Ask(u64),
}
#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum BottomMessage {
    Note(u64),
    #[reply(Result<u64, String>)]
    Ask(u64),
}
const NAMES: [&str; KINDS] = ["TopMessage", "MiddleMessage", "BottomMessage"];

struct Member(Trail);
impl TopHandler for Member {
    fn note(&mut self, ctx: &mut Context<TopMessage>, value: u64) {
        self.0.handle(0, value);
        ctx.send(MiddleMessage::Note(value)).expect("no bound holds a handler back");
    }
    fn ask(&mut self, ctx: &mut Context<TopMessage>, value: u64) -> Result<u64, String> {
        ctx.call(MiddleMessage::ask(value)).map_err(|error| error.to_string())?
    }
}
impl MiddleHandler for Member {
    fn note(&mut self, ctx: &mut Context<MiddleMessage>, value: u64) {
        self.0.handle(1, value);
        ctx.send(BottomMessage::Note(value)).expect("no bound holds a handler back");
    }
    fn ask(&mut self, ctx: &mut Context<MiddleMessage>, value: u64) -> Result<u64, String> {
        ctx.call(BottomMessage::ask(value)).map_err(|error| error.to_string())?
    }
}
impl BottomHandler for Member {
    fn note(&mut self, value: u64) {
        self.0.handle(2, value);
    }
    fn ask(&mut self, value: u64) -> Result<u64, String> {
        Ok(value + 1)
    }
}

struct World {
    engines: Vec<ActorEngine>,
    /// From one engine to another.
    ends: HashMap<(usize, usize), Loopback>,
    /// Where each kind lives.
    homes: Vec<usize>,
    trail: Trail,
}

/// Puts a pool of one kind into some engine, and has all others attach it. Gives the clients, one of each engine.
macro_rules! place {
    ($world:ident, $dice:ident, $message:ident) => {{
        let World { engines, ends, homes, trail } = &mut $world;
        let (home, trail, instances) = ($dice.below(engines.len()), trail.clone(), 1 + $dice.below(3));
        let mut room = || (1 + $dice.below(8), [Overflow::Wait, Overflow::Refuse][$dice.below(2)]);
        let (bound, overflow) = room();
        let thread = |_| ActorThread::new().mailbox_bound(bound).overflow(overflow);
        let actor = $message::actor(move || Member(trail.clone()));
        let client = engines[home].pool_on(instances, thread, actor).expect("a pool");
        let mut clients = vec![client];
        for other in (0..engines.len()).filter(|other| *other != home) {
            let [serves, attaches] = [&ends[&(home, other)], &ends[&(other, home)]];
            serves.serve::<$message>(&engines[home]).expect("it has the pool");
            let (bound, overflow) = room();
            clients.push(attaches.attach_bounded::<$message>(&engines[other], bound, overflow).expect("a link"));
        }
        homes.push(home);
        clients
    }};
}

impl World {
    fn new(dice: &mut SplitMix64) -> Self {
        let count = 2 + dice.below(3);
        let trail = Trail::default();
        let engines: Vec<_> = (0..count).map(|_| ActorEngine::new()).collect();
        for engine in &engines {
            let lost = trail.lost.clone();
            engine.on_dead_letter(move |letter| {
                let kind = NAMES.iter().position(|name| *name == letter.message).expect("one of the three");
                lost[kind].increment();
            });
        }
        let mut ends = HashMap::new();
        for pair in (0..count).flat_map(|one| (0..one).map(move |other| [one, other])) {
            let (end, far) = Loopback::pair();
            ends.extend([((pair[0], pair[1]), end), ((pair[1], pair[0]), far)]);
        }
        Self { engines, ends, homes: Vec::new(), trail }
    }

    fn ends(&self) -> impl Iterator<Item = &Loopback> {
        self.ends.values()
    }

    /// Waits until nothing is under way: a message goes through one engine and one link for each kind at most.
    fn settle(&self) {
        for _ in 0..=KINDS {
            for engine in &self.engines {
                engine.settle();
            }
            for end in self.ends() {
                let books = end.flush(LIMIT);
                assert_eq!(books.unsettled(), 0, "{books}");
            }
        }
    }
}

/// What a sender does next, to a pool of one kind: gives whether the message was accepted.
macro_rules! act {
    ($clients:ident, $dice:ident, $number:expr, $leaves:ident) => {{
        let client = &$clients[$dice.below($clients.len())];
        if $dice.below(3) > 0 {
            client.note($number).is_ok()
        } else {
            match client.within(LIMIT).ask($number) {
                Ok(Ok(reply)) => assert_eq!(reply, $number + 1),
                Ok(Err(text)) => assert!($leaves && text.contains("no live instance"), "{text}"),
                Err(CallError::Full { .. }) => {}
                Err(CallError::NotRegistered { .. }) if $leaves => {}
                Err(error) => panic!("{error}"),
            }
            false
        }
    }};
}

fn run(seed: u64) {
    let mut dice = SplitMix64::new(seed);
    let mut world = World::new(&mut dice);
    let bottom = place!(world, dice, BottomMessage);
    let middle = place!(world, dice, MiddleMessage);
    let top = place!(world, dice, TopMessage);
    let leaves = seed.is_multiple_of(3);
    let sent: [Counter; KINDS] = Default::default();
    thread::scope(|scope| {
        for sender in 0..SENDERS {
            let (mut dice, sent) = (SplitMix64::new(dice.next_u64()), &sent);
            let (top, middle, bottom) = (top.clone(), middle.clone(), bottom.clone());
            scope.spawn(move || {
                for number in 0..EACH {
                    let number = number * SENDERS as u64 + sender as u64;
                    let kind = dice.below(KINDS);
                    let accepted = match kind {
                        0 => act!(top, dice, number, leaves),
                        1 => act!(middle, dice, number, leaves),
                        _ => act!(bottom, dice, number, leaves),
                    };
                    sent[kind].add(u64::from(accepted));
                }
            });
        }
        if leaves {
            let least = dice.next_u64() % EACH;
            while sent.iter().map(Counter::get).sum::<u64>() < least {
                thread::yield_now();
            }
            let home = world.homes[dice.below(KINDS)];
            for (_, end) in world.ends.iter().filter(|((from, _), _)| *from == home) {
                let books = end.leave(LIMIT);
                assert!(books.is_drained(), "{books}");
            }
        }
    });
    world.settle();
    let mut passed_on = 0;
    for (kind, sent) in sent.iter().enumerate() {
        let (handled, lost) = (world.trail.handled_by(kind), world.trail.lost[kind].get());
        assert_eq!(sent.get() + passed_on, handled + lost, "of kind {kind}");
        passed_on = handled;
    }
    let (mut acked, mut taken) = (0, 0);
    for books in world.ends().map(|end| end.leave(LIMIT)) {
        assert!(books.is_balanced() && books.is_drained(), "{books}");
        assert_eq!((books.unfit, books.lost), (0, 0), "{books}");
        acked += books.acked;
        taken += books.taken;
    }
    assert!(acked <= taken, "{acked} were acknowledged, and {taken} taken");
    for engine in &world.engines {
        assert_eq!(engine.shutdown().expect("nothing is in its way").panicked(), 0);
    }
}

#[test]
fn random_engines_and_links_lose_nothing_and_handle_nothing_twice() {
    within(3 * LIMIT, || match env::var("ZCTOR_SEED") {
        Ok(seed) => run(seed.parse().expect("a number")),
        Err(_) => (0..SEEDS).for_each(|seed| {
            println!("seed {seed}");
            run(seed);
        }),
    });
}
