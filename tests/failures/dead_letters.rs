//! An accepted message that nobody will handle is told of once, with its reason, and counted; it goes back to its
//! actor.

use std::sync::OnceLock;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use zctor::{
    Actor, ActorEngine, ActorThread, CallError, Context, DeadLetter, InstanceId, Message, Overflow, Restart,
    Undelivered, actor,
};
use zctor_tests::{Counter, DropGuard, Gate, IN_TIME, bounded, receive, receive_many};

const SHORT: Duration = Duration::from_millis(30);
const SENDERS: usize = 3;
const LIVES: u64 = if cfg!(miri) { 2 } else { 20 };
/// Of a millisecond each, and so more than the time of a shutdown is enough for.
const CHORES: usize = 3_000;

#[actor(ctx)]
#[derive(Clone)]
enum MailMessage {
    Note(u32),
    #[reply(u32)]
    Ask(u32),
    Hold(Gate),
    HoldAndStop(Gate),
    Break,
    /// Takes a moment.
    Chore,
}

#[derive(Default)]
struct Mail {
    notes: Counter,
    _guard: Option<DropGuard>,
}

impl MailHandler for Mail {
    fn note(&mut self, _: &mut Context<MailMessage>, _: u32) {
        self.notes.increment();
    }
    fn ask(&mut self, _: &mut Context<MailMessage>, number: u32) -> u32 {
        self.notes.increment();
        number
    }
    fn hold(&mut self, _: &mut Context<MailMessage>, gate: Gate) {
        gate.pass();
    }
    fn hold_and_stop(&mut self, ctx: &mut Context<MailMessage>, gate: Gate) {
        gate.pass();
        ctx.stop();
    }
    fn r#break(&mut self, _: &mut Context<MailMessage>) {
        panic!("the mail breaks");
    }
    fn chore(&mut self, _: &mut Context<MailMessage>) {
        let (_never, nothing) = mpsc::channel::<()>();
        let _ = nothing.recv_timeout(Duration::from_millis(1));
    }
}

fn mail() -> Actor<MailMessage, Mail> {
    MailMessage::actor(Mail::default)
}

/// What a hook of the engine was told, but for the message's type.
type Told = (&'static str, InstanceId, Undelivered);

fn listen(engine: &ActorEngine) -> Receiver<Told> {
    let (tell, told) = mpsc::channel();
    engine.on_dead_letter(move |letter: &DeadLetter| {
        assert_eq!(letter.message, "MailMessage");
        // A test that has seen enough may be gone.
        let _ = tell.send((letter.variant, letter.instance, letter.why));
    });
    told
}

/// A message that came back: its variant and its number.
type Back = (&'static str, u32, Undelivered);

fn returning(actor: Actor<MailMessage, Mail>) -> (Actor<MailMessage, Mail>, Receiver<Back>) {
    let (keep, kept) = mpsc::channel();
    let actor = actor.on_undelivered(move |message, why| {
        let number = match &message {
            MailMessage::Note(number) | MailMessage::Ask(number) => *number,
            _ => 0,
        };
        let _ = keep.send((message.variant(), number, why));
    });
    (actor, kept)
}

fn id(client: &MailClient) -> InstanceId {
    client.instance_id().expect("it is bound")
}

#[test]
fn what_an_ended_instance_leaves_is_told_in_order_and_goes_back() {
    bounded(|| {
        let engine = ActorEngine::new();
        let told = listen(&engine);
        let (actor, back) = returning(mail());
        let mail = engine.start(actor).unwrap();
        let gate = Gate::new();
        mail.hold_and_stop(gate.clone()).unwrap();
        gate.await_arrivals(1);
        mail.note(1).unwrap();
        let asked = mail.non_blocking().ask(2);
        assert!(mail.send_all([3, 4, 5].map(MailMessage::Note)).is_ok());
        mail.request(MailMessage::ask(6)).detach();
        gate.open();
        assert_eq!(asked.wait(), Err(CallError::Stopped { message: "MailMessage" }));
        let variants = ["Note", "Ask", "Note", "Note", "Note", "Ask"];
        let expected = variants.map(|variant| (variant, id(&mail), Undelivered::Ended));
        assert_eq!(receive_many(&told, 6), expected);
        let numbers: Vec<_> = receive_many(&back, 6);
        let expected: Vec<_> = variants.into_iter().zip(1..).map(|(v, n)| (v, n, Undelivered::Ended)).collect();
        assert_eq!(numbers, expected);
        engine.settle();
        assert_eq!((engine.stats().dead_letters, engine.stats().skipped), (6, 0));
        assert!(told.try_recv().is_err() && back.try_recv().is_err());
    });
}

#[test]
fn one_that_is_built_once_has_its_mail_back_too() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (keep, kept) = mpsc::channel();
        let actor = MailMessage::actor_once(Mail::default)
            .on_undelivered(move |message, why| keep.send((message.variant(), why)).unwrap_or_default());
        let mail = engine.start(actor).unwrap();
        assert!(mail.send_all([MailMessage::Break, MailMessage::Note(1), MailMessage::Ask(2)]).is_ok());
        let expected = ["Note", "Ask"].map(|variant| (variant, Undelivered::Ended));
        assert_eq!(receive_many(&kept, 2), expected);
    });
}

