//! A panic costs its caller an error and its instance the state; the mailbox is kept, and nothing is handled twice.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use zctor::simulation::{Faults, simulate};
use zctor::{ActorEngine, CallError, Restart, actor};

#[actor]
enum FrailMessage {
    Note(u32),
    #[reply(u32)]
    Ask(u32),
    #[reply(())]
    Break(u32),
}

struct Frail {
    notes: Arc<Mutex<Vec<u32>>>,
    since_build: u32,
}

impl Frail {
    fn note(&mut self, number: u32) -> u32 {
        self.notes.lock().expect("nothing panics under it").push(number);
        self.since_build += 1;
        self.since_build
    }
}

impl FrailHandler for Frail {
    fn note(&mut self, number: u32) {
        Frail::note(self, number);
    }

    fn ask(&mut self, number: u32) -> u32 {
        Frail::note(self, number)
    }

    fn r#break(&mut self, number: u32) {
        Frail::note(self, number);
        panic!("broken on purpose");
    }
}

#[test]
fn the_mailbox_is_kept_over_panics_and_backoffs() {
    let search = simulate(|simulation| {
        let notes = Arc::new(Mutex::new(Vec::new()));
        let engine = ActorEngine::new();
        let restart = Restart::always().backoff(Duration::from_millis(1), Duration::from_millis(50));
        let frail: FrailClient = {
            let notes = Arc::clone(&notes);
            let build = move || Frail { notes: Arc::clone(&notes), since_build: 0 };
            engine.pool(1, FrailMessage::actor(build).restart(restart))?
        };
        let breaker = {
            let frail = frail.clone();
            simulation.spawn("breaker", move || [10, 11, 12].map(|number| frail.r#break(number)))
        };
        for number in 0..3 {
            frail.note(number)?;
        }
        assert!(frail.ask(3)? >= 1);
        for outcome in breaker.join() {
            assert!(matches!(outcome, Err(CallError::Panicked { .. })), "{outcome:?}");
        }
        engine.settle();
        let before = frail.ask(4)?;
        assert_eq!(frail.ask(5)?, before + 1, "the state lives on");
        let report = engine.shutdown()?;
        assert_eq!((report.handled(), report.panicked(), report.dead_letters), (6, 3, 0), "{report}");
        let notes = notes.lock().expect("nothing panics under it");
        let of_main: Vec<u32> = notes.iter().copied().filter(|number| *number < 10).collect();
        assert_eq!(of_main, [0, 1, 2, 3, 4, 5], "{notes:?}");
        assert_eq!(notes.len(), 9, "nothing twice: {notes:?}");
        Ok(())
    });
    search.allow_panics().seeds(0..2_000).run();
}

#[test]
fn a_panic_anywhere_in_a_handler_is_told_to_its_caller_and_nothing_is_handled_twice() {
    let search = simulate(|simulation| {
        let notes = Arc::new(Mutex::new(Vec::new()));
        let engine = ActorEngine::new();
        let frail: FrailClient = {
            let notes = Arc::clone(&notes);
            engine.pool(2, FrailMessage::actor(move || Frail { notes: Arc::clone(&notes), since_build: 0 }))?
        };
        let mut panicked = 0;
        for number in 0..8 {
            match frail.ask(number) {
                Ok(_) => {}
                Err(CallError::Panicked { .. }) => panicked += 1,
                Err(other) => return Err(other.into()),
            }
        }
        if panicked > 0 {
            simulation.mark("a handler has panicked");
        }
        let report = engine.shutdown()?;
        assert_eq!((report.handled(), report.panicked()), (8 - panicked, panicked), "{report}");
        let mut notes = notes.lock().expect("nothing panics under it").clone();
        let all = notes.len();
        notes.dedup();
        assert_eq!(notes.len(), all, "nothing twice: {notes:?}");
        Ok(())
    });
    search.faults(Faults::new().panics()).must_reach(&["a handler has panicked"]).seeds(0..2_000).run();
}
