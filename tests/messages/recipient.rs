//! A recipient is typed by one payload, delivers as its client does, and gives back what is refused.

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::mpsc::{self, Sender};

use zctor::{ActorEngine, Recipient, SendError, actor};
use zctor_tests::{bounded, receive, receive_many};

type Tested = Result<(), Box<dyn std::error::Error + Send + Sync>>;

#[actor]
enum LogMessage<T> {
    Line(String),
    Named {
        #[key]
        name: u64,
    },
    Pair(String, u8),
    #[reply(usize)]
    Generic(T),
    Same(String),
}

struct Log(usize, Sender<(usize, String)>);

impl<T: Debug + Send + 'static> LogHandler<T> for Log {
    fn line(&mut self, value: String) {
        self.tell(format!("line {value}"));
    }
    fn named(&mut self, name: u64) {
        self.tell(format!("named {name}"));
    }
    fn pair(&mut self, arg0: String, arg1: u8) {
        self.tell(format!("pair {arg0} {arg1}"));
    }
    fn generic(&mut self, value: T) -> usize {
        self.tell(format!("generic {value:?}"));
        1
    }
    fn same(&mut self, value: String) {
        self.tell(format!("same {value}"));
    }
}

impl Log {
    fn tell(&self, text: String) {
        // Nobody listens once a test is over.
        let _ = self.1.send((self.0, text));
    }
}

fn is_a_handle<T: Clone + Debug + Send + Sync + 'static>(_: &T) {}