#[test]
fn what_waits_for_one_that_panics_beyond_its_limit_is_told_but_not_what_panicked() {
    bounded(|| {
        let engine = ActorEngine::new();
        let told = listen(&engine);
        let (actor, back) = returning(mail().restart(Restart::never()));
        let mail = engine.start(actor).unwrap();
        let gate = Gate::new();
        mail.hold(gate.clone()).unwrap();
        assert!(mail.send_all([MailMessage::Break, MailMessage::Note(7)]).is_ok());
        gate.open();
        assert_eq!(receive(&told), ("Note", id(&mail), Undelivered::Ended));
        assert_eq!(receive(&back), ("Note", 7, Undelivered::Ended));
        let report = engine.shutdown().unwrap();
        assert_eq!((report.handled(), report.panicked(), report.dead_letters), (1, 1, 1));
        assert!(told.try_recv().is_err() && back.try_recv().is_err());
    });
}

#[test]
fn what_a_resting_instance_holds_is_told_at_its_end() {
    bounded(|| {
        let engine = ActorEngine::new();
        let told = listen(&engine);
        let hour = Duration::from_secs(3600);
        let (actor, back) = returning(mail().restart(Restart::always().backoff(hour, hour)));
        let mail = engine.start(actor).unwrap();
        for _ in 0..3 {
            mail.r#break().unwrap();
        }
        mail.note(1).unwrap();
        assert!(mail.send_all([2, 3].map(MailMessage::Note)).is_ok());
        let report = engine.shutdown_timeout(IN_TIME).unwrap();
        assert_eq!(told.try_iter().collect::<Vec<_>>(), [("Note", id(&mail), Undelivered::Stopped); 3]);
        assert_eq!(back.try_iter().collect::<Vec<_>>(), [1, 2, 3].map(|n| ("Note", n, Undelivered::Stopped)));
        assert_eq!((report.panicked(), report.dead_letters, report.left), (3, 3, 0));
    });
}

#[test]
fn what_a_shutdown_has_no_time_for_is_told_as_stopped() {
    bounded(|| {
        let engine = ActorEngine::new();
        let told = listen(&engine);
        let (actor, back) = returning(mail());
        let mail = engine.start(actor).unwrap();
        // One batch, of which some are handled, and single ones behind it.
        assert!(mail.send_all((0..CHORES).map(|_| MailMessage::Chore)).is_ok());
        mail.note(1).unwrap();
        let asked = mail.non_blocking().ask(2);
        let report = engine.shutdown_timeout(IN_TIME).unwrap();
        assert_eq!(asked.wait(), Err(CallError::Stopped { message: "MailMessage" }));
        let told: Vec<_> = told.try_iter().collect();
        assert!(told.iter().all(|(_, instance, why)| (*instance, *why) == (id(&mail), Undelivered::Stopped)));
        assert_eq!(told.iter().filter(|(variant, ..)| *variant == "Ask").count(), 1);
        assert_eq!(told.len() as u64, report.dead_letters);
        assert_eq!((report.handled() + report.dead_letters, report.left), (CHORES as u64 + 2, 0));
        let back: Vec<_> = back.try_iter().collect();
        assert_eq!(back.len(), told.len());
        assert_eq!(back.last(), Some(&("Ask", 2, Undelivered::Stopped)));
    });
}

