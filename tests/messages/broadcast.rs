//! A broadcast puts one copy before every live instance and tells how many there are; `call_all` asks every instance.

use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc::{self, Sender};

use zctor::{ActorEngine, ActorThread, CallError, Context, EngineHandle, InstanceId, SendError, actor};
use zctor_tests::{AMPLE, Counter, Gate, bounded, receive, receive_many};

#[actor(ctx)]
#[derive(Clone, Debug, PartialEq)]
enum NewsMessage {
    Breaking {
        text: String,
    },
    #[reply(InstanceId)]
    Place,
    /// Length of the text, or a panic for an empty one.
    #[reply(usize)]
    Measure {
        text: String,
    },
    /// Broadcasts to its own pool.
    #[reply(usize)]
    PassOn {
        text: String,
    },
    Leave,
}

struct Subscriber {
    heard: Sender<(InstanceId, String)>,
}

impl NewsHandler for Subscriber {
    fn breaking(&mut self, ctx: &mut Context<NewsMessage>, text: String) {
        let _ = self.heard.send((ctx.instance_id(), text));
    }

    fn place(&mut self, ctx: &mut Context<NewsMessage>) -> InstanceId {
        ctx.instance_id()
    }

    fn measure(&mut self, _ctx: &mut Context<NewsMessage>, text: String) -> usize {
        assert!(!text.is_empty(), "there is nothing to measure");
        text.len()
    }

    fn pass_on(&mut self, ctx: &mut Context<NewsMessage>, text: String) -> usize {
        ctx.broadcast(NewsMessage::Breaking { text }).expect("it is live itself")
    }

    fn leave(&mut self, ctx: &mut Context<NewsMessage>) {
        ctx.stop();
    }
}

/// Neither the message nor the reply is `Clone`.
#[actor(ctx)]
enum ParcelMessage {
    Deliver {
        parcel: Parcel,
    },
    #[reply((InstanceId, Parcel))]
    GiveBack {
        parcel: Parcel,
    },
    #[reply(())]
    Hold {
        gate: Gate,
    },
}

#[derive(Debug, PartialEq)]
struct Parcel {
    to: InstanceId,
}

struct Postman {
    delivered: Sender<(InstanceId, Parcel)>,
}

impl ParcelHandler for Postman {
    fn deliver(&mut self, ctx: &mut Context<ParcelMessage>, parcel: Parcel) {
        let _ = self.delivered.send((ctx.instance_id(), parcel));
    }

    fn give_back(&mut self, ctx: &mut Context<ParcelMessage>, parcel: Parcel) -> (InstanceId, Parcel) {
        (ctx.instance_id(), parcel)
    }

    fn hold(&mut self, _ctx: &mut Context<ParcelMessage>, gate: Gate) {
        gate.pass();
    }
}

fn breaking(text: &str) -> NewsMessage {
    NewsMessage::Breaking { text: text.to_owned() }
}

/// Three subscribers on a thread each and two more on one thread.
fn five_subscribers(engine: &ActorEngine, heard: &Sender<(InstanceId, String)>) -> NewsClient {
    let subscriber = || {
        let heard = heard.clone();
        NewsMessage::actor(move || Subscriber { heard: heard.clone() })
    };
    engine.pool(3, subscriber()).expect("the pool starts");
    engine.spawn(ActorThread::new().register(subscriber()).register(subscriber())).expect("the thread starts");
    engine.client::<NewsMessage>().expect("they are live")
}

#[test]
fn a_broadcast_reaches_every_instance_once_and_gives_the_number() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (heard, hearing) = mpsc::channel();
        let news = five_subscribers(&engine, &heard);
        let instances = news.instances();
        assert_eq!(instances.len(), 5);

        let ways: [&dyn Fn(NewsMessage) -> usize; 4] = [
            &|message| engine.broadcast(message).unwrap(),
            &|message| engine.handle().broadcast(message).unwrap(),
            &|message| news.broadcast(message).unwrap(),
            &|message| news.non_blocking().broadcast(message).unwrap(),
        ];
        for broadcast in ways {
            assert_eq!(broadcast(breaking("rain")), 5);
            let mut reached = Vec::new();
            for (instance, text) in receive_many(&hearing, 5) {
                assert_eq!(text, "rain");
                assert!(!reached.contains(&instance), "{instance} got two copies");
                reached.push(instance);
            }
            assert!(instances.iter().all(|instance| reached.contains(instance)));
        }
        engine.settle();
        assert!(hearing.try_recv().is_err(), "somebody got a copy too many");
    });
}

