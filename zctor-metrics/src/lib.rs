//! The counts of [`zctor`]'s engines, for Prometheus.
//!
//! [`EngineMetrics`] reads [`ActorEngine::stats`] at each scrape. Between scrapes it does nothing, and no message costs
//! more for it. It is a [`Collector`] of the crate `prometheus-client`: register it beside the metrics of your program,
//! or serve [`EngineMetrics::text`] by itself.
//!
//! ```
//! use zctor::{ActorEngine, actor};
//! use zctor_metrics::EngineMetrics;
//!
//! #[actor]
//! pub enum JobMessage {
//!     Run,
//! }
//! struct Job;
//! impl JobHandler for Job {
//!     fn run(&mut self) {}
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = ActorEngine::builder().name("jobs").build();
//! let metrics = EngineMetrics::new(&engine);
//! engine.pool(2, JobMessage::actor(|| Job))?.run()?;
//! engine.settle();
//! // A route `/metrics` of your program answers with this text, as `zctor_metrics::CONTENT_TYPE`.
//! let text = metrics.text();
//! assert!(text.contains("zctor_messages_handled_total{engine=\"jobs\",message=\"JobMessage\"} 1\n"));
//! assert!(text.ends_with("# EOF\n"));
//! # Ok(())
//! # }
//! ```
//!
//! # Metrics
//!
//! Every metric has the label `engine`: the name that the engine was built with.
//!
//! | metric | type | further labels |
//! | --- | --- | --- |
//! | `zctor_messages_handled_total`, `zctor_messages_panicked_total` | counter | `message` |
//! | `zctor_messages_refused_total` | counter | `message`, `reason`: `not_registered`, `full`, `stopped`, `unfit` |
//! | `zctor_dead_letters_total` | counter | `message`, `reason`: `ended`, `stopped`, `given_up`, `full`, `conflated`, `unreachable`, `lost`, `unfit` |
//! | `zctor_calls_timed_out_total` | counter | `message`, `begun`: whether the handler had begun |
//! | `zctor_restarts_total`, `zctor_instances_ended_total` | counter | `message` |
//! | `zctor_instances`, `zctor_messages_queued` | gauge | `message` |
//! | `zctor_handler_seconds` | histogram | `message`, `variant`: with the feature `observe`, after `EngineMetrics::with_handling_times` |
//! | `zctor_waits` | gauge | `message`, `callee`: handlers of one that wait for the other |
//! | `zctor_wait_root_handlers`, `zctor_wait_root_callers`, `zctor_wait_root_seconds`, `zctor_wait_root_stuck_seconds` | gauge | `message`, `thread`, `name`: what others wait for in the end, how many handlers and threads outside, the longest wait, and the time for which it is stuck, as the console shows it: it has run or is waited for |
//! | `zctor_thread_busy_seconds_total`, `zctor_thread_waiting_seconds_total`, `zctor_thread_idle_seconds_total` | counter | `thread`, `name` |
//! | `zctor_queue_messages`, `zctor_queue_oldest_seconds` | gauge | `thread`, `name` |
//! | `zctor_thread_timers` | gauge | `thread`, `name` |
//! | `zctor_mailbox_bound`, `zctor_mailbox_taken`, `zctor_mailbox_waiting_senders` | gauge | `thread`, `name`, `side`: `outside`, `inside` |
//!
//! `message` is the name of the message type. `thread` is the number of the thread and `name` its name. No series is
//! made for an instance, since a program may have any number of them. A program that starts threads without end leaves
//! the series of threads out, by [`EngineMetrics::without_threads`].
//!
//! `zctor_queue_oldest_seconds` comes from the counts of earlier scrapes, and of other looks: at the first it is the
//! time for which the handler has run that runs, or 0.
//!
//! # Queries
//!
//! - How busy is a thread: `rate(zctor_thread_busy_seconds_total[1m])`, from 0 to 1.
//! - What is stuck: `zctor_wait_root_seconds > 5`. Its labels name the handler that all in the chain wait for.
//! - How long do handlers take, 99 in 100 of them:
//!   `histogram_quantile(0.99, sum by (le, message, variant) (rate(zctor_handler_seconds_bucket[5m])))`.
//! - Whose queue grows: `deriv(zctor_queue_messages[5m]) > 0`.
//!
//! [`DASHBOARD`] is a board for Grafana with these and more.

mod families;
#[cfg(feature = "observe")]
mod handling_times;
#[cfg(not(feature = "observe"))]
#[path = "handling_times/off.rs"]
mod handling_times;
mod highest;
mod scrape;

use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::registry::Registry;
use zctor::{ActorEngine, EngineHandle};

use crate::handling_times::Observers;
use crate::highest::Highest;
use crate::scrape::Scrape;

