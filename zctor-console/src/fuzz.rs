//! Requests of every kind, also broken ones: none panics, none changes anything, and none gets in without the token.

use std::sync::Mutex;

use zctor::{ActorEngine, ActorThread, actor};
use zctor_metrics::EngineMetrics;
use zctor_tests::SplitMix64;

use crate::look::Looks;
use crate::pause::Pause;
use crate::site::{Access, Head, Site, read_head};

const REQUESTS: usize = 100_000;
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const SEED: u64 = 19;

#[actor]
enum JobMessage {
    Run,
}

struct Job;

impl JobHandler for Job {
    fn run(&mut self) {}
}

/// The parts that requests are put together from: those of a right one are among them, so that many requests come close
/// to one that is answered.
const PARTS: [&str; 27] = [
    "GET ",
    "POST ",
    "HEAD ",
    "/",
    TOKEN,
    "snapshot.json",
    "snapshot.txt",
    "waits.txt",
    "metrics",
    "map.svg",
    "..",
    "%2e%2e",
    "?",
    "healthz?limit=",
    "#",
    " HTTP/1.1",
    " HTTP/1.0",
    "\r\n",
    "\r\n\r\n",
    "Host: 127.0.0.1:80\r\n",
    "Host: localhost\r\n",
    "Host: evil.example\r\n",
    "Accept: text/html\r\n",
    "Content-Length: 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "\0",
    "\u{ff}",
];

/// A request that is whole, or one that was put together at random, or one of either kind with some bytes changed.
fn request(random: &mut SplitMix64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if random.below(2) == 0 {
        let routes = [
            "",
            "snapshot.json",
            "healthz?limit=1",
            "times.txt?seconds=9",
            "waits.txt",
            "metrics",
            "map.dot",
            "nothing",
        ];
        let route = routes[random.below(routes.len())];
        bytes.extend_from_slice(format!("GET /{TOKEN}/{route} HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n").as_bytes());
    } else {
        for _ in 0..random.below(12) {
            bytes.extend_from_slice(PARTS[random.below(PARTS.len())].as_bytes());
        }
        bytes.extend_from_slice(b"\r\n\r\n");
    }
    for _ in 0..random.below(4) {
        let at = random.below(bytes.len());
        match random.below(3) {
            0 => bytes[at] = random.next_u64() as u8,
            1 => bytes.insert(at, random.next_u64() as u8),
            _ if bytes.len() > 1 => drop(bytes.remove(at)),
            _ => {}
        }
    }
    bytes
}

#[test]
fn a_hundred_thousand_requests_change_nothing_and_bring_no_panic() {
    let engine = ActorEngine::builder().name("shop").build();
    engine.spawn(ActorThread::new().register(JobMessage::actor(|| Job))).unwrap();
    engine.send(JobMessage::Run).unwrap();
    engine.settle();
    let site = Site {
        engine: engine.handle(),
        name: "shop".to_owned(),
        metrics: EngineMetrics::new(&engine),
        definitions: Vec::new(),
        looks: Mutex::new(Looks::default()),
    };
    let (access, pause) = (Access::Token(TOKEN.to_owned()), Pause::default());
    pause.stop(); // a look at text does not wait for a second one
    let (before, registry) = (engine.stats(), engine.registry().to_string());
    let mut random = SplitMix64::new(SEED);
    let (mut answered, mut refused) = (0, 0);
    for number in 0..REQUESTS {
        let bytes = request(&mut random);
        let answer = match read_head(&bytes) {
            Head::Partial => continue,
            Head::Refused(answer) => answer,
            Head::Complete(request) => site.answer(&request, &access, &pause),
        };
        if answer.status.starts_with("200") {
            answered += 1;
            let text = String::from_utf8_lossy(&bytes);
            // HTTP allows empty lines before a request.
            let text = text.trim_start_matches(['\r', '\n']);
            assert!(text.starts_with("GET ") && text.contains(TOKEN), "request {number} got in: {text:?}");
        } else {
            refused += 1;
        }
        let head = answer.bytes();
        assert!(head.starts_with(b"HTTP/1.1 "), "request {number}");
    }
    assert!(answered > REQUESTS / 20 && refused > REQUESTS / 20, "{answered} answered, {refused} refused");
    let after = engine.stats();
    assert_eq!(after.types, before.types);
    assert_eq!((after.threads.len(), after.refused, after.dead_letters), (before.threads.len(), 0, 0));
    assert_eq!(engine.registry().to_string(), registry);
}

#[test]
fn a_head_that_arrives_byte_by_byte_is_partial_until_it_is_whole() {
    let whole = format!("GET /{TOKEN}/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    for end in 0..whole.len() {
        assert!(matches!(read_head(&whole.as_bytes()[..end]), Head::Partial), "{end}");
    }
    assert!(matches!(read_head(whole.as_bytes()), Head::Complete(_)));
}
