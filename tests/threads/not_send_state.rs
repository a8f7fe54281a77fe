//! A state is built, used and dropped on its own thread and never leaves it, so it need not be `Send`.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, ThreadId};

use zctor::{ActorEngine, ActorThread, CallError, Context, actor};
use zctor_tests::{bounded, receive, receive_many};

/// What happened to a state, on which thread.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    Built(ThreadId),
    Started(ThreadId),
    Handled(ThreadId),
    Stopped(ThreadId),
    Dropped(ThreadId),
}

impl Event {
    fn thread(self) -> ThreadId {
        match self {
            Self::Built(thread)
            | Self::Started(thread)
            | Self::Handled(thread)
            | Self::Stopped(thread)
            | Self::Dropped(thread) => thread,
        }
    }
}

/// Shares a value with a clone of itself, as an interpreter or a widget would.
struct Shared {
    count: Rc<RefCell<Vec<u64>>>,
    alias: Rc<RefCell<Vec<u64>>>,
    last: Cell<u64>,
    /// Not `Send` by its own word.
    _marker: PhantomData<*const ()>,
    events: Sender<Event>,
}

impl Shared {
    fn new(events: &Sender<Event>) -> Self {
        let count = Rc::default();
        let _ = events.send(Event::Built(thread::current().id()));
        Self { alias: Rc::clone(&count), count, last: Cell::new(0), _marker: PhantomData, events: events.clone() }
    }

    fn tell(&self, event: fn(ThreadId) -> Event) {
        let _ = self.events.send(event(thread::current().id()));
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.tell(Event::Dropped);
    }
}

#[actor(ctx)]
#[derive(Clone)]
enum SharedMessage {
    Push {
        value: u64,
    },
    /// The sum by the alias, and the last value.
    #[reply((u64, u64))]
    Sum,
    #[reply(())]
    Panic,
    Reset,
    Leave,
    /// Starts another on this thread with what cannot leave it, and gives its client.
    #[reply(SharedClient)]
    StartNeighbour,
}

impl SharedHandler for Shared {
    fn on_start(&mut self, _ctx: &mut Context<SharedMessage>) {
        self.tell(Event::Started);
    }

    fn on_stop(&mut self, _ctx: &mut Context<SharedMessage>) {
        self.tell(Event::Stopped);
    }

    fn push(&mut self, _ctx: &mut Context<SharedMessage>, value: u64) {
        self.count.borrow_mut().push(value);
        self.last.set(value);
        self.tell(Event::Handled);
    }

    fn sum(&mut self, _ctx: &mut Context<SharedMessage>) -> (u64, u64) {
        (self.alias.borrow().iter().sum(), self.last.get())
    }

    fn panic(&mut self, _ctx: &mut Context<SharedMessage>) {
        panic!("asked to");
    }

    fn reset(&mut self, ctx: &mut Context<SharedMessage>) {
        ctx.reset();
    }

    fn leave(&mut self, ctx: &mut Context<SharedMessage>) {
        ctx.stop();
    }

    fn start_neighbour(&mut self, ctx: &mut Context<SharedMessage>) -> SharedClient {
        // The neighbour shares this very state's numbers, which are not `Send`.
        let count = Rc::clone(&self.count);
        let events = self.events.clone();
        ctx.start::<SharedMessage>(move || {
            let mut neighbour = Shared::new(&events);
            neighbour.alias = Rc::clone(&count);
            neighbour.count = count;
            neighbour
        })
        .expect("the thread is live")
    }
}

fn shared(events: &Sender<Event>) -> zctor::Actor<SharedMessage, Shared> {
    let events = events.clone();
    SharedMessage::actor(move || Shared::new(&events))
}

/// Everything told so far and until every sender is gone.
fn all(events: &Receiver<Event>) -> Vec<Event> {
    events.try_iter().collect()
}

