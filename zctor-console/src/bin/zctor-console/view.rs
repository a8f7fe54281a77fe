//! A snapshot, drawn.

use ratatui::Frame;
use ratatui::crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Paragraph, Row, Table, Wrap};
use zctor_console::snapshot::{Room, Snapshot, Thread};

/// How wide the bar of a thread is.
const BAR: usize = 16;

/// What the user looks at.
#[derive(Debug, Default)]
pub(crate) struct View {
    pane: Pane,
    scroll: usize,
    pub(crate) paused: bool,
    /// Where the snapshot comes from, in a word.
    pub(crate) state: String,
}

/// What the lower half shows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Pane {
    #[default]
    Types,
    Instances,
    Events,
}

impl View {
    /// Does what a key asks for. Whether to go on.
    pub(crate) fn key(&mut self, key: Option<KeyEvent>) -> bool {
        let pane = self.pane;
        match key.map(|key| key.code) {
            Some(KeyCode::Char('q') | KeyCode::Esc) => return false,
            Some(KeyCode::Char('p' | ' ')) => self.paused = !self.paused,
            Some(KeyCode::Char('t')) => self.pane = Pane::Types,
            Some(KeyCode::Char('i')) => self.pane = Pane::Instances,
            Some(KeyCode::Char('e')) => self.pane = Pane::Events,
            Some(KeyCode::Tab) => {
                self.pane = match pane {
                    Pane::Types => Pane::Instances,
                    Pane::Instances => Pane::Events,
                    Pane::Events => Pane::Types,
                }
            }
            Some(KeyCode::Down) => self.scroll = self.scroll.saturating_add(1),
            Some(KeyCode::Up) => self.scroll = self.scroll.saturating_sub(1),
            _ => {}
        }
        if self.pane != pane {
            self.scroll = 0;
        }
        true
    }

    pub(crate) fn draw(&self, frame: &mut Frame<'_>, snapshot: &Snapshot) {
        let waits = waits(snapshot);
        let inner = usize::from(frame.area().width.saturating_sub(2)).max(1);
        let rows_of_waits = waits.iter().map(|line| line.width().div_ceil(inner).max(1)).sum();
        let most = |share: u16| usize::from(frame.area().height * share / 100).max(4);
        let high = |lines: usize, share: u16| Constraint::Length((lines + 2).min(most(share)) as u16);
        let areas = Layout::vertical([
            Constraint::Length(1),
            high(rows_of_waits, 40),
            high(snapshot.threads.len() + 1, 40),
            Constraint::Min(4),
            Constraint::Length(1),
        ])
        .split(frame.area());
        frame.render_widget(self.head(snapshot), areas[0]);
        let (title, colour) = match snapshot.culprit {
            Some(_) => (" what is stuck, and who waits for it ", Color::Red),
            None => (" waits ", Color::Green),
        };
        let waits = Paragraph::new(waits).block(Block::bordered().title(title).border_style(Style::new().fg(colour)));
        frame.render_widget(waits.wrap(Wrap { trim: false }), areas[1]);
        frame.render_widget(threads(snapshot), areas[2]);
        self.draw_pane(frame, snapshot, areas[3]);
        let keys = "q quit   p pause   t types   i instances   e events   ↑ ↓ scroll";
        frame.render_widget(Line::from(keys).dim(), areas[4]);
    }

