//! Keeps spans and events, and writes them in the Trace Event Format.
//!
//! A span is a bar on the track of its thread. An arrow goes from the bar in which a message was sent to the bar of its
//! handler: for a call from its parent, for a send from the span that it follows from.

use std::collections::HashMap;
use std::fmt::Debug;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Instant;

use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::{LookupSpan, SpanRef};

/// What was seen so far. Its clones are one.
#[derive(Clone)]
pub(crate) struct Timeline {
    begun: Instant,
    tracks: Arc<Mutex<Tracks>>,
}

#[derive(Default)]
struct Tracks {
    /// A track for each thread, numbered as they come.
    threads: HashMap<ThreadId, usize>,
    events: Vec<Value>,
    arrows: u64,
}

/// What a span is kept with.
struct Bar {
    name: String,
    fields: Map<String, Value>,
    /// Its track, and when it was entered and left there last, in microseconds.
    track: usize,
    entered: f64,
    left: Option<f64>,
    /// Where its message was sent: the track and the time.
    sent: Option<(usize, f64)>,
}

impl Timeline {
    pub(crate) fn new() -> Self {
        Self { begun: Instant::now(), tracks: Arc::default() }
    }

    /// Writes all that was seen. The events of a track are in the order of their times.
    pub(crate) fn write(&self, file: &Path) -> io::Result<()> {
        let mut events = self.tracks().events.clone();
        let time = |event: &Value| event["ts"].as_f64().unwrap_or_default();
        events.sort_by(|one, other| time(one).total_cmp(&time(other)));
        serde_json::to_writer(BufWriter::new(File::create(file)?), &events)?;
        Ok(())
    }

    fn tracks(&self) -> MutexGuard<'_, Tracks> {
        self.tracks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> f64 {
        self.begun.elapsed().as_nanos() as f64 / 1_000.0
    }

    /// Where a message was sent whose handler begins now, after so many microseconds in the queue: in this span. The time
    /// is known to a microsecond, so it is held within the bar.
    fn sent_in<S: for<'a> LookupSpan<'a>>(&self, from: &SpanRef<'_, S>, queued: f64) -> Option<(usize, f64)> {
        let extensions = from.extensions();
        let bar = extensions.get::<Bar>()?;
        let sent = (self.now() - queued).max(bar.entered);
        // A nanosecond before its end: at the very end the bar is closed.
        Some((bar.track, bar.left.map_or(sent, |left| sent.min(left - 0.001))))
    }
}

impl Tracks {
    /// The track of the calling thread.
    fn track(&mut self) -> usize {
        let (thread, next) = (thread::current(), self.threads.len());
        *self.threads.entry(thread.id()).or_insert_with(|| {
            let name = thread.name().unwrap_or("without a name");
            self.events.push(json!({"ph": "M", "name": "thread_name", "pid": 1, "tid": next, "args": {"name": name}}));
            next
        })
    }

    fn arrow(&mut self, from: (usize, f64), to: (usize, f64)) {
        self.arrows += 1;
        let mut end = |ph, (track, time): (usize, f64)| {
            let arrow = json!({"ph": ph, "name": "sent", "cat": "zctor", "id": self.arrows, "pid": 1, "tid": track, "ts": time});
            self.events.push(arrow);
        };
        end("s", from);
        end("f", to);
        // It ends at the bar around it, not at the next.
        if let Some(Value::Object(end)) = self.events.last_mut() {
            end.insert("bp".to_owned(), "e".into());
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Timeline {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        // As zctor names a handler: `ShopMessage::Order`.
        let name = fields.0.get("otel.name").and_then(Value::as_str).unwrap_or(span.name()).to_owned();
        let queued = fields.0.get("queued_us").and_then(Value::as_f64);
        let sent = span.parent().zip(queued).and_then(|(parent, queued)| self.sent_in(&parent, queued));
        let bar = Bar { name, fields: fields.0, track: 0, entered: 0.0, left: None, sent };
        span.extensions_mut().insert(bar);
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, ctx: Context<'_, S>) {
        let (Some(span), Some(from)) = (ctx.span(id), ctx.span(follows)) else { return };
        if let Some(bar) = span.extensions_mut().get_mut::<Bar>() {
            let queued = bar.fields.get("queued_us").and_then(Value::as_f64);
            bar.sent = queued.and_then(|queued| self.sent_in(&from, queued));
        }
    }

    fn on_enter(&self, id: &Id, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        let mut extensions = span.extensions_mut();
        let Some(bar) = extensions.get_mut::<Bar>() else { return };
        let mut tracks = self.tracks();
        (bar.track, bar.entered, bar.left) = (tracks.track(), self.now(), None);
        let begin = json!({
            "ph": "B", "name": bar.name, "cat": span.metadata().target(), "pid": 1, "tid": bar.track, "ts": bar.entered,
            "args": bar.fields,
        });
        tracks.events.push(begin);
        if let Some(sent) = bar.sent.take() {
            tracks.arrow(sent, (bar.track, bar.entered));
        }
    }

    fn on_exit(&self, id: &Id, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        let mut extensions = span.extensions_mut();
        let Some(bar) = extensions.get_mut::<Bar>() else { return };
        let left = self.now();
        bar.left = Some(left);
        let end = json!({
            "ph": "E", "name": bar.name, "cat": span.metadata().target(), "pid": 1, "tid": bar.track, "ts": left,
        });
        self.tracks().events.push(end);
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut tracks = self.tracks();
        let track = tracks.track();
        let instant = json!({
            "ph": "i", "s": "t", "name": event.metadata().target(), "cat": event.metadata().target(), "pid": 1, "tid": track,
            "ts": self.now(), "args": fields.0,
        });
        tracks.events.push(instant);
    }
}

/// The fields of a span or an event, as JSON.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}
