//! The content of a map: boxes for types and threads, and arrows between the types.

use std::any::TypeId;
use std::collections::BTreeMap;

use crate::definition::{Definition, VariantDefinition};
use crate::engine::registry::Registry;
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

/// From a type to one that it may call, or sends to; both by their places in the list.
#[derive(Clone, Debug, Default)]
pub(super) struct Arrow {
    pub(super) from: usize,
    pub(super) to: usize,
    /// `calls(..)` declares it. Then the arrow stands for sends too.
    pub(super) calls: bool,
    /// Handlers of the one have started instances of the other.
    pub(super) starts: bool,
    /// The number of handlers that wait for a reply over this arrow.
    pub(super) waits: usize,
}

impl Arrow {
    /// Whether the two are joined by messages alone, as far as is known.
    pub(super) fn is_dashed(&self) -> bool {
        !self.calls && self.waits == 0
    }

    pub(super) fn is_loop(&self) -> bool {
        self.from == self.to
    }

    /// The text at the arrow, if it says more than that a call or a send may go this way.
    pub(super) fn label(&self) -> Option<String> {
        let waits = match self.waits {
            0 => None,
            1 => Some("1 wait".to_owned()),
            many => Some(format!("{many} waits")),
        };
        let parts: Vec<String> = self.starts.then(|| "starts".to_owned()).into_iter().chain(waits).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// An actor thread, or several that are alike.
#[derive(Clone, Debug)]
pub(super) struct ThreadBox {
    pub(super) title: String,
    pub(super) lines: Vec<String>,
    pub(super) state: ThreadState,
}

/// The part of a thread in waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ThreadState {
    /// Its code runs, and others wait for it.
    Root,
    /// A handler of it waits for a reply.
    Waits,
    Free,
}

impl Chart {
    /// The chart of these types, and of all that their handlers may call or send to.
    pub(super) fn of(definitions: Vec<&'static Definition>) -> Self {
        let mut all: Vec<&'static Definition> = Vec::new();
        let mut next = definitions;
        next.reverse();
        while let Some(definition) = next.pop() {
            if !all.contains(&definition) {
                all.push(definition);
                next.extend(definition.sends().rev());
                next.extend(definition.calls().rev());
            }
        }
        all.sort_by_key(|definition| std::cmp::Reverse(definition.call_depth())); // it keeps the order within a row
        let mut chart =
            Self { types: all.iter().map(|definition| TypeBox::of(definition)).collect(), ..Self::default() };
        let at = |definition| all.iter().position(|other| *other == definition);
        for (from, definition) in all.iter().enumerate() {
            for to in definition.calls().filter_map(at) {
                chart.arrow(from, to).calls = true;
            }
            for to in definition.sends().filter_map(at) {
                chart.arrow(from, to);
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
            // Types of one name share a row of the statistics, and have a pool each.
            let of_name = self.types.iter().filter(|known| known.name == row.message);
            let pooled: usize = of_name.filter_map(|known| known.instances).sum();
            // The registry and the statistics were not read at once.
            let unpooled = row.instances.saturating_sub(pooled);
            if unpooled > 0 {
                let at = self.named(row.message);
                let of = &mut self.types[at];
                of.unpooled = unpooled;
                of.instances = Some(of.instances.unwrap_or(0) + unpooled);
            }
        }
        for wait in stats.threads.iter().flat_map(|thread| &thread.waits) {
            let (from, to) = (self.named(wait.message), self.named(wait.callee));
            self.arrow(from, to).waits += 1;
        }
        for row in &stats.sends {
            let (from, to) = (self.named(row.message), self.named(row.receiver));
            self.arrow(from, to).starts |= row.starts;
        }
        let roots: Vec<ThreadId> =
            stats.waits().roots.iter().filter(|root| root.runs.is_some()).map(|root| root.thread).collect();
        // A pool may have a hundred threads. Those with the same instances, and the same waits, share a box; a root has
        // one of its own.
        let mut alike: BTreeMap<_, Vec<&ThreadStats>> = BTreeMap::new();
        for thread in &stats.threads {
            let waits: Vec<_> = thread.waits.iter().map(|wait| (wait.message, wait.callee)).collect();
            let root = Some(thread.thread).filter(|thread| roots.contains(thread));
            alike.entry((&thread.types, waits, root)).or_default().push(thread);
        }
        let state = |waits: &[_], root: Option<ThreadId>| match root {
            Some(_) => ThreadState::Root,
            None if waits.is_empty() => ThreadState::Free,
            None => ThreadState::Waits,
        };
        let mut boxes: Vec<_> =
            alike.into_iter().map(|((_, waits, root), threads)| (state(&waits, root), threads)).collect();
        boxes.sort_by_key(|(_, threads)| threads.first().map(|first| first.thread));
        self.threads = boxes.iter().filter_map(|(state, threads)| ThreadBox::of_alike(threads, *state)).collect();
    }

    /// The one arrow from a type to another.
    fn arrow(&mut self, from: usize, to: usize) -> &mut Arrow {
        let known = self.arrows.iter().position(|arrow| (arrow.from, arrow.to) == (from, to));
        let at = known.unwrap_or_else(|| {
            self.arrows.push(Arrow { from, to, ..Arrow::default() });
            self.arrows.len() - 1
        });
        &mut self.arrows[at]
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

    /// The rows of a picture. Types of one call depth are in one row, unless they send to one another: then the senders
    /// stand above their receivers, so that no arrow runs along a row. Where they send in a circle, one arrow points up.
    pub(super) fn ranks(&self) -> Vec<Vec<usize>> {
        self.rows().into_iter().flat_map(|(_, row)| self.layers(&row)).collect()
    }

    /// The layers of types that are in one row: each type is below all that send to it.
    fn layers(&self, row: &[usize]) -> Vec<Vec<usize>> {
        let is_sent_to = |at: &usize| self.arrows.iter().any(|arrow| arrow.to == *at && row.contains(&arrow.from));
        let (later, first): (Vec<usize>, Vec<usize>) = row.iter().partition(|at| is_sent_to(at));
        let mut search = Search { chart: self, row, begun: Vec::new(), ended: Vec::new(), kept: Vec::new() };
        first.into_iter().chain(later).for_each(|at| search.visit(at));
        let Search { mut ended, kept, .. } = search;
        ended.reverse(); // now each is before all that it sends to
        let mut layers = vec![0; self.types.len()];
        for at in ended {
            for (_, to) in kept.iter().filter(|(from, _)| *from == at) {
                layers[*to] = layers[*to].max(layers[at] + 1);
            }
        }
        let count = row.iter().map(|at| layers[*at] + 1).max().unwrap_or(0);
        (0..count).map(|layer| row.iter().copied().filter(|at| layers[*at] == layer).collect()).collect()
    }
}

/// A search in depth along the arrows within a row. An arrow back to where the search is closes a circle, and is left
/// out.
struct Search<'c> {
    chart: &'c Chart,
    row: &'c [usize],
    begun: Vec<usize>,
    ended: Vec<usize>,
    kept: Vec<(usize, usize)>,
}

impl Search<'_> {
    fn visit(&mut self, at: usize) {
        if self.begun.contains(&at) {
            return;
        }
        self.begun.push(at);
        for arrow in self.chart.arrows.iter().filter(|arrow| arrow.from == at && self.row.contains(&arrow.to)) {
            if !self.begun.contains(&arrow.to) || self.ended.contains(&arrow.to) {
                self.kept.push((at, arrow.to));
                self.visit(arrow.to);
            }
        }
        self.ended.push(at);
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
        let pooled = self.instances.unwrap_or(0).saturating_sub(self.unpooled);
        let unpooled = match (pooled, self.unpooled) {
            (_, 0) => None,
            (0, _) => Some("(in no pool)".to_owned()),
            (pooled, unpooled) => Some(format!("({pooled} in the pool, {unpooled} outside it)")),
        };
        self.variants.iter().map(line).chain(unpooled).collect()
    }
}

impl ThreadBox {
    fn of(thread: &ThreadStats, state: ThreadState) -> Self {
        let types = thread.types.iter().map(|(message, count)| format!("{message} ×{count}"));
        let counts = format!("{} queued, {} handled", thread.queued, thread.handled);
        let runs = thread.holder().map(|runs| format!("runs {} {}", runs.message, runs.instance));
        let waits = thread.waits.iter();
        let waits = waits.map(|wait| format!("{} {} waits for {}", wait.message, wait.instance, wait.callee));
        let lines = types.chain([counts]).chain(runs).chain(waits).collect();
        Self { title: thread.name.clone(), lines, state }
    }

    /// The box of threads that are alike, in the order of their numbers.
    fn of_alike(threads: &[&ThreadStats], state: ThreadState) -> Option<Self> {
        let [first, .., last] = threads else { return threads.first().map(|alone| Self::of(alone, state)) };
        let names =
            if first.name == last.name { first.name.clone() } else { format!("{} … {}", first.name, last.name) };
        let types = first.types.iter().map(|(message, count)| format!("{message} ×{count} each"));
        let queued: usize = threads.iter().map(|thread| thread.queued).sum();
        let handled: u64 = threads.iter().map(|thread| thread.handled).sum();
        let counts = format!("{queued} queued, {handled} handled in all");
        let run = threads.iter().filter(|thread| thread.holder().is_some()).count();
        let run = (run > 0).then(|| format!("{run} of them run"));
        let waits = first.waits.iter().map(|wait| format!("each {} waits for {}", wait.message, wait.callee));
        let lines = [names].into_iter().chain(types).chain([counts]).chain(run).chain(waits).collect();
        Some(Self { title: format!("{} threads", threads.len()), lines, state })
    }
}
