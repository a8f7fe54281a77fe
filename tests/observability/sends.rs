//! An engine that records sends says which types have sent to which, and started which, and nothing else.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use zctor::map::Map;
use zctor::{ActorEngine, ActorThread, Context, Message, Recipient, SendStats, Timer, actor};
use zctor_tests::{Gate, bounded, receive};

#[actor]
#[derive(Clone)]
enum LogMessage {
    Write(u32),
    #[reply(u32)]
    Lines,
    #[reply(())]
    Hold(Gate),
}

#[derive(Default)]
struct Log(u32);

impl LogHandler for Log {
    fn write(&mut self, _: u32) {
        self.0 += 1;
    }
    fn lines(&mut self) -> u32 {
        self.0
    }
    fn hold(&mut self, gate: Gate) {
        gate.pass();
    }
}

#[actor(ctx)]
enum ChildMessage {
    Idle,
}

struct Child;

impl ChildHandler for Child {
    fn idle(&mut self, _: &mut Context<ChildMessage>) {}
}

/// How a handler reaches another instance.
#[derive(Clone, Copy, Debug)]
enum By {
    Context,
    Client,
    Recipient,
    Engine,
    Local,
    Broadcast,
    Batch,
    Pinned,
    Pipe,
    Start,
    StartThere,
    SpawnMany,
    Stop,
    Nothing,
}

const ALL: [By; 9] =
    [By::Context, By::Client, By::Recipient, By::Engine, By::Local, By::Broadcast, By::Batch, By::Pinned, By::Pipe];

#[actor(ctx)]
enum WebMessage {
    Do(By),
    #[msg(internal)]
    Seen(Option<u32>),
}

struct Web {
    log: LogClient,
    line: Recipient<u32>,
}

impl WebHandler for Web {
    fn r#do(&mut self, ctx: &mut Context<WebMessage>, by: By) {
        match by {
            By::Context => ctx.send(LogMessage::Write(1)).expect("it lives"),
            By::Client => self.log.write(1).expect("it lives"),
            By::Recipient => self.line.send(1).expect("it lives"),
            By::Engine => ctx.engine().send(LogMessage::Write(1)).expect("it lives"),
            By::Local => ctx.send_local(LogMessage::Write(1)).expect("it lives"),
            By::Broadcast => drop(ctx.broadcast(LogMessage::Write(1)).expect("it lives")),
            By::Batch => drop(self.log.send_all([LogMessage::Write(1), LogMessage::Write(2)]).expect("it lives")),
            By::Pinned => self.log.pin(self.log.instances()[0]).write(1).expect("it lives"),
            By::Pipe => drop(ctx.pipe(LogMessage::lines(), |lines| WebMessage::Seen(lines.ok()))),
            By::Start => drop(ctx.start(ChildMessage::actor(|| Child)).expect("it starts")),
            By::StartThere => drop(ctx.engine().start(ChildMessage::actor(|| Child)).expect("it starts")),
            By::SpawnMany => {
                let many =
                    (0..100).fold(ActorThread::new(), |thread, _| thread.register(ChildMessage::actor(|| Child)));
                ctx.engine().spawn(many.register(LogMessage::actor(Log::default))).expect("they start");
            }
            By::Stop => {
                self.log.pin(self.log.instances()[0]).stop().expect("it lives");
                let _ = self.log.stop_all();
            }
            By::Nothing => {}
        }
    }
    fn seen(&mut self, _: &mut Context<WebMessage>, lines: Option<u32>) {
        assert!(lines.is_some());
    }
}

/// An engine with a log on the thread of the one that writes and one on a thread of its own; a client of the former.
fn program(engine: ActorEngine) -> (ActorEngine, WebClient) {
    let log = LogMessage::actor(Log::default);
    engine.spawn(ActorThread::new().register(log.clone())).expect("it starts");
    let client = engine.client::<LogMessage>().expect("it is registered");
    let web = WebMessage::actor(move || Web { log: client.clone(), line: client.recipient(LogMessage::Write) });
    engine.spawn(ActorThread::new().register(web).register(log)).expect("it starts");
    let web = engine.client::<WebMessage>().expect("it is registered");
    (engine, web)
}

