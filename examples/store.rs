//! A store with one writer: many appends share one sync of the disk, and the file is free after the shutdown.
//!
//! A sync of a disk takes as long for one record as for a hundred. So the writer keeps the `ReplyTo` of each append and
//! answers when the batch that has its record is on the disk: at 64 records, or after two milliseconds. Readers have
//! threads of their own. `on_stop` commits what is left, and the file is closed before `shutdown` returns. Look at the
//! number of syncs, and at the lock: a second writer is refused until the first has stopped.
//!
//! ```text
//! cargo run --example store
//! cargo test -p zctor-examples --features testing --example store
//! ```

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::mem;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, process};

use zctor::{ActorEngine, ActorThread, BoxError, Context, ReplyTo, SpawnError, Timer, actor};

/// How many records a batch has at most.
const BATCH: usize = 64;
/// How long a record waits for others at most.
const PATIENCE: Duration = Duration::from_millis(2);

#[actor(ctx)]
#[derive(Debug, PartialEq)]
enum WriterMessage {
    /// Appends a record, and answers when it is on the disk.
    #[reply(Result<(), String>, deferred)]
    Append { record: String },
    /// Gives the number of syncs so far.
    #[reply(u64)]
    Syncs,
    #[msg(internal)]
    Commit,
}

#[actor]
enum ReaderMessage {
    /// Gives the number of records that begin with `prefix`.
    #[reply(Result<usize, String>)]
    Count { prefix: String },
}

struct Writer {
    file: File,
    records: Vec<u8>,
    waiting: Vec<ReplyTo<Result<(), String>>>,
    timer: Option<Timer>,
    syncs: u64,
}

impl Writer {
    /// Opens the file and locks it: a second writer, in this process or another, is refused.
    fn open(path: &Path) -> Result<Self, BoxError> {
        let file = File::options().append(true).create(true).open(path)?;
        file.try_lock()?;
        Ok(Self { file, records: Vec::new(), waiting: Vec::new(), timer: None, syncs: 0 })
    }

    fn commit(&mut self) {
        if let Some(timer) = self.timer.take() {
            timer.cancel();
        }
        let waiting = mem::take(&mut self.waiting);
        if waiting.is_empty() {
            return;
        }
        let written = self.file.write_all(&mem::take(&mut self.records)).and_then(|()| self.file.sync_data());
        self.syncs += 1;
        for reply in waiting {
            reply.send(written.as_ref().map(drop).map_err(io::Error::to_string));
        }
    }
}

impl WriterHandler for Writer {
    fn append(&mut self, ctx: &mut Context<WriterMessage>, record: String, reply: ReplyTo<Result<(), String>>) {
        self.records.extend_from_slice(record.as_bytes());
        self.records.push(b'\n');
        self.waiting.push(reply);
        if self.waiting.len() == BATCH {
            self.commit();
        } else if self.timer.is_none() {
            self.timer = Some(ctx.send_after(PATIENCE, WriterMessage::Commit));
        }
    }

    fn syncs(&mut self, _ctx: &mut Context<WriterMessage>) -> u64 {
        self.syncs
    }

    fn commit(&mut self, _ctx: &mut Context<WriterMessage>) {
        Writer::commit(self);
    }

    fn on_stop(&mut self, _ctx: &mut Context<WriterMessage>) {
        Writer::commit(self);
    }
}

struct Reader {
    path: PathBuf,
}

impl ReaderHandler for Reader {
    fn count(&mut self, prefix: String) -> Result<usize, String> {
        let file = File::open(&self.path).map_err(|error| error.to_string())?;
        let lines = BufReader::new(file).lines().map_while(Result::ok);
        Ok(lines.filter(|line| line.starts_with(&prefix)).count())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::temp_dir().join(format!("zctor-store-{}.log", process::id()));
    let engine = ActorEngine::new();
    let writer = |path: PathBuf| WriterMessage::try_actor(move |_ctx| Writer::open(&path));
    // A bound for producers outside: beyond it they wait.
    let appends = engine.pool_on(1, |_| ActorThread::named("writer").mailbox_bound(1_000), writer(path.clone()))?;
    let of_reader = path.clone();
    let readers = engine.pool(2, ReaderMessage::actor(move || Reader { path: of_reader.clone() }))?;

    // The lock holds, also against this program.
    let Err(SpawnError::Factory { source, .. }) = engine.start(writer(path.clone())) else {
        return Err("two writers have the file".into());
    };
    println!("a second writer: {source}");

    // 500 appends, each answered when it is on the disk.
    let all: Vec<_> = (0..500).map(|n| appends.non_blocking().append(format!("{} {n}", ["a", "b"][n % 2]))).collect();
    for append in all {
        append.wait()??;
    }
    // What is answered can be read.
    assert_eq!(readers.count("a ".to_owned())??, 250);
    let syncs = appends.syncs()?;
    println!("500 records in {syncs} syncs");
    assert!(syncs < 500);

    // Appends whose batch is not full: the shutdown commits them.
    let last: Vec<_> = (0..10).map(|n| appends.non_blocking().append(format!("c {n}"))).collect();
    println!("{}", engine.shutdown()?);
    for append in last {
        append.wait()??;
    }

    // The file is closed and free.
    let file = File::open(&path)?;
    file.try_lock()?;
    assert_eq!(BufReader::new(&file).lines().count(), 510);
    drop(file);
    fs::remove_file(&path)?;
    Ok(())
}

#[cfg(test)]
#[path = "picture.rs"]
mod picture;

#[cfg(test)]
#[test]
fn the_picture_shows_the_definitions() {
    use zctor::Message;
    picture::shows("store.svg", [WriterMessage::DEFINITION, ReaderMessage::DEFINITION]);
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use zctor::testing::context;

    use super::*;

    fn path(name: &str) -> PathBuf {
        env::temp_dir().join(format!("zctor-store-test-{name}-{}.log", process::id()))
    }

    #[test]
    fn no_append_is_answered_before_its_batch_is_on_the_disk() {
        let (path, engine) = (path("batch"), ActorEngine::new());
        let of_writer = path.clone();
        let writer = engine.start(WriterMessage::try_actor(move |_ctx| Writer::open(&of_writer))).unwrap();
        let appends: Vec<_> = (0..BATCH).map(|n| writer.non_blocking().append(n.to_string())).collect();
        for append in appends {
            assert_eq!(append.wait(), Ok(Ok(())));
        }
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), BATCH);
        engine.shutdown().unwrap();
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_timer_commits_a_batch_that_does_not_fill() {
        let path = path("timer");
        let mut writer = Writer::open(&path).unwrap();
        let mut ctx = context::<WriterMessage>();
        let engine = ActorEngine::new();
        // A real place for a reply, from an actor that keeps it.
        let keeper = zctor::testing::Probe::<WriterMessage>::new();
        let client = engine.start(keeper.actor()).unwrap();
        let append = client.non_blocking().append("one".to_owned());
        let reply = keeper.expect_request(WriterMessage::append("one".to_owned()), Duration::from_secs(60));

        writer.append(&mut ctx, "one".to_owned(), reply);
        assert_eq!(fs::read_to_string(&path).unwrap(), "", "not yet");
        assert!(append.try_take().is_none());
        assert_eq!(ctx.fire_timers(), [WriterMessage::Commit]);
        WriterHandler::commit(&mut writer, &mut ctx);
        assert_eq!((append.wait(), writer.syncs), (Ok(Ok(())), 1));
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\n");
        fs::remove_file(path).unwrap();
    }
}
