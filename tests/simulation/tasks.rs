//! A future of zctor's may be polled by one task and then by another, and dropped at any time: the task that polled it last
//! is woken, and nothing is lost or left behind.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use zctor::simulation::{Faults, Simulation, simulate};
use zctor::{ActorEngine, ActorThread, BoxError, CallError, ReplyTo, actor};

#[actor]
enum DeskMessage {
    Note(u32),
    #[reply(u32)]
    Ask(u32),
    #[reply(u32, deferred)]
    Wait(u32),
    /// Answers those that wait.
    Answer,
    #[reply(Vec<u32>)]
    Noted,
}

#[derive(Default)]
struct Desk {
    noted: Vec<u32>,
    waiting: Vec<(ReplyTo<u32>, u32)>,
}

impl DeskHandler for Desk {
    fn note(&mut self, number: u32) {
        self.noted.push(number);
    }

    fn ask(&mut self, number: u32) -> u32 {
        self.noted.push(number);
        number
    }

    fn wait(&mut self, number: u32, reply: ReplyTo<u32>) {
        self.noted.push(number);
        self.waiting.push((reply, number));
    }

    fn answer(&mut self) {
        self.waiting.drain(..).for_each(|(reply, number)| reply.send(number));
    }

    fn noted(&mut self) -> Vec<u32> {
        self.noted.clone()
    }
}

/// Whether the task was woken, which is not polled unless it was.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A future that tasks hand on to one another.
struct Baton<T> {
    work: Work<T>,
    done: Option<T>,
}

impl<T: Send + 'static> Baton<T> {
    fn new(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self { work: Box::pin(work), done: None }
    }

    fn poll(&mut self, woken: &Arc<Woken>) {
        if self.done.is_none() {
            let waker = Waker::from(Arc::clone(woken));
            if let Poll::Ready(value) = self.work.as_mut().poll(&mut Context::from_waker(&waker)) {
                self.done = Some(value);
            }
        }
    }

    /// A task polls it once, and hands it on without being woken.
    fn pass_on(mut self, simulation: &Simulation) -> Self {
        let task = simulation.spawn("task", move || {
            self.poll(&Arc::default());
            self
        });
        task.join()
    }

    /// The task that has it last: it polls once by itself, and then only when it was woken. A wake that is lost is a hang.
    fn finish(mut self, simulation: &Simulation) -> T {
        let woken = Arc::<Woken>::default();
        loop {
            self.poll(&woken);
            match self.done.take() {
                Some(value) => return value,
                None => simulation.wait_until(|| woken.0.swap(false, Ordering::SeqCst)),
            }
        }
    }
}

/// What a task does with a future: it hands it on some times, and then drops it or sees it through. `None`: it was dropped.
fn go<T: Send + 'static>(simulation: &Simulation, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
    let mut baton = Baton::new(work);
    for _ in 0..simulation.below(3) {
        baton = baton.pass_on(simulation);
    }
    if simulation.below(4) == 0 {
        return baton.done;
    }
    Some(baton.finish(simulation))
}

/// One of the ways to send or call. Gives whether it was done: `None` if nobody knows, since it was dropped.
fn one(simulation: &Simulation, desk: &DeskClient, number: u32) -> Option<Result<(), CallError>> {
    let view = desk.non_blocking();
    let is_answered = |reply: Result<u32, CallError>| reply.map(|reply| assert_eq!(reply, number));
    match simulation.below(5) {
        // The message goes out, or not, when the future is made.
        0 => go(simulation, view.ask(number)).map(is_answered),
        1 => go(simulation, view.wait(number)).map(is_answered),
        2 => go(simulation, async move { view.call_async(DeskMessage::ask(number)).await }).map(is_answered),
        3 => go(simulation, async move { view.call_async(DeskMessage::wait(number)).await }).map(is_answered),
        _ => {
            let sent = go(simulation, async move { view.send_async(DeskMessage::Note(number)).await });
            sent.map(|sent| {
                sent.map_err(|refused| match refused.is_full() {
                    true => CallError::Full { message: "DeskMessage" },
                    false => CallError::Stopped { message: "DeskMessage" },
                })
            })
        }
    }
}

