//! The connection to the server: one thread, which runs the client's runtime and carries out commands.
//!
//! Of the client crate, its JetStream is used in `durable/`, for work queues. Else it is used for connecting, publishing
//! and subscribing. Its requests and its drain are not used: requests are not told of a broken connection, and the drain
//! loses messages.

mod orders;
mod said;
mod sending;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Builder, current};
use std::time::{Duration, Instant};

use async_nats::{Client, ClientError, Event, ServerError, StatusCode, Subject, Subscriber};
use futures_util::StreamExt;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use zctor::remote::transport::{__assert_may_block as assert_may_block, Answer, End, Receipt, Route, TakenTogether};

use crate::arrivals::Arrivals;
use crate::authority::Authority;
use crate::connect::connect;
use crate::connection::orders::Orders;
use crate::connection::said::Said;
use crate::error::{BridgeError, Operation, without_password};
use crate::heard::{Hearing, read_refusal};
use crate::owners;
use crate::pack::Next;
use crate::service::Service;
use crate::serving::Desk;
use crate::session::{Session, most_together};
use crate::state::{Held, State};
use crate::subscription::{Subscription, Topic};
use crate::under_way::UnderWay;
use crate::wire::{self, Origin};

/// An order to the thread of a connection.
pub(crate) enum Command {
    Packet(Outbound),
    Publish {
        subject: String,
        payload: Vec<u8>,
    },
    Answer {
        to: Origin,
        answer: Answer,
    },
    /// Answer a program that is no bridge.
    Respond {
        subject: String,
        answer: Answer,
    },
    /// Say that so many packets are in mailboxes, whose numbers follow each other.
    Ack {
        to: Origin,
        packets: usize,
    },
    /// Receive what comes for a pool. Answered once the server has been told.
    Serve {
        name: &'static str,
        routes: Vec<Route>,
        done: mpsc::Sender<Result<(), BridgeError>>,
    },
    /// Find out whether the server lets the bridge publish to this subject.
    Probe {
        subject: String,
        done: mpsc::Sender<Result<(), BridgeError>>,
    },
    /// Find out which of these subjects have listeners.
    FindOwners {
        subjects: Vec<String>,
        done: mpsc::Sender<Result<HashSet<usize>, BridgeError>>,
    },
    /// Receive nothing more. Answered when nothing more comes, or when it is so late.
    Leave {
        until: Instant,
        done: mpsc::Sender<()>,
    },
    /// End, after what came before.
    Close,
}

/// A packet on its way out.
pub(crate) struct Outbound {
    pub(crate) subject: Subject,
    pub(crate) bytes: Vec<u8>,
    pub(crate) inside: bool,
    /// The deadline of a call, and the depth that its callee is counted at.
    pub(crate) call: Option<(Instant, u32)>,
    /// The key that its client is bound to.
    pub(crate) key: Option<Arc<[u8]>>,
    /// Set if nothing went out when it was given to the bridge, and it holds its sender back meanwhile.
    pub(crate) held: Option<Held>,
    /// Whether its sender may have more room than its link: see `credit.rs`.
    pub(crate) lends: bool,
    pub(crate) receipt: Box<dyn Receipt>,
}

#[cfg(test)]
impl Outbound {
    /// A send of whose outcome nobody is told.
    pub(crate) fn untold(subject: &str, bytes: Vec<u8>) -> Self {
        struct Nobody;
        impl Receipt for Nobody {
            fn taken(&mut self) {}
            fn answer(self: Box<Self>, _: Answer) {}
        }
        Self {
            subject: subject.into(),
            bytes,
            inside: false,
            call: None,
            key: None,
            held: None,
            lends: false,
            receipt: Box::new(Nobody),
        }
    }
}

/// No time of a bridge is longer: a century, which can be added to every `Instant` and counted in milliseconds.
pub(crate) const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// How to connect.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) servers: Vec<String>,
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// The deadline of calls that have none.
    pub(crate) deadline: Duration,
    pub(crate) patience: Duration,
    pub(crate) ack_wait: Duration,
    pub(crate) authority: Authority,
}

