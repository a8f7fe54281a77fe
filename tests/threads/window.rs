//! A window that lives on the calling thread, work that lives elsewhere, and an event loop between them.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use zctor::{ActorEngine, CallError, Context, Here, actor};
use zctor_tests::{DropGuard, Gate};

pub(crate) const SHORT: Duration = Duration::from_millis(30);

/// What a window shows: shared with the loop's own code, so it can be on no other thread.
pub(crate) type Screen = Rc<RefCell<Vec<u32>>>;

pub(crate) type Job = Box<dyn FnOnce(&mut Context<WindowMessage>) + Send>;

#[actor(ctx)]
pub(crate) enum WindowMessage {
    Show(u32),
    #[reply(u32)]
    Ask(u32),
    #[reply(())]
    Run(Job),
    /// Sends itself one less.
    Countdown(u32),
    Break,
}

#[derive(Default)]
pub(crate) struct Window {
    pub(crate) screen: Screen,
    pub(crate) last_words: Option<Sender<thread::ThreadId>>,
    pub(crate) _guard: Option<DropGuard>,
}

impl WindowHandler for Window {
    fn show(&mut self, _: &mut Context<WindowMessage>, value: u32) {
        self.screen.borrow_mut().push(value);
    }
    fn ask(&mut self, _: &mut Context<WindowMessage>, value: u32) -> u32 {
        self.screen.borrow_mut().push(value);
        value
    }
    fn run(&mut self, ctx: &mut Context<WindowMessage>, job: Job) {
        job(ctx);
    }
    fn countdown(&mut self, ctx: &mut Context<WindowMessage>, value: u32) {
        self.screen.borrow_mut().push(value);
        if value > 0 {
            ctx.me().countdown(value - 1).expect("it lives itself");
        }
    }
    fn r#break(&mut self, _: &mut Context<WindowMessage>) {
        panic!("the window breaks");
    }
    fn on_stop(&mut self, _: &mut Context<WindowMessage>) {
        if let Some(tell) = &self.last_words {
            // A test that has seen enough may be gone.
            let _ = tell.send(thread::current().id());
        }
    }
}

pub(crate) fn window(here: &Here) -> (WindowClient, Screen) {
    let screen = Screen::default();
    let shared = Rc::clone(&screen);
    let client = here.start::<WindowMessage>(move || Window { screen: shared, ..Window::default() });
    (client.expect("its factory cannot fail"), screen)
}

/// Calls a window from a thread of its own.
#[actor(calls(WindowMessage))]
pub(crate) enum WorkMessage {
    #[reply(Result<u32, CallError>)]
    AskBack(u32, WindowClient),
    /// The same behind a gate, as a send.
    AskBehind(Gate, WindowClient, Sender<Result<u32, CallError>>),
    Tell(u32, WindowClient),
    #[reply(())]
    Hold(Gate),
}

pub(crate) struct Work;

impl WorkHandler for Work {
    fn ask_back(&mut self, _: &mut Context<WorkMessage>, value: u32, window: WindowClient) -> Result<u32, CallError> {
        Ok(window.ask(value)? + 1)
    }
    fn ask_behind(
        &mut self,
        _: &mut Context<WorkMessage>,
        gate: Gate,
        window: WindowClient,
        tell: Sender<Result<u32, CallError>>,
    ) {
        gate.pass();
        let _ = tell.send(window.ask(1));
    }
    fn tell(&mut self, _: &mut Context<WorkMessage>, value: u32, window: WindowClient) {
        window.show(value).expect("the window lives");
    }
    fn hold(&mut self, _: &mut Context<WorkMessage>, gate: Gate) {
        gate.pass();
    }
}

pub(crate) fn work(engine: &ActorEngine) -> WorkClient {
    engine.pool(1, WorkMessage::actor(|| Work)).expect("its factory cannot fail")
}

/// What comes to the hand-made event loop.
#[derive(Debug, PartialEq)]
pub(crate) enum Event {
    Messages,
    Key(u32),
}

pub(crate) fn event_loop(here: &Here) -> (Sender<Event>, Receiver<Event>) {
    let (post, events) = mpsc::channel();
    let messages = post.clone();
    here.on_message(move || messages.send(Event::Messages).unwrap_or_default());
    (post, events)
}
