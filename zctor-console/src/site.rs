//! The routes of a console and the check of who may ask: from the head of a request to its answer.
//!
//! There are read methods only, so no request changes anything.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use zctor::map::Map;
use zctor::{Definition, EngineHandle};
use zctor_metrics::EngineMetrics;

use crate::look::{Looks, SHORT, stuck};
use crate::pause::Pause;
use crate::snapshot::Snapshot;
use crate::times;

/// How many headers a request may have.
const HEADERS: usize = 64;

/// After how many seconds a program counts as ill, unless the request says otherwise.
const HEALTHY: f64 = 5.0;

/// The condition on which a client is answered.
pub(crate) enum Access {
    /// The client could open the socket: the folder that it is in lets in its owner alone.
    Socket,
    /// The client knows the token, and asks for this machine by a name that no foreign page can have taken.
    Token(String),
}

/// One engine, with all that answers are made from.
pub(crate) struct Site {
    pub(crate) engine: EngineHandle,
    pub(crate) name: String,
    pub(crate) metrics: EngineMetrics,
    pub(crate) definitions: Vec<&'static Definition>,
    pub(crate) looks: Mutex<Looks>,
}

/// The answer to a request.
pub(crate) struct Answer {
    pub(crate) status: &'static str,
    content_type: &'static str,
    pub(crate) body: String,
}

/// A request, as far as its head is read.
pub(crate) enum Head {
    /// The rest of it is still to come.
    Partial,
    /// It is no request that can be answered.
    Refused(Answer),
    Complete(Request),
}

pub(crate) struct Request {
    method: String,
    target: String,
    host: Option<String>,
    wants_html: bool,
}

impl Answer {
    fn ok(content_type: &'static str, body: String) -> Self {
        Self { status: "200 OK", content_type, body }
    }

    pub(crate) fn json(body: String) -> Self {
        Self::ok("application/json", body)
    }

    pub(crate) fn text(body: String) -> Self {
        Self::ok("text/plain; charset=utf-8", body + "\n")
    }

    pub(crate) fn refusal(status: &'static str, why: &str) -> Self {
        Self { status, ..Self::text(why.to_owned()) }
    }

    /// The answer as it goes over the wire.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let Self { status, content_type, body } = self;
        let allow = if status.starts_with("405") { "Allow: GET\r\n" } else { "" };
        // Nothing is kept by a cache, nothing is loaded from elsewhere, and the token stays out of other sites' logs.
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n{allow}Connection: close\r\n\
             Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n\
             Content-Security-Policy: default-src 'none'; connect-src 'self'; img-src data:; \
             script-src 'unsafe-inline'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }
}

/// Reads the head of a request.
pub(crate) fn read_head(bytes: &[u8]) -> Head {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Partial) => Head::Partial,
        Ok(httparse::Status::Complete(_)) => {
            let header = |name: &str| {
                let mut values = request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
                let value = values.next().map(|header| String::from_utf8_lossy(header.value).into_owned());
                (value, values.next().is_some())
            };
            let (host, host_twice) = header("host");
            if host_twice {
                return Head::Refused(Answer::refusal("400 Bad Request", "the request has two headers `Host`"));
            }
            Head::Complete(Request {
                method: request.method.unwrap_or_default().to_owned(),
                target: request.path.unwrap_or_default().to_owned(),
                host,
                wants_html: header("accept").0.is_some_and(|accept| accept.contains("text/html")),
            })
        }
        Err(httparse::Error::TooManyHeaders) => {
            Head::Refused(Answer::refusal("431 Request Header Fields Too Large", "the request has too many headers"))
        }
        Err(error) => {
            Head::Refused(Answer::refusal("400 Bad Request", &format!("this is no request of HTTP/1: {error}")))
        }
    }
}