impl Settings {
    /// The addresses as they are told: without the user and the password that they may hold.
    pub(crate) fn told_servers(&self) -> String {
        let addresses: Vec<String> = self.servers.iter().map(|server| without_password(server)).collect();
        addresses.join(", ")
    }
}

/// How long the server has at least to answer a new connection.
const GREETING: Duration = Duration::from_secs(10);

pub(crate) struct Connection {
    pub(crate) commands: UnboundedSender<Command>,
    pub(crate) session: Session,
    pub(crate) thread: Mutex<Option<thread::JoinHandle<()>>>,
}

impl Connection {
    /// Starts the thread, and waits until it is connected.
    pub(crate) fn open(settings: Settings, end: &Arc<End>) -> Result<Self, BridgeError> {
        let (commands, orders) = unbounded_channel();
        let (tell, told) = mpsc::channel();
        let (end, own) = (Arc::clone(end), commands.clone());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| BridgeError::Thread { source })?;
        let body = move || {
            runtime.block_on(run(settings, end, own, orders, &tell));
            // A drop of the runtime would wait for a look-up of the server's name, which may take long.
            runtime.shutdown_background();
        };
        let thread = Builder::new()
            .name("zctor-nats".to_owned())
            .spawn(body)
            .map_err(|source| BridgeError::Thread { source })?;
        // An error: the thread has ended without a word.
        let session = told.recv().unwrap_or(Err(BridgeError::Closed))?;
        Ok(Self { commands, session, thread: Mutex::new(Some(thread)) })
    }

    /// Asks the server whether the bridge may publish to this subject. Where that cannot be known, messages will tell:
    /// without a connection, and in a hook on the bridge's own thread, which cannot wait for itself.
    #[track_caller]
    pub(crate) fn may_publish(&self, subject: String) -> Result<(), BridgeError> {
        let (done, told) = mpsc::channel();
        if self.is_own_thread() {
            return Ok(());
        }
        assert_may_block();
        if self.commands.send(Command::Probe { subject, done }).is_err() {
            return Ok(());
        }
        match told.recv() {
            Ok(Err(error @ BridgeError::Permission { .. })) => Err(error),
            _ => Ok(()),
        }
    }

    /// Has the thread end, and waits for that.
    pub(crate) fn close(&self) {
        drop(self.commands.send(Command::Close));
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A hook that runs on it may drop the bridge. It cannot wait for itself, and ends after the hook.
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != current().id()) {
            // If it has panicked, the panic hook has reported that.
            drop(thread.join());
        }
    }

    /// An error in a hook on the bridge's own thread, which would wait for itself.
    #[track_caller]
    pub(crate) fn may_wait(&self) -> Result<(), BridgeError> {
        if self.is_own_thread() {
            return Err(BridgeError::OwnThread);
        }
        assert_may_block();
        Ok(())
    }

    /// For a wait that has an end: a hook on the bridge's own thread waits for itself until then. That thread drives a
    /// runtime which is none of the user's.
    #[track_caller]
    pub(crate) fn assert_may_block(&self) {
        if !self.is_own_thread() {
            assert_may_block();
        }
    }

    fn is_own_thread(&self) -> bool {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        thread.as_ref().is_some_and(|thread| thread.thread().id() == current().id())
    }
}

async fn run(
    settings: Settings,
    end: Arc<End>,
    commands: UnboundedSender<Command>,
    orders: UnboundedReceiver<Command>,
    tell: &mpsc::Sender<Result<Session, BridgeError>>,
) {
    let under_way = Arc::new(UnderWay::new(settings.ack_wait));
    let outgoing = match Outgoing::start(&settings, &end, &under_way).await {
        Ok(outgoing) => outgoing,
        Err(error) => return drop(tell.send(Err(error))),
    };
    let arrived = Arc::new(Arrivals::default());
    tokio::spawn({
        let under_way = Arc::clone(&under_way);
        async move { under_way.expire().await }
    });
    tokio::spawn({
        let (arrived, commands, interval) = (Arc::clone(&arrived), commands.clone(), settings.ack_wait / 3);
        let client = outgoing.client.clone();
        async move { arrived.tell(&commands, interval, || most_together(&client)).await }
    });
    tokio::spawn({
        let (arrived, commands) = (Arc::clone(&arrived), commands.clone());
        async move { arrived.acknowledge(&commands).await }
    });
    let (client, state, hearing) = (outgoing.client.clone(), Arc::clone(&outgoing.state), outgoing.hearing.clone());
    drop(tell.send(Ok(Session { client, runtime: Handle::current(), state, hearing })));
    outgoing.carry_out(Orders::new(orders), &end, &arrived, &commands).await;
    under_way.lose_all();
}

