//! Snapshots in a file, to be looked at later: one a line, as JSON.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::path::Path;

use crate::snapshot::{Snapshot, VERSION};

/// Writes snapshots to a file, which [`replay`] reads.
///
/// ```
/// use zctor::ActorEngine;
/// use zctor_console::{Console, Recorder, replay};
///
/// # fn main() -> std::io::Result<()> {
/// let engine = ActorEngine::new();
/// let console = Console::new(&engine);
/// let path = std::env::temp_dir().join(format!("zctor-record-{}.jsonl", std::process::id()));
/// let mut recorder = Recorder::create(&path)?;
/// let taken = [console.snapshot(), console.snapshot()];
/// for snapshot in &taken {
///     recorder.write(snapshot)?;
/// }
/// assert_eq!(replay(&path)?, taken);
/// # std::fs::remove_file(&path)
/// # }
/// ```
#[derive(Debug)]
pub struct Recorder {
    file: File,
}

impl Recorder {
    /// Makes the file. One that is there already is replaced.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        Ok(Self { file: File::create(path)? })
    }

    /// Adds a snapshot. It is in the file when this returns, whatever becomes of the program.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        let mut line = serde_json::to_vec(snapshot)?;
        line.push(b'\n');
        self.file.write_all(&line)
    }
}

/// Reads all snapshots of a recording.
///
/// A last line that breaks off, since the recording program was ended, is left out.
///
/// # Errors
/// - The file cannot be read.
/// - [`ErrorKind::InvalidData`]: a line is no snapshot, or one of another version; the error has its number.
///
/// An example is at [`Recorder`].
pub fn replay(path: impl AsRef<Path>) -> io::Result<Vec<Snapshot>> {
    let mut lines = BufReader::new(File::open(path)?);
    let mut snapshots = Vec::new();
    for number in 1.. {
        let mut line = String::new();
        lines.read_line(&mut line)?;
        if !line.ends_with('\n') {
            break;
        }
        let invalid = |why: String| io::Error::new(ErrorKind::InvalidData, format!("line {number}: {why}"));
        let snapshot: Snapshot = serde_json::from_str(&line).map_err(|error| invalid(error.to_string()))?;
        if snapshot.version != VERSION {
            return Err(invalid(format!("version {}, and this program knows {VERSION}", snapshot.version)));
        }
        snapshots.push(snapshot);
    }
    Ok(snapshots)
}

#[cfg(test)]
mod tests {
    use std::{env, fs, process};

    use super::*;

    fn read(name: &str, text: &str) -> io::Result<Vec<Snapshot>> {
        let path = env::temp_dir().join(format!("zctor-record-{name}-{}", process::id()));
        fs::write(&path, text).unwrap();
        let read = replay(&path);
        fs::remove_file(&path).unwrap();
        read
    }

    fn line(change: impl FnOnce(&mut serde_json::Value)) -> String {
        let mut snapshot = Snapshot::default();
        (snapshot.version, snapshot.engine) = (VERSION, "shop".to_owned());
        let mut value = serde_json::to_value(snapshot).unwrap();
        change(&mut value);
        format!("{value}\n")
    }

    #[test]
    fn a_line_that_breaks_off_is_left_out() {
        let whole = line(|_| {});
        let torn = format!("{whole}{}", &whole[..whole.len() / 2]);
        assert_eq!(read("torn", &torn).unwrap().len(), 1);
    }

    #[test]
    fn another_version_and_a_line_that_is_no_snapshot_are_refused_by_their_numbers() {
        let newer = line(|snapshot| snapshot["version"] = (VERSION + 1).into());
        for (name, wrong) in [("version", newer), ("text", "hello\n".to_owned())] {
            let error = read(name, &(line(|_| {}) + &wrong)).unwrap_err();
            assert!(error.kind() == ErrorKind::InvalidData && error.to_string().starts_with("line 2: "), "{error}");
        }
    }

    #[test]
    fn a_recording_from_before_a_field_was_added_is_read() {
        let older = line(|snapshot| drop(snapshot.as_object_mut().unwrap().remove("culprit_thread")));
        assert_eq!(read("older", &older).unwrap()[0].culprit_thread, None);
    }
}
