//! Clients over real connections: some are answered, others are refused, and none stops an actor.

#[cfg(feature = "observe")]
mod times;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use zctor::{ActorEngine, ActorThread, Context, actor};
use zctor_console::snapshot::Snapshot;
use zctor_console::{Console, Served, fetch, fetch_text};
use zctor_tests::{Gate, LIMIT, bounded};

const HELD: Duration = Duration::from_millis(300);

#[actor]
enum JobMessage {
    Run,
    Hold(Gate),
    #[reply(())]
    Ask,
    #[reply(())]
    Answer,
}

struct Job;

impl JobHandler for Job {
    fn run(&mut self) {}
    fn hold(&mut self, gate: Gate) {
        gate.pass();
    }
    fn ask(&mut self) {}
    fn answer(&mut self) {}
}

/// An engine, and its console at a free port.
fn served() -> (ActorEngine, Served) {
    let engine = ActorEngine::new();
    let served = Console::new(&engine).serve_tcp("127.0.0.1:0").expect("a port is free");
    (engine, served)
}

/// The host, and the path that begins with the token.
fn parts(served: &Served) -> (String, String) {
    let address = served.to_string();
    let (host, path) =
        address.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("an address with a path");
    (host.to_owned(), format!("/{path}"))
}

/// Sends a request as it is, and gives the whole answer.
fn exchange(host: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(host).expect("it is served");
    stream.set_read_timeout(Some(LIMIT)).expect("a limit is taken");
    stream.write_all(request.as_bytes()).expect("the request is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer in text");
    answer
}

fn get(host: &str, path: &str, headers: &str) -> String {
    exchange(host, &format!("GET {path} HTTP/1.1\r\n{headers}\r\n"))
}

/// The whole answer to a request that is let in.
fn ask(served: &Served, route: &str) -> String {
    let (host, path) = parts(served);
    get(&host, &format!("{path}{route}"), &format!("Host: {host}\r\n"))
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[test]
fn a_foreign_host_a_wrong_token_and_a_post_are_refused() {
    bounded(|| {
        let (_engine, served) = served();
        let (host, path) = parts(&served);
        let right = format!("Host: {host}\r\n");
        assert_eq!(status(&get(&host, &path, &right)), "200");
        for mine in ["Host: localhost\r\n", "host: LOCALHOST:8080\r\n", "Host: [::1]:1\r\n", "Host: 127.0.0.1\r\n"] {
            assert_eq!(status(&get(&host, &path, mine)), "200", "{mine}");
        }
        let foreign = [
            "Host: evil.example\r\n",
            "Host: 127.0.0.1.evil.example\r\n",
            "Host: localhost.evil.example:80\r\n",
            "Host: evil.example:127.0.0.1\r\n",
            "Host:\r\n",
            "",
        ];
        for foreign in foreign {
            assert_eq!(status(&get(&host, &path, foreign)), "403", "{foreign}");
        }
        let twice = format!("{right}Host: evil.example\r\n");
        assert_eq!(status(&get(&host, &path, &twice)), "400");
        let mut wrong = path.clone();
        let digit = if wrong.ends_with("0/") { "1/" } else { "0/" };
        wrong.replace_range(wrong.len() - 2.., digit);
        for wrong in [&*wrong, "/", "//", "/snapshot.json", &path[..path.len() - 2], "*"] {
            assert_eq!(status(&get(&host, wrong, &right)), "403", "{wrong}");
        }
        for method in ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"] {
            let request = format!("{method} {path} HTTP/1.1\r\n{right}Content-Length: 4\r\n\r\nstop");
            let answer = exchange(&host, &request);
            assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("Allow: GET"), "{answer}");
        }
        let unknown = get(&host, &format!("{path}nothing"), &right);
        assert_eq!(status(&unknown), "404");
        assert!(unknown.contains("there are /, /snapshot.txt, ") && unknown.contains(", /map.dot"), "{unknown}");
        assert_eq!(unknown.contains(", /times.txt, /times.json"), cfg!(feature = "observe"), "{unknown}");
        let error = fetch(&format!("https://{host}{path}")).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{error}");
        assert_eq!(status(&get(&host, &format!("{path}/waits.txt"), &right)), "200");
        if cfg!(not(feature = "observe")) {
            for times in ["times.txt", "times.json?seconds=1"] {
                let answer = get(&host, &format!("{path}{times}"), &right);
                assert!(status(&answer) == "404" && answer.contains("the feature `observe`"), "{answer}");
            }
        }
        assert!(!get(&host, &path, &right).to_ascii_lowercase().contains("access-control-allow"));
        assert!(!format!("{served:?}").contains(path.trim_matches('/')), "the token is no matter for logs");
    });
}