#[test]
fn what_lies_in_the_mailbox_of_an_abandoned_thread_is_told() {
    bounded(|| {
        let engine = ActorEngine::new();
        let told = listen(&engine);
        let (actor, back) = returning(mail());
        let mail = engine.start(actor).unwrap();
        let gate = Gate::new();
        mail.hold(gate.clone()).unwrap();
        gate.await_arrivals(1);
        mail.note(1).unwrap();
        assert!(mail.send_all([2, 3].map(MailMessage::Note)).is_ok());
        engine.shutdown_timeout(SHORT).expect_err("a handler does not return");
        assert_eq!(told.iter().collect::<Vec<_>>(), [("Note", id(&mail), Undelivered::Stopped); 3]);
        assert_eq!(receive_many(&back, 3), [1, 2, 3].map(|n| ("Note", n, Undelivered::Stopped)));
        gate.open();
    });
}

#[test]
fn a_call_that_was_given_up_is_told_when_its_turn_comes() {
    bounded(|| {
        let engine = ActorEngine::new();
        let told = listen(&engine);
        let (actor, back) = returning(mail());
        let mail = engine.start(actor).unwrap();
        let gate = Gate::new();
        mail.hold(gate.clone()).unwrap();
        gate.await_arrivals(1);
        let late = Err(CallError::Timeout { message: "MailMessage", begun: false });
        assert_eq!(mail.within(SHORT).ask(1), late);
        drop(mail.non_blocking().ask(2));
        let kept = mail.non_blocking().ask(3);
        assert!(told.try_recv().is_err());
        gate.open();
        assert_eq!(kept.wait(), Ok(3));
        engine.settle();
        assert_eq!(told.try_iter().collect::<Vec<_>>(), [("Ask", id(&mail), Undelivered::GivenUp); 2]);
        assert_eq!(back.try_iter().collect::<Vec<_>>(), [1, 2].map(|n| ("Ask", n, Undelivered::GivenUp)));
        assert_eq!((engine.stats().dead_letters, engine.stats().skipped), (2, 2));
    });
}

#[test]
fn what_finds_no_room_is_told_as_full() {
    bounded(|| {
        let engine = ActorEngine::new();
        let told = listen(&engine);
        let (actor, back) = returning(mail());
        let thread = ActorThread::new().mailbox_bound(2).overflow(Overflow::DropNewest).register(actor);
        engine.spawn(thread).unwrap();
        let mail = engine.client::<MailMessage>().unwrap();
        let only = mail.pin(mail.instances()[0]);
        let gate = Gate::new();
        mail.hold(gate.clone()).unwrap();
        gate.await_arrivals(1);
        assert!(mail.send_all((1..=4).map(MailMessage::Note)).is_ok());
        only.note(5).unwrap();
        assert_eq!(only.ask(6), Err(CallError::Full { message: "MailMessage" }));
        assert_eq!(mail.non_blocking().ask(7).wait(), Err(CallError::Full { message: "MailMessage" }));
        assert_eq!(mail.broadcast(MailMessage::Note(8)).unwrap(), 0);
        assert_eq!(mail.broadcast_with(|_| MailMessage::Note(9)), Ok(0));
        let replies = mail.call_all(MailMessage::ask(10)).unwrap();
        assert_eq!(replies, [(id(&only), Err(CallError::Full { message: "MailMessage" }))]);
        let variants = ["Note", "Note", "Note", "Ask", "Ask", "Note", "Note", "Ask"];
        assert_eq!(receive_many(&told, 8), variants.map(|variant| (variant, id(&only), Undelivered::Full)));
        let expected: Vec<_> = variants.into_iter().zip(3..).map(|(v, n)| (v, n, Undelivered::Full)).collect();
        assert_eq!(receive_many(&back, 8), expected);
        gate.open();
        let stats = engine.stats();
        assert_eq!((stats.dead_letters, stats.skipped, stats.refused), (8, 0, 0));
        assert_eq!(engine.shutdown().unwrap().handled(), 3);
        assert!(told.try_recv().is_err() && back.try_recv().is_err());
    });
}

