//! Which pools an end serves.

use serde::{Deserialize, Serialize};
use zctor::remote::{Loopback, ServeError};
use zctor::{ActorEngine, actor};
use zctor_tests::bounded;

#[actor(remote = "job")]
#[derive(Serialize, Deserialize)]
enum JobMessage {
    #[reply(u8)]
    Which,
}
struct Job(u8);
impl JobHandler for Job {
    fn which(&mut self) -> u8 {
        self.0
    }
}

#[actor(remote = "job")]
#[derive(Serialize, Deserialize)]
enum OtherMessage {
    Run,
}
struct Other;
impl OtherHandler for Other {
    fn run(&mut self) {}
}

#[test]
fn a_pool_takes_the_place_of_one_of_its_enum_and_of_no_other() {
    bounded(|| {
        let (ends, here) = (Loopback::pair(), ActorEngine::new());
        let engines = [ActorEngine::new(), ActorEngine::new()];
        let job = ends.1.attach::<JobMessage>(&here).expect("a link");
        for (number, engine) in (0..).zip(&engines) {
            engine.pool(1, JobMessage::actor(move || Job(number))).expect("a pool");
            ends.0.serve::<JobMessage>(engine).expect("it has the pool");
            assert_eq!(job.which(), Ok(number));
        }
        engines[0].pool(1, OtherMessage::actor(|| Other)).expect("a pool");
        let taken = ends.0.serve::<OtherMessage>(&engines[0]).expect_err("the name is taken");
        assert!(matches!(taken, ServeError::NameTaken { name: "job" }), "{taken:?}");
        assert_eq!(job.which(), Ok(1), "which changes nothing");
    });
}

#[test]
fn a_pool_that_is_not_there_cannot_be_served() {
    bounded(|| {
        let (ends, engine) = (Loopback::pair(), ActorEngine::new());
        let missing = ends.0.serve::<JobMessage>(&engine).expect_err("it has no pool");
        assert!(matches!(missing, ServeError::NotRegistered { name: "job" }), "{missing:?}");
        engine.pool(1, JobMessage::actor(|| Job(0))).expect("a pool");
        engine.shutdown().expect("nothing is in its way");
        let stopped = ends.0.serve::<JobMessage>(&engine).expect_err("it has stopped");
        assert!(matches!(stopped, ServeError::Stopped { name: "job" }), "{stopped:?}");
    });
}

#[test]
fn why_a_pool_is_not_served_is_an_error_like_any_other() {
    fn is_error<E: std::error::Error + Send + Sync + 'static>(error: E) -> String {
        error.to_string()
    }
    assert_eq!(
        is_error(ServeError::NameTaken { name: "job" }),
        "another enum is served as `job`; give one of them another name: `#[actor(remote = \"..\")]`"
    );
}
