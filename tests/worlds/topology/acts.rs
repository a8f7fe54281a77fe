//! The acts of the instances and of the outside threads of a random world.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use zctor::{BoxError, CallError, Context, Pending, ReplyTo, Restart, Timer};
use zctor_tests::{DropGuard, SplitMix64};

use crate::topology::World;
use crate::topology::ledger::{AT_RANDOM, Answer, Ledger, May, Sent, Ticket, pipe_guard};
use crate::topology::members::{Member, Of, Route, Target, Way, m00};

/// The life of a message that ends what is still kept open.
pub(crate) const LAST: u8 = u8::MAX;

/// Who sends: an instance through all its builds, or a thread outside.
pub(crate) struct Sender {
    pub(crate) number: u32,
    sequence: AtomicU64,
}

impl Sender {
    pub(crate) fn new(number: u32) -> Self {
        Self { number, sequence: AtomicU64::new(0) }
    }

    /// A ticket for the next message, which goes out by `how`.
    pub(crate) fn ticket(&self, how: &'static str, ledger: &Arc<Ledger>, seed: u64, life: u8) -> Ticket {
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed) + 1;
        ledger.ticket(Sent { from: self.number, sequence, by_turn: false, how }, seed, life)
    }
}

/// One instance, as its factory knows it: what outlives its states.
pub(crate) struct Agent {
    pub(crate) world: Arc<World>,
    pub(crate) kind: usize,
    /// It has one state and no other.
    pub(crate) once: bool,
    pub(crate) leaves: bool,
    pub(crate) restart: Restart,
    pub(crate) sender: Sender,
    builds: AtomicU64,
    /// The last message of each sender that came here.
    seen: Mutex<HashMap<u32, Sent>>,
}

impl Agent {
    pub(crate) fn new(world: &Arc<World>, kind: usize, once: bool, leaves: bool, restart: Restart) -> Arc<Self> {
        let sender = Sender::new(world.number());
        let world = Arc::clone(world);
        Arc::new(Self { world, kind, once, leaves, restart, sender, builds: AtomicU64::new(0), seen: Mutex::default() })
    }
}

pub(crate) struct State {
    agent: Arc<Agent>,
    build: u64,
    dice: SplitMix64,
    kept: Vec<(ReplyTo<u64>, u64)>,
    pendings: Vec<Pending<u64>>,
    timers: Vec<(Timer, Arc<AtomicBool>)>,
    children: Vec<Of<m00::Message>>,
    _not_send: PhantomData<Rc<()>>,
    _dropped: DropGuard,
}

impl State {
    pub(crate) fn new(agent: &Arc<Agent>) -> Self {
        let build = agent.builds.fetch_add(1, Ordering::Relaxed) + 1;
        let ledger = &agent.world.ledger;
        ledger.states.increment();
        Self {
            agent: Arc::clone(agent),
            build,
            dice: SplitMix64::new(agent.world.seed ^ u64::from(agent.sender.number) << 32 ^ build),
            kept: Vec::new(),
            pendings: Vec::new(),
            timers: Vec::new(),
            children: Vec::new(),
            _not_send: PhantomData,
            _dropped: ledger.states_dropped.guard(),
        }
    }

    /// As `new`; a rebuild sometimes fails.
    pub(crate) fn try_new(agent: &Arc<Agent>) -> Result<Self, BoxError> {
        let builds = agent.builds.load(Ordering::Relaxed);
        let mut dice = SplitMix64::new(agent.world.seed ^ builds);
        if builds > 0 && agent.world.style.panics > 0 {
            match dice.below(12) {
                0 => {
                    agent.builds.fetch_add(1, Ordering::Relaxed);
                    return Err(AT_RANDOM.into());
                }
                1 => {
                    agent.builds.fetch_add(1, Ordering::Relaxed);
                    panic!("{AT_RANDOM}");
                }
                _ => {}
            }
        }
        Ok(Self::new(agent))
    }

