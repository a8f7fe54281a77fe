//! Two versions of an enum on the two sides: what is compatible works, and the rest is refused with a text.

use std::sync::mpsc;

use serde::{Deserialize, Serialize};
use zctor::remote::{Loopback, RemoteMessage};
use zctor::{ActorEngine, CallError, actor};
use zctor_tests::{bounded, receive};

mod old {
    use super::*;

    #[actor(remote = "job")]
    #[derive(Serialize, Deserialize)]
    pub(super) enum JobMessage {
        #[reply(u64)]
        Run {
            size: u64,
        },
        Note {
            text: String,
        },
        #[reply(String)]
        Name,
        #[reply(u64)]
        Limit {
            at: u64,
        },
    }
}

mod new {
    use super::*;

    #[actor(remote = "job")]
    #[derive(Serialize, Deserialize)]
    pub(super) enum JobMessage {
        #[reply(u64)]
        Added,
        #[reply(u64)]
        Run {
            #[serde(default)]
            speed: u64,
            size: u64,
        },
        Note {
            text: String,
        },
        #[reply(u64)]
        Name,
        #[reply(u64)]
        Limit {
            at: String,
        },
    }
}

struct Old(mpsc::Sender<String>);
impl old::JobHandler for Old {
    fn run(&mut self, size: u64) -> u64 {
        size
    }
    fn note(&mut self, text: String) {
        self.0.send(text).unwrap_or_default();
    }
    fn name(&mut self) -> String {
        "old".to_owned()
    }
    fn limit(&mut self, at: u64) -> u64 {
        at
    }
}

struct New(mpsc::Sender<String>);
impl new::JobHandler for New {
    fn added(&mut self) -> u64 {
        1
    }
    fn run(&mut self, speed: u64, size: u64) -> u64 {
        100 * speed + size
    }
    fn note(&mut self, text: String) {
        self.0.send(text).unwrap_or_default();
    }
    fn name(&mut self) -> u64 {
        7
    }
    fn limit(&mut self, at: String) -> u64 {
        at.len() as u64
    }
}

fn unfit<T: std::fmt::Debug>(outcome: Result<T, CallError>) -> String {
    match outcome {
        Err(CallError::Unfit { text, .. }) => text.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_older_caller_reaches_a_newer_pool() {
    bounded(|| {
        let (ends, there, here) = (Loopback::pair(), ActorEngine::new(), ActorEngine::new());
        let (tell, notes) = mpsc::channel();
        there.pool(1, new::JobMessage::actor(move || New(tell.clone()))).expect("a pool");
        ends.0.serve::<new::JobMessage>(&there).expect("it has the pool");
        let job = ends.1.attach::<old::JobMessage>(&here).expect("a link");
        assert_eq!(job.run(5), Ok(5), "the new field has its default");
        job.note("seen".to_owned()).expect("it is sent");
        assert_eq!(receive(&notes), "seen");
        let text = unfit(job.name());
        assert!(text.starts_with("its reply: "), "{text}");
    });
}

#[test]
fn a_newer_caller_reaches_an_older_pool() {
    bounded(|| {
        let (ends, there, here) = (Loopback::pair(), ActorEngine::new(), ActorEngine::new());
        let (tell, notes) = mpsc::channel();
        there.pool(1, old::JobMessage::actor(move || Old(tell.clone()))).expect("a pool");
        ends.0.serve::<old::JobMessage>(&there).expect("it has the pool");
        let job = ends.1.attach::<new::JobMessage>(&here).expect("a link");
        assert_eq!(job.run(9, 5), Ok(5), "the old pool leaves the new field out");
        job.note("seen".to_owned()).expect("it is sent");
        assert_eq!(receive(&notes), "seen");
        let text = unfit(job.added());
        assert!(text.contains("unknown variant `Added`"), "{text}");
        assert_eq!(ends.0.books().taken, 2, "what is not understood was not taken");
    });
}

#[test]
fn a_field_of_another_type_is_refused_with_the_name_of_its_variant() {
    bounded(|| {
        let (ends, there, here) = (Loopback::pair(), ActorEngine::new(), ActorEngine::new());
        there.pool(1, new::JobMessage::actor(|| New(mpsc::channel().0))).expect("a pool");
        ends.0.serve::<new::JobMessage>(&there).expect("it has the pool");
        let job = ends.1.attach::<old::JobMessage>(&here).expect("a link");
        let text = unfit(job.limit(5));
        assert!(text.starts_with("`Limit`: invalid type: integer"), "{text}");
    });
}

#[test]
fn the_name_on_the_way_is_the_given_one() {
    assert_eq!((old::JobMessage::WIRE, new::JobMessage::WIRE), ("job", "job"));
}