/// Notes an event of the client where it changes anything.
fn on_event(event: Event, servers: &str, state: &State, under_way: &UnderWay, hearing: &Hearing) {
    match event {
        Event::Connected => {
            hearing.forget_refusals();
            state.set(true);
        }
        Event::Disconnected | Event::Closed => {
            state.set(false);
            under_way.lose_calls();
        }
        // Of an attempt to connect again: the bridge itself tells of the first.
        Event::ClientError(ClientError::Other(text)) => {
            let (text, is_refusal) = match text.as_str() {
                "authorization violation" => ("authorization violation; is the user of the bridge known there?", true),
                "failed signing nonce" => ("the credentials file cannot be read, or holds none", true),
                other => (other, false),
            };
            if state.failed(text.to_owned(), is_refusal) && !state.is_connected() {
                // It may go on for hours, and nobody may ask. No `eprintln!`: it panics if standard error cannot be written, and
                // would end the task that hears of connections.
                let text =
                    format!("zctor-nats: the bridge is not let in any more at {servers}: {text}. It tries again.");
                let _ = writeln!(io::stderr(), "{text}");
            }
        }
        Event::ServerError(ServerError::Other(text)) => {
            let Some((operation, subject)) = read_refusal(&text) else { return };
            hearing.refused(operation, subject.clone());
            if operation == Operation::Publish {
                let error = BridgeError::Permission { operation, subject: subject.clone() };
                under_way.refuse(&subject, &error.to_string().into());
            }
        }
        _ => {}
    }
}

/// Hears what is said of the packets that this bridge has sent.
async fn listen(mut answers: Subscriber, inbox: String, under_way: Arc<UnderWay>, hearing: Hearing) {
    while let Some(message) = answers.next().await {
        let Some(what) = message.subject.as_str().strip_prefix(&inbox).and_then(|rest| rest.strip_prefix('.')) else {
            continue;
        };
        match what.split_once('.') {
            None if what == "a" => under_way.taken(wire::read_numbers(&message.payload)),
            None if what == "r" => under_way.answer(wire::read_answers(&message.payload)),
            None if what == "h" => under_way.held(wire::read_numbers(&message.payload)),
            Some(("s", number)) => hearing.echoed(number.parse().unwrap_or_default()),
            // The server says that nobody listens to the packet's subject.
            Some(("r", rest)) if message.status == Some(StatusCode::NO_RESPONDERS) => {
                under_way.answer(wire::read_numbers_of(rest).map(|number| (number, Answer::Unreachable)));
            }
            _ => {}
        }
    }
}

struct Outgoing {
    client: Client,
    namespace: String,
    inbox: String,
    hearing: Hearing,
    /// How many echoes this bridge has sent to itself.
    echoes: u64,
    /// The subjects that the client keeps subscribed, at the next connection too.
    subscribed: HashMap<String, Subscription>,
    service: Arc<Service>,
    /// The tasks that answer for the service, by their subjects.
    answering: HashMap<String, JoinHandle<()>>,
    state: Arc<State>,
    under_way: Arc<UnderWay>,
    /// The permits that sends of this batch give back: at its end, since that may wake their senders.
    lent: TakenTogether,
    next: u64,
}

