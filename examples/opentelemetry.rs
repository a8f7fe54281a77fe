//! Traces for OpenTelemetry: a request on its way through three actors is one trace, whatever their threads.
//!
//! With the feature `tracing` each handler is a span, and `tracing-opentelemetry` hands spans on to an exporter. The one
//! here keeps them in memory and prints them. In a program of yours the exporter of `opentelemetry-otlp` takes its
//! place, which sends them to a collector, such as Jaeger or Tempo; the rest stays.
//!
//! ```text
//! cargo run --example opentelemetry --features opentelemetry
//! ```

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry::trace::{SpanId, SpanKind, TracerProvider};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use tracing::info_span;
use tracing_subscriber::prelude::*;
use zctor::{ActorEngine, CallError, Context, actor};

#[actor]
enum StoreMessage {
    #[reply(u64)]
    Load(u64),
}

#[actor]
enum AuditMessage {
    Note(u64),
}

#[actor(calls(StoreMessage))]
enum SessionMessage {
    #[reply(Result<u64, CallError>)]
    Check(u64),
}

struct Store;
struct Audit;
struct Session;

impl StoreHandler for Store {
    fn load(&mut self, user: u64) -> u64 {
        user * 10
    }
}

impl AuditHandler for Audit {
    fn note(&mut self, user: u64) {
        println!("user {user} has a session");
    }
}

impl SessionHandler for Session {
    fn check(&mut self, ctx: &mut Context<SessionMessage>, user: u64) -> Result<u64, CallError> {
        // Nobody waits for a note: if it is refused, there is none.
        let _ = ctx.send(AuditMessage::Note(user));
        ctx.call(StoreMessage::load(user))
    }
}

/// Keeps what it should export.
#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Kept {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(batch);
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let kept = Kept::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(kept.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("shop"));
    tracing_subscriber::registry().with(layer).init();

    let engine = ActorEngine::builder().name("shop").build();
    engine.pool(1, StoreMessage::actor(|| Store))?;
    engine.pool(1, AuditMessage::actor(|| Audit))?;
    engine.pool(1, SessionMessage::actor(|| Session))?;
    // The span of a web server's request, perhaps.
    let request = info_span!("GET /session");
    let session = request.in_scope(|| engine.call(SessionMessage::check(7)))??;
    drop(request);
    assert_eq!(session, 70);
    engine.shutdown()?;
    provider.shutdown()?;

    let spans = kept.0.lock().unwrap_or_else(PoisonError::into_inner);
    let named: HashMap<&str, &SpanData> = spans.iter().map(|span| (&*span.name, span)).collect();
    for span in &*spans {
        let parent = spans.iter().find(|other| other.span_context.span_id() == span.parent_span_id);
        let parent = parent.map_or("none", |parent| &*parent.name);
        println!("{}: {:?}, parent {parent}, {} links", span.name, span.span_kind, span.links.links.len());
    }
    // The calls are one trace, each the child of its caller.
    let (request, check) = (named["GET /session"], named["SessionMessage::Check"]);
    let load = named["StoreMessage::Load"];
    assert_eq!(check.parent_span_id, request.span_context.span_id());
    assert_eq!(load.parent_span_id, check.span_context.span_id());
    assert_eq!(load.span_context.trace_id(), request.span_context.trace_id());
    assert_eq!((&load.span_kind, &check.span_kind), (&SpanKind::Server, &SpanKind::Server));
    // The send is a trace of its own, with a link to the handler that sent it.
    let note = named["AuditMessage::Note"];
    assert_eq!((note.parent_span_id, &note.span_kind), (SpanId::INVALID, &SpanKind::Consumer));
    assert_eq!(note.links.links[0].span_context, check.span_context);
    Ok(())
}
