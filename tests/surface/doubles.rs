//! A probe hands its messages to the test, a mock records and answers: of any enum, and typed by its definition.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use zctor::testing::{Mock, Port, Probe};
use zctor::{ActorEngine, ActorThread, CallError, Context, ReplyTo, Restart, actor};
use zctor_tests::{Counter, DropGuard, LIMIT, bounded};

type Tested = Result<(), Box<dyn std::error::Error + Send + Sync>>;

#[actor]
#[derive(Debug, PartialEq)]
enum StoreMessage {
    #[reply(Option<String>)]
    Load {
        #[key]
        id: u64,
    },
    #[reply(usize)]
    Len,
    #[reply(usize, deferred)]
    Later(#[msg(into)] String),
    Save(u64, String),
}
type To = Port<StoreMessage>;

#[actor(calls(StoreMessage))]
enum PageMessage {
    #[reply(Result<String, CallError>)]
    Show(u64),
    Edit(u64, String),
}

struct Page;

impl PageHandler for Page {
    fn show(&mut self, ctx: &mut Context<PageMessage>, value: u64) -> Result<String, CallError> {
        let text = ctx.call(StoreMessage::load(value))?;
        Ok(text.unwrap_or_else(|| "nothing".to_owned()))
    }
    fn edit(&mut self, ctx: &mut Context<PageMessage>, arg0: u64, arg1: String) {
        ctx.send(StoreMessage::Save(arg0, arg1)).expect("the store is there");
    }
}

fn text(panic: Box<dyn std::any::Any + Send>) -> String {
    *panic.downcast().expect("a text")
}

#[test]
fn probe_expects_inspects_and_answers_one_message_at_a_time() {
    bounded(|| -> Tested {
        let (engine, probe) = (ActorEngine::new(), Probe::<StoreMessage>::new());
        engine.pool(1, probe.actor())?;
        let page: PageClient = engine.pool(1, PageMessage::actor(|| Page))?;

        page.edit(3, "three".to_owned())?;
        let shown = page.non_blocking().show(7);
        let received = probe.expect(LIMIT);
        assert!(!received.is_call());
        assert_eq!(received.into_message(), StoreMessage::Save(3, "three".to_owned()));
        match probe.expect(LIMIT).into_parts() {
            (StoreMessage::Load { id: 7 }, Some(To::Load(reply))) => reply.send(Some("seven".to_owned())),
            (message, _) => panic!("{message:?}"),
        }
        assert_eq!(shown.wait()??, "seven");
        assert!(probe.is_empty() && probe.try_next().is_none());

        let shown = page.non_blocking().show(8);
        probe.expect_request(StoreMessage::load(8), LIMIT).send(None);
        assert_eq!(shown.wait()??, "nothing");
        Ok(())
    })
    .unwrap();
}

#[test]
fn calls_can_be_answered_in_any_order() {
    bounded(|| -> Tested {
        let (engine, probe) = (ActorEngine::new(), Probe::<StoreMessage>::new());
        let store: StoreClient = engine.start(probe.actor())?;
        let (first, second, third) =
            (store.non_blocking().len(), store.non_blocking().later("now"), store.non_blocking().len());
        let one = probe.expect(LIMIT);
        let (message, two) = probe.expect_call(To::Later, LIMIT);
        let (_, three) = probe.expect_call(To::Len, LIMIT);
        assert_eq!(message, StoreMessage::Later("now".to_owned()));
        three.send(3);
        assert_eq!(third.wait()?, 3);
        two.send(2);
        assert_eq!(second.wait()?, 2);
        assert_eq!(one.answer(To::Len, 1), StoreMessage::Len);
        assert_eq!(first.wait()?, 1);
        engine.settle();
        assert_eq!(engine.stats().handled(), 3, "the probe's thread waits for nobody");
        Ok(())
    })
    .unwrap();
}

#[test]
fn call_that_nobody_answers_ends() {
    bounded(|| -> Tested {
        let (engine, probe) = (ActorEngine::new(), Probe::<StoreMessage>::new());
        let store: StoreClient = engine.start(probe.actor())?;
        let no_reply = Err(CallError::NoReply { message: "StoreMessage" });

        let dropped = store.non_blocking().len();
        drop(probe.expect(LIMIT));
        assert_eq!(dropped.wait(), no_reply);

        let taken = store.non_blocking().len();
        assert_eq!(probe.expect(LIMIT).into_message(), StoreMessage::Len);
        assert_eq!(taken.wait(), no_reply);

        let unread = store.non_blocking().len();
        engine.settle();
        drop(probe);
        assert_eq!(unread.wait(), no_reply);
        assert_eq!(store.len(), no_reply, "the probe is gone, and its actor is not");
        Ok(())
    })
    .unwrap();
}

#[test]
fn probe_says_what_came_instead() {
    bounded(|| -> Tested {
        let (engine, probe) = (ActorEngine::new(), Probe::<StoreMessage>::new());
        let store: StoreClient = engine.start(probe.actor())?;
        let nothing = catch_unwind(AssertUnwindSafe(|| probe.expect(Duration::from_millis(1)))).unwrap_err();
        assert_eq!(text(nothing), "no message came to the probe of `StoreMessage` within 1ms");

        store.save(1, String::new())?;
        let sent = catch_unwind(AssertUnwindSafe(|| probe.expect_call(To::Load, LIMIT))).unwrap_err();
        let expected =
            "a call of `StoreMessage::Load` was expected, and a send of `StoreMessage::Save` came to the probe";
        assert_eq!(text(sent), expected);

        let limit = Duration::from_millis(1);
        let nothing = catch_unwind(AssertUnwindSafe(|| probe.expect_call(To::Load, limit))).unwrap_err();
        let expected = "a call of `StoreMessage::Load` was expected, and nothing came to the probe within 1ms";
        assert_eq!(text(nothing), expected);

        let load = store.non_blocking().load(2);
        let other = catch_unwind(AssertUnwindSafe(|| probe.expect_call(To::Len, LIMIT))).unwrap_err();
        let expected =
            "a call of `StoreMessage::Len` was expected, and a call of `StoreMessage::Load` came to the probe";
        assert_eq!(text(other), expected);
        assert!(matches!(load.wait(), Err(CallError::NoReply { .. })));

        let load = store.non_blocking().load(2);
        let answered = catch_unwind(AssertUnwindSafe(|| probe.expect(LIMIT).answer(To::Len, 1))).unwrap_err();
        assert_eq!(
            text(answered),
            "a call of `StoreMessage::Load` cannot be answered as a call of `StoreMessage::Len`"
        );
        drop(load);

        let load = store.non_blocking().load(2);
        let request = StoreMessage::load(3);
        let other = catch_unwind(AssertUnwindSafe(|| probe.expect_request(request, LIMIT))).unwrap_err();
        let other = text(other);
        assert!(other.contains("another request") && other.contains("id: 2") && other.contains("id: 3"), "{other}");
        drop(load);

        let len = store.non_blocking().len();
        let received = probe.expect(LIMIT).into_call(To::Load).map(|(message, _)| message).unwrap_err();
        assert!(received.into_call(To::Len).is_ok_and(|(_, reply): (_, ReplyTo<usize>)| {
            reply.send(5);
            true
        }));
        assert_eq!(len.wait()?, 5, "what is not the call that was looked for can still be answered");
        Ok(())
    })
    .unwrap();
}

#[test]
fn what_a_probe_misses_is_blamed_on_the_test() {
    thread_local! {
        static BLAMED: Cell<Option<(&'static str, u32)>> = const { Cell::new(None) };
    }

    bounded(|| -> Tested {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            BLAMED.set(
                info.location().map(|place| if place.file() == file!() { (file!(), place.line()) } else { ("", 0) }),
            );
            before(info);
        }));
        let (engine, probe) = (ActorEngine::new(), Probe::<StoreMessage>::new());
        let store: StoreClient = engine.start(probe.actor())?;
        let blamed = |fails: &dyn Fn()| {
            assert!(catch_unwind(AssertUnwindSafe(fails)).is_err());
            BLAMED.take()
        };
        let nothing = Duration::ZERO;
        assert_eq!(blamed(&|| drop(probe.expect(nothing))), Some((file!(), line!())));
        assert_eq!(blamed(&|| drop(probe.expect_call(To::Len, nothing))), Some((file!(), line!())));
        assert_eq!(blamed(&|| drop(probe.expect_request(StoreMessage::len(), nothing))), Some((file!(), line!())));
        store.save(1, String::new())?;
        let received = Cell::new(Some(probe.expect(LIMIT)));
        assert_eq!(blamed(&|| drop(received.take().map(|it| it.answer(To::Len, 3)))), Some((file!(), line!())));
        Ok(())
    })
    .unwrap();
}