#[test]
fn a_broadcast_from_inside_reaches_the_senders_pool_and_itself() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (heard, hearing) = mpsc::channel();
        let news = five_subscribers(&engine, &heard);
        assert_eq!(news.pass_on("rain".to_owned()).unwrap(), 5);
        let mut reached: Vec<_> = receive_many(&hearing, 5).into_iter().map(|(id, _)| id).collect();
        reached.sort_by_key(|reached| news.instances().iter().position(|id| id == reached));
        assert_eq!(reached, news.instances());
    });
}

#[test]
fn a_broadcast_to_nobody_is_not_registered_and_the_message_comes_back() {
    bounded(|| {
        let engine = ActorEngine::new();
        let refused = engine.broadcast(breaking("rain")).unwrap_err();
        assert!(matches!(refused, SendError::NotRegistered(_)));
        assert_eq!(refused.into_inner(), breaking("rain"));

        let (heard, hearing) = mpsc::channel();
        let news = five_subscribers(&engine, &heard);
        assert_eq!(news.broadcast(NewsMessage::Leave).unwrap(), 5);
        engine.settle();
        let refused = news.broadcast(breaking("sun")).unwrap_err();
        assert!(matches!(refused, SendError::NotRegistered(_)));
        assert_eq!(refused.into_inner(), breaking("sun"));
        assert!(hearing.try_recv().is_err());
    });
}

#[test]
fn a_broadcast_passes_over_those_that_left() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (heard, hearing) = mpsc::channel();
        let news = five_subscribers(&engine, &heard);
        let instances = news.instances();
        news.pin(instances[1]).leave().unwrap();
        news.pin(instances[3]).leave().unwrap();
        engine.settle();
        assert_eq!(news.broadcast(breaking("rain")).unwrap(), 3);
        let mut reached = receive_many(&hearing, 3);
        reached.sort_by_key(|(reached, _)| instances.iter().position(|id| id == reached));
        let reached: Vec<_> = reached.into_iter().map(|(id, _)| id).collect();
        assert_eq!(reached, [instances[0], instances[2], instances[4]]);
    });
}

#[test]
fn broadcast_with_makes_a_message_for_each_instance_in_registry_order() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (delivered, deliveries) = mpsc::channel();
        let parcel = engine.pool(4, ParcelMessage::actor(move || Postman { delivered: delivered.clone() })).unwrap();
        let mut asked = Vec::new();
        let reached = parcel.broadcast_with(|to| {
            asked.push(to);
            ParcelMessage::Deliver { parcel: Parcel { to } }
        });
        assert_eq!(reached.unwrap(), 4);
        assert_eq!(asked, parcel.instances());
        for (instance, parcel) in receive_many(&deliveries, 4) {
            assert_eq!(parcel.to, instance);
        }

        let reached = engine.broadcast_with(|to| ParcelMessage::Deliver { parcel: Parcel { to } });
        assert_eq!(reached.unwrap(), 4);
        receive_many(&deliveries, 4);
    });
}

#[test]
fn broadcast_with_to_nobody_asks_for_no_message() {
    bounded(|| {
        let engine = ActorEngine::new();
        let asked = Counter::new();
        let refused = engine.broadcast_with(|to| {
            asked.increment();
            ParcelMessage::Deliver { parcel: Parcel { to } }
        });
        assert!(matches!(refused, Err(CallError::NotRegistered { message: "ParcelMessage", .. })));
        assert_eq!(asked.get(), 0);
    });
}

#[test]
fn a_closure_given_to_broadcast_with_may_use_the_pool() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (heard, hearing) = mpsc::channel();
        let news = five_subscribers(&engine, &heard);
        let reached = news.broadcast_with(|_| {
            news.send(breaking("meanwhile")).unwrap();
            let heard = heard.clone();
            engine
                .spawn(ActorThread::new().register(NewsMessage::actor(move || Subscriber { heard: heard.clone() })))
                .unwrap();
            breaking("rain")
        });
        assert_eq!(reached.unwrap(), 5, "those that join meanwhile are not in it");
        let texts = receive_many(&hearing, 10);
        assert_eq!(texts.iter().filter(|(_, text)| text == "rain").count(), 5);
        assert_eq!(news.instances().len(), 10);
    });
}

