//! The non-blocking view has no method that waits.

use std::time::Duration;

use zctor::{ActorEngine, ActorThread, CallError, Client, InstanceId, Message, NonBlocking};
use zctor_tests::{Gate, LIMIT, bounded};

use crate::door::{Door, DoorMessage};

#[test]
fn call_all_of_the_non_blocking_view_gives_the_pendings() {
    bounded(|| {
        let engine = ActorEngine::new();
        let doors = engine.pool(3, DoorMessage::actor(Door::default)).unwrap();
        let gate = Gate::new();
        let held: Vec<InstanceId> = {
            let held = doors.non_blocking().call_all(DoorMessage::hold(gate.clone())).unwrap();
            gate.await_arrivals(3); // it has waited for none of them
            let waiting = held.iter().filter(|(_, held)| held.try_take().is_none()).map(|(id, _)| *id).collect();
            gate.open();
            held.into_iter().for_each(|(_, held)| assert_eq!(held.wait(), Ok(())));
            waiting
        };
        assert_eq!(held, doors.instances());
        let knocks = doors.non_blocking().within(LIMIT).call_all_with(|_| DoorMessage::knock()).unwrap();
        assert!(knocks.into_iter().all(|(_, knock)| knock.wait() == Ok(1)));
        engine.shutdown().unwrap();
        let stopped = CallError::Stopped { message: "DoorMessage" };
        assert_eq!(doors.non_blocking().call_all(DoorMessage::knock()).err(), Some(stopped));
    });
}

#[test]
fn both_views_have_non_blocking_and_keep_what_they_are_bound_to() {
    bounded(|| {
        let engine = ActorEngine::new();
        let doors = engine.pool(2, DoorMessage::actor(Door::default)).unwrap();
        let second = doors.instances()[1];
        let bound = doors.non_blocking().non_blocking().pin(second).within(LIMIT).non_blocking();
        assert_eq!(bound.instance_id(), Some(second));
        assert_eq!((bound.knock().wait(), bound.request(DoorMessage::knock()).wait()), (Ok(1), Ok(2)));
        assert!(doors.non_blocking().keyed(&7).least_loaded().knock().wait().is_ok());
        assert_eq!(bound, doors.pin(second).non_blocking());
    });
}

#[test]
fn a_send_of_the_non_blocking_view_does_not_wait_for_room() {
    bounded(|| {
        let engine = ActorEngine::new();
        engine.spawn(ActorThread::new().mailbox_bound(1).register(DoorMessage::actor(Door::default))).unwrap();
        let door = engine.client::<DoorMessage>().unwrap().non_blocking();
        let gate = Gate::new();
        let held = door.hold(gate.clone());
        gate.await_arrivals(1);
        door.ring().unwrap();
        assert!(door.ring().is_err_and(|error| error.is_full()));
        assert!(door.send(DoorMessage::Ring).is_err_and(|error| error.is_full()));
        assert!(door.send_all([DoorMessage::Ring]).is_err_and(|error| error.is_full()));
        assert!(
            door.recipient(|gate: Gate| DoorMessage::Hold(gate)).send(gate.clone()).is_err_and(|error| error.is_full())
        );
        assert_eq!(door.within(Duration::MAX).knock().wait(), Err(CallError::Full { message: "DoorMessage" }));
        gate.open();
        assert_eq!(held.wait(), Ok(()));
    });
}

#[test]
fn generic_code_takes_either_view() {
    fn ring<V>(client: &Client<DoorMessage, V>) -> bool {
        client.send(DoorMessage::Ring).is_ok() && client.request(DoorMessage::knock()).wait().is_ok()
    }
    fn instances<M: Message>(client: &M::NonBlockingClient) -> Vec<InstanceId> {
        let client: &Client<M, NonBlocking> = client;
        client.instances()
    }
    bounded(|| {
        let engine = ActorEngine::new();
        let doors = engine.pool(2, DoorMessage::actor(Door::default)).unwrap();
        assert!(ring(&doors) && ring(&doors.non_blocking()));
        assert_eq!(instances::<DoorMessage>(&doors.non_blocking()), doors.instances());
    });
}
