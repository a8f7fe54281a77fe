//! A look at an engine while instances take turns in one place finds each by its own name, with what it has done
//! itself.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use zctor::{ActorEngine, Context, InstanceId, actor};
use zctor_tests::bounded;

/// Lives in the place of the others in turn.
#[actor]
enum OnceMessage {
    #[reply(())]
    Work,
}

struct Once;

impl OnceHandler for Once {
    fn work(&mut self) {}
}

/// As `OnceMessage`, with more to do.
#[actor]
enum TwiceMessage {
    #[reply(())]
    Work,
}

struct Twice;

impl TwiceHandler for Twice {
    fn work(&mut self) {}
}

#[actor(calls(OnceMessage, TwiceMessage))]
enum NestMessage {
    /// Has so many live and end here, of both types in turn.
    #[reply(())]
    Raise(u64),
}

struct Nest;

impl NestHandler for Nest {
    fn raise(&mut self, ctx: &mut Context<NestMessage>, pairs: u64) {
        for _ in 0..pairs {
            let once = ctx.start::<OnceMessage>(|| Once).expect("it is built");
            once.work().expect("it lives");
            once.stop().expect("it lives");
            let twice = ctx.start::<TwiceMessage>(|| Twice).expect("it is built");
            // Served meanwhile: the end of the one before.
            twice.work().expect("it lives");
            twice.work().expect("it lives");
            twice.stop().expect("it lives");
        }
    }
}

const PAIRS: u64 = if cfg!(miri) { 5 } else { 500 };
const ROUNDS: u64 = if cfg!(miri) { 2 } else { 40 };

#[test]
fn each_is_found_by_its_own_name_with_what_it_has_done_itself() {
    bounded(|| {
        let engine = ActorEngine::new();
        let nest: NestClient = engine.start(NestMessage::actor(|| Nest)).expect("it starts");
        let over = AtomicBool::new(false);
        let looks = thread::scope(|scope| {
            let looker = scope.spawn(|| {
                let mut names: HashMap<InstanceId, &'static str> = HashMap::new();
                let mut looks = 0_u64;
                while !over.load(Ordering::Relaxed) {
                    for one in engine.instances() {
                        let most = match one.message {
                            "OnceMessage" => 1,
                            "TwiceMessage" => 2,
                            _ => ROUNDS,
                        };
                        assert!(one.handled <= most && one.panicked == 0, "{one}");
                        let known = *names.entry(one.id).or_insert(one.message);
                        assert_eq!(known, one.message, "an id is never given again");
                    }
                    looks += 1;
                }
                looks
            });
            for round in 1..=ROUNDS {
                nest.raise(PAIRS).expect("it lives");
                engine.settle();
                let stats = engine.stats();
                let of = |name| stats.types.iter().find(|row| row.message == name).expect("there were some");
                let (once, twice) = (of("OnceMessage"), of("TwiceMessage"));
                assert_eq!((once.ended, once.handled), (round * PAIRS, round * PAIRS));
                assert_eq!((twice.ended, twice.handled), (round * PAIRS, 2 * round * PAIRS));
            }
            over.store(true, Ordering::Relaxed);
            looker.join().expect("what it has seen is right")
        });
        assert!(looks > 0);
        let report = engine.shutdown().expect("it ends");
        assert_eq!((report.earlier.instances, report.earlier.handled), (2 * ROUNDS * PAIRS, 3 * ROUNDS * PAIRS));
    });
}
