//! One that watches and one that is watched, on a thread, on two, and in two engines.

use std::sync::mpsc::{self, Receiver, Sender};

use zctor::{ActorEngine, ActorThread, Context, End, Ended, Restart, actor};
use zctor_tests::{Counter, DropGuard, Gate, receive};

#[derive(Debug, PartialEq)]
pub(crate) enum Seen {
    Start,
    Word(u32),
    /// With the number of targets whose state was dropped by then.
    Gone(Ended, u64),
}

pub(crate) type WatcherJob = Box<dyn FnOnce(&mut Context<WatcherMessage>) + Send>;

#[actor(ctx)]
pub(crate) enum WatcherMessage {
    #[reply(())]
    Run(WatcherJob),
    Later(WatcherJob),
    Word(u32),
    Gone(Ended, u64),
}

pub(crate) struct Watcher {
    pub(crate) seen: Sender<Seen>,
}

impl Watcher {
    pub(crate) fn tell(&self, what: Seen) {
        // A test that has seen enough may be gone.
        let _ = self.seen.send(what);
    }
}

impl WatcherHandler for Watcher {
    fn run(&mut self, ctx: &mut Context<WatcherMessage>, job: WatcherJob) {
        job(ctx);
    }
    fn later(&mut self, ctx: &mut Context<WatcherMessage>, job: WatcherJob) {
        job(ctx);
    }
    fn word(&mut self, _: &mut Context<WatcherMessage>, word: u32) {
        self.tell(Seen::Word(word));
    }
    fn gone(&mut self, _: &mut Context<WatcherMessage>, ended: Ended, dropped: u64) {
        self.tell(Seen::Gone(ended, dropped));
    }
    fn on_start(&mut self, _: &mut Context<WatcherMessage>) {
        self.tell(Seen::Start);
    }
}

pub(crate) fn watcher() -> (zctor::Actor<WatcherMessage, Watcher>, Receiver<Seen>) {
    let (seen, told) = mpsc::channel();
    (WatcherMessage::actor(move || Watcher { seen: seen.clone() }), told)
}

pub(crate) type TargetJob = Box<dyn FnOnce(&mut Context<TargetMessage>) + Send>;

#[actor(ctx)]
pub(crate) enum TargetMessage {
    #[reply(())]
    Run(TargetJob),
    Later(TargetJob),
    #[reply(())]
    Hold(Gate),
    /// From now on it speaks to this one in its hooks.
    Remember(WatcherClient),
    Break,
}

#[derive(Default)]
pub(crate) struct Target {
    pub(crate) dropped: Option<DropGuard>,
    pub(crate) watcher: Option<WatcherClient>,
}

impl Target {
    pub(crate) fn say(&self, word: u32) {
        if let Some(watcher) = &self.watcher {
            watcher.word(word).expect("the watcher lives");
        }
    }
}

impl TargetHandler for Target {
    fn run(&mut self, ctx: &mut Context<TargetMessage>, job: TargetJob) {
        job(ctx);
    }
    fn later(&mut self, ctx: &mut Context<TargetMessage>, job: TargetJob) {
        job(ctx);
    }
    fn hold(&mut self, _: &mut Context<TargetMessage>, gate: Gate) {
        gate.pass();
    }
    fn remember(&mut self, _: &mut Context<TargetMessage>, watcher: WatcherClient) {
        self.watcher = Some(watcher);
    }
    fn r#break(&mut self, _: &mut Context<TargetMessage>) {
        self.say(1);
        panic!("the target breaks");
    }
    fn on_stop(&mut self, _: &mut Context<TargetMessage>) {
        self.say(2);
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.say(3);
        drop(self.dropped.take());
    }
}

pub(crate) fn target(dropped: &Counter) -> zctor::Actor<TargetMessage, Target> {
    let dropped = dropped.clone();
    TargetMessage::actor(move || Target { dropped: Some(dropped.guard()), watcher: None })
}

/// Has `watcher` watch `target`; it does when this returns.
pub(crate) fn watch(watcher: &WatcherClient, target: &TargetClient, dropped: &Counter) {
    let (target, dropped) = (target.clone(), dropped.clone());
    watcher
        .run(Box::new(move |ctx| {
            ctx.watch(&target, move |ended| WatcherMessage::Gone(ended, dropped.get())).expect("it is bound");
        }))
        .expect("the watcher lives");
}

pub(crate) fn ended(target: &TargetClient, why: End) -> Ended {
    // `Ended` is not to be made outside: what it says is compared by its parts.
    let (tell, told) = mpsc::channel();
    let engine = ActorEngine::new();
    engine.on_end(move |ended| tell.send(ended.clone()).unwrap_or_default());
    let stranger = engine.start(TargetMessage::actor(Target::default)).expect("its factory cannot fail");
    stranger.stop().expect("it lives");
    let mut ended = receive(&told);
    ended.instance = target.instance_id().expect("it is bound");
    ended.why = why;
    ended
}

pub(crate) fn panicked(text: &str) -> End {
    End::Panicked(text.into())
}

/// The next that `told` gives but for starts.
#[track_caller]
pub(crate) fn next(told: &Receiver<Seen>) -> Seen {
    loop {
        match receive(told) {
            Seen::Start => {}
            seen => return seen,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    SameThread,
    OtherThread,
    OtherEngine,
}

/// A watcher and a target that lives in the place given.
pub(crate) struct World {
    pub(crate) here: ActorEngine,
    pub(crate) there: Option<ActorEngine>,
    pub(crate) watcher: WatcherClient,
    pub(crate) target: TargetClient,
    pub(crate) told: Receiver<Seen>,
    pub(crate) dropped: Counter,
}

impl World {
    pub(crate) fn new(place: Place, restart: Restart) -> Self {
        let (here, dropped) = (ActorEngine::new(), Counter::new());
        let there = matches!(place, Place::OtherEngine).then(ActorEngine::new);
        let (watching, told) = watcher();
        let target = target(&dropped).restart(restart);
        if let Place::SameThread = place {
            here.spawn(ActorThread::new().register(watching).register(target)).expect("it starts");
        } else {
            here.spawn(ActorThread::new().register(watching)).expect("it starts");
            there.as_ref().unwrap_or(&here).spawn(ActorThread::new().register(target)).expect("it starts");
        }
        let watcher = here.client::<WatcherMessage>().expect("it starts");
        let target = there.as_ref().unwrap_or(&here).client::<TargetMessage>().expect("it starts");
        let target = target.pin(target.instances()[0]);
        Self { here, there, watcher, target, told, dropped }
    }

    pub(crate) fn settle(&self) {
        // What goes from one engine to the other has left the first when that is quiet.
        self.there.iter().for_each(ActorEngine::settle);
        self.here.settle();
    }
}

pub(crate) const PLACES: [Place; 3] = [Place::SameThread, Place::OtherThread, Place::OtherEngine];