    pub(crate) fn handle_work<M: Member>(&mut self, ctx: &mut Context<M>, mut ticket: Ticket) -> u64 {
        self.enter(&mut ticket);
        self.act(ctx, &ticket);
        ticket.reply()
    }

    pub(crate) fn handle_deferred<M: Member>(&mut self, ctx: &mut Context<M>, mut ticket: Ticket, reply: ReplyTo<u64>) {
        self.enter(&mut ticket);
        let answer = ticket.reply();
        match self.dice.below(5) {
            0 => reply.send(answer),
            1 => drop(reply),
            2 => self.agent.world.post(reply, answer),
            3 => self.kept.push((reply, answer)),
            _ => {
                // In hand while the rest happens, which may panic.
                self.act(ctx, &ticket);
                return reply.send(answer);
            }
        }
        self.act(ctx, &ticket);
    }

    fn enter(&mut self, ticket: &mut Ticket) {
        let agent = &self.agent;
        // Where nobody leaves, nobody gets mail that a sibling had not come to.
        let keeps_turns = !agent.world.plan.leaves(agent.kind) && !agent.world.ledger.is_stopping();
        ticket.enter(agent.sender.number, self.build, keeps_turns, |sent| {
            agent.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(sent.from, sent)
        });
    }

    fn act<M: Member>(&mut self, ctx: &mut Context<M>, ticket: &Ticket) {
        let agent = Arc::clone(&self.agent);
        let world = &*agent.world;
        let mut dice = SplitMix64::new(ticket.seed ^ self.dice.next_u64());
        let last = ticket.life == LAST;
        if last || dice.below(2) == 0 {
            self.kept.drain(..).for_each(|(reply, answer)| reply.send(answer));
        }
        if last || dice.below(3) == 0 {
            for (timer, cancelled) in self.timers.drain(..) {
                timer.cancel();
                cancelled.store(true, Ordering::SeqCst);
            }
        }
        if last {
            self.pendings.clear();
            return;
        }
        self.break_down(&mut dice, 2);
        if ticket.life > 0 {
            for _ in 0..dice.below(4) {
                if !world.take_operation() {
                    break;
                }
                self.operate(ctx, &mut dice, ticket.life - 1);
            }
        }
        self.break_down(&mut dice, 2);
        match dice.below(100) {
            0 => ctx.reset(),
            1 if agent.leaves => ctx.stop(),
            // The same in its place in the queue.
            2 if agent.leaves => {
                // Refused only once the time of a shutdown is up, as all that the inside sends.
                let told = ctx.me().stop();
                assert!(told.is_ok() || ctx.stopping(), "it lives: {told:?}");
            }
            _ => {}
        }
    }

    /// Panics at random, as a handler.
    fn break_down(&self, dice: &mut SplitMix64, share: usize) {
        if self.agent.world.breaks(dice, share) {
            self.agent.world.ledger.panicked.increment();
            panic!("{AT_RANDOM}");
        }
    }

    pub(crate) fn start<M: Member>(&mut self, ctx: &mut Context<M>) {
        self.hook(ctx);
    }

    pub(crate) fn stop<M: Member>(&mut self, ctx: &mut Context<M>) {
        self.hook(ctx);
    }

    fn hook<M: Member>(&mut self, ctx: &mut Context<M>) {
        let mut dice = self.dice.clone();
        let agent = Arc::clone(&self.agent);
        // The first `on_start`s may come before the clients are there.
        if !agent.world.is_set_up() {
            return;
        }
        match dice.below(4) {
            0 => agent.world.send(&agent.sender, &mut dice, 0),
            1 => self.call_lower(ctx, &mut dice, 0),
            _ => {}
        }
        if agent.world.breaks(&mut dice, 2) {
            panic!("{AT_RANDOM}");
        }
    }

    fn operate<M: Member>(&mut self, ctx: &mut Context<M>, dice: &mut SplitMix64, life: u8) {
        let agent = Arc::clone(&self.agent);
        match dice.below(20) {
            0..6 => self.call_lower(ctx, dice, life),
            6 => self.send_lower(ctx, dice, life),
            7..9 => self.pipe(ctx, dice, life),
            9 => self.set_timer(ctx, dice),
            10 => self.raise(ctx, dice, life),
            _ => agent.world.operate(&agent.sender, dice, life, Some(M::KIND), &mut |asked| {
                self.pendings.push(asked.pending);
                self.pendings.truncate(4);
            }),
        }
    }

