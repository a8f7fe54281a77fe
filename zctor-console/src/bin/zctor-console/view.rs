//! A snapshot, drawn: above all what needs a look first, and below it the tables.

use ratatui::Frame;
use ratatui::crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};
use zctor_console::snapshot::Snapshot;

use crate::columns::Grid;
use crate::tables::Pane;
use crate::waits;

/// A window of so many lines has room for the threads and for another table.
const HIGH: u16 = 32;
/// So many characters of an engine's name leave room for the state in a line of 80.
const NAME: usize = 20;
/// The rows that a page of keys such as PageDown has.
const PAGE: usize = 10;

/// The choices of the user: a table, how far it is scrolled, and whether it stands still.
#[derive(Debug, Default)]
pub(crate) struct View {
    pane: Pane,
    scroll: usize,
    pub(crate) paused: bool,
    pub(crate) source: Source,
}

/// Where the snapshot comes from.
#[derive(Debug, Default)]
pub(crate) enum Source {
    #[default]
    Live,
    /// The program does not answer any more, with the reason.
    Lost(String),
    /// The number of the snapshot, and of how many.
    Recording(usize, usize),
}

impl View {
    /// Does what a key asks for. Whether to go on.
    pub(crate) fn key(&mut self, key: Option<KeyEvent>) -> bool {
        let pane = self.pane;
        let beside = |step: usize| {
            let at = Pane::ALL.iter().position(|one| *one == pane).unwrap_or_default();
            Pane::ALL[(at + step) % Pane::ALL.len()]
        };
        match key.map(|key| key.code) {
            Some(KeyCode::Char('q') | KeyCode::Esc) => return false,
            Some(KeyCode::Char('p' | ' ')) => self.paused = !self.paused,
            Some(KeyCode::Char(letter)) => {
                self.pane = Pane::ALL.into_iter().find(|one| one.key().0 == letter).unwrap_or(pane);
            }
            Some(KeyCode::Tab) => self.pane = beside(1),
            Some(KeyCode::BackTab) => self.pane = beside(Pane::ALL.len() - 1),
            Some(KeyCode::Down) => self.scroll = self.scroll.saturating_add(1),
            Some(KeyCode::Up) => self.scroll = self.scroll.saturating_sub(1),
            Some(KeyCode::PageDown) => self.scroll = self.scroll.saturating_add(PAGE),
            Some(KeyCode::PageUp) => self.scroll = self.scroll.saturating_sub(PAGE),
            Some(KeyCode::Home) => self.scroll = 0,
            Some(KeyCode::End) => self.scroll = usize::MAX,
            _ => {}
        }
        if self.pane != pane {
            self.scroll = 0;
        }
        true
    }

    pub(crate) fn draw(&mut self, frame: &mut Frame<'_>, snapshot: &Snapshot) {
        let area = frame.area();
        let waits = waits::lines(snapshot, usize::from(area.width.saturating_sub(2)).max(1));
        let most = usize::from(area.height * 2 / 5).max(4);
        let high = |lines: usize| Constraint::Length((lines + 2).min(most) as u16);
        let has_two = area.height >= HIGH;
        let [head, above, upper, lower, keys] = Layout::vertical([
            Constraint::Length(1),
            high(waits.iter().map(Vec::len).sum()),
            if has_two { high(snapshot.threads.len() + 1) } else { Constraint::Length(0) },
            Constraint::Min(4),
            Constraint::Length(1),
        ])
        .areas(area);
        frame.render_widget(self.head(snapshot), head);
        let (title, colour) = match snapshot.culprit {
            Some(_) => (" what needs a look first, and who waits for it ", Color::Red),
            None => (" waits ", Color::Green),
        };
        let border = Block::bordered().title(title).border_style(Style::new().fg(colour));
        let waits = Paragraph::new(waits::fitting(waits, usize::from(above.height.saturating_sub(2))));
        frame.render_widget(waits.block(border), above);
        match self.pane {
            Pane::Threads if has_two => {
                self.draw_chosen(frame, snapshot, upper);
                frame.render_widget(Pane::Types.table(snapshot, lower), lower);
            }
            _ => {
                if has_two {
                    frame.render_widget(Pane::Threads.table(snapshot, upper), upper);
                }
                self.draw_chosen(frame, snapshot, lower);
            }
        }
        frame.render_widget(self.keys(), keys);
    }