/// Its clone is code of the user's: it uses the engine, or panics at the last copy.
struct Delicate {
    engine: EngineHandle,
    copies: Counter,
}

impl Clone for Delicate {
    fn clone(&self) -> Self {
        assert!(self.engine.registry().get::<DelicateMessage>().is_some());
        assert_eq!(self.engine.thread_count(), 3);
        let pool = self.engine.client::<DelicateMessage>().expect("the pool is live");
        pool.note().expect("the pool is live");
        assert!(self.copies.increment() != 1, "the copier is out of paper");
        Self { engine: self.engine.clone(), copies: self.copies.clone() }
    }
}

#[actor]
#[derive(Clone)]
enum DelicateMessage {
    Carry {
        parcel: Delicate,
    },
    Note,
    #[reply((u64, u64))]
    Counts,
}

#[derive(Default)]
struct Carrier {
    carried: u64,
    noted: u64,
}

impl DelicateHandler for Carrier {
    fn carry(&mut self, _parcel: Delicate) {
        self.carried += 1;
    }

    fn note(&mut self) {
        self.noted += 1;
    }

    fn counts(&mut self) -> (u64, u64) {
        (self.carried, self.noted)
    }
}

#[test]
fn a_clone_may_use_the_engine_and_its_panic_reaches_the_sender_alone() {
    bounded(|| {
        let engine = ActorEngine::new();
        let pool = engine.pool(3, DelicateMessage::actor(Carrier::default)).unwrap();
        let copies = Counter::new();
        let message =
            || DelicateMessage::Carry { parcel: Delicate { engine: engine.handle(), copies: copies.clone() } };
        // The second copy of the first broadcast panics; the two of the second broadcast are made.
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| pool.broadcast(message())));
        assert!(outcome.is_err());
        assert_eq!(pool.broadcast(message()).unwrap(), 3);
        engine.settle();
        let counts = pool.call_all(DelicateMessage::counts()).unwrap();
        let counts: Vec<_> = counts.into_iter().map(|(_, counts)| counts.unwrap()).collect();
        let carried: u64 = counts.iter().map(|(carried, _)| carried).sum();
        let noted: u64 = counts.iter().map(|(_, noted)| noted).sum();
        assert_eq!(noted, 4, "each clone sends one note");
        assert!((3..=5).contains(&carried), "{carried}, of which the second broadcast's are 3");
        assert_eq!(engine.stats().restarts, 0);
    });
}

#[test]
fn call_all_gives_each_reply_in_registry_order() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (heard, _hearing) = mpsc::channel();
        let news = five_subscribers(&engine, &heard);
        for replies in [
            news.call_all(NewsMessage::place()).unwrap(),
            engine.call_all(NewsMessage::place()).unwrap(),
            engine.handle().call_all(NewsMessage::place()).unwrap(),
        ] {
            let asked: Vec<_> = replies.iter().map(|(id, _)| *id).collect();
            assert_eq!(asked, news.instances());
            for (instance, reply) in replies {
                assert_eq!(reply.unwrap(), instance);
            }
        }
    });
}

#[test]
fn call_all_gives_the_error_of_one_beside_the_replies_of_the_others() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (heard, _hearing) = mpsc::channel();
        let news = five_subscribers(&engine, &heard);
        let fourth = news.instances()[3];
        let replies = news
            .call_all_with(|instance| {
                NewsMessage::measure(if instance == fourth { String::new() } else { "rain".to_owned() })
            })
            .unwrap();
        assert_eq!(replies.len(), 5);
        for (instance, reply) in replies {
            if instance == fourth {
                assert!(
                    matches!(&reply, Err(CallError::Panicked { text, .. }) if text.contains("nothing to measure")),
                    "{reply:?}"
                );
            } else {
                assert_eq!(reply, Ok(4));
            }
        }
    });
}

