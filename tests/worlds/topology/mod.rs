//! Random worlds of actors that keep books on one another: what `topologies`, `panic_storm` and `shutdown_storm` run.
//!
//! A world has up to twenty message types, placed at random on some threads, several instances of each. Of the calls
//! that the types declare (each all below it) the plan of a world uses a random part, so that the calls form a random
//! graph without cycles. Threads outside begin operations until as many as asked for have been done; each message says
//! how many generations of further operations its handler may begin. All that is drawn comes from the seed; how the
//! threads meet does not.

pub(crate) mod acts;
pub(crate) mod ledger;
pub(crate) mod members;

use std::any::Any;
use std::env;
use std::panic;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, EngineHandle, InstanceId, Overflow, ReplyTo, Report, Restart, ThreadStats};
use zctor_tests::{Gate, SplitMix64, expect_panics};

use acts::{Agent, Asked, LAST, Sender};
use ledger::{AT_RANDOM, Ledger};
use members::{KINDS, Route, Target, register, target};

/// What is fixed of a world before its seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    pub(crate) threads: usize,
    pub(crate) kinds: usize,
    /// Threads outside.
    pub(crate) senders: usize,
    pub(crate) operations: u64,
    /// One handler of so many panics; 0: none does.
    pub(crate) panics: usize,
    /// Instances stop by themselves, and pass the limits of their restarts.
    pub(crate) leaving: bool,
    /// Mailboxes take in no more than a few messages from outside, and do one of three things with the others.
    pub(crate) bounded: bool,
}

/// Who lives where, and who calls whom.
#[derive(Debug)]
pub(crate) struct Plan {
    kinds: Vec<usize>,
    /// For each kind those that it calls.
    calls: Vec<Vec<usize>>,
    /// Kinds of which some instance may leave. One of each always stays.
    leaves: [bool; KINDS],
}

impl Plan {
    fn draw(style: Style, dice: &mut SplitMix64) -> Self {
        let mut kinds: Vec<usize> = (0..KINDS).collect();
        while kinds.len() > style.kinds {
            // The lowest stays: what handlers start is of that kind.
            kinds.swap_remove(1 + dice.below(kinds.len() - 1));
        }
        kinds.sort_unstable();
        let density = 1 + dice.below(4);
        let calls = (0..KINDS)
            .map(|from| kinds.iter().copied().filter(|to| *to < from && dice.below(4) < density).collect())
            .collect();
        let leaves = std::array::from_fn(|_| style.leaving && dice.below(2) == 0);
        Self { kinds, calls, leaves }
    }

    pub(crate) fn any_kind(&self, dice: &mut SplitMix64) -> usize {
        self.kinds[dice.below(self.kinds.len())]
    }

    pub(crate) fn callee(&self, from: usize, dice: &mut SplitMix64) -> Option<usize> {
        let calls = &self.calls[from];
        (!calls.is_empty()).then(|| calls[dice.below(calls.len())])
    }

    pub(crate) fn leaves(&self, kind: usize) -> bool {
        self.leaves[kind]
    }
}

/// One engine with all that the test knows of it.
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) style: Style,
    pub(crate) plan: Plan,
    pub(crate) ledger: Arc<Ledger>,
    handle: EngineHandle,
    targets: OnceLock<Vec<Option<Box<dyn Target>>>>,
    /// Replies that a thread outside is to give.
    post: Mutex<Vec<(ReplyTo<u64>, u64)>>,
    /// Operations still to be done.
    operations: AtomicU64,
    children: AtomicU32,
    numbers: AtomicU32,
}

/// Instances that handlers may start in one world.
const CHILDREN: u32 = 50;