    /// Draws the table that the keys scroll, no further than to its last row.
    fn draw_chosen(&mut self, frame: &mut Frame<'_>, snapshot: &Snapshot, area: Rect) {
        self.scroll = self.scroll.min(self.pane.rows(snapshot).saturating_sub(Grid::rows_in(area)));
        frame.render_widget(self.pane.chosen_table(snapshot, area, self.scroll), area);
    }

    /// The state comes before the numbers: a narrow window cuts the end off.
    fn head(&self, snapshot: &Snapshot) -> Line<'static> {
        let rate = snapshot.threads.iter().fold(0.0, |sum, row| sum + row.rate);
        let queued: usize = snapshot.threads.iter().map(|row| row.queued).sum();
        let paused = |state: &str| if self.paused { format!("{state}, paused") } else { state.to_owned() };
        let state = match &self.source {
            Source::Live if self.paused => Span::from("paused").yellow(),
            Source::Live => Span::from("live").green(),
            Source::Lost(_) => Span::from(paused("the program does not answer")).red().bold(),
            Source::Recording(at, of) => Span::from(paused(&format!("recording, {at} of {of}: ← and → step"))).yellow(),
        };
        let (process, time) = (snapshot.process, clock(snapshot.time));
        let numbers = match &self.source {
            Source::Lost(why) => format!("as it was at {time}   {why}"),
            _ => format!("process {process}, {time}, {rate:.0} handled/s, {queued} queued"),
        };
        let name = Span::from(format!(" {} ", cut(&snapshot.engine, NAME))).bold().reversed();
        Line::from(vec![name, Span::from("  "), state, Span::from("   "), Span::from(numbers)])
    }

    fn keys(&self) -> Line<'static> {
        let mut spans = vec![Span::from("q quit   p pause   ").dim()];
        for pane in Pane::ALL {
            let (letter, name) = pane.key();
            let key = Span::from(format!("{letter} {name}"));
            spans.extend([if pane == self.pane { key.bold() } else { key.dim() }, Span::from("   ")]);
        }
        spans.push(Span::from("↑ ↓ scroll").dim());
        Line::from(spans)
    }
}

/// So many characters of a name at most.
fn cut(name: &str, most: usize) -> String {
    if name.chars().count() <= most {
        return name.to_owned();
    }
    name.chars().take(most - 1).chain(['…']).collect()
}

