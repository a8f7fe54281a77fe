//! Shows a running engine in a terminal, prints it, records it, or shows a recording.

mod arguments;
mod columns;
mod screen;
mod tables;
mod view;
mod waits;

use std::io::{self, ErrorKind};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use arguments::{Arguments, USAGE};
use zctor_console::{Recorder, fetch, fetch_text, replay};

/// How often a running engine is looked at.
const PERIOD: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let result = match Arguments::read(std::env::args().skip(1)) {
        Ok(arguments) => run(arguments),
        Err(why) => Err(io::Error::new(ErrorKind::InvalidInput, format!("{why}\n\n{USAGE}"))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("zctor-console: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> io::Result<()> {
    match arguments {
        Arguments::Help => println!("{USAGE}"),
        Arguments::List => list()?,
        Arguments::Once(place) => print!("{}", fetch_text(&place, "snapshot.txt").map_err(|error| at(&place, &error))?),
        Arguments::Show(place) => {
            let look = move || fetch(&place).map_err(|error| at(&place, &error));
            screen::live(look, PERIOD)?;
        }
        Arguments::Record(place, file, seconds) => {
            let mut recorder = Recorder::create(&file)?;
            let end = seconds.and_then(end_after);
            let mut count = 0;
            while end.is_none_or(|end| Instant::now() < end) {
                match fetch(&place) {
                    Ok(snapshot) => recorder.write(&snapshot)?,
                    // The program has ended, and that is what the recording shows.
                    Err(_) if count > 0 => break,
                    Err(error) => return Err(at(&place, &error)),
                }
                count += 1;
                thread::sleep(PERIOD);
            }
            println!("{count} snapshots in {file}");
        }
        Arguments::Replay(file) => screen::recorded(&replay(&file).map_err(|error| at(&file, &error))?)?,
    }
    Ok(())
}

/// When a recording of so many seconds ends. More than the clock has are no limit.
fn end_after(seconds: u64) -> Option<Instant> {
    Instant::now().checked_add(Duration::from_secs(seconds))
}

/// The sockets of this user's programs.
#[cfg(unix)]
fn list() -> io::Result<()> {
    let sockets = zctor_console::sockets()?;
    if sockets.is_empty() {
        println!("no program of this user serves a console at a Unix socket\n\n{USAGE}");
    }
    sockets.iter().for_each(|path| println!("{}", path.display()));
    Ok(())
}

#[cfg(not(unix))]
fn list() -> io::Result<()> {
    println!("{USAGE}");
    Ok(())
}

fn at(place: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{place}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_of_more_seconds_than_the_clock_has_goes_on_without_an_end() {
        assert_eq!(end_after(u64::MAX), None);
        assert!(end_after(0).is_some_and(|end| end <= Instant::now()));
    }
}
