//! The client of a served console.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::snapshot::{Snapshot, VERSION};

/// How long a console may take.
const TIME: Duration = Duration::from_secs(5);
/// More than any snapshot has.
const SIZE: u64 = 64 * 1024 * 1024;

/// Fetches a snapshot from a console that is served, by the place that [`Served`](crate::Served) prints: an address, or
/// the path of a socket.
///
/// # Errors
/// - Nobody serves there, or does not answer within some seconds.
/// - [`ErrorKind::PermissionDenied`]: the token is missing or wrong.
/// - [`ErrorKind::InvalidInput`]: the place is an address of another kind, such as `https://`.
/// - [`ErrorKind::InvalidData`]: it is no console, or one of another version.
///
/// # Blocking
/// Until the answer is there.
///
/// ```
/// use zctor::ActorEngine;
/// use zctor_console::{Console, fetch};
///
/// # fn main() -> std::io::Result<()> {
/// let engine = ActorEngine::builder().name("shop").build();
/// let served = Console::new(&engine).serve_tcp("127.0.0.1:0")?;
/// assert_eq!(fetch(&served.to_string())?.engine, "shop");
/// # Ok(())
/// # }
/// ```
pub fn fetch(place: &str) -> io::Result<Snapshot> {
    let snapshot: Snapshot = serde_json::from_str(&fetch_text(place, "snapshot.json")?).map_err(invalid)?;
    if snapshot.version != VERSION {
        let version = snapshot.version;
        return Err(invalid(format!("the snapshot has version {version}, and this program knows {VERSION}")));
    }
    Ok(snapshot)
}

/// Fetches what a console answers at a route, such as `snapshot.txt`, `waits.txt` or `metrics`.
///
/// # Errors
/// As [`fetch`].
///
/// # Blocking
/// Until the answer is there.
///
/// ```
/// use zctor::ActorEngine;
/// use zctor_console::{Console, fetch_text};
///
/// # fn main() -> std::io::Result<()> {
/// let engine = ActorEngine::new();
/// let served = Console::new(&engine).serve_tcp("127.0.0.1:0")?;
/// assert_eq!(fetch_text(&served.to_string(), "waits.txt")?, "nothing waits\n");
/// # Ok(())
/// # }
/// ```
pub fn fetch_text(place: &str, route: &str) -> io::Result<String> {
    match place.strip_prefix("http://") {
        Some(address) => {
            let (host, path) = address.split_once('/').unwrap_or((address, ""));
            let stream = TcpStream::connect(host)?;
            stream.set_read_timeout(Some(TIME))?;
            stream.set_write_timeout(Some(TIME))?;
            let path = path.trim_end_matches('/');
            exchange(stream, host, &if path.is_empty() { format!("/{route}") } else { format!("/{path}/{route}") })
        }
        None if place.contains("://") => {
            let why = "a console is at an address that begins with http://, as its program printed it";
            Err(io::Error::new(ErrorKind::InvalidInput, why))
        }
        None => at_socket(place, route),
    }
}

#[cfg(unix)]
fn at_socket(path: &str, route: &str) -> io::Result<String> {
    let stream = std::os::unix::net::UnixStream::connect(path)?;
    stream.set_read_timeout(Some(TIME))?;
    stream.set_write_timeout(Some(TIME))?;
    exchange(stream, "localhost", &format!("/{route}"))
}

#[cfg(not(unix))]
fn at_socket(path: &str, _route: &str) -> io::Result<String> {
    Err(io::Error::new(ErrorKind::InvalidInput, format!("`{path}` is no address that begins with http://")))
}

fn exchange(mut stream: impl Read + Write, host: &str, path: &str) -> io::Result<String> {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(SIZE).read_to_end(&mut answer)?;
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    let body = match head.parse(&answer).map_err(invalid)? {
        httparse::Status::Complete(length) => String::from_utf8_lossy(&answer[length..]).into_owned(),
        httparse::Status::Partial => return Err(ErrorKind::UnexpectedEof.into()),
    };
    match head.code {
        Some(200) => Ok(body),
        Some(403) => Err(io::Error::new(ErrorKind::PermissionDenied, body.trim_end().to_owned())),
        _ => Err(invalid(body.trim_end().to_owned())),
    }
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}