    /// Calls one of those that the plan lets this kind call, through the context.
    fn call_lower<M: Member>(&mut self, ctx: &Context<M>, dice: &mut SplitMix64, life: u8) {
        let world = &*self.agent.world;
        let Some(to) = world.plan.callee(M::KIND, dice) else {
            return world.send(&self.agent.sender, dice, life);
        };
        let way = match dice.below(6) {
            0 => Way::Local,
            1 => Way::WithoutDeadline,
            2 => Way::Client(limit(dice)),
            _ => Way::Call,
        };
        let by_turn = !matches!(way, Way::Local);
        let mut ticket =
            self.agent.sender.ticket("call through the context", &world.ledger, dice.next_u64(), life).by_turn(by_turn);
        let answer = ticket.answer();
        let result = world.ledger.note_call(true, ticket.serial, || M::call_lower(ctx, to, way, ticket));
        let may =
            May { time_out: !matches!(way, Way::WithoutDeadline), stop: matches!(way, Way::Local), ..May::default() };
        world.ledger.check(&answer, &result, may, "a call through the context");
    }

    fn send_lower<M: Member>(&mut self, ctx: &Context<M>, dice: &mut SplitMix64, life: u8) {
        let world = &*self.agent.world;
        let Some(to) = world.plan.callee(M::KIND, dice) else {
            return world.send(&self.agent.sender, dice, life);
        };
        let local = dice.below(2) == 0;
        let ticket =
            self.agent.sender.ticket("send through the context", &world.ledger, dice.next_u64(), life).by_turn(!local);
        world.note_send(|| M::send_lower(ctx, to, local, ticket));
    }

    fn pipe<M: Member>(&mut self, ctx: &mut Context<M>, dice: &mut SplitMix64, life: u8) {
        let (world, sender) = (&*self.agent.world, &self.agent.sender);
        let mut answers = Vec::new();
        let mut request = |dice: &mut SplitMix64| {
            let asked = world.request(sender, dice, life);
            answers.push((asked.answer, asked.may));
            asked.pending
        };
        let pipe = |answers| Piped {
            agent: Arc::clone(&self.agent),
            build: self.build,
            answers,
            ended: pipe_guard(&world.ledger),
        };
        match dice.below(4) {
            0 => {
                let mut ticket = sender.ticket("piped request", &world.ledger, dice.next_u64(), life).by_turn(true);
                let answer = ticket.answer();
                let may =
                    May { stop: world.plan.leaves(M::KIND), be_full: world.ledger.is_bounded(), ..May::default() };
                let pipe = pipe(vec![(answer, may)]);
                world.ledger.note_request(ticket.serial, || {
                    ctx.pipe(M::asking(ticket), move |outcome| M::working(pipe.end(&[outcome])));
                });
            }
            1 => {
                let pending = request(dice);
                let pipe = pipe(answers);
                ctx.pipe(pending, move |outcome| M::working(pipe.end(&[outcome])));
            }
            2 => {
                let pendings: Vec<_> = (0..dice.below(4)).map(|_| request(dice)).collect();
                let pipe = pipe(answers);
                ctx.pipe(pendings, move |outcomes| M::working(pipe.end(&outcomes)));
            }
            _ => {
                let both = (request(dice), request(dice));
                let pipe = pipe(answers);
                ctx.pipe(both, move |(a, b)| M::working(pipe.end(&[a, b])));
            }
        }
    }

