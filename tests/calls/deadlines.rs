//! A deadline ends a wait, travels with the calls below it, and tells whether the handler had begun.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use zctor::{ActorEngine, ActorThread, CallError, Context, actor};
use zctor_tests::{AMPLE, Gate, LIMIT, bounded, receive};

use crate::door::{Door, DoorMessage};

const SHORT: Duration = Duration::from_millis(30);
const LONG: Duration = LIMIT;

type Outcome = Result<(), CallError>;

#[actor(calls(DoorMessage))]
enum GuestMessage {
    /// Calls the door and reports how it ended.
    #[reply(())]
    Visit(Gate, Sender<Outcome>),
    /// The same by a client.
    #[reply(())]
    VisitByClient(Gate, Sender<Outcome>),
    /// The same without the deadline of its caller.
    #[reply(())]
    Stay(Gate, Sender<Outcome>),
    #[reply(())]
    StayByClient(Gate, Sender<Outcome>),
    /// The same with more time than its caller has.
    #[reply(())]
    Hope(Gate, Sender<Outcome>),
    /// Sends `VisitAfter` to itself.
    #[reply(())]
    Postpone(Receiver<()>, Gate, Sender<Outcome>),
    /// Calls the door once it is told to.
    VisitAfter(Receiver<()>, Gate, Sender<Outcome>),
}

struct Guest;

impl GuestHandler for Guest {
    fn visit(&mut self, ctx: &mut Context<GuestMessage>, gate: Gate, seen: Sender<Outcome>) {
        seen.send(ctx.call(DoorMessage::hold(gate))).expect("the test listens");
    }
    fn visit_by_client(&mut self, ctx: &mut Context<GuestMessage>, gate: Gate, seen: Sender<Outcome>) {
        let door = ctx.client::<DoorMessage>().expect("the door lives");
        seen.send(door.hold(gate)).expect("the test listens");
    }
    fn stay(&mut self, ctx: &mut Context<GuestMessage>, gate: Gate, seen: Sender<Outcome>) {
        seen.send(ctx.without_deadline().call(DoorMessage::hold(gate))).expect("the test listens");
    }
    fn stay_by_client(&mut self, ctx: &mut Context<GuestMessage>, gate: Gate, seen: Sender<Outcome>) {
        let door = ctx.without_deadline().client::<DoorMessage>().expect("the door lives");
        seen.send(door.hold(gate)).expect("the test listens");
    }
    fn hope(&mut self, ctx: &mut Context<GuestMessage>, gate: Gate, seen: Sender<Outcome>) {
        let door = ctx.client::<DoorMessage>().expect("the door lives");
        seen.send(door.within(LONG).hold(gate)).expect("the test listens");
    }
    fn postpone(&mut self, ctx: &mut Context<GuestMessage>, go: Receiver<()>, gate: Gate, seen: Sender<Outcome>) {
        ctx.me().visit_after(go, gate, seen).expect("it lives itself");
    }
    fn visit_after(&mut self, ctx: &mut Context<GuestMessage>, go: Receiver<()>, gate: Gate, seen: Sender<Outcome>) {
        receive(&go);
        seen.send(ctx.call(DoorMessage::hold(gate))).expect("the test listens");
    }
}

/// Calls the guest, who calls the door.
#[actor(calls(GuestMessage))]
enum HostMessage {
    #[reply(())]
    Invite(Gate, Sender<Outcome>),
}

struct Host;

impl HostHandler for Host {
    fn invite(&mut self, ctx: &mut Context<HostMessage>, gate: Gate, seen: Sender<Outcome>) {
        // The guest's own time is up as well, so it may or may not answer in time.
        let _ = ctx.call(GuestMessage::visit(gate, seen));
    }
}

fn engine() -> ActorEngine {
    let engine = ActorEngine::new();
    for thread in [
        ActorThread::new().register(DoorMessage::actor(Door::default)),
        ActorThread::new().register(GuestMessage::actor(|| Guest)),
        ActorThread::new().register(HostMessage::actor(|| Host)),
    ] {
        engine.spawn(thread).expect("the factories do not fail");
    }
    engine
}

