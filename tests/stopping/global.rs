//! The engine of the process: made on first use, the same for all, ended by `shutdown`.

use zctor::{ActorEngine, CallError, actor};
use zctor_tests::bounded;

#[actor]
enum CounterMessage {
    #[reply(u64)]
    Increment,
}

#[derive(Default)]
struct Counter(u64);

impl CounterHandler for Counter {
    fn increment(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }
}

// One test: the engine is the process's, and ends for good.
#[test]
fn the_global_engine_is_one_and_ends_with_its_shutdown() {
    bounded(|| {
        let engine: &'static ActorEngine = ActorEngine::global();
        assert!(std::ptr::eq(engine, ActorEngine::global()));
        let counter = engine.pool(2, CounterMessage::actor(Counter::default)).unwrap();
        assert_eq!(counter.increment(), Ok(1));
        let others = std::thread::scope(|scope| {
            scope.spawn(|| ActorEngine::global().call(CounterMessage::increment())).join().unwrap()
        });
        assert_eq!(others, Ok(1));
        assert_eq!(ActorEngine::global().thread_count(), 2);
        assert_eq!(ActorEngine::global().shutdown().unwrap().handled(), 2);
        assert_eq!(counter.increment(), Err(CallError::Stopped { message: "CounterMessage" }));
        assert!(matches!(
            ActorEngine::global().call(CounterMessage::increment()),
            Err(CallError::Stopped { .. } | CallError::NotRegistered { .. })
        ));
    });
}
