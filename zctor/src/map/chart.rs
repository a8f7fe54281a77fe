//! What is on a map: boxes for types and threads, and arrows between the types.

use std::any::TypeId;

use crate::definition::{Definition, VariantDefinition};
use crate::engine::registry::{Registry, RegistryEntry};
use crate::id::ThreadId;
use crate::report::{Stats, ThreadStats};

/// A map as data, which the writers turn into text.
#[derive(Clone, Debug, Default)]
pub(super) struct Chart {
    /// In the order of their rows.
    pub(super) types: Vec<TypeBox>,
    pub(super) arrows: Vec<Arrow>,
    pub(super) threads: Vec<ThreadBox>,
}

/// A message type.
#[derive(Clone, Debug)]
pub(super) struct TypeBox {
    pub(super) id: Option<TypeId>,
    pub(super) name: &'static str,
    /// `None` for a type of which only the engine told, without its definition.
    pub(super) depth: Option<u16>,
    pub(super) variants: Vec<VariantDefinition>,
    /// The number of instances, if an engine told.
    pub(super) instances: Option<usize>,
    /// How many of them are in no pool.
    pub(super) unpooled: usize,
}

/// From a type to one that it may call, or waits for; both by their places in the list.
#[derive(Clone, Debug)]
pub(super) struct Arrow {
    pub(super) from: usize,
    pub(super) to: usize,
    /// The number of handlers that wait for a reply over this arrow.
    pub(super) waits: usize,
}

/// An actor thread.
#[derive(Clone, Debug)]
pub(super) struct ThreadBox {
    pub(super) name: String,
    pub(super) lines: Vec<String>,
    /// A handler of the thread waits for a reply.
    pub(super) waits: bool,
}

impl Chart {
    /// The chart of these types, and of all that their handlers may call.
    pub(super) fn of(definitions: Vec<&'static Definition>) -> Self {
        let mut all: Vec<&'static Definition> = Vec::new();
        let mut next = definitions;
        next.reverse();
        while let Some(definition) = next.pop() {
            if !all.contains(&definition) {
                all.push(definition);
                next.extend(definition.calls().rev());
            }
        }
        all.sort_by_key(|definition| std::cmp::Reverse(definition.call_depth())); // it keeps the order within a row
        let mut chart =
            Self { types: all.iter().map(|definition| TypeBox::of(definition)).collect(), ..Self::default() };
        for (from, definition) in all.iter().enumerate() {
            for callee in definition.calls() {
                let to = all.iter().position(|other| *other == callee);
                chart.arrows.extend(to.map(|to| Arrow { from, to, waits: 0 }));
            }
        }
        chart
    }

    /// Adds instances, threads and waits.
    pub(super) fn add_engine(&mut self, registry: &Registry, stats: &Stats) {
        for entry in registry {
            let at = self.types.iter().position(|known| known.id == Some(entry.id()));
            let at = at.unwrap_or_else(|| self.add(entry.message(), Some(entry.id())));
            self.types[at].instances = Some(entry.instances().len());
        }
        for row in stats.types.iter().filter(|row| row.instances > 0) {
            let at = self.named(row.message);
            let of = &mut self.types[at];
            let pooled = of.instances.unwrap_or(0);
            // The registry and the statistics were not read at once.
            of.unpooled = row.instances.saturating_sub(pooled);
            of.instances = Some(pooled + of.unpooled);
        }
        for wait in stats.threads.iter().flat_map(|thread| &thread.waits) {
            let (from, to) = (self.named(wait.message), self.named(wait.callee));
            match self.arrows.iter_mut().find(|arrow| (arrow.from, arrow.to) == (from, to)) {
                Some(arrow) => arrow.waits += 1,
                None => self.arrows.push(Arrow { from, to, waits: 1 }),
            }
        }
        self.threads = stats.threads.iter().map(|thread| ThreadBox::of(thread, registry)).collect();
    }

    fn add(&mut self, name: &'static str, id: Option<TypeId>) -> usize {
        self.types.push(TypeBox { id, name, depth: None, variants: Vec::new(), instances: None, unpooled: 0 });
        self.types.len() - 1
    }

    /// The box of this name. Statistics know types by their names alone.
    fn named(&mut self, name: &'static str) -> usize {
        let at = self.types.iter().position(|known| known.name == name);
        at.unwrap_or_else(|| self.add(name, None))
    }

    /// The types by rows: the call depth, and the places of its types. The last row may be of unknown depth.
    pub(super) fn rows(&self) -> Vec<(Option<u16>, Vec<usize>)> {
        let mut rows: Vec<(Option<u16>, Vec<usize>)> = Vec::new();
        for (at, of) in self.types.iter().enumerate() {
            match rows.last_mut() {
                Some((depth, row)) if *depth == of.depth => row.push(at),
                _ => rows.push((of.depth, vec![at])),
            }
        }
        rows
    }
}

impl TypeBox {
    fn of(definition: &'static Definition) -> Self {
        Self {
            id: Some(definition.id()),
            name: definition.name(),
            depth: Some(definition.call_depth()),
            variants: definition.variants().collect(),
            instances: None,
            unpooled: 0,
        }
    }

    pub(super) fn title(&self) -> String {
        match self.instances {
            Some(instances) => format!("{} ×{instances}", self.name),
            None => self.name.to_owned(),
        }
    }

    /// A line for each variant, and one for the instances in no pool.
    pub(super) fn lines(&self) -> Vec<String> {
        let line = |variant: &VariantDefinition| {
            let deferred = if variant.is_deferred() { ", deferred" } else { "" };
            let keyed = if variant.is_keyed() { ", by key" } else { "" };
            format!("{variant}{deferred}{keyed}")
        };
        let unpooled = (self.unpooled > 0).then(|| format!("({} in no pool)", self.unpooled));
        self.variants.iter().map(line).chain(unpooled).collect()
    }
}

impl ThreadBox {
    fn of(thread: &ThreadStats, registry: &Registry) -> Self {
        let mut lines: Vec<String> = registry.iter().filter_map(|entry| instances_on(entry, thread.thread)).collect();
        let pooled: usize =
            registry.iter().map(|entry| entry.threads().iter().filter(|on| **on == thread.thread).count()).sum();
        if thread.instances > pooled {
            lines.push(format!("{} in no pool", thread.instances - pooled));
        }
        lines.push(format!("{} queued, {} handled", thread.queued, thread.handled));
        lines.extend(thread.runs.iter().map(|runs| format!("runs {} {}", runs.message, runs.instance)));
        let waits = thread.waits.iter();
        lines.extend(waits.map(|wait| format!("{} {} waits for {}", wait.message, wait.instance, wait.callee)));
        Self { name: thread.name.clone(), lines, waits: !thread.waits.is_empty() }
    }
}

fn instances_on(entry: &RegistryEntry, thread: ThreadId) -> Option<String> {
    let count = entry.threads().iter().filter(|on| **on == thread).count();
    (count > 0).then(|| format!("{} ×{count}", entry.message()))
}

/// What an arrow says, if it says more than that a call is allowed.
pub(super) fn waits(arrow: &Arrow) -> Option<String> {
    (arrow.waits > 0).then(|| format!("{} waits", arrow.waits))
}