#[expect(clippy::disallowed_methods, reason = "the test measures a lower bound")]
fn now() -> Instant {
    Instant::now()
}

/// Lets `duration` pass. Nothing is ordered by it: it only makes sure that a deadline is over.
fn let_pass(duration: Duration) {
    let (_never, nothing) = mpsc::channel::<()>();
    let _ = nothing.recv_timeout(duration);
}

#[test]
fn a_call_that_never_began_times_out_and_never_runs() {
    bounded(|| {
        let engine = engine();
        let door = engine.client::<DoorMessage>().unwrap();
        let gate = Gate::new();
        let held = door.non_blocking().hold(gate.clone());
        gate.await_arrivals(1);
        let before = now();
        let expected = CallError::Timeout { message: "DoorMessage", begun: false };
        assert_eq!(door.within(SHORT).knock(), Err(expected.clone()));
        assert!(before.elapsed() >= SHORT);
        assert_eq!(door.within(SHORT).call(DoorMessage::knock()), Err(expected));
        gate.open();
        held.wait().unwrap();
        assert_eq!(door.knocks(), Ok(0));
        engine.settle();
        assert_eq!(engine.stats().skipped, 2);
        // A retry is safe, and the client has its time anew.
        assert_eq!(door.within(LONG).knock(), Ok(1));
    });
}

#[test]
fn no_time_at_all_is_a_timeout_of_a_call_that_never_began() {
    bounded(|| {
        let engine = engine();
        let door = engine.client::<DoorMessage>().unwrap();
        let gate = Gate::new();
        let held = door.non_blocking().hold(gate.clone());
        gate.await_arrivals(1);
        let refused = door.within(Duration::ZERO).knock();
        assert_eq!(refused, Err(CallError::Timeout { message: "DoorMessage", begun: false }));
        gate.open();
        held.wait().unwrap();
        assert_eq!(door.knocks(), Ok(0));
    });
}

#[test]
fn a_call_that_had_begun_says_so_and_runs_to_its_end() {
    bounded(|| {
        let engine = engine();
        let door = engine.client::<DoorMessage>().unwrap();
        let gate = Gate::new();
        // Should the machine be so slow that it does not begin in time, it is tried again.
        while door.within(SHORT).hold(gate.clone()) == Err(CallError::Timeout { message: "DoorMessage", begun: false })
        {
        }
        gate.await_arrivals(1);
        gate.open();
        assert_eq!(door.knock(), Ok(1));
        let report = engine.shutdown().unwrap();
        assert_eq!(report.left, 0);
    });
}

#[test]
fn a_begun_call_is_reported_as_begun() {
    bounded(|| {
        let engine = engine();
        let door = engine.client::<DoorMessage>().unwrap();
        let gate = Gate::new();
        thread::scope(|scope| {
            let limited = door.within(AMPLE);
            let held = gate.clone();
            let call = scope.spawn(move || limited.hold(held));
            gate.await_arrivals(1);
            assert_eq!(call.join().unwrap(), Err(CallError::Timeout { message: "DoorMessage", begun: true }));
            gate.open();
        });
        engine.settle();
        assert_eq!(engine.stats().skipped, 0);
    });
}