impl World {
    /// Draws a world and starts it.
    pub(crate) fn start(seed: u64, style: Style) -> (ActorEngine, Arc<Self>) {
        expect_panics(AT_RANDOM);
        let mut dice = SplitMix64::new(seed);
        let engine = ActorEngine::new();
        let overflow = [Overflow::Wait, Overflow::Refuse, Overflow::DropNewest][dice.below(3)];
        let overflow = style.bounded.then_some(overflow);
        let ledger = Arc::new(Ledger::new(overflow));
        let (letters, ends) = (ledger.letters_told.clone(), ledger.ends_told.clone());
        engine.on_dead_letter(move |_| {
            letters.increment();
        });
        engine.on_end(move |_| {
            ends.increment();
        });
        let world = Arc::new(Self {
            seed,
            style,
            plan: Plan::draw(style, &mut dice),
            ledger,
            handle: engine.handle(),
            targets: OnceLock::new(),
            post: Mutex::default(),
            operations: AtomicU64::new(style.operations),
            children: AtomicU32::new(0),
            numbers: AtomicU32::new(1),
        });
        let mut threads: Vec<Vec<Arc<Agent>>> = (0..1 + dice.below(style.threads)).map(|_| Vec::new()).collect();
        for kind in &world.plan.kinds {
            for number in 0..1 + dice.below(3) {
                let leaves = number > 0 && world.plan.leaves(*kind);
                let pause = [Duration::ZERO, Duration::from_micros(50), Duration::from_millis(1)][dice.below(3)];
                let (once, restart) = match dice.below(4) {
                    _ if !leaves => (false, Restart::always().backoff(pause, Duration::from_millis(1))),
                    0 => (true, Restart::never()),
                    1 => (false, Restart::never()),
                    _ => {
                        let rebuilds = 2 + dice.below(4) as u32;
                        (false, Restart::at_most(rebuilds, Duration::from_secs(60)).backoff(pause, pause))
                    }
                };
                let agent = Agent::new(&world, *kind, once, leaves, restart);
                let place = dice.below(threads.len());
                threads[place].push(agent);
            }
        }
        for agents in threads.into_iter().filter(|agents| !agents.is_empty()) {
            let mut thread = agents.iter().fold(ActorThread::new(), register);
            if let Some(overflow) = overflow {
                thread = thread.mailbox_bound(1 + dice.below(16)).overflow(overflow);
            }
            engine.spawn(thread).expect("no first build fails");
        }
        let targets = (0..KINDS).map(|kind| target(&world.handle, kind)).collect();
        assert!(world.targets.set(targets).is_ok(), "they are set once");
        (engine, world)
    }

