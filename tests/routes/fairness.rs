//! A call to an instance for which nothing else is queued does not wait for what is queued for others on its thread;
//! and neither that nor the others lose their order, or starve.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, Sender};
use std::thread;

use zctor::{ActorEngine, ActorThread, Context, EngineHandle, InstanceId, Pending, actor};
use zctor_tests::{Counter, Gate, SplitMix64, bounded, receive};

/// Messages that wait for the noisy instance.
const NOISE: u64 = if cfg!(miri) { 200 } else { 5_000 };

/// The instance that many messages wait for.
#[actor]
enum NoisyMessage {
    Hold(Gate),
    Noise,
    /// Calls a quiet one, and gives away what comes of it.
    Ask(QuietClient, Sender<Pending<u64>>),
}

struct Noisy {
    handled: Counter,
}

impl NoisyHandler for Noisy {
    fn hold(&mut self, gate: Gate) {
        gate.pass();
    }

    fn noise(&mut self) {
        self.handled.increment();
    }

    fn ask(&mut self, quiet: QuietClient, give: Sender<Pending<u64>>) {
        give.send(quiet.non_blocking().look()).expect("the test waits");
    }
}

/// One that nothing waits for but a call.
#[actor]
enum QuietMessage {
    /// How much noise was handled until now.
    #[reply(u64)]
    Look,
    #[reply(())]
    Hold(Gate),
}

struct Quiet {
    noise: Counter,
}

impl QuietHandler for Quiet {
    fn look(&mut self) -> u64 {
        self.noise.get()
    }

    fn hold(&mut self, gate: Gate) {
        gate.pass();
    }
}

/// A quiet one of a higher call depth.
#[actor(calls(QuietMessage))]
enum DeepMessage {
    #[reply(u64)]
    Look,
    /// As `Look`, and nobody waits for it.
    Note(Sender<u64>),
    /// Waits until a quiet instance elsewhere has passed the gate.
    #[reply(())]
    Wait(Gate, QuietClient),
}

struct Deep {
    noise: Counter,
}

impl DeepHandler for Deep {
    fn look(&mut self, _: &mut Context<DeepMessage>) -> u64 {
        self.noise.get()
    }

    fn note(&mut self, _: &mut Context<DeepMessage>, tell: Sender<u64>) {
        tell.send(self.noise.get()).expect("the test waits");
    }

    fn wait(&mut self, _: &mut Context<DeepMessage>, gate: Gate, elsewhere: QuietClient) {
        assert_eq!(elsewhere.hold(gate), Ok(()));
    }
}

/// A noisy instance and some quiet ones on one thread.
struct World {
    engine: ActorEngine,
    noise: Counter,
    noisy: NoisyClient,
}

impl World {
    fn new(quiets: usize, deep: bool) -> Self {
        let (engine, noise) = (ActorEngine::new(), Counter::new());
        let handled = noise.clone();
        let mut thread = ActorThread::new().register(NoisyMessage::actor(move || Noisy { handled: handled.clone() }));
        for _ in 0..quiets {
            let noise = noise.clone();
            thread = thread.register(QuietMessage::actor(move || Quiet { noise: noise.clone() }));
        }
        if deep {
            let noise = noise.clone();
            thread = thread.register(DeepMessage::actor(move || Deep { noise: noise.clone() }));
        }
        engine.spawn(thread).expect("it starts");
        // Their starts are no longer queued.
        engine.settle();
        let noisy = engine.client::<NoisyMessage>().expect("they live");
        Self { engine, noise, noisy }
    }

    /// Calls the next quiet instance.
    fn look(&self) -> Pending<u64> {
        self.engine.client::<QuietMessage>().expect("they live").request(QuietMessage::look())
    }

    /// The noisy instance stands at the gate that this gives, and so many messages wait for it.
    fn make_noise(&self, count: u64) -> Gate {
        let gate = Gate::new();
        self.noisy.hold(gate.clone()).expect("they live");
        gate.await_arrivals(1);
        for _ in 0..count {
            self.noisy.noise().expect("they live");
        }
        gate
    }

