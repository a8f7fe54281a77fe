//! The terminal: keys, and when it is drawn anew.

use std::io;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use zctor_console::snapshot::Snapshot;

use crate::view::{Source, View};

/// Shows what `look` gives, again and again, until the user quits.
pub(crate) fn live(look: impl Fn() -> io::Result<Snapshot> + Send + 'static, period: Duration) -> io::Result<()> {
    // The first look comes before the terminal is taken, so that its error is an ordinary line.
    let mut snapshot = look()?;
    let (tell, told) = channel();
    // A look may take long, where the program does not answer; the keys must not wait for it.
    thread::spawn(move || {
        while tell.send(look()).is_ok() {
            thread::sleep(period);
        }
    });
    shown(|terminal| {
        let mut view = View::default();
        loop {
            match told.try_recv() {
                Ok(Ok(_)) if view.paused => {}
                Ok(Ok(newer)) => {
                    snapshot = newer;
                    view.source = Source::Live;
                }
                Ok(Err(error)) => view.source = Source::Lost(error.to_string()),
                Err(_) => {}
            }
            terminal.draw(|frame| view.draw(frame, &snapshot))?;
            if !view.key(next_key(period / 4)?) {
                return Ok(());
            }
        }
    })
}

/// Shows a recording, a snapshot at a time.
pub(crate) fn recorded(snapshots: &[Snapshot]) -> io::Result<()> {
    if snapshots.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the recording is empty"));
    }
    // Before the terminal is taken, so that the error is an ordinary line.
    let paces = paces(snapshots)?;
    shown(|terminal| {
        let (mut view, mut at) = (View::default(), 0_usize);
        let mut since = Instant::now();
        loop {
            let pace = paces.get(at).copied();
            if !view.paused && pace.is_some_and(|pace| since.elapsed() >= pace) {
                (at, since) = (at + 1, Instant::now());
            }
            view.source = Source::Recording(at + 1, snapshots.len());
            terminal.draw(|frame| view.draw(frame, &snapshots[at]))?;
            let key = next_key(Duration::from_millis(50))?;
            match key.map(|key| key.code) {
                Some(KeyCode::Left) => (at, view.paused) = (at.saturating_sub(1), true),
                Some(KeyCode::Right) => (at, view.paused) = ((at + 1).min(snapshots.len() - 1), true),
                _ => {}
            }
            if !view.key(key) {
                return Ok(());
            }
        }
    })
}

/// How long each snapshot but the last is shown.
fn paces(snapshots: &[Snapshot]) -> io::Result<Vec<Duration>> {
    let pace = |(index, pair): (usize, &[Snapshot])| {
        Duration::try_from_secs_f64((pair[1].time - pair[0].time).max(0.0)).map_err(|_| {
            let why = format!("line {}: its time is too far from the one before", index + 2);
            io::Error::new(io::ErrorKind::InvalidData, why)
        })
    };
    snapshots.windows(2).enumerate().map(pace).collect()
}

/// Takes the terminal, and gives it back as it was, whatever happens.
fn shown(run: impl FnOnce(&mut DefaultTerminal) -> io::Result<()>) -> io::Result<()> {
    let mut terminal = ratatui::try_init()?;
    let result = run(&mut terminal);
    ratatui::try_restore()?;
    result
}

/// The next key within this time; Ctrl-C counts as `q`.
fn next_key(time: Duration) -> io::Result<Option<KeyEvent>> {
    if !event::poll(time)? {
        return Ok(None);
    }
    match event::read()? {
        Event::Key(key) if key.kind == KeyEventKind::Release => Ok(None),
        Event::Key(key) if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) => {
            Ok(Some(KeyEvent::from(KeyCode::Char('q'))))
        }
        Event::Key(key) => Ok(Some(key)),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_with_a_time_that_is_none_is_refused() {
        let at = |time| {
            let mut snapshot = Snapshot::default();
            snapshot.time = time;
            snapshot
        };
        assert_eq!(paces(&[at(1.0), at(1.5), at(0.0)]).unwrap(), [Duration::from_millis(500), Duration::ZERO]);
        let error = paces(&[at(0.0), at(1.0), at(1e300)]).unwrap_err();
        assert_eq!(
            (error.kind(), &*error.to_string()),
            (io::ErrorKind::InvalidData, "line 3: its time is too far from the one before")
        );
    }
}
