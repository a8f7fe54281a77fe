//! A blocking wait on a thread of a tokio runtime panics in debug builds, and says what to write instead.

use std::panic::{AssertUnwindSafe, Location, catch_unwind, set_hook, take_hook};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::runtime::Builder;
use zctor::{ActorEngine, Overflow, actor};
use zctor_nats::WorkQueue;
use zctor_tests::{bounded, receive};

use crate::nats::Server;

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum LampMessage {
    On,
    #[msg(durable)]
    #[reply(())]
    Flash,
}
struct Lamp;
impl LampHandler for Lamp {
    fn on(&mut self) {}
    fn flash(&mut self) {}
}

/// The place of the last panic that names `spawn_blocking`.
static REFUSED_AT: Mutex<Option<String>> = Mutex::new(None);

/// Fails unless this panics in the line that calls it, and says what to write.
#[track_caller]
fn is_refused<T>(code: impl FnOnce() -> T) {
    let caller = Location::caller();
    let panic = catch_unwind(AssertUnwindSafe(code)).err().expect("a wait on a thread of a runtime panics");
    let text = panic.downcast_ref::<&str>().copied().unwrap_or_default();
    assert!(text.contains("spawn_blocking"), "{text}");
    let place = REFUSED_AT.lock().expect("no other holds it").take().expect("the hook was told");
    assert_eq!(place, format!("{}:{}", caller.file(), caller.line()));
}

#[test]
fn every_wait_of_a_bridge_on_a_thread_of_a_runtime_panics() {
    bounded(|| {
        let server = Server::start_with_streams();
        let (bridge, engine, queue) = (server.bridge(), ActorEngine::new(), WorkQueue::new("jobs"));
        engine.pool(1, LampMessage::actor(|| Lamp)).expect("a pool");
        let before = take_hook();
        set_hook(Box::new(move |panic| match panic.payload().downcast_ref::<&str>() {
            Some(text) if text.contains("spawn_blocking") => {
                let place = panic.location().map(|place| format!("{}:{}", place.file(), place.line()));
                *REFUSED_AT.lock().expect("no other holds it") = place;
            }
            _ => before(panic),
        }));
        let runtime = Builder::new_current_thread().build().expect("it is built");
        runtime.block_on(async {
            is_refused(|| server.builder().connect());
            is_refused(|| bridge.serve::<LampMessage>(&engine));
            is_refused(|| bridge.serve_partitions::<LampMessage>(&engine, 0..1, 1));
            is_refused(|| bridge.serve_durable::<LampMessage>(&engine, &queue));
            is_refused(|| bridge.attach::<LampMessage>(&engine));
            is_refused(|| bridge.attach_partitions::<LampMessage>(&engine, 1));
            is_refused(|| bridge.attach_bounded::<LampMessage>(&engine, 1, Overflow::Wait));
            is_refused(|| bridge.attach_durable::<LampMessage>(&engine, &queue));
            is_refused(|| bridge.broadcast(LampMessage::On, Duration::ZERO));
            is_refused(|| bridge.broadcast_expecting(LampMessage::On, 1, Duration::ZERO));
            is_refused(|| bridge.flush(Duration::ZERO));
            is_refused(|| bridge.leave(Duration::ZERO));
            assert!(bridge.is_connected() && bridge.books().is_balanced(), "what does not wait may be called");
            assert_eq!(bridge.queue_books().under_way(), 0);
            is_refused(|| bridge.close(Duration::ZERO));
        });
    });
}

#[test]
fn a_hook_on_the_thread_of_a_bridge_may_wait_for_that_until_a_limit() {
    bounded(|| {
        let (server, here) = (Server::start(), ActorEngine::new());
        let bridge = Arc::new(server.bridge());
        let (own, (tell, told)) = (Arc::clone(&bridge), mpsc::channel());
        // Nobody serves the pool, and the bridge says so on its own thread, which drives a runtime.
        here.on_dead_letter(move |_| {
            own.flush(Duration::ZERO);
            tell.send(own.leave(Duration::ZERO).is_drained()).unwrap_or_default();
        });
        let lamp = bridge.attach::<LampMessage>(&here).expect("a link");
        lamp.on().expect("the link takes it");
        assert!(receive(&told));
        drop(bridge);
    });
}