#[test]
fn rotated_mail_goes_to_siblings_and_pinned_mail_back() {
    bounded(|| {
        let engine = ActorEngine::new();
        let told = listen(&engine);
        let notes = Counter::new();
        let counted = notes.clone();
        let state = move || Mail { notes: counted.clone(), _guard: None };
        let (actor, back) = returning(MailMessage::actor(state));
        let mail = engine.pool(2, actor).unwrap();
        let [first, second] = [0, 1].map(|i| mail.pin(mail.instances()[i]));
        let gate = Gate::new();
        first.hold_and_stop(gate.clone()).unwrap();
        second.hold(gate.clone()).unwrap();
        gate.await_arrivals(2);
        for number in 1..=3 {
            mail.note(number).unwrap();
            first.note(10 + number).unwrap();
        }
        let asked = mail.non_blocking().ask(4);
        assert!(mail.send_all((5..=8).map(MailMessage::Note)).is_ok());
        first.request(MailMessage::ask(14)).detach();
        gate.open();
        assert_eq!(asked.wait(), Ok(4));
        engine.settle();
        assert_eq!(notes.get(), 8);
        let variants = ["Note", "Note", "Note", "Ask"];
        let expected = variants.map(|variant| (variant, id(&first), Undelivered::Ended));
        assert_eq!(told.try_iter().collect::<Vec<_>>(), expected);
        let expected: Vec<_> = variants.into_iter().zip(11..).map(|(v, n)| (v, n, Undelivered::Ended)).collect();
        assert_eq!(back.try_iter().collect::<Vec<_>>(), expected);
        assert_eq!(engine.stats().dead_letters, 4);
    });
}

#[test]
fn a_mailbox_that_closes_under_its_senders_loses_nothing_without_a_word() {
    bounded(|| {
        for _ in 0..LIVES {
            let engine = ActorEngine::new();
            let told = listen(&engine);
            let notes = Counter::new();
            let counted = notes.clone();
            let (actor, back) = returning(MailMessage::actor(move || Mail { notes: counted.clone(), _guard: None }));
            let mail = engine.start(actor).unwrap();
            let open = Gate::new();
            open.open();
            let tried: u64 = thread::scope(|scope| {
                let senders: Vec<_> = (0..SENDERS)
                    .map(|sender| {
                        let (mail, open) = (mail.clone(), open.clone());
                        scope.spawn(move || {
                            for number in 0_u32.. {
                                let sent = match number % 3 {
                                    0 => mail.note(number).is_ok(),
                                    1 => mail.send_all([MailMessage::Note(number)]).is_ok(),
                                    _ => {
                                        mail.request(MailMessage::ask(number)).detach();
                                        true
                                    }
                                };
                                thread::yield_now();
                                if !sent {
                                    return u64::from(number) + 1;
                                }
                                if sender == 0 && number == 5 {
                                    mail.hold_and_stop(open.clone()).unwrap();
                                }
                            }
                            unreachable!("the mailbox closes")
                        })
                    })
                    .collect();
                senders.into_iter().map(|sender| sender.join().unwrap()).sum()
            });
            engine.settle();
            let stats = engine.stats();
            let told = told.try_iter().count() as u64;
            assert_eq!(told, back.try_iter().count() as u64);
            assert_eq!(told, stats.dead_letters);
            assert_eq!(engine.shutdown().unwrap().handled(), notes.get() + 1);
            assert_eq!(notes.get() + told + stats.refused, tried);
        }
    });
}

