//! The actors that hold the database.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension};
use tracing::debug;
use zctor::{ActorEngine, ActorThread, BoxError, SpawnError, actor};

/// How many requests may wait for a thread of the store. Beyond it the service answers 503.
const WAITING: usize = 64;
/// How long SQLite waits for a lock of another connection.
const LOCKED: Duration = Duration::from_millis(500);

/// What only the one writer does: SQLite lets one connection write at a time.
#[actor]
#[derive(Debug, PartialEq)]
pub enum WriterMessage {
    /// Stores a note and gives its number.
    #[reply(rusqlite::Result<i64>)]
    Add {
        /// The note.
        text: String,
    },
}

/// What any reader does, in turn.
#[actor]
#[derive(Debug, PartialEq)]
pub enum ReaderMessage {
    /// Gives the text of a note.
    #[reply(rusqlite::Result<Option<String>>)]
    Find {
        /// The number of the note.
        number: i64,
    },
    /// Gives the latest notes, the newest first.
    #[reply(rusqlite::Result<Vec<String>>)]
    Latest {
        /// How many at most.
        limit: u32,
    },
    /// Gives the number of notes.
    #[reply(rusqlite::Result<i64>)]
    Count,
}

/// A connection need not be `Send`: it is opened, used and closed on its actor's thread.
struct Writer(Connection);
struct Reader(Connection);

impl Writer {
    fn open(path: &Path) -> Result<Self, BoxError> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(LOCKED)?;
        // With a write-ahead log, readers do not wait for the writer.
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
             CREATE TABLE IF NOT EXISTS notes (number INTEGER PRIMARY KEY, text TEXT NOT NULL);",
        )?;
        Ok(Self(connection))
    }
}

impl Reader {
    fn open(path: &Path) -> Result<Self, BoxError> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(LOCKED)?;
        Ok(Self(connection))
    }
}

impl WriterHandler for Writer {
    fn add(&mut self, text: String) -> rusqlite::Result<i64> {
        let number = self.0.prepare("INSERT INTO notes (text) VALUES (?1)")?.insert([text])?;
        debug!(note = number, "stored"); // with the feature `tracing`, in the span of the request
        Ok(number)
    }
}

impl ReaderHandler for Reader {
    fn find(&mut self, number: i64) -> rusqlite::Result<Option<String>> {
        let mut statement = self.0.prepare("SELECT text FROM notes WHERE number = ?1")?;
        statement.query_row([number], |row| row.get(0)).optional()
    }

    fn latest(&mut self, limit: u32) -> rusqlite::Result<Vec<String>> {
        let mut statement = self.0.prepare("SELECT text FROM notes ORDER BY number DESC LIMIT ?1")?;
        statement.query_map([limit], |row| row.get(0))?.collect()
    }

    fn count(&mut self) -> rusqlite::Result<i64> {
        self.0.query_row("SELECT count(*) FROM notes", [], |row| row.get(0))
    }
}

/// Starts the actors on the database at `path`, which is made if it is not there.
///
/// # Errors
/// [`SpawnError::Factory`]: the database cannot be opened. The error has SQLite's own as its source.
pub fn start(engine: &ActorEngine, path: &Path) -> Result<(WriterClient, ReaderClient), SpawnError> {
    // The writer first: it makes the tables that the readers open, and it is stopped last.
    let path_of_writer = path.to_owned();
    let writer = engine.pool_on(
        1,
        |_| ActorThread::named("writer").mailbox_bound(WAITING),
        WriterMessage::try_actor(move |_ctx| Writer::open(&path_of_writer)),
    )?;
    let path_of_readers = path.to_owned();
    let readers = engine.pool_on(
        2,
        |number| ActorThread::named(format!("reader-{number}")).mailbox_bound(WAITING),
        ReaderMessage::try_actor(move |_ctx| Reader::open(&path_of_readers)),
    )?;
    Ok((writer, readers))
}

#[cfg(test)]
#[path = "../../picture.rs"]
mod picture;

#[cfg(test)]
#[test]
fn the_picture_shows_the_definitions() {
    use zctor::Message;
    picture::shows("web_service.svg", [WriterMessage::DEFINITION, ReaderMessage::DEFINITION]);
}
