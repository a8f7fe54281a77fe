//! The tools for services find what is served, and its books: the answers to `$SRV.PING`, `INFO` and `STATS`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zctor::{ActorEngine, actor};
use zctor_tests::{LIMIT, bounded};

use crate::nats::Server;
use crate::stock::Stock;

#[actor(remote = "job.v2")]
#[derive(Serialize, Deserialize)]
enum JobMessage {
    #[reply(u64)]
    Run(u64),
    Note,
}
struct Job;
impl JobHandler for Job {
    fn run(&mut self, value: u64) -> u64 {
        value
    }
    fn note(&mut self) {}
}

fn ask(stock: &mut Stock, subject: &str) -> Value {
    serde_json::from_slice(&stock.request(subject, "").payload).expect("JSON")
}

#[test]
fn a_bridge_that_serves_answers_ping_info_and_stats() {
    bounded(|| {
        let (server, there, here) = (Server::start(), ActorEngine::new(), ActorEngine::new());
        let (serves, calls) = (server.bridge(), server.bridge());
        there.pool(1, JobMessage::actor(|| Job)).expect("a pool");
        serves.serve::<JobMessage>(&there).expect("it has the pool");
        let mut stock = Stock::connect(server.port());

        let ping = ask(&mut stock, "$SRV.PING");
        assert_eq!((&ping["type"], &ping["name"]), (&json!("io.nats.micro.v1.ping_response"), &json!("test")));
        assert_eq!(ping["version"], json!(env!("CARGO_PKG_VERSION")));
        assert!(ping["metadata"].is_object());
        let id = ping["id"].as_str().filter(|id| !id.is_empty()).expect("an id").to_owned();

        let info = ask(&mut stock, "$SRV.INFO.test");
        assert_eq!((&info["type"], &info["id"]), (&json!("io.nats.micro.v1.info_response"), &json!(id)));
        assert!(info["description"].as_str().is_some_and(|text| text.contains("test")), "{info}");
        let endpoint = json!({
            "name": "job_v2", "subject": "zctor.3.test.job.v2.t", "queue_group": "z", "metadata": {},
        });
        assert_eq!(info["endpoints"], json!([endpoint]));

        let job = calls.attach::<JobMessage>(&here).expect("a link");
        assert_eq!(job.run(3), Ok(3));
        job.note().expect("it is sent");
        here.settle();
        assert_eq!(calls.flush(LIMIT).acked, 1);
        assert_eq!(stock.request("zctor.3.test.job.v2.t", r#"{"Run":4}"#).text(), "4");
        assert_eq!(stock.request("zctor.3.test.job.v2.t", r#""Walk""#).text(), "");

        let stats = ask(&mut stock, &format!("$SRV.STATS.test.{id}"));
        assert_eq!(stats["type"], json!("io.nats.micro.v1.stats_response"));
        let started = stats["started"].as_str().expect("a time");
        assert!(started.starts_with("20") && started.ends_with('Z') && started.contains('T'), "{started}");
        let pool = &stats["endpoints"][0];
        assert_eq!(
            (&pool["name"], &pool["num_requests"], &pool["num_errors"]),
            (&json!("job_v2"), &json!(4), &json!(1))
        );
        let last = pool["last_error"].as_str().expect("a text");
        assert!(last.starts_with("400:unknown variant `Walk`"), "{last}");
        let (whole, average) = (pool["processing_time"].as_u64(), pool["average_processing_time"].as_u64());
        assert!(whole.is_some_and(|whole| whole > 0) && average <= whole, "{pool}");
        assert_eq!((&pool["data"]["books"]["taken"], &pool["data"]["books"]["accepted"]), (&json!(3), &json!(0)));
    });
}

#[test]
fn a_bridge_that_serves_nothing_is_no_service_and_an_unknown_verb_has_no_answer() {
    bounded(|| {
        let server = Server::start();
        let _calls = server.bridge();
        let mut stock = Stock::connect(server.port());
        let nobody = stock.request("$SRV.PING", "");
        assert!(nobody.headers.contains("503"), "{nobody:?}");

        let (there, serves) = (ActorEngine::new(), server.bridge());
        there.pool(1, JobMessage::actor(|| Job)).expect("a pool");
        serves.serve::<JobMessage>(&there).expect("it has the pool");
        // It is heard, and what comes back is the answer to the next.
        stock.publish("$SRV.SCHEMA", b"");
        assert_eq!(ask(&mut stock, "$SRV.PING")["type"], json!("io.nats.micro.v1.ping_response"));
    });
}

/// Issue #17.
#[test]
fn the_servers_monitoring_tells_processes_apart() {
    bounded(|| {
        let server = Server::start_with(&["-m", "-1"]);
        let bridge = server.bridge();
        let said = server.monitoring("/connz");
        let program = std::env::current_exe().expect("this program");
        let program = program.file_name().expect("it has a name").to_string_lossy();
        let name = format!("\"zctor test {program} {}\"", std::process::id());
        assert!(said.contains(&name), "{said}");
        drop(bridge);
    });
}
