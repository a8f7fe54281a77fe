//! SIGINT under load: the program ends by itself, in order, and everything that it accepted was answered.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs, process};

use web_service::load;

/// No core may be free for long: only a program that hangs takes this long.
const LIMIT: Duration = Duration::from_secs(60);

/// Ends the program if the test fails.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        self.0.kill().unwrap_or_default();
        self.0.wait().map(drop).unwrap_or_default();
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

fn interrupted_under_load(signal: &str) {
    let folder = env::temp_dir().join(format!("web_service-{signal}-{}", process::id()));
    fs::create_dir_all(&folder).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_web_service"));
    command.arg("127.0.0.1:0").arg(folder.join("notes.db")).stdout(Stdio::piped());
    let mut program = Program(command.spawn().unwrap());

    // A thread reads what it prints, so that each wait for a line has a limit.
    let (line, lines) = mpsc::channel();
    let output = BufReader::new(program.0.stdout.take().unwrap());
    thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|text| line.send(text)));
    let first = lines.recv_timeout(LIMIT).expect("it says where it listens");
    let at: SocketAddr = first.strip_prefix("listening on http://").expect("an address").parse().unwrap();

    // Far more requests than are answered before the signal; a client ends when it is refused.
    let clients = thread::spawn(move || load::drive(at, 8, 1_000_000));
    // The load is under way when some notes are stored.
    let started = Instant::now();
    loop {
        assert!(started.elapsed() < LIMIT, "no load");
        if matches!(load::request(at, "GET", "/notes/50", "").unwrap(), Some((200, _))) {
            break;
        }
    }
    let signalled = Command::new("sh").args(["-c", &format!("kill -{signal} {}", program.0.id())]).status().unwrap();
    assert!(signalled.success());

    let rest: Vec<String> = std::iter::from_fn(|| lines.recv_timeout(LIMIT).ok()).collect();
    let status = program.0.wait().unwrap();
    assert_eq!(status.code(), Some(0), "{rest:#?}");

    let answers = clients.join().unwrap().expect("no answer broke off");
    assert_eq!(answers.refused, 8, "each client went on until it was refused");
    let number = |line: &str, word: &str| -> u64 {
        let after = line.split_once(word).unwrap_or_else(|| panic!("no {word} in {rest:#?}")).1;
        after.split([' ', ',']).find(|word| !word.is_empty()).unwrap().parse().unwrap()
    };
    let counts = rest.last().expect("its last line has the counts");
    let (accepted, answered) = (number(counts, "accepted "), number(counts, "answered "));
    assert_eq!(accepted, answered, "{rest:#?}");
    // This test asked, too, for the note that showed the load.
    assert!(answers.answered() < answered, "{answers:?} {rest:#?}");

    // What the clients were told is stored is there.
    let stored = rusqlite::Connection::open(folder.join("notes.db")).unwrap();
    let notes: i64 = stored.query_row("SELECT count(*) FROM notes", [], |row| row.get(0)).unwrap();
    assert_eq!(notes as u64, answers.stored);
    fs::remove_dir_all(&folder).unwrap();
}
