//! The life of the service: from the bound socket to the report.

use std::error::Error;
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::runtime;
use tokio::sync::oneshot;
use zctor::{ActorEngine, Report};

use crate::store;
use crate::web::App;

/// How long an actor may take to answer a request.
const ANSWER: Duration = Duration::from_secs(2);
/// How long connections may take to end after the signal: as long as an answer, and a little.
const DRAIN: Duration = Duration::from_millis(2_500);
/// How long the engine may take to stop after that. Sum: within five seconds of the signal the service has ended.
const STOP: Duration = Duration::from_secs(2);

/// What became of the requests, and of the messages that they led to.
#[derive(Debug)]
pub struct Served {
    /// Requests that reached a route.
    pub accepted: u64,
    /// Those that were answered.
    pub answered: u64,
    /// The report of the engine.
    pub report: Report,
}

/// Serves on `listener` until `stop` is done, answers what was accepted by then, and stops the engine.
///
/// # Errors
/// The database cannot be opened, the socket fails, or an actor did not stop in time.
///
/// # Blocking
/// Until the service has ended. The runtime of the server lives inside. The engine starts before it, since the start waits for
/// the factories; its end is awaited.
pub fn serve(
    listener: TcpListener,
    database: &Path,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<Served, Box<dyn Error>> {
    let engine = ActorEngine::builder().name("notes").build();
    let (writer, readers) = store::start(&engine, database)?;
    let app = App::new(&writer, &readers, &engine, ANSWER);
    let counts = app.counts().clone();

    listener.set_nonblocking(true)?;
    let report = runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (stopping, begun) = oneshot::channel::<()>();
        let server = axum::serve(listener, app.routes()).with_graceful_shutdown(async {
            stop.await;
            drop(stopping);
        });
        // A peer that does not end its request, or takes no answer, holds the server up no longer than this.
        let cut_off = async {
            begun.await.unwrap_or_default();
            tokio::time::sleep(DRAIN).await;
        };
        tokio::select! {
            served = server => served?,
            () = cut_off => {}
        }
        Ok::<Report, Box<dyn Error>>(engine.shutdown_timeout_async(STOP).await?)
    })?;
    Ok(Served { accepted: counts.accepted.load(Relaxed), answered: counts.answered.load(Relaxed), report })
}

/// Is done at Ctrl-C, and where there is SIGTERM, at that.
///
/// # Panics
/// Where the system lets nobody listen for signals: a service that cannot be stopped should not start.
pub async fn interrupted() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
            .expect("a process may listen for SIGTERM");
        tokio::select! {
            done = interrupt => done.expect("a process may listen for SIGINT"),
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    interrupt.await.expect("a process may listen for Ctrl-C");
}