impl Outgoing {
    /// Connects, and finds out that the bridge hears what is said to it.
    async fn start(settings: &Settings, end: &Arc<End>, under_way: &Arc<UnderWay>) -> Result<Self, BridgeError> {
        let (state, hearing) = (Arc::new(State::new(settings.patience)), Hearing::new());
        let tell = {
            let (state, under_way, hearing) = (Arc::clone(&state), Arc::clone(under_way), hearing.clone());
            let servers = settings.told_servers();
            move |event| on_event(event, &servers, &state, &under_way, &hearing)
        };
        let client = connect(settings, tell).await?;
        let inbox = client.new_inbox();
        hearing.hears_by(&inbox);
        let gone = |text: &str| BridgeError::Connect { server: settings.told_servers(), source: text.into() };
        let answers = client.subscribe(format!("{inbox}.>")).await.map_err(|error| gone(&error.to_string()))?;
        tokio::spawn(listen(answers, inbox.clone(), Arc::clone(under_way), hearing.clone()));
        let id = inbox.rsplit('.').next().unwrap_or_default();
        let service = Arc::new(Service::new(&settings.namespace, id, settings.deadline, Arc::clone(end)));
        let (namespace, under_way) = (settings.namespace.clone(), Arc::clone(under_way));
        let (echoes, subscribed, answering, lent, next) = Default::default();
        let mut outgoing = Self {
            client,
            namespace,
            inbox,
            hearing,
            echoes,
            subscribed,
            service,
            answering,
            state,
            under_way,
            lent,
            next,
        };
        match outgoing.echo(settings.patience.max(GREETING)).await {
            Err(BridgeError::Disconnected) => Err(gone("it does not answer")),
            other => other.map(|()| outgoing),
        }
    }

    /// Waits until the server has heard everything before this: the client's own flush waits for the socket alone. What
    /// comes back to this inbox has passed the server, and so has what went before it. If the server has refused some of
    /// that, it has said so before, and the client has told of it: its tasks run on this thread, one after the other.
    async fn echo(&mut self, limit: Duration) -> Result<(), BridgeError> {
        self.echoes += 1;
        let subject = format!("{}.s.{}", self.inbox, self.echoes);
        self.publish(subject.clone(), Vec::new()).await;
        let heard_by = format!("{}.>", self.inbox);
        let echoed = tokio::time::timeout(limit, self.hearing.echo(self.echoes, &subject, &heard_by)).await;
        echoed.unwrap_or(Err(BridgeError::Disconnected))
    }

    async fn carry_out(
        mut self,
        mut orders: Orders,
        end: &Arc<End>,
        arrived: &Arc<Arrivals>,
        commands: &UnboundedSender<Command>,
    ) {
        let mut said = Said::default();
        while let Some(first) = orders.begin().await {
            let mut next = Some(first);
            while let Some(command) = next {
                match command {
                    Command::Packet(packet) => {
                        match orders.gather(packet, |subject| self.under_way.are_calls_answered_soon(subject)) {
                            Next::One(packet) => self.send(packet).await,
                            Next::Pack(pack) => self.send_pack(pack).await,
                        }
                    }
                    Command::Publish { subject, payload } => self.publish(subject, payload).await,
                    Command::Answer { to, answer } => self.answer(&mut said, to, answer).await,
                    Command::Respond { subject, answer } => self.respond(subject, answer).await,
                    Command::Ack { to, packets } => said.acknowledge(to, packets),
                    Command::Serve { name, routes, done } => {
                        drop(done.send(self.serve(name, &routes, end, arrived, commands).await));
                    }
                    Command::Probe { subject, done } => drop(done.send(self.probe(subject).await)),
                    Command::FindOwners { subjects, done } => drop(done.send(self.find_owners(&subjects).await)),
                    Command::Leave { until, done } => self.leave(until, done),
                    Command::Close => {
                        arrived.unanswered().into_iter().for_each(|to| said.acknowledge(to, 1));
                        self.say(&mut said).await;
                        // The client's own flush waits for the socket alone.
                        let patience = self.state.patience;
                        drop(tokio::time::timeout(patience, self.echo(patience)).await);
                        return;
                    }
                }
                next = orders.next();
            }
            self.lent = TakenTogether::default();
            self.say(&mut said).await;
        }
    }