#[test]
fn counters_equal_what_the_hooks_were_told_from_many_threads() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (told, back) = (Counter::new(), Counter::new());
        let heard = told.clone();
        engine.on_dead_letter(move |_| {
            heard.increment();
        });
        let returned = back.clone();
        let actor = mail().on_undelivered(move |_, _| {
            returned.increment();
        });
        let bounded = |_| ActorThread::new().mailbox_bound(3).overflow(Overflow::DropNewest);
        let mail = engine.pool_on(3, bounded, actor).unwrap();
        let full = Counter::new();
        thread::scope(|scope| {
            for _ in 0..SENDERS {
                let (mail, full) = (mail.clone(), full.clone());
                scope.spawn(move || {
                    for number in 0..2_000 {
                        mail.note(number).unwrap();
                        if number % 10 == 0 && mail.within(Duration::ZERO).ask(number).is_err() {
                            full.increment();
                        }
                        if number % 100 == 0 {
                            let reached = mail.broadcast(MailMessage::Note(number)).unwrap();
                            full.add(3 - reached as u64);
                        }
                    }
                });
            }
        });
        let report = engine.shutdown().unwrap();
        assert!(report.dead_letters > 0);
        assert_eq!((told.get(), back.get()), (report.dead_letters, report.dead_letters));
        let accepted = SENDERS as u64 * (2_000 + 200 + 20 * 3);
        assert_eq!(report.handled() + report.dead_letters, accepted);
    });
}

#[test]
fn a_hook_may_panic() {
    bounded(|| {
        let engine = ActorEngine::new();
        let told = Counter::new();
        let heard = told.clone();
        engine.on_dead_letter(move |_| {
            heard.increment();
            panic!("a hook of the engine's");
        });
        let back = Counter::new();
        let returned = back.clone();
        let actor = mail().on_undelivered(move |_, _| {
            returned.increment();
            panic!("a hook of the actor's");
        });
        engine.spawn(ActorThread::new().register(actor).register(mail())).unwrap();
        let mail = engine.client::<MailMessage>().unwrap();
        let [first, second] = [0, 1].map(|i| mail.pin(mail.instances()[i]));
        let gate = Gate::new();
        first.hold_and_stop(gate.clone()).unwrap();
        first.note(1).unwrap();
        assert!(first.send_all([2, 3].map(MailMessage::Note)).is_ok());
        let asked = first.non_blocking().ask(4);
        gate.open();
        assert_eq!(asked.wait(), Err(CallError::Stopped { message: "MailMessage" }));
        assert_eq!(second.ask(5), Ok(5), "the neighbour has seen nothing of it");
        let report = engine.shutdown().unwrap();
        assert_eq!((told.get(), back.get(), report.dead_letters, report.panicked()), (4, 4, 4, 0));
    });
}

#[test]
fn a_hook_may_send_but_not_wait() {
    bounded(|| {
        let engine = ActorEngine::new();
        let other = engine.start(mail()).unwrap();
        let mail = engine.start(mail()).unwrap();
        let (tell, told) = mpsc::channel();
        let (dead, alive) = (mail.clone(), other.clone());
        engine.on_dead_letter(move |letter| {
            let refused = dead.note(1).is_err_and(|error| error.is_stopped());
            let waited = alive.ask(2);
            let asked = alive.non_blocking().ask(3);
            let waited_later = asked.wait();
            asked.detach();
            let sent = alive.note(4).is_ok();
            tell.send((letter.variant, refused, waited, waited_later, sent)).unwrap_or_default();
        });
        mail.stop().unwrap();
        // It is behind the stop, or refused.
        while mail.note(0).is_ok() {}
        engine.settle();
        let undeclared = CallError::Undeclared { message: "MailMessage", caller: None };
        for told in told.try_iter() {
            assert_eq!(told, ("Note", true, Err(undeclared.clone()), Err(undeclared.clone()), true));
        }
        let report = engine.shutdown().unwrap();
        // Each hook call sent a note and a call that nobody waited for.
        assert_eq!(report.handled(), 2 * report.dead_letters);
    });
}

