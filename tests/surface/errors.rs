//! Every error is an ordinary error: small, fit for `?`, and a plain sentence that names the message type.

use std::cell::Cell;
use std::collections::HashSet;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, BoxError, CallError, SendError, ShutdownError, SpawnError, StopError, actor};
use zctor_tests::{Gate, bounded};

const WORD: usize = size_of::<usize>();

/// Neither `Sync` nor `Debug`, and large.
#[actor]
#[expect(clippy::large_enum_variant, reason = "an error stays small all the same")]
enum OddMessage {
    Put(Cell<u8>),
    #[reply(Cell<u8>)]
    Get([u64; 64]),
}

struct Odd;

impl OddHandler for Odd {
    fn put(&mut self, _: Cell<u8>) {}
    fn get(&mut self, _: [u64; 64]) -> Cell<u8> {
        Cell::new(1)
    }
}

#[actor]
enum HoldMessage {
    #[reply(())]
    Hold(Gate),
}

struct Hold;

impl HoldHandler for Hold {
    fn hold(&mut self, gate: Gate) {
        gate.pass();
    }
}

fn assert_error<E: Error + Send + Sync + 'static>() {}

#[test]
fn every_error_is_an_error_and_can_cross_threads_whatever_the_message() {
    assert_error::<CallError>();
    assert_error::<SendError<OddMessage>>();
    assert_error::<SendError<Vec<OddMessage>>>();
    assert_error::<SpawnError>();
    assert_error::<ShutdownError>();
    assert_error::<StopError>();
}

#[test]
fn the_errors_of_the_hot_paths_are_small() {
    assert!(size_of::<SendError<OddMessage>>() <= 3 * WORD, "{}", size_of::<SendError<OddMessage>>());
    assert!(size_of::<CallError>() <= 6 * WORD, "{}", size_of::<CallError>());
}

#[test]
fn question_mark_turns_each_into_a_boxed_error() {
    fn send(engine: &ActorEngine) -> Result<(), Box<dyn Error + Send + Sync>> {
        engine.send(OddMessage::Put(Cell::new(1)))?;
        Ok(())
    }
    fn send_all(client: &OddClient) -> Result<usize, Box<dyn Error>> {
        Ok(client.send_all([OddMessage::Put(Cell::new(1))])?)
    }
    fn call(engine: &ActorEngine) -> Result<Cell<u8>, BoxError> {
        Ok(engine.call(OddMessage::get([0; 64]))?)
    }
    fn spawn(engine: &ActorEngine) -> Result<(), BoxError> {
        engine.spawn(ActorThread::new())?;
        Ok(())
    }
    fn stop(client: &OddClient) -> Result<(), BoxError> {
        client.stop()?;
        Ok(())
    }
    bounded(|| {
        let engine = ActorEngine::new();
        assert!(send(&engine).unwrap_err().downcast_ref::<SendError<OddMessage>>().is_some());
        assert!(call(&engine).unwrap_err().downcast_ref::<CallError>().is_some());
        assert!(spawn(&engine).unwrap_err().downcast_ref::<SpawnError>().is_some());
        let odd = engine.pool(1, OddMessage::actor(|| Odd)).unwrap();
        assert!(stop(&odd).unwrap_err().downcast_ref::<StopError>().is_some());
        assert_eq!(call(&engine).unwrap().get(), 1);
        engine.shutdown().unwrap();
        assert!(send_all(&odd).is_err());
    });
}

#[test]
fn a_refused_send_gives_its_message_back() {
    bounded(|| {
        let engine = ActorEngine::new();
        let error = engine.send(OddMessage::Put(Cell::new(7))).unwrap_err();
        assert!(error.is_not_registered() && !error.is_full() && !error.is_stopped());
        assert!(matches!(error, SendError::NotRegistered(_)));
        let OddMessage::Put(kept) = error.into_inner() else { panic!("it was another message") };
        assert_eq!(kept.get(), 7);
        let odd = engine.pool(1, OddMessage::actor(|| Odd)).unwrap();
        engine.shutdown().unwrap();
        let error = odd.put(Cell::new(8)).unwrap_err();
        assert!(error.is_stopped() && !error.is_full() && !error.is_not_registered());
        assert!(matches!(error, SendError::Stopped(_)));
        let OddMessage::Put(kept) = error.into_inner() else { panic!("it was another message") };
        assert_eq!(kept.get(), 8);
        let error = odd.send_all((1..4).map(|value| OddMessage::Put(Cell::new(value)))).unwrap_err();
        assert_eq!(error.into_inner().len(), 3);
    });
}

#[test]
fn debug_shows_no_payload_and_needs_none() {
    bounded(|| {
        let engine = ActorEngine::new();
        let error = engine.send(OddMessage::Put(Cell::new(77))).unwrap_err();
        let debug = format!("{error:?}");
        assert!(debug.contains("NotRegistered") && debug.contains("..") && !debug.contains("77"), "{debug}");
    });
}

#[test]
fn a_call_error_is_cloned_and_compared() {
    let error = CallError::Panicked { message: "OddMessage", text: Arc::from("it breaks") };
    assert_eq!(error, error.clone());
    assert_ne!(error, CallError::Panicked { message: "OddMessage", text: Arc::from("otherwise") });
    assert_ne!(error, CallError::NoReply { message: "OddMessage" });
    assert_ne!(
        CallError::Timeout { message: "OddMessage", begun: true },
        CallError::Timeout { message: "OddMessage", begun: false }
    );
}