#[test]
fn a_state_lives_and_dies_on_its_own_thread() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (events, told) = mpsc::channel();
        let client = engine.pool(1, shared(&events)).unwrap();
        for value in [3, 4, 5] {
            client.push(value).unwrap();
        }
        assert_eq!(client.sum().unwrap(), (12, 5));
        engine.shutdown().unwrap();

        let told = all(&told);
        let home = told[0].thread();
        assert_ne!(home, thread::current().id());
        assert_eq!(
            told,
            [
                Event::Built(home),
                Event::Started(home),
                Event::Handled(home),
                Event::Handled(home),
                Event::Handled(home),
                Event::Stopped(home),
                Event::Dropped(home),
            ]
        );
    });
}

#[test]
fn each_of_a_pool_has_a_state_and_a_thread_of_its_own() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (events, told) = mpsc::channel();
        let client = engine.pool(3, shared(&events)).unwrap();
        assert_eq!(client.broadcast(SharedMessage::Push { value: 2 }).unwrap(), 3);
        client.push(10).unwrap();
        let sums: Vec<_> =
            client.call_all(SharedMessage::sum()).unwrap().into_iter().map(|(_, sum)| sum.unwrap().0).collect();
        assert_eq!(sums, [12, 2, 2]);
        engine.shutdown().unwrap();

        let told = all(&told);
        let mut homes: Vec<ThreadId> = Vec::new();
        for event in &told {
            if let Event::Built(home) = event {
                assert!(!homes.contains(home));
                homes.push(*home);
            }
        }
        assert_eq!(homes.len(), 3);
        for home in homes {
            let here: Vec<_> = told.iter().filter(|event| event.thread() == home).collect();
            assert_eq!(here.first(), Some(&&Event::Built(home)));
            assert_eq!(here.last(), Some(&&Event::Dropped(home)));
            let dropped = here.iter().filter(|event| ***event == Event::Dropped(home));
            assert_eq!(dropped.count(), 1);
        }
        assert!(told.iter().all(|event| event.thread() != thread::current().id()));
    });
}

#[test]
fn instances_of_one_thread_have_states_of_their_own() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (events, told) = mpsc::channel();
        engine.spawn(ActorThread::new().register(shared(&events)).register(shared(&events))).unwrap();
        let client = engine.client::<SharedMessage>().unwrap();
        client.push(1).unwrap();
        client.push(2).unwrap();
        client.push(3).unwrap();
        let instances = client.instances();
        assert_eq!(client.pin(instances[0]).sum().unwrap(), (4, 3));
        assert_eq!(client.pin(instances[1]).sum().unwrap(), (2, 2));
        engine.shutdown().unwrap();
        let told = all(&told);
        assert!(told.iter().all(|event| event.thread() == told[0].thread()));
        let count = |event: fn(ThreadId) -> Event| {
            let event = event(told[0].thread());
            told.iter().filter(|told| **told == event).count()
        };
        assert_eq!((count(Event::Built), count(Event::Dropped)), (2, 2));
    });
}

#[test]
fn a_state_rebuilt_after_a_panic_is_dropped_and_built_on_its_thread() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (events, told) = mpsc::channel();
        let client = engine.pool(1, shared(&events)).unwrap();
        client.push(7).unwrap();
        assert!(matches!(client.panic(), Err(CallError::Panicked { .. })));
        assert_eq!(client.sum().unwrap(), (0, 0));
        engine.shutdown().unwrap();

        let told = all(&told);
        let home = told[0].thread();
        // No `on_stop` after a panic, and the old state goes before the new one comes.
        assert_eq!(
            told,
            [
                Event::Built(home),
                Event::Started(home),
                Event::Handled(home),
                Event::Dropped(home),
                Event::Built(home),
                Event::Started(home),
                Event::Stopped(home),
                Event::Dropped(home),
            ]
        );
    });
}

#[test]
fn a_state_that_resets_or_stops_is_dropped_on_its_thread() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (events, told) = mpsc::channel();
        let client = engine.pool(1, shared(&events)).unwrap();
        client.push(7).unwrap();
        client.reset().unwrap();
        assert_eq!(client.sum().unwrap(), (0, 0));
        client.leave().unwrap();
        engine.settle();

        let told = all(&told);
        let home = told[0].thread();
        assert_eq!(
            told,
            [
                Event::Built(home),
                Event::Started(home),
                Event::Handled(home),
                Event::Stopped(home),
                Event::Dropped(home),
                Event::Built(home),
                Event::Started(home),
                Event::Stopped(home),
                Event::Dropped(home),
            ]
        );
    });
}

