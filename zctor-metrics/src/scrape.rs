//! The statistics that one scrape has read, as rows with their labels.

use zctor::{EngineHandle, Stats, ThreadStats, TypeStats, WaitRoot};

/// The labels of a row: names and values.
pub(crate) type Labels = Vec<(&'static str, String)>;

/// The statistics of each engine, all families are written from.
pub(crate) struct Scrape(Vec<(String, Stats)>);

impl Scrape {
    pub(crate) fn of(engines: &[(String, EngineHandle)]) -> Self {
        Self(engines.iter().map(|(name, engine)| (name.clone(), engine.stats())).collect())
    }

    /// Whether an engine is there, and has something to show.
    #[cfg(feature = "observe")]
    pub(crate) fn has(&self, engine: &str) -> bool {
        self.0.iter().any(|(name, stats)| name == engine && !stats.types.is_empty())
    }

    /// A row for each message type.
    pub(crate) fn types<V>(&self, value: impl Fn(&TypeStats) -> V) -> Vec<(Labels, V)> {
        let rows = self.0.iter().flat_map(|(engine, stats)| stats.types.iter().map(move |row| (engine, row)));
        rows.map(|(engine, row)| (labels(engine, &[("message", row.message)]), value(row))).collect()
    }

    /// Rows for each message type that a further label tells apart.
    pub(crate) fn types_by<V, const N: usize>(
        &self,
        label: &'static str,
        values: impl Fn(&TypeStats) -> [(&'static str, V); N],
    ) -> Vec<(Labels, V)> {
        spread(self.types(values), label)
    }

    /// A row for each thread.
    pub(crate) fn threads<V>(&self, value: impl Fn(&ThreadStats) -> V) -> Vec<(Labels, V)> {
        let rows = self.0.iter().flat_map(|(engine, stats)| stats.threads.iter().map(move |row| (engine, row)));
        rows.map(|(engine, row)| (of_thread(engine, &row.thread, &row.name), value(row))).collect()
    }

    /// Rows for each bounded mailbox: its room for messages from outside and from inside.
    pub(crate) fn rooms(&self, value: impl Fn(&zctor::RoomStats) -> usize) -> Vec<(Labels, usize)> {
        let rooms = self.threads(|thread| [("outside", thread.room), ("inside", thread.inner_room)]);
        spread(rooms, "side").into_iter().filter_map(|(labels, room)| Some((labels, value(&room?)))).collect()
    }

    /// A row for each pair of a type whose handlers wait and the type that they wait for.
    pub(crate) fn waits(&self) -> Vec<(Labels, usize)> {
        let mut rows: Vec<(Labels, usize)> = Vec::new();
        for (engine, stats) in &self.0 {
            for wait in stats.threads.iter().flat_map(|thread| &thread.waits) {
                let labels = labels(engine, &[("message", wait.message), ("callee", wait.callee)]);
                match rows.iter_mut().find(|(known, _)| *known == labels) {
                    Some((_, count)) => *count += 1,
                    None => rows.push((labels, 1)),
                }
            }
        }
        rows
    }

    /// A row for each end of chains of waits. Threads of another engine have numbers of their own, so they are left out:
    /// that engine's metrics name what is behind them.
    pub(crate) fn roots<V>(&self, value: impl Fn(&WaitRoot) -> V) -> Vec<(Labels, V)> {
        let roots = self.0.iter().flat_map(|(engine, stats)| {
            let roots = stats.waits().roots.into_iter().filter(|root| !root.is_elsewhere);
            roots.map(move |root| (engine, root))
        });
        let row = |(engine, root): (&String, WaitRoot)| {
            let mut labels = of_thread(engine, &root.thread, &root.name);
            labels.push(("message", root.message.unwrap_or_default().to_owned()));
            (labels, value(&root))
        };
        roots.map(row).collect()
    }
}

pub(crate) fn labels(engine: &str, further: &[(&'static str, &str)]) -> Labels {
    let further = further.iter().map(|(name, value)| (*name, (*value).to_owned()));
    [("engine", engine.to_owned())].into_iter().chain(further).collect()
}

fn of_thread(engine: &str, thread: &zctor::ThreadId, name: &str) -> Labels {
    labels(engine, &[("thread", &thread.to_string()), ("name", name)])
}

/// A row for each value of the further label.
fn spread<V, const N: usize>(rows: Vec<(Labels, [(&'static str, V); N])>, label: &'static str) -> Vec<(Labels, V)> {
    let spread = |(labels, values): (Labels, [(&'static str, V); N])| {
        values.map(|(which, value)| {
            let mut labels = labels.clone();
            labels.push((label, which.to_owned()));
            (labels, value)
        })
    };
    rows.into_iter().flat_map(spread).collect()
}
