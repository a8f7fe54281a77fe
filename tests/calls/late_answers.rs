//! A wait that ends with the handler's time leaves the pending reply usable: no late answer is lost.

use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use zctor::{ActorEngine, CallError, Context, Pending, actor};
use zctor_tests::{Gate, LIMIT, bounded, receive};

/// As many as a trial lost of, when the handler's deadline still gave up what it waited for.
const ORDERS: u64 = if cfg!(miri) { 20 } else { 1_764 };
/// What a caller of the gateway waits.
const PATIENCE: Duration = Duration::from_millis(1);

#[actor]
enum RiskMessage {
    #[reply(())]
    Hold(Gate),
    #[reply(u64)]
    Reserve(u64),
    Release(u64),
    #[reply(u64)]
    Exposure,
}

#[derive(Default)]
struct Risk {
    exposure: u64,
}

impl RiskHandler for Risk {
    fn hold(&mut self, gate: Gate) {
        gate.pass();
    }
    fn reserve(&mut self, amount: u64) -> u64 {
        self.exposure += amount;
        amount
    }
    fn release(&mut self, amount: u64) {
        self.exposure -= amount;
    }
    fn exposure(&mut self) -> u64 {
        self.exposure
    }
}

type Seen = Option<Result<u64, CallError>>;

#[actor(calls(RiskMessage))]
enum GatewayMessage {
    /// Reserves, and takes back what comes too late for its caller.
    #[reply(())]
    Place(u64),
    #[msg(internal)]
    Late(Result<u64, CallError>),
    #[reply(u64)]
    TakenBack,
    /// Waits in vain under its caller's deadline, keeps the reply, and says what it has seen. The call has this limit
    /// of its own.
    #[reply(())]
    Keep(Option<Duration>, Sender<Seen>),
    /// Waits for what it has kept.
    #[reply(Result<u64, CallError>)]
    Kept,
    /// Waits for a call with a deadline of its own, which is over before the handler's time.
    #[reply(Vec<Seen>)]
    Own,
    /// As `Keep`, by `wait`, with a call that inherits no deadline: then only the reply ends the wait.
    #[reply(())]
    Free(Sender<Seen>),
}

#[derive(Default)]
struct Gateway {
    taken_back: u64,
    kept: Option<Pending<u64>>,
}

impl GatewayHandler for Gateway {
    fn place(&mut self, ctx: &mut Context<GatewayMessage>, amount: u64) {
        let risk = ctx.client::<RiskMessage>().expect("it lives");
        let reserved = risk.request(RiskMessage::reserve(amount));
        match reserved.wait_timeout(LIMIT) {
            Some(Err(CallError::HandlerTimeout { message: "RiskMessage" })) => {}
            other => panic!("the risk is held: {other:?}"),
        }
        ctx.pipe(reserved, GatewayMessage::Late);
    }
    fn late(&mut self, ctx: &mut Context<GatewayMessage>, outcome: Result<u64, CallError>) {
        ctx.send(RiskMessage::Release(outcome.expect("it was handled"))).expect("it lives");
        self.taken_back += 1;
    }
    fn taken_back(&mut self, _: &mut Context<GatewayMessage>) -> u64 {
        self.taken_back
    }
    fn keep(&mut self, ctx: &mut Context<GatewayMessage>, limit: Option<Duration>, seen: Sender<Seen>) {
        let risk = ctx.client::<RiskMessage>().expect("it lives");
        let reserved = limit.map_or_else(|| risk.clone(), |limit| risk.within(limit)).request(RiskMessage::reserve(7));
        for outcome in [Some(reserved.wait()), reserved.wait_timeout(LIMIT), reserved.try_take()] {
            seen.send(outcome).expect("the test listens");
        }
        self.kept = Some(reserved);
    }
    fn kept(&mut self, _: &mut Context<GatewayMessage>) -> Result<u64, CallError> {
        self.kept.take().expect("one was kept").wait()
    }
    fn own(&mut self, ctx: &mut Context<GatewayMessage>) -> Vec<Seen> {
        let risk = ctx.client::<RiskMessage>().expect("it lives").within(PATIENCE);
        let reserved = risk.request(RiskMessage::reserve(1));
        vec![Some(reserved.wait()), Some(reserved.wait())]
    }
    fn free(&mut self, ctx: &mut Context<GatewayMessage>, seen: Sender<Seen>) {
        let risk = ctx.without_deadline().client::<RiskMessage>().expect("it lives");
        seen.send(None).expect("the test listens");
        seen.send(Some(risk.request(RiskMessage::reserve(3)).wait())).expect("the test listens");
    }
}