#[test]
fn a_neighbour_may_be_given_what_cannot_leave_the_thread() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (events, told) = mpsc::channel();
        let client = engine.pool(1, shared(&events)).unwrap();
        client.push(1).unwrap();
        let neighbour = client.start_neighbour().unwrap();
        neighbour.push(20).unwrap();
        assert_eq!(neighbour.sum().unwrap(), (21, 20));
        assert_eq!(client.sum().unwrap(), (21, 1));
        engine.shutdown().unwrap();
        let told = all(&told);
        assert!(told.iter().all(|event| event.thread() == told[0].thread()));
        let dropped = Event::Dropped(told[0].thread());
        assert_eq!(told.iter().filter(|event| **event == dropped).count(), 2);
    });
}

#[test]
fn a_state_whose_pool_could_not_start_is_dropped_on_its_thread() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (events, told) = mpsc::channel();
        let failing = SharedMessage::try_actor(move |ctx| {
            if ctx.thread_id().index() == 2 {
                return Err("no display".into());
            }
            Ok(Shared::new(&events))
        });
        engine.pool(3, failing).unwrap_err();
        let told = all(&told);
        let built: Vec<_> = told.iter().filter(|event| matches!(event, Event::Built(_))).collect();
        for event in built {
            assert!(told.contains(&Event::Dropped(event.thread())));
        }
        assert!(told.iter().all(|event| event.thread() != thread::current().id()));
    });
}

/// Takes what is `Send` but cannot be built twice or shared.
#[actor]
enum InboxMessage {
    #[reply(Option<u32>)]
    Next,
}

struct Inbox {
    letters: Receiver<u32>,
    /// Makes the state `!Send`, though the factory is not.
    read: Rc<Cell<u32>>,
}

impl InboxHandler for Inbox {
    fn next(&mut self) -> Option<u32> {
        self.read.set(self.read.get() + 1);
        self.letters.try_recv().ok()
    }
}

#[test]
fn a_receiver_can_be_moved_into_a_state_built_once() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (post, letters) = mpsc::channel();
        let inbox = engine.start(InboxMessage::actor_once(move || Inbox { letters, read: Rc::default() })).unwrap();
        assert_eq!(inbox.next().unwrap(), None);
        post.send(5).unwrap();
        assert_eq!(inbox.next().unwrap(), Some(5));

        let (post, letters) = mpsc::channel();
        let thread =
            ActorThread::new().register(InboxMessage::actor_once(move || Inbox { letters, read: Rc::default() }));
        engine.spawn(thread).unwrap();
        post.send(6).unwrap();
        assert_eq!(engine.call(InboxMessage::next()).unwrap(), Some(6));
    });
}

#[test]
fn a_state_dropped_with_its_engine_is_dropped_on_its_thread() {
    bounded(|| {
        let (events, told) = mpsc::channel();
        let engine = ActorEngine::new();
        engine.pool(2, shared(&events)).unwrap();
        drop(engine);
        let told = receive_many(&told, 8);
        let dropped: Vec<_> = told.iter().filter(|event| matches!(event, Event::Dropped(_))).collect();
        assert_eq!(dropped.len(), 2);
        assert_ne!(dropped[0], dropped[1]);
        assert!(dropped.iter().all(|event| event.thread() != thread::current().id()));
    });
}

#[test]
fn a_state_started_alone_is_not_send_either() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (events, told) = mpsc::channel();
        let client = engine.start(shared(&events)).unwrap();
        client.push(9).unwrap();
        assert_eq!(client.sum().unwrap(), (9, 9));
        let home = receive(&told).thread();
        assert_ne!(home, thread::current().id());
        client.stop().unwrap();
        engine.settle();
        assert_eq!(
            all(&told),
            [Event::Started(home), Event::Handled(home), Event::Stopped(home), Event::Dropped(home)]
        );
    });
}
