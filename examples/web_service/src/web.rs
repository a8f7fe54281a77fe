//! The routes, and what a request becomes when the actors behind it cannot answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Router, body::Body};
use tracing::{Instrument, info_span};
use zctor::{ActorEngine, CallError, EngineHandle, NonBlocking};
use zctor_metrics::EngineMetrics;

use crate::store::{ReaderClient, WriterClient};

/// How many notes the page shows.
const SHOWN: u32 = 20;

/// What the routes share. All of it is cheap to clone.
#[derive(Clone, Debug)]
pub struct App {
    writer: WriterClient<NonBlocking>,
    readers: ReaderClient<NonBlocking>,
    engine: EngineHandle,
    metrics: EngineMetrics,
    counts: Arc<Counts>,
}

/// How many requests came and were answered.
#[derive(Debug, Default)]
pub struct Counts {
    /// Requests that reached a route.
    pub accepted: AtomicU64,
    /// Those whose answer is ready.
    pub answered: AtomicU64,
}

impl App {
    /// The routes' side of the actors, each of which has `limit` to answer. No task may block, so the clients are
    /// non-blocking ones.
    #[must_use]
    pub fn new(writer: &WriterClient, readers: &ReaderClient, engine: &ActorEngine, limit: Duration) -> Self {
        let (writer, readers) = (writer.within(limit).non_blocking(), readers.within(limit).non_blocking());
        let (engine, metrics) = (engine.handle(), EngineMetrics::new(engine));
        Self { writer, readers, engine, metrics, counts: Arc::default() }
    }

    /// The counts of requests.
    #[must_use]
    pub fn counts(&self) -> &Arc<Counts> {
        &self.counts
    }

    /// The service.
    pub fn routes(self) -> Router {
        Router::new()
            .route("/", get(async || Html(include_str!("page.html"))))
            .route("/notes", get(latest).post(add))
            .route("/notes/{number}", get(find))
            .route("/stats", get(async |State(app): State<App>| app.engine.stats().to_string()))
            .route("/metrics", get(metrics))
            .layer(middleware::from_fn_with_state(self.clone(), number))
            .with_state(self)
    }
}

/// Counts a request, and gives its answer the same number, and all that is logged on its way.
async fn number(State(app): State<App>, request: Request, next: Next) -> Response {
    let number = app.counts.accepted.fetch_add(1, Relaxed);
    let span = info_span!("request", number, method = %request.method(), path = request.uri().path());
    let mut response = next.run(request).instrument(span).await;
    app.counts.answered.fetch_add(1, Relaxed);
    response.headers_mut().insert("x-request-id", HeaderValue::from(number));
    response
}

async fn add(State(app): State<App>, text: String) -> Result<Response, Failure> {
    if text.trim().is_empty() {
        return Ok((StatusCode::BAD_REQUEST, "a note has a text\n").into_response());
    }
    let number = app.writer.add(text).await??; // the error of the call, then SQLite's
    Ok((StatusCode::CREATED, [(header::LOCATION, format!("/notes/{number}"))], format!("{number}\n")).into_response())
}

async fn find(State(app): State<App>, Path(number): Path<i64>) -> Result<Response, Failure> {
    let text = app.readers.find(number).await??;
    Ok(text.map_or_else(|| StatusCode::NOT_FOUND.into_response(), IntoResponse::into_response))
}

async fn latest(State(app): State<App>) -> Result<String, Failure> {
    Ok(app.readers.latest(SHOWN).await??.join("\n"))
}

/// For Prometheus. It reads counters from beside, so it does not block.
async fn metrics(State(app): State<App>) -> Response {
    ([(header::CONTENT_TYPE, zctor_metrics::CONTENT_TYPE)], app.metrics.text()).into_response()
}

/// Why a request has no answer of its own.
enum Failure {
    Call(CallError),
    Database(rusqlite::Error),
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            // Too many wait. The request was not sent, so the client may try again.
            Self::Call(error @ (CallError::Full { .. } | CallError::Stopped { .. })) => {
                (StatusCode::SERVICE_UNAVAILABLE, error.to_string())
            }
            Self::Call(error @ CallError::Timeout { .. }) => (StatusCode::GATEWAY_TIMEOUT, error.to_string()),
            Self::Call(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
            Self::Database(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        };
        let mut response = Response::new(Body::from(text + "\n"));
        *response.status_mut() = status;
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