    /// All the noise was handled, once.
    fn end(self, count: u64) {
        self.engine.settle();
        assert_eq!(self.noise.get(), count);
    }
}

#[test]
fn a_call_to_a_quiet_instance_lets_one_message_pass_of_those_that_wait_for_a_noisy_one() {
    bounded(|| {
        for deep in [false, true] {
            let world = World::new(1, deep);
            let gate = world.make_noise(NOISE);
            let look = world.look();
            gate.open();
            assert!(look.wait().unwrap() <= 1);
            world.end(NOISE);
        }
    });
}

#[test]
fn a_call_made_while_a_batch_is_handled_does_not_wait_for_what_is_left_of_it() {
    bounded(|| {
        let world = World::new(1, false);
        let (give, given) = mpsc::channel();
        let quiet = world.engine.client::<QuietMessage>().unwrap();
        let noise = (0..NOISE).map(|_| NoisyMessage::Noise);
        world.noisy.send_all(std::iter::once(NoisyMessage::Ask(quiet, give)).chain(noise)).unwrap();
        // A thread handles 64 at a time of what it has in hand.
        assert!(receive(&given).wait().unwrap() <= 64);
        world.end(NOISE);
    });
}

#[test]
fn what_comes_for_a_noisy_one_is_not_gathered_ahead_of_what_waits_for_one_of_another_call_depth() {
    bounded(|| {
        let world = World::new(0, true);
        let gate = world.make_noise(200);
        let (tell, told) = mpsc::channel();
        world.engine.client::<DeepMessage>().unwrap().note(tell).unwrap();
        (0..NOISE).for_each(|_| world.noisy.noise().unwrap());
        gate.open();
        assert_eq!(receive(&told), 200);
        world.end(200 + NOISE);
    });
}

#[test]
fn the_same_holds_for_one_of_a_higher_call_depth() {
    bounded(|| {
        let world = World::new(0, true);
        let gate = world.make_noise(NOISE);
        let deep = world.engine.client::<DeepMessage>().unwrap();
        let look: Pending<u64> = deep.request(DeepMessage::look());
        gate.open();
        assert!(look.wait().unwrap() <= 1);
        world.end(NOISE);
    });
}

#[test]
fn of_a_batch_a_call_lets_one_message_pass() {
    bounded(|| {
        let world = World::new(1, false);
        let gate = Gate::new();
        world.noisy.hold(gate.clone()).unwrap();
        gate.await_arrivals(1);
        assert!(world.noisy.send_all((0..NOISE).map(|_| NoisyMessage::Noise)).is_ok());
        let look = world.look();
        gate.open();
        assert!(look.wait().unwrap() <= 1);
        world.end(NOISE);
    });
}

#[test]
fn each_of_many_calls_to_quiet_instances_lets_one_message_pass() {
    bounded(|| {
        // More than a thread serves in one go; where there is little noise, they are what is left when it looks again.
        for noise in [NOISE, 1] {
            let world = World::new(200, false);
            let gate = world.make_noise(noise);
            let looks: Vec<Pending<u64>> = (0..200).map(|_| world.look()).collect();
            gate.open();
            for (look, most) in looks.into_iter().zip(1..) {
                assert!(look.wait().unwrap() <= most);
            }
            world.end(noise);
        }
    });
}

#[test]
fn a_second_call_to_the_same_instance_waits_its_turn() {
    bounded(|| {
        let world = World::new(1, false);
        let gate = world.make_noise(NOISE);
        let first = world.look();
        let second = world.look();
        gate.open();
        assert!(first.wait().unwrap() <= 1);
        // It was called when something was queued for it.
        assert_eq!(second.wait(), Ok(NOISE));
        world.end(NOISE);
    });
}

/// Says when it was called.
#[actor]
enum TurnMessage {
    #[reply(u64)]
    Take,
}