#[test]
fn a_nested_call_inherits_what_is_left() {
    bounded(|| {
        for by_client in [false, true] {
            let engine = engine();
            let guest = engine.client::<GuestMessage>().unwrap();
            let (gate, closed) = (Gate::new(), Gate::new());
            let held = engine.client::<DoorMessage>().unwrap().non_blocking().hold(gate.clone());
            gate.await_arrivals(1);
            let (seen, outcomes) = mpsc::channel();
            // No gate opens before the inner call has ended: without a deadline it would never.
            let limited = guest.within(SHORT);
            let outer = if by_client {
                limited.visit_by_client(closed.clone(), seen)
            } else {
                limited.visit(closed.clone(), seen)
            };
            // The inner call ends at the same moment, so the outer one may be answered or given up.
            assert!(matches!(outer, Ok(()) | Err(CallError::Timeout { .. })), "{outer:?}");
            if outer != Err(CallError::Timeout { message: "GuestMessage", begun: false }) {
                let inner = receive(&outcomes);
                assert_eq!(inner, Err(CallError::Timeout { message: "DoorMessage", begun: false }));
            }
            gate.open();
            held.wait().unwrap();
        }
    });
}

#[test]
fn a_deadline_reaches_two_calls_deep() {
    bounded(|| {
        let engine = engine();
        let host = engine.client::<HostMessage>().unwrap();
        let (gate, closed) = (Gate::new(), Gate::new());
        let held = engine.client::<DoorMessage>().unwrap().non_blocking().hold(gate.clone());
        gate.await_arrivals(1);
        let (seen, outcomes) = mpsc::channel();
        let outer = host.within(AMPLE).invite(closed, seen);
        assert!(matches!(outer, Ok(()) | Err(CallError::Timeout { begun: true, .. })), "{outer:?}");
        assert_eq!(receive(&outcomes), Err(CallError::Timeout { message: "DoorMessage", begun: false }));
        gate.open();
        held.wait().unwrap();
        engine.settle();
        assert_eq!(engine.stats().skipped, 1);
    });
}

#[test]
fn within_inside_a_handler_does_not_outlast_the_caller() {
    bounded(|| {
        let engine = engine();
        let guest = engine.client::<GuestMessage>().unwrap();
        let (gate, closed) = (Gate::new(), Gate::new());
        let held = engine.client::<DoorMessage>().unwrap().non_blocking().hold(gate.clone());
        gate.await_arrivals(1);
        let (seen, outcomes) = mpsc::channel();
        let outer = guest.within(AMPLE).hope(closed, seen);
        assert!(matches!(outer, Ok(()) | Err(CallError::Timeout { begun: true, .. })), "{outer:?}");
        assert_eq!(receive(&outcomes), Err(CallError::Timeout { message: "DoorMessage", begun: false }));
        gate.open();
        held.wait().unwrap();
    });
}

#[test]
fn a_call_without_deadline_outlasts_the_caller() {
    bounded(|| {
        for by_client in [false, true] {
            let engine = engine();
            let guest = engine.client::<GuestMessage>().unwrap();
            let gate = Gate::new();
            let (seen, outcomes) = mpsc::channel();
            let limited = guest.within(AMPLE);
            let outer =
                if by_client { limited.stay_by_client(gate.clone(), seen) } else { limited.stay(gate.clone(), seen) };
            assert_eq!(outer, Err(CallError::Timeout { message: "GuestMessage", begun: true }));
            gate.open();
            assert_eq!(receive(&outcomes), Ok(()));
        }
    });
}

#[test]
fn a_send_carries_no_deadline() {
    bounded(|| {
        let engine = engine();
        let guest = engine.client::<GuestMessage>().unwrap();
        let (gate, outcome) = (Gate::new(), mpsc::channel());
        let (go, told) = mpsc::channel();
        let limit = Duration::from_millis(200);
        let before = now();
        // The call may be late on a slow machine; what it sent goes on all the same.
        let _ = guest.within(limit).postpone(told, gate.clone(), outcome.0);
        let_pass(limit.saturating_sub(before.elapsed()) + SHORT);
        go.send(()).unwrap();
        gate.await_arrivals(1);
        gate.open();
        assert_eq!(receive(&outcome.1), Ok(()));
    });
}