    fn head(&self, snapshot: &Snapshot) -> Line<'static> {
        let rate: f64 = snapshot.threads.iter().map(|row| row.rate).sum();
        let queued: usize = snapshot.threads.iter().map(|row| row.queued).sum();
        let state = match (self.paused, self.state.as_str()) {
            (false, state) => state.to_owned(),
            (true, "live" | "") => "paused".to_owned(),
            (true, state) => format!("{state}, paused"),
        };
        Line::from(vec![
            Span::from(format!(" {} ", snapshot.engine)).bold().reversed(),
            Span::from(format!("  process {}, {rate:.0} handled/s, {queued} queued   ", snapshot.process)),
            Span::from(state).dim(),
        ])
    }

    fn draw_pane(&self, frame: &mut Frame<'_>, snapshot: &Snapshot, area: Rect) {
        match self.pane {
            Pane::Types => {
                let rows = snapshot.types.iter().map(|row| {
                    let numbers = [row.instances as u64, row.queued as u64, row.rate.round() as u64, row.handled];
                    let bad = [row.panicked, row.restarts, row.ended, row.dead_letters, row.refused, row.timed_out];
                    let cells = numbers.map(number).into_iter().chain(bad.map(bad_number));
                    Row::new([Cell::from(row.message.clone())].into_iter().chain(cells))
                });
                let head = [
                    "type",
                    "instances",
                    "queued",
                    "handled/s",
                    "handled",
                    "panics",
                    "restarts",
                    "ended",
                    "dead",
                    "refused",
                    "timed out",
                ];
                frame.render_widget(self.table(" types ", head, 10, rows), area);
            }
            Pane::Instances => {
                let rows = snapshot.top.iter().map(|row| {
                    let state = if row.backing_off { Cell::from("backs off").red() } else { Cell::default() };
                    Row::new([
                        Cell::from(format!("{} {}", row.message, row.instance)),
                        number(row.queued as u64),
                        number(row.rate.round() as u64),
                        number(row.handled),
                        bad_number(row.panicked),
                        state,
                    ])
                });
                let head = ["instance", "queued", "handled/s", "handled", "panics", ""];
                frame.render_widget(self.table(" top instances ", head, 10, rows), area);
            }
            Pane::Events => {
                let lines = snapshot.events.iter().skip(self.scroll).map(|event| Line::from(event.to_string()));
                let events = Paragraph::new(lines.collect::<Vec<_>>()).block(Block::bordered().title(" events "));
                frame.render_widget(events, area);
            }
        }
    }

    fn table<'a, const N: usize>(
        &self,
        title: &'static str,
        head: [&'static str; N],
        width: u16,
        rows: impl Iterator<Item = Row<'a>>,
    ) -> Table<'a> {
        let widths = (0..N).map(|at| if at == 0 { Constraint::Min(24) } else { Constraint::Length(width) });
        let head = head.iter().enumerate().map(|(at, name)| {
            let name = Line::from(*name);
            Cell::from(if at == 0 { name } else { name.right_aligned() })
        });
        Table::new(rows.skip(self.scroll), widths).header(Row::new(head).dim()).block(Block::bordered().title(title))
    }
}

/// The waits. The culprit comes first, in red: a small terminal cuts the end off.
fn waits(snapshot: &Snapshot) -> Vec<Line<'static>> {
    let mut lines: Vec<Line<'static>> = snapshot.waits_text.lines().map(|line| Line::from(line.to_owned())).collect();
    if let Some(culprit) = &snapshot.culprit {
        if snapshot.waits_text.ends_with(culprit) {
            lines.pop();
        }
        lines.insert(0, Line::from(culprit.clone()).red().bold());
    }
    lines
}

fn threads(snapshot: &Snapshot) -> Table<'_> {
    let old = snapshot.waits.iter().filter(|root| root.longest >= 1.0);
    let roots: Vec<&str> = old.map(|root| &*root.thread).collect();
    let rows = snapshot.threads.iter().map(|row| {
        let style = if roots.contains(&&*row.thread) {
            Style::new().fg(Color::Red).add_modifier(Modifier::BOLD)
        } else {
            Style::new()
        };
        let oldest = if row.oldest > 0.0 { format!("{:.1} s", row.oldest) } else { String::new() };
        let rooms: Vec<String> = row.rooms.iter().map(Room::to_string).collect();
        Row::new([
            Cell::from(format!("{} {}", row.thread, row.name)),
            Cell::from(bar(row)),
            number(row.queued as u64),
            Cell::from(Line::from(oldest).right_aligned()),
            Cell::from(Line::from(rooms.join(" ")).right_aligned()),
            number(row.rate.round() as u64),
            bad_number(row.panicked),
            Cell::from(runs(row)),
        ])
        .style(style)
    });
    let widths = [18, BAR as u16, 8, 9, 12, 10, 8].map(Constraint::Length).into_iter().chain([Constraint::Min(20)]);
    let head = ["thread", "busy ▮ waits ▯", "queued", "oldest", "room", "handled/s", "panics", "runs"];
    let head = head.iter().enumerate().map(|(at, name)| match at {
        2..=6 => Line::from(*name).right_aligned(),
        _ => Line::from(*name),
    });
    Table::new(rows, widths).header(Row::new(head).dim()).block(Block::bordered().title(" threads "))
}