/// The content type of [`EngineMetrics::text`], for the header of an answer.
///
/// ```
/// assert!(zctor_metrics::CONTENT_TYPE.starts_with("application/openmetrics-text"));
/// ```
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A board for Grafana: import it, and choose the data source that scrapes the program.
///
/// ```
/// assert!(zctor_metrics::DASHBOARD.contains("zctor_wait_root_seconds"));
/// ```
pub const DASHBOARD: &str = include_str!("dashboard.json");

/// The metrics of one engine or of several, read at each scrape.
///
/// It keeps no engine alive. An engine that is gone has no series any more.
///
/// ```
/// use prometheus_client::encoding::text::encode;
/// use prometheus_client::metrics::counter::Counter;
/// use prometheus_client::registry::Registry;
/// use zctor::ActorEngine;
/// use zctor_metrics::EngineMetrics;
///
/// # fn main() -> Result<(), std::fmt::Error> {
/// let engine = ActorEngine::new();
/// let mut registry = Registry::default();
/// let orders: Counter = Counter::default();
/// registry.register("shop_orders", "Orders taken", orders.clone()); // metrics of the program's own
/// registry.register_collector(Box::new(EngineMetrics::new(&engine)));
/// orders.inc();
/// let mut text = String::new();
/// encode(&mut text, &registry)?;
/// assert!(text.contains("shop_orders_total 1\n") && text.contains("# TYPE zctor_instances gauge\n"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct EngineMetrics {
    /// The values of the label `engine`, and the engines.
    engines: Vec<(String, EngineHandle)>,
    threads: bool,
    observers: Observers,
    /// Clones are one: the numbers that a scraper has seen must not fall, whichever of them it asks.
    highest: Arc<Highest>,
}

impl EngineMetrics {
    /// Makes the metrics of one engine.
    pub fn new(engine: &ActorEngine) -> Self {
        let (observers, highest) = (Observers::default(), Arc::default());
        Self { engines: Vec::new(), threads: true, observers, highest }.with(engine)
    }

    /// Adds another engine. An engine whose name one of the others has gets a number behind it: `zctor-2`.
    ///
    /// ```
    /// use zctor::{ActorEngine, actor};
    /// use zctor_metrics::EngineMetrics;
    ///
    /// #[actor]
    /// pub enum PingMessage {
    ///     Ping,
    /// }
    ///
    /// let (store, web) = (ActorEngine::builder().name("store").build(), ActorEngine::builder().name("web").build());
    /// let metrics = EngineMetrics::new(&store).with(&web);
    /// assert!(store.send(PingMessage::Ping).is_err() && web.send(PingMessage::Ping).is_err()); // nobody handles it
    /// let refused = metrics.text().lines().filter(|line| line.starts_with("zctor_messages_refused_total")).count();
    /// assert_eq!(refused, 2 * 4); // a line for each engine and reason
    /// ```
    #[must_use]
    pub fn with(mut self, engine: &ActorEngine) -> Self {
        let mut name = engine.name().to_owned();
        let mut number = 1;
        while self.engines.iter().any(|(taken, _)| *taken == name) {
            number += 1;
            name = format!("{}-{number}", engine.name());
        }
        let handle = engine.handle();
        self.observers.add(&name, &handle);
        self.engines.push((name, handle));
        self.highest = Arc::default(); // a clone from before has other rows
        self
    }

    /// Leaves out the series of threads: for a program that starts threads without end, such as one for each session.
    ///
    /// ```
    /// use zctor::ActorEngine;
    /// use zctor_metrics::EngineMetrics;
    ///
    /// let engine = ActorEngine::new();
    /// assert!(EngineMetrics::new(&engine).text().contains("zctor_queue_messages"));
    /// assert!(!EngineMetrics::new(&engine).without_threads().text().contains("zctor_queue_messages"));
    /// ```
    #[must_use]
    pub fn without_threads(mut self) -> Self {
        self.threads = false;
        self
    }

    /// Reads the engines, and gives all metrics as text in the OpenMetrics format.
    ///
    /// # Blocking
    /// Never: no thread is stopped for it.
    pub fn text(&self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self.clone()));
        let mut text = String::new();
        // Only the writer can fail, and a `String` does not.
        let _ = text::encode(&mut text, &registry);
        text
    }
}

impl Collector for EngineMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let scrape = Scrape::of(&self.engines);
        let mut highest = self.highest.raise();
        families::types(&scrape, &mut encoder, &mut highest)?;
        families::waits(&scrape, &mut encoder)?;
        self.observers.encode(&scrape, &mut encoder)?;
        if self.threads { families::threads(&scrape, &mut encoder, &mut highest) } else { Ok(()) }
    }
}