#[test]
fn call_all_with_asks_each_instance_its_own_question() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (delivered, _deliveries) = mpsc::channel();
        let parcel = engine.pool(3, ParcelMessage::actor(move || Postman { delivered: delivered.clone() })).unwrap();
        let replies = parcel.call_all_with(|to| ParcelMessage::give_back(Parcel { to })).unwrap();
        let asked: Vec<_> = replies.iter().map(|(id, _)| *id).collect();
        assert_eq!(asked, parcel.instances());
        for (instance, reply) in replies {
            assert_eq!(reply, Ok((instance, Parcel { to: instance })));
        }
    });
}

#[test]
fn call_all_asks_everybody_before_it_waits_for_anybody() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (delivered, _deliveries) = mpsc::channel();
        let parcel = engine.pool(3, ParcelMessage::actor(move || Postman { delivered: delivered.clone() })).unwrap();
        let gate = Gate::new();
        let (ended, ends) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let replies = parcel.call_all_with(|_| ParcelMessage::hold(gate.clone()));
                let _ = ended.send(replies);
            });
            // All three are held at once, though the first has not answered.
            gate.await_arrivals(3);
            gate.open();
        });
        let replies = receive(&ends).unwrap();
        assert!(replies.iter().all(|(_, reply)| *reply == Ok(())));
        assert_eq!(replies.len(), 3);
    });
}

#[test]
fn one_deadline_covers_the_whole_of_call_all() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (delivered, _deliveries) = mpsc::channel();
        let parcel = engine.pool(3, ParcelMessage::actor(move || Postman { delivered: delivered.clone() })).unwrap();
        let stuck = parcel.instances()[1];
        let (shut, open) = (Gate::new(), Gate::new());
        open.open();
        let replies = parcel
            .within(AMPLE)
            .call_all_with(|to| ParcelMessage::hold(if to == stuck { shut.clone() } else { open.clone() }))
            .unwrap();
        for (instance, reply) in replies {
            if instance == stuck {
                assert!(matches!(reply, Err(CallError::Timeout { begun: true, .. })), "{reply:?}");
            } else {
                assert_eq!(reply, Ok(()));
            }
        }
        shut.open();
    });
}

#[test]
fn call_all_of_nobody_is_not_registered() {
    bounded(|| {
        let engine = ActorEngine::new();
        let refused = engine.call_all(NewsMessage::place());
        assert!(matches!(refused, Err(CallError::NotRegistered { message: "NewsMessage", .. })));
    });
}

/// Its first copy sends everybody away.
struct Farewell {
    engine: EngineHandle,
}

impl Clone for Farewell {
    fn clone(&self) -> Self {
        dismiss(&self.engine);
        Self { engine: self.engine.clone() }
    }
}

#[actor(ctx)]
#[derive(Clone)]
enum GuestMessage {
    Farewell {
        farewell: Farewell,
    },
    #[reply(())]
    Leave,
}

struct Guest;

impl GuestHandler for Guest {
    fn farewell(&mut self, _ctx: &mut Context<GuestMessage>, _farewell: Farewell) {}

    fn leave(&mut self, ctx: &mut Context<GuestMessage>) {
        ctx.stop();
    }
}

/// Ends every instance of the pool, and waits until their threads have ended: until then they take mail.
fn dismiss(engine: &EngineHandle) {
    let guests = engine.client::<GuestMessage>().expect("they are live");
    for instance in guests.instances() {
        guests.pin(instance).leave().expect("it is live");
    }
    while engine.thread_count() > 0 {
        std::thread::yield_now();
    }
}

#[test]
fn a_broadcast_whose_last_instance_ends_meanwhile_gives_the_message_back() {
    bounded(|| {
        let engine = ActorEngine::new();
        let guests = engine.pool(2, GuestMessage::actor(|| Guest)).unwrap();
        let refused = guests.broadcast(GuestMessage::Farewell { farewell: Farewell { engine: engine.handle() } });
        let refused = refused.unwrap_err();
        assert!(matches!(refused, SendError::NotRegistered(_)), "{refused}");
        assert!(matches!(refused.into_inner(), GuestMessage::Farewell { .. }));

        let guests = engine.pool(2, GuestMessage::actor(|| Guest)).unwrap();
        let refused = guests.broadcast_with(|_| {
            if engine.thread_count() > 0 {
                dismiss(&engine.handle());
            }
            GuestMessage::Farewell { farewell: Farewell { engine: engine.handle() } }
        });
        assert!(matches!(refused, Err(CallError::NotRegistered { message: "GuestMessage", .. })), "{refused:?}");
        // Refused, and so no dead letter.
        assert_eq!(engine.shutdown().unwrap().dead_letters, 0);
    });
}

