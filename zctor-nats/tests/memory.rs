//! Messages under way to a slow handler take bounded memory, however many are sent.
//!
//! A process of its own, since its memory is measured. `ZCTOR_NATS_SENDS` says how many messages are sent.

// Not all that a server offers is used here.
#[allow(dead_code)]
#[path = "server/nats.rs"]
mod nats;
#[path = "server/over.rs"]
mod over;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{env, fs, thread};

use serde::{Deserialize, Serialize};
use zctor::{ActorEngine, ActorThread, actor};
use zctor_tests::{LIMIT, within};

/// The bytes of a message.
const SIZE: usize = 4_096;
/// For how many messages a link has room: 1,024 by itself, and 1 MiB while they are acknowledged soon.
const ROOM: u64 = 1_024 + 1_024 * 1_024 / SIZE as u64;
const BOUND: u64 = 64;

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum SlowMessage {
    Do(#[msg(into)] String),
}
struct Slow(u64);
impl SlowHandler for Slow {
    fn r#do(&mut self, value: String) {
        assert_eq!(value.len(), SIZE);
        self.0 += 1;
        // Its senders are always ahead of it.
        if self.0.is_multiple_of(64) {
            zctor::sleep(Duration::from_millis(1));
        }
    }
}

/// The most memory that this process has had, in KiB, where the system says so.
fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn what_is_under_way_to_a_slow_handler_is_bounded() {
    let sends: u64 = env::var("ZCTOR_NATS_SENDS").map_or(50_000, |sends| sends.parse().expect("a number"));
    within(30 * LIMIT, move || {
        let (server, there, here) = (nats::Server::start_with(&["-m", "-1"]), ActorEngine::new(), ActorEngine::new());
        let (serves, calls) = (server.bridge(), server.patient_bridge());
        let slow = SlowMessage::actor(|| Slow(0));
        there.spawn(ActorThread::new().mailbox_bound(BOUND as usize).register(slow)).expect("a pool");
        serves.serve::<SlowMessage>(&there).expect("it has the pool");
        let slow = calls.attach::<SlowMessage>(&here).expect("a link");
        let text = "x".repeat(SIZE);
        let before = peak();
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let _ends = over::Ends(&over);
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let (sent, taken) = (calls.books(), serves.books());
                    assert!(sent.unsettled() <= ROOM, "{sent}");
                    // One more may be told of just now.
                    assert!(taken.waiting <= ROOM + 1, "{taken}");
                    zctor::sleep(Duration::from_millis(1));
                }
            });
            for _ in 0..sends {
                slow.r#do(text.clone()).expect("it waits for room");
            }
        });
        here.settle();
        let books = calls.flush(30 * LIMIT);
        assert_eq!((books.accepted, books.acked), (sends, sends), "{books}");
        let said = server.monitoring("/varz");
        assert!(said.contains("\"slow_consumers\": 0,"), "the server has cut a bridge off: {said}");
        if let (Some(before), Some(after)) = (before, peak()) {
            println!("{sends} messages of {SIZE} bytes: {before} KiB before, {after} KiB at most");
            let bytes = sends * SIZE as u64;
            assert!((after - before) * 1_024 < bytes / 4, "{} KiB for {bytes} bytes", after - before);
        }
    });
}
