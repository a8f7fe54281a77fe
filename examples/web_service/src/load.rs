//! A client of the service, on plain sockets.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::AddAssign;
use std::thread;
use std::time::Duration;

/// What a client got, by kind of answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// Notes stored: 201.
    pub stored: u64,
    /// Notes read: 200.
    pub read: u64,
    /// Too busy, or stopping: 503.
    pub busy: u64,
    /// Too late: 504.
    pub late: u64,
    /// Connections that the service did not take, or closed without a byte: it was stopping.
    pub refused: u64,
}

impl Answers {
    /// All that were answered.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.stored + self.read + self.busy + self.late
    }
}

impl AddAssign for Answers {
    fn add_assign(&mut self, other: Self) {
        self.stored += other.stored;
        self.read += other.read;
        self.busy += other.busy;
        self.late += other.late;
        self.refused += other.refused;
    }
}

/// Sends one request and gives the status and the body of the answer, or `None` if the connection was refused or closed
/// before the answer began.
///
/// # Errors
/// The answer broke off.
pub fn request(at: SocketAddr, method: &str, path: &str, body: &str) -> io::Result<Option<(u16, String)>> {
    let Ok(mut socket) = TcpStream::connect(at) else { return Ok(None) };
    socket.set_read_timeout(Some(Duration::from_secs(60)))?;
    let length = body.len();
    let head =
        format!("{method} {path} HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    let mut answer = Vec::new();
    let outcome = socket.write_all((head + body).as_bytes()).and_then(|()| socket.read_to_end(&mut answer));
    if answer.is_empty() {
        return Ok(None);
    }
    outcome?;
    let broken = || io::Error::new(io::ErrorKind::UnexpectedEof, "the answer broke off");
    let answer = String::from_utf8(answer).map_err(|_| broken())?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(broken)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(broken)?;
    let lower = head.to_ascii_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    if length.is_some_and(|length: usize| length != body.len()) {
        return Err(broken());
    }
    Ok(Some((status, body.to_owned())))
}

/// Drives the service by `clients` at a time, each with `requests` requests, a note stored and a note read in turn. A
/// client ends early when it is refused.
///
/// # Errors
/// An answer broke off, or was none that a busy service gives.
///
/// # Panics
/// Never: a client that panics is an error of this function's own.
pub fn drive(at: SocketAddr, clients: usize, requests: usize) -> io::Result<Answers> {
    let mut total = Answers::default();
    thread::scope(|scope| {
        let clients: Vec<_> = (0..clients).map(|client| scope.spawn(move || drive_one(at, client, requests))).collect();
        for client in clients {
            total += client.join().expect("a client does not panic")?;
        }
        Ok(total)
    })
}

fn drive_one(at: SocketAddr, client: usize, requests: usize) -> io::Result<Answers> {
    let mut answers = Answers::default();
    let mut note = "/notes".to_owned();
    for number in 0..requests {
        let answer = if number % 2 == 0 {
            request(at, "POST", "/notes", &format!("note {number} of client {client}"))?
        } else {
            request(at, "GET", &note, "")?
        };
        match answer {
            Some((201, number)) => {
                note = format!("/notes/{}", number.trim());
                answers.stored += 1;
            }
            Some((200, _)) => answers.read += 1,
            Some((503, _)) => answers.busy += 1,
            Some((504, _)) => answers.late += 1,
            Some((status, text)) => return Err(io::Error::other(format!("{status}: {text}"))),
            None => {
                answers.refused += 1;
                break;
            }
        }
    }
    Ok(answers)
}
