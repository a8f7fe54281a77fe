//! Limits of restarts: beyond them an instance leaves, its pool goes on, and nothing is lost without a count.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use zctor::{ActorEngine, CallError, InstanceId, Restart, actor};
use zctor_tests::bounded;

const LONG: Duration = Duration::from_secs(3600);

#[actor]
enum FragileMessage {
    #[reply(usize)]
    Build,
    #[reply(())]
    Break,
}

/// Knows the how manieth of its kind it is.
struct Fragile(usize);

impl FragileHandler for Fragile {
    fn build(&mut self) -> usize {
        self.0
    }
    fn r#break(&mut self) {
        panic!("broken");
    }
}

fn pool(engine: &ActorEngine, n: usize, restart: Restart) -> FragileClient {
    let builds = Arc::new(AtomicUsize::new(0));
    let build = move || Fragile(builds.fetch_add(1, Ordering::Relaxed));
    engine.pool(n, FragileMessage::actor(build).restart(restart)).expect("its factory cannot fail")
}

fn break_at(client: &FragileClient, instance: InstanceId) {
    assert!(matches!(client.pin(instance).r#break(), Err(CallError::Panicked { .. })));
}

#[test]
fn never_ends_an_instance_at_its_first_panic() {
    bounded(|| {
        let engine = ActorEngine::new();
        let client = pool(&engine, 1, Restart::never());
        break_at(&client, client.instances()[0]);
        assert_eq!(client.build(), Err(CallError::NotRegistered { message: "FragileMessage" }));
        engine.settle();
        assert_eq!((engine.thread_count(), engine.stats().restarts), (0, 0));
    });
}

#[test]
fn a_limit_allows_so_many_rebuilds_within_its_window() {
    bounded(|| {
        let engine = ActorEngine::new();
        let client = pool(&engine, 1, Restart::at_most(2, LONG).backoff(Duration::ZERO, Duration::ZERO));
        let only = client.instances()[0];
        for rebuild in 1..=2 {
            break_at(&client, only);
            assert_eq!(client.build(), Ok(rebuild));
        }
        break_at(&client, only);
        assert_eq!(client.pin(only).build(), Err(CallError::Stopped { message: "FragileMessage" }));
        assert_eq!(engine.stats().restarts, 2);
    });
}

#[test]
fn beyond_the_limit_the_rest_of_the_pool_goes_on_in_turn() {
    bounded(|| {
        let engine = ActorEngine::new();
        let client = pool(&engine, 3, Restart::never());
        let ids = client.instances();
        let builds: Vec<usize> = ids.iter().map(|id| client.pin(*id).build().unwrap()).collect();
        break_at(&client, ids[1]);
        assert_eq!(client.instances(), [ids[0], ids[2]]);
        let served: Vec<usize> = (0..4).map(|_| client.build().unwrap()).collect();
        assert_eq!(served, [builds[0], builds[2], builds[0], builds[2]]);
    });
}

#[test]
fn mail_in_turn_for_one_that_is_beyond_its_limit_goes_to_its_siblings_and_pinned_mail_is_counted() {
    bounded(|| {
        let engine = ActorEngine::new();
        let client = pool(&engine, 2, Restart::never());
        let ids = client.instances();
        // One push holds what ends the first instance and what waits behind it.
        let broken = client.non_blocking().r#break();
        let on_second = client.non_blocking().build();
        let behind = client.non_blocking().build();
        let pinned = client.pin(ids[0]).non_blocking().build();
        assert!(matches!(broken.wait(), Err(CallError::Panicked { .. })));
        let sibling = on_second.wait().unwrap();
        // Sent in turn to the first: it answered no more, so its sibling did.
        assert_eq!(behind.wait(), Ok(sibling));
        assert_eq!(pinned.wait(), Err(CallError::Stopped { message: "FragileMessage" }));
        let report = engine.shutdown().unwrap();
        assert!(report.dead_letters <= 1, "the pinned call at most: {report}");
        assert_eq!((report.handled(), report.panicked()), (2, 1));
    });
}

#[test]
fn a_restart_without_rest_serves_the_next_call_at_once_however_often_it_panics() {
    bounded(|| {
        let engine = ActorEngine::new();
        let client = pool(&engine, 1, Restart::always().backoff(Duration::ZERO, Duration::ZERO));
        for rebuild in 1..=50 {
            break_at(&client, client.instances()[0]);
            assert_eq!(client.build(), Ok(rebuild));
        }
        assert_eq!(engine.stats().restarts, 50);
    });
}