struct Turn {
    taken: Counter,
}

impl TurnHandler for Turn {
    fn take(&mut self) -> u64 {
        self.taken.increment()
    }
}

#[test]
fn what_comes_later_does_not_pass_a_call_to_the_same_instance_that_waits_to_go_ahead() {
    bounded(|| {
        let (engine, taken) = (ActorEngine::new(), Counter::new());
        let turn = TurnMessage::actor(move || Turn { taken: taken.clone() });
        let mut thread = ActorThread::new().register(NoisyMessage::actor(|| Noisy { handled: Counter::new() }));
        for _ in 0..5 {
            thread = thread.register(turn.clone());
        }
        engine.spawn(thread).unwrap();
        engine.settle();
        let (noisy, gate) = (engine.client::<NoisyMessage>().unwrap(), Gate::new());
        noisy.hold(gate.clone()).unwrap();
        gate.await_arrivals(1);
        noisy.noise().unwrap();
        // All wait to go ahead of the noise; and behind it, a second one for each, the last one's first.
        let turns = engine.client::<TurnMessage>().unwrap();
        let call = |id| -> Pending<u64> { turns.pin(id).request(TurnMessage::take()) };
        let first: Vec<_> = turns.instances().into_iter().map(call).collect();
        let second: Vec<_> = turns.instances().into_iter().rev().map(call).collect();
        gate.open();
        for (first, second) in first.into_iter().zip(second.into_iter().rev()) {
            assert!(first.wait().unwrap() < second.wait().unwrap());
        }
    });
}

#[test]
fn a_call_to_a_quiet_instance_goes_ahead_while_a_handler_of_its_thread_waits() {
    bounded(|| {
        let elsewhere = ActorEngine::new();
        let there: QuietClient = elsewhere.pool(1, QuietMessage::actor(|| Quiet { noise: Counter::new() })).unwrap();
        let world = World::new(1, true);
        let deep = world.engine.client::<DeepMessage>().unwrap();
        let far = Gate::new();
        let wait: Pending<()> = deep.request(DeepMessage::wait(far.clone(), there));
        far.await_arrivals(1);
        let gate = world.make_noise(NOISE);
        let look = world.look();
        gate.open();
        assert!(look.wait().unwrap() <= 1);
        far.open();
        wait.wait().unwrap();
        world.end(NOISE);
    });
}

/// Calls the next of its kind again and again, until all the noise was handled.
#[actor(ctx)]
enum RelayMessage {
    /// With the number of calls so far.
    #[reply(())]
    Pass { calls: u64, done: Sender<u64> },
}

struct Relay {
    noise: Counter,
}

impl RelayHandler for Relay {
    fn pass(&mut self, ctx: &mut Context<RelayMessage>, calls: u64, done: Sender<u64>) {
        // Each call lets a message pass, and each message a call.
        let noise = self.noise.get();
        assert!(noise == NOISE || noise.abs_diff(calls) <= 2, "{calls} calls beside {noise} messages");
        if noise == NOISE {
            let _ = done.send(calls);
        } else {
            let next = ctx.non_blocking::<RelayMessage>().expect("they live");
            next.pass(calls + 1, done).detach();
        }
    }
}

#[test]
fn calls_to_quiet_instances_without_end_do_not_starve_a_noisy_one() {
    bounded(|| {
        let (engine, noise) = (ActorEngine::new(), Counter::new());
        let (handled, seen) = (noise.clone(), noise.clone());
        let relay = RelayMessage::actor(move || Relay { noise: seen.clone() });
        let noisy = NoisyMessage::actor(move || Noisy { handled: handled.clone() });
        engine.spawn(ActorThread::new().register(noisy).register(relay.clone()).register(relay)).unwrap();
        engine.settle();
        let noisy = engine.client::<NoisyMessage>().unwrap();
        let gate = Gate::new();
        noisy.hold(gate.clone()).unwrap();
        gate.await_arrivals(1);
        for _ in 0..NOISE {
            noisy.noise().unwrap();
        }
        let (done, ended) = mpsc::channel();
        engine.client::<RelayMessage>().unwrap().request(RelayMessage::pass(0, done)).detach();
        gate.open();
        assert!(receive(&ended) >= NOISE - 2, "both went on");
        engine.settle();
        assert_eq!(noise.get(), NOISE);
    });
}

