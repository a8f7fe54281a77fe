//! The table of errors in the guide: each of its rows names tests, and here are those for which there is no other place.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};
use zctor::{ActorEngine, CallError, DeadLetter, Undelivered, actor};
use zctor_nats::Bridge;
use zctor_tests::{Gate, LIMIT, bounded, receive};

use crate::nats::Server;

/// The table of the guide.
const TABLE: &str = include_str!("../../src/guide/errors.md");

#[test]
fn each_row_of_the_table_names_tests_that_exist() {
    let rows: Vec<&str> =
        TABLE.lines().filter(|line| line.starts_with("| ") && !line.contains("---")).skip(1).collect();
    assert!(rows.len() >= 15, "the table was not found");
    for row in rows {
        let cells = row.trim_matches(['|', ' ']).rsplit_once(" | ").expect("a row has cells").1;
        for name in cells.split(", ") {
            let name = name.trim_matches('`');
            let (file, test) = name.split_once("::").unwrap_or_else(|| panic!("`{name}` is no test, in: {row}"));
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/server/{file}.rs"));
            let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(text.contains(&format!("#[test]\nfn {test}()")), "there is no test `{name}`");
        }
    }
}

/// Its `Serialize` gives an error.
#[derive(Clone, Deserialize)]
struct Unwritable;
impl Serialize for Unwritable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("it cannot be written"))
    }
}

#[actor(remote = "row")]
#[derive(Clone, Serialize, Deserialize)]
enum RowMessage {
    #[reply(())]
    Hold,
    #[reply(u64)]
    Retyped,
    #[reply(())]
    AskUnwritable(Unwritable),
    Note(String),
    Unwritable(Unwritable),
}

struct Row(Gate);
impl RowHandler for Row {
    fn hold(&mut self) {
        self.0.pass();
    }
    fn retyped(&mut self) -> u64 {
        1
    }
    fn ask_unwritable(&mut self, _value: Unwritable) {}
    fn note(&mut self, _value: String) {}
    fn unwritable(&mut self, _value: Unwritable) {}
}

struct At {
    server: Server,
    _there: ActorEngine,
    serves: Bridge,
    here: ActorEngine,
    calls: Bridge,
    row: RowClient,
    gate: Gate,
    letters: mpsc::Receiver<DeadLetter>,
}

fn at() -> At {
    let (server, there, here, gate) = (Server::start(), ActorEngine::new(), ActorEngine::new(), Gate::new());
    let (serves, calls) = (server.bridge(), server.bridge());
    let inside = gate.clone();
    there.pool(1, RowMessage::actor(move || Row(inside.clone()))).expect("a pool");
    serves.serve::<RowMessage>(&there).expect("it has the pool");
    let (tell, letters) = mpsc::channel();
    here.on_dead_letter(move |letter: &DeadLetter| tell.send(letter.clone()).unwrap_or_default());
    let row = calls.attach::<RowMessage>(&here).expect("a link");
    At { server, _there: there, serves, here, calls, row, gate, letters }
}

#[test]
fn a_process_that_is_gone_is_found_out_by_the_time() {
    bounded(|| {
        let at = at();
        let held = at.row.within(Duration::from_secs(1)).non_blocking().hold();
        at.gate.await_arrivals(1);
        // As its end without a word is seen from here: the connection is gone, and nothing was said.
        drop(at.serves);
        assert_eq!(held.wait(), Err(CallError::Timeout { message: "RowMessage", begun: true }));
        at.gate.open();
    });
}

#[test]
fn a_send_that_is_too_large_or_cannot_be_written_is_unfit() {
    bounded(|| {
        let at = at();
        at.row.note("x".repeat(2_000_000)).expect("the link takes it");
        let letter = receive(&at.letters);
        assert_eq!((letter.variant, letter.why), ("Note", Undelivered::Unfit));
        at.row.unwritable(Unwritable).expect("the link takes it");
        let letter = receive(&at.letters);
        assert_eq!((letter.variant, letter.why), ("Unwritable", Undelivered::Unfit));
        match at.row.ask_unwritable(Unwritable) {
            Err(CallError::Unfit { text, .. }) => assert!(text.contains("it cannot be written"), "{text}"),
            other => panic!("{other:?}"),
        }
        let books = at.calls.flush(LIMIT);
        assert_eq!((books.accepted, books.unfit, books.ended), (2, 2, 1), "{books}");
    });
}

mod retyped {
    use super::*;

    #[actor(remote = "row")]
    #[derive(Serialize, Deserialize)]
    pub(super) enum RowMessage {
        #[reply(BTreeMap<String, u64>)]
        Retyped,
    }
}

#[test]
fn a_reply_of_another_type_is_unfit() {
    bounded(|| {
        let at = at();
        let (here, calls) = (ActorEngine::new(), at.server.bridge());
        let row = calls.attach::<retyped::RowMessage>(&here).expect("a link");
        match row.retyped() {
            Err(CallError::Unfit { text, .. }) => assert!(text.starts_with("its reply: "), "{text}"),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn what_is_under_way_is_lost_with_the_bridge() {
    bounded(|| {
        let at = at();
        let held = at.row.non_blocking().hold();
        at.gate.await_arrivals(1);
        drop(at.calls);
        assert_eq!(held.wait(), Err(CallError::Lost { message: "RowMessage" }));
        assert_eq!(at.row.retyped(), Err(CallError::NotRegistered { message: "RowMessage" }));
        at.row.note(String::new()).expect("the link takes it");
        let letter = receive(&at.letters);
        assert_eq!((letter.variant, letter.why), ("Note", Undelivered::Unreachable));
        at.gate.open();
        at.here.settle();
    });
}