/// What runs on a thread, and how many of its instances wait for their rebuild.
fn runs(row: &Thread) -> String {
    match row.backing_off {
        0 => row.runs.clone(),
        some => format!("{} ({some} back off)", row.runs).trim_start().to_owned(),
    }
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

fn number(value: u64) -> Cell<'static> {
    let line = Line::from(value.to_string()).right_aligned();
    Cell::from(if value == 0 { line.dim() } else { line })
}

fn bad_number(value: u64) -> Cell<'static> {
    let line = Line::from(value.to_string()).right_aligned();
    Cell::from(if value == 0 { line.dim() } else { line.red() })
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    /// The lines of a screen.
    fn screen(view: &View, snapshot: &Snapshot) -> Vec<String> {
        let (width, height) = (140, 40);
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| view.draw(frame, snapshot)).unwrap();
        let buffer = terminal.backend().buffer();
        let cell = |x, y| buffer.cell((x, y)).map_or("", |cell| cell.symbol());
        (0..height).map(|y| (0..width).map(|x| cell(x, y)).collect::<String>().trim_end().to_owned()).collect()
    }

    #[test]
    fn the_culprit_is_above_all_also_where_the_waits_need_more_room_than_there_is() {
        let line = "`DatabaseMessage` 0.0 RUNS on thread 0 `db` and waits for no actor";
        let json = serde_json::json!({
            "version": 1, "engine": "shop", "process": 1, "time": 0.0, "window": 0.5, "instances": 1, "types": [], "top": [],
            "events": [], "culprit": line,
            "waits_text": format!("1 handler waits:\n  `AuthMessage` 1.0 waits 5.0 s for `DatabaseMessage` on thread 0\n    {line}"),
            "waits": [{"text": line, "thread": "0", "name": "db", "instance": "0.0", "message": "DatabaseMessage", "variant": null,
                "lasted": 5.0, "longest": 5.0, "handlers": 1, "callers": 0, "waiting": []}],
            "threads": [{"thread": "0", "name": "db", "busy": 1.0, "waiting": 0.0, "rate": 0.0, "instances": 1, "queued": 1,
                "oldest": 5.0, "rooms": [{"inside": false, "bound": 8, "taken": 8, "waiting": 2}], "timers": 0, "handled": 0,
                "panicked": 0, "runs": "DatabaseMessage 0.0", "waits": false, "backing_off": 2}],
        });
        let snapshot: Snapshot = serde_json::from_value(json).unwrap();
        let mut view = View::default();
        let lines = screen(&view, &snapshot);
        assert!(lines[2].contains(line) && lines[4].contains("`AuthMessage` 1.0 waits 5.0 s"), "{lines:#?}");
        let mut small = Terminal::new(TestBackend::new(40, 12)).unwrap();
        small.draw(|frame| view.draw(frame, &snapshot)).unwrap();
        let text: String = small.backend().buffer().content.iter().map(|cell| cell.symbol()).collect();
        assert!(text.contains("`DatabaseMessage` 0.0 RUNS on thread 0"), "{text}");
        let thread = lines.iter().find(|found| found.starts_with("│0 db")).unwrap_or_else(|| panic!("{lines:#?}"));
        assert!(thread.contains("8/8 +2") && thread.contains("▮▮▮▮") && thread.contains("5.0 s"), "{thread}");
        assert!(thread.contains("DatabaseMessage 0.0 (2 back off)"), "{thread}");
        assert!(view.key(Some(KeyCode::Char('e').into())));
        assert!(screen(&view, &snapshot).iter().any(|found| found.contains("events")));
        assert!(!view.key(Some(KeyCode::Char('q').into())));
    }

    #[test]
    fn no_key_and_no_size_of_a_terminal_brings_a_panic() {
        let mut view = View::default();
        let snapshot: Snapshot = serde_json::from_str(
            r#"{"version":1,"engine":"","process":0,"time":0,"window":0,"threads":[],"types":[],"instances":0,"top":[],"waits":[],"waits_text":"","culprit":null,"events":[]}"#,
        )
        .unwrap();
        for key in [KeyCode::Down, KeyCode::Tab, KeyCode::Up, KeyCode::Char('i'), KeyCode::F(1)] {
            assert!(view.key(Some(key.into())));
            for (width, height) in [(1, 1), (20, 3), (80, 24)] {
                let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
                terminal.draw(|frame| view.draw(frame, &snapshot)).unwrap();
            }
        }
    }
}