/// Messages of each sender.
const MESSAGES: u64 = if cfg!(miri) { 60 } else { 20_000 };
const SENDERS: u32 = 4;
/// Senders inside are numbered from here.
const INSIDE: u32 = 100;

/// The next number of each sender, and the first thing out of order.
#[derive(Clone, Debug, Default)]
struct Tally {
    next: BTreeMap<u32, u64>,
    fault: Option<String>,
}

impl Tally {
    fn note(&mut self, sender: u32, number: u64) {
        let next = self.next.entry(sender).or_default();
        if number != *next && self.fault.is_none() {
            self.fault = Some(format!("of sender {sender}, {number} came instead of {next}"));
        }
        *next = number + 1;
    }
}

#[actor]
enum SinkMessage {
    Item {
        sender: u32,
        number: u64,
    },
    #[reply(u64)]
    Confirm {
        sender: u32,
        number: u64,
    },
    #[reply(Tally)]
    Tally,
}

#[derive(Default)]
struct Sink {
    tally: Tally,
}

impl SinkHandler for Sink {
    fn item(&mut self, sender: u32, number: u64) {
        self.tally.note(sender, number);
    }

    fn confirm(&mut self, sender: u32, number: u64) -> u64 {
        self.tally.note(sender, number);
        number
    }

    fn tally(&mut self) -> Tally {
        self.tally.clone()
    }
}

/// A sink that calls another of a lower depth at times, and waits for it.
#[actor(calls(SinkMessage))]
enum DeskMessage {
    Item {
        sender: u32,
        number: u64,
    },
    #[reply(u64)]
    Confirm {
        sender: u32,
        number: u64,
    },
    #[reply(Tally)]
    Tally,
}

struct Desk {
    tally: Tally,
    sender: u32,
    /// What it has sent to each sink.
    sent: BTreeMap<InstanceId, u64>,
    random: SplitMix64,
}

impl Desk {
    fn pass_on(&mut self, ctx: &Context<DeskMessage>) {
        let sinks = ctx.client::<SinkMessage>().expect("they live");
        let places = sinks.instances();
        let place = places[self.random.below(places.len())];
        let sink = sinks.pin(place);
        let sent = self.sent.entry(place).or_default();
        let mut number = || {
            *sent += 1;
            *sent - 1
        };
        let sender = self.sender;
        match self.random.below(64) {
            0 => {
                let number = number();
                assert_eq!(sink.call(SinkMessage::confirm(sender, number)), Ok(number));
            }
            1..8 => sink.request(SinkMessage::confirm(sender, number())).detach(),
            8..16 => sink.item(sender, number()).expect("it lives"),
            _ => {}
        }
    }
}

impl DeskHandler for Desk {
    fn item(&mut self, ctx: &mut Context<DeskMessage>, sender: u32, number: u64) {
        self.tally.note(sender, number);
        self.pass_on(ctx);
    }

    fn confirm(&mut self, ctx: &mut Context<DeskMessage>, sender: u32, number: u64) -> u64 {
        self.tally.note(sender, number);
        self.pass_on(ctx);
        number
    }

    fn tally(&mut self, _: &mut Context<DeskMessage>) -> Tally {
        self.tally.clone()
    }
}