    fn set_timer<M: Member>(&mut self, ctx: &mut Context<M>, dice: &mut SplitMix64) {
        if self.timers.len() >= 2 {
            return;
        }
        let (number, build) = (self.agent.sender.number, self.build);
        let ledger = Arc::clone(&self.agent.world.ledger);
        let cancelled = Arc::new(AtomicBool::new(false));
        let ticket = {
            let cancelled = Arc::clone(&cancelled);
            move || ledger.own_ticket(number, build, Some(Arc::clone(&cancelled)))
        };
        let delay = Duration::from_micros(dice.next_u64() % 3000);
        let timer = if dice.below(2) == 0 {
            ctx.send_after(delay, M::working(ticket()))
        } else {
            ctx.send_every(delay, move || M::working(ticket()))
        };
        self.timers.push((timer, cancelled));
    }

    /// Starts an instance on this thread, gives it something to do, and ends it or lets it be.
    fn raise<M: Member>(&mut self, ctx: &mut Context<M>, dice: &mut SplitMix64, life: u8) {
        let (world, sender) = (&self.agent.world, &self.agent.sender);
        if !world.may_raise() {
            return;
        }
        let agent = Agent::new(world, 0, true, true, Restart::never());
        let Ok(client) = ctx.start::<m00::Message>(move || State::new(&agent)) else {
            return world.ledger.claim(world.ledger.is_stopping(), || "an instance was not started".into());
        };
        let child = Of::one(&client, ctx.engine());
        if dice.below(2) == 0 {
            let (agent, ended) = (Arc::clone(&self.agent), pipe_guard(&world.ledger));
            let watching = Piped { agent, build: self.build, answers: Vec::new(), ended };
            let watched = ctx.watch(&child.client, move |_| M::working(watching.end(&[])));
            world.ledger.claim(watched.is_ok(), || format!("{watched:?}, though the client is bound to one"));
        }
        for _ in 0..dice.below(4) {
            let mut ticket = sender.ticket("message to one started here", &world.ledger, dice.next_u64(), life);
            if M::KIND > 0 && dice.below(2) == 0 {
                let (answer, limit) = (ticket.answer(), limit(dice));
                let result = world.ledger.note_call(true, ticket.serial, || child.call(Route::Turn, limit, ticket));
                let may = May { time_out: true, stop: true, ..May::default() };
                world.ledger.check(&answer, &result, may, "a call to one that was started here");
            } else {
                world.note_send(|| child.send(Route::Turn, ticket));
            }
            if dice.below(3) == 0 {
                // It may have ended by itself.
                let _ = client.stop();
            }
        }
        if dice.below(2) == 0 {
            self.children.push(child);
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        let world = &*self.agent.world;
        let mut dice = self.dice.clone();
        match dice.below(8) {
            0 => world.send(&self.agent.sender, &mut dice, 0),
            1 => world.call(&self.agent.sender, &mut dice, 0, Some(0)),
            _ => {}
        }
    }
}

/// The closure of a pipe.
struct Piped {
    agent: Arc<Agent>,
    build: u64,
    answers: Vec<(Answer, May)>,
    ended: DropGuard,
}

impl Piped {
    /// Checks what came, and makes the message of it.
    fn end(self, outcomes: &[Result<u64, CallError>]) -> Ticket {
        let world = &*self.agent.world;
        world.ledger.claim(outcomes.len() == self.answers.len(), || "a pipe got too few".into());
        for (outcome, (answer, may)) in outcomes.iter().zip(&self.answers) {
            world.ledger.check(answer, outcome, *may, "a pipe");
        }
        let ticket = world.ledger.own_ticket(self.agent.sender.number, self.build, None);
        let mut dice = SplitMix64::new(ticket.serial ^ world.seed);
        match dice.below(8) {
            0 => world.send(&self.agent.sender, &mut dice, 0),
            1 => world.call(&self.agent.sender, &mut dice, 0, Some(0)),
            _ => {}
        }
        drop(self.ended);
        if world.breaks(&mut dice, 2) {
            panic!("{AT_RANDOM}");
        }
        ticket
    }
}

/// A request on its way, and what may come of it.
pub(crate) struct Asked {
    pub(crate) pending: Pending<u64>,
    pub(crate) answer: Answer,
    pub(crate) may: May,
    kind: usize,
}

/// A short deadline, or none.
pub(crate) fn limit(dice: &mut SplitMix64) -> Option<Duration> {
    match dice.below(5) {
        0 => Some(Duration::from_micros(dice.next_u64() % 500)),
        1 => Some(Duration::from_millis(20)),
        _ => None,
    }
}

impl World {
    fn breaks(&self, dice: &mut SplitMix64, share: usize) -> bool {
        self.style.panics > 0 && dice.below(self.style.panics * share) == 0
    }