/// What was recorded of a handler that does these.
fn recorded(all: &[By]) -> Vec<String> {
    let (engine, web) = program(ActorEngine::builder().record_sends().build());
    for by in all {
        web.r#do(*by).expect("it lives");
        engine.settle();
    }
    let sends = engine.stats().sends.iter().map(SendStats::to_string).collect();
    engine.shutdown().expect("all handlers have returned");
    sends
}

#[test]
fn each_way_to_send_is_recorded_with_the_type_of_the_handler() {
    bounded(|| {
        for by in ALL {
            assert_eq!(recorded(&[by, by]), ["WebMessage sends to LogMessage"], "{by:?}");
        }
    });
}

#[test]
fn a_start_is_recorded_and_is_no_send() {
    bounded(|| {
        for by in [By::Start, By::StartThere] {
            assert_eq!(recorded(&[by]), ["WebMessage starts ChildMessage"], "{by:?}");
        }
        let both = ["WebMessage starts ChildMessage", "WebMessage starts LogMessage"];
        assert_eq!(recorded(&[By::SpawnMany]), both, "each of the many on a thread");
    });
}

/// Code of an instance beside its handlers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Factory,
    Tick,
    Pipe,
    Drop,
    Carried,
    Beside,
}

#[actor(ctx)]
enum GuestMessage {
    Do,
    #[msg(internal)]
    Done,
}

type Act = Arc<dyn Fn() + Send + Sync>;

struct Guest {
    at: At,
    act: Act,
    timer: Option<Timer>,
}

impl GuestHandler for Guest {
    fn r#do(&mut self, ctx: &mut Context<GuestMessage>) {
        let act = Arc::clone(&self.act);
        match self.at {
            At::Tick => {
                self.timer = Some(ctx.send_every(Duration::from_millis(1), move || {
                    act();
                    GuestMessage::Done
                }));
            }
            At::Pipe => drop(ctx.pipe(LogMessage::lines(), move |_| {
                act();
                GuestMessage::Done
            })),
            At::Carried => {
                let carried = ctx.carry();
                thread::scope(|scope| drop(scope.spawn(|| carried.run(|| act())).join()));
            }
            At::Beside => ctx.serve_while(|_| act()),
            At::Factory | At::Drop => {}
        }
    }
    fn done(&mut self, _: &mut Context<GuestMessage>) {
        if let Some(timer) = self.timer.take() {
            timer.cancel();
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if self.at == At::Drop {
            (self.act)();
        }
    }
}

/// An engine that records, and what sends to a child in it and then tells the test.
fn child() -> (ActorEngine, Act, mpsc::Receiver<()>) {
    let engine = ActorEngine::builder().record_sends().build();
    engine.spawn(ActorThread::new().register(LogMessage::actor(Log::default))).expect("it starts");
    let child: ChildClient = engine.start(ChildMessage::actor(|| Child)).expect("it starts");
    let (tell, told) = mpsc::channel();
    let act = move || {
        child.idle().expect("it lives");
        // The test has enough of the first time.
        let _ = tell.send(());
    };
    (engine, Arc::new(act), told)
}

fn guest(at: At, act: &Act) -> Guest {
    let act = Arc::clone(act);
    if at == At::Factory {
        act();
    }
    Guest { at, act, timer: None }
}

#[test]
fn what_an_instance_sends_beside_its_handlers_is_recorded_as_its_own() {
    bounded(|| {
        for at in [At::Factory, At::Tick, At::Pipe, At::Drop, At::Carried, At::Beside] {
            let (engine, act, told) = child();
            let guest: GuestClient = engine.start(GuestMessage::actor(move || guest(at, &act))).expect("it starts");
            guest.r#do().expect("it lives");
            if at == At::Drop {
                guest.stop().expect("it lives");
            }
            receive(&told);
            let sends = engine.stats().sends;
            let to_child: Vec<_> = sends.iter().filter(|row| row.receiver == "ChildMessage").collect();
            assert_eq!(to_child.iter().map(|row| row.message).collect::<Vec<_>>(), ["GuestMessage"], "{at:?}");
        }
    });
}