/// Sends numbered messages, by every way, to one of the places after the other; gives how many each has got.
fn feed(engine: &EngineHandle, sender: u32) -> BTreeMap<InstanceId, u64> {
    let sinks = engine.client::<SinkMessage>().expect("they live");
    let desks = engine.client::<DeskMessage>().ok();
    let places = sinks.instances().into_iter().map(|id| (sinks.pin(id), None, id));
    let with_desks =
        desks.iter().flat_map(|desks| desks.instances().into_iter().map(|id| (sinks.clone(), Some(desks.pin(id)), id)));
    let places: Vec<_> = places.chain(with_desks).collect();
    let mut random = SplitMix64::new(u64::from(sender));
    let mut sent = BTreeMap::new();
    let mut left = MESSAGES;
    while left > 0 {
        let (sink, desk, place) = &places[random.below(places.len())];
        let next: &mut u64 = sent.entry(*place).or_default();
        // Some in a row to one, which comes to rest before its next turn, if all goes well.
        for _ in 0..1 + random.below(4) {
            let number = *next;
            let mut count = 1;
            match (random.below(100), desk) {
                // Rarely, since it parks the two.
                (0, None) => assert_eq!(sink.call(SinkMessage::confirm(sender, number)), Ok(number)),
                (0, Some(desk)) => assert_eq!(desk.call(DeskMessage::confirm(sender, number)), Ok(number)),
                (1..50, None) => sink.request(SinkMessage::confirm(sender, number)).detach(),
                (1..50, Some(desk)) => desk.request(DeskMessage::confirm(sender, number)).detach(),
                (50..60, desk) => {
                    count = 1 + random.below(200) as u64;
                    let numbers = number..number + count;
                    if let Some(desk) = desk {
                        assert!(desk.send_all(numbers.map(|number| DeskMessage::Item { sender, number })).is_ok());
                    } else {
                        assert!(sink.send_all(numbers.map(|number| SinkMessage::Item { sender, number })).is_ok());
                    }
                }
                (_, None) => sink.item(sender, number).expect("they live"),
                (_, Some(desk)) => desk.item(sender, number).expect("they live"),
            }
            *next += count;
            left = left.saturating_sub(count);
        }
    }
    sent
}

/// Each sender's messages reach each of six sinks and so many desks on each of two threads in the order sent.
fn check_order(desks: u32) {
    let engine = ActorEngine::new();
    let desk = |sender: u32| {
        DeskMessage::actor(move || Desk {
            tally: Tally::default(),
            sender,
            sent: BTreeMap::new(),
            random: SplitMix64::new(u64::from(sender)),
        })
    };
    // Some waits are for a neighbour, others for the other thread, and meanwhile the lower depth is served.
    for first in [INSIDE, INSIDE + desks] {
        let mut thread = ActorThread::new();
        for _ in 0..6 {
            thread = thread.register(SinkMessage::actor(Sink::default));
        }
        for sender in first..first + desks {
            thread = thread.register(desk(sender));
        }
        engine.spawn(thread).expect("it starts");
    }
    let handle = engine.handle();
    let sent: Vec<_> = thread::scope(|scope| {
        let handle = &handle;
        let senders: Vec<_> = (0..SENDERS).map(|sender| scope.spawn(move || feed(handle, sender))).collect();
        senders.into_iter().map(|sender| sender.join().expect("it does not panic")).collect()
    });
    engine.settle();

    let sinks =
        engine.client::<SinkMessage>().expect("they live").call_all_with(|_| SinkMessage::tally()).expect("they live");
    let desks = engine.client::<DeskMessage>().ok();
    let desks = desks.into_iter().flat_map(|desks| desks.call_all_with(|_| DeskMessage::tally()).expect("they live"));
    for (place, tally) in sinks.into_iter().chain(desks) {
        let tally = tally.expect("it lives");
        assert_eq!(tally.fault, None);
        for (sender, sent) in (0..).zip(&sent) {
            assert_eq!(tally.next.get(&sender), sent.get(&place), "all of sender {sender} came");
        }
    }
}

#[test]
fn calls_that_go_ahead_leave_each_senders_order_to_each_instance_as_it_is() {
    bounded(|| check_order(0));
}

#[test]
fn the_order_is_kept_where_handlers_wait_for_lower_depths_too() {
    bounded(|| check_order(3));
}