#[test]
fn a_browser_gets_the_page_and_everyone_else_text() {
    bounded(|| {
        let (_engine, served) = served();
        let (host, path) = parts(&served);
        let page = get(&host, &path, &format!("Host: {host}\r\nAccept: text/html,application/xhtml+xml\r\n"));
        assert!(page.contains("Content-Type: text/html") && page.contains("<!doctype html>"), "{page}");
        assert!(page.contains("Content-Security-Policy: default-src 'none'"), "{page}");
        let text = get(&host, &path, &format!("Host: {host}\r\nAccept: */*\r\n"));
        assert!(text.contains("Content-Type: text/plain") && text.ends_with("nothing waits\n"), "{text}");
        // The page loads nothing from elsewhere.
        let links = page.split(['"', '\'', '(', ' ']).filter(|word| word.starts_with("http") || word.starts_with("//"));
        let links: Vec<_> = links.filter(|link| !link.starts_with("http://www.w3.org/") && *link != "//").collect();
        assert!(links.is_empty(), "{links:?}");
    });
}

#[test]
fn an_address_that_others_can_reach_is_refused() {
    let engine = ActorEngine::new();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80"] {
        let error = Console::new(&engine).serve_tcp(address).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{error}");
    }
}

#[test]
fn clients_that_say_nothing_or_too_much_hold_up_nobody() {
    bounded(|| {
        let (_engine, served) = served();
        let (host, _) = parts(&served);
        // More than are served at once.
        let silent: Vec<TcpStream> = (0..10).map(|_| TcpStream::connect(&host).unwrap()).collect();
        assert_eq!(fetch(&served.to_string()).unwrap().engine, "zctor");
        drop(silent);
        let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(64 * 1024));
        let mut stream = TcpStream::connect(&host).unwrap();
        // The server may close before it has taken all.
        let _ = stream.write_all(long.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431 "), "{}", String::from_utf8_lossy(&answer));
        let many: String = (0..100).map(|number| format!("X-{number}: 1\r\n")).collect();
        assert_eq!(status(&get(&host, "/", &many)), "431");
        assert_eq!(status(&exchange(&host, "\x16\x03\x01\x02\x00\r\n\r\n")), "400");
        assert!(fetch_text(&served.to_string(), "metrics").unwrap().ends_with("# EOF\n"));
    });
}

#[test]
fn a_look_at_an_engine_that_is_held_or_gone_is_answered_and_what_holds_it_is_ill() {
    bounded(|| {
        let (engine, served) = served();
        let place = served.to_string();
        let jobs: JobClient = engine.pool(1, JobMessage::actor(|| Job)).unwrap();
        let gate = Gate::new();
        jobs.hold(gate.clone()).unwrap();
        gate.await_arrivals(1);
        for _ in 0..3 {
            jobs.run().unwrap();
        }
        let snapshot = fetch(&place).unwrap();
        let held = &snapshot.threads[0];
        assert!(held.queued == 4 && held.runs.starts_with("`JobMessage") && held.runs.contains("` 0.0"), "{held:?}");
        let health = |query: &str| ask(&served, &format!("healthz{query}"));
        assert_eq!(status(&health("?limit=3600")), "200");
        while status(&health("?limit=0.2")) != "503" {}
        let ill = health("?limit=0.001");
        assert!(ill.contains("JobMessage") && ill.contains("RUNS") && ill.contains("; 3 more queued there"), "{ill}");
        for wrong in ["?limit=", "?limit=soon", "?limit=-1", "?limit=nan", "?limit=1e999", "?slow=1"] {
            assert_eq!(status(&health(wrong)), "400", "{wrong}");
        }
        gate.open();
        engine.settle();
        assert_eq!(status(&health("")), "200");
        let snapshot = fetch(&place).unwrap();
        assert_eq!((snapshot.types[0].handled, snapshot.top[0].handled, snapshot.instances), (4, 4, 1));
        engine.shutdown().unwrap();
        drop(engine);
        let snapshot = fetch(&place).unwrap();
        assert_eq!((snapshot.engine.as_str(), snapshot.threads.len()), ("zctor", 0));
    });
}

/// Waits until each thread of the engine is parked: what a handler runs for counts from when its thread woke up.
fn await_rest(engine: &ActorEngine) {
    engine.settle();
    let idle = || engine.stats().threads.iter().map(|thread| thread.idle).collect::<Vec<_>>();
    let before = idle();
    while idle().iter().zip(&before).any(|(idle, before)| idle == before) {
        thread::yield_now();
    }
}