impl Site {
    /// Answers a request. `pause` ends early when the server stops.
    pub(crate) fn answer(&self, request: &Request, access: &Access, pause: &Pause) -> Answer {
        if request.method != "GET" {
            return Answer::refusal(
                "405 Method Not Allowed",
                "only GET is answered: this is for looking, not for changing",
            );
        }
        let path = request.target.split(['?', '#']).next().unwrap_or_default();
        match access {
            Access::Socket => self.route(path.trim_start_matches('/'), request, pause),
            Access::Token(token) => {
                if !request.host.as_deref().is_some_and(is_loopback) {
                    let why = "the header `Host` names another machine; ask for 127.0.0.1 or localhost";
                    return Answer::refusal("403 Forbidden", why);
                }
                let (first, rest) =
                    path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_matches('/'), ""));
                if !are_equal(first.as_bytes(), token.as_bytes()) {
                    let why = "the address lacks the token; use the whole address that the program printed";
                    return Answer::refusal("403 Forbidden", why);
                }
                // The address ends in a slash, and so a script may put a second one before the route.
                self.route(rest.trim_start_matches('/'), request, pause)
            }
        }
    }

    fn route(&self, path: &str, request: &Request, pause: &Pause) -> Answer {
        match path {
            "" if request.wants_html => Answer::ok("text/html; charset=utf-8", include_str!("page.html").to_owned()),
            "" | "snapshot.txt" => Answer::text(self.patient_snapshot(pause).to_string()),
            "snapshot.json" => match serde_json::to_string(&self.snapshot()) {
                Ok(json) => Answer::json(json),
                Err(error) => Answer::refusal("500 Internal Server Error", &error.to_string()),
            },
            "waits.txt" => Answer::text(self.snapshot().waits_text),
            "healthz" => self.health(&request.target),
            "metrics" => Answer::ok(zctor_metrics::CONTENT_TYPE, self.metrics.text()),
            "map.svg" => Answer::ok("image/svg+xml", self.map().svg()),
            "map.mmd" => Answer::ok("text/plain; charset=utf-8", self.map().mermaid()),
            "map.dot" => Answer::ok("text/plain; charset=utf-8", self.map().dot()),
            _ => times::answer(path, query(&request.target), &self.engine, pause)
                .unwrap_or_else(|| Answer::refusal("404 Not Found", &there_are())),
        }
    }

    /// Whether nothing is stuck for as long as the query says.
    fn health(&self, target: &str) -> Answer {
        let query = query(target);
        let seconds =
            if query.is_empty() { Some(HEALTHY) } else { query.strip_prefix("limit=").and_then(|n| n.parse().ok()) };
        match seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
            Some(limit) => match stuck(&self.engine, limit) {
                None => Answer::text("nothing is stuck".to_owned()),
                Some(culprit) => Answer::refusal("503 Service Unavailable", &culprit),
            },
            None => Answer::refusal("400 Bad Request", "ask for healthz?limit=5, with a number of seconds"),
        }
    }

    /// A look now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner).look(&self.engine, &self.name)
    }

    /// A look that knows rates: without one of the last seconds it takes two.
    fn patient_snapshot(&self, pause: &Pause) -> Snapshot {
        let has_earlier = self.looks.lock().unwrap_or_else(PoisonError::into_inner).has_earlier();
        if !has_earlier {
            self.snapshot();
            pause.wait(SHORT);
        }
        self.snapshot()
    }

    fn map(&self) -> Map {
        Map::of(self.definitions.iter().copied()).running(&self.engine.registry(), &self.engine.stats())
    }
}

/// The list of routes, for a client that asked for another one.
fn there_are() -> String {
    let routes =
        ["", "snapshot.txt", "snapshot.json", "waits.txt", "healthz", "metrics", "map.svg", "map.mmd", "map.dot"];
    let routes: Vec<String> = routes.iter().chain(times::ROUTES).map(|route| format!("/{route}")).collect();
    format!("there are {}", routes.join(", "))
}

/// The query of a request: its target from the question mark on.
fn query(target: &str) -> &str {
    target.split_once('?').map_or("", |(_, query)| query)
}

/// Whether the name of a host, with its port or without, means this machine whatever a name server says.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    ["127.0.0.1", "localhost", "[::1]"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Compares in a time that does not tell how much is right.
fn are_equal(given: &[u8], right: &[u8]) -> bool {
    given.len() == right.len() && given.iter().zip(right).fold(0, |wrong, (one, other)| wrong | (one ^ other)) == 0
}
