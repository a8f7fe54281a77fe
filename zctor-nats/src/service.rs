//! The service that the tools of NATS see in a bridge that serves pools: its answers to `$SRV.PING`, `$SRV.INFO` and
//! `$SRV.STATS`, as the protocol for services has them (ADR-32 of NATS). A pool is an endpoint.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_nats::{Subject, Subscriber};
use futures_util::StreamExt;
use humantime::format_rfc3339_millis;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;
use zctor::remote::transport::{Answer, End, ROOM, Route};

use crate::connection::Command;
use crate::wire;

/// One bridge, as a service: its name is that of the namespace, and every process has an id of its own.
pub(crate) struct Service {
    namespace: String,
    id: String,
    started: SystemTime,
    deadline: Duration,
    end: Arc<End>,
    endpoints: Mutex<BTreeMap<&'static str, Arc<Endpoint>>>,
}

/// A pool that is served, and what has come for it. The counters are for the eye: no order among them is kept.
pub(crate) struct Endpoint {
    pub(crate) pool: &'static str,
    /// The deadline of calls that name none.
    pub(crate) deadline: Duration,
    requests: AtomicU64,
    errors: AtomicU64,
    calls: AtomicU64,
    nanos: AtomicU64,
    last_error: Mutex<String>,
    /// How many messages of programs that are no bridge wait for room.
    waiting: AtomicUsize,
}

impl Endpoint {
    fn new(pool: &'static str, deadline: Duration) -> Self {
        let (requests, errors, calls, nanos, waiting) = Default::default();
        Self { pool, deadline, requests, errors, calls, nanos, last_error: Mutex::default(), waiting }
    }

    /// One more message of a program that is no bridge waits for room. `false` if too many do: nothing but this holds
    /// such programs back.
    pub(crate) fn wait(&self) -> bool {
        let fits = self.waiting.fetch_add(1, Ordering::Relaxed) < ROOM;
        if !fits {
            self.wait_no_more();
        }
        fits
    }

    pub(crate) fn wait_no_more(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn arrived(&self, packets: usize) {
        self.requests.fetch_add(packets as u64, Ordering::Relaxed);
    }

    /// A call has ended, so long after it arrived.
    pub(crate) fn took(&self, time: Duration) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// This was answered. A reply is no error.
    pub(crate) fn answered(&self, answer: &Answer) {
        if let Some((code, text)) = wire::service_error(answer) {
            self.errors.fetch_add(1, Ordering::Relaxed);
            *self.last_error() = format!("{code}:{text}");
        }
    }

    fn last_error(&self) -> MutexGuard<'_, String> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service {
    pub(crate) fn new(namespace: &str, id: &str, deadline: Duration, end: Arc<End>) -> Self {
        let (namespace, id) = (namespace.to_owned(), id.to_owned());
        Self { namespace, id, started: SystemTime::now(), deadline, end, endpoints: Mutex::default() }
    }

    fn endpoints(&self) -> MutexGuard<'_, BTreeMap<&'static str, Arc<Endpoint>>> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The endpoint of a pool, which is there from now on.
    pub(crate) fn endpoint(&self, pool: &'static str) -> Arc<Endpoint> {
        let new = || Arc::new(Endpoint::new(pool, self.deadline));
        Arc::clone(self.endpoints().entry(pool).or_insert_with(new))
    }

    /// Nothing is served any more.
    pub(crate) fn leave(&self) {
        self.endpoints().clear();
    }

    /// The name of the service. The protocol allows fewer characters than subjects do.
    fn name(&self) -> String {
        service_name(&self.namespace)
    }

    /// The subjects of all verbs, for all services, for those of this name, and for this one.
    pub(crate) fn subjects(&self) -> [String; 3] {
        let name = self.name();
        ["$SRV.*".to_owned(), format!("$SRV.*.{name}"), format!("$SRV.*.{name}.{}", self.id)]
    }

    /// Answers what comes to one of them, until that ends.
    pub(crate) async fn answer(self: Arc<Self>, mut requests: Subscriber, commands: UnboundedSender<Command>) {
        while let Some(request) = requests.next().await {
            let said = request.subject.split('.').nth(1).and_then(|verb| self.say(verb));
            if let (Some(said), Some(reply)) = (said, request.reply.map(Subject::into_string)) {
                drop(commands.send(Command::Publish { subject: reply, payload: said.to_string().into_bytes() }));
            }
        }
    }

    fn say(&self, verb: &str) -> Option<Value> {
        let mut said = json!({
            "type": format!("io.nats.micro.v1.{}_response", verb.to_ascii_lowercase()),
            "name": self.name(),
            "id": self.id,
            "version": env!("CARGO_PKG_VERSION"),
            "metadata": {},
        });
        match verb {
            "PING" => {}
            "INFO" => {
                said["description"] = format!("pools of actors in the namespace {}", self.namespace).into();
                said["endpoints"] = self.each(|_| json!({ "metadata": {} }));
            }
            "STATS" => {
                said["started"] = format_rfc3339_millis(self.started).to_string().into();
                said["endpoints"] = self.each(|endpoint| self.stats(endpoint));
            }
            _ => return None,
        }
        Some(said)
    }

    /// The words on each endpoint, beside where it is found.
    fn each(&self, say: impl Fn(&Endpoint) -> Value) -> Value {
        let endpoints = self.endpoints();
        let said = endpoints.iter().map(|(pool, endpoint)| {
            let mut said = say(endpoint);
            said["name"] = service_name(pool).into();
            said["subject"] = wire::subject(&self.namespace, pool, Route::Turn).into();
            said["queue_group"] = wire::GROUP.into();
            said
        });
        said.collect()
    }

    fn stats(&self, endpoint: &Endpoint) -> Value {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (nanos, calls) = (read(&endpoint.nanos), read(&endpoint.calls));
        let books = self.end.books();
        json!({
            "num_requests": read(&endpoint.requests),
            "num_errors": read(&endpoint.errors),
            "last_error": *endpoint.last_error(),
            "processing_time": nanos,
            "average_processing_time": nanos.checked_div(calls).unwrap_or(0),
            // Of the whole bridge.
            "data": { "books": {
                "accepted": books.accepted,
                "acked": books.acked,
                "unreachable": books.unreachable,
                "full": books.full,
                "unfit": books.unfit,
                "lost": books.lost,
                "called": books.called,
                "ended": books.ended,
                "taken": books.taken,
                "waiting": books.waiting,
                "answering": books.answering,
            } },
        })
    }
}

fn service_name(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    text.chars().map(|c| if fits(c) { c } else { '_' }).collect()
}
