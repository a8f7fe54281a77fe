//! Twenty message types in one chain: each declares that it calls all below it.

use std::sync::Arc;
use std::time::Duration;

use zctor::{
    ActorThread, CallError, CallableFrom, Client, Context, Deferred, Dispatch, EngineHandle, InstanceId, Pending,
    Request, actor,
};

use crate::topology::acts::{Agent, State};
use crate::topology::ledger::Ticket;

/// What the twenty types have in common.
pub(crate) trait Member: Dispatch<State, Port: Send> + Clone + Send {
    /// Its place in the chain, which is its call depth.
    const KIND: usize;
    fn working(ticket: Ticket) -> Self;
    fn asking(ticket: Ticket) -> Request<Self, u64>;
    fn deferring(ticket: Ticket) -> Request<Self, u64, Deferred>;
    fn into_ticket(self) -> Ticket;
    fn keyed(client: &Client<Self>, key: u64) -> Client<Self>;
    /// Calls one of the declared types through the context.
    fn call_lower(ctx: &Context<Self>, to: usize, way: Way, ticket: Ticket) -> Result<u64, CallError>;
    /// Sends to one of the declared types through the context.
    fn send_lower(ctx: &Context<Self>, to: usize, local: bool, ticket: Ticket) -> Result<(), Ticket>;
}

/// By which means of the context a handler calls.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Call,
    Local,
    WithoutDeadline,
    Client(Option<Duration>),
}

fn call_by<C: Member, T: Member + CallableFrom<C>>(
    ctx: &Context<C>,
    way: Way,
    ticket: Ticket,
) -> Result<u64, CallError> {
    let request = T::asking(ticket);
    match way {
        Way::Call => ctx.call(request),
        Way::Local => ctx.call_local(request),
        Way::WithoutDeadline => ctx.without_deadline().call(request),
        Way::Client(limit) => limited(&*ctx.client::<T>()?, limit).call(request),
    }
}

fn send_by<C: Member, T: Member>(ctx: &Context<C>, local: bool, ticket: Ticket) -> Result<(), Ticket> {
    let message = T::working(ticket);
    let sent = if local { ctx.send_local(message) } else { ctx.send(message) };
    sent.map_err(|error| error.into_inner().into_ticket())
}

fn limited<M: Member>(client: &Client<M>, limit: Option<Duration>) -> Client<M> {
    limit.map_or_else(|| client.clone(), |limit| client.within(limit))
}

macro_rules! members {
    ([$($lower:ident $depth:literal)*] $this:ident $name:literal $kind:literal $($rest:tt)*) => {
        pub(crate) mod $this {
            use super::*;

            #[actor(name = $name, ctx, calls($(super::$lower::Message),*))]
            #[derive(Clone)]
            pub(crate) enum Message {
                Work(Ticket),
                #[reply(u64)]
                Ask(Ticket),
                #[reply(u64, deferred)]
                Defer(Ticket),
            }

            impl Member for Message {
                const KIND: usize = $kind;
                fn working(ticket: Ticket) -> Self {
                    Self::Work(ticket)
                }
                fn asking(ticket: Ticket) -> Request<Self, u64> {
                    Self::ask(ticket)
                }
                fn deferring(ticket: Ticket) -> Request<Self, u64, Deferred> {
                    Self::defer(ticket)
                }
                fn into_ticket(self) -> Ticket {
                    let (Self::Work(ticket) | Self::Ask(ticket) | Self::Defer(ticket)) = self;
                    ticket
                }
                fn keyed(client: &Client<Self>, key: u64) -> Client<Self> {
                    Client::clone(&client.keyed(&key))
                }
                #[allow(unused_variables, reason = "the lowest calls nobody")]
                fn call_lower(ctx: &Context<Self>, to: usize, way: Way, ticket: Ticket) -> Result<u64, CallError> {
                    match to {
                        $($depth => call_by::<Self, super::$lower::Message>(ctx, way, ticket),)*
                        _ => unreachable!("it is not below"),
                    }
                }
                #[allow(unused_variables, reason = "the lowest has none below")]
                fn send_lower(ctx: &Context<Self>, to: usize, local: bool, ticket: Ticket) -> Result<(), Ticket> {
                    match to {
                        $($depth => send_by::<Self, super::$lower::Message>(ctx, local, ticket),)*
                        _ => unreachable!("it is not below"),
                    }
                }
            }

            impl MessageHandler for State {
                fn work(&mut self, ctx: &mut Context<Message>, ticket: Ticket) {
                    self.handle_work(ctx, ticket);
                }
                fn ask(&mut self, ctx: &mut Context<Message>, ticket: Ticket) -> u64 {
                    self.handle_work(ctx, ticket)
                }
                fn defer(&mut self, ctx: &mut Context<Message>, ticket: Ticket, reply: zctor::ReplyTo<u64>) {
                    self.handle_deferred(ctx, ticket, reply);
                }
                fn on_start(&mut self, ctx: &mut Context<Message>) {
                    self.start(ctx);
                }
                fn on_stop(&mut self, ctx: &mut Context<Message>) {
                    self.stop(ctx);
                }
            }
        }
        members! { [$($lower $depth)* $this $kind] $($rest)* }
    };
    ([$($this:ident $kind:literal)*]) => {
        /// Registers the instance that `agent` describes.
        pub(crate) fn register(thread: ActorThread, agent: &Arc<Agent>) -> ActorThread {
            match agent.kind {
                $($kind => {
                    let agent = Arc::clone(agent);
                    if agent.once {
                        thread.register($this::Message::actor_once(move || State::new(&agent)))
                    } else {
                        let restart = agent.restart;
                        thread.register($this::Message::try_actor(move |_| State::try_new(&agent)).restart(restart))
                    }
                })*
                _ => unreachable!("there are twenty types"),
            }
        }

        /// A client of that kind, whatever its type.
        pub(crate) fn target(handle: &EngineHandle, kind: usize) -> Option<Box<dyn Target>> {
            match kind {
                $($kind => Some(Box::new(Of::<$this::Message>::new(handle)?)),)*
                _ => unreachable!("there are twenty types"),
            }
        }
    };
}

