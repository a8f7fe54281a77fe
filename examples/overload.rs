//! More work than a worker can do: what is refused, what is given up, and what is told.
//!
//! The worker is held at a gate, so its mailbox of two places fills. The next message comes back in its error, and is
//! sent again when there is room. A call has a deadline, and a worker that has too little time left does not begin. At
//! the end the worker is stopped before its last messages: the hooks get them. Look at the counts: every message is
//! handled, refused, or told.
//!
//! ```text
//! cargo run --example overload
//! ```

use std::error::Error;
use std::sync::mpsc;
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, CallError, Context, Overflow, ReplyTo, SendError, Undelivered, actor};

#[actor(ctx)]
enum WorkMessage {
    /// Waits at the gate.
    Work(u32),
    /// Gives the time that its caller has left, or nothing if the caller waits without a limit.
    #[reply(Option<Duration>)]
    TimeLeft,
    /// Answers only when somebody sends `Answer`.
    #[reply(u32, deferred)]
    Later,
    /// Answers, and gives the number of callers that had given up.
    #[reply(usize)]
    Answer,
}

struct Worker {
    begun: mpsc::Sender<u32>,
    gate: mpsc::Receiver<()>,
    callers: Vec<ReplyTo<u32>>,
}

impl WorkHandler for Worker {
    fn work(&mut self, _ctx: &mut Context<WorkMessage>, value: u32) {
        self.begun.send(value).unwrap_or_default();
        self.gate.recv().unwrap_or_default();
    }

    fn time_left(&mut self, ctx: &mut Context<WorkMessage>) -> Option<Duration> {
        ctx.time_left()
    }

    fn later(&mut self, _ctx: &mut Context<WorkMessage>, reply: ReplyTo<u32>) {
        self.callers.push(reply);
    }

    fn answer(&mut self, _ctx: &mut Context<WorkMessage>) -> usize {
        let gone = self.callers.extract_if(.., |caller| caller.is_given_up()).count();
        self.callers.drain(..).for_each(|caller| caller.send(7));
        gone
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    const LIMIT: Duration = Duration::from_secs(30);
    const SHORT: Duration = Duration::from_millis(1);

    let engine = ActorEngine::builder().name("overload").default_deadline(LIMIT).build();
    let (tell, told) = mpsc::channel();
    engine.on_dead_letter(move |letter| tell.send((letter.variant, letter.why)).unwrap_or_default());
    let (begun, begins) = mpsc::channel();
    let (open, gate) = mpsc::channel();
    let (keep, kept) = mpsc::channel();
    // Its stack is for shallow work, and its mailbox for two messages: a third is refused, not waited for.
    let thread = ActorThread::named("worker").stack_size(256 * 1024).mailbox_bound(2).overflow(Overflow::Refuse);
    let worker = WorkMessage::actor_once(move || Worker { begun, gate, callers: Vec::new() });
    let worker = worker.on_undelivered(move |message, why| {
        if let WorkMessage::Work(number) = message {
            keep.send((number, why)).unwrap_or_default();
        }
    });
    engine.spawn(thread.register(worker))?;
    let worker = engine.client::<WorkMessage>()?;

    // One at work, two in the mailbox, and no room for the fourth: it comes back.
    worker.work(1)?;
    assert_eq!(begins.recv_timeout(LIMIT)?, 1);
    worker.work(2)?;
    worker.work(3)?;
    let Err(error @ SendError::Full(_)) = worker.work(4) else { return Err("there was room for a third".into()) };
    println!("{error}");
    let again = error.into_inner();
    assert_eq!(engine.stats().queued(), 3);
    assert_eq!(engine.stats().refused, 1);
    open.send(())?;
    assert_eq!(begins.recv_timeout(LIMIT)?, 2); // so its place is free
    worker.send(again)?;
    open.send(())?;
    open.send(())?;
    assert_eq!((begins.recv_timeout(LIMIT)?, begins.recv_timeout(LIMIT)?), (3, 4));
    open.send(())?;
    engine.settle();

    // A handler knows how long its caller waits. The engine's deadline holds for those that have none of their own.
    assert!(worker.time_left()?.is_some_and(|left| left <= LIMIT));
    assert!(worker.within(Duration::from_secs(5)).time_left()?.is_some_and(|left| left <= Duration::from_secs(5)));

    // Two callers wait for a late answer. One looks in for a moment and stays, the other gives up.
    let (stays, leaves) = (worker.non_blocking().later(), worker.within(SHORT).non_blocking().later());
    assert!(stays.wait_timeout(SHORT).is_none(), "no answer so far");
    // The engine ends the wait; whether the worker had begun, the error says.
    assert!(matches!(leaves.wait(), Err(CallError::Timeout { .. })));
    drop(leaves);
    let gone = worker.answer()?;
    println!("{gone} of the callers had given up");
    assert_eq!(stays.wait()?, 7);
    engine.settle();

    // Stopped while a message waits behind: its own hook gets the message, and the engine's hook the event.
    worker.work(5)?;
    assert_eq!(begins.recv_timeout(LIMIT)?, 5);
    assert_eq!(worker.stop_all()?, 1);
    worker.work(6)?;
    open.send(())?;
    assert_eq!(kept.recv_timeout(LIMIT)?, (6, Undelivered::Ended));
    engine.settle();
    assert!(worker.work(7).is_err_and(|error| error.is_not_registered()));

    let report = engine.shutdown_timeout(LIMIT)?;
    let error = worker.work(8).expect_err("the engine has stopped");
    assert!(error.is_stopped() && !error.is_full());
    println!("{report}");
    let told: Vec<_> = told.try_iter().collect();
    assert_eq!(told.len() as u64, report.dead_letters);
    assert!(told.contains(&("Work", Undelivered::Ended)));
    Ok(())
}
