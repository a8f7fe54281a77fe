//! The types that may leave their thread, and those that may not. A failure is an error of the compiler.

use std::cell::Cell;
use std::fmt::Debug;
use std::hash::Hash;
use std::rc::Rc;

use zctor::{
    Actor, ActorEngine, ActorOnce, ActorThread, Blocking, CallError, Carried, Client, Context, EngineHandle,
    InstanceId, NonBlocking, Pending, Registry, ReplyTo, Report, Request, SendError, ShutdownError, SpawnError, Stats,
    StopError, ThreadId, Timer, actor,
};

/// `Send` and not `Sync`, in its message and in its reply.
#[actor(ctx)]
enum CellMessage {
    #[reply(Cell<u8>)]
    Swap(Cell<u8>),
}

/// Neither `Send` nor `Sync`.
struct Local(#[expect(dead_code, reason = "it only keeps the state on its thread")] Rc<u8>);

impl CellHandler for Local {
    fn swap(&mut self, _: &mut Context<CellMessage>, value: Cell<u8>) -> Cell<u8> {
        value
    }
}

fn is_send<T: Send>() {}
fn is_sync<T: Sync>() {}
fn is_unpin<T: Unpin>() {}
fn is_static<T: 'static>() {}
fn is_debug<T: Debug>() {}
fn is_cloned_and_compared<T: Clone + Eq + Debug>() {}
fn is_plain<T: Copy + Eq + Hash + Debug + Send + Sync>() {}

/// Has one meaning for what is not `Send`, and two, so that it does not compile, for what is.
macro_rules! is_not_send {
    ($($type:ty),+ $(,)?) => {$({
        trait AmbiguousIfSend<A> {
            fn check() {}
        }
        struct Second;
        impl<T: ?Sized> AmbiguousIfSend<()> for T {}
        impl<T: ?Sized + Send> AmbiguousIfSend<Second> for T {}
        <$type as AmbiguousIfSend<_>>::check();
    })+};
}

#[test]
fn what_awaits_room_can_be_a_task_of_its_own() {
    fn is_task<T: Future + Send + 'static>(_: T) {}
    let engine = ActorEngine::new();
    let client = engine.start(CellMessage::actor(|| Local(Rc::new(0)))).expect("it starts").non_blocking();
    is_task(client.send_async(CellMessage::Swap(Cell::new(1))));
    is_task(client.call_async(CellMessage::swap(Cell::new(1))));
}

#[test]
fn clients_and_handles_go_everywhere_whatever_the_message() {
    is_send::<Client<CellMessage>>();
    is_sync::<Client<CellMessage>>();
    is_send::<CellClient>();
    is_sync::<CellClient>();
    is_send::<CellClient<Blocking>>();
    is_sync::<CellClient<NonBlocking>>();
    is_send::<CellClient<NonBlocking>>();
    is_cloned_and_compared::<Client<CellMessage>>();
    is_cloned_and_compared::<CellClient>();
    is_cloned_and_compared::<CellClient<NonBlocking>>();
    is_static::<CellClient>();
    is_send::<Carried>();
    is_sync::<Carried>();
    is_static::<Carried>();
    is_debug::<Carried>();
    is_send::<EngineHandle>();
    is_sync::<EngineHandle>();
    is_static::<EngineHandle>();
    is_debug::<EngineHandle>();
    is_send::<ActorEngine>();
    is_sync::<ActorEngine>();
    is_debug::<ActorEngine>();
}

#[test]
fn requests_and_replies_on_their_way_go_to_other_threads() {
    is_send::<Request<CellMessage, Cell<u8>>>();
    is_send::<Pending<Cell<u8>>>();
    is_unpin::<Pending<Cell<u8>>>();
    is_send::<ReplyTo<Cell<u8>>>();
}

#[test]
fn what_starts_an_actor_goes_to_its_thread_though_its_state_does_not() {
    is_send::<Actor<CellMessage, Local>>();
    is_send::<ActorOnce<CellMessage, Local>>();
    is_send::<ActorThread>();
    let _actor: Actor<CellMessage, Local> = CellMessage::actor(|| Local(Rc::new(1)));
    is_not_send!(Local);
}

#[test]
fn ids_and_snapshots_are_plain_data() {
    is_plain::<ThreadId>();
    is_plain::<InstanceId>();
    is_send::<Registry>();
    is_sync::<Registry>();
    is_send::<Stats>();
    is_sync::<Stats>();
    is_send::<Report>();
    is_sync::<Report>();
    is_send::<CallError>();
    is_sync::<CallError>();
    is_send::<SendError<CellMessage>>();
    is_sync::<SendError<CellMessage>>();
    is_sync::<SpawnError>();
    is_sync::<ShutdownError>();
    is_sync::<StopError>();
}

#[test]
fn the_context_and_the_timers_stay_on_their_thread() {
    is_not_send!(Context<CellMessage>, Timer);
}