/// Every error that the crate gives, each with the name that it must tell.
fn all_errors() -> Vec<(BoxError, &'static str)> {
    let message = "OddMessage";
    let mut all: Vec<(BoxError, &'static str)> = Vec::new();
    for error in [
        CallError::NotRegistered { message },
        CallError::Full { message },
        CallError::Stopped { message },
        CallError::Panicked { message, text: Arc::from("it breaks") },
        CallError::Timeout { message, begun: false },
        CallError::Timeout { message, begun: true },
        CallError::Undeclared { message, caller: None },
        CallError::HandlerTimeout { message },
        CallError::NoReply { message },
    ] {
        all.push((error.into(), message));
    }

    let engine = ActorEngine::new();
    all.push((engine.send(OddMessage::Put(Cell::new(1))).expect_err("nobody is there").into(), message));
    all.push((engine.spawn(ActorThread::new()).expect_err("it is empty").into(), ""));
    let failing = OddMessage::try_actor(|_| -> Result<Odd, BoxError> { Err("no room".into()) });
    let failed = engine.start(failing).expect_err("the factory fails");
    assert_eq!(failed.source().expect("the factory's own error").to_string(), "no room");
    all.push((failed.into(), message));
    let panicking = OddMessage::actor(|| -> Odd { panic!("no room at all") });
    all.push((engine.start(panicking).expect_err("the factory panics").into(), message));
    let vast = ActorThread::new().stack_size(1 << 60).register(OddMessage::actor(|| Odd));
    if cfg!(target_os = "linux") && !cfg!(miri) {
        let refused = engine.spawn(vast).expect_err("no machine has such a stack");
        assert!(matches!(refused, SpawnError::Thread { .. }), "{refused:?}");
        assert!(refused.source().is_some());
        all.push((refused.into(), ""));
    }

    let odd = engine.pool(1, OddMessage::actor(|| Odd)).expect("the factory does not fail");
    all.push((odd.stop().expect_err("it is bound to none").into(), message));
    engine.shutdown().expect("every handler returns");
    all.push((
        odd.pin(odd.instances().first().copied().unwrap_or_else(first_id)).stop().expect_err("it ended").into(),
        message,
    ));
    all.push((odd.put(Cell::new(1)).expect_err("the engine has stopped").into(), message));
    all.push((engine.start(OddMessage::actor(|| Odd)).expect_err("the engine has stopped").into(), ""));

    let engine = ActorEngine::new();
    engine
        .spawn(ActorThread::named("stubborn").register(HoldMessage::actor(|| Hold)))
        .expect("the factory does not fail");
    let gate = Gate::new();
    let hold = engine.client::<HoldMessage>().expect("it was spawned");
    let held = hold.non_blocking().hold(gate.clone());
    gate.await_arrivals(1);
    let late = engine.shutdown_timeout(Duration::from_millis(20)).expect_err("a handler does not return");
    gate.open();
    drop(held);
    all.push((late.into(), "stubborn"));
    all.push((shutdown_inside().into(), ""));
    all
}

/// An id of an instance that is no more.
fn first_id() -> zctor::InstanceId {
    let engine = ActorEngine::new();
    let odd = engine.pool(1, OddMessage::actor(|| Odd)).expect("the factory does not fail");
    odd.instances()[0]
}

fn shutdown_inside() -> ShutdownError {
    #[actor]
    enum EnderMessage {
        #[reply(Option<ShutdownError>)]
        End(Arc<ActorEngine>),
    }
    struct Ender;
    impl EnderHandler for Ender {
        fn end(&mut self, engine: Arc<ActorEngine>) -> Option<ShutdownError> {
            engine.shutdown().err()
        }
    }
    let engine = Arc::new(ActorEngine::new());
    engine.pool(1, EnderMessage::actor(|| Ender)).expect("the factory does not fail");
    let ended = engine.call(EnderMessage::end(Arc::clone(&engine))).expect("the handler answers");
    ended.expect("a thread cannot join itself")
}

#[test]
fn each_error_is_a_plain_sentence_that_names_its_message_and_no_two_are_alike() {
    bounded(|| {
        let mut seen = HashSet::new();
        for (error, name) in all_errors() {
            let text = error.to_string();
            assert!(text.contains(name), "`{text}` does not name {name}");
            assert!(!text.ends_with('.'), "`{text}` ends in a full stop");
            let without_names = text.replace("OddMessage", "").replace("HoldMessage", "");
            assert!(!without_names.chars().any(char::is_uppercase), "`{text}` has capitals");
            assert_eq!(text.trim(), text);
            assert!(!text.contains('\n') && !text.is_empty());
            assert!(seen.insert(text.clone()), "two errors say `{text}`");
        }
        assert!(seen.len() >= 17, "{seen:#?}");
    });
}

#[test]
fn the_text_of_a_panic_is_in_the_sentence() {
    let error = CallError::Panicked { message: "OddMessage", text: Arc::from("it breaks") };
    assert!(error.to_string().contains("it breaks"));
}
