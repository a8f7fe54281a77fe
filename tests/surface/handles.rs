//! A handle reaches the variants that it lists, the way its client does, and nothing else.

use std::fmt::Debug;
use std::time::Duration;

use zctor::{ActorEngine, CallError, NonBlocking, SendError, actor};
use zctor_tests::{Gate, LIMIT, bounded};

type Tested = Result<(), Box<dyn std::error::Error + Send + Sync>>;

#[actor(handles(ReaderClient = [Get, Len], WriterClient = [Put, Clear]))]
enum StoreMessage {
    #[reply(Option<u32>)]
    Get {
        #[key]
        key: String,
    },
    #[reply(usize)]
    Len,
    Put {
        #[key]
        #[msg(into)]
        key: String,
        value: u32,
    },
    Clear,
    Hold(Gate),
}

#[derive(Default)]
struct Store(std::collections::BTreeMap<String, u32>);

impl StoreHandler for Store {
    fn get(&mut self, key: String) -> Option<u32> {
        self.0.get(&key).copied()
    }
    fn len(&mut self) -> usize {
        self.0.len()
    }
    fn put(&mut self, key: String, value: u32) {
        self.0.insert(key, value);
    }
    fn clear(&mut self) {
        self.0.clear();
    }
    fn hold(&mut self, value: Gate) {
        value.pass();
    }
}

fn is_a_client<T: Clone + Debug + Eq + Send + Sync + 'static>(_: &T) {}

#[test]
fn handle_calls_and_sends_as_its_client_does() {
    bounded(|| -> Tested {
        let engine = ActorEngine::new();
        let store: StoreClient = engine.pool(4, StoreMessage::actor(Store::default))?;
        let (reader, writer) = (ReaderClient::from(&store), WriterClient::from(store));
        for (key, value) in [("a", 1), ("b", 2), ("c", 3)] {
            writer.put(key, value)?;
            assert_eq!(reader.get(key.to_owned())?, Some(value), "the key leads both to one instance");
        }
        assert_eq!(reader.non_blocking().get("b".to_owned()).wait()?, Some(2));
        writer.non_blocking().put("d", 4)?;
        assert_eq!(reader.get("d".to_owned())?, Some(4));
        Ok(())
    })
    .unwrap();
}

#[test]
fn handle_keeps_view_limit_and_binding_of_its_client() {
    bounded(|| -> Tested {
        let engine = ActorEngine::new();
        let store: StoreClient = engine.pool(3, StoreMessage::actor(Store::default))?;

        let second = store.pin(store.instances()[1]);
        let (reader, gate) = (ReaderClient::from(&second), Gate::new());
        second.hold(gate.clone())?;
        gate.await_arrivals(1);
        let limited = ReaderClient::from(second.within(Duration::from_millis(1)));
        assert!(matches!(limited.len(), Err(CallError::Timeout { begun: false, .. })), "bound to the one that is held");
        assert!(matches!(reader.within(Duration::from_millis(1)).len(), Err(CallError::Timeout { .. })));
        gate.open();
        assert_eq!(reader.within(LIMIT).len()?, 0);

        let pending: ReaderClient<NonBlocking> = store.non_blocking().into();
        assert_eq!(pending.len().wait()?, 0);
        Ok(())
    })
    .unwrap();
}

#[test]
fn handle_is_a_value_like_its_client() {
    bounded(|| -> Tested {
        let engine = ActorEngine::new();
        let store: StoreClient = engine.pool(2, StoreMessage::actor(Store::default))?;
        let reader = ReaderClient::from(&store);
        is_a_client(&reader);
        is_a_client(&reader.non_blocking());
        assert_eq!(reader.clone(), reader);
        assert_ne!(reader, ReaderClient::from(store.pin(store.instances()[0])));
        assert_eq!(format!("{reader:?}"), "Client(StoreMessage)");
        let size = std::thread::scope(|scope| scope.spawn(|| reader.len()).join());
        assert!(matches!(size, Ok(Ok(0))));
        Ok(())
    })
    .unwrap();
}

#[test]
fn refused_message_comes_back_through_a_handle() {
    bounded(|| -> Tested {
        let engine = ActorEngine::new();
        let store: StoreClient = engine.pool(1, StoreMessage::actor(Store::default))?;
        let writer = WriterClient::from(store);
        engine.shutdown()?;
        match writer.put("late", 7) {
            Err(SendError::Stopped(refused)) => {
                assert!(matches!(refused.into_inner(), StoreMessage::Put { key, value: 7 } if key == "late"));
            }
            other => panic!("the engine has stopped: {other:?}"),
        }
        assert!(writer.clear().is_err_and(|error| error.is_stopped()));
        Ok(())
    })
    .unwrap();
}

/// Parameters and their defaults go through handles.
mod generic {
    use super::{ActorEngine, Tested, bounded};

    #[zctor::actor(handles(SourceClient = [Next]))]
    enum QueueMessage<T = String, const N: usize = 2>
    where
        T: Clone,
    {
        #[reply(Option<[T; N]>)]
        Next,
        Add(#[msg(into)] T),
    }

    struct Queue<T>(Vec<T>);

    impl<T: Clone + Send + 'static, const N: usize> QueueHandler<T, N> for Queue<T> {
        fn next(&mut self) -> Option<[T; N]> {
            let items = self.0.get(..N)?.to_vec();
            self.0.drain(..N);
            items.try_into().ok()
        }
        fn add(&mut self, value: T) {
            self.0.push(value);
        }
    }

    #[test]
    fn handle_of_a_generic_enum_works() {
        bounded(|| -> Tested {
            let engine = ActorEngine::new();
            let queue: QueueClient = engine.pool(1, QueueMessage::actor(|| Queue(Vec::new())))?;
            let source: SourceClient = (&queue).into();
            queue.add("one")?;
            assert_eq!(source.next()?, None);
            queue.add('2')?;
            assert_eq!(source.next()?, Some(["one".to_owned(), "2".to_owned()]));
            Ok(())
        })
        .unwrap();
    }
}