#[test]
fn probe_stands_in_for_a_whole_pool() {
    bounded(|| -> Tested {
        let (engine, probe) = (ActorEngine::new(), Probe::<StoreMessage>::new());
        let store: StoreClient = engine.pool(3, probe.actor())?;
        for id in 0..6 {
            store.save(id, String::new())?;
        }
        engine.settle();
        let mut ids: Vec<u64> = std::iter::from_fn(|| probe.try_next())
            .map(|received| match received.message() {
                StoreMessage::Save(id, _) => *id,
                other => panic!("{other:?}"),
            })
            .collect();
        ids.sort_unstable();
        assert_eq!(ids, [0, 1, 2, 3, 4, 5]);
        assert_eq!(engine.stats().threads.iter().map(|thread| thread.handled).collect::<Vec<_>>(), [2, 2, 2]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn mock_records_and_answers_from_its_script() {
    bounded(|| -> Tested {
        let mock = Mock::<StoreMessage>::new()
            .on(To::Load, |message| match message {
                StoreMessage::Load { id } => Some(format!("page {id}")),
                other => panic!("{other:?}"),
            })
            .script(To::Len, [1, 2])
            .on(To::Later, |_| 9);
        let engine = ActorEngine::new();
        let store: StoreClient = engine.pool(1, mock.actor())?;
        let page: PageClient = engine.pool(1, PageMessage::actor(|| Page))?;
        assert_eq!(page.show(4)??, "page 4");
        assert_eq!(mock.messages(), [StoreMessage::Load { id: 4 }], "recorded before it was answered");
        page.edit(5, "five".to_owned())?;
        engine.settle();
        assert_eq!((store.len()?, store.len()?, store.later("x")?), (1, 2, 9));
        let seen = mock.clone().messages();
        assert_eq!(seen[0], StoreMessage::Save(5, "five".to_owned()));
        assert_eq!(seen[1..], [StoreMessage::Len, StoreMessage::Len, StoreMessage::Later("x".to_owned())]);
        assert!(mock.messages().is_empty(), "they were taken");
        Ok(())
    })
    .unwrap();
}

#[test]
fn mock_says_what_its_script_lacks() {
    bounded(|| -> Tested {
        let mock = Mock::<StoreMessage>::new().script(To::Len, [1]);
        let engine = ActorEngine::new();
        let store: StoreClient = engine.pool(1, mock.actor().restart(Restart::always()))?;
        let panicked = |error: CallError| match error {
            CallError::Panicked { text, .. } => text.to_string(),
            other => other.to_string(),
        };
        assert_eq!(
            store.load(1).map_err(panicked),
            Err("the mock has no answer to a call of `StoreMessage::Load`".to_owned())
        );
        assert_eq!(store.len()?, 1, "script and record outlive a panic");
        assert_eq!(
            store.len().map_err(panicked),
            Err("the script of the mock has no further answer to a call of `StoreMessage::Len`".to_owned())
        );
        // A plain value of a variant with a reply asks for none.
        store.send(StoreMessage::Load { id: 2 })?;
        engine.settle();
        assert_eq!(mock.messages(), [StoreMessage::Len, StoreMessage::Load { id: 2 }]);

        let _mock = mock.on(To::Load, |_| None).on(To::Load, |_| Some("later rules win".to_owned()));
        assert_eq!(store.load(1)?.as_deref(), Some("later rules win"));
        Ok(())
    })
    .unwrap();
}

/// Every kind of definition has a double.
mod kinds {
    use super::{ActorEngine, Mock, Port, Probe, Rc, Tested, bounded};

    #[zctor::actor(ctx)]
    #[derive(Debug, PartialEq)]
    pub(super) enum CacheMessage<K: std::hash::Hash + Eq, V = String, const N: usize = 2>
    where
        V: Clone,
    {
        #[reply(Option<[V; N]>)]
        Get(#[key] K),
        #[cfg(any())]
        Gone(Nowhere),
        Put(K, V),
    }

    #[zctor::actor]
    pub(super) enum SendsMessage<T> {
        One(T),
    }

    /// A real handler beside the doubles, of a type with a parameter.
    struct Real<T>(Rc<T>);

    impl<T: 'static> SendsHandler<T> for Real<T>
    where
        T: Send,
    {
        fn one(&mut self, value: T) {
            self.0 = Rc::new(value);
        }
    }

    #[zctor::actor]
    #[deprecated]
    pub(super) enum OldMessage {
        #[deprecated]
        #[reply((), deferred)]
        One(Box<Self>),
        Two,
    }

    mod shadowed {
        #![no_implicit_prelude]
        #[::zctor::actor]
        pub(in super::super) enum BareMessage {
            #[reply(::core::option::Option<::std::string::String>)]
            Get,
        }
    }

    #[test]
    #[expect(deprecated, reason = "the definition must be silent by itself, and used")]
    fn deprecated_enum_has_doubles() {
        let boxed = OldMessage::One(Box::new(OldMessage::Two));
        assert!(matches!(boxed, OldMessage::One(two) if matches!(*two, OldMessage::Two)));
        assert!(Probe::<OldMessage>::new().is_empty());
    }

    #[test]
    fn enum_with_parameters_has_doubles() {
        bounded(|| -> Tested {
            let engine = ActorEngine::new();
            type Cached = CacheMessage<u8, u16, 3>;
            let mock = Mock::<Cached>::new().script(Port::<Cached>::Get, [Some([1, 2, 3])]);
            let cache: CacheClient<u8, u16, 3> = engine.start(mock.actor())?;
            assert_eq!(cache.get(7)?, Some([1, 2, 3]));
            cache.put(7, 8)?;
            engine.settle();
            assert_eq!(mock.messages(), [Cached::Get(7), Cached::Put(7, 8)]);

            let probe = Probe::<SendsMessage<Vec<u8>>>::new();
            engine.pool(1, probe.actor())?;
            engine.pool(1, SendsMessage::actor(|| Real(Rc::new(Vec::<u8>::new()))))?;
            engine.send(SendsMessage::One(vec![1_u8]))?;
            engine.send(SendsMessage::One(vec![2_u8]))?;
            engine.settle();
            assert!(
                probe
                    .try_next()
                    .is_some_and(|received| matches!(received.message(), SendsMessage::One(one) if *one == [1]))
            );
            assert!(probe.is_empty(), "the other went to the real one");
            Ok(())
        })
        .unwrap();
    }

    #[test]
    fn enum_inside_a_function_has_doubles() {
        #[zctor::actor(ctx)]
        #[derive(Debug, PartialEq)]
        enum LocalMessage {
            #[reply(u8)]
            Get,
        }

        bounded(|| -> Tested {
            let engine = ActorEngine::new();
            let mock = Mock::<LocalMessage>::new().on(Port::<LocalMessage>::Get, |_| 3);
            let local: LocalClient = engine.start(mock.actor())?;
            assert_eq!(local.get()?, 3);
            let bare = Mock::<shadowed::BareMessage>::new().on(Port::<shadowed::BareMessage>::Get, |_| None);
            assert_eq!(engine.start(bare.actor())?.get()?, None);
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn doubles_share_threads_with_real_actors() {
    bounded(|| -> Tested {
        let mock = Mock::<StoreMessage>::new().on(To::Load, |_| Some("mocked".to_owned()));
        let engine = ActorEngine::new();
        engine.spawn(ActorThread::new().register(mock.actor()).register(PageMessage::actor(|| Page)))?;
        assert_eq!(engine.client::<PageMessage>()?.show(1)??, "mocked");
        engine.shutdown()?;
        assert_eq!(mock.messages(), [StoreMessage::Load { id: 1 }]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn messages_that_doubles_hold_are_dropped_with_them() {
    #[actor]
    enum GuardMessage {
        Keep(DropGuard),
    }

    bounded(|| -> Tested {
        let (dropped, engine) = (Counter::new(), ActorEngine::new());
        let (probe, mock) = (Probe::<GuardMessage>::new(), Mock::<GuardMessage>::new());
        let (probed, mocked) = (engine.start(probe.actor())?, engine.start(mock.actor())?);
        probed.keep(dropped.guard())?;
        mocked.keep(dropped.guard())?;
        engine.settle();
        assert_eq!(dropped.get(), 0);
        drop(probe);
        assert_eq!(dropped.get(), 1);
        probed.keep(dropped.guard())?;
        engine.settle();
        assert_eq!(dropped.get(), 2, "nobody will look any more");
        engine.shutdown()?;
        drop((probed, mocked));
        assert_eq!(mock.messages().len(), 1);
        assert_eq!(dropped.get(), 3);
        Ok(())
    })
    .unwrap();
}

#[test]
fn probe_on_the_thread_of_its_caller_answers_when_the_test_does() {
    bounded(|| -> Tested {
        let (engine, probe) = (ActorEngine::new(), Probe::<StoreMessage>::new());
        engine.spawn(ActorThread::new().register(PageMessage::actor(|| Page)).register(probe.actor()))?;
        let page = engine.client::<PageMessage>()?;
        for _ in 0..2 {
            let shown = page.non_blocking().show(7);
            probe.expect_request(StoreMessage::load(7), LIMIT).send(Some("seven".to_owned()));
            assert_eq!(shown.wait()?, Ok("seven".to_owned()));
        }
        Ok(())
    })
    .unwrap();
}
