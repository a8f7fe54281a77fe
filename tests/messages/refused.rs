//! A message that cannot be accepted comes back whole, with the reason.

use std::sync::mpsc::{self, Sender};

use zctor::{ActorEngine, ActorThread, CallError, Context, SendError, SpawnError, actor};
use zctor_tests::{Gate, bounded, receive, receive_many};

#[actor(ctx)]
#[derive(Clone, Debug, PartialEq)]
enum LetterMessage {
    Post {
        number: u32,
        text: String,
    },
    #[reply(u32)]
    Weigh {
        text: String,
    },
    Leave,
}

struct Clerk {
    posted: Sender<u32>,
}

impl LetterHandler for Clerk {
    fn post(&mut self, _ctx: &mut Context<LetterMessage>, number: u32, _text: String) {
        let _ = self.posted.send(number);
    }

    fn weigh(&mut self, _ctx: &mut Context<LetterMessage>, text: String) -> u32 {
        u32::try_from(text.len()).expect("it is short")
    }

    fn leave(&mut self, ctx: &mut Context<LetterMessage>) {
        ctx.stop();
    }
}

/// Tries to send, from inside, what nobody handles.
#[actor(ctx)]
enum InsiderMessage {
    #[reply(SendError<LetterMessage>)]
    TrySend { number: u32 },
    #[reply(Result<(), CallError>)]
    TryClient,
    /// Waits at a gate.
    Hold { gate: Gate },
}

struct Insider;

impl InsiderHandler for Insider {
    fn try_send(&mut self, ctx: &mut Context<InsiderMessage>, number: u32) -> SendError<LetterMessage> {
        ctx.send(letter(number)).expect_err("nobody handles letters")
    }

    fn try_client(&mut self, ctx: &mut Context<InsiderMessage>) -> Result<(), CallError> {
        ctx.non_blocking::<LetterMessage>().map(drop)
    }

    fn hold(&mut self, _ctx: &mut Context<InsiderMessage>, gate: Gate) {
        gate.pass();
    }
}

fn letter(number: u32) -> LetterMessage {
    LetterMessage::Post { number, text: format!("letter {number}") }
}

fn letters(count: u32) -> Vec<LetterMessage> {
    (0..count).map(letter).collect()
}

fn clerks(engine: &ActorEngine, size: usize, posted: &Sender<u32>) -> LetterClient {
    let posted = posted.clone();
    engine.pool(size, LetterMessage::actor(move || Clerk { posted: posted.clone() })).expect("the pool starts")
}

fn clerk_thread(posted: &Sender<u32>) -> ActorThread {
    let posted = posted.clone();
    ActorThread::new().register(LetterMessage::actor(move || Clerk { posted: posted.clone() }))
}

/// Checks that the engine itself refuses every letter for the reason given.
#[track_caller]
fn assert_engine_refuses(
    engine: &ActorEngine,
    is_send_reason: fn(&SendError<LetterMessage>) -> bool,
    is_call_reason: fn(&CallError) -> bool,
) {
    let handle = engine.handle();
    for (number, refused) in [
        (1, engine.send(letter(1))),
        (2, handle.send(letter(2))),
        (3, engine.broadcast(letter(3)).map(drop)),
        (4, handle.broadcast(letter(4)).map(drop)),
    ] {
        let error = refused.expect_err("it is refused");
        assert!(is_send_reason(&error), "{number}: {error:?}");
        assert_eq!(error.into_inner(), letter(number));
    }
    let weigh = || LetterMessage::weigh("a letter".to_owned());
    for (way, refused) in [
        ("call", engine.call(weigh()).map(drop)),
        ("handle.call", handle.call(weigh()).map(drop)),
        ("call_all", engine.call_all(weigh()).map(drop)),
        ("call_all_with", engine.call_all_with(|_| weigh()).map(drop)),
        ("broadcast_with", engine.broadcast_with(|_| letter(5)).map(drop)),
    ] {
        let error = refused.expect_err(way);
        assert!(is_call_reason(&error), "{way}: {error:?}");
    }
}

/// Checks that the engine gives no client, for the reason given.
#[track_caller]
fn assert_no_client(engine: &ActorEngine, is_reason: fn(&CallError) -> bool) {
    for refused in [engine.client::<LetterMessage>(), engine.handle().client::<LetterMessage>()] {
        let error = refused.expect_err("nobody can be reached");
        assert!(is_reason(&error), "{error:?}");
    }
}

