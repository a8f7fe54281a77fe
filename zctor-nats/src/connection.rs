//! The connection to the server: one thread, which runs the client's runtime and carries out commands.
//!
//! The client crate is named here and in `serving.rs` alone. It is used for connecting, publishing and subscribing. What
//! it offers beyond that is left alone: its requests are not told of a broken connection, and its drain loses messages.

use std::collections::{HashMap, HashSet};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle, current};
use std::time::{Duration, Instant};

use async_nats::{Client, ConnectOptions, Event, HeaderMap, ServerAddr, StatusCode, Subscriber};
use futures_util::StreamExt;
use tokio::runtime::Handle;
use tokio::sync::futures::Notified;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, watch};
use zctor::now;
use zctor::remote::transport::{Answer, End, Receipt, Route};

use crate::error::{BridgeError, without_password};
use crate::owners;
use crate::serving::{Held, take_in};
use crate::subscription::{Subscription, Topic};
use crate::under_way::UnderWay;
use crate::wire;

/// What the thread of a connection is to do.
pub(crate) enum Command {
    Packet(Outbound),
    Publish {
        subject: String,
        payload: Vec<u8>,
    },
    Answer {
        subject: String,
        answer: Answer,
    },
    Ack {
        inbox: String,
        number: u64,
    },
    /// Receive what comes for a pool. Answered once the server has been told.
    Serve {
        namespace: String,
        name: &'static str,
        routes: Vec<Route>,
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
    pub(crate) subject: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) inside: bool,
    /// The deadline of a call, and the depth that its callee is counted at.
    pub(crate) call: Option<(Instant, u32)>,
    pub(crate) receipt: Box<dyn Receipt>,
}

/// No time of a bridge is longer: a century, which can be added to every `Instant` and counted in milliseconds.
pub(crate) const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// How to connect.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) server: String,
    pub(crate) name: String,
    pub(crate) patience: Duration,
    pub(crate) ack_wait: Duration,
}

pub(crate) struct Connection {
    pub(crate) commands: UnboundedSender<Command>,
    pub(crate) session: Session,
    pub(crate) thread: Mutex<Option<JoinHandle<()>>>,
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
        let body = move || runtime.block_on(run(settings, end, own, orders, &tell));
        let thread = Builder::new()
            .name("zctor-nats".to_owned())
            .spawn(body)
            .map_err(|source| BridgeError::Thread { source })?;
        // An error: the thread has ended without a word.
        let session = told.recv().unwrap_or(Err(BridgeError::Closed))?;
        Ok(Self { commands, session, thread: Mutex::new(Some(thread)) })
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
}

/// The client, for what goes beyond commands: work of its own on the thread of the connection.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) runtime: Handle,
    pub(crate) state: Arc<State>,
}

impl Session {
    /// Has the thread of the connection do this, and waits for it. `None` if the bridge is closed.
    pub(crate) fn wait_for<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (tell, told) = mpsc::channel();
        self.runtime.spawn(async move { drop(tell.send(work.await)) });
        told.recv().ok()
    }

    /// How long a request waits for its answer.
    pub(crate) fn patience(&self) -> Duration {
        self.state.patience
    }
}

/// Whether the client is connected just now.
pub(crate) struct State {
    /// Since when it is not.
    lost: Mutex<Option<Instant>>,
    /// How many connections were lost.
    losses: watch::Sender<u64>,
    changed: Notify,
    /// How long what is to be published waits for a connection, from its loss on.
    patience: Duration,
}

async fn run(
    settings: Settings,
    end: Arc<End>,
    commands: UnboundedSender<Command>,
    orders: UnboundedReceiver<Command>,
    tell: &mpsc::Sender<Result<Session, BridgeError>>,
) {
    let under_way = Arc::new(UnderWay::new(settings.ack_wait));
    let state = Arc::new(State {
        lost: Mutex::default(),
        losses: watch::Sender::new(0),
        changed: Notify::new(),
        patience: settings.patience,
    });
    let (client, inbox, answers) = match connect(&settings, &state, &under_way).await {
        Ok(connected) => connected,
        Err(source) => {
            let server = without_password(&settings.server);
            drop(tell.send(Err(BridgeError::Connect { server, source })));
            return;
        }
    };
    let held = Arc::new(Held::default());
    let (echoed, echo) = watch::channel(0);
    tokio::spawn(listen(answers, inbox.clone(), Arc::clone(&under_way), echoed));
    tokio::spawn({
        let under_way = Arc::clone(&under_way);
        async move { under_way.expire().await }
    });
    tokio::spawn({
        let (held, commands, interval) = (Arc::clone(&held), commands.clone(), settings.ack_wait / 3);
        async move { held.tell(&commands, interval).await }
    });
    drop(tell.send(Ok(Session { client: client.clone(), runtime: Handle::current(), state: Arc::clone(&state) })));
    let outgoing = Outgoing {
        client,
        inbox,
        echo,
        echoes: 0,
        subscribed: HashMap::new(),
        state,
        under_way: Arc::clone(&under_way),
        next: 0,
    };
    outgoing.carry_out(orders, &end, &held, &commands).await;
    under_way.lose_all();
}

