//! Tasks that await room lose no wake, in whatever order they, their receiver and other senders run.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use zctor::simulation::{Simulation, simulate};
use zctor::{ActorEngine, ActorThread, BoxError, actor};

const EACH: u32 = 3;

#[actor]
enum SinkMessage {
    Note(u32),
    #[reply(u32)]
    Ask(u32),
    #[reply(Vec<u32>)]
    Noted,
}

#[derive(Default)]
struct Sink(Vec<u32>);

impl SinkHandler for Sink {
    fn note(&mut self, number: u32) {
        self.0.push(number);
    }

    fn ask(&mut self, number: u32) -> u32 {
        self.0.push(number);
        number
    }

    fn noted(&mut self) -> Vec<u32> {
        self.0.clone()
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Polls when it was woken, and never else; gives up after so many polls. The virtual time is plenty.
fn poll<T>(work: impl Future<Output = T>, polls: usize) -> Option<T> {
    let woken = Arc::new(Flag(AtomicBool::new(true)));
    let (waker, mut work, mut polled) = (Waker::from(Arc::clone(&woken)), pin!(work), 0);
    for _ in 0..100_000 {
        if woken.0.swap(false, Ordering::SeqCst) {
            if polled == polls {
                return None;
            }
            polled += 1;
            if let Poll::Ready(value) = work.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Some(value);
            }
        }
        zctor::sleep(Duration::from_millis(1));
    }
    panic!("a wake was lost");
}

fn room(simulation: &Simulation) -> Result<(), BoxError> {
    let engine = ActorEngine::new();
    let thread = ActorThread::new().mailbox_bound(1);
    let sink: SinkClient = engine.start_on(thread, SinkMessage::actor(Sink::default))?;
    let tasks = [0, 1].map(|task| {
        let (sink, simulation_of_task) = (sink.non_blocking(), simulation.clone());
        simulation.spawn("task", move || {
            let mut accepted = Vec::new();
            for number in task * 10..task * 10 + EACH {
                let taken = match simulation_of_task.below(3) {
                    // Woken once perhaps, and dropped then.
                    0 => poll(sink.send_async(SinkMessage::Note(number)), 1).is_some_and(|sent| sent.is_ok()),
                    1 => poll(sink.call_async(SinkMessage::ask(number)), usize::MAX) == Some(Ok(number)),
                    _ => poll(sink.send_async(SinkMessage::Note(number)), usize::MAX).is_some_and(|sent| sent.is_ok()),
                };
                accepted.extend(taken.then_some(number));
            }
            accepted
        })
    });
    let sends = sink.clone();
    let thread = simulation.spawn("thread", move || (20..20 + EACH).try_for_each(|number| sends.note(number)).is_ok());
    let mut accepted: Vec<u32> = tasks.into_iter().flat_map(|task| task.join()).collect();
    assert!(thread.join());
    accepted.extend(20..20 + EACH);
    let mut noted = sink.noted()?;
    noted.sort_unstable();
    accepted.sort_unstable();
    assert_eq!(noted, accepted);
    let stats = engine.stats();
    let room = stats.threads[0].room.ok_or("it has a bound")?;
    assert_eq!((room.taken, room.waiting), (0, 0));
    engine.shutdown()?;
    Ok(())
}

#[test]
fn no_wake_for_room_is_lost_in_any_order() {
    simulate(room).seeds(0..300).run();
}