/// Checks that a client refuses everything for the reason given.
#[track_caller]
fn assert_client_refuses(
    client: &LetterClient,
    is_send_reason: fn(&SendError<LetterMessage>) -> bool,
    is_call_reason: fn(&CallError) -> bool,
) {
    for (number, refused) in [
        (1, client.send(letter(1))),
        (2, client.post(2, "letter 2".to_owned())),
        (3, client.non_blocking().post(3, "letter 3".to_owned())),
    ] {
        let error = refused.expect_err("it is refused");
        assert!(is_send_reason(&error), "{number}: {error:?}");
        assert_eq!(error.into_inner(), letter(number));
    }
    for error in [
        client.weigh("a letter".to_owned()),
        client.call(LetterMessage::weigh("a letter".to_owned())),
        client.non_blocking().weigh("a letter".to_owned()).wait(),
    ] {
        let error = error.expect_err("it is refused");
        assert!(is_call_reason(&error), "{error:?}");
    }
    let error = client.send_all(letters(7)).expect_err("it is refused");
    assert_eq!(error.into_inner(), letters(7), "whole and in order");
}

fn is_not_registered(error: &SendError<LetterMessage>) -> bool {
    matches!(error, SendError::NotRegistered(_))
}

fn is_call_not_registered(error: &CallError) -> bool {
    matches!(error, CallError::NotRegistered { message: "LetterMessage", .. })
}

fn is_stopped(error: &SendError<LetterMessage>) -> bool {
    matches!(error, SendError::Stopped(_))
}

fn is_call_stopped(error: &CallError) -> bool {
    matches!(error, CallError::Stopped { message: "LetterMessage", .. })
}

#[test]
fn a_type_that_nobody_registered_is_not_registered() {
    bounded(|| {
        let engine = ActorEngine::new();
        assert_engine_refuses(&engine, is_not_registered, is_call_not_registered);
        assert_no_client(&engine, is_call_not_registered);
        // Threads of other types make no difference.
        engine.spawn(ActorThread::new().register(InsiderMessage::actor(|| Insider))).unwrap();
        assert_engine_refuses(&engine, is_not_registered, is_call_not_registered);
        assert_no_client(&engine, is_call_not_registered);
    });
}

#[test]
fn a_type_that_nobody_registered_is_not_registered_inside_either() {
    bounded(|| {
        let engine = ActorEngine::new();
        let insider = engine.pool(1, InsiderMessage::actor(|| Insider)).unwrap();
        let error = insider.try_send(3).unwrap();
        assert!(is_not_registered(&error));
        assert_eq!(error.into_inner(), letter(3));
        assert!(is_call_not_registered(&insider.try_client().unwrap().unwrap_err()));
    });
}

#[test]
fn a_client_whose_pool_has_left_is_not_registered() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (posted, _post) = mpsc::channel();
        let clerk = clerks(&engine, 2, &posted);
        clerk.broadcast(LetterMessage::Leave).unwrap();
        engine.settle();
        for client in [clerk.clone(), clerk.keyed("a key"), clerk.least_loaded()] {
            assert_client_refuses(&client, is_not_registered, is_call_not_registered);
        }
        assert_engine_refuses(&engine, is_not_registered, is_call_not_registered);
        assert_no_client(&engine, is_call_not_registered);
    });
}

#[test]
fn a_bound_client_whose_instance_has_ended_is_stopped() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (posted, post) = mpsc::channel();
        let clerk = clerks(&engine, 2, &posted);
        let pinned = clerk.pin(clerk.instances()[0]);
        let started = {
            let posted = posted.clone();
            engine.start(LetterMessage::actor(move || Clerk { posted: posted.clone() })).unwrap()
        };
        let once = {
            let posted = posted.clone();
            engine.start(LetterMessage::actor_once(move || Clerk { posted })).unwrap()
        };
        for bound in [pinned, started, once] {
            bound.post(1, String::new()).unwrap();
            assert_eq!(receive(&post), 1);
            bound.leave().unwrap();
            engine.settle();
            assert_client_refuses(&bound, is_stopped, is_call_stopped);
            assert_client_refuses(&bound.clone(), is_stopped, is_call_stopped);
        }
        // The rest of the pool goes on.
        clerk.post(2, String::new()).unwrap();
        assert_eq!(receive(&post), 2);
        assert!(post.try_recv().is_err());
    });
}