#[test]
fn a_limit_too_big_for_the_clock_waits_without_limit() {
    bounded(|| {
        let engine = engine();
        let door = engine.client::<DoorMessage>().unwrap();
        let gate = Gate::new();
        thread::scope(|scope| {
            let limited = door.within(Duration::MAX);
            let held = gate.clone();
            let call = scope.spawn(move || limited.hold(held));
            gate.await_arrivals(1);
            let pending = door.within(Duration::MAX).non_blocking().knock();
            let waiting = scope.spawn(move || pending.wait_timeout(Duration::MAX));
            let_pass(SHORT);
            gate.open();
            assert_eq!(call.join().unwrap(), Ok(()));
            assert_eq!(waiting.join().unwrap(), Some(Ok(1)));
        });
    });
}

#[test]
fn a_pending_has_the_deadline_of_its_client() {
    bounded(|| {
        let engine = engine();
        let door = engine.client::<DoorMessage>().unwrap();
        let gate = Gate::new();
        let held = door.non_blocking().hold(gate.clone());
        gate.await_arrivals(1);
        let before = now();
        let late = door.within(SHORT).non_blocking().knock();
        assert_eq!(late.wait(), Err(CallError::Timeout { message: "DoorMessage", begun: false }));
        assert!(before.elapsed() >= SHORT);
        gate.open();
        held.wait().unwrap();
        assert_eq!(door.knocks(), Ok(0));
    });
}

#[test]
fn call_all_waits_under_one_deadline() {
    bounded(|| {
        let engine = ActorEngine::new();
        let door = engine.pool(3, DoorMessage::actor(Door::default)).unwrap();
        let gate = Gate::new();
        let instances = door.instances();
        let held = door.pin(instances[1]).non_blocking().hold(gate.clone());
        gate.await_arrivals(1);
        let replies = door.within(AMPLE).call_all_with(|_| DoorMessage::knock()).unwrap();
        assert_eq!(replies.iter().map(|(id, _)| *id).collect::<Vec<_>>(), instances);
        let late = CallError::Timeout { message: "DoorMessage", begun: false };
        assert_eq!(replies.into_iter().map(|(_, reply)| reply).collect::<Vec<_>>(), [Ok(1), Err(late), Ok(1)]);
        gate.open();
        held.wait().unwrap();
        engine.settle();
        assert_eq!(door.pin(instances[1]).knocks(), Ok(0));
    });
}

#[test]
fn a_call_queued_on_a_thread_shared_with_a_busy_neighbour_never_runs_when_given_up() {
    bounded(|| {
        let engine = ActorEngine::new();
        engine
            .spawn(
                ActorThread::new().register(DoorMessage::actor(Door::default)).register(GuestMessage::actor(|| Guest)),
            )
            .unwrap();
        let guest = engine.client::<GuestMessage>().unwrap();
        let door = engine.client::<DoorMessage>().unwrap();
        let (gate, closed) = (Gate::new(), Gate::new());
        let held = door.non_blocking().hold(gate.clone());
        gate.await_arrivals(1);
        let (seen, _outcomes) = mpsc::channel();
        assert_eq!(
            guest.within(SHORT).visit(closed.clone(), seen),
            Err(CallError::Timeout { message: "GuestMessage", begun: false })
        );
        gate.open();
        held.wait().unwrap();
        engine.settle();
        assert_eq!(engine.stats().skipped, 1);
        assert_eq!(door.knock(), Ok(1));
    });
}

/// Undoes what its caller has given up.
#[actor(calls(DoorMessage))]
enum UndoMessage {
    /// Once it is told to, calls the door in every way that waits, without the deadline of its caller.
    #[reply(())]
    Undo(Receiver<()>, [Gate; 4], Sender<Vec<Outcome>>),
}

struct Undo;

