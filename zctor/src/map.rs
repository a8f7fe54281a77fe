//! Draws who may call and who sends to whom, as text for Mermaid and for Graphviz, and as an SVG picture.
//!
//! A [`Map`] comes from the definitions of the messages alone, so no engine need run and no code is executed. With the
//! registry and the statistics of an engine it shows threads, instances, queues and waits as well.

mod chart;
mod dot;
mod layout;
mod mermaid;
mod svg;

use crate::definition::Definition;
use crate::engine::registry::Registry;
use crate::map::chart::Chart;
use crate::report::Stats;

/// A map of message types: a box for each type, a solid arrow from each type to those that its handlers may call
/// (`calls(..)`), and a dashed one to those that they send to (`sends(..)`). The arrow of a call stands for sends too.
///
/// Rows are call depths, the deepest callers on top, so every arrow of a declared call points down. (Mermaid makes rows
/// of its own.) Senders of one call depth stand above their receivers.
///
/// A test that compares the map with a committed file keeps a picture in the documentation true:
///
/// ```
/// use zctor::map::Map;
/// use zctor::{Message, actor};
///
/// #[actor]
/// pub enum StoreMessage {
///     #[reply(Option<u32>)]
///     Load(u64),
/// }
/// #[actor]
/// pub enum AuditMessage {
///     Note(String),
/// }
/// #[actor(calls(StoreMessage), sends(AuditMessage))]
/// pub enum WebMessage {
///     #[reply(String)]
///     Page(u64),
///     Reload,
/// }
///
/// let map = Map::of([WebMessage::DEFINITION]);
/// let committed = r#"%%{init: {"flowchart": {"wrappingWidth": 600}}}%%
/// flowchart TB
///   WebMessage["<b>WebMessage</b><br/>Page → String<br/>Reload"]
///   StoreMessage["<b>StoreMessage</b><br/>Load → Option#lt;u32#gt;"]
///   AuditMessage["<b>AuditMessage</b><br/>Note"]
///   WebMessage --> StoreMessage
///   WebMessage -.-> AuditMessage
/// "#;
/// assert_eq!(map.mermaid(), committed);
/// assert!(map.dot().starts_with("digraph"));
/// assert!(map.svg().starts_with("<svg"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Map {
    chart: Chart,
}

impl Map {
    /// Makes a map of these types, and of all that their handlers may call or send to, directly or not.
    ///
    /// ```
    /// use zctor::map::Map;
    ///
    /// let map = Map::of([]);
    /// assert!(map.mermaid().ends_with("flowchart TB\n"));
    /// ```
    pub fn of(definitions: impl IntoIterator<Item = &'static Definition>) -> Self {
        Self { chart: Chart::of(definitions.into_iter().collect()) }
    }

    /// Adds what an engine is doing: the number of instances of each type, a box for each thread, and in red the
    /// handlers that wait for a reply. If the engine [records](crate::EngineBuilder::record_sends) it, also a dashed arrow
    /// for each pair of types of which the one has sent to the other or started it, unless a call is declared.
    ///
    /// Threads with the same instances and the same waits share a box, as most of a pool do. A thread whose code others
    /// wait for has a box of its own.
    ///
    /// A type of which an instance lives and whose definition the map lacks gets a box without variants. An instance that
    /// [`start`](crate::ActorEngine::start) started is in no pool: its type says `(in no pool)` if there are only such, and
    /// otherwise how many are in the pool, and how many outside it.
    ///
    /// ```
    /// use zctor::map::Map;
    /// use zctor::{ActorEngine, ActorThread, Message, actor};
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
    /// let engine = ActorEngine::new();
    /// let job = JobMessage::actor(|| Job);
    /// engine.spawn(ActorThread::named("jobs").register(job.clone()).register(job))?;
    /// engine.send(JobMessage::Run)?;
    /// engine.settle();
    ///
    /// let map = Map::of([JobMessage::DEFINITION]).running(&engine.registry(), &engine.stats()).mermaid();
    /// assert!(map.contains("<b>JobMessage ×2</b>"));
    /// assert!(map.contains("JobMessage ×2<br/>0 queued, 1 handled"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn running(mut self, registry: &Registry, stats: &Stats) -> Self {
        self.chart.add_engine(registry, stats);
        self
    }

    /// Writes the map as a flowchart of [Mermaid](https://mermaid.js.org), which many forges draw in Markdown.
    pub fn mermaid(&self) -> String {
        mermaid::write(&self.chart)
    }

    /// Writes the map in the language of [Graphviz](https://graphviz.org).
    pub fn dot(&self) -> String {
        dot::write(&self.chart)
    }

    /// Draws the map as an SVG picture that needs nothing else: for rustdoc, for a README, for a page. It follows the
    /// reader's choice of a light or a dark theme.
    pub fn svg(&self) -> String {
        svg::write(&self.chart)
    }
}
