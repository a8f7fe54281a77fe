//! A new instance: it gets a slot and a cell, its factory builds its state, and its `on_start` is queued.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::actor::attachments::{AnyBlueprint, Attachments};
use crate::actor::cell::InstanceCell;
use crate::actor::dispatch::Dispatch;
use crate::actor::double;
use crate::actor::factory::{Blueprint, StateFactory};
use crate::actor::link;
use crate::actor::state::TypedCell;
use crate::client::message::Message;
use crate::error::SpawnError;
use crate::id::{Birth, Slot};
use crate::mailbox::account::Block;
use crate::route::contents::{AnyHook, OnUndelivered, WeakHook};
use crate::route::endpoint::{Delivery, Endpoint};
use crate::route::location::{Location, Status};
use crate::thread::local::{Instance, Local, Reserved};
use crate::thread::phase::{Common, Phase, Requested};
use crate::thread::take_in::queue_start;

/// The options of an actor for its instances, beside how they are built.
pub(crate) struct Options<M: Message> {
    /// Its hook for messages that are not delivered.
    pub(crate) undelivered: Option<UndeliveredHook<M>>,
    /// For how long its handlers may run.
    pub(crate) slow: Option<Duration>,
}

impl<M: Message> Default for Options<M> {
    fn default() -> Self {
        Self { undelivered: None, slow: None }
    }
}

impl<M: Message> Clone for Options<M> {
    fn clone(&self) -> Self {
        Self { undelivered: self.undelivered.clone(), slow: self.slow }
    }
}

/// A hook for undelivered messages, with the table by which mail gets to an instance that has one.
pub(crate) struct UndeliveredHook<M: Message> {
    hook: AnyHook,
    delivery: &'static Delivery<M>,
}

impl<M: Message<Port: Send> + Send> UndeliveredHook<M> {
    pub(crate) fn new(hook: OnUndelivered<M>) -> Self {
        Self { hook: Arc::new(Box::new(hook)), delivery: &Delivery::HOOKED }
    }
}

impl<M: Message> Clone for UndeliveredHook<M> {
    fn clone(&self) -> Self {
        Self { hook: Arc::clone(&self.hook), delivery: self.delivery }
    }
}

/// Builds a state on the current thread and gives it a slot; its `on_start` is queued.
pub(crate) fn install<M, S>(
    local: &Rc<Local>,
    pooled: bool,
    factory: StateFactory<'_, M, S>,
    options: Options<M>,
) -> Result<Arc<Endpoint<M>>, SpawnError>
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    install_cell(local, pooled, factory, options).map(|cell| Arc::clone(&cell.endpoint))
}

/// As `install`; gives the instance itself.
pub(crate) fn install_cell<M, S>(
    local: &Rc<Local>,
    pooled: bool,
    factory: StateFactory<'_, M, S>,
    options: Options<M>,
) -> Result<Rc<TypedCell<M, S>>, SpawnError>
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    #[cfg(target_pointer_width = "64")]
    const {
        let beyond = size_of::<TypedCell<M, S>>() - size_of::<RefCell<Option<S>>>();
        assert!(size_of::<Endpoint<M>>() <= 40 && beyond <= 32, "there is one of each for each instance");
    }
    let Reserved { slot, born, ended } = local.reserve();
    let delivery = match (link::delivery::<M, S>(), &options.undelivered) {
        (Some(link), _) => link,
        (None, Some(undelivered)) => undelivered.delivery,
        (None, None) => &Delivery::PLAIN,
    };
    let hook = options.undelivered.as_ref().map(|undelivered| Arc::downgrade(&undelivered.hook));
    let instance = cell_for(local, ended, Newcomer { slot, born, pooled, delivery, hook });
    if let Some(limit) = options.slow {
        local.mailbox.roster.set_slow_limit(slot, limit);
    }
    if let Some(undelivered) = options.undelivered {
        instance.attachments.keep_hook(undelivered.hook);
    }
    // It is in its slot before its state is built, so that messages which its factory sends to it find it there.
    local.occupy(slot, born, M::CALL_DEPTH, M::name(), Rc::clone(&instance) as Rc<dyn Instance>);
    let built = match factory {
        StateFactory::Again(Blueprint { factory, restart }) => {
            let again = Arc::clone(&factory);
            instance.attachments.keep_blueprint(AnyBlueprint { factory, restart });
            instance.build_by(local, &mut |ctx| again(ctx))
        }
        StateFactory::Once(factory) => instance.build_by(local, &mut |_| Ok(factory())),
    };
    if let Err(failure) = built {
        // It never became an instance, so no report counts it.
        instance.discard(local);
        return Err(failure.into_spawn_error(M::name()));
    }
    queue_start(local, slot, M::CALL_DEPTH, instance.account());
    Ok(instance)
}

/// The parts of a new instance that differ among instances of one type.
struct Newcomer<M: Message> {
    slot: Slot,
    born: Birth,
    pooled: bool,
    delivery: &'static Delivery<M>,
    hook: Option<WeakHook>,
}

/// The cell of a new instance: in the memory of one that has ended on this thread, if that is of the same types and
/// nothing holds it any more, as a timer's handle may.
#[inline]
fn cell_for<M, S>(local: &Local, ended: Option<Rc<dyn Instance>>, newcomer: Newcomer<M>) -> Rc<TypedCell<M, S>>
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    if let Some(mut ended) = ended.and_then(|ended| ended.into_any().downcast::<TypedCell<M, S>>().ok()) {
        if let Some(cell) = Rc::get_mut(&mut ended) {
            cell.begin_anew(local, newcomer);
            return ended;
        }
    }
    let Newcomer { slot, born, pooled, delivery, hook } = newcomer;
    let mailbox = Arc::clone(&local.mailbox);
    let common = Common {
        phase: Cell::new(Phase::New),
        requested: Cell::default(),
        busy: Cell::new(false),
        answers_itself: !double::is_double::<M, S>() && !link::is::<M, S>(),
    };
    let endpoint = Arc::new(Endpoint {
        location: Location { mailbox, slot, status: Status::live(), pooled, born },
        delivery,
        undelivered: hook,
    });
    let (block, attachments) = (local.block(slot), Attachments::default());
    Rc::new(InstanceCell { common, endpoint, block, attachments, state: RefCell::new(None) })
}

impl<M, S> TypedCell<M, S>
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    /// Becomes the cell of another instance, since this one has ended: it has no state and no factory any more.
    fn begin_anew(&mut self, local: &Local, Newcomer { slot, born, pooled, delivery, hook }: Newcomer<M>) {
        debug_assert!(self.common.phase.get() == Phase::Ended && self.state.get_mut().is_none());
        if Block::number(self.slot()) != Block::number(slot) {
            self.block = local.block(slot);
        }
        match Arc::get_mut(&mut self.endpoint) {
            Some(endpoint) => {
                endpoint.location.begin_anew(slot, born, pooled);
                (endpoint.delivery, endpoint.undelivered) = (delivery, hook);
            }
            // Clients of the ended instance still hold its endpoint.
            None => {
                let mailbox = Arc::clone(&self.endpoint.mailbox);
                let location = Location { mailbox, slot, status: Status::live(), pooled, born };
                self.endpoint = Arc::new(Endpoint { location, delivery, undelivered: hook });
            }
        }
        self.common.phase.set(Phase::New);
        self.common.requested.set(Requested::None);
        // The end has dropped the timers and pipes, but closures may have made others since; the next instance must
        // inherit none.
        if !self.attachments.is_empty() {
            self.attachments.forget_extras();
        }
    }
}