const TASKS: u32 = 2;
const EACH: u32 = 3;

fn moved_and_dropped(simulation: &Simulation) -> Result<(), BoxError> {
    let engine = ActorEngine::new();
    let desk: DeskClient = engine.start_on(ActorThread::new().mailbox_bound(1), DeskMessage::actor(Desk::default))?;
    let tasks = (0..TASKS).map(|task| {
        let (desk, inside) = (desk.clone(), simulation.clone());
        simulation.spawn("tasks", move || {
            let numbers = task * 10..task * 10 + EACH;
            numbers.map(|number| (number, one(&inside, &desk, number))).collect::<Vec<_>>()
        })
    });
    let tasks: Vec<_> = tasks.collect();
    let is_over = Arc::new(AtomicBool::new(false));
    let answering = {
        let (desk, is_over) = (desk.clone(), Arc::clone(&is_over));
        simulation.spawn("answering", move || {
            while !is_over.load(Ordering::SeqCst) {
                desk.answer().expect("it lives");
                zctor::sleep(Duration::from_millis(1));
            }
        })
    };
    let ends: Vec<_> = tasks.into_iter().flat_map(|task| task.join()).collect();
    is_over.store(true, Ordering::SeqCst);
    answering.join();
    let mut noted = desk.noted()?;
    noted.sort_unstable();
    assert!(noted.windows(2).all(|pair| pair[0] != pair[1]), "twice: {noted:?}");
    for (number, end) in ends {
        let is_noted = noted.contains(&number);
        match end {
            Some(Ok(())) => assert!(is_noted, "{number} is lost: {noted:?}"),
            Some(Err(CallError::Full { .. })) => assert!(!is_noted, "{number} was refused: {noted:?}"),
            Some(Err(error)) => return Err(error.into()),
            None => simulation.mark("a future was dropped"),
        }
    }
    let room = engine.stats().threads[0].room.ok_or("it has a bound")?;
    assert_eq!((room.taken, room.waiting), (0, 0));
    engine.shutdown()?;
    Ok(())
}

#[test]
fn the_task_that_polled_last_is_woken_and_nothing_is_lost() {
    simulate(moved_and_dropped).must_reach(&["a future was dropped"]).seeds(0..500).run();
}

/// The receiver ends, or its engine does, while tasks await room and replies: each future comes to its end.
fn ends_meanwhile(simulation: &Simulation) -> Result<(), BoxError> {
    let engine = ActorEngine::new();
    let desk: DeskClient = engine.start_on(ActorThread::new().mailbox_bound(1), DeskMessage::actor(Desk::default))?;
    let tasks = (0..TASKS).map(|task| {
        let (desk, inside) = (desk.clone(), simulation.clone());
        simulation.spawn("tasks", move || {
            (task * 10..task * 10 + EACH).filter_map(|number| one(&inside, &desk, number)).collect::<Vec<_>>()
        })
    });
    let tasks: Vec<_> = tasks.collect();
    let handle = engine.handle();
    let is_stopped = simulation.below(2) == 0;
    if is_stopped {
        handle.stop();
    } else {
        desk.stop()?;
    }
    let (mut done, mut not) = (0, 0);
    for end in tasks.into_iter().flat_map(|task| task.join()) {
        match end {
            Ok(()) => done += 1,
            Err(CallError::Stopped { .. } | CallError::NotRegistered { .. } | CallError::NoReply { .. }) => not += 1,
            Err(CallError::Full { .. } | CallError::Panicked { .. }) => not += 1,
            Err(error) => return Err(error.into()),
        }
    }
    if done > 0 && not > 0 {
        simulation.mark("some came before the end, and some behind it");
    }
    let report = engine.shutdown()?;
    assert_eq!(report.left, 0, "{report}");
    let accounted = report.handled() + report.panicked() + report.dead_letters;
    assert!(accounted >= done && accounted <= u64::from(TASKS * EACH), "{done}: {report}");
    Ok(())
}

#[test]
fn each_future_ends_whenever_its_receiver_does() {
    let search = simulate(ends_meanwhile).faults(Faults::new().panics()).allow_panics();
    search.must_reach(&["some came before the end, and some behind it"]).seeds(0..500).run();
}
