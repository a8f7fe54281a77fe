//! SIGINT under load: the program ends by itself, in order, and everything that it accepted was answered.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs, process};

use web_service::load;

/// No core may be free for long: only a program that hangs takes this long.
const LIMIT: Duration = Duration::from_secs(60);

/// The program, on a port and a database of its own. It is killed if the test fails.
struct Program {
    child: Child,
    lines: mpsc::Receiver<String>,
    at: SocketAddr,
    folder: PathBuf,
}

impl Program {
    fn start(name: &str) -> Self {
        let folder = env::temp_dir().join(format!("web_service-{name}-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_web_service"));
        command.arg("127.0.0.1:0").arg(folder.join("notes.db")).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A thread reads what it prints, so that each wait for a line has a limit.
        let (line, lines) = mpsc::channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|text| line.send(text)));
        let first = lines.recv_timeout(LIMIT).expect("it says where it listens");
        let at = first.strip_prefix("listening on http://").expect("an address").parse().unwrap();
        Self { child, lines, at, folder }
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Its exit code, and what it printed.
    fn end(&mut self) -> (Option<i32>, Vec<String>) {
        let mut printed = Vec::new();
        loop {
            match self.lines.recv_timeout(LIMIT) {
                Ok(line) => printed.push(line),
                // It closes its output when it ends.
                Err(RecvTimeoutError::Disconnected) => return (self.child.wait().unwrap().code(), printed),
                Err(RecvTimeoutError::Timeout) => panic!("it does not end: {printed:#?}"),
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
        fs::remove_dir_all(&self.folder).unwrap_or_default();
    }
}

#[test]
fn sigint_under_load_loses_no_accepted_request() {
    interrupted_under_load("INT");
}

#[test]
fn sigterm_under_load_loses_no_accepted_request() {
    interrupted_under_load("TERM");
}

#[test]
fn a_peer_that_never_ends_its_request_does_not_hold_up_the_end() {
    let mut program = Program::start("PEER");
    let mut peer = TcpStream::connect(program.at).unwrap();
    peer.write_all(b"POST /notes HTTP/1.1\r\n").unwrap();
    // An answer to another says that the server has taken the connection before it.
    assert_eq!(load::request(program.at, "GET", "/notes", "").unwrap().unwrap().0, 200);
    program.signal("INT");
    let (status, printed) = program.end();
    assert_eq!(status, Some(0), "{printed:#?}");
}

fn interrupted_under_load(signal: &str) {
    let mut program = Program::start(signal);
    let at = program.at;
    // Far more requests than are answered before the signal; a client ends when it is refused.
    let clients = thread::spawn(move || load::drive(at, 8, 1_000_000));
    // The load is under way when some notes are stored.
    let (started, mut asked) = (Instant::now(), 0);
    loop {
        assert!(started.elapsed() < LIMIT, "no load");
        asked += 1;
        if matches!(load::request(at, "GET", "/notes/50", "").unwrap(), Some((200, _))) {
            break;
        }
    }
    program.signal(signal);
    let (status, printed) = program.end();
    assert_eq!(status, Some(0), "{printed:#?}");

    let answers = clients.join().unwrap().expect("no answer broke off");
    assert_eq!(answers.refused, 8, "each client went on until it was refused");
    let sum = |word: &str| -> u64 {
        let words: Vec<_> =
            printed.iter().flat_map(|line| line.split([' ', ',', '('])).filter(|w| !w.is_empty()).collect();
        words.windows(2).filter(|pair| pair[1] == word).map(|pair| pair[0].parse::<u64>().unwrap()).sum()
    };
    // Each request that was accepted was answered, and each answer came to a client, or to this test.
    assert_eq!((sum("accepted"), sum("answered")), (answers.answered() + asked, answers.answered() + asked));
    // Each led to one message, which was accepted unless there was no room, and then handled or given up.
    assert_eq!(sum("handled") + sum("dead"), sum("answered") - answers.busy, "{printed:#?}");
    assert_eq!((sum("panicked"), sum("left")), (0, 0), "{printed:#?}");

    // What the clients were told is stored is there.
    let stored = rusqlite::Connection::open(program.folder.join("notes.db")).unwrap();
    let notes: i64 = stored.query_row("SELECT count(*) FROM notes", [], |row| row.get(0)).unwrap();
    assert_eq!(u64::try_from(notes), Ok(answers.stored));
}