impl UndoHandler for Undo {
    fn undo(&mut self, ctx: &mut Context<UndoMessage>, go: Receiver<()>, gates: [Gate; 4], seen: Sender<Vec<Outcome>>) {
        receive(&go);
        let [first, second, third, fourth] = gates;
        let late = ctx.call(DoorMessage::hold(first.clone()));
        let door = ctx.without_deadline().client::<DoorMessage>().expect("the door lives");
        let mut outcomes = vec![late, door.hold(first)];
        let all = door.call_all_with(|_| DoorMessage::hold(second.clone())).expect("the door lives");
        outcomes.extend(all.into_iter().map(|(_, outcome)| outcome));
        outcomes.push(door.non_blocking().hold(third).wait());
        outcomes.push(door.non_blocking().hold(fourth).wait_timeout(LIMIT).expect("the gate is opened"));
        seen.send(outcomes).expect("the test listens");
    }
}

#[test]
fn a_client_without_deadline_outlasts_the_caller_however_it_waits() {
    bounded(|| {
        let engine = engine();
        let undo = engine.pool(1, UndoMessage::actor(|| Undo)).unwrap();
        let gates = [(); 4].map(|()| Gate::new());
        let (go, told) = mpsc::channel();
        let (seen, outcomes) = mpsc::channel();
        let outer = undo.within(AMPLE).undo(told, gates.clone(), seen);
        assert_eq!(outer, Err(CallError::Timeout { message: "UndoMessage", begun: true }));
        go.send(()).unwrap();
        for gate in gates {
            // Time for a wait that should not end to end.
            let_pass(SHORT);
            gate.open();
        }
        let late = Err(CallError::Timeout { message: "DoorMessage", begun: false });
        assert_eq!(receive(&outcomes), [late, Ok(()), Ok(()), Ok(()), Ok(())]);
    });
}

/// As `engine`, with a deadline for calls that have none.
fn engine_with_default(limit: Duration) -> ActorEngine {
    let engine = ActorEngine::builder().default_deadline(limit).build();
    for thread in [
        ActorThread::new().register(DoorMessage::actor(Door::default)),
        ActorThread::new().register(GuestMessage::actor(|| Guest)),
        ActorThread::new().register(PatientMessage::actor(|| Patient)),
    ] {
        engine.spawn(thread).expect("the factories do not fail");
    }
    engine
}

/// Calls the door in other ways than the guest does.
#[actor(calls(DoorMessage))]
enum PatientMessage {
    /// Asks all doors.
    #[reply(())]
    VisitAll(Gate, Sender<Outcome>),
    /// Has the reply sent to itself.
    Pipe(Gate, Sender<Outcome>),
    Piped(Outcome, Sender<Outcome>),
    /// Waits for a `Pending`, with nobody's deadline but the engine's.
    Later(Gate, Sender<Outcome>),
}

struct Patient;

impl PatientHandler for Patient {
    fn visit_all(&mut self, ctx: &mut Context<PatientMessage>, gate: Gate, seen: Sender<Outcome>) {
        let doors = ctx.client::<DoorMessage>().expect("the door lives");
        let replies = doors.call_all_with(|_| DoorMessage::hold(gate.clone())).expect("the door lives");
        let outcome = replies.into_iter().try_for_each(|(_, outcome)| outcome);
        seen.send(outcome).expect("the test listens");
    }
    fn pipe(&mut self, ctx: &mut Context<PatientMessage>, gate: Gate, seen: Sender<Outcome>) {
        ctx.pipe(DoorMessage::hold(gate), |outcome| PatientMessage::Piped(outcome, seen));
    }
    fn piped(&mut self, _: &mut Context<PatientMessage>, outcome: Outcome, seen: Sender<Outcome>) {
        seen.send(outcome).expect("the test listens");
    }
    fn later(&mut self, ctx: &mut Context<PatientMessage>, gate: Gate, seen: Sender<Outcome>) {
        let pending = ctx.non_blocking::<DoorMessage>().expect("the door lives").hold(gate);
        seen.send(pending.wait()).expect("the test listens");
    }
}

fn late(begun: bool) -> CallError {
    CallError::Timeout { message: "DoorMessage", begun }
}

