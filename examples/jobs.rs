//! A queue of jobs: retries, a progress bar, and an end at Ctrl-C.
//!
//! The queue pipes jobs to its workers, a few at a time, so it never waits and hears of a cancel at once. A job that
//! fails is tried again after a pause, three times in all. To cancel, the queue cancels its pipes: a job that has not
//! begun never will, and one at work sees that its caller is gone. Whoever shows the progress is a `Recipient` to the
//! queue. Look at the totals: each job is done, failed, or cancelled, once.
//!
//! ```text
//! cargo run --example jobs
//! cargo test -p zctor-examples --features testing --example jobs
//! ```

use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use zctor::{ActorEngine, CallError, Context, PipeHandle, Recipient, ReplyTo, actor};

/// How often a job is tried in all.
const TRIES: u32 = 3;
/// How many jobs are with the workers at a time.
const WINDOW: usize = 4;
/// How long a job waits for its next try.
const PAUSE: Duration = Duration::from_millis(2);

#[derive(Clone, Copy, Debug, PartialEq)]
struct Job {
    number: u64,
    tries: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Totals {
    done: u64,
    failed: u64,
    cancelled: u64,
    retried: u64,
}

#[actor(ctx)]
#[derive(Debug, PartialEq)]
enum WorkerMessage {
    /// Does a job, and gives its result or why it failed.
    #[reply(Result<u64, String>)]
    Run(Job),
}

#[actor(ctx, sends(WorkerMessage, ProgressMessage), handles(QueueControl = [Cancel]))]
#[derive(Debug, PartialEq)]
enum QueueMessage {
    Add(u64),
    /// Ends all jobs that are not done.
    Cancel,
    /// Answers when no job is left.
    #[reply(Totals, deferred)]
    Finish,
    #[msg(internal)]
    Ended {
        job: Job,
        outcome: Result<Result<u64, String>, CallError>,
    },
    #[msg(internal)]
    Again(Job),
}

#[actor]
#[derive(Debug, PartialEq)]
enum ProgressMessage {
    Show(Totals),
}

struct Worker;

impl WorkerHandler for Worker {
    fn run(&mut self, ctx: &mut Context<WorkerMessage>, job: Job) -> Result<u64, String> {
        let mut sum = 0_u64;
        for step in 0..1_000 {
            // A long job looks now and then whether anybody still wants it.
            if step % 100 == 0 && ctx.caller_gone() {
                return Err("cancelled".to_owned());
            }
            sum = sum.wrapping_add(step * job.number);
        }
        match (job.number % 10, job.tries) {
            (3, 0) => Err("a fault that passes".to_owned()),
            (7, _) => Err("a fault that stays".to_owned()),
            (9, 0) => panic!("a fault of the worker"),
            _ => Ok(sum),
        }
    }
}

struct Queue {
    waiting: VecDeque<Job>,
    under_way: HashMap<u64, PipeHandle>,
    /// Jobs that wait for their next try.
    pausing: u64,
    cancelled: bool,
    totals: Totals,
    finish: Vec<ReplyTo<Totals>>,
    progress: Recipient<Totals>,
}

impl Queue {
    fn new(progress: Recipient<Totals>) -> Self {
        Self {
            waiting: VecDeque::new(),
            under_way: HashMap::new(),
            pausing: 0,
            cancelled: false,
            totals: Totals::default(),
            finish: Vec::new(),
            progress,
        }
    }

    /// Fills the window, tells of the progress, and answers if nothing is left.
    fn go_on(&mut self, ctx: &Context<QueueMessage>) {
        while self.under_way.len() < WINDOW {
            let Some(job) = self.waiting.pop_front() else { break };
            let pipe = ctx.pipe(WorkerMessage::run(job), move |outcome| QueueMessage::Ended { job, outcome });
            self.under_way.insert(job.number, pipe);
        }
        self.progress.send(self.totals).unwrap_or_default(); // nobody need watch
        if self.under_way.is_empty() && self.pausing == 0 {
            self.finish.drain(..).for_each(|reply| reply.send(self.totals));
        }
    }
}

impl QueueHandler for Queue {
    fn add(&mut self, ctx: &mut Context<QueueMessage>, value: u64) {
        if self.cancelled {
            self.totals.cancelled += 1;
        } else {
            self.waiting.push_back(Job { number: value, tries: 0 });
        }
        self.go_on(ctx);
    }