type Connected = (Client, String, Subscriber);

async fn connect(
    settings: &Settings,
    state: &Arc<State>,
    under_way: &Arc<UnderWay>,
) -> Result<Connected, Box<dyn std::error::Error + Send + Sync>> {
    let (state, under_way) = (Arc::clone(state), Arc::clone(under_way));
    let on_event = move |event| {
        let (state, under_way) = (Arc::clone(&state), Arc::clone(&under_way));
        async move {
            match event {
                Event::Connected => state.set(true),
                Event::Disconnected | Event::Closed => {
                    state.set(false);
                    under_way.lose_calls();
                }
                _ => {}
            }
        }
    };
    let server: ServerAddr = settings.server.parse()?;
    let mut options = ConnectOptions::new().name(&settings.name).event_callback(on_event);
    // The client does not read them from the address.
    if let (Some(user), password) = (server.username(), server.password()) {
        options = options.user_and_password(user.to_owned(), password.unwrap_or_default().to_owned());
    }
    let client = options.connect(server).await?;
    let inbox = client.new_inbox();
    let answers = client.subscribe(format!("{inbox}.>")).await?;
    client.flush().await?;
    Ok((client, inbox, answers))
}

impl State {
    fn set(&self, connected: bool) {
        let mut lost = self.lost();
        *lost = if connected { None } else { lost.or_else(|| Some(now())) };
        drop(lost);
        if !connected {
            self.losses.send_modify(|losses| *losses += 1);
        }
        self.changed.notify_waiters();
    }

    fn lost(&self) -> MutexGuard<'_, Option<Instant>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Is over when the connection is lost, or made again, after this call.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Waits until the client is connected, however long that takes.
    pub(crate) async fn connected(&self) {
        loop {
            // Before the look, so that a change after it is not missed.
            let changed = self.changed.notified();
            if self.lost().is_none() {
                return;
            }
            changed.await;
        }
    }

    /// Waits until the client is connected, or has not been for too long; gives whether it is.
    async fn await_connected(&self) -> bool {
        loop {
            // Before the look, so that a change after it is not missed.
            let changed = self.changed.notified();
            let lost = *self.lost();
            let Some(lost) = lost else { return true };
            let left = (lost + self.patience).saturating_duration_since(now());
            if left.is_zero() || tokio::time::timeout(left, changed).await.is_err() {
                return self.lost().is_none();
            }
        }
    }

    /// Does what the client may wait with while it is not connected. `None` if it waits for too long.
    async fn patiently<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout(self.patience, work).await.ok()
    }
}

/// Hears what is said of the packets that this bridge has sent.
async fn listen(mut answers: Subscriber, inbox: String, under_way: Arc<UnderWay>, echoed: watch::Sender<u64>) {
    while let Some(message) = answers.next().await {
        let Some(what) = message.subject.as_str().strip_prefix(&inbox).and_then(|rest| rest.strip_prefix('.')) else {
            continue;
        };
        match what.split_once('.') {
            None if what == "a" => under_way.taken(wire::read_numbers(&message.payload)),
            None if what == "h" => under_way.held(wire::read_numbers(&message.payload)),
            Some(("s", number)) => {
                // The echo of an attempt that was given up may come after that of the next one: the greatest stays.
                let number: u64 = number.parse().unwrap_or_default();
                echoed.send_modify(|last| *last = number.max(*last));
            }
            Some(("r", number)) => {
                let Ok(number) = number.parse() else { continue };
                // The server says that nobody listens to the packet's subject.
                let nobody = message.status == Some(StatusCode::NO_RESPONDERS);
                under_way
                    .answer(number, if nobody { Answer::Unreachable } else { wire::read_answer(&message.payload) });
            }
            _ => {}
        }
    }
}

struct Outgoing {
    client: Client,
    inbox: String,
    /// The number of the last echo that has come back.
    echo: watch::Receiver<u64>,
    /// How many echoes this bridge has sent to itself.
    echoes: u64,
    /// The subjects that the client keeps subscribed, at the next connection too.
    subscribed: HashMap<String, Subscription>,
    state: Arc<State>,
    under_way: Arc<UnderWay>,
    next: u64,
}

/// What is wrong with a payload of this size, if anything is. The headers count too.
pub(crate) fn too_large(client: &Client, bytes: usize) -> Option<String> {
    const HEADERS: usize = 256;
    let most = client.max_payload().saturating_sub(HEADERS);
    (bytes > most).then(|| format!("it has {bytes} bytes, and the NATS server takes {most}"))
}

/// How many acknowledgements are gathered before they are published, if there is no end of commands.
const BATCH: usize = 256;

