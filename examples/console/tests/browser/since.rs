//! The page says since when something is stuck, and names no thread that is not.

use zctor::{ActorEngine, ActorThread, Context, actor};
use zctor_console::Console;
use zctor_tests::{Gate, bounded};

use crate::{on_page, opened};

#[actor]
enum JobMessage {
    Hold(Gate),
    #[reply(())]
    Ask(Gate),
}

struct Job;

impl JobHandler for Job {
    fn hold(&mut self, gate: Gate) {
        gate.pass();
    }
    fn ask(&mut self, gate: Gate) {
        gate.pass();
    }
}

#[actor(calls(JobMessage))]
enum BridgeMessage {
    Cross(Gate),
}

/// Calls a job of another engine.
struct Bridge(JobClient);

impl BridgeHandler for Bridge {
    fn cross(&mut self, _: &mut Context<BridgeMessage>, gate: Gate) {
        self.0.ask(gate).expect("the other engine's job answers");
    }
}

/// The heading of what needs a look.
const HEADING: &str = "document.querySelector('#verdict h2').textContent";
/// Whether the time in it is that of the look that is shown.
const IS_SINCE: &str = "document.querySelector('#verdict h2 .mono').textContent === zoned(shown.culprit_since)";

#[test]
fn the_time_of_what_others_wait_for_is_that_of_the_text() {
    on_page("since", 1.5, |page, _, _| {
        page.until("shown.culprit_since !== null");
        assert_eq!(page.value(IS_SINCE), true, "{}", page.text(HEADING));
    });
}

#[test]
fn what_holds_up_messages_has_its_time_too() {
    bounded(|| {
        let engine = ActorEngine::new();
        let jobs: JobClient = engine.pool(1, JobMessage::actor(|| Job)).expect("it starts");
        let gate = Gate::new();
        (0..2).for_each(|_| jobs.hold(gate.clone()).expect("it lives"));
        let served = Console::new(&engine).serve_tcp("127.0.0.1:0").expect("a port is free");
        opened("held", &served.to_string(), |page| {
            page.until("shown.culprit_since !== null");
            let heading = page.text(HEADING);
            assert!(heading.starts_with("Stuck since ") && heading.contains(" RUNS JobMessage"), "{heading}");
            assert_eq!(page.value(IS_SINCE), true, "{heading}");
        });
        gate.open();
    });
}

#[test]
fn what_another_engine_holds_up_is_no_thread_of_this_one() {
    bounded(|| {
        let (there, here) = (ActorEngine::new(), ActorEngine::new());
        let far: JobClient = there.start(JobMessage::actor(|| Job)).expect("it starts");
        // Its thread has the number of the thread there.
        let idle: JobClient = here.start_on(ActorThread::named("idle"), JobMessage::actor(|| Job)).expect("it starts");
        here.pool(1, BridgeMessage::actor(move || Bridge(far.clone()))).expect("it starts");
        let gate = Gate::new();
        here.send(BridgeMessage::Cross(gate.clone())).expect("it lives");
        let served = Console::new(&here).serve_tcp("127.0.0.1:0").expect("a port is free");
        opened("elsewhere", &served.to_string(), |page| {
            page.until("shown.culprit_since !== null");
            let heading = page.text(HEADING);
            assert!(heading.ends_with(": the reply must come from another engine"), "{heading}");
            assert_eq!(page.value(IS_SINCE), true, "{heading}");
            let alarm = page.text("document.querySelector('#alert').textContent");
            assert_eq!(alarm, "Stuck: the reply must come from another engine");
            assert_eq!(page.value("document.querySelectorAll('tr.culprit').length"), 0);
        });
        gate.open();
        drop(idle);
        here.settle();
    });
}
