//! Bounds for senders inside: no more waits than the bound says, under each policy; nothing is lost without a word,
//! nothing comes twice, and the order is kept.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use zctor::{Actor, ActorEngine, ActorThread, CallError, Context, Inner, Overflow, Restart, Undelivered, actor};
use zctor_tests::{Gate, bounded, expect_panics, receive};

const BOUND: usize = 10;
const SENDERS: u32 = 4;
const EACH: u32 = if cfg!(miri) { 20 } else { 2_000 };
const POLICIES: [Inner; 3] = [Inner::Refuse, Inner::DropOldest, Inner::Conflate];

type Job = Box<dyn FnOnce(&mut Context<SinkMessage>) + Send>;

/// Counts how many of it there are, and how many there were at most.
struct Live(Arc<(AtomicUsize, AtomicUsize)>);

impl Live {
    fn new(count: &Arc<(AtomicUsize, AtomicUsize)>) -> Self {
        let live = count.0.fetch_add(1, Ordering::SeqCst) + 1;
        count.1.fetch_max(live, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A counted message.
struct Item {
    from: u32,
    number: u32,
    _live: Option<Live>,
}

impl Item {
    fn new(from: u32, number: u32) -> Self {
        Self { from, number, _live: None }
    }
}

#[actor(ctx)]
enum SinkMessage {
    Put(#[key] u32, Item),
    #[reply(u32)]
    Ask(#[key] u32, Item),
    /// With the same keys as `Put`.
    Set(#[key] u32, u32),
    /// Without a key.
    Tell(u32),
    Hold(Gate),
    Run(Job),
    Break,
    Quit,
}

struct Sink(Sender<(u32, u32)>);

impl SinkHandler for Sink {
    fn put(&mut self, _: &mut Context<SinkMessage>, _: u32, item: Item) {
        self.0.send((item.from, item.number)).expect("the test listens");
    }
    fn ask(&mut self, _: &mut Context<SinkMessage>, _: u32, item: Item) -> u32 {
        self.0.send((item.from, item.number)).expect("the test listens");
        item.number
    }
    fn set(&mut self, _: &mut Context<SinkMessage>, _: u32, number: u32) {
        self.0.send((u32::MAX, number)).expect("the test listens");
    }
    fn tell(&mut self, _: &mut Context<SinkMessage>, number: u32) {
        self.0.send((u32::MAX, number)).expect("the test listens");
    }
    fn hold(&mut self, _: &mut Context<SinkMessage>, gate: Gate) {
        gate.pass();
    }
    fn run(&mut self, ctx: &mut Context<SinkMessage>, job: Job) {
        job(ctx);
    }
    fn r#break(&mut self, _: &mut Context<SinkMessage>) {
        panic!("the sink breaks");
    }
    fn quit(&mut self, ctx: &mut Context<SinkMessage>) {
        ctx.stop();
    }
}

type Lost = Arc<Mutex<Vec<(u32, u32, Undelivered)>>>;

fn item(message: SinkMessage) -> Option<(u32, u32)> {
    match message {
        SinkMessage::Put(_, item) | SinkMessage::Ask(_, item) => Some((item.from, item.number)),
        SinkMessage::Set(_, number) | SinkMessage::Tell(number) => Some((u32::MAX, number)),
        _ => None,
    }
}

fn sink() -> (Actor<SinkMessage, Sink>, Receiver<(u32, u32)>, Lost) {
    let (put, handled) = mpsc::channel();
    let lost = Lost::default();
    let keep = Arc::clone(&lost);
    let actor = SinkMessage::actor(move || Sink(put.clone())).on_undelivered(move |message, why| {
        if let Some((from, number)) = item(message) {
            keep.lock().expect("nobody panics under it").push((from, number, why));
        }
    });
    (actor, handled, lost)
}

/// A sink under an inner bound, held at a gate; and one without, to send from.
struct Held {
    engine: ActorEngine,
    sink: SinkClient,
    from: SinkClient,
    handled: Receiver<(u32, u32)>,
    lost: Lost,
    gate: Gate,
}

fn held(policy: Inner) -> Held {
    let engine = ActorEngine::new();
    engine.on_dead_letter(|_| {});
    let (actor, handled, lost) = sink();
    let sink = engine.start_on(ActorThread::new().inner_bound(BOUND, policy), actor).expect("it starts");
    let from = engine.start(self::sink().0).expect("it starts");
    let gate = Gate::new();
    sink.hold(gate.clone()).expect("it lives");
    gate.await_arrivals(1);
    Held { engine, sink, from, handled, lost, gate }
}

impl Held {
    /// Runs a job on another thread of the engine, and gives its result.
    fn inside<R: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Context<SinkMessage>, SinkClient) -> R + Send + 'static,
    ) -> R {
        let (tell, told) = mpsc::channel();
        let sink = self.sink.clone();
        self.from.run(Box::new(move |ctx| tell.send(job(ctx, sink)).unwrap_or_default())).expect("it lives");
        receive(&told)
    }

    /// Opens the gate; gives the numbers that are handled then, and those that were lost.
    fn open(self) -> (Vec<u32>, Vec<(u32, Undelivered)>) {
        self.gate.open();
        self.engine.settle();
        let lost =
            self.lost.lock().expect("nobody panics under it").iter().map(|(_, number, why)| (*number, *why)).collect();
        (self.handled.try_iter().map(|(_, number)| number).collect(), lost)
    }
}

#[test]
fn refuse_gives_back_what_finds_no_room_by_every_way() {
    bounded(|| {
        let held = held(Inner::Refuse);
        let refused = held.inside(|_, sink| {
            let at_once = sink.non_blocking();
            (0..BOUND as u32).for_each(|number| sink.put(number, Item::new(0, number)).expect("there is room"));
            let back = sink.send(SinkMessage::Tell(90)).unwrap_err();
            assert!(back.is_full());
            assert!(matches!(back.into_inner(), SinkMessage::Tell(90)));
            assert!(at_once.tell(91).is_err_and(|error| error.is_full()));
            let all = sink.send_all([92, 93].map(SinkMessage::Tell)).unwrap_err();
            assert!(all.is_full());
            assert_eq!(all.into_inner().len(), 2);
            let full = CallError::Full { message: "SinkMessage" };
            assert_eq!(at_once.ask(0, Item::new(0, 94)).try_take(), Some(Err(full)));
            // As ever: a broadcast passes over what is full, and that copy is a dead letter.
            sink.broadcast_with(|_| SinkMessage::Tell(95))
        });
        assert_eq!(refused, Ok(0));
        assert_eq!(held.engine.stats().refused, 5);
        assert_eq!(held.open(), ((0..BOUND as u32).collect(), vec![(95, Undelivered::Full)]));
    });
}

#[test]
fn the_oldest_makes_room_and_a_call_among_them_ends_with_full() {
    bounded(|| {
        let held = held(Inner::DropOldest);
        let asked = held.inside(|_, sink| {
            let asked = sink.non_blocking().ask(0, Item::new(0, 0));
            (1..15).for_each(|number| sink.put(number, Item::new(0, number)).expect("the oldest goes"));
            sink.send_all((15..20).map(|number| SinkMessage::Put(number, Item::new(0, number))))
                .expect("the oldest go");
            asked
        });
        assert_eq!(asked.wait(), Err(CallError::Full { message: "SinkMessage" }));
        let lost = (0..10).map(|number| (number, Undelivered::Full)).collect();
        assert_eq!(held.open(), ((10..20).collect(), lost));
    });
}

#[test]
fn a_newer_message_takes_the_place_of_the_one_with_its_variant_and_key() {
    bounded(|| {
        let held = held(Inner::Conflate);
        let asked = held.inside(|_, sink| {
            for number in 0..12 {
                sink.put(number % 4, Item::new(0, number)).expect("one a key waits");
            }
            sink.set(2, 15).expect("another variant, though with the same key");
            sink.tell(20).expect("another variant");
            sink.tell(21).expect("it has no key, and takes the place of the one before");
            // Calls stand for themselves.
            let asked = [30, 31].map(|number| sink.non_blocking().ask(0, Item::new(0, number)));
            (40..42).for_each(|key| sink.put(key, Item::new(0, key)).expect("there is room for ten"));
            assert!(sink.put(50, Item::new(0, 50)).is_err_and(|error| error.is_full()), "an eleventh key");
            sink.put(2, Item::new(0, 60)).expect("its key has a place");
            asked
        });
        let lost = [0, 1, 2, 3, 4, 5, 6, 7, 20, 10].map(|number| (number, Undelivered::Conflated)).to_vec();
        assert_eq!(held.open(), (vec![8, 9, 60, 11, 15, 21, 30, 31, 40, 41], lost));
        assert_eq!(asked.map(|asked| asked.wait()), [Ok(30), Ok(31)]);
    });
}

#[test]
fn instances_of_one_thread_share_its_bound_and_keep_their_values_apart() {
    bounded(|| {
        for policy in POLICIES {
            let engine = ActorEngine::new();
            engine.on_dead_letter(|_| {});
            let ((one, handled, _), (other, by_second, _)) = (sink(), sink());
            engine.spawn(ActorThread::new().inner_bound(4, policy).register(one).register(other)).unwrap();
            let sinks = engine.client::<SinkMessage>().unwrap();
            let (first, second) = (sinks.pin(sinks.instances()[0]), sinks.pin(sinks.instances()[1]));
            let (from, gate) = (engine.start(sink().0).unwrap(), Gate::new());
            first.hold(gate.clone()).unwrap();
            gate.await_arrivals(1);
            let held = Held { engine, sink: first, from, handled, lost: Lost::default(), gate };
            let accepted = held.inside(move |_, first| {
                [(&first, 1), (&second, 1), (&first, 1), (&second, 2), (&first, 3), (&second, 3)]
                    .into_iter()
                    .zip(0..)
                    .filter_map(|((to, key), number)| to.put(key, Item::new(0, number)).is_ok().then_some(number))
                    .collect::<Vec<u32>>()
            });
            let (by_first, _) = held.open();
            let by_second: Vec<u32> = by_second.try_iter().map(|(_, number)| number).collect();
            let expected: (&[u32], [&[u32]; 2]) = match policy {
                Inner::Refuse => (&[0, 1, 2, 3], [&[0, 2], &[1, 3]]),
                Inner::DropOldest => (&[0, 1, 2, 3, 4, 5], [&[2, 4], &[3, 5]]),
                _ => (&[0, 1, 2, 3, 4], [&[2, 4], &[1, 3]]),
            };
            assert_eq!((&*accepted, [&*by_first, &*by_second]), expected, "{policy:?}");
        }
    });
}

/// Sinks in one pool, each on a thread with this inner bound, and held at a gate; and one outside of it to send from.
fn held_pool(count: usize, bound: usize, policy: Inner) -> (Held, Vec<Receiver<(u32, u32)>>) {
    let engine = ActorEngine::new();
    engine.on_dead_letter(|_| {});
    let mut all_handled = Vec::new();
    for _ in 0..count {
        let (actor, handled, _) = sink();
        engine.spawn(ActorThread::new().inner_bound(bound, policy).register(actor)).expect("it starts");
        all_handled.push(handled);
    }
    let from = engine.start(sink().0).expect("it starts");
    let (sink, gate) = (engine.client::<SinkMessage>().expect("they are registered"), Gate::new());
    for instance in sink.instances() {
        sink.pin(instance).hold(gate.clone()).expect("it lives");
    }
    gate.await_arrivals(count);
    (Held { engine, sink, from, handled: mpsc::channel().1, lost: Lost::default(), gate }, all_handled)
}

// Issue 15: under `Conflate`, a message that found neither a place nor room had its turn all the same.
#[test]
fn a_message_in_turn_that_is_refused_moves_nobodys_turn() {
    bounded(|| {
        for policy in [Inner::Refuse, Inner::Conflate] {
            let (held, handled) = held_pool(3, 1, policy);
            held.inside(move |_, sink| {
                (0..3).for_each(|number| sink.tell(number).expect("each has room for one"));
                let nothing = || SinkMessage::Run(Box::new(|_| ()));
                assert!(sink.send(nothing()).is_err_and(|error| error.is_full()));
                assert!(sink.non_blocking().send(nothing()).is_err_and(|error| error.is_full()));
                // Four attempts in all, which are not once around the three.
                for _ in 0..2 {
                    assert!(sink.send_all([nothing(), nothing()]).is_err_and(|error| error.is_full()));
                }
                for number in 3..6 {
                    assert_eq!(sink.tell(number).is_ok(), policy == Inner::Conflate, "its turn has a place for it");
                }
            });
            held.gate.open();
            held.engine.settle();
            let seen = handled.iter().map(|one| one.try_iter().map(|(_, number)| number).collect::<Vec<_>>());
            let expected =
                if policy == Inner::Conflate { [vec![3], vec![4], vec![5]] } else { [vec![0], vec![1], vec![2]] };
            assert_eq!(seen.collect::<Vec<_>>(), expected, "{policy:?}");
        }
    });
}

#[test]
fn a_message_in_turn_goes_to_the_next_that_has_room_whatever_the_policy() {
    bounded(|| {
        for policy in POLICIES {
            let (held, handled) = held_pool(3, 2, policy);
            held.inside(|_, sink| {
                let first = sink.pin(sink.instances()[0]);
                (0..2).for_each(|number| first.put(number, Item::new(0, number)).expect("there is room"));
                (10..14).for_each(|number| sink.tell(number).expect("two have room for two each"));
            });
            held.gate.open();
            held.engine.settle();
            let seen = handled.iter().map(|one| one.try_iter().map(|(_, number)| number).collect::<Vec<_>>());
            let expected = match policy {
                // The second and the third have one each when the next two come, and room for them besides.
                Inner::Conflate => [vec![0, 1], vec![12], vec![13]],
                _ => [vec![0, 1], vec![10, 12], vec![11, 13]],
            };
            assert_eq!(seen.collect::<Vec<_>>(), expected, "{policy:?}");
        }
    });
}

#[test]
fn each_bound_is_for_its_own_side() {
    bounded(|| {
        for overflow in [Overflow::Refuse, Overflow::DropNewest] {
            let engine = ActorEngine::new();
            engine.on_dead_letter(|_| {});
            let (actor, handled, _) = sink();
            let thread = ActorThread::new().mailbox_bound(2).overflow(overflow).inner_bound(3, Inner::Refuse);
            let sink = engine.start_on(thread, actor).unwrap();
            let from = engine.start(self::sink().0).unwrap();
            let gate = Gate::new();
            sink.hold(gate.clone()).unwrap();
            gate.await_arrivals(1);
            // The outside is full, which is nothing to the inside.
            (0..5).for_each(|number| drop(sink.non_blocking().tell(number)));
            let (tell, told) = mpsc::channel();
            let target = sink.clone();
            let fill = move |_: &mut Context<SinkMessage>| {
                let sent = (10..15).map(|number| target.tell(number).is_ok()).collect::<Vec<_>>();
                tell.send(sent).expect("the test listens");
            };
            from.run(Box::new(fill)).unwrap();
            assert_eq!(receive(&told), [true, true, true, false, false], "{overflow:?}");
            gate.open();
            engine.settle();
            let mut seen: Vec<_> = handled.try_iter().map(|(_, number)| number).collect();
            seen.sort_unstable();
            assert_eq!(seen, [0, 1, 10, 11, 12], "{overflow:?}");
        }
    });
}

#[test]
fn on_one_thread_calls_and_a_stop_come_behind_what_was_sent_before() {
    #[actor(calls(SinkMessage))]
    enum BossMessage {
        #[reply(Result<u32, CallError>)]
        Go,
    }
    struct Boss(SinkClient);
    impl BossHandler for Boss {
        fn go(&mut self, _: &mut Context<BossMessage>) -> Result<u32, CallError> {
            self.0.put(0, Item::new(0, 0))?;
            self.0.put(1, Item::new(0, 1))?;
            let answer = self.0.ask(0, Item::new(0, 2));
            self.0.put(3, Item::new(0, 3))?;
            self.0.stop().expect("it lives");
            answer
        }
    }
    bounded(|| {
        for policy in POLICIES {
            let engine = ActorEngine::new();
            engine.on_dead_letter(|_| {});
            let (actor, handled, lost) = sink();
            let thread = ActorThread::new().inner_bound(BOUND, policy).register(actor);
            engine.spawn(thread).unwrap();
            let pool = engine.client::<SinkMessage>().unwrap();
            let sink = pool.pin(pool.instances()[0]);
            let boss = engine.pool(1, BossMessage::actor(move || Boss(sink.clone()))).unwrap();
            assert_eq!(boss.go(), Ok(Ok(2)), "{policy:?}");
            engine.settle();
            assert_eq!(handled.try_iter().map(|(_, number)| number).collect::<Vec<_>>(), [0, 1, 2, 3], "{policy:?}");
            assert!(lost.lock().unwrap().is_empty());
        }
    });
}

#[actor(ctx)]
enum SourceMessage {
    Burst,
    #[msg(internal)]
    Answer(u32, Result<u32, CallError>),
}

/// Sends counted messages by all ways, and notes those that are refused.
struct Source {
    from: u32,
    sink: SinkClient,
    live: Arc<(AtomicUsize, AtomicUsize)>,
    refused: Sender<(u32, u32)>,
    calls: Sender<(u32, u32, bool)>,
}

impl Source {
    fn item(&self, number: u32) -> Item {
        Item { from: self.from, number, _live: Some(Live::new(&self.live)) }
    }

    fn refuse(&self, message: SinkMessage) {
        self.refused.send(item(message).expect("it was counted")).expect("the test listens");
    }
}

impl SourceHandler for Source {
    fn burst(&mut self, ctx: &mut Context<SourceMessage>) {
        let (from, sink) = (self.from, self.sink.clone());
        for number in 0..EACH {
            let put = |item| SinkMessage::Put(from, item);
            match number % 4 {
                0 => drop(sink.send(put(self.item(number))).map_err(|error| self.refuse(error.into_inner()))),
                1 => drop(sink.non_blocking().send(put(self.item(number))).map_err(|e| self.refuse(e.into_inner()))),
                2 => {
                    let sent = sink.send_all([put(self.item(number))]);
                    sent.map_or_else(|error| error.into_inner().into_iter().for_each(|m| self.refuse(m)), drop);
                }
                _ => {
                    let request = SinkMessage::ask(from, self.item(number));
                    ctx.pipe(sink.request(request), move |outcome| SourceMessage::Answer(number, outcome));
                }
            }
        }
    }
    fn answer(&mut self, _: &mut Context<SourceMessage>, number: u32, outcome: Result<u32, CallError>) {
        let is_handled = match outcome {
            Ok(answer) => answer == number,
            Err(CallError::Full { .. }) => false,
            Err(error) => panic!("the call {number} of {} ended with {error}", self.from),
        };
        self.calls.send((self.from, number, is_handled)).expect("the test listens");
    }
}

#[test]
fn a_storm_from_inside_stays_within_the_bound_and_every_message_is_accounted_for() {
    bounded(|| {
        for policy in POLICIES {
            let engine = ActorEngine::new();
            engine.on_dead_letter(|_| {});
            let (actor, handled, lost) = sink();
            let (refused, back) = mpsc::channel();
            let (calls, answers) = mpsc::channel();
            let live = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
            // The first source lives on the sink's own thread.
            let own = Arc::new(Mutex::new(None));
            let sink_of_own = Arc::clone(&own);
            let make = {
                let (live, refused, calls) = (Arc::clone(&live), refused.clone(), calls.clone());
                move |from: u32, sink: SinkClient| {
                    let (live, refused, calls) = (Arc::clone(&live), refused.clone(), calls.clone());
                    SourceMessage::actor(move || Source {
                        from,
                        sink: sink.clone(),
                        live: Arc::clone(&live),
                        refused: refused.clone(),
                        calls: calls.clone(),
                    })
                }
            };
            let pool = {
                let thread = ActorThread::new().inner_bound(BOUND, policy).register(actor);
                engine.spawn(thread).unwrap();
                engine.client::<SinkMessage>().unwrap()
            };
            let sink = pool.pin(pool.instances()[0]);
            let start_here = make.clone();
            let target = sink.clone();
            let start = move |ctx: &mut Context<SinkMessage>| {
                *sink_of_own.lock().unwrap() = Some(ctx.start(start_here(0, target)).expect("it starts"));
            };
            sink.run(Box::new(start)).unwrap();
            engine.settle();
            let mut sources = vec![own.lock().unwrap().take().expect("it was started")];
            sources.extend((1..SENDERS).map(|from| engine.start(make(from, sink.clone())).unwrap()));
            sources.iter().for_each(|source| source.burst().unwrap());
            engine.settle();

            let handled: Vec<(u32, u32)> = handled.try_iter().collect();
            let mut last = BTreeMap::new();
            for (from, number) in &handled {
                let before = last.insert(from, number);
                let in_order = before.is_none_or(|before| before < number);
                assert!(
                    in_order || policy == Inner::Conflate,
                    "{policy:?}: {number} of {from} comes behind {before:?}"
                );
            }
            let lost: Vec<_> = lost.lock().unwrap().iter().map(|(from, number, _)| (*from, *number)).collect();
            let mut refused: Vec<(u32, u32)> = back.try_iter().collect();
            // A call that was not handled was refused, or is among the lost.
            let answers: Vec<_> = answers.try_iter().collect();
            assert_eq!(answers.len() as u32, SENDERS * (EACH / 4));
            for (from, number, is_handled) in answers {
                assert_eq!(is_handled, handled.contains(&(from, number)));
                if !is_handled && !lost.contains(&(from, number)) {
                    refused.push((from, number));
                }
            }
            assert_eq!(engine.stats().dead_letters, lost.len() as u64);
            // The first source keeps the sink's thread, so it cannot but send too much.
            assert!(lost.len() + refused.len() > 1_000 || cfg!(miri), "{policy:?}");
            let mut all = [handled, lost, refused].concat();
            all.sort_unstable();
            let expected = (0..SENDERS).flat_map(|from| (0..EACH).map(move |number| (from, number)));
            assert!(all.into_iter().eq(expected), "{policy:?}: each was handled, lost or refused, once");
            // Those that wait; one being handled; one in the hands of each sender, and one that it loses.
            let at_most = live.1.load(Ordering::SeqCst);
            assert!(at_most <= BOUND + 1 + 2 * SENDERS as usize, "{policy:?}: there were {at_most} at a time");
            assert_eq!(live.0.load(Ordering::SeqCst), 0);
        }
    });
}

#[test]
fn while_the_instance_backs_off_the_bound_holds_and_the_latest_waits() {
    bounded(|| {
        expect_panics("the sink breaks");
        let engine = ActorEngine::new();
        engine.on_dead_letter(|_| {});
        let (actor, handled, lost) = sink();
        let pause = Duration::from_millis(200);
        let actor = actor.restart(Restart::always().backoff(pause, pause));
        let sink = engine.start_on(ActorThread::new().inner_bound(BOUND, Inner::DropOldest), actor).unwrap();
        let from = engine.start(self::sink().0).unwrap();
        (0..3).for_each(|_| sink.r#break().unwrap());
        while engine.stats().threads[0].panicked < 3 {
            std::thread::yield_now();
        }
        let (tell, told) = mpsc::channel();
        let target = sink.clone();
        let fill = move |_: &mut Context<SinkMessage>| {
            (0..100).for_each(|number| target.tell(number).expect("the oldest goes"));
            tell.send(()).expect("the test listens");
        };
        from.run(Box::new(fill)).unwrap();
        receive(&told);
        engine.settle();
        let seen: Vec<_> = handled.try_iter().map(|(_, number)| number).collect();
        assert!(seen.is_sorted() && seen.ends_with(&(90..100).collect::<Vec<_>>()), "{seen:?}");
        assert_eq!(seen.len() + lost.lock().unwrap().len(), 100);
    });
}

#[test]
fn what_waits_for_an_ended_member_goes_to_siblings_with_room_and_no_further() {
    bounded(|| {
        for policy in POLICIES {
            let engine = ActorEngine::new();
            engine.on_dead_letter(|_| {});
            let (actor, handled, lost) = sink();
            let pool = engine.pool_on(3, |_| ActorThread::new().inner_bound(BOUND, policy), actor).unwrap();
            let members = pool.instances().into_iter().map(|id| pool.pin(id));
            let gates: Vec<Gate> = members
                .map(|member| {
                    let gate = Gate::new();
                    member.hold(gate.clone()).unwrap();
                    gate.await_arrivals(1);
                    gate
                })
                .collect();
            let from = engine.start(sink().0).unwrap();
            let (tell, told) = mpsc::channel();
            let (target, first) = (pool.clone(), pool.pin(pool.instances()[0]));
            let fill = move |_: &mut Context<SinkMessage>| {
                // In its turn, before all that waits.
                first.quit().expect("there is room");
                let sent = (0..27).filter(|number| target.tell(*number).is_ok()).count();
                tell.send(sent).expect("the test listens");
            };
            from.run(Box::new(fill)).unwrap();
            let sent = receive(&told);
            assert_eq!(sent, 27, "{policy:?}");
            gates[0].open();
            // It has ended, and what waited for it went to where there was room.
            while pool.instances().len() == 3 {
                std::thread::yield_now();
            }
            gates[1].open();
            gates[2].open();
            engine.settle();
            let mut all: Vec<u32> = handled.try_iter().map(|(_, number)| number).collect();
            all.extend(lost.lock().unwrap().iter().map(|(_, number, _)| *number));
            all.sort_unstable();
            assert_eq!(all, (0..27).collect::<Vec<_>>(), "{policy:?}");
        }
    });
}

#[test]
fn a_shutdown_amid_a_storm_accounts_for_all_that_was_accepted() {
    bounded(|| {
        for policy in POLICIES {
            for limit in [None, Some(Duration::from_millis(100))] {
                let engine = ActorEngine::new();
                engine.on_dead_letter(|_| {});
                let (actor, handled, lost) = sink();
                let sink = engine.start_on(ActorThread::new().inner_bound(BOUND, policy), actor).unwrap();
                let (tell, accepted) = mpsc::channel();
                for from in 0..SENDERS {
                    let (source, target, tell) = (engine.start(self::sink().0).unwrap(), sink.clone(), tell.clone());
                    let storm = move |_: &mut Context<SinkMessage>| {
                        let sent = (0..EACH).filter(|number| target.put(*number, Item::new(from, *number)).is_ok());
                        tell.send(sent.count()).expect("the test listens");
                    };
                    source.run(Box::new(storm)).unwrap();
                }
                let (report, is_whole) =
                    match limit.map_or_else(|| engine.shutdown(), |limit| engine.shutdown_timeout(limit)) {
                        Ok(report) => (report, true),
                        Err(zctor::ShutdownError::Abandoned { report, .. }) => (report, false),
                        Err(error) => panic!("{error}"),
                    };
                drop(tell);
                // The limit may end the storm before each has begun to send.
                let accepted: Vec<usize> = accepted.iter().collect();
                let unsent = SENDERS as usize - accepted.len();
                assert!(unsent == 0 || limit.is_some(), "{unsent} of {SENDERS} have not sent");
                let accepted: usize = accepted.into_iter().sum();
                let mut count = 0;
                let mut accounted = || {
                    count += handled.try_iter().count();
                    count + lost.lock().unwrap().len()
                };
                // A thread that was abandoned on a busy machine accounts for the rest later.
                while !is_whole && accounted() < accepted {
                    std::thread::yield_now();
                }
                assert_eq!(accounted(), accepted, "{policy:?}, {limit:?}");
                if is_whole {
                    let lost = lost.lock().unwrap().len() + unsent;
                    assert_eq!(report.dead_letters as usize, lost, "{policy:?}, {limit:?}");
                }
            }
        }
    });
}
