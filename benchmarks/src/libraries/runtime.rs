//! A tokio runtime for the libraries that live on one, and what an outside thread needs to meet futures.

use std::future::{self, Future};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use tokio::runtime::{Builder, Handle, Runtime};

/// One worker: a current-thread runtime on a thread of its own, which is what kameo's own benchmarks use and spares
/// tokio its work stealing. More: the multi-thread runtime. Neither has drivers for I/O and time, since nobody here
/// needs them.
pub(crate) struct Tokio {
    pub(crate) handle: Handle,
    pub(crate) threads: usize,
    _multi: Option<Runtime>,
}

impl Tokio {
    pub(crate) fn start(threads: usize) -> Self {
        if threads == 1 {
            let runtime = Builder::new_current_thread().build().expect("a runtime can be had");
            let handle = runtime.handle().clone();
            thread::spawn(move || runtime.block_on(future::pending::<()>()));
            Self { handle, threads, _multi: None }
        } else {
            let runtime = Builder::new_multi_thread().worker_threads(threads).build().expect("a runtime can be had");
            Self { handle: runtime.handle().clone(), threads, _multi: Some(runtime) }
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a future on an outside thread; the thread parks meanwhile.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

/// The value of a future that is ready at once, such as a send to an unbounded mailbox.
pub(crate) fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("an unbounded mailbox has room"),
    }
}