#[test]
fn what_a_hook_loses_is_counted_and_told_to_nobody() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (actor, back) = returning(mail());
        let pool = engine.pool(2, actor.clone()).unwrap();
        let [first, second] = [0, 1].map(|i| pool.pin(pool.instances()[i]));
        let doomed = engine.start(actor).unwrap();
        let (tell, told) = mpsc::channel();
        let clients = (pool.clone(), first.clone());
        engine.on_dead_letter(move |letter| {
            let (pool, first) = &clients;
            tell.send((letter.variant, letter.instance)).unwrap_or_default();
            // Rotated and pinned, single and in bulk.
            pool.note(101).unwrap_or_default();
            pool.note(102).unwrap_or_default();
            pool.request(MailMessage::ask(103)).detach();
            assert!(pool.send_all([104, 105].map(MailMessage::Note)).is_ok());
            first.note(106).unwrap_or_default();
        });
        // The two of the pool end once all that the hook sends has come to them.
        let (leaving, staying) = (Gate::new(), Gate::new());
        first.hold_and_stop(leaving.clone()).unwrap();
        second.hold_and_stop(staying.clone()).unwrap();
        leaving.await_arrivals(1);
        staying.await_arrivals(1);
        let open = Gate::new();
        doomed.hold_and_stop(open.clone()).unwrap();
        open.await_arrivals(1);
        doomed.note(1).unwrap();
        open.open();
        assert_eq!(receive(&told), ("Note", id(&doomed)));
        // What the hook sent is on its way when it has returned, which is before its thread has ended.
        while engine.thread_count() > 2 {
            thread::yield_now();
        }
        // The first gives what was rotated to the second.
        leaving.open();
        while engine.thread_count() > 1 {
            thread::yield_now();
        }
        second.note(2).unwrap();
        staying.open();
        assert_eq!(receive(&told), ("Note", id(&second)), "what no hook has sent is told of");
        // Told of that, the hook sends once more: there is nobody left.
        let report = engine.shutdown().unwrap();
        assert_eq!(report.dead_letters, 1 + 6 + 1);
        assert_eq!(told.iter().count(), 0);
        let back: Vec<_> = back.try_iter().collect();
        assert_eq!(back, [("Note", 1, Undelivered::Ended), ("Note", 2, Undelivered::Ended)]);
    });
}

#[test]
fn a_hook_that_sends_where_there_is_no_room_does_not_call_itself() {
    bounded(|| {
        let engine = ActorEngine::new();
        let thread = ActorThread::new().mailbox_bound(1).overflow(Overflow::DropNewest);
        engine.spawn(thread.register(mail())).unwrap();
        let mail = engine.client::<MailMessage>().unwrap();
        let told = Counter::new();
        let (heard, client) = (told.clone(), mail.clone());
        engine.on_dead_letter(move |_| {
            heard.increment();
            // Without waiting, so that it sees the mailbox as full; and in bulk.
            client.non_blocking().note(1).unwrap_or_default();
            assert!(client.non_blocking().send_all([2, 3].map(MailMessage::Note)).is_ok());
            client.broadcast(MailMessage::Note(4)).map(drop).unwrap_or_default();
        });
        let gate = Gate::new();
        mail.hold(gate.clone()).unwrap();
        gate.await_arrivals(1);
        mail.note(0).unwrap();
        mail.note(0).unwrap();
        assert_eq!(told.get(), 1);
        let lost = engine.stats().dead_letters;
        assert!((4..=5).contains(&lost), "{lost}");
        gate.open();
        let report = engine.shutdown().unwrap();
        assert_eq!((report.handled() + report.dead_letters, told.get()), (3 + 4, 1));
    });
}

#[test]
fn only_the_last_hook_counts() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (first, released) = (Counter::new(), Counter::new());
        let (old, guard) = (first.clone(), released.guard());
        engine.on_dead_letter(move |_| {
            let _ = &guard;
            old.increment();
        });
        let told = listen(&engine);
        assert_eq!(released.get(), 1);
        let mail = engine.start(mail()).unwrap();
        let gate = Gate::new();
        mail.hold_and_stop(gate.clone()).unwrap();
        mail.note(1).unwrap();
        gate.open();
        assert_eq!(receive(&told), ("Note", id(&mail), Undelivered::Ended));
        assert_eq!(first.get(), 0);
    });
}