#[test]
fn the_default_deadline_is_for_calls_that_have_none() {
    bounded(|| {
        let engine = engine_with_default(SHORT);
        let door = engine.client::<DoorMessage>().unwrap();
        let gate = Gate::new();
        door.send(DoorMessage::Hold(gate.clone())).unwrap();
        gate.await_arrivals(1);
        let before = now();
        assert_eq!(door.knock(), Err(late(false)));
        assert!(before.elapsed() >= SHORT);
        assert_eq!(engine.call(DoorMessage::knock()), Err(late(false)));
        assert_eq!(engine.handle().call(DoorMessage::knock()), Err(late(false)));
        assert_eq!(door.pin(door.instances()[0]).knock(), Err(late(false)));
        let before = now();
        let pending = door.non_blocking().knock();
        assert_eq!(pending.wait(), Err(late(false)));
        assert!(before.elapsed() >= SHORT);
        assert_eq!(door.request(DoorMessage::knock()).wait_timeout(LONG), Some(Err(late(false))));
        assert_eq!(door.call_all(DoorMessage::knock()).unwrap()[0].1, Err(late(false)));
        gate.open();
        engine.settle();
        assert_eq!((door.within(LONG).knocks(), engine.stats().skipped), (Ok(0), 7));
    });
}

#[test]
fn the_default_deadline_travels_and_holds_inside_handlers() {
    bounded(|| {
        let engine = engine_with_default(AMPLE);
        let (gate, closed) = (Gate::new(), Gate::new());
        engine.send(DoorMessage::Hold(gate.clone())).unwrap();
        gate.await_arrivals(1);
        // A call from outside has it, and what its handler calls inherits it.
        let (seen, outcomes) = mpsc::channel();
        let outer = engine.call(GuestMessage::visit(closed.clone(), seen));
        assert!(matches!(outer, Ok(()) | Err(CallError::Timeout { begun: true, .. })), "{outer:?}");
        assert_eq!(receive(&outcomes), Err(late(false)));
        // A send carries none, so that what its handler calls has the default.
        let (seen, outcomes) = mpsc::channel();
        let (go, told) = mpsc::channel();
        engine.send(GuestMessage::VisitAfter(told, closed.clone(), seen.clone())).unwrap();
        let before = now();
        go.send(()).unwrap();
        assert_eq!(receive(&outcomes), Err(late(false)));
        assert!(before.elapsed() >= AMPLE);
        engine.send(PatientMessage::Later(closed.clone(), seen.clone())).unwrap();
        assert_eq!(receive(&outcomes), Err(late(false)));
        engine.send(PatientMessage::VisitAll(closed, seen)).unwrap();
        assert_eq!(receive(&outcomes), Err(late(false)));
        gate.open();
    });
}

#[test]
fn what_a_caller_has_left_beats_the_default() {
    bounded(|| {
        let engine = engine_with_default(SHORT);
        let guest = engine.client::<GuestMessage>().unwrap().within(LONG);
        let patient = engine.client::<PatientMessage>().unwrap().within(LONG);
        type Visit = fn(&GuestClient, &PatientClient, Gate, Sender<Outcome>) -> Result<(), CallError>;
        let visits: [Visit; 3] = [
            |guest, _, gate, seen| guest.visit(gate, seen),
            |guest, _, gate, seen| guest.visit_by_client(gate, seen),
            |_, patient, gate, seen| patient.visit_all(gate, seen),
        ];
        for (i, visit) in visits.into_iter().enumerate() {
            let (gate, (seen, outcomes)) = (Gate::new(), mpsc::channel());
            let (guest, patient) = (GuestClient::from((*guest).clone()), PatientClient::from((*patient).clone()));
            thread::scope(|scope| {
                let held = gate.clone();
                let outer = scope.spawn(move || visit(&guest, &patient, held, seen));
                gate.await_arrivals(1);
                let_pass(2 * SHORT);
                gate.open();
                assert_eq!((outer.join().unwrap(), receive(&outcomes)), (Ok(()), Ok(())), "visit {i}");
            });
        }
    });
}

