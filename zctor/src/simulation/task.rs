//! Futures on a thread of a simulation, and waits for what is not zctor's.

use crate::simulation::body::{Outside, Simulation};
use crate::sys::executor::run_future;
use crate::sys::simulated::{drops_task, this_member};

impl Simulation {
    /// Awaits a future on this thread, with what it holds of zctor's: [`Pending`](crate::Pending)s,
    /// [`stopped`](crate::ActorEngine::stopped), a shutdown.
    ///
    /// Executors wait by means of their own, which a simulation does not control. This one waits by those of the
    /// simulation.
    ///
    /// # Blocking
    /// Until the future is ready. In a handler it holds the actor thread.
    ///
    /// ```
    /// use zctor::simulation::simulate;
    /// use zctor::{ActorEngine, actor};
    ///
    /// #[actor]
    /// pub enum AdderMessage {
    ///     #[reply(u32)]
    ///     Add(u32, u32),
    /// }
    /// struct Adder;
    /// impl AdderHandler for Adder {
    ///     fn add(&mut self, a: u32, b: u32) -> u32 {
    ///         a + b
    ///     }
    /// }
    ///
    /// simulate(|simulation| {
    ///     let engine = ActorEngine::new();
    ///     let adder: AdderClient = engine.pool(2, AdderMessage::actor(|| Adder))?;
    ///     let adder = adder.non_blocking();
    ///     let sum = simulation.block_on(async { adder.add(adder.add(2, 3).await?, 4).await })?;
    ///     assert_eq!(sum, 9);
    ///     engine.shutdown()?;
    ///     Ok(())
    /// })
    /// .seeds(0..20)
    /// .run();
    /// ```
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        match run_future(future, || false) {
            Some(output) => output,
            None => unreachable!("it is polled until it is ready"),
        }
    }

    /// Starts a thread of the simulation that awaits a future, as an executor would run a task.
    ///
    /// [`join`](Outside::join) gives what has come of it; `None` if a fault has dropped it on its way, which
    /// [`Faults::cancellations`](crate::simulation::Faults::cancellations) allows.
    ///
    /// # Panics
    /// If the system refuses the thread.
    ///
    /// ```
    /// zctor::simulation::simulate(|simulation| {
    ///     let task = simulation.spawn_task("adder", async { 2 + 3 });
    ///     assert_eq!(task.join(), Some(5));
    ///     Ok(())
    /// })
    /// .seeds(0..5)
    /// .run();
    /// ```
    pub fn spawn_task<F>(&self, name: &str, future: F) -> Outside<Option<F::Output>>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        self.spawn(name, move || run_future(future, drops_task))
    }

    /// Waits until a condition holds that is not zctor's: a counter that handlers share with the body, for instance. It
    /// is looked at after each step of another thread.
    ///
    /// The condition may look only: it must not send, call or wait. If it can never hold the run fails, since nobody can
    /// move.
    ///
    /// # Panics
    /// If this thread is none of the simulation.
    ///
    /// # Blocking
    /// Until the condition holds. In a handler it holds the actor thread.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicU32, Ordering};
    ///
    /// zctor::simulation::simulate(|simulation| {
    ///     let sold = Arc::new(AtomicU32::new(0));
    ///     let seller = {
    ///         let sold = Arc::clone(&sold);
    ///         simulation.spawn("seller", move || sold.store(1, Ordering::Relaxed))
    ///     };
    ///     simulation.wait_until(|| sold.load(Ordering::Relaxed) == 1);
    ///     Ok(seller.join())
    /// })
    /// .seeds(0..20)
    /// .run();
    /// ```
    pub fn wait_until(&self, mut holds: impl FnMut() -> bool) {
        while !holds() {
            match this_member() {
                Some(member) => member.wait_for_change(),
                None => panic!("this thread is no part of a simulation; start it by `Simulation::spawn`"),
            }
        }
    }
}
