//! Serves a site: one thread sleeps until somebody connects, and gives each connection to a thread that ends with it.
//!
//! A client can hold neither the others nor the program: a request ends within [`TIME`], a head has at most [`HEAD`]
//! bytes, and [`CONNECTIONS`] are served at once; the others wait in the queue of the system.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
#[cfg(unix)]
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::pause::Pause;
use crate::site::{Access, Answer, Head, Site, read_head};

/// How long a client may take for its request, and how long for taking the answer.
const TIME: Duration = Duration::from_secs(1);
/// Browsers send the cookies of every program on this machine, so some kilobytes must go in.
const HEAD: usize = 16 * 1024;
const CONNECTIONS: usize = 4;

/// A server that runs.
pub(crate) struct Server {
    shared: Arc<Running>,
    thread: Option<JoinHandle<()>>,
    /// Connects to it, which wakes it. Whether that went well.
    wake: Box<dyn Fn() -> bool + Send + Sync>,
}

struct Running {
    site: Arc<Site>,
    access: Access,
    pause: Pause,
    connections: Mutex<usize>,
    ended: Condvar,
}

/// Where connections come from.
pub(crate) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

trait Stream: Read + Write + Send {
    /// Sets the limit of each read and write.
    fn limit(&self, time: Duration) -> io::Result<()>;
    /// Tells the client that all is written.
    fn end(&self) -> io::Result<()>;
}

impl Stream for TcpStream {
    fn limit(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time))?;
        self.set_write_timeout(Some(time))
    }

    fn end(&self) -> io::Result<()> {
        self.shutdown(std::net::Shutdown::Write)
    }
}

#[cfg(unix)]
impl Stream for UnixStream {
    fn limit(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time))?;
        self.set_write_timeout(Some(time))
    }

    fn end(&self) -> io::Result<()> {
        self.shutdown(std::net::Shutdown::Write)
    }
}

impl Listener {
    fn accept(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Tcp(listener) => Ok(Box::new(listener.accept()?.0)),
            #[cfg(unix)]
            Self::Unix(listener) => Ok(Box::new(listener.accept()?.0)),
        }
    }
}

impl Server {
    pub(crate) fn start(
        site: Arc<Site>,
        access: Access,
        listener: Listener,
        wake: impl Fn() -> bool + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let (connections, ended) = (Mutex::new(0), Condvar::new());
        let shared = Arc::new(Running { site, access, pause: Pause::default(), connections, ended });
        let running = Arc::clone(&shared);
        let thread = thread::Builder::new().name("zctor-console".to_owned()).spawn(move || run(&running, &listener))?;
        Ok(Self { shared, thread: Some(thread), wake: Box::new(wake) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.pause.stop();
        // A thread that cannot be reached any more, since somebody has removed its socket, sleeps on and does nothing.
        if let Some(thread) = self.thread.take().filter(|_| (self.wake)()) {
            // It has nothing to say: its panics would have been told when they happened.
            let _ = thread.join();
        }
        self.shared.await_connections(0);
    }
}

impl Running {
    /// Waits until at most so many connections are open.
    fn await_connections(&self, most: usize) {
        let open = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        let _open = self.ended.wait_while(open, |open| *open > most).unwrap_or_else(PoisonError::into_inner);
    }
}

/// A connection that counts as open.
struct Open(Arc<Running>);

impl Open {
    fn new(running: &Arc<Running>) -> Self {
        *running.connections.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Self(Arc::clone(running))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        *self.0.connections.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.ended.notify_all();
    }
}

fn run(running: &Arc<Running>, listener: &Listener) {
    while !running.pause.is_stopped() {
        let Ok(stream) = listener.accept() else {
            // The process has no descriptor left, perhaps; another try at once would take a core.
            running.pause.wait(TIME / 10);
            continue;
        };
        if running.pause.is_stopped() {
            return;
        }
        running.await_connections(CONNECTIONS - 1);
        let open = Open::new(running);
        // Without a thread for it the connection closes, and the client tries again.
        let _ = thread::Builder::new().name("zctor-console".to_owned()).spawn(move || {
            // A client that went away has nothing to be told.
            let _ = talk(stream, &open.0);
            drop(open);
        });
    }
}

/// Answers one request.
fn talk(mut stream: Box<dyn Stream>, running: &Running) -> io::Result<()> {
    let end = Instant::now() + TIME;
    let mut head = Vec::new();
    let answer = loop {
        match read_head(&head) {
            Head::Complete(request) => break running.site.answer(&request, &running.access, &running.pause),
            Head::Refused(answer) => break answer,
            Head::Partial if head.len() >= HEAD => {
                break Answer::refusal("431 Request Header Fields Too Large", "the head of the request is too long");
            }
            Head::Partial => {}
        }
        if !read_some(&mut *stream, end, &mut head)? {
            return Ok(());
        }
    };
    write(&mut *stream, Instant::now() + TIME, &answer.bytes())?;
    stream.end()?;
    // The rest of the request is taken: a connection that closed over it would lose the client the answer.
    let end = Instant::now() + TIME;
    let mut rest = Vec::new();
    while rest.len() < HEAD && read_some(&mut *stream, end, &mut rest)? {}
    Ok(())
}

/// Writes all of an answer. The time is for the whole, since a client may take it a byte at a time.
fn write(stream: &mut dyn Stream, end: Instant, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.limit(time_left(end)?)?;
        match stream.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The time until `end`; an error when it is up.
fn time_left(end: Instant) -> io::Result<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// Reads what has come. Whether there may be more; the time is an error when it is up.
fn read_some(stream: &mut dyn Stream, end: Instant, to: &mut Vec<u8>) -> io::Result<bool> {
    stream.limit(time_left(end)?)?;
    let mut some = [0; 2048];
    match stream.read(&mut some) {
        Ok(0) => Ok(false),
        Ok(count) => {
            to.extend_from_slice(&some[..count]);
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client that takes its answer a byte at a time.
    #[derive(Default)]
    struct Slow {
        limits: Mutex<Vec<Duration>>,
        taken: usize,
    }

    impl Read for Slow {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Ok(0)
        }
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.taken += bytes.len().min(1);
            Ok(bytes.len().min(1))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Stream for Slow {
        fn limit(&self, time: Duration) -> io::Result<()> {
            self.limits.lock().unwrap().push(time);
            Ok(())
        }

        fn end(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_client_that_takes_its_answer_slowly_has_one_time_for_all_of_it() {
        let mut client = Slow::default();
        // So many writes take longer than this on any machine.
        let (time, bytes) = (Duration::from_millis(5), vec![0; 10_000_000]);
        let error = write(&mut client, Instant::now() + time, &bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(client.taken < bytes.len());
        let limits = client.limits.into_inner().unwrap();
        assert!(limits.is_sorted_by(|before, after| before >= after) && limits[0] <= time, "what is left, each time");
        write(&mut Slow::default(), Instant::now() + TIME, b"short").unwrap();
    }
}