#[test]
fn within_beats_the_default_both_ways() {
    bounded(|| {
        let engine = engine_with_default(SHORT);
        let door = engine.client::<DoorMessage>().unwrap();
        let gate = Gate::new();
        thread::scope(|scope| {
            let (patient, held) = (door.within(LONG), gate.clone());
            let waiting = scope.spawn(move || patient.hold(held));
            gate.await_arrivals(1);
            let pending = door.within(LONG).non_blocking().knock();
            let_pass(2 * SHORT);
            gate.open();
            assert_eq!((waiting.join().unwrap(), pending.wait()), (Ok(()), Ok(1)));
        });
        let engine = engine_with_default(LONG * 100);
        let door = engine.client::<DoorMessage>().unwrap();
        let gate = Gate::new();
        door.send(DoorMessage::Hold(gate.clone())).unwrap();
        gate.await_arrivals(1);
        assert_eq!(door.within(SHORT).knock(), Err(late(false)));
        assert_eq!(door.within(SHORT).non_blocking().knock().wait(), Err(late(false)));
        gate.open();
    });
}

#[test]
fn pipes_and_calls_without_deadline_have_no_default_either() {
    bounded(|| {
        let engine = engine_with_default(SHORT);
        let open = |gates: &[&Gate]| {
            let_pass(2 * SHORT);
            gates.iter().for_each(|gate| gate.open());
        };
        for by_client in [false, true] {
            let (gate, (seen, outcomes)) = (Gate::new(), mpsc::channel());
            let held = gate.clone();
            // A send, so that it has no caller to inherit from.
            let stay = if by_client { GuestMessage::StayByClient(held, seen) } else { GuestMessage::Stay(held, seen) };
            engine.send(stay).unwrap();
            gate.await_arrivals(1);
            open(&[&gate]);
            assert_eq!(receive(&outcomes), Ok(()));
        }
        let (before, gate, (seen, outcomes)) = (Gate::new(), Gate::new(), mpsc::channel());
        engine.send(DoorMessage::Hold(before.clone())).unwrap();
        before.await_arrivals(1);
        engine.send(PatientMessage::Pipe(gate.clone(), seen)).unwrap();
        open(&[&before]);
        gate.await_arrivals(1);
        open(&[&gate]);
        assert_eq!(receive(&outcomes), Ok(()));
    });
}

#[test]
fn a_default_too_big_for_the_clock_is_none() {
    bounded(|| {
        let engine = engine_with_default(Duration::MAX);
        let door = engine.client::<DoorMessage>().unwrap();
        let gate = Gate::new();
        thread::scope(|scope| {
            let (client, held) = (door.clone(), gate.clone());
            let waiting = scope.spawn(move || client.hold(held));
            gate.await_arrivals(1);
            gate.open();
            assert_eq!((waiting.join().unwrap(), door.knock()), (Ok(()), Ok(1)));
        });
    });
}

#[test]
fn the_default_ends_a_calls_wait_for_room_and_no_sends() {
    bounded(|| {
        let engine = ActorEngine::builder().default_deadline(SHORT).build();
        engine.spawn(ActorThread::new().mailbox_bound(1).register(DoorMessage::actor(Door::default))).unwrap();
        let door = engine.client::<DoorMessage>().unwrap();
        let gate = Gate::new();
        door.send(DoorMessage::Hold(gate.clone())).unwrap();
        gate.await_arrivals(1);
        door.send(DoorMessage::Knock).unwrap();
        let before = now();
        assert_eq!(door.knock(), Err(CallError::Full { message: "DoorMessage" }));
        assert!(before.elapsed() >= SHORT);
        thread::scope(|scope| {
            let client = door.clone();
            let sender = scope.spawn(move || client.send(DoorMessage::Knock).is_ok());
            let_pass(2 * SHORT);
            assert!(!sender.is_finished());
            gate.open();
            assert!(sender.join().unwrap());
        });
        engine.settle();
        assert_eq!(door.within(LONG).knocks(), Ok(2));
    });
}