/// An instance whose handler is held by a gate. Its thread was parked before.
fn a_held_job(engine: &ActorEngine) -> (JobClient, Gate) {
    let jobs: JobClient = engine.pool(1, JobMessage::actor(|| Job)).expect("the pool starts");
    await_rest(engine);
    let gate = Gate::new();
    jobs.hold(gate.clone()).expect("it is live");
    gate.await_arrivals(1);
    (jobs, gate)
}

#[test]
fn the_first_look_finds_a_handler_that_is_stuck_though_nobody_waits_for_it() {
    bounded(|| {
        let (engine, served) = served();
        let (_jobs, gate) = a_held_job(&engine);
        thread::park_timeout(HELD); // a look would tell the time too
        let ill = ask(&served, "healthz?limit=0.2");
        assert!(status(&ill) == "503" && ill.contains("RUNS `JobMessage` 0.0 for "), "{ill}");
        // It is no matter for the page, as long as nothing lies behind it.
        let seen = loop {
            let snapshot = fetch(&served.to_string()).unwrap();
            if snapshot.threads[0].oldest > 1.1 {
                break snapshot;
            }
        };
        assert_eq!((seen.culprit, seen.culprit_thread), (None, None));
        gate.open();
    });
}

#[actor]
enum FarMessage {
    #[reply(())]
    Load(Gate),
}

struct Far;

impl FarHandler for Far {
    fn load(&mut self, gate: Gate) {
        gate.pass();
    }
}

#[actor(calls(FarMessage))]
enum BridgeMessage {
    Cross(Gate),
}

struct Bridge(FarClient);

impl BridgeHandler for Bridge {
    fn cross(&mut self, _: &mut Context<BridgeMessage>, gate: Gate) {
        self.0.load(gate).expect("the callee is live");
    }
}

/// Looks until what is stuck longest is that for a second.
fn when_stuck(served: &Served) -> Snapshot {
    loop {
        let snapshot = fetch(&served.to_string()).expect("the console answers");
        if snapshot.waits.last().is_some_and(|root| root.longest >= 1.0) {
            return snapshot;
        }
    }
}

#[test]
fn what_another_engine_holds_up_names_no_thread_of_this_one() {
    bounded(|| {
        let (there, (here, served)) = (ActorEngine::new(), served());
        let far: FarClient = there.start(FarMessage::actor(|| Far)).unwrap();
        // Thread 0 here has the number of the thread there, and nobody waits for it.
        let idle: JobClient = here.start_on(ActorThread::named("idle"), JobMessage::actor(|| Job)).unwrap();
        here.pool(1, BridgeMessage::actor(move || Bridge(far.clone()))).unwrap();
        let gate = Gate::new();
        here.send(BridgeMessage::Cross(gate.clone())).unwrap();
        gate.await_arrivals(1);
        let snapshot = when_stuck(&served);
        let root = snapshot.waits.last().unwrap();
        assert!(root.is_elsewhere && root.handlers == 1, "{root:?}");
        assert_eq!((&*root.thread, &*root.name, root.instance.as_deref()), ("", "", None));
        assert_eq!((&*snapshot.threads[0].thread, &*snapshot.threads[0].name), ("0", "idle"));
        assert_eq!((snapshot.culprit.as_deref(), snapshot.culprit_thread.as_deref()), (Some(&*root.text), None));
        assert_eq!(snapshot.culprit_since, Some(root.since));
        assert!(!snapshot.threads.iter().any(|row| snapshot.is_culprit(row)), "{snapshot}");
        let waiting = &root.waiting[0].text;
        for text in [&root.text, waiting] {
            assert!(text.contains("thread 0 of another engine"), "{text}");
        }
        // The data itself, for those who read it by other means.
        let json = ask(&served, "snapshot.json");
        let waits = json.split("\"waits\":[{").nth(1).and_then(|waits| waits.split("\"waiting\"").next());
        let waits = waits.unwrap_or_else(|| panic!("no waits in {json}"));
        assert!(waits.contains("\"thread\":\"\"") && waits.contains("\"is_elsewhere\":true"), "{waits}");
        gate.open();
        drop(idle);
        here.settle();
    });
}

