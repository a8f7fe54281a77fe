//! Messages of six words, or with a client in them, are sent without an allocation each, and a call with four takes one
//! at most, with a deadline too; with a hook for what is undelivered, of five and three. The room of batches comes back
//! to who sends them, and little of it is kept at rest.
//!
//! Counted on the thread that allocates, in steady state: what was grown before is there.

use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use zctor::{ActorEngine, ActorThread, Context, actor};
use zctor_tests::{bounded, receive};

const TIMES: u64 = 1_000;

#[actor]
enum SinkMessage {
    /// Six words beside the variant's number.
    Put(u64, [u64; 5]),
    #[reply(u64)]
    Read(u64),
}

#[actor]
enum DeskMessage {
    /// Four words beside the variant's number.
    #[reply(u64)]
    Ask(u64, [u64; 3]),
    #[reply(u64)]
    Idle,
}

struct Desk;

impl DeskHandler for Desk {
    fn ask(&mut self, a: u64, more: [u64; 3]) -> u64 {
        a + more.iter().sum::<u64>()
    }
    fn idle(&mut self) -> u64 {
        0
    }
}

#[derive(Default)]
struct Sink {
    sum: u64,
}

impl SinkHandler for Sink {
    fn put(&mut self, a: u64, more: [u64; 5]) {
        self.sum += a + more.iter().sum::<u64>();
    }
    fn read(&mut self, value: u64) -> u64 {
        self.sum + value
    }
}

#[actor]
enum HookedMessage {
    /// Five words beside the variant's number.
    Put(u64, [u64; 4]),
    Skip,
}

#[actor]
enum HookedDeskMessage {
    /// Three.
    #[reply(u64)]
    Ask(u64, [u64; 2]),
    #[reply(u64)]
    Idle,
}

struct Hooked;

impl HookedHandler for Hooked {
    fn put(&mut self, _: u64, _: [u64; 4]) {}
    fn skip(&mut self) {}
}

impl HookedDeskHandler for Hooked {
    fn ask(&mut self, a: u64, more: [u64; 2]) -> u64 {
        a + more.iter().sum::<u64>()
    }
    fn idle(&mut self) -> u64 {
        0
    }
}

#[actor]
enum GuideMessage {
    Meet(SinkClient),
}

#[derive(Default)]
struct Guide {
    met: Option<SinkClient>,
}

impl GuideHandler for Guide {
    fn meet(&mut self, sink: SinkClient) {
        self.met = Some(sink);
    }
}

/// Counts what it allocates itself.
#[actor(calls(SinkMessage))]
enum CountMessage {
    /// Messages that its thread, this one, sends to a neighbour.
    SendAll(Sender<u64>),
    /// Calls of a neighbour.
    CallAll(Sender<u64>),
    /// Starts and stops of instances that live at the same time, and then as many again, so many times. The thread does
    /// not rest in between: there it frees most of what ended instances leave.
    StartAndStop { again: u64, tell: Sender<u64> },
}

struct Count;

impl CountHandler for Count {
    fn send_all(&mut self, ctx: &mut Context<CountMessage>, tell: Sender<u64>) {
        let counted = measure(|| {
            for value in 0..TIMES {
                ctx.send(SinkMessage::Put(value, [1; 5])).expect("the sink lives");
            }
        });
        tell.send(counted.count_total).expect("the test waits");
    }
    fn start_and_stop(&mut self, ctx: &mut Context<CountMessage>, again: u64, tell: Sender<u64>) {
        let counted = measure(|| {
            for sum in 0..TIMES {
                // The closure that builds it holds something, and is not put into a box either.
                let sink = ctx.start::<SinkMessage>(move || Sink { sum }).expect("it is built");
                sink.stop().expect("it lives");
            }
        });
        tell.send(counted.count_total).expect("the test waits");
        if let Some(again) = again.checked_sub(1) {
            ctx.me().start_and_stop(again, tell).expect("it lives");
        }
    }
    fn call_all(&mut self, ctx: &mut Context<CountMessage>, tell: Sender<u64>) {
        let counted = measure(|| {
            for value in 0..TIMES {
                ctx.call(SinkMessage::read(value)).expect("the sink lives");
            }
        });
        tell.send(counted.count_total).expect("the test waits");
    }
}

/// What `batch` allocates and frees on this thread so many times, once it has been done before; the engine is quiet
/// each time.
fn settled(engine: &ActorEngine, times: u64, batch: impl Fn()) -> AllocationInfo {
    batch();
    engine.settle();
    let mut all = AllocationInfo::default();
    for _ in 0..times {
        all += measure(&batch);
        engine.settle();
    }
    all
}

/// Messages that take 3.5 KiB in a batch.
fn send_batch(sink: &SinkClient) {
    let sent = sink.send_all((0..64).map(|value| SinkMessage::Put(value, [1; 5])));
    assert_eq!(sent.expect("the sink lives"), 64);
}

#[test]
fn a_call_from_outside_allocates_once_at_most() {
    bounded(|| {
        let engine = ActorEngine::new();
        let desk = engine.pool(1, DeskMessage::actor(|| Desk)).unwrap();
        for desk in [desk.within(Duration::from_secs(60)), desk] {
            let calls = || {
                for value in 0..TIMES {
                    assert_eq!(desk.ask(value, [1; 3]).unwrap(), value + 3);
                }
            };
            calls();
            // The rest is what the mailbox grows by now and then.
            let counted = measure(calls).count_total;
            assert!(counted <= TIMES + TIMES / 10, "{counted} allocations for {TIMES} calls of {desk:?}");
        }
    });
}

