//! A snapshot, drawn.

use ratatui::Frame;
use ratatui::crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Widget};
use zctor_console::snapshot::{Room, Snapshot, Thread};

use crate::columns::{Column, table};

/// How wide the bar of a thread is.
const BAR: usize = 16;

/// The choices of the user: a table, how far it is scrolled, and whether it stands still.
#[derive(Debug, Default)]
pub(crate) struct View {
    pane: Pane,
    scroll: usize,
    pub(crate) paused: bool,
    /// Where the snapshot comes from, in a word.
    pub(crate) state: String,
}

/// The table in the lower half.
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
        let inner = usize::from(frame.area().width.saturating_sub(2)).max(1);
        let waits = waits(snapshot, inner);
        let rows_of_waits = waits.iter().map(Vec::len).sum();
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
        let waits = Paragraph::new(fitting(waits, usize::from(areas[1].height.saturating_sub(2))));
        let border = Block::bordered().title(title).border_style(Style::new().fg(colour));
        frame.render_widget(waits.block(border), areas[1]);
        frame.render_widget(threads(snapshot, areas[2]), areas[2]);
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
            Span::from(format!("  process {}, {}", snapshot.process, clock(snapshot.time))),
            Span::from(format!(", {rate:.0} handled/s, {queued} queued   ")),
            Span::from(state).dim(),
        ])
    }

    fn draw_pane(&self, frame: &mut Frame<'_>, snapshot: &Snapshot, area: Rect) {
        match self.pane {
            Pane::Types => {
                let rows = || snapshot.types.iter().skip(self.scroll);
                let columns = vec![
                    Column::text("type", 9, rows().map(|row| Line::from(row.message.clone()))),
                    Column::number("instances", 5, rows().map(|row| number(row.instances as u64))),
                    Column::number("queued", 8, rows().map(|row| number(row.queued as u64))),
                    Column::number("handled/s", 7, rows().map(|row| number(row.rate.round() as u64))),
                    Column::number("handled", 4, rows().map(|row| number(row.handled))),
                    Column::number("panics", 6, rows().map(|row| bad_number(row.panicked))),
                    Column::number("restarts", 1, rows().map(|row| bad_number(row.restarts))),
                    Column::number("ended", 0, rows().map(|row| bad_number(row.ended))),
                    Column::number("dead", 3, rows().map(|row| bad_number(row.dead_letters))),
                    Column::number("refused", 3, rows().map(|row| bad_number(row.refused))),
                    Column::number("timed out", 2, rows().map(|row| bad_number(row.timed_out))),
                ];
                frame.render_widget(table("types", columns, area, &[]), area);
            }
            Pane::Instances => {
                let rows = || snapshot.top.iter().skip(self.scroll);
                let state = |backs_off: bool| if backs_off { Line::from("backs off").red() } else { Line::default() };
                let columns = vec![
                    Column::text(
                        "instance",
                        9,
                        rows().map(|row| Line::from(format!("{} {}", row.message, row.instance))),
                    ),
                    Column::number("queued", 8, rows().map(|row| number(row.queued as u64))),
                    Column::number("handled/s", 5, rows().map(|row| number(row.rate.round() as u64))),
                    Column::number("handled", 4, rows().map(|row| number(row.handled))),
                    Column::number("panics", 6, rows().map(|row| bad_number(row.panicked))),
                    Column::text("state", 7, rows().map(|row| state(row.backing_off))),
                ];
                frame.render_widget(table("top instances", columns, area, &[]), area);
            }
            Pane::Events => {
                let lines = snapshot.events.iter().skip(self.scroll).map(|event| Line::from(event.to_string()));
                let events = Paragraph::new(lines.collect::<Vec<_>>()).block(Block::bordered().title(" events "));
                frame.render_widget(events, area);
            }
        }
    }
}

/// The time of day, in UTC.
fn clock(time: f64) -> String {
    let seconds = time as u64 % 86_400;
    format!("{:02}:{:02}:{:02} UTC", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// The waits, each as the rows that it takes. The culprit comes first, in red, and then those that wait for it, the
/// nearest first: a small terminal cuts the end off.
fn waits(snapshot: &Snapshot, width: usize) -> Vec<Vec<Line<'static>>> {
    let rows = |indent: usize, text: &str, style: Style| -> Vec<Line<'static>> {
        wrapped(text, width, indent).into_iter().map(|row| Line::from(row).style(style)).collect()
    };
    let red = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
    let mut all: Vec<Vec<Line<'static>>> = snapshot.culprit.iter().map(|culprit| rows(0, culprit, red)).collect();
    for root in snapshot.waits.iter().rev() {
        if snapshot.culprit.as_ref() != Some(&root.text) {
            all.push(rows(0, &root.text, Style::new()));
        }
        let nearest_first = root.waiting.iter().rev();
        all.extend(nearest_first.map(|one| rows(2 * one.distance, &one.text, Style::new())));
    }
    if all.is_empty() {
        all.push(rows(0, "nothing waits", Style::new()));
    }
    all
}