    fn target(&self, dice: &mut SplitMix64) -> (usize, &dyn Target) {
        let kind = self.plan.any_kind(dice);
        (kind, self.target_of(kind))
    }

    fn route(dice: &mut SplitMix64) -> Route {
        match dice.below(8) {
            0 => Route::Pin(dice.below(4)),
            1 => Route::Key(dice.next_u64() % 16),
            2 => Route::LeastLoaded,
            3 => Route::Handle,
            _ => Route::Turn,
        }
    }

    /// What a call by that route may end with.
    fn may(&self, kind: usize, route: Route, time_out: bool) -> May {
        May { time_out, stop: !route.is_by_turn() && self.plan.leaves(kind), ..May::default() }
    }

    pub(crate) fn note_send(&self, send: impl FnOnce() -> Result<(), Ticket>) {
        match send() {
            Ok(()) => drop(self.ledger.accepted.increment()),
            Err(ticket) => self.ledger.take_back(ticket),
        }
    }

    pub(crate) fn send(&self, sender: &Sender, dice: &mut SplitMix64, life: u8) {
        let ((_, target), route) = (self.target(dice), Self::route(dice));
        let ticket = sender.ticket("send", &self.ledger, dice.next_u64(), life).by_turn(route.is_by_turn());
        self.note_send(|| target.send(route, ticket));
    }

    /// Calls by a client. `inside`: the call depth of the handler that this runs in.
    pub(crate) fn call(&self, sender: &Sender, dice: &mut SplitMix64, life: u8, inside: Option<usize>) {
        let route = Self::route(dice);
        let kind = match inside {
            // Mostly one that it may call.
            Some(own) if dice.below(8) > 0 => self.plan.callee(own, dice).unwrap_or(self.plan.any_kind(dice)),
            _ => self.plan.any_kind(dice),
        };
        let mut ticket = sender.ticket("call", &self.ledger, dice.next_u64(), life).by_turn(route.is_by_turn());
        let (answer, limit) = (ticket.answer(), limit(dice));
        let target = self.target_of(kind);
        let result = self.ledger.note_call(inside.is_some(), ticket.serial, || target.call(route, limit, ticket));
        let mut may = self.may(kind, route, inside.is_some() || limit.is_some());
        may.be_undeclared = inside.is_some_and(|own| kind >= own);
        // Inside, what waits for its reply always goes through.
        may.be_full = inside.is_none() && self.ledger.is_bounded();
        self.ledger.check(&answer, &result, may, "a call by a client");
    }

    /// Sends a request to any kind.
    fn request(&self, sender: &Sender, dice: &mut SplitMix64, life: u8) -> Asked {
        let ((kind, target), route, limit) = (self.target(dice), Self::route(dice), limit(dice));
        let mut ticket = sender.ticket("request", &self.ledger, dice.next_u64(), life).by_turn(route.is_by_turn());
        let (answer, mut may) = (ticket.answer(), self.may(kind, route, limit.is_some()));
        let deferred = dice.below(4) == 0;
        may.be_given_up = deferred;
        may.be_full = self.ledger.is_bounded();
        let pending = self.ledger.note_request(ticket.serial, || {
            if deferred { target.request_deferred(route, limit, ticket) } else { target.request(route, limit, ticket) }
        });
        Asked { pending, answer, may, kind }
    }

