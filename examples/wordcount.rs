//! Counts the words of files and folders with a pool of readers and a pool of counters.
//!
//! A reader counts the words of one file at a time and sends the counts with one `send_all`. `#[key]` routes a word to
//! the same counter every time, so each counter owns its share of the words and nothing is locked. The merged counts
//! are compared with a single-threaded count of the same files. Look at the registry, the progress, the shares of the
//! counters and the most frequent words.
//!
//! ```text
//! cargo run --example wordcount                       # the documents of this repository
//! cargo run --example wordcount -- some.txt a/folder  # your own; in folders, hidden files and links are passed over
//! ```

use std::cmp::Reverse;
use std::collections::HashMap;
use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use zctor::{ActorEngine, actor, available_threads};

const COUNTERS: usize = 4;

type Counts = HashMap<String, u64>;

#[actor]
enum ReaderMessage {
    /// Adds the words of a file to the counters and gives their number.
    #[reply(io::Result<u64>)]
    Read { path: PathBuf },
}

#[actor]
#[derive(Clone)]
enum CounterMessage {
    /// Adds to the count of a word.
    Add {
        #[key]
        word: String,
        times: u64,
    },
    /// Hands over all the counts.
    #[reply(Counts)]
    Take,
}

struct Reader {
    counters: CounterClient,
}

#[derive(Default)]
struct Counter {
    counts: Counts,
}

impl ReaderHandler for Reader {
    fn read(&mut self, path: PathBuf) -> io::Result<u64> {
        // The whole file is read first: if that fails half way, none of its words are counted.
        let counts = tally(&path)?;
        let words = counts.values().sum();
        let batch = counts.into_iter().map(|(word, times)| CounterMessage::Add { word, times });
        self.counters.send_all(batch).map_err(io::Error::other)?;
        Ok(words)
    }
}

impl CounterHandler for Counter {
    fn add(&mut self, word: String, times: u64) {
        *self.counts.entry(word).or_default() += times;
    }

    fn take(&mut self) -> Counts {
        std::mem::take(&mut self.counts)
    }
}

/// The words of one file, in lower case: runs of letters and digits.
fn tally(path: &Path) -> io::Result<Counts> {
    let about = fs::metadata(path)?;
    if !about.is_file() && !about.is_dir() {
        return Err(io::Error::new(ErrorKind::InvalidData, "neither a file nor a folder"));
    }
    let mut counts = Counts::new();
    for line in BufReader::new(File::open(path)?).lines() {
        let line = line?.to_lowercase();
        for word in line.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()) {
            *counts.entry(word.to_owned()).or_default() += 1;
        }
    }
    Ok(counts)
}

/// Adds `path` or, for a folder, all files in it and below. A folder that cannot be listed is left to a reader, which
/// will report the error.
fn find(path: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>) else {
        return files.push(path.to_owned());
    };
    for entry in entries {
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        if !is_hidden && !is_link {
            find(&entry.path(), files);
        }
    }
}

/// This repository's own documents: the pages at its root and the guide.
fn documents() -> io::Result<Vec<PathBuf>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut documents = fs::read_dir(&root)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    documents.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    documents.push(root.join("zctor/src/guide"));
    Ok(documents)
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut named: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if named.is_empty() {
        named = documents()?;
    }
    let mut files = Vec::new();
    for path in &named {
        find(path, &mut files);
    }

    let engine = ActorEngine::new();
    let counters = engine.pool(COUNTERS, CounterMessage::actor(Counter::default))?;
    let client = counters.clone();
    let reader = ReaderMessage::actor(move || Reader { counters: client.clone() });
    let readers = engine.pool(available_threads(), reader)?;
    println!("{}", engine.registry());

    // All requests are made at once and the readers share them; the replies are taken in the order of the files.
    let asked: Vec<_> = files.iter().map(|path| (path, readers.non_blocking().read(path.clone()))).collect();
    let (mut words, mut counted, mut exit) = (0, Vec::new(), ExitCode::SUCCESS);
    for (index, (path, reply)) in asked.into_iter().enumerate() {
        match reply.wait()? {
            Ok(found) => {
                words += found;
                counted.push(path);
            }
            Err(error) => {
                eprintln!("not counted: {}: {error}", path.display());
                // A file in a folder that is no text, such as a picture, is not an error. A file that was named on the
                // command line, or cannot be read, is.
                if named.contains(path) || error.kind() != ErrorKind::InvalidData {
                    exit = ExitCode::FAILURE;
                }
            }
        }
        let (done, total) = (index + 1, files.len());
        if done % total.div_ceil(10) == 0 || done == total {
            eprintln!("{done} of {total} files, {words} words");
        }
    }
    engine.settle(); // every reader has replied; this waits until the counters have handled all messages

    let mut merged = Counts::new();
    for (counter, counts) in counters.call_all(CounterMessage::take())? {
        let counts = counts?;
        println!("the counter on thread {} owns {} words", counter.thread(), counts.len());
        for (word, times) in counts {
            assert!(merged.insert(word, times).is_none(), "a word is at one counter only");
        }
    }
    let mut expected = Counts::new();
    for path in &counted {
        for (word, times) in tally(path).map_err(|error| format!("{}: {error}", path.display()))? {
            *expected.entry(word).or_default() += times;
        }
    }
    assert_eq!(merged.values().sum::<u64>(), words);
    if merged != expected {
        return Err("a single thread counts otherwise; was a file changed meanwhile?".into());
    }

    println!("{words} words, {} different, in {} files", merged.len(), counted.len());
    let mut busiest: Vec<_> = merged.iter().collect();
    busiest.sort_by_key(|&(word, times)| (Reverse(times), word));
    for (word, times) in busiest.iter().take(10) {
        println!("{times:>8} {word}");
    }
    engine.shutdown()?;
    Ok(exit)
}