/// An engine whose risk is held at the gate.
fn held() -> (ActorEngine, RiskClient, GatewayClient, Gate) {
    held_in(ActorEngine::new())
}

fn held_in(engine: ActorEngine) -> (ActorEngine, RiskClient, GatewayClient, Gate) {
    let risk = engine.pool(1, RiskMessage::actor(Risk::default)).expect("the factory does not fail");
    let gateway = engine.pool(1, GatewayMessage::actor(Gateway::default)).expect("the factory does not fail");
    let gate = Gate::new();
    risk.within(LIMIT).non_blocking().hold(gate.clone()).detach();
    gate.await_arrivals(1);
    (engine, risk, gateway, gate)
}

/// Calls until its handler has begun before its time was up: that takes more than one attempt on a busy machine. The
/// reply may come just in time.
fn outlast(mut call: impl FnMut() -> Result<(), CallError>) {
    loop {
        match call() {
            Ok(()) | Err(CallError::Timeout { begun: true, .. }) => return,
            Err(CallError::Timeout { begun: false, .. }) => {}
            Err(other) => panic!("its time was up: {other:?}"),
        }
    }
}

#[test]
fn late_answers_are_all_taken_back() {
    bounded(|| {
        let (engine, risk, gateway, gate) = held();
        for amount in 1..=ORDERS {
            outlast(|| gateway.within(PATIENCE).place(amount));
        }
        // Behind the last of them, whose handler may not have come to its wait by now.
        assert_eq!(gateway.taken_back(), Ok(0));
        gate.open();
        engine.settle();
        assert_eq!(gateway.taken_back(), Ok(ORDERS));
        assert_eq!(risk.exposure(), Ok(0));
        let report = engine.shutdown().unwrap();
        assert_eq!(report.left, 0);
    });
}

#[test]
fn a_pending_outlives_the_time_of_the_handler_that_waits_for_it() {
    bounded(|| {
        for limit in [None, Some(LIMIT)] {
            let (_engine, risk, gateway, gate) = held();
            let (tell, told) = mpsc::channel();
            outlast(|| gateway.within(PATIENCE).keep(limit, tell.clone()));
            let up = || Some(Err(CallError::HandlerTimeout { message: "RiskMessage" }));
            assert_eq!([receive(&told), receive(&told), receive(&told)], [up(), up(), None], "{limit:?}");
            gate.open();
            assert_eq!(gateway.kept(), Ok(Ok(7)), "{limit:?}");
            assert_eq!(risk.exposure(), Ok(7), "{limit:?}");
        }
    });
}

#[test]
fn a_handler_with_a_deadline_makes_pendings_without_the_default_of_the_engine() {
    bounded(|| {
        let default = Duration::from_millis(50);
        let (_engine, risk, gateway, gate) = held_in(ActorEngine::builder().default_deadline(default).build());
        let (tell, told) = mpsc::channel();
        outlast(|| gateway.within(PATIENCE).keep(None, tell.clone()));
        receive(&told);
        // Let the default pass.
        let (_never, nothing) = mpsc::channel::<()>();
        let _ = nothing.recv_timeout(2 * default);
        gate.open();
        assert_eq!(gateway.within(LIMIT).kept(), Ok(Ok(7)));
        assert_eq!(risk.within(LIMIT).exposure(), Ok(7));
    });
}

#[test]
fn a_pending_is_given_up_by_its_own_deadline() {
    bounded(|| {
        let (engine, risk, gateway, gate) = held();
        let seen = gateway.within(LIMIT).own().unwrap();
        let timeout = Err(CallError::Timeout { message: "RiskMessage", begun: false });
        assert_eq!(seen, [Some(timeout), Some(Err(CallError::NoReply { message: "RiskMessage" }))]);
        gate.open();
        engine.settle();
        assert_eq!(risk.exposure(), Ok(0));
        assert_eq!(engine.stats().skipped, 1);
    });
}

#[test]
fn a_call_made_free_of_the_deadline_is_waited_for_beyond_it() {
    bounded(|| {
        let (_engine, _risk, gateway, gate) = held();
        let (tell, told) = mpsc::channel();
        outlast(|| gateway.within(PATIENCE).free(tell.clone()));
        assert_eq!(receive(&told), None);
        gate.open();
        assert_eq!(receive(&told), Some(Ok(3)));
    });
}