    async fn serve(
        &mut self,
        name: &'static str,
        routes: &[Route],
        end: &Arc<End>,
        arrived: &Arc<Arrivals>,
        commands: &UnboundedSender<Command>,
    ) -> Result<(), BridgeError> {
        for route in routes {
            let (subject, route) = (wire::subject(&self.namespace, name, *route), *route);
            // The server has not kept a subscription that it has refused.
            if self.hearing.forget(Operation::Subscribe, &subject) {
                self.subscribed.remove(&subject);
            }
            // An attempt before has subscribed to it, and was given up before the server had been heard.
            if self.is_subscribed(&subject) {
                continue;
            }
            let topic = Topic {
                client: self.client.clone(),
                subject: subject.clone(),
                group: (route != Route::Copy).then_some(wire::GROUP),
                hearing: self.hearing.clone(),
                state: Arc::clone(&self.state),
            };
            let endpoint = self.service.endpoint(name);
            let (end, arrived, commands) = (Arc::clone(end), Arc::clone(arrived), commands.clone());
            let desk = Arc::new(Desk { route, endpoint, end, arrived, commands });
            let take_in = move |message| desk.take_in(message);
            // While it is not connected the client takes a limited number of commands, and the drop of the bridge waits
            // for this.
            let subscription = self.state.patiently(None, Subscription::start(topic, take_in)).await;
            let subscription = subscription.and_then(Result::ok).ok_or(BridgeError::Disconnected)?;
            self.subscribed.insert(subject, subscription);
        }
        self.be_a_service(commands).await?;
        self.echo(self.state.patience).await?;
        for route in routes {
            self.hearing.permits(Operation::Subscribe, &wire::subject(&self.namespace, name, *route))?;
        }
        Ok(())
    }

    /// Whether messages to this subject are taken in. A task that has panicked takes in nothing more.
    fn is_subscribed(&self, subject: &str) -> bool {
        self.subscribed.get(subject).is_some_and(|subscription| !subscription.has_ended())
    }

    /// Answers the tools for services from now on. Where the server does not permit that, they do not see this bridge.
    async fn be_a_service(&mut self, commands: &UnboundedSender<Command>) -> Result<(), BridgeError> {
        for subject in self.service.subjects() {
            if self.answering.get(&subject).is_none_or(JoinHandle::is_finished) {
                let requests = self.state.patiently(None, self.client.subscribe(subject.clone())).await;
                let requests = requests.and_then(Result::ok).ok_or(BridgeError::Disconnected)?;
                let answering = tokio::spawn(Arc::clone(&self.service).answer(requests, commands.clone()));
                self.answering.insert(subject, answering);
            }
        }
        Ok(())
    }

    /// Publishes nothing to the subject, and hears whether the server says a word against it.
    async fn probe(&mut self, subject: String) -> Result<(), BridgeError> {
        // The server may have refused this before, and permit it now.
        self.hearing.forget(Operation::Publish, &subject);
        // A message without a reply subject is no bridge's, and a process that serves the pool drops an empty one.
        self.publish(subject.clone(), Vec::new()).await;
        self.echo(self.state.patience).await?;
        self.hearing.permits(Operation::Publish, &subject)
    }

    async fn find_owners(&self, subjects: &[String]) -> Result<HashSet<usize>, BridgeError> {
        // This bridge may have subscribed to some itself, when it was told to serve them before.
        let own = |index: &usize| subjects.get(*index).is_some_and(|subject| self.is_subscribed(subject));
        for subject in subjects {
            self.hearing.forget(Operation::Publish, subject);
        }
        let find = owners::find(&self.client, subjects);
        let owned = tokio::time::timeout(self.state.patience, find).await.ok().flatten();
        let owned = owned.ok_or(BridgeError::Disconnected)?;
        // Of a subject that it may not ask the bridge hears nothing, as if it had an owner.
        subjects.iter().try_for_each(|subject| self.hearing.permits(Operation::Publish, subject))?;
        Ok(owned.into_iter().filter(|index| !own(index)).collect())
    }

    fn leave(&mut self, until: Instant, done: mpsc::Sender<()>) {
        self.service.leave();
        self.answering.drain().for_each(|(_, answering)| answering.abort());
        let leaving: Vec<_> = self.subscribed.drain().map(|(_, subscription)| subscription.leave(until)).collect();
        tokio::spawn(async move {
            for task in leaving {
                // If it has panicked, the panic hook has reported that.
                drop(task.await);
            }
            let _ = done.send(());
        });
    }
}