#[test]
fn recipient_delivers_to_its_variant() {
    bounded(|| -> Tested {
        let (told, heard) = mpsc::channel();
        let engine = ActorEngine::new();
        let log: LogClient<[u8; 3]> = engine.pool(1, LogMessage::actor(move || Log(0, told.clone())))?;
        let lines: Recipient<String> = log.recipient(LogMessage::Line);
        lines.send("a".to_owned())?;
        log.recipient(LogMessage::Same).send("b".to_owned())?;
        log.recipient(|name| LogMessage::Named { name }).send(7)?;
        log.recipient(LogMessage::Generic).send([1, 2, 3])?;
        let texts: Vec<String> = receive_many(&heard, 4).into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["line a", "same b", "named 7", "generic [1, 2, 3]"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn recipient_keeps_the_route_of_its_client() {
    bounded(|| -> Tested {
        let (told, heard) = mpsc::channel();
        let engine = ActorEngine::new();
        let places = std::sync::atomic::AtomicUsize::new(0);
        let log: LogClient<u8> = engine.pool(
            3,
            LogMessage::actor(move || Log(places.fetch_add(1, std::sync::atomic::Ordering::SeqCst), told.clone())),
        )?;
        let places = |count| receive_many(&heard, count).into_iter().map(|(place, _)| place).collect::<Vec<_>>();

        let second = log.pin(log.instances()[1]).recipient(LogMessage::Line);
        (0..4).try_for_each(|_| second.send(String::new()))?;
        let bound = places(4);
        assert!(bound.iter().all(|place| *place == bound[0]), "{bound:?}");

        let names = log.recipient(|name| LogMessage::Named { name });
        (0..4).try_for_each(|_| names.send(7))?;
        let keyed = places(4);
        assert!(keyed.iter().all(|place| *place == keyed[0]), "{keyed:?}");

        let turns = log.recipient(LogMessage::Line);
        (0..3).try_for_each(|_| turns.send(String::new()))?;
        let mut rotated = places(3);
        rotated.sort_unstable();
        assert_eq!(rotated, [0, 1, 2]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn refused_value_comes_back() {
    bounded(|| -> Tested {
        let (told, heard) = mpsc::channel();
        let engine = ActorEngine::new();
        let log: LogClient<Box<u8>> = engine.pool(1, LogMessage::actor(move || Log(0, told.clone())))?;
        let (lines, boxes) = (log.recipient(LogMessage::Line), log.recipient(LogMessage::Generic));
        boxes.send(Box::new(3))?;
        assert_eq!(receive(&heard).1, "generic 3");
        engine.shutdown()?;
        let error = lines.send("late".to_owned()).unwrap_err();
        assert_eq!(error.to_string(), "the receiver of `LogMessage<Box<u8>>` has stopped; the message was not sent");
        assert!(error.is_stopped());
        assert_eq!(error.into_inner(), "late");
        assert_eq!(boxes.send(Box::new(4)).map_err(SendError::into_inner), Err(Box::new(4)));
        Ok(())
    })
    .unwrap();
}

#[test]
fn recipient_of_a_pool_without_instances_is_told_so() {
    bounded(|| -> Tested {
        let engine = ActorEngine::new();
        let log: LogClient<u8> = engine.start(LogMessage::actor(|| Log(0, mpsc::channel().0)))?;
        let names = log.recipient(|name| LogMessage::Named { name });
        log.stop()?;
        engine.settle();
        assert_eq!(names.send(5).map_err(SendError::into_inner), Err(5));
        Ok(())
    })
    .unwrap();
}

#[test]
fn recipient_is_a_value_to_share() {
    bounded(|| -> Tested {
        let (told, heard) = mpsc::channel();
        let engine = ActorEngine::new();
        let log: LogClient<u8> = engine.pool(1, LogMessage::actor(move || Log(0, told.clone())))?;
        let lines = log.recipient(LogMessage::Line);
        is_a_handle(&lines);
        assert_eq!(format!("{lines:?}"), "Recipient(LogMessage<u8>)");
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let lines = lines.clone();
                scope.spawn(move || lines.send(String::new()));
            }
        });
        assert_eq!(receive_many(&heard, 2).len(), 2);
        Ok(())
    })
    .unwrap();
}

#[test]
fn function_that_is_no_variant_is_refused_at_its_first_use() {
    bounded(|| -> Tested {
        let (told, heard) = mpsc::channel();
        let engine = ActorEngine::new();
        let log: LogClient<u8> = engine.pool(1, LogMessage::actor(move || Log(0, told.clone())))?;
        let line = line!() + 1;
        let numbers: Recipient<u64> = log.recipient(|number| LogMessage::Line(number.to_string()));
        let pairs = log.recipient(|text: String| LogMessage::Pair(text, 3));
        for panic in [
            catch_unwind(AssertUnwindSafe(|| numbers.send(3))).unwrap_err(),
            catch_unwind(AssertUnwindSafe(|| pairs.send(String::new()))).unwrap_err(),
        ]
        .into_iter()
        .zip([("Line", line), ("Pair", line + 1)])
        .map(|(panic, (variant, line))| (panic.downcast::<String>(), variant, line))
        {
            let (Ok(text), variant, line) = panic else { panic!("a text") };
            let made = format!("made at {}:{line}", file!());
            assert!(text.contains(&made) && text.contains(&format!("`LogMessage<u8>::{variant}`")), "{text}");
        }
        log.line("after".to_owned())?;
        assert_eq!(receive(&heard).1, "line after", "nothing was sent");
        Ok(())
    })
    .unwrap();
}

#[test]
fn recipient_can_be_kept_in_a_state_that_is_not_send() {
    #[actor]
    enum SourceMessage {
        Emit,
    }
    struct Source(Rc<Recipient<String>>);
    impl SourceHandler for Source {
        fn emit(&mut self) {
            self.0.send("emitted".to_owned()).expect("the log lives");
        }
    }

    bounded(|| -> Tested {
        let (told, heard) = mpsc::channel();
        let engine = ActorEngine::new();
        let log: LogClient<u8> = engine.pool(1, LogMessage::actor(move || Log(0, told.clone())))?;
        let lines = log.recipient(LogMessage::Line);
        let source: SourceClient = engine.pool(1, SourceMessage::actor(move || Source(Rc::new(lines.clone()))))?;
        source.emit()?;
        assert_eq!(receive(&heard).1, "line emitted");
        Ok(())
    })
    .unwrap();
}