#[test]
fn all_that_say_since_when_the_culprit_is_stuck_mean_one_moment() {
    bounded(|| {
        let (engine, served) = served();
        let (jobs, gate) = a_held_job(&engine);
        // It has run for a while before somebody waits for it: it is stuck since it runs.
        thread::park_timeout(HELD);
        thread::scope(|scope| {
            scope.spawn(|| jobs.ask().unwrap());
            let snapshot = when_stuck(&served);
            let root = snapshot.waits.last().unwrap();
            assert_eq!(snapshot.culprit_since, Some(root.since));
            assert_eq!(root.since, snapshot.time - root.lasted.max(root.longest));
            assert!(root.lasted > root.longest, "{root:?}");
            // The time of day, as each text has it.
            let second = root.since as u64 % 86_400;
            let clock = format!("{:02}:{:02}:{:02} UTC", second / 3_600, second / 60 % 60, second % 60);
            let text = snapshot.to_string();
            assert!(text.ends_with(&format!(" (stuck since {clock})")), "{text}");
            assert_eq!(snapshot.culprit_text().as_deref(), text.lines().last().map(str::trim));
            gate.open();
        });
    });
}

#[test]
fn an_actor_that_is_slow_by_right_is_ill_at_its_own_limit_and_not_before() {
    bounded(|| {
        let (engine, served) = served();
        let health = |limit: &str| ask(&served, &format!("healthz?limit={limit}"));
        let start = |limit| engine.start(JobMessage::actor(|| Job).slow(limit)).unwrap();
        let (patient, other): (JobClient, JobClient) = (start(LIMIT * 10), start(HELD));
        await_rest(&engine);
        let (gate, held) = (Gate::new(), Gate::new());
        patient.hold(gate.clone()).unwrap();
        gate.await_arrivals(1);
        let (well, ill, lasted, least) = thread::scope(|scope| {
            scope.spawn(|| patient.ask().unwrap());
            // Somebody has waited for it for longer than the limit that is asked for, and it has run for longer.
            let has_waited = || {
                let roots = engine.stats().waits().roots;
                roots.iter().flat_map(|root| &root.callers).any(|one| one.caller.lasted >= HELD)
            };
            while !has_waited() {
                thread::yield_now();
            }
            let well = health("0.001");
            let begun = Instant::now();
            other.hold(held.clone()).unwrap();
            let ill = loop {
                let answer = health("0.001");
                if status(&answer) == "503" {
                    break answer;
                }
            };
            let lasted = begun.elapsed();
            let least = health("3600");
            held.open();
            gate.open();
            (well, ill, lasted, least)
        });
        assert_eq!(status(&well), "200", "{well}");
        assert!(lasted >= HELD && ill.contains("RUNS") && ill.contains(" 1.0"), "after {lasted:?}: {ill}");
        assert_eq!(status(&least), "200", "what is asked for is the least, whatever the actor's own is");
        engine.settle();
        assert_eq!(status(&health("0.001")), "200");
    });
}

#[test]
fn a_thread_that_is_behind_is_named_and_is_not_stuck() {
    bounded(|| {
        let (engine, served) = served();
        let jobs: JobClient = engine.pool(1, JobMessage::actor(|| Job)).unwrap();
        await_rest(&engine);
        let gates: Vec<Gate> = (0..20).map(|_| Gate::new()).collect();
        for gate in &gates {
            jobs.hold(gate.clone()).unwrap();
        }
        while fetch(&served.to_string()).unwrap().threads[0].oldest < 1.0 {
            thread::yield_now();
        }
        let mut seen = None;
        for pair in gates.windows(2) {
            let begun = Instant::now();
            pair[0].open();
            pair[1].await_arrivals(1);
            let health = ask(&served, "healthz?limit=1");
            let snapshot = fetch(&served.to_string()).unwrap();
            // Otherwise the machine is so slow that the handler is.
            if begun.elapsed() < Duration::from_secs(1) {
                assert_eq!(status(&health), "200", "{health}");
                assert_eq!(snapshot.culprit_thread.as_deref(), snapshot.culprit.as_ref().map(|_| "0"));
                seen = snapshot.culprit.or(seen);
            }
        }
        let behind = seen.expect("each is older than the one before");
        assert!(behind.starts_with("thread 0 `") && behind.contains("` is behind: "), "{behind}");
        assert!(behind.contains(" queued, the oldest for ") && behind.contains("; it runs `JobMessage"), "{behind}");
        gates.iter().for_each(Gate::open);
    });
}

