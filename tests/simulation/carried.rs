//! Code that a handler hands to other threads is a part of it, in whatever order they run: it waits for what the handler
//! may wait for, nothing hangs, and each call ends.

use std::sync::{Arc, Mutex, PoisonError};

use zctor::simulation::{Faults, Outside, Simulation, simulate};
use zctor::{ActorEngine, ActorThread, BoxError, CallError, Carried, Context, actor};

#[actor]
enum CellarMessage {
    #[reply(u32)]
    Take(u32, u32),
    #[reply(Vec<(u32, u32)>)]
    Taken,
}

#[derive(Default)]
struct Cellar(Vec<(u32, u32)>);

impl CellarHandler for Cellar {
    fn take(&mut self, who: u32, number: u32) -> u32 {
        self.0.push((who, number));
        number
    }

    fn taken(&mut self) -> Vec<(u32, u32)> {
        self.0.clone()
    }
}

const EACH: u32 = 3;

type Taken = Result<u32, CallError>;

/// Takes some, one after the other, until one fails. Gives how many it got, and why one failed.
fn take(carried: &Carried, cellar: &CellarClient, who: u32) -> (u32, Option<CallError>) {
    for number in 0..EACH {
        let taken: Taken = carried.run(|| cellar.take(who, number));
        match taken {
            Ok(taken) => assert_eq!(taken, number),
            Err(error) => return (number, Some(error)),
        }
    }
    (EACH, None)
}

/// The threads that work on when their handlers have returned.
type Working = Arc<Mutex<Vec<Outside<(u32, Option<CallError>)>>>>;

#[actor(calls(CellarMessage))]
enum ButlerMessage {
    /// Gives how many two helpers got together, and why one of them got no more.
    #[reply((u32, Option<CallError>))]
    Serve(u32),
    /// Has a helper work on by itself.
    Send(u32),
}

struct Butler {
    simulation: Simulation,
    working: Working,
}

impl Butler {
    fn helper(&self, ctx: &Context<ButlerMessage>, who: u32) -> Outside<(u32, Option<CallError>)> {
        let carried = ctx.carry();
        let cellar: CellarClient = ctx.client::<CellarMessage>().expect("the cellar lives");
        self.simulation.spawn("helper", move || take(&carried, &cellar, who))
    }
}

impl ButlerHandler for Butler {
    fn serve(&mut self, ctx: &mut Context<ButlerMessage>, who: u32) -> (u32, Option<CallError>) {
        let helpers = [who, who + 1].map(|who| self.helper(ctx, who));
        let [one, other] = helpers.map(|helper| helper.join());
        (one.0 + other.0, one.1.or(other.1))
    }

    fn send(&mut self, ctx: &mut Context<ButlerMessage>, who: u32) {
        let helper = self.helper(ctx, who);
        self.working.lock().unwrap_or_else(PoisonError::into_inner).push(helper);
    }
}

fn butler(simulation: &Simulation, working: &Working) -> zctor::Actor<ButlerMessage, Butler> {
    let (simulation, working) = (simulation.clone(), Arc::clone(working));
    ButlerMessage::actor(move || Butler { simulation: simulation.clone(), working: Arc::clone(&working) })
}

fn beside_each_other(simulation: &Simulation) -> Result<(), BoxError> {
    let (engine, working) = (ActorEngine::new(), Working::default());
    let is_together = simulation.below(2) == 0;
    let (cellar, butlers) = (CellarMessage::actor(Cellar::default), butler(simulation, &working));
    if is_together {
        // A helper's wait for the thread that waits for it is refused.
        engine.spawn(ActorThread::new().register(cellar).register(butlers))?;
    } else {
        engine.pool(1, cellar)?;
        engine.pool(2, butlers)?;
    }
    let butlers: ButlerClient = engine.client::<ButlerMessage>()?;
    let guests = [0, 2].map(|who| {
        let butlers = butlers.clone();
        simulation.spawn("guest", move || butlers.serve(who))
    });
    for guest in guests {
        let (got, error) = guest.join()?;
        if is_together {
            assert!(matches!(error, Some(CallError::Undeclared { .. })) && got == 0, "{got}, {error:?}");
        } else {
            assert_eq!((got, error), (2 * EACH, None));
        }
    }
    let taken = engine.call(CellarMessage::taken())?;
    for who in 0..4 {
        let of_one: Vec<u32> = taken.iter().filter(|(by, _)| *by == who).map(|(_, number)| *number).collect();
        let all: Vec<u32> = if is_together { Vec::new() } else { (0..EACH).collect() };
        assert_eq!(of_one, all, "of {who}: {taken:?}");
    }
    engine.shutdown()?;
    Ok(())
}

#[test]
fn helpers_of_a_handler_wait_for_what_it_may_wait_for_and_are_refused_what_waits_for_it() {
    simulate(beside_each_other).seeds(0..500).run();
}

fn behind_its_handler(simulation: &Simulation) -> Result<(), BoxError> {
    let (engine, working) = (ActorEngine::new(), Working::default());
    let cellar: CellarClient = engine.pool(1, CellarMessage::actor(Cellar::default))?;
    let butlers: ButlerClient = engine.pool(1, butler(simulation, &working))?;
    butlers.send(0)?;
    butlers.send(1)?;
    engine.settle();
    let taken = if simulation.below(2) == 0 { Some(cellar.taken()?) } else { None };
    let report = engine.shutdown()?;
    let working = std::mem::take(&mut *working.lock().unwrap_or_else(PoisonError::into_inner));
    let mut got = 0;
    for helper in working {
        let (taken, error) = helper.join();
        got += u64::from(taken);
        match error {
            None => assert_eq!(taken, EACH),
            Some(CallError::Stopped { .. } | CallError::NotRegistered { .. }) => simulation.mark("the engine was gone"),
            Some(error) => return Err(error.into()),
        }
    }
    assert_eq!(report.handled(), 2 + u64::from(taken.is_some()) + got, "each that was answered ran: {report}");
    Ok(())
}

#[test]
fn code_that_outlives_its_handler_ends_each_call() {
    simulate(behind_its_handler).must_reach(&["the engine was gone"]).seeds(0..500).run();
}

#[test]
fn with_panics_and_timeouts_each_call_of_a_helper_ends_too() {
    let search = simulate(|simulation| {
        let (engine, working) = (ActorEngine::new(), Working::default());
        engine.pool(1, CellarMessage::actor(Cellar::default))?;
        let butlers: ButlerClient = engine.pool(2, butler(simulation, &working))?;
        let limit = std::time::Duration::from_millis(1 + simulation.below(20));
        let guests = [0, 2].map(|who| {
            let butlers = butlers.clone();
            simulation.spawn("guest", move || butlers.within(limit).serve(who))
        });
        for guest in guests {
            let ends = match guest.join() {
                Ok((_, helper)) => {
                    // The deadline of the handler is that of its helpers.
                    if matches!(helper, Some(CallError::Timeout { .. })) {
                        simulation.mark("a helper's time was up");
                    }
                    helper
                }
                Err(error) => Some(error),
            };
            match ends {
                None | Some(CallError::Timeout { .. } | CallError::Panicked { .. }) => {}
                Some(error) => return Err(error.into()),
            }
        }
        engine.settle();
        let report = engine.shutdown()?;
        assert_eq!(report.left, 0, "{report}");
        Ok(())
    });
    let search = search.faults(Faults::new().panics().timeouts()).allow_panics();
    search.must_reach(&["a helper's time was up"]).seeds(0..1_000).run();
}