/// The time of day, in UTC.
fn clock(time: f64) -> String {
    let seconds = time as u64 % 86_400;
    format!("{:02}:{:02}:{:02} UTC", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::style::Modifier;
    use zctor_console::snapshot::Thread;

    use super::*;

    /// The lines of a screen of this size.
    fn screen(view: &mut View, snapshot: &Snapshot, (width, height): (u16, u16)) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| view.draw(frame, snapshot)).unwrap();
        let buffer = terminal.backend().buffer();
        let cell = |x, y| buffer.cell((x, y)).map_or("", |cell| cell.symbol());
        (0..height).map(|y| (0..width).map(|x| cell(x, y)).collect::<String>().trim_end().to_owned()).collect()
    }

    const WIDE: (u16, u16) = (140, 40);
    const USUAL: (u16, u16) = (80, 24);
    const LARGE: (u16, u16) = (200, 60);

    /// The handler that a chain ends in.
    const CULPRIT: &str = "`DatabaseMessage::UserOf` 0.0 RUNS for 5.0 s on thread 70 `db` and waits for no actor";

    /// A hundred threads; that of the database holds up two others.
    fn shop() -> Snapshot {
        let waits = |caller: &str, distance: u32| {
            let text = format!("{caller} waits 5.0 s for `DatabaseMessage::UserOf` 0.0 on thread 70");
            serde_json::json!({ "text": text, "outside": false, "lasted": 5.0, "distance": distance })
        };
        let thread = |number: u32| {
            let name = if number == 70 { "db".to_owned() } else { format!("worker-{number}") };
            serde_json::json!({ "thread": number.to_string(), "name": name, "busy": f64::from(number == 70), "waiting": 0.0,
                "rate": 0.0, "instances": 1, "queued": 1, "oldest": 5.0, "timers": 0, "handled": 0, "panicked": 0,
                "rooms": [{ "inside": false, "bound": 8, "taken": 8, "waiting": 2 }], "waits": false, "backing_off": 2,
                "runs": if number == 70 { "`DatabaseMessage::UserOf` 0.0 for 5.0 s" } else { "" } })
        };
        let json = serde_json::json!({
            "version": 1, "engine": "shop", "process": 1, "time": 58_230.0, "window": 0.5, "instances": 1, "types": [],
            "top": [], "events": [], "culprit": CULPRIT, "culprit_thread": "70", "waits_text": "",
            "threads": (0..100).map(thread).collect::<Vec<_>>(),
            "waits": [{ "text": CULPRIT, "thread": "70", "name": "db", "instance": "0.0", "message": "DatabaseMessage",
                "variant": "UserOf", "lasted": 5.0, "longest": 5.0, "handlers": 2, "callers": 0,
                "waiting": [waits("`WebMessage::Page` 2.0", 2), waits("`AuthMessage::Check` 1.0", 1)] }],
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn the_culprit_and_its_thread_are_seen_without_scrolling_at_any_usual_size() {
        for size in [USUAL, WIDE, LARGE] {
            let lines = screen(&mut View::default(), &shop(), size);
            let text = lines.join("\n").replace("│\n│", "");
            assert!(text.contains("`DatabaseMessage::UserOf` 0.0 RUNS for 5.0 s on thread 70 `db`"), "{text}");
            assert!(text.contains("`AuthMessage::Check` 1.0 waits 5.0 s for"), "{text}");
            let head = lines.iter().position(|line| line.starts_with("│thread ")).unwrap_or_else(|| panic!("{text}"));
            assert!(lines[head + 1].starts_with("│70 db ") && lines[head + 2].starts_with("│0 worker-0 "), "{text}");
            assert!(lines[head + 1].contains("▮▮▮▮") && lines[head + 1].contains("5.0 s"), "{text}");
        }
    }

    #[test]
    fn a_small_window_has_a_part_of_the_culprit_rather_than_nothing() {
        let lines = screen(&mut View::default(), &shop(), (40, 12));
        assert!(lines.join("\n").contains("`DatabaseMessage::UserOf` 0.0 RUNS for"), "{lines:#?}");
    }

    #[test]
    fn a_row_has_the_room_of_its_mailbox_and_what_backs_off() {
        let lines = screen(&mut View::default(), &shop(), LARGE);
        let row = lines.iter().find(|line| line.starts_with("│70 db")).unwrap();
        assert!(row.contains("8/8 +2") && row.contains("for 5.0 s (2 back off)"), "{row}");
        let (mut snapshot, mut feed) = (Snapshot::default(), Thread::default());
        snapshot.time = 58_230.0;
        (feed.thread, feed.name, feed.queued, feed.backing_off) = ("5".to_owned(), "feed".to_owned(), 3_388, 1);
        snapshot.threads.push(feed);
        let lines = screen(&mut View::default(), &snapshot, WIDE);
        assert!(lines[0].contains("16:10:30 UTC, 0 handled/s, 3388 queued"), "{lines:#?}");
        let feed = lines.iter().find(|line| line.contains("5 feed")).unwrap();
        assert!(feed.contains("(1 backs off)") && feed.contains(" ? "), "{lines:#?}");
    }

    #[test]
    fn every_thread_is_reached_by_keys_and_no_further_than_the_last() {
        for size in [USUAL, LARGE] {
            let (mut view, snapshot) = (View::default(), shop());
            let first = |view: &mut View| {
                let lines = screen(view, &snapshot, size);
                let head = lines.iter().position(|line| line.starts_with("│thread ")).unwrap();
                lines[head + 1].split_whitespace().next().unwrap_or_default().trim_start_matches('│').to_owned()
            };
            assert_eq!(first(&mut view), "70");
            view.key(Some(KeyCode::Down.into()));
            assert_eq!(first(&mut view), "0");
            view.key(Some(KeyCode::PageDown.into()));
            assert_eq!(first(&mut view), "10");
            view.key(Some(KeyCode::End.into()));
            let lines = screen(&mut view, &snapshot, size);
            assert!(lines.iter().any(|line| line.starts_with("│99 worker-99 ")), "{lines:#?}");
            assert!(lines.iter().any(|line| line.contains(" to 100 of 100")), "{lines:#?}");
            // From there a step goes back at once.
            let last = first(&mut view);
            view.key(Some(KeyCode::Up.into()));
            let number = |row: &str| row.parse::<u32>().unwrap();
            assert_eq!(number(&first(&mut view)) + 1, number(&last));
            view.key(Some(KeyCode::Home.into()));
            assert_eq!(first(&mut view), "70");
        }
    }

    #[test]
    fn each_key_in_the_last_line_shows_its_table() {
        let (mut view, snapshot) = (View::default(), shop());
        let titles = [('h', "┌ threads"), ('t', "┌ types"), ('i', "┌ top instances"), ('e', "┌ events")];
        for (key, title) in titles {
            assert!(view.key(Some(KeyCode::Char(key).into())));
            let lines = screen(&mut view, &snapshot, USUAL);
            assert!(lines.last().unwrap().contains(&format!("{key} ")), "{lines:#?}");
            assert!(lines.iter().any(|line| line.starts_with(title)), "{lines:#?}");
        }
        for (_, title) in titles {
            assert!(view.key(Some(KeyCode::Tab.into())));
            let lines = screen(&mut view, &snapshot, USUAL);
            assert!(lines.iter().any(|line| line.starts_with(title)), "{lines:#?}");
        }
        assert!(view.key(Some(KeyCode::BackTab.into())));
        assert!(screen(&mut view, &snapshot, USUAL).iter().any(|line| line.starts_with("┌ top instances")));
        assert!(!view.key(Some(KeyCode::Char('q').into())));
    }

    #[test]
    fn a_program_that_does_not_answer_is_told_in_the_first_line_of_any_window() {
        let mut snapshot = shop();
        snapshot.engine = "customer-relationship-synchronization".to_owned();
        let mut view = View { source: Source::Lost("connection refused".to_owned()), ..View::default() };
        for size in [USUAL, LARGE] {
            let lines = screen(&mut view, &snapshot, size);
            assert!(lines[0].contains("the program does not answer   as it was at 16:10:30 UTC"), "{lines:#?}");
        }
        assert!(screen(&mut view, &snapshot, LARGE)[0].ends_with("connection refused"));
    }

    #[test]
    fn the_row_of_the_culprit_is_bold_and_red_and_no_other_is() {
        let mut terminal = Terminal::new(TestBackend::new(USUAL.0, USUAL.1)).unwrap();
        terminal.draw(|frame| View::default().draw(frame, &shop())).unwrap();
        let buffer = terminal.backend().buffer();
        let rows = (0..USUAL.1).filter_map(|y| Some((buffer.cell((1, y))?, buffer.cell((2, y))?)));
        let red = rows.filter(|(one, _)| one.fg == Color::Red && one.modifier.contains(Modifier::BOLD));
        let red: Vec<_> = red.map(|(one, next)| format!("{}{}", one.symbol(), next.symbol())).collect();
        assert_eq!(red, ["`D", "  ", "70"], "two rows of the culprit, and its thread");
    }

    #[test]
    fn no_key_and_no_size_of_a_terminal_brings_a_panic() {
        let (mut view, snapshot) = (View::default(), Snapshot::default());
        let keys = [KeyCode::Down, KeyCode::Tab, KeyCode::Up, KeyCode::End, KeyCode::Char('i'), KeyCode::F(1)];
        for key in keys {
            assert!(view.key(Some(key.into())));
            for size in [(1, 1), (20, 3), USUAL, LARGE] {
                screen(&mut view, &snapshot, size);
                screen(&mut view, &shop(), size);
            }
        }
    }
}