pub(crate) const KINDS: usize = 20;

members! {
    []
    m00 "M00" 0 m01 "M01" 1 m02 "M02" 2 m03 "M03" 3 m04 "M04" 4 m05 "M05" 5 m06 "M06" 6 m07 "M07" 7 m08 "M08" 8
    m09 "M09" 9 m10 "M10" 10 m11 "M11" 11 m12 "M12" 12 m13 "M13" 13 m14 "M14" 14 m15 "M15" 15 m16 "M16" 16
    m17 "M17" 17 m18 "M18" 18 m19 "M19" 19
}

/// How a client chooses the instance.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Route {
    Turn,
    /// The turn of the engine's handle, which is the same.
    Handle,
    Pin(usize),
    Key(u64),
    LeastLoaded,
}

impl Route {
    pub(crate) fn is_by_turn(self) -> bool {
        matches!(self, Self::Turn | Self::Handle)
    }
}

/// A client, whatever its type.
pub(crate) trait Target: Send + Sync {
    fn send(&self, route: Route, ticket: Ticket) -> Result<(), Ticket>;
    fn send_all(&self, route: Route, tickets: Vec<Ticket>) -> Result<usize, Vec<Ticket>>;
    fn broadcast(&self, ticket: Ticket) -> Result<usize, Ticket>;
    fn instances(&self) -> Vec<InstanceId>;
    fn call_at(&self, instance: InstanceId, ticket: Ticket) -> Result<u64, CallError>;
    fn call(&self, route: Route, limit: Option<Duration>, ticket: Ticket) -> Result<u64, CallError>;
    fn call_all(
        &self,
        limit: Option<Duration>,
        make: &mut dyn FnMut() -> Ticket,
    ) -> Result<Vec<Result<u64, CallError>>, CallError>;
    fn request(&self, route: Route, limit: Option<Duration>, ticket: Ticket) -> Pending<u64>;
    fn request_deferred(&self, route: Route, limit: Option<Duration>, ticket: Ticket) -> Pending<u64>;
}

/// The client of one type.
pub(crate) struct Of<M: Member> {
    pub(crate) client: Client<M>,
    handle: EngineHandle,
}

impl<M: Member> Of<M> {
    fn new(handle: &EngineHandle) -> Option<Self> {
        Some(Self { client: Client::clone(&*handle.client::<M>().ok()?), handle: handle.clone() })
    }

    /// Of one instance.
    pub(crate) fn one(client: &Client<M>, handle: EngineHandle) -> Self {
        Self { client: client.clone(), handle }
    }

    fn routed(&self, route: Route) -> Client<M> {
        match route {
            Route::Turn | Route::Handle => self.client.clone(),
            Route::Key(key) => M::keyed(&self.client, key),
            Route::LeastLoaded => Client::clone(&self.client.least_loaded()),
            Route::Pin(place) => match &*self.client.instances() {
                [] => self.client.clone(),
                instances => Client::clone(&self.client.pin(instances[place % instances.len()])),
            },
        }
    }
}

impl<M: Member> Target for Of<M> {
    fn send(&self, route: Route, ticket: Ticket) -> Result<(), Ticket> {
        let message = M::working(ticket);
        let sent = match route {
            Route::Handle => self.handle.send(message),
            _ => self.routed(route).send(message),
        };
        sent.map_err(|error| error.into_inner().into_ticket())
    }

    fn send_all(&self, route: Route, tickets: Vec<Ticket>) -> Result<usize, Vec<Ticket>> {
        let sent = self.routed(route).send_all(tickets.into_iter().map(M::working));
        sent.map_err(|error| error.into_inner().into_iter().map(M::into_ticket).collect())
    }

    fn broadcast(&self, ticket: Ticket) -> Result<usize, Ticket> {
        self.client.broadcast(M::working(ticket)).map_err(|error| error.into_inner().into_ticket())
    }

    fn instances(&self) -> Vec<InstanceId> {
        self.client.instances()
    }

    fn call_at(&self, instance: InstanceId, ticket: Ticket) -> Result<u64, CallError> {
        self.client.pin(instance).call(M::asking(ticket))
    }

    fn call(&self, route: Route, limit: Option<Duration>, ticket: Ticket) -> Result<u64, CallError> {
        match (route, limit) {
            (Route::Handle, None) => self.handle.call(M::asking(ticket)),
            _ => limited(&self.routed(route), limit).call(M::asking(ticket)),
        }
    }

    fn call_all(
        &self,
        limit: Option<Duration>,
        make: &mut dyn FnMut() -> Ticket,
    ) -> Result<Vec<Result<u64, CallError>>, CallError> {
        let replies = limited(&self.client, limit).call_all_with(|_| M::asking(make()))?;
        Ok(replies.into_iter().map(|(_, reply)| reply).collect())
    }

    fn request(&self, route: Route, limit: Option<Duration>, ticket: Ticket) -> Pending<u64> {
        limited(&self.routed(route), limit).request(M::asking(ticket))
    }

    fn request_deferred(&self, route: Route, limit: Option<Duration>, ticket: Ticket) -> Pending<u64> {
        limited(&self.routed(route), limit).request(M::deferring(ticket))
    }
}
