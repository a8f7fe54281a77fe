//! The reply to a call that has come from the other side: it goes out on the thread that replies.
//!
//! Nobody waits for such a reply, so it needs no thread of its own. The protocol:
//!
//! 1. The task is polled where it is made, and wherever it is woken: by the reply, by the deadline of the call, or when
//!    its engine is given up. None of them holds a lock or a borrow then, as for every waker. The place where it is made
//!    is entered as a waker, too.
//! 2. The thread that wakes it takes the work out under the lock, and polls it outside. So one thread polls it at a
//!    time.
//! 3. A wake-up meanwhile finds the work gone and leaves a note. The thread that polls looks for the note when it puts
//!    the work back, under the same lock, and polls once more if there is one. Where the system refuses the clock
//!    thread, a call with a deadline leaves a note at each poll (`sys/alarm.rs`): then whoever polls is busy until the
//!    reply is there or the deadline has passed.
//!
//! A waker is the frame of no handler (`sys/frame.rs`), so a poll in it never waits.

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use crate::remote::ledger::UnansweredCall;
use crate::remote::message::Reply;
use crate::remote::packet::Receipt;
use crate::sys::lock::lock;
use crate::sys::unwind::{catch, wake};

struct ReplyTask(Mutex<State>);

enum State {
    Idle(Work),
    /// A thread polls it. `again`: it was woken since.
    Polled {
        again: bool,
    },
    Done,
}

struct Work {
    reply: Reply,
    receipt: Box<dyn Receipt>,
    /// Dropped when the caller has been answered.
    answering: Option<UnansweredCall>,
}

/// Answers the caller when the reply is there.
pub(super) fn answer_when_there(reply: Reply, receipt: Box<dyn Receipt>, answering: Option<UnansweredCall>) {
    let task = ReplyTask(Mutex::new(State::Idle(Work { reply, receipt, answering })));
    wake(Waker::from(Arc::new(task)));
}

impl Work {
    /// Answers if the reply is there, and comes back if it is not.
    fn poll(mut self, waker: &Waker) -> Option<Self> {
        let Poll::Ready(answer) = self.reply.as_mut().poll(&mut Context::from_waker(waker)) else { return Some(self) };
        self.receipt.answer(answer);
        drop(self.answering);
        None
    }
}

impl ReplyTask {
    /// Step 2.
    fn take(&self) -> Option<Work> {
        let mut state = lock(&self.0);
        match std::mem::replace(&mut *state, State::Polled { again: false }) {
            State::Idle(work) => Some(work),
            State::Polled { .. } => {
                *state = State::Polled { again: true };
                None
            }
            State::Done => {
                *state = State::Done;
                None
            }
        }
    }

    /// Step 3. Gives the work again if it is to be polled once more.
    fn put_back(&self, work: Option<Work>) -> Option<Work> {
        let mut state = lock(&self.0);
        match (&*state, work) {
            (_, None) => *state = State::Done,
            (State::Polled { again: true }, Some(work)) => {
                *state = State::Polled { again: false };
                return Some(work);
            }
            (_, Some(work)) => *state = State::Idle(work),
        }
        None
    }
}

impl Wake for ReplyTask {
    fn wake(self: Arc<Self>) {
        let mut next = self.take();
        if next.is_none() {
            return;
        }
        let waker = Waker::from(Arc::clone(&self));
        while let Some(work) = next {
            // A panic is that of a drop of the user's.
            next = self.put_back(catch(|| work.poll(&waker)).unwrap_or(None));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;
    use std::thread;

    use super::*;
    use crate::remote::packet::Answer;

    struct Tell(mpsc::Sender<Answer>);
    impl Receipt for Tell {
        fn taken(&mut self) {}
        fn answer(self: Box<Self>, answer: Answer) {
            self.0.send(answer).unwrap_or_default();
        }
    }

    /// A task whose reply is there when `is_there` says so, and the waker that it was first polled with.
    fn task(mut is_there: impl FnMut() -> bool + Send + 'static) -> (Waker, mpsc::Receiver<Answer>) {
        let ((tell, told), (give, given)) = (mpsc::channel(), mpsc::channel());
        let reply = poll_fn(move |task: &mut Context<'_>| {
            give.send(task.waker().clone()).unwrap_or_default();
            if is_there() { Poll::Ready(Answer::NoReply) } else { Poll::Pending }
        });
        answer_when_there(Box::pin(reply), Box::new(Tell(tell)), None);
        (given.recv().expect("it was polled"), told)
    }

    #[test]
    fn a_wake_up_during_a_poll_leads_to_another() {
        let (tell, told) = mpsc::channel();
        let mut polls = 0;
        let reply = poll_fn(move |task| {
            polls += 1;
            task.waker().wake_by_ref();
            if polls == 3 { Poll::Ready(Answer::NoReply) } else { Poll::Pending }
        });
        answer_when_there(Box::pin(reply), Box::new(Tell(tell)), None);
        assert!(matches!(told.try_recv(), Ok(Answer::NoReply)));
        assert!(told.try_recv().is_err());
    }

    #[test]
    fn one_thread_polls_at_a_time_and_no_wake_up_is_lost() {
        const ROUNDS: usize = if cfg!(miri) { 10 } else { 500 };
        for _ in 0..ROUNDS {
            let (is_polled, is_there) = (AtomicBool::new(false), Arc::new(AtomicBool::new(false)));
            let seen = Arc::clone(&is_there);
            let (waker, told) = task(move || {
                assert!(!is_polled.swap(true, Ordering::Relaxed), "two threads poll it");
                let there = seen.load(Ordering::Relaxed);
                is_polled.store(false, Ordering::Relaxed);
                there
            });
            thread::scope(|scope| {
                for number in 0..3 {
                    let (waker, is_there) = (waker.clone(), &is_there);
                    scope.spawn(move || {
                        if number == 0 {
                            is_there.store(true, Ordering::Relaxed);
                        }
                        waker.wake();
                    });
                }
            });
            assert!(matches!(told.try_recv(), Ok(Answer::NoReply)));
            assert!(told.try_recv().is_err(), "it was answered once");
        }
    }
}