    fn cancel(&mut self, ctx: &mut Context<QueueMessage>) {
        self.cancelled = true;
        self.totals.cancelled += self.waiting.drain(..).count() as u64;
        println!("cancelled, {} jobs are at work", self.under_way.values().filter(|pipe| pipe.is_under_way()).count());
        for (_, pipe) in self.under_way.drain() {
            // After this no message of the pipe comes, so the job is counted here.
            pipe.cancel();
            self.totals.cancelled += 1;
        }
        self.go_on(ctx);
    }

    fn finish(&mut self, ctx: &mut Context<QueueMessage>, reply: ReplyTo<Totals>) {
        self.finish.push(reply);
        self.go_on(ctx);
    }

    fn ended(&mut self, ctx: &mut Context<QueueMessage>, job: Job, outcome: Result<Result<u64, String>, CallError>) {
        self.under_way.remove(&job.number);
        let next = Job { tries: job.tries + 1, ..job };
        match outcome {
            Ok(Ok(_)) => self.totals.done += 1,
            // A failure, or a panic: the worker's state is built again, and the job is tried again.
            _ if next.tries < TRIES => {
                self.totals.retried += 1;
                self.pausing += 1;
                ctx.send_after(PAUSE * next.tries, QueueMessage::Again(next));
            }
            _ => self.totals.failed += 1,
        }
        self.go_on(ctx);
    }