/// A number that each instance of a thread must see grow.
#[actor(ctx)]
#[derive(Clone)]
enum StepMessage {
    Step(u64),
    #[reply(u64)]
    Steps,
}

#[derive(Default)]
struct Stepper {
    last: u64,
    steps: u64,
}

impl StepHandler for Stepper {
    fn step(&mut self, _ctx: &mut Context<StepMessage>, number: u64) {
        assert!(number > self.last, "{number} came behind {}", self.last);
        (self.last, self.steps) = (number, self.steps + 1);
    }

    fn steps(&mut self, _ctx: &mut Context<StepMessage>) -> u64 {
        self.steps
    }
}

/// `threads` threads, each with as many instances.
fn steppers(engine: &ActorEngine, threads: usize, on_each: usize) -> StepClient {
    for _ in 0..threads {
        let add = |thread: ActorThread, _| thread.register(StepMessage::actor(Stepper::default));
        engine.spawn((0..on_each).fold(ActorThread::new(), add)).expect("the thread starts");
    }
    engine.client::<StepMessage>().expect("they are live")
}

#[test]
fn copies_for_neighbours_on_one_thread_keep_their_place_among_other_messages_of_their_sender() {
    bounded(|| {
        let engine = ActorEngine::new();
        let all = steppers(&engine, 2, 4);
        let pins: Vec<_> = all.instances().into_iter().map(|id| all.pin(id)).collect();
        for round in 0..ROUNDS {
            let number = 3 * round;
            pins[round as usize % 8].step(number + 1).unwrap();
            assert_eq!(all.broadcast(StepMessage::Step(number + 2)).unwrap(), 8);
            let batch = [StepMessage::Step(number + 3)];
            pins[(round as usize + 3) % 8].send_all(batch).unwrap();
        }
        engine.settle();
        let steps = all.call_all(StepMessage::steps()).unwrap().into_iter().map(|(_, steps)| steps.unwrap());
        assert_eq!(steps.sum::<u64>(), 10 * ROUNDS);
        assert_eq!(engine.stats().restarts, 0, "none came too early or too late");
        assert_eq!(engine.stats().queued(), 0);
    });
}

/// Broadcasts of one thread, or how often a race is run that one round seldom meets.
const ROUNDS: u64 = if cfg!(miri) { 3 } else { 200 };

#[test]
fn copies_that_meet_the_end_of_their_thread_are_handled_or_come_back() {
    bounded(|| {
        for _ in 0..ROUNDS {
            let engine = ActorEngine::new();
            let all = steppers(&engine, 2, 3);
            let started = Gate::new();
            let (reached, report) = std::thread::scope(|scope| {
                let sending = scope.spawn(|| {
                    let (mut reached, mut number) = (0, 0);
                    loop {
                        number += 1;
                        match all.broadcast(StepMessage::Step(number)) {
                            Ok(count) => reached += count as u64,
                            Err(error) => {
                                assert!(matches!(error, SendError::Stopped(_)), "{error}");
                                return reached;
                            }
                        }
                        started.open();
                    }
                });
                started.pass();
                let report = engine.shutdown_timeout(AMPLE).expect("no handler stays");
                (sending.join().expect("it ends with the engine"), report)
            });
            assert_eq!(report.panicked(), 0);
            assert_eq!(report.handled() + report.dead_letters, reached, "{report:?}");
        }
    });
}

#[test]
fn a_panic_of_the_closure_given_to_broadcast_with_sends_nothing() {
    bounded(|| {
        let engine = ActorEngine::new();
        let all = steppers(&engine, 1, 3);
        let mut made = 0;
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
            all.broadcast_with(|_| {
                made += 1;
                assert!(made < 3, "out of paper");
                StepMessage::Step(1)
            })
        }));
        assert!(outcome.is_err());
        engine.settle();
        assert_eq!(engine.stats().handled(), 0);
        assert_eq!(all.broadcast_with(|_| StepMessage::Step(1)).unwrap(), 3);
    });
}