#[test]
fn hooks_that_hold_clients_of_the_engine_leak_nothing() {
    bounded(|| {
        for late in [false, true] {
            let (states, hooks, own) = (Counter::new(), Counter::new(), Counter::new());
            let engine = ActorEngine::new();
            let guards = states.clone();
            let state = move || Mail { notes: Counter::new(), _guard: Some(guards.guard()) };
            let first = engine.pool(2, MailMessage::actor(state.clone())).unwrap();
            let (guard, client) = (own.guard(), first.clone());
            let actor = MailMessage::actor(state).on_undelivered(move |_, _| {
                let _ = (&guard, &client);
            });
            let second = engine.start(actor).unwrap();
            let hook = |engine: &ActorEngine| {
                let (guard, clients) =
                    (hooks.guard(), (first.clone(), second.clone(), first.pin(first.instances()[0])));
                engine.on_dead_letter(move |_| {
                    let _ = (&guard, &clients);
                });
            };
            hook(&engine);
            let gate = Gate::new();
            second.hold_and_stop(gate.clone()).unwrap();
            second.note(1).unwrap();
            gate.open();
            if late {
                // It comes when the engine has stopped.
                let first = first.pin(first.instances()[0]);
                engine.shutdown().unwrap();
                let (guard, client) = (hooks.guard(), first);
                engine.on_dead_letter(move |_| {
                    let _ = (&guard, &client);
                });
            } else {
                engine.shutdown().unwrap();
            }
            assert_eq!(states.get(), 3);
            drop((engine, first, second));
            assert_eq!((hooks.get(), own.get()), (1 + u64::from(late), 1), "given late: {late}");
        }
    });
}

/// Its drop panics.
struct Explosive(Counter);

impl Drop for Explosive {
    fn drop(&mut self) {
        self.0.increment();
        panic!("a drop of the user's");
    }
}

#[test]
fn a_hook_that_puts_another_in_its_place_harms_nobody_by_its_drop() {
    static ENGINE: OnceLock<ActorEngine> = OnceLock::new();
    bounded(|| {
        let engine = ENGINE.get_or_init(ActorEngine::new);
        let exploded = Counter::new();
        let explosive = Explosive(exploded.clone());
        engine.on_dead_letter(move |_| {
            let _ = &explosive;
            ENGINE.get().expect("it is made").on_dead_letter(|_| ());
        });
        engine.spawn(ActorThread::new().register(mail()).register(mail())).unwrap();
        let mail = engine.client::<MailMessage>().unwrap();
        let [first, second] = [0, 1].map(|i| mail.pin(mail.instances()[i]));
        let gate = Gate::new();
        first.hold_and_stop(gate.clone()).unwrap();
        first.note(1).unwrap();
        gate.open();
        engine.settle();
        assert_eq!(exploded.get(), 1);
        assert_eq!(second.ask(2), Ok(2), "the neighbour has seen nothing of it");
        engine.shutdown().unwrap();
    });
}

#[test]
fn the_drop_of_what_an_actors_hook_holds_harms_nobody() {
    bounded(|| {
        // Its last owner is the instance, or a letter that comes too late.
        for letters in [0, 1, 3] {
            let engine = ActorEngine::new();
            let neighbour = engine.pool(1, mail()).unwrap();
            let exploded = Counter::new();
            let explosive = Explosive(exploded.clone());
            let doomed = mail().on_undelivered(move |_, _| {
                let _ = &explosive;
            });
            engine.spawn(ActorThread::new().register(mail()).register(doomed)).unwrap();
            let only = neighbour.pin(neighbour.instances()[2]);
            let beside = neighbour.pin(neighbour.instances()[1]);
            let gate = Gate::new();
            only.hold_and_stop(gate.clone()).unwrap();
            for number in 0..letters {
                only.note(number).unwrap();
            }
            drop(only);
            gate.open();
            engine.settle();
            assert_eq!(beside.ask(2), Ok(2), "the neighbour has seen nothing of it, {letters} letters");
            assert_eq!(engine.thread_count(), 2);
            let report = engine.shutdown().unwrap();
            assert_eq!((exploded.get(), report.dead_letters), (1, u64::from(letters)));
        }
    });
}