#[actor(calls(LogMessage))]
enum AskerMessage {
    Ask(Gate),
}

struct Asker;

impl AskerHandler for Asker {
    fn ask(&mut self, ctx: &mut Context<AskerMessage>, gate: Gate) {
        ctx.call(LogMessage::hold(gate)).expect("it replies");
    }
}

#[test]
fn what_a_thread_sends_for_another_instance_while_a_handler_waits_is_not_recorded_as_the_handlers() {
    bounded(|| {
        for at in [At::Tick, At::Drop] {
            let (engine, act, told) = child();
            let both = ActorThread::new()
                .register(AskerMessage::actor(|| Asker))
                .register(GuestMessage::actor(move || guest(at, &act)));
            engine.spawn(both).expect("both start");
            let guest: GuestClient = engine.client::<GuestMessage>().expect("it is registered");
            let gate = Gate::new();
            engine.send(AskerMessage::Ask(gate.clone())).expect("it lives");
            gate.await_arrivals(1);
            guest.r#do().expect("it lives");
            if at == At::Drop {
                guest.stop_all().expect("it lives");
            }
            receive(&told);
            gate.open();
            let sends = engine.stats().sends;
            let to_child: Vec<_> = sends.iter().filter(|row| row.receiver == "ChildMessage").collect();
            assert_eq!(to_child.iter().map(|row| row.message).collect::<Vec<_>>(), ["GuestMessage"], "{at:?}");
        }
    });
}

#[test]
fn what_comes_from_outside_and_an_order_to_stop_are_no_sends() {
    bounded(|| {
        assert_eq!(recorded(&[By::Nothing, By::Stop]), [""; 0]);
    });
}

#[test]
fn the_map_of_an_engine_that_records_has_an_arrow_for_each_and_of_another_has_none() {
    bounded(|| {
        for records in [true, false] {
            let builder = ActorEngine::builder();
            let (engine, web) = program(if records { builder.record_sends() } else { builder }.build());
            web.r#do(By::Start).expect("it lives");
            web.r#do(By::Client).expect("it lives");
            engine.settle();
            let sends = engine.stats().sends;
            let rows: Vec<_> = sends.iter().map(|row| (row.message, row.receiver, row.sends, row.starts)).collect();
            let expected = [("WebMessage", "ChildMessage", false, true), ("WebMessage", "LogMessage", true, false)];
            assert_eq!(rows, &expected[..if records { 2 } else { 0 }]);
            let map = Map::of([LogMessage::DEFINITION]).running(&engine.registry(), &engine.stats()).mermaid();
            for arrow in ["WebMessage -.-> LogMessage", "WebMessage -.->|starts| ChildMessage"] {
                assert_eq!(map.matches(arrow).count(), usize::from(records), "{map}");
            }
            engine.shutdown().expect("all handlers have returned");
        }
    });
}

/// All its mailboxes count as bounded, and refuse nothing for that.
#[test]
fn an_engine_that_records_takes_all_that_another_takes() {
    const MANY: u32 = 10_000;
    bounded(|| {
        let (engine, web) = program(ActorEngine::builder().record_sends().build());
        let log: LogClient = engine.client::<LogMessage>().expect("it is registered");
        for _ in 0..MANY {
            log.write(1).expect("there is no bound");
            web.r#do(By::Context).expect("there is no bound");
        }
        assert_eq!(log.send_all((0..MANY).map(LogMessage::Write)).expect("there is no bound"), MANY as usize);
        engine.settle();
        let lines: u32 = log
            .call_all(LogMessage::lines())
            .expect("both live")
            .into_iter()
            .map(|(_, n)| n.expect("it replies"))
            .sum();
        assert_eq!(lines, 3 * MANY);
        let report = engine.shutdown().expect("all handlers have returned");
        assert_eq!((report.dead_letters, report.left), (0, 0));
        assert!(log.write(1).is_err());
    });
}