#[test]
fn rates_and_shares_are_of_the_time_between_two_looks() {
    bounded(|| {
        let engine = ActorEngine::new();
        let console = Console::new(&engine);
        let jobs: JobClient = engine.pool(1, JobMessage::actor(|| Job)).unwrap();
        let first = console.snapshot();
        assert_eq!((first.window, first.threads[0].rate), (0.0, 0.0));
        for _ in 0..1_000 {
            jobs.run().unwrap();
        }
        engine.settle();
        // No look in between: rates would be of the time since that one if this thread were held up behind it.
        thread::sleep(Duration::from_millis(250));
        let second = console.snapshot();
        assert!(second.window >= 0.25, "{second:?}");
        let thread = &second.threads[0];
        assert!((thread.rate * second.window - 1_000.0).abs() < 1.0, "{second:?}");
        assert!((0.0..=1.0).contains(&thread.busy) && (0.0..=1.0).contains(&thread.waiting), "{second:?}");
        assert!((second.types[0].rate * second.window - 1_000.0).abs() < 1.0, "{second:?}");
    });
}

#[test]
fn what_happened_between_looks_is_one_event_that_counts_each_once() {
    bounded(|| {
        let engine = ActorEngine::new();
        let console = Console::new(&engine);
        assert!(engine.send(JobMessage::Run).is_err());
        assert!(console.snapshot().events.is_empty(), "what was before the first look is no event");
        for count in 1..=5 {
            assert!(engine.send(JobMessage::Run).is_err());
            // Looks that come at once after one another tell nothing twice.
            let events = [console.snapshot(), console.snapshot()].map(|snapshot| snapshot.events);
            for events in events {
                let [event] = &events[..] else { panic!("one kind is one event: {events:?}") };
                assert_eq!((&*event.what, &*event.message, event.count), ("refused", "JobMessage", count));
                assert!(event.since <= event.time);
            }
        }
    });
}

#[test]
fn many_look_at_once_while_threads_come_and_go() {
    const LOOKERS: usize = 4;
    const LOOKS: usize = 50;
    bounded(|| {
        let (engine, served) = served();
        let (place, done) = (served.to_string(), AtomicBool::new(false));
        thread::scope(|scope| {
            let lookers: Vec<_> = (0..LOOKERS)
                .map(|number| {
                    let place = &place;
                    scope.spawn(move || {
                        for _ in 0..LOOKS {
                            let route = ["snapshot.json", "snapshot.txt", "metrics", "map.svg"][number % 4];
                            assert!(!fetch_text(place, route).unwrap().is_empty());
                        }
                    })
                })
                .collect();
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let job: JobClient = engine.start(JobMessage::actor(|| Job)).unwrap();
                    job.run().unwrap();
                    job.stop().unwrap();
                }
            });
            for looker in lookers {
                looker.join().unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
        engine.settle();
        let row = fetch(&place).unwrap().types[0].clone();
        assert_eq!(row.handled, row.ended, "each has handled one message and ended");
    });
}

#[cfg(unix)]
mod socket {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;

    use zctor_console::sockets;

    use super::*;

    #[test]
    fn the_folder_of_the_sockets_is_this_users_alone_and_sockets_go_with_their_engines() {
        bounded(|| {
            let engine = ActorEngine::builder().name("shop/../é").build();
            let served = Console::new(&engine).serve().unwrap();
            let path = served.path().unwrap().to_owned();
            let folder = path.parent().unwrap().to_owned();
            assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
            assert!(path.to_string_lossy().ends_with("-shop.sock"), "{path:?}");
            assert_eq!(fetch(&served.to_string()).unwrap().engine, "shop/../é");
            // A second console of the same name has a socket of its own.
            let second = Console::new(&engine).serve().unwrap();
            assert_ne!(second.path(), served.path());
            // A socket that an ended process left behind is removed.
            let stale = folder.join(format!("{}-stale.sock", std::process::id()));
            drop(UnixListener::bind(&stale).unwrap());
            assert!(stale.exists());
            let listed = sockets().unwrap();
            assert!(listed.contains(&path) && !listed.contains(&stale) && !stale.exists(), "{listed:?}");
            drop(served);
            assert!(!path.exists());
            // Somebody has removed the socket: the drop does not hang.
            fs::remove_file(second.path().unwrap()).unwrap();
            drop(second);
        });
    }
}

#[test]
fn a_console_can_be_dropped_while_it_is_asked() {
    bounded(|| {
        let engine = ActorEngine::new();
        for _ in 0..20 {
            let served = Console::new(&engine).serve_tcp("127.0.0.1:0").unwrap();
            let place = served.to_string();
            let asked = thread::spawn(move || fetch_text(&place, "snapshot.txt"));
            drop(served);
            // Answered, or refused since nobody served any more.
            if let Ok(text) = asked.join().unwrap() {
                assert!(text.ends_with("nothing waits\n"));
            }
        }
    });
}