#[test]
fn a_refusal_is_counted_and_is_no_dead_letter() {
    bounded(|| {
        let engine = ActorEngine::new();
        let told = listen(&engine);
        let refused = || engine.stats().refused;
        assert!(engine.send(MailMessage::Note(1)).is_err());
        assert!(engine.call(MailMessage::ask(1)).is_err());
        assert!(engine.broadcast(MailMessage::Note(1)).is_err());
        assert!(engine.call_all(MailMessage::ask(1)).is_err());
        assert!(engine.handle().send(MailMessage::Note(1)).is_err());
        assert_eq!(refused(), 5);

        let bounded = ActorThread::new().mailbox_bound(1).overflow(Overflow::Refuse);
        engine.spawn(bounded.register(mail())).unwrap();
        let mail = engine.client::<MailMessage>().unwrap();
        let gate = Gate::new();
        mail.hold(gate.clone()).unwrap();
        gate.await_arrivals(1);
        mail.note(1).unwrap();
        assert!(mail.note(2).is_err_and(|error| error.is_full()));
        assert!(mail.ask(2).is_err());
        assert!(mail.non_blocking().ask(2).wait().is_err());
        assert!(mail.within(SHORT).note(2).is_err());
        assert!(matches!(mail.call_all(MailMessage::ask(2)).unwrap()[0].1, Err(CallError::Full { .. })));
        assert_eq!(refused(), 10);
        gate.open();

        let gone = mail.pin(mail.instances()[0]);
        gone.stop().unwrap();
        engine.settle();
        assert!(gone.note(3).is_err() && gone.ask(3).is_err());
        assert_eq!(refused(), 12);
        assert_eq!(engine.stats().dead_letters, 0);
        assert!(told.try_recv().is_err());
    });
}

/// Sends and calls a type that nobody handles.
#[actor(calls(MailMessage))]
enum LonelyMessage {
    #[reply(())]
    Send,
    #[reply(())]
    SendLocal,
}

struct Lonely;

impl LonelyHandler for Lonely {
    fn send(&mut self, ctx: &mut Context<LonelyMessage>) {
        assert!(ctx.send(MailMessage::Note(1)).is_err());
        assert!(ctx.broadcast(MailMessage::Note(1)).is_err());
        assert!(ctx.call(MailMessage::ask(1)).is_err());
    }
    fn send_local(&mut self, ctx: &mut Context<LonelyMessage>) {
        assert!(ctx.send_local(MailMessage::Note(1)).is_err());
        assert!(ctx.call_local(MailMessage::ask(1)).is_err());
    }
}

#[test]
fn a_refusal_inside_is_counted_too() {
    bounded(|| {
        let engine = ActorEngine::new();
        let lonely = engine.pool(1, LonelyMessage::actor(|| Lonely)).unwrap();
        lonely.call(LonelyMessage::send()).unwrap();
        assert_eq!(engine.stats().refused, 3);
        lonely.call(LonelyMessage::send_local()).unwrap();
        assert_eq!(engine.stats().refused, 5);
        assert_eq!(engine.shutdown().unwrap().dead_letters, 0);
    });
}

#[test]
fn a_letter_says_what_it_was() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (tell, told): (Sender<String>, _) = mpsc::channel();
        engine.on_dead_letter(move |letter| tell.send(letter.to_string()).unwrap_or_default());
        let mail = engine.start(mail()).unwrap();
        let gate = Gate::new();
        mail.hold_and_stop(gate.clone()).unwrap();
        mail.note(1).unwrap();
        gate.open();
        assert_eq!(receive(&told), "`MailMessage::Note` for 0.0 was not handled: its instance had ended");
    });
}
