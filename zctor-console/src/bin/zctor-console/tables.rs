//! The tables: threads, types, instances and events.

use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::Table;
use zctor_console::snapshot::{Room, Snapshot, Thread};

use crate::columns::{Column, Grid};

/// How wide the bar of a thread is.
const BAR: usize = 16;

/// The table in the lower part of the window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Pane {
    #[default]
    Threads,
    Types,
    Instances,
    Events,
}

impl Pane {
    pub(crate) const ALL: [Self; 4] = [Self::Threads, Self::Types, Self::Instances, Self::Events];

    /// Its key, and its name.
    pub(crate) fn key(self) -> (char, &'static str) {
        match self {
            Self::Threads => ('h', "threads"),
            Self::Types => ('t', "types"),
            Self::Instances => ('i', "instances"),
            Self::Events => ('e', "events"),
        }
    }

    /// The number of rows that it has.
    pub(crate) fn rows(self, snapshot: &Snapshot) -> usize {
        match self {
            Self::Threads => snapshot.threads.len(),
            Self::Types => snapshot.types.len(),
            Self::Instances => snapshot.top.len(),
            Self::Events => snapshot.events.len(),
        }
    }

    /// The table that the keys scroll: its rows from the number `from` on, for this area, with its title in bold.
    pub(crate) fn chosen_table(self, snapshot: &Snapshot, area: Rect, from: usize) -> Table<'static> {
        Grid { from, is_chosen: true, ..self.grid(snapshot) }.table(area)
    }

    /// Its first rows, for this area.
    pub(crate) fn table(self, snapshot: &Snapshot, area: Rect) -> Table<'static> {
        self.grid(snapshot).table(area)
    }

    fn grid(self, snapshot: &Snapshot) -> Grid {
        let (title, columns, styles) = match self {
            Self::Threads => threads(snapshot),
            Self::Types => ("types", types(snapshot), Vec::new()),
            Self::Instances => ("top instances", instances(snapshot), Vec::new()),
            Self::Events => ("events", events(snapshot), Vec::new()),
        };
        Grid { title, columns, styles, from: 0, is_chosen: false }
    }
}

fn threads(snapshot: &Snapshot) -> (&'static str, Vec<Column>, Vec<Style>) {
    let all = snapshot.culprits_first();
    let red = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
    let styles = all.iter().map(|row| if snapshot.is_culprit(row) { red } else { Style::new() }).collect();
    let rows = || all.iter().copied();
    let oldest = |row: &Thread| Line::from(row.oldest_text(snapshot.window));
    let rooms = |row: &Thread| Line::from(row.rooms.iter().map(Room::to_string).collect::<Vec<_>>().join(" "));
    let columns = vec![
        Column::name("thread", 9, rows().map(|row| format!("{} {}", row.thread, row.name))),
        Column::text("busy ▮ waits ▯", 3, rows().map(bar)),
        Column::number("queued", 7, rows().map(|row| number(row.queued as u64))),
        Column::number("oldest", 6, rows().map(oldest)),
        Column::number("room", 2, rows().map(rooms)),
        Column::number("handled/s", 1, rows().map(|row| number(row.rate.round() as u64))),
        Column::number("panics", 0, rows().map(|row| bad_number(row.panicked))),
        Column::rest("runs", 8, rows().map(|row| Line::from(row.runs_text()))),
    ];
    ("threads", columns, styles)
}

fn types(snapshot: &Snapshot) -> Vec<Column> {
    let rows = || snapshot.types.iter();
    vec![
        Column::name("type", 9, rows().map(|row| row.message.clone())),
        Column::number("instances", 5, rows().map(|row| number(row.instances as u64))),
        Column::number("queued", 8, rows().map(|row| number(row.queued as u64))),
        Column::number("handled/s", 7, rows().map(|row| number(row.rate.round() as u64))),
        Column::number("handled", 4, rows().map(|row| number(row.handled))),
        Column::number("panics", 6, rows().map(|row| bad_number(row.panicked))),
        Column::number("restarts", 1, rows().map(|row| bad_number(row.restarts))),
        Column::number("ended", 0, rows().map(|row| number(row.ended))),
        Column::number("dead", 3, rows().map(|row| bad_number(row.dead_letters))),
        Column::number("refused", 3, rows().map(|row| bad_number(row.refused))),
        Column::number("timed out", 2, rows().map(|row| bad_number(row.timed_out))),
    ]
}

fn instances(snapshot: &Snapshot) -> Vec<Column> {
    let rows = || snapshot.top.iter();
    let state = |backs_off: bool| if backs_off { Line::from("backs off").red() } else { Line::default() };
    vec![
        Column::name("instance", 9, rows().map(|row| format!("{} {}", row.instance, row.message))),
        Column::number("queued", 8, rows().map(|row| number(row.queued as u64))),
        Column::number("handled/s", 5, rows().map(|row| number(row.rate.round() as u64))),
        Column::number("handled", 4, rows().map(|row| number(row.handled))),
        Column::number("panics", 6, rows().map(|row| bad_number(row.panicked))),
        Column::text("state", 7, rows().map(|row| state(row.backing_off))),
    ]
}

fn events(snapshot: &Snapshot) -> Vec<Column> {
    vec![Column::rest("the newest first", 9, snapshot.events.iter().map(|event| Line::from(event.to_string())))]
}

/// A bar: busy, waiting, idle.
fn bar(row: &Thread) -> Line<'static> {
    let cells = |share: f64| (share * BAR as f64).round() as usize;
    let busy = cells(row.busy).min(BAR);
    let waiting = cells(row.waiting).min(BAR - busy);
    Line::from(vec![
        Span::from("▮".repeat(busy)).fg(Color::Blue),
        Span::from("▯".repeat(waiting)).fg(Color::Yellow),
        Span::from("·".repeat(BAR - busy - waiting)).dim(),
    ])
}

fn number(value: u64) -> Line<'static> {
    let line = Line::from(value.to_string());
    if value == 0 { line.dim() } else { line }
}

fn bad_number(value: u64) -> Line<'static> {
    let line = number(value);
    if value == 0 { line } else { line.red() }
}