    pub(crate) fn number(&self) -> u32 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn take_operation(&self) -> bool {
        let take = |left: u64| left.checked_sub(1);
        self.operations.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    /// How many operations have been taken.
    pub(crate) fn operations_begun(&self) -> u64 {
        self.style.operations - self.operations.load(Ordering::Relaxed)
    }

    pub(crate) fn may_raise(&self) -> bool {
        self.children.fetch_add(1, Ordering::Relaxed) < CHILDREN
    }

    pub(crate) fn target_of(&self, kind: usize) -> &dyn Target {
        let targets = self.targets.get().expect("nobody acts before they are set");
        targets[kind].as_deref().expect("the plan has it")
    }

    pub(crate) fn is_set_up(&self) -> bool {
        self.targets.get().is_some()
    }

    /// Hands a reply over to the threads outside.
    pub(crate) fn post(&self, reply: ReplyTo<u64>, answer: u64) {
        self.post.lock().unwrap_or_else(PoisonError::into_inner).push((reply, answer));
    }

    pub(crate) fn deliver_post(&self) {
        let post = std::mem::take(&mut *self.post.lock().unwrap_or_else(PoisonError::into_inner));
        post.into_iter().for_each(|(reply, answer)| reply.send(answer));
    }

    /// Runs the threads outside until all operations are done. Gives the requests that nobody has waited for.
    pub(crate) fn load(&self) -> Vec<Asked> {
        thread::scope(|scope| {
            let senders = (0..self.style.senders).map(|_| {
                let sender = Sender::new(self.number());
                scope.spawn(move || self.send_from_outside(&sender))
            });
            let senders: Vec<_> = senders.collect();
            senders.into_iter().flat_map(|sender| sender.join().expect("it does not panic")).collect()
        })
    }

    /// What a thread outside does. Gives the requests that nobody has waited for.
    pub(crate) fn send_from_outside(&self, sender: &Sender) -> Vec<Asked> {
        let mut dice = SplitMix64::new(self.seed ^ u64::from(sender.number) << 48);
        let (mut asked, mut deferred) = (Vec::new(), Vec::new());
        while self.take_operation() {
            // Mostly short lives, and some that may go down the whole chain.
            let life = if dice.below(16) == 0 { 12 } else { 3 };
            self.operate(sender, &mut dice, life, None, &mut |kept| {
                if kept.may.be_given_up { &mut deferred } else { &mut asked }.push(kept);
            });
            if asked.len() >= 32 {
                asked.drain(..).for_each(|asked: Asked| self.wait(&asked));
            }
            self.deliver_post();
        }
        asked.drain(..).for_each(|asked| self.wait(&asked));
        deferred
    }

    /// Has all that is still kept open ended: deferred replies in states, timers.
    pub(crate) fn flush(&self, engine: &ActorEngine) {
        let sender = Sender::new(self.number());
        for _ in 0..2 {
            engine.settle();
            self.deliver_post();
            for kind in &self.plan.kinds {
                let target = self.target_of(*kind);
                for instance in target.instances() {
                    self.flush_one(&sender, target, instance);
                }
            }
        }
        engine.settle();
    }

    /// By a call, and so one after the other: what is sent to all at once finds no room in a small mailbox.
    fn flush_one(&self, sender: &Sender, target: &dyn Target, instance: InstanceId) {
        let mut ticket = sender.ticket("flush", &self.ledger, 0, LAST);
        let answer = ticket.answer();
        let result = self.ledger.note_call(false, ticket.serial, || target.call_at(instance, ticket));
        let is_flushed = result == Ok(answer.reply);
        // Unless it has left meanwhile, by a timer.
        let fits = is_flushed || (result.is_err() && !target.instances().contains(&instance));
        self.ledger.claim(fits, || format!("{instance} was not flushed: {result:?}"));
    }

    /// From here on it is no fault that somebody has stopped.
    pub(crate) fn expect_stop(&self) {
        self.ledger.stopping.store(true, Ordering::SeqCst);
    }

    /// Holds the report of a shutdown that ended every thread against the test's own books.
    pub(crate) fn claim_report(&self, report: &Report) {
        let ledger = &self.ledger;
        let claim = |holds, what: &str| ledger.claim(holds, || format!("{what}: {report}"));
        let (entered, panicked) = (ledger.entered.get(), ledger.panicked.get());
        claim(report.handled() + report.panicked() == entered, &format!("{entered} came to a handler"));
        claim(report.panicked() == panicked, &format!("{panicked} handlers panicked"));
        let (dead, unclear) = (ledger.dead.get(), ledger.unclear.get());
        let fits = (dead..=dead + unclear).contains(&report.dead_letters);
        claim(fits, &format!("{dead} to {} are dead", dead + unclear));
        claim(report.left == 0, "nothing is left");
        let told = ledger.letters_told.get();
        claim(told == report.dead_letters, &format!("{told} dead letters were told"));
        let (ends, ended) = (ledger.ends_told.get(), report.instances.len() as u64 + report.earlier.instances);
        claim(ends == ended, &format!("{ends} ends of {ended} were told"));
    }

    /// Sends a message whose handler waits at `gate`.
    pub(crate) fn hold_one(&self, gate: &Gate) {
        let sender = Sender::new(self.number());
        let ticket = sender.ticket("held at a gate", &self.ledger, 0, 0).by_turn(true).held_at(gate);
        let kind = self.plan.kinds[0];
        self.note_send(|| self.target_of(kind).send(Route::Turn, ticket));
    }

    /// The same of a shutdown that left threads to themselves, once those have ended too: only then their calls have
    /// returned, and are known to have been accepted. `own` is what the ledger had before and after the report was
    /// made.
    pub(crate) fn claim_report_of_abandoned(&self, report: &Report, threads: &[ThreadStats], own: [u64; 2]) {
        let ledger = &self.ledger;
        let accounted = report.handled() + report.panicked() + report.dead_letters + report.left;
        let [least, most] = own.map(|own| ledger.accepted.get() + own);
        let most = most + ledger.unclear.get();
        ledger.claim((least..=most).contains(&accounted), || {
            format!("{least} to {most} were accepted, {accounted} are accounted for: {report}\n{threads:#?}")
        });
    }

    /// Waits until everything is dropped, also on threads that were left to themselves.
    pub(crate) fn await_drops(&self) {
        while self.ledger.holds() {
            thread::yield_now();
        }
    }

    /// Ends a world when all its operations are done, and holds it against its books. Gives how many handlers panicked.
    pub(crate) fn finish(&self, engine: ActorEngine, asked: Vec<Asked>) -> u64 {
        self.flush(&engine);
        let stats = engine.stats();
        self.ledger.claim(stats.queued() == 0, || format!("settled, and not quiet: {stats:?}"));
        for asked in &asked {
            self.ledger.claim(asked.pending.try_take().is_some(), || "a call has no answer when all is quiet".into());
        }
        self.expect_stop();
        let report = engine.shutdown().expect("every handler returns");
        drop(asked);
        self.claim_report(&report);
        self.ledger.claim_nothing_leaked();
        self.assert_no_faults();
        self.ledger.panicked.get()
    }

    /// Fails with all faults that were found, if any were.
    pub(crate) fn assert_no_faults(&self) {
        let faults = self.ledger.faults();
        let some: Vec<_> = faults.iter().take(10).collect();
        assert!(faults.is_empty(), "seed {:#x}: {} faults: {some:#?}\n{:#?}", self.seed, faults.len(), self.ledger);
    }
}

/// Runs a world until all its operations are done and all is quiet, and then ends it. Gives how many handlers panicked.
pub(crate) fn run(seed: u64, style: Style) -> u64 {
    let (engine, world) = World::start(seed, style);
    let its = Arc::clone(&world);
    watched(&world, move || {
        let asked = its.load();
        its.finish(engine, asked)
    })
}

/// A number given by an environment variable.
pub(crate) fn given(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    let digits = text.replace('_', "");
    let number = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    Some(number.unwrap_or_else(|_| panic!("`{name}` is no number: {text}")))
}

/// How often the watchdog looks, and how many looks without any progress are one too many: fewer than a gate waits.
const LOOK: Duration = Duration::from_millis(250);
const LOOKS: u32 = 240;

/// Runs `body` on a thread of its own, and fails with the seed and the engine's stats if nothing goes on any more.
pub(crate) fn watched<R: Send + 'static>(world: &Arc<World>, body: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, ended) = mpsc::channel::<Result<R, Box<dyn Any + Send>>>();
    let name = thread::current().name().unwrap_or("a test").to_owned();
    let spawned = thread::Builder::new().name(name).spawn(move || {
        // Nobody listens any more if the watchdog has given up.
        let _ = done.send(panic::catch_unwind(panic::AssertUnwindSafe(body)));
    });
    spawned.expect("the machine gives a thread to the test");
    let (mut progress, mut idle) = (0, 0);
    loop {
        match ended.recv_timeout(LOOK) {
            Ok(Ok(value)) => return value,
            Ok(Err(payload)) => panic::resume_unwind(payload),
            Err(RecvTimeoutError::Disconnected) => unreachable!("it sends before it ends"),
            Err(RecvTimeoutError::Timeout) => {}
        }
        let now = world.ledger.progress();
        idle = if now == progress { idle + 1 } else { 0 };
        progress = now;
        assert!(
            idle < LOOKS,
            "seed {:#x}: nothing goes on for {:?}\n{}\n{:#?}\n{:?}",
            world.seed,
            LOOK * LOOKS,
            world.handle.stats(),
            world.ledger,
            world.plan,
        );
    }
}
