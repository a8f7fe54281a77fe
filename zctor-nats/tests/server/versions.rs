//! Two versions of an enum in two processes: what fits goes on, and an error names the variant that does not.

use std::sync::mpsc;

use serde::{Deserialize, Serialize};
use zctor::{ActorEngine, CallError, DeadLetter, Undelivered, actor};
use zctor_tests::{LIMIT, bounded, receive};

use crate::nats::Server;
use crate::stock::Stock;

mod old {
    use super::*;

    #[actor(remote = "job")]
    #[derive(Clone, Serialize, Deserialize)]
    pub(super) enum JobMessage {
        #[reply(u64)]
        Run {
            size: u64,
        },
        #[reply(u64)]
        Removed,
        #[reply(u64)]
        Retyped {
            limit: u64,
        },
        #[reply(Report)]
        Report,
        Note {
            text: String,
        },
        RemovedNote,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    pub(super) struct Report {
        pub(super) done: u64,
    }
}

mod new {
    use super::*;

    #[actor(remote = "job")]
    #[derive(Clone, Serialize, Deserialize)]
    pub(super) enum JobMessage {
        // In front of the others, and with other fields.
        #[reply(u64)]
        Added {
            size: u64,
        },
        Note {
            #[serde(default)]
            level: u8,
            text: String,
        },
        #[reply(u64)]
        Run {
            #[serde(default)]
            speed: u64,
            size: u64,
        },
        #[reply(u64)]
        Retyped {
            limit: String,
        },
        #[reply(Report)]
        Report,
        AddedNote,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    pub(super) struct Report {
        pub(super) done: u64,
        #[serde(default)]
        pub(super) failed: u64,
    }
}

struct Job(mpsc::Sender<String>);

impl old::JobHandler for Job {
    fn run(&mut self, size: u64) -> u64 {
        size
    }
    fn removed(&mut self) -> u64 {
        1
    }
    fn retyped(&mut self, limit: u64) -> u64 {
        limit
    }
    fn report(&mut self) -> old::Report {
        old::Report { done: 1 }
    }
    fn note(&mut self, text: String) {
        self.0.send(text).unwrap_or_default();
    }
    fn removed_note(&mut self) {}
}

impl new::JobHandler for Job {
    fn added(&mut self, size: u64) -> u64 {
        size
    }
    fn note(&mut self, level: u8, text: String) {
        self.0.send(format!("{level} {text}")).unwrap_or_default();
    }
    fn run(&mut self, speed: u64, size: u64) -> u64 {
        100 * speed + size
    }
    fn retyped(&mut self, limit: String) -> u64 {
        limit.len() as u64
    }
    fn report(&mut self) -> new::Report {
        new::Report { done: 1, failed: 2 }
    }
    fn added_note(&mut self) {}
}

fn unfit<T: std::fmt::Debug>(outcome: Result<T, CallError>) -> String {
    match outcome {
        Err(CallError::Unfit { text, .. }) => text.to_string(),
        other => panic!("{other:?}"),
    }
}

/// An engine whose dead letters are told.
fn told() -> (ActorEngine, mpsc::Receiver<DeadLetter>) {
    let (engine, (tell, letters)) = (ActorEngine::new(), mpsc::channel());
    engine.on_dead_letter(move |letter: &DeadLetter| tell.send(letter.clone()).unwrap_or_default());
    (engine, letters)
}

#[test]
fn an_old_caller_reaches_a_new_pool() {
    bounded(|| {
        let (server, there, (here, letters)) = (Server::start(), ActorEngine::new(), told());
        let (serves, calls) = (server.bridge(), server.bridge());
        let (tell, notes) = mpsc::channel();
        there.pool(1, new::JobMessage::actor(move || Job(tell.clone()))).expect("a pool");
        serves.serve::<new::JobMessage>(&there).expect("it has the pool");
        let job = calls.attach::<old::JobMessage>(&here).expect("a link");

        assert_eq!(job.run(5), Ok(5), "the new field has its default");
        assert_eq!(job.report(), Ok(old::Report { done: 1 }), "the new field of the reply is left out");
        job.note("seen".to_owned()).expect("it is sent");
        assert_eq!(receive(&notes), "0 seen");
        let removed = unfit(job.removed());
        assert!(removed.starts_with("unknown variant `Removed`, expected one of `Added`"), "{removed}");
        let retyped = unfit(job.retyped(1));
        assert!(retyped.starts_with("`Retyped`: invalid type: integer"), "{retyped}");
        job.removed_note().expect("the link takes it");
        let letter = receive(&letters);
        assert_eq!((letter.variant, letter.why), ("RemovedNote", Undelivered::Unfit));
        let books = calls.flush(LIMIT);
        assert_eq!((books.accepted, books.acked, books.unfit), (2, 1, 1), "{books}");
    });
}

#[test]
fn a_new_caller_reaches_an_old_pool() {
    bounded(|| {
        let (server, there, (here, letters)) = (Server::start(), ActorEngine::new(), told());
        let (serves, calls) = (server.bridge(), server.bridge());
        let (tell, notes) = mpsc::channel();
        there.pool(1, old::JobMessage::actor(move || Job(tell.clone()))).expect("a pool");
        serves.serve::<old::JobMessage>(&there).expect("it has the pool");
        let job = calls.attach::<new::JobMessage>(&here).expect("a link");

        assert_eq!(job.run(9, 5), Ok(5), "the old pool leaves the new field out");
        assert_eq!(job.report(), Ok(new::Report { done: 1, failed: 0 }), "the new field of the reply has its default");
        job.note(3, "seen".to_owned()).expect("it is sent");
        assert_eq!(receive(&notes), "seen");
        let added = unfit(job.added(1));
        assert!(added.starts_with("unknown variant `Added`, expected one of `Run`"), "{added}");
        let retyped = unfit(job.retyped("x".to_owned()));
        assert!(retyped.starts_with("`Retyped`: "), "{retyped}");
        job.added_note().expect("the link takes it");
        let letter = receive(&letters);
        assert_eq!((letter.variant, letter.why), ("AddedNote", Undelivered::Unfit));
        let books = calls.flush(LIMIT);
        assert_eq!((books.accepted, books.acked, books.unfit), (2, 1, 1), "{books}");
    });
}

#[test]
fn programs_in_json_may_be_as_old_or_as_new() {
    bounded(|| {
        let (server, there) = (Server::start(), ActorEngine::new());
        let bridge = server.bridge();
        there.pool(1, old::JobMessage::actor(|| Job(mpsc::channel().0))).expect("a pool");
        bridge.serve::<old::JobMessage>(&there).expect("it has the pool");
        let mut stock = Stock::connect(server.port());
        assert_eq!(stock.request("zctor.3.test.job.t", r#"{"Run":{"speed":9,"size":5}}"#).text(), "5");

        let (server, there) = (Server::start(), ActorEngine::new());
        let bridge = server.bridge();
        there.pool(1, new::JobMessage::actor(|| Job(mpsc::channel().0))).expect("a pool");
        bridge.serve::<new::JobMessage>(&there).expect("it has the pool");
        let mut stock = Stock::connect(server.port());
        assert_eq!(stock.request("zctor.3.test.job.t", r#"{"Run":{"size":5}}"#).text(), "5");
    });
}