    /// One operation of those that need no context. `keep` takes requests that nobody waits for yet.
    pub(crate) fn operate(
        &self,
        sender: &Sender,
        dice: &mut SplitMix64,
        life: u8,
        inside: Option<usize>,
        keep: &mut dyn FnMut(Asked),
    ) {
        match dice.below(12) {
            0..4 => self.send(sender, dice, life),
            4..7 => self.call(sender, dice, life, inside),
            7..9 => self.request_and_see(sender, dice, life, inside, keep),
            9 => {
                let (_, target) = self.target(dice);
                let ticket = sender.ticket("broadcast", &self.ledger, dice.next_u64(), 0);
                self.ledger.note_copies(ticket.serial, || target.broadcast(ticket));
            }
            10 => self.call_all(sender, dice, inside),
            _ => {
                let ((_, target), route) = (self.target(dice), Self::route(dice));
                let count = dice.below(20);
                // What was on its way to one that left meanwhile goes out again behind the others.
                let unordered = route.is_by_turn() || matches!(route, Route::LeastLoaded);
                let tickets = (0..count).map(|_| {
                    self.take_operation();
                    sender.ticket("send_all", &self.ledger, dice.next_u64(), 0).by_turn(unordered)
                });
                match target.send_all(route, tickets.collect()) {
                    Ok(sent) => drop(self.ledger.accepted.add(sent as u64)),
                    Err(rest) => {
                        self.ledger.accepted.add((count - rest.len()) as u64);
                        rest.into_iter().for_each(|ticket| self.ledger.take_back(ticket));
                    }
                }
            }
        }
    }

    fn call_all(&self, sender: &Sender, dice: &mut SplitMix64, inside: Option<usize>) {
        let ((kind, target), limit) = (self.target(dice), limit(dice));
        let first = sender.ticket("call_all", &self.ledger, dice.next_u64(), 0);
        let answer = Answer::of_copies(&first);
        // One sequence for all copies, since each goes to another.
        let replies = self.ledger.note_call_all(first.serial, || target.call_all(limit, &mut || first.clone()));
        self.ledger.take_back(first);
        let mut may = May { stop: self.plan.leaves(kind), ..May::default() };
        may.time_out = inside.is_some() || limit.is_some();
        may.be_undeclared = inside.is_some_and(|own| kind >= own);
        may.be_full = inside.is_none() && self.ledger.is_bounded();
        match replies {
            Ok(replies) => replies.iter().for_each(|reply| self.ledger.check(&answer, reply, may, "a call to all")),
            Err(error) => self.ledger.check(&answer, &Err(error), may, "a call to all"),
        }
    }

    fn request_and_see(
        &self,
        sender: &Sender,
        dice: &mut SplitMix64,
        life: u8,
        inside: Option<usize>,
        keep: &mut dyn FnMut(Asked),
    ) {
        let mut asked = self.request(sender, dice, life);
        asked.may.time_out |= inside.is_some();
        asked.may.be_undeclared = inside.is_some_and(|own| asked.may.be_given_up || asked.kind >= own);
        match dice.below(7) {
            0 => drop(asked.pending),
            1 => asked.pending.detach(),
            2 => {
                if let Some(result) = asked.pending.try_take() {
                    asked.may.be_undeclared = false;
                    self.ledger.check(&asked.answer, &result, asked.may, "a look");
                }
                asked.pending.detach();
            }
            3 => {
                self.ledger.waits.increment();
                let result = asked.pending.wait_timeout(Duration::from_micros(dice.next_u64() % 500));
                self.ledger.waits_ended.increment();
                if let Some(result) = result {
                    self.ledger.check(&asked.answer, &result, asked.may, "a wait for a time");
                }
            }
            4 => keep(asked),
            // Outside, a deferred reply without deadline may be waited for longer than this test goes on.
            _ if inside.is_none() && asked.may.be_given_up && !asked.may.time_out => keep(asked),
            _ => {
                self.wait(&asked);
                // Refused, its wait leaves it as it was.
                asked.pending.detach();
            }
        }
    }

    pub(crate) fn wait(&self, asked: &Asked) {
        self.ledger.waits.increment();
        let result = asked.pending.wait();
        self.ledger.waits_ended.increment();
        self.ledger.check(&asked.answer, &result, asked.may, "a wait");
    }
}
