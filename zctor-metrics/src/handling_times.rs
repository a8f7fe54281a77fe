//! How long handlers take: a histogram for each variant, of engines that are observed.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::Unit;
use zctor::{EngineHandle, HandlingTimes, Observer};

use crate::EngineMetrics;
use crate::scrape::{Scrape, labels};

/// The observers, with the values of the label `engine`, if handlers are to be measured. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observers(Option<Vec<(String, Arc<Observer>)>>);

impl EngineMetrics {
    /// Has the handlers of all its engines measured, as long as it or a clone of it lives: adds the histogram
    /// `zctor_handler_seconds`, by message type and variant.
    ///
    /// A message costs two looks at the clock more then, or one in a batch: see [`ActorEngine::observe`]. A variant that
    /// was handled is 30 series.
    ///
    /// [`ActorEngine::observe`]: zctor::ActorEngine::observe
    ///
    /// ```
    /// use zctor::{ActorEngine, actor};
    /// use zctor_metrics::EngineMetrics;
    ///
    /// #[actor]
    /// pub enum JobMessage {
    ///     Run,
    /// }
    /// struct Job;
    /// impl JobHandler for Job {
    ///     fn run(&mut self) {}
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = ActorEngine::builder().name("jobs").build();
    /// let metrics = EngineMetrics::new(&engine).with_handling_times();
    /// engine.pool(2, JobMessage::actor(|| Job))?.run()?;
    /// engine.settle();
    /// let count = "zctor_handler_seconds_count{engine=\"jobs\",message=\"JobMessage\",variant=\"Run\"} 1\n";
    /// assert!(metrics.text().contains(count));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_handling_times(mut self) -> Self {
        let observers = self.engines.iter().map(|(name, engine)| (name.clone(), Arc::new(engine.observe())));
        self.observers = Observers(Some(observers.collect()));
        self
    }
}

impl Observers {
    /// Observes one more engine, if handlers are to be measured.
    pub(crate) fn add(&mut self, name: &str, engine: &EngineHandle) {
        if let Some(observers) = &mut self.0 {
            observers.push((name.to_owned(), Arc::new(engine.observe())));
        }
    }

    pub(crate) fn encode(&self, scrape: &Scrape, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let Some(observers) = &self.0 else { return Ok(()) };
        let help = "How long handlers took, with their waits";
        let mut family = to.encode_descriptor("zctor_handler", help, Some(&Unit::Seconds), MetricType::Histogram)?;
        // An engine that is gone has no series, though its observer goes on.
        let there = observers.iter().filter(|(name, _)| scrape.has(name));
        there
            .flat_map(|(name, observer)| observer.handling_times().into_iter().map(move |times| (name, times)))
            .try_for_each(|(engine, times)| {
                let labels = labels(engine, &[("message", times.message), ("variant", times.variant)]);
                let no_exemplars = None::<&HashMap<usize, Exemplar<NoLabelSet, f64>>>;
                let (sum, buckets) = (times.sum.as_secs_f64(), buckets(&times));
                family.encode_family(&labels)?.encode_histogram(sum, times.count, &buckets, no_exemplars)
            })
    }
}

/// The buckets with their bounds in seconds.
fn buckets(times: &HandlingTimes) -> Vec<(f64, u64)> {
    let bounds = HandlingTimes::BOUNDS.iter().map(|bound| bound.as_secs_f64());
    bounds.chain([f64::INFINITY]).zip(times.buckets).collect()
}
