//! The reply to a call that has come from the other side: it goes out on the thread that replies.
//!
//! Nobody waits for such a reply, so it needs no thread of its own. The protocol:
//!
//! 1. The task is polled where it is made, and wherever it is woken: by the reply, by the deadline of the call, or when
//!    its engine is given up. None of them holds a lock or a borrow then, as for every waker.
//! 2. Whoever wakes it takes the work out under the lock, and polls it outside. So one thread polls it at a time.
//! 3. A wake-up meanwhile finds the work gone and leaves a note. Whoever polls looks for the note when it puts the work
//!    back, under the same lock, and polls once more if there is one.
//!
//! A waker is the frame of no handler (`sys/frame.rs`), so a poll in it never waits.

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use crate::remote::ledger::UnansweredCall;
use crate::remote::message::Reply;
use crate::remote::packet::Receipt;
use crate::sys::lock::lock;
use crate::sys::unwind::catch;

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
    Arc::new(ReplyTask(Mutex::new(State::Idle(Work { reply, receipt, answering })))).wake();
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