#[test]
fn a_message_from_outside_allocates_nothing() {
    bounded(|| {
        let engine = ActorEngine::new();
        let sink = engine.pool(1, SinkMessage::actor(Sink::default)).unwrap();
        let batch = || {
            for value in 0..16 {
                sink.put(value, [1; 5]).unwrap();
            }
        };
        let counted = settled(&engine, TIMES / 16, batch).count_total;
        // As above: 16 fit where 16 have been.
        assert!(counted <= TIMES / 10, "{counted} allocations for {TIMES} messages");
    });
}

#[test]
fn what_send_all_allocates_is_freed_on_the_thread_that_made_it() {
    bounded(|| {
        let engine = ActorEngine::new();
        let sink = engine.pool(1, SinkMessage::actor(Sink::default)).unwrap();
        let left = settled(&engine, TIMES, || send_batch(&sink)).count_current;
        // The room that a batch travels in comes back; now and then somebody else just looks there.
        assert!(left.unsigned_abs() <= TIMES / 10, "{left} of {TIMES} batches were left to the other thread");
    });
}

#[test]
fn of_the_room_of_batches_little_is_kept_at_rest_and_nothing_by_a_thread_that_has_ended() {
    bounded(|| {
        const BATCHES: i64 = 250;
        const KIB: i64 = 1_024;
        let engine = ActorEngine::new();
        let here = engine.here().unwrap();
        // This thread makes and frees it all.
        let sink: SinkClient = here.start::<SinkMessage>(Sink::default).unwrap();
        assert!(here.run_pending());
        let counted = measure(|| {
            (0..BATCHES).for_each(|_| send_batch(&sink));
            assert!(here.run_pending());
        });
        assert!(counted.bytes_max as i64 > BATCHES * 3 * KIB, "{counted:?}");
        // Beside the 64 KiB of batches what the queue keeps.
        assert!((32 * KIB..128 * KIB).contains(&counted.bytes_current), "{counted:?}");
        let ended = measure(|| drop(here)).bytes_current;
        assert!(ended <= -48 * KIB, "{ended} bytes");
        assert!(sink.read(0).is_err(), "the client, which knows its mailbox, has outlived it");
    });
}

#[test]
fn with_a_hook_for_what_is_undelivered_a_word_less_fits() {
    bounded(|| {
        let engine = ActorEngine::new();
        let hooked = HookedMessage::actor(|| Hooked).on_undelivered(|_, _| ());
        let hooked = engine.pool(1, hooked).unwrap();
        let desk = HookedDeskMessage::actor(|| Hooked).on_undelivered(|_, _| ());
        let desk = engine.pool(1, desk).unwrap();
        let batch = || {
            for value in 0..16 {
                hooked.put(value, [1; 4]).unwrap();
            }
        };
        let calls = || {
            for value in 0..TIMES {
                assert_eq!(desk.ask(value, [1; 2]).unwrap(), value + 2);
            }
        };
        let sent = settled(&engine, TIMES / 16, batch).count_total;
        calls();
        assert!(sent <= TIMES / 10, "{sent} allocations for {TIMES} messages");
        let called = measure(calls).count_total;
        assert!(called <= TIMES + TIMES / 10, "{called} allocations for {TIMES} calls");
    });
}

#[test]
fn a_client_takes_four_words() {
    assert_eq!(size_of::<SinkClient>(), 4 * size_of::<u64>());
}

#[test]
fn a_message_with_a_client_in_it_allocates_nothing() {
    bounded(|| {
        let engine = ActorEngine::new();
        let sink = engine.pool(2, SinkMessage::actor(Sink::default)).unwrap();
        let guide = engine.pool(1, GuideMessage::actor(Guide::default)).unwrap();
        let clients = [sink.clone(), sink.pin(sink.instances()[0]), sink.within(Duration::from_secs(60))];
        let batch = || {
            for client in &clients {
                guide.meet(client.clone()).unwrap();
            }
        };
        let counted = settled(&engine, TIMES, batch).count_total;
        // As above: 3 fit where 3 have been.
        assert!(counted <= TIMES / 10, "{counted} allocations for {TIMES} messages of each kind");
    });
}

#[test]
fn messages_and_calls_on_one_thread_allocate_nothing_each() {
    bounded(|| {
        let engine = ActorEngine::new();
        let thread = ActorThread::new().register(SinkMessage::actor(Sink::default));
        engine.spawn(thread.register(CountMessage::actor(|| Count))).unwrap();
        let count = engine.client::<CountMessage>().unwrap();
        let (tell, told) = mpsc::channel();
        for _ in 0..2 {
            count.send_all(tell.clone()).unwrap();
            count.call_all(tell.clone()).unwrap();
            engine.settle();
        }
        let counted: Vec<u64> = (0..4).map(|_| receive(&told)).collect();
        // The first time the queue and the register grow.
        assert!(counted[2] <= TIMES / 10, "{} allocations for {TIMES} messages", counted[2]);
        assert!(counted[3] <= TIMES / 10, "{} allocations for {TIMES} calls", counted[3]);
    });
}

#[test]
fn instances_that_start_where_as_many_have_ended_allocate_nothing() {
    bounded(|| {
        let engine = ActorEngine::new();
        let count = engine.start(CountMessage::actor(|| Count)).unwrap();
        let (tell, told) = mpsc::channel();
        count.start_and_stop(2, tell).unwrap();
        let counted = [(); 3].map(|()| receive(&told));
        // The first time each has two pieces of memory of its own.
        assert!(counted[0] >= 2 * TIMES, "{} allocations for the first {TIMES} instances", counted[0]);
        assert!(counted[2] <= TIMES / 10, "{} allocations for {TIMES} instances", counted[2]);
    });
}