#[test]
fn a_stopped_engine_and_its_clients_refuse_everything_as_stopped() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (posted, post) = mpsc::channel();
        let clerk = clerks(&engine, 2, &posted);
        let pinned = clerk.pin(clerk.instances()[0]);
        clerk.post(1, String::new()).unwrap();
        engine.shutdown().unwrap();
        assert_eq!(receive(&post), 1);

        assert_engine_refuses(&engine, is_stopped, is_call_stopped);
        assert_no_client(&engine, is_call_stopped);
        for client in [
            clerk.clone(),
            clerk.keyed("a key"),
            clerk.least_loaded(),
            pinned,
            clerk.within(std::time::Duration::from_secs(1)),
        ] {
            assert_client_refuses(&client, is_stopped, is_call_stopped);
            let error = client.broadcast(letter(1)).unwrap_err();
            assert!(is_stopped(&error));
            assert_eq!(error.into_inner(), letter(1));
            let error = client.call_all(LetterMessage::weigh(String::new())).unwrap_err();
            assert!(is_call_stopped(&error));
        }
        assert!(post.try_recv().is_err(), "a refused letter was posted");
    });
}

#[test]
fn a_stopped_engine_starts_nothing() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (posted, _post) = mpsc::channel();
        clerks(&engine, 1, &posted);
        engine.shutdown().unwrap();

        let actor = || {
            let posted = posted.clone();
            LetterMessage::actor(move || Clerk { posted: posted.clone() })
        };
        for error in [
            engine.spawn(clerk_thread(&posted)).map(drop).unwrap_err(),
            engine.pool(2, actor()).map(drop).unwrap_err(),
            engine.pool_on(2, |_| ActorThread::new(), actor()).map(drop).unwrap_err(),
            engine.start(actor()).map(drop).unwrap_err(),
            engine.handle().spawn(clerk_thread(&posted)).map(drop).unwrap_err(),
        ] {
            assert!(matches!(error, SpawnError::Stopped), "{error:?}");
        }
    });
}

#[test]
fn handles_and_clients_that_outlive_their_engine_are_stopped() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (posted, post) = mpsc::channel();
        let clerk = clerks(&engine, 2, &posted);
        let pinned = clerk.pin(clerk.instances()[1]);
        let handle = engine.handle();
        clerk.post(1, String::new()).unwrap();
        drop(engine);
        assert_eq!(receive(&post), 1);

        for client in [clerk.clone(), pinned, clerk.keyed("a key"), clerk.least_loaded()] {
            assert_client_refuses(&client, is_stopped, is_call_stopped);
        }
        let refused = handle.send(letter(2)).unwrap_err();
        assert!(is_stopped(&refused));
        assert_eq!(refused.into_inner(), letter(2));
        let refused = handle.broadcast(letter(3)).unwrap_err();
        assert!(is_stopped(&refused));
        assert_eq!(refused.into_inner(), letter(3));
        assert!(is_call_stopped(&handle.call(LetterMessage::weigh(String::new())).unwrap_err()));
        assert!(is_call_stopped(&handle.call_all(LetterMessage::weigh(String::new())).unwrap_err()));
        assert!(is_call_stopped(&handle.client::<LetterMessage>().unwrap_err()));
        assert!(matches!(handle.spawn(clerk_thread(&posted)), Err(SpawnError::Stopped)));
        assert!(handle.registry().is_empty());
        assert_eq!(handle.thread_count(), 0);
        assert!(post.try_recv().is_err(), "a refused letter was posted");
    });
}

#[test]
fn the_edge_refuses_from_the_beginning_of_a_shutdown_on() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (posted, post) = mpsc::channel();
        let clerk = clerks(&engine, 1, &posted);
        let insider = engine.pool(1, InsiderMessage::actor(|| Insider)).unwrap();
        let gate = Gate::new();
        insider.hold(gate.clone()).unwrap();
        gate.await_arrivals(1);
        // The held handler keeps the shutdown from its end.
        engine.handle().stop();
        assert_engine_refuses(&engine, is_stopped, is_call_stopped);
        assert_client_refuses(&clerk, is_stopped, is_call_stopped);
        assert!(matches!(engine.spawn(clerk_thread(&posted)), Err(SpawnError::Stopped)));
        gate.open();
        engine.wait();
        assert!(post.try_recv().is_err(), "a refused letter was posted");
    });
}

#[test]
fn send_all_to_nobody_gives_all_back_in_order() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (posted, post) = mpsc::channel();
        let clerk = clerks(&engine, 3, &posted);
        clerk.broadcast(LetterMessage::Leave).unwrap();
        engine.settle();
        let refused = clerk.send_all(letters(20)).unwrap_err();
        assert!(matches!(refused, SendError::NotRegistered(_)));
        let back = refused.into_inner();
        assert_eq!(back, letters(20));

        // What came back can be sent again.
        clerks(&engine, 3, &posted);
        assert_eq!(clerk.send_all(back).unwrap(), 20);
        let mut numbers = receive_many(&post, 20);
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..20));
    });
}