impl Outgoing {
    async fn carry_out(
        mut self,
        mut orders: UnboundedReceiver<Command>,
        end: &Arc<End>,
        held: &Arc<Held>,
        commands: &UnboundedSender<Command>,
    ) {
        let mut acks: HashMap<String, Vec<u64>> = HashMap::new();
        while let Some(first) = orders.recv().await {
            let mut next = Some(first);
            let mut gathered = 0;
            while let Some(command) = next {
                match command {
                    Command::Packet(packet) => self.send(packet).await,
                    Command::Publish { subject, payload } => self.publish(subject, payload).await,
                    Command::Answer { subject, answer } => self.answer(subject, &answer).await,
                    Command::Ack { inbox, number } => acks.entry(inbox).or_default().push(number),
                    Command::Serve { namespace, name, routes, done } => {
                        let subjects = routes.into_iter().map(|route| (wire::subject(&namespace, name, route), route));
                        drop(done.send(self.serve(name, subjects, end, held, commands).await));
                    }
                    Command::FindOwners { subjects, done } => drop(done.send(self.find_owners(&subjects).await)),
                    Command::Leave { until, done } => self.leave(until, done),
                    Command::Close => {
                        self.acknowledge(&mut acks).await;
                        self.state.patiently(self.client.flush()).await;
                        return;
                    }
                }
                gathered += 1;
                next = if gathered < BATCH { orders.try_recv().ok() } else { None };
            }
            self.acknowledge(&mut acks).await;
        }
    }

    async fn acknowledge(&self, acks: &mut HashMap<String, Vec<u64>>) {
        for (inbox, numbers) in acks.drain() {
            self.publish(format!("{inbox}.a"), wire::numbers(&numbers)).await;
        }
    }

    async fn send(&mut self, packet: Outbound) {
        let Outbound { subject, bytes, inside, call, receipt } = packet;
        if !self.state.await_connected().await {
            return receipt.answer(Answer::Unreachable);
        }
        if let Some(text) = too_large(&self.client, bytes.len()) {
            return receipt.answer(Answer::Unfit(text.into()));
        }
        self.next += 1;
        let (number, reply) = (self.next, format!("{}.r.{}", self.inbox, self.next));
        self.under_way.add(number, receipt, call.map(|(until, _)| until));
        let call = call.map(|(until, depth)| (until.saturating_duration_since(now()).min(LONGEST), depth));
        let published = match wire::header(inside, call) {
            None => self.state.patiently(self.client.publish_with_reply(subject, reply, bytes.into())).await,
            Some(header) => {
                let mut headers = HeaderMap::new();
                headers.insert(wire::HEADER, header);
                let publish = self.client.publish_with_reply_and_headers(subject, reply, headers, bytes.into());
                self.state.patiently(publish).await
            }
        };
        match published {
            Some(Ok(())) => {}
            Some(Err(error)) => self.under_way.answer(number, Answer::Unfit(error.to_string().into())),
            // The client takes no more until it is connected again.
            None => self.under_way.answer(number, Answer::Unreachable),
        }
    }

    async fn answer(&self, subject: String, answer: &Answer) {
        let mut payload = wire::answer(answer);
        if let Some(text) = too_large(&self.client, payload.len()) {
            payload = wire::answer(&Answer::Unfit(format!("its reply: {text}").into()));
        }
        self.publish(subject, payload).await;
    }

    async fn publish(&self, subject: String, payload: Vec<u8>) {
        // It fails for a payload that is too large, which this is not, and when the client has ended. Whoever waits for
        // this in vain is told by the time.
        if self.state.await_connected().await {
            self.state.patiently(self.client.publish(subject, payload.into())).await;
        }
    }

    async fn serve(
        &mut self,
        name: &'static str,
        subjects: impl Iterator<Item = (String, Route)>,
        end: &Arc<End>,
        held: &Arc<Held>,
        commands: &UnboundedSender<Command>,
    ) -> Result<(), BridgeError> {
        for (subject, route) in subjects {
            // An attempt before has subscribed to it, and was given up before the server had been heard.
            if self.subscribed.contains_key(&subject) {
                continue;
            }
            let topic = Topic {
                client: self.client.clone(),
                subject: subject.clone(),
                group: (route != Route::Copy).then_some(wire::GROUP),
                losses: self.state.losses.subscribe(),
            };
            let take_in = take_in(name, route, Arc::clone(end), Arc::clone(held), commands.clone());
            let subscription = Subscription::start(topic, take_in).await.map_err(|_| BridgeError::Disconnected)?;
            self.subscribed.insert(subject, subscription);
        }
        // The client's own flush waits for the socket alone. What comes back to this inbox has passed the server, and so
        // have the subscriptions before it.
        self.echoes += 1;
        let number = self.echoes;
        self.publish(format!("{}.s.{number}", self.inbox), Vec::new()).await;
        let echoed = self.state.patiently(self.echo.wait_for(|last| *last >= number)).await;
        echoed.and_then(Result::ok).map(drop).ok_or(BridgeError::Disconnected)
    }
    async fn find_owners(&self, subjects: &[String]) -> Result<HashSet<usize>, BridgeError> {
        // Those that this bridge has subscribed to itself: it tries again.
        let own = |index: &usize| subjects.get(*index).is_some_and(|subject| self.subscribed.contains_key(subject));
        let owned = self.state.patiently(owners::find(&self.client, subjects)).await.flatten();
        let owned = owned.ok_or(BridgeError::Disconnected)?;
        Ok(owned.into_iter().filter(|index| !own(index)).collect())
    }

    fn leave(&mut self, until: Instant, done: mpsc::Sender<()>) {
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