    fn again(&mut self, ctx: &mut Context<QueueMessage>, value: Job) {
        self.pausing -= 1;
        if self.cancelled {
            self.totals.cancelled += 1;
        } else {
            self.waiting.push_back(value);
        }
        self.go_on(ctx);
    }
}

struct Progress(ProgressBar);

impl ProgressHandler for Progress {
    fn show(&mut self, value: Totals) {
        self.0.set_position(value.done + value.failed + value.cancelled);
        self.0.set_message(format!("{} retried, {} failed", value.retried, value.failed));
    }
}

/// Runs the jobs `1..=jobs` and gives what became of them. `halfway` gets what can cancel them, when half of them are in
/// the queue.
fn run(jobs: u64, halfway: impl FnOnce(QueueControl)) -> Result<Totals, Box<dyn Error>> {
    let engine = ActorEngine::new();
    let bar = ProgressBar::new(jobs).with_style(ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}")?);
    engine.on_panic(|_| {}); // no line on standard error: the queue hears of it by the error of its call
    let progress = engine.start(ProgressMessage::actor_once(move || Progress(bar)))?;
    engine.pool(zctor::available_threads(), WorkerMessage::actor(|| Worker))?;
    let shown = progress.recipient(ProgressMessage::Show);
    let queue = engine.start(QueueMessage::actor_once(move || Queue::new(shown)))?;

    let half = jobs / 2;
    (1..=half).try_for_each(|job| queue.add(job))?;
    halfway(QueueControl::from(&queue));
    (half + 1..=jobs).try_for_each(|job| queue.add(job))?;
    let totals = queue.finish()?;
    engine.shutdown()?;
    Ok(totals)
}

fn main() -> Result<(), Box<dyn Error>> {
    std::panic::set_hook(Box::new(|_| {})); // the workers' panics are meant

    // Ctrl-C and SIGTERM cancel what runs, and the program ends in order. The handle can do that and nothing else.
    let totals = run(100, |queue| {
        let handler = ctrlc::set_handler(move || queue.cancel().unwrap_or_default());
        handler.unwrap_or_else(|error| eprintln!("Ctrl-C will end the program at once: {error}"));
    })?;
    println!("{totals:?}");
    if totals.cancelled > 0 {
        return Err("interrupted".into()); // the exit code says it
    }
    // 10 of 100 fail for good, and 20 the first time: of them 10 by a panic. Those for good are tried twice more.
    assert_eq!(totals, Totals { done: 90, failed: 10, cancelled: 0, retried: 40 });

    // The same path as a signal takes.
    let totals = run(10_000, |queue| queue.cancel().unwrap_or_default())?;
    println!("{totals:?}");
    assert_eq!(totals.done + totals.failed + totals.cancelled, 10_000);
    assert!(totals.cancelled >= 5_000, "all that came after the cancel");
    Ok(())
}

#[cfg(test)]
#[path = "picture.rs"]
mod picture;

#[cfg(test)]
#[test]
fn the_picture_shows_the_definitions() {
    use zctor::Message;
    picture::shows("jobs.svg", [QueueMessage::DEFINITION, WorkerMessage::DEFINITION, ProgressMessage::DEFINITION]);
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use zctor::testing::{Port, Probe, context};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    fn queue(engine: &ActorEngine) -> (QueueClient, Probe<WorkerMessage>, Probe<ProgressMessage>) {
        let (workers, progress) = (Probe::<WorkerMessage>::new(), Probe::<ProgressMessage>::new());
        engine.pool(1, workers.actor()).unwrap();
        let shown = engine.start(progress.actor()).unwrap().recipient(ProgressMessage::Show);
        (engine.start(QueueMessage::actor_once(move || Queue::new(shown))).unwrap(), workers, progress)
    }

    #[test]
    fn a_job_fails_after_three_tries() {
        let engine = ActorEngine::new();
        let (queue, workers, _progress) = queue(&engine);
        queue.add(1).unwrap();
        let finish = queue.non_blocking().finish();
        for tries in 0..TRIES {
            let job = Job { number: 1, tries };
            workers.expect_request(WorkerMessage::run(job), LIMIT).send(Err("no".to_owned()));
        }
        assert_eq!(finish.wait(), Ok(Totals { failed: 1, retried: 2, ..Totals::default() }));
        engine.settle();
        assert!(workers.is_empty(), "no fourth try");
    }

    #[test]
    fn no_more_jobs_than_the_window_are_with_the_workers() {
        let engine = ActorEngine::new();
        let (queue, workers, _progress) = queue(&engine);
        (0..10).try_for_each(|job| queue.add(job)).unwrap();
        engine.settle();
        let mut begun: Vec<_> = std::iter::from_fn(|| workers.try_next()).collect();
        assert_eq!(begun.len(), WINDOW);
        begun.pop().unwrap().answer(Port::<WorkerMessage>::Run, Ok(1));
        workers.expect(LIMIT); // one is done, and the next comes
    }

    #[test]
    fn an_outcome_becomes_a_message_to_the_queue_itself() {
        let engine = ActorEngine::new();
        let progress = Probe::<ProgressMessage>::new();
        let shown = engine.start(progress.actor()).unwrap().recipient(ProgressMessage::Show);
        let (mut ctx, mut queue) = (context::<QueueMessage>(), Queue::new(shown));

        queue.add(&mut ctx, 1);
        let job = Job { number: 1, tries: 0 };
        let request = ctx.requested::<WorkerMessage>().pop().unwrap();
        assert!(request.is_call());
        let Ok((message, reply)) = request.into_call(Port::<WorkerMessage>::Run) else { panic!("another variant") };
        assert_eq!(message, WorkerMessage::Run(job));
        reply.send(Ok(3));
        assert_eq!(ctx.to_itself(), [QueueMessage::Ended { job, outcome: Ok(Ok(3)) }]);

        queue.ended(&mut ctx, job, Ok(Ok(3)));
        assert_eq!(queue.totals, Totals { done: 1, ..Totals::default() });
        match progress.expect(LIMIT).into_parts() {
            (ProgressMessage::Show(first), None) => assert_eq!(first, Totals::default()),
            (other, _) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_cancel_counts_each_job_once_and_is_shown() {
        let engine = ActorEngine::new();
        let (queue, workers, progress) = queue(&engine);
        (0..10).try_for_each(|job| queue.add(job)).unwrap();
        let begun = workers.expect(LIMIT);
        queue.cancel().unwrap();
        let totals = queue.finish().unwrap();
        assert_eq!(totals, Totals { cancelled: 10, ..Totals::default() });
        begun.answer(Port::<WorkerMessage>::Run, Ok(1)); // too late, and no harm
        engine.settle();
        assert_eq!(queue.finish().unwrap(), totals);
        engine.settle();
        let shown = std::iter::from_fn(|| progress.try_next()).last().map(|last| last.into_message());
        assert_eq!(shown, Some(ProgressMessage::Show(totals)));
    }
}