/// As many of them as fit into so many rows, and below how many do not.
fn fitting(waits: Vec<Vec<Line<'static>>>, height: usize) -> Vec<Line<'static>> {
    let (total, needed) = (waits.len(), waits.iter().map(Vec::len).sum::<usize>());
    // One row is for the culprit, whatever is cut.
    let is_cut = needed > height && height > 1;
    let room = if is_cut { height - 1 } else { height };
    let (mut fit, mut shown) = (Vec::new(), 0);
    for one in waits {
        // Of the first there is a part rather than nothing.
        if fit.len() + one.len() > room && shown > 0 {
            break;
        }
        fit.extend(one.into_iter().take(room));
        shown += 1;
    }
    if is_cut {
        let rest = match total - shown {
            0 => "… the rest needs a larger window".to_owned(),
            more => format!("… {more} more in a larger window"),
        };
        fit.push(Line::from(rest).dim());
    }
    fit
}

/// A text in rows of this width, broken at blanks where that goes. Rows after the first are further in.
fn wrapped(text: &str, width: usize, indent: usize) -> Vec<String> {
    let indent = indent.min(width / 2);
    let (mut rows, mut row) = (Vec::new(), " ".repeat(indent));
    let mut is_empty = true;
    for word in text.split(' ') {
        if !is_empty && row.chars().count() + 1 + word.chars().count() > width {
            rows.push(std::mem::replace(&mut row, " ".repeat((indent + 2).min(width / 2))));
            is_empty = true;
        }
        if !is_empty {
            row.push(' ');
        }
        row.push_str(word);
        is_empty = false;
    }
    rows.push(row);
    rows
}

fn threads(snapshot: &Snapshot, area: Rect) -> impl Widget {
    let old = snapshot.waits.iter().filter(|root| root.longest >= 1.0);
    let roots: Vec<&str> = old.map(|root| &*root.thread).collect();
    let style = |row: &Thread| {
        let is_root = roots.contains(&&*row.thread);
        if is_root { Style::new().fg(Color::Red).add_modifier(Modifier::BOLD) } else { Style::new() }
    };
    let styles: Vec<Style> = snapshot.threads.iter().map(style).collect();
    let rows = || snapshot.threads.iter();
    let oldest = |row: &Thread| Line::from(row.oldest_text(snapshot.window));
    let rooms = |row: &Thread| Line::from(row.rooms.iter().map(Room::to_string).collect::<Vec<_>>().join(" "));
    let columns = vec![
        Column::text("thread", 9, rows().map(|row| Line::from(format!("{} {}", row.thread, row.name)))),
        Column::text("busy ▮ waits ▯", 3, rows().map(bar)),
        Column::number("queued", 7, rows().map(|row| number(row.queued as u64))),
        Column::number("oldest", 6, rows().map(oldest)),
        Column::number("room", 2, rows().map(rooms)),
        Column::number("handled/s", 1, rows().map(|row| number(row.rate.round() as u64))),
        Column::number("panics", 0, rows().map(|row| bad_number(row.panicked))),
        Column::rest("runs", 8, rows().map(|row| Line::from(row.runs_text()))),
    ];
    table("threads", columns, area, &styles)
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
    let line = Line::from(value.to_string());
    if value == 0 { line.dim() } else { line.red() }
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
                "lasted": 5.0, "longest": 5.0, "handlers": 1, "callers": 0,
                "waiting": [{"text": "`AuthMessage` 1.0 waits 5.0 s for `DatabaseMessage` on thread 0", "outside": false, "lasted": 5.0, "distance": 1}]}],
            "threads": [{"thread": "0", "name": "db", "busy": 1.0, "waiting": 0.0, "rate": 0.0, "instances": 1, "queued": 1,
                "oldest": 5.0, "rooms": [{"inside": false, "bound": 8, "taken": 8, "waiting": 2}], "timers": 0, "handled": 0,
                "panicked": 0, "runs": "DatabaseMessage 0.0", "waits": false, "backing_off": 2}],
        });
        let snapshot: Snapshot = serde_json::from_value(json).unwrap();
        let mut view = View::default();
        let lines = screen(&view, &snapshot);
        assert!(lines[2].contains(line) && lines[3].contains("`AuthMessage` 1.0 waits 5.0 s"), "{lines:#?}");
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
    fn waits_that_are_cut_off_say_how_many_and_the_nearest_come_first() {
        let lines = |count: usize| {
            let line = |number: usize| wrapped(&format!("{number} waits for the database"), 16, 2);
            (0..count).map(|number| line(number).into_iter().map(Line::from).collect()).collect()
        };
        let text = |lines: Vec<Line<'_>>| lines.iter().map(Line::to_string).collect::<Vec<_>>();
        assert_eq!(text(fitting(lines(1), 2)), ["  0 waits for", "    the database"]);
        let cut = text(fitting(lines(4), 6));
        assert_eq!(cut[2..], ["  1 waits for", "    the database", "… 2 more in a larger window"]);
        assert_eq!(text(fitting(lines(2), 1)), ["  0 waits for"]);
        assert!(fitting(lines(2), 0).is_empty());
    }

    #[test]
    fn an_instance_that_backs_off_and_the_time_of_day_are_shown() {
        let (mut snapshot, mut feed) = (Snapshot::default(), Thread::default());
        snapshot.time = 58_230.0;
        (feed.thread, feed.name) = ("5".to_owned(), "feed".to_owned());
        (feed.queued, feed.backing_off) = (3_388, 1);
        snapshot.threads.push(feed);
        let lines = screen(&View::default(), &snapshot);
        assert!(lines[0].contains("16:10:30 UTC"), "{lines:#?}");
        let feed = lines.iter().find(|line| line.contains("5 feed")).unwrap();
        assert!(feed.contains("(1 back off)") && feed.contains(" ? "), "{lines:#?}");
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
