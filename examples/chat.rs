//! A chat over TCP: a session for each connection, rooms, and people who leave.
//!
//! A session is an actor with a thread of its own: it writes to its socket, and a thread forwards to it the lines that
//! come in. A room is a topic, to which its sessions subscribe. The lobby knows the rooms, and watches the sessions, so
//! it hears of each end. A slow reader at the other end holds up its own session only; `inner_bound` drops the oldest
//! lines for it, so they cannot fill the memory. Look at what three people see, and at the report: no session is left behind.
//!
//! ```text
//! cargo run --example chat
//! cargo test -p zctor-examples --features testing --example chat
//! ```

use std::collections::HashMap;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, Context, EngineHandle, Inner, InstanceId, actor};
use zctor_kit::forward;
use zctor_kit::topic::{Subscription, Topic};

#[actor(ctx, sends(SessionMessage))]
enum LobbyMessage {
    /// Brings a session into a room, out of the one where it was.
    Join { session: SessionClient, name: String, room: String },
    /// Shows a line to everybody in the room of a session.
    Say { session: InstanceId, text: String },
    #[msg(internal)]
    Left(InstanceId),
}

#[actor(ctx, sends(LobbyMessage))]
#[derive(Debug, PartialEq)]
enum SessionMessage {
    /// A line from the other end of the connection.
    Line(String),
    /// A line for the other end.
    Show(Arc<str>),
}

struct Member {
    subscription: Subscription,
    name: String,
    room: String,
}

#[derive(Default)]
struct Lobby {
    members: HashMap<InstanceId, Member>,
    rooms: HashMap<String, Topic<Arc<str>>>,
}

impl Lobby {
    fn show(&self, room: &str, line: String) {
        if let Some(room) = self.rooms.get(room) {
            room.publish(line.into());
        }
    }

    /// Gives whether it was in a room.
    fn leave(&mut self, session: InstanceId) -> bool {
        let Some(Member { subscription, name, room }) = self.members.remove(&session) else { return false };
        drop(subscription); // it sees no more of that room
        self.show(&room, format!("* {name} has left"));
        self.rooms.retain(|_, room| !room.is_empty());
        true
    }
}

impl LobbyHandler for Lobby {
    fn join(&mut self, ctx: &mut Context<LobbyMessage>, session: SessionClient, name: String, room: String) {
        let Some(id) = session.instance_id() else { return }; // a session is one instance
        if !self.leave(id) {
            ctx.watch(&session, |ended| LobbyMessage::Left(ended.instance)).expect("a client of one instance");
        }
        let subscription = self.rooms.entry(room.clone()).or_default().subscribe(&session, SessionMessage::Show);
        self.show(&room, format!("* {name} is here"));
        self.members.insert(id, Member { subscription, name, room });
    }

    fn say(&mut self, _ctx: &mut Context<LobbyMessage>, session: InstanceId, text: String) {
        if let Some(Member { name, room, .. }) = self.members.get(&session) {
            self.show(room, format!("{name}: {text}"));
        }
    }

    fn left(&mut self, _ctx: &mut Context<LobbyMessage>, value: InstanceId) {
        self.leave(value);
    }
}

/// One connection. `W` is a socket, or what a test takes for one.
struct Session<W> {
    socket: W,
    close: fn(&W),
    name: Option<String>,
}

impl<W: Write + 'static> SessionHandler for Session<W> {
    fn line(&mut self, ctx: &mut Context<SessionMessage>, value: String) {
        // The lobby is gone when the program ends, and the session will be next.
        if value == "/quit" {
            ctx.stop();
        } else if let Some(room) = value.strip_prefix("/join ") {
            let name = self.name.clone().unwrap_or_else(|| "somebody".to_owned());
            let _ = ctx.send(LobbyMessage::Join { session: ctx.me(), name, room: room.to_owned() });
        } else if self.name.is_none() {
            self.name = Some(value);
        } else {
            let _ = ctx.send(LobbyMessage::Say { session: ctx.instance_id(), text: value });
        }
    }

    fn show(&mut self, ctx: &mut Context<SessionMessage>, value: Arc<str>) {
        if writeln!(self.socket, "{value}").is_err() {
            ctx.stop();
        }
    }

    fn on_stop(&mut self, _ctx: &mut Context<SessionMessage>) {
        (self.close)(&self.socket); // the reader thread's `read` ends with it
    }
}

/// Starts the session of a connection, and the thread that reads from it.
fn connect(engine: &EngineHandle, socket: TcpStream) -> Result<(), Box<dyn Error>> {
    // The end of the connection is the end of the session.
    let lines = BufReader::new(socket.try_clone()?).lines().map_while(Result::ok).chain(["/quit".to_owned()]);
    // A peer that takes nothing for so long is gone.
    socket.set_write_timeout(Some(Duration::from_secs(30)))?;
    // The reader waits at eight lines, and TCP makes the peer wait. From the lobby come at most a hundred.
    let thread = ActorThread::named("session").mailbox_bound(8).inner_bound(100, Inner::DropOldest);
    let close = |socket: &TcpStream| socket.shutdown(Shutdown::Both).unwrap_or_default();
    let session = engine.start_on(thread, SessionMessage::actor_once(move || Session { socket, close, name: None }))?;
    forward::iterator("reader", lines, &session, SessionMessage::Line)?.detach();
    Ok(())
}

/// Takes connections until `done`, which a last connection brings to its notice.
fn listen(listener: &TcpListener, engine: &EngineHandle, done: &AtomicBool) {
    for socket in listener.incoming() {
        if done.load(Relaxed) {
            return;
        }
        if let Err(error) = socket.map_err(Into::into).and_then(|socket| connect(engine, socket)) {
            eprintln!("a connection was not taken: {error}");
        }
    }
}

/// Somebody at the other end of a connection.
struct Person {
    lines: io::Lines<BufReader<TcpStream>>,
    socket: TcpStream,
}

impl Person {
    fn enter(at: SocketAddr, name: &str, room: &str) -> io::Result<Self> {
        let socket = TcpStream::connect(at)?;
        socket.set_read_timeout(Some(Duration::from_secs(60)))?;
        let mut person = Self { lines: BufReader::new(socket.try_clone()?).lines(), socket };
        person.say(&format!("{name}\n/join {room}"))?;
        person.sees(&format!("* {name} is here"))?;
        Ok(person)
    }

    fn say(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.socket, "{text}")
    }

    fn sees(&mut self, line: &str) -> io::Result<()> {
        let seen = self.lines.next().transpose()?.unwrap_or_else(|| "(the end)".to_owned());
        println!("{seen}");
        if seen == line { Ok(()) } else { Err(io::Error::other(format!("expected {line}"))) }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let engine = ActorEngine::new();
    engine.pool(1, LobbyMessage::actor(Lobby::default))?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let at = listener.local_addr()?;
    let (handle, done) = (engine.handle(), AtomicBool::new(false));

    let connected = thread::scope(|scope| {
        scope.spawn(|| listen(&listener, &handle, &done));
        let talked = talk(at);
        done.store(true, Relaxed);
        let woken = TcpStream::connect(at);
        talked.and_then(|people| woken.map(|_| people))
    })?;

    // Ann and Cyd are still connected: their sessions close the connections.
    let report = engine.shutdown()?;
    println!("{report}");
    assert_eq!((report.panicked(), report.left), (0, 0));
    assert_eq!(report.instances.len(), 3, "the lobby, and the sessions of Ann and Cyd");
    assert_eq!(report.earlier.instances, 1, "Bob's has ended before");
    for mut person in connected {
        person.lines.try_for_each(|line| line.map(drop))?; // to the end of the connection
    }
    Ok(())
}

/// Three people talk, and two of them stay.
fn talk(at: SocketAddr) -> io::Result<[Person; 2]> {
    let mut ann = Person::enter(at, "ann", "rust")?;
    let mut bob = Person::enter(at, "bob", "rust")?;
    ann.sees("* bob is here")?;
    let mut cyd = Person::enter(at, "cyd", "zig")?;

    ann.say("hello")?;
    ann.sees("ann: hello")?;
    bob.sees("ann: hello")?;
    bob.say("/quit")?;
    ann.sees("* bob has left")?;
    bob.sees("(the end)")?; // his connection is closed

    cyd.say("/join rust")?; // has seen nothing of all that
    cyd.sees("* cyd is here")?;
    ann.sees("* cyd is here")?;
    Ok([ann, cyd])
}

#[cfg(test)]
#[path = "picture.rs"]
mod picture;

#[cfg(test)]
#[test]
fn the_picture_shows_the_definitions() {
    use zctor::Message;
    picture::shows("chat.svg", [LobbyMessage::DEFINITION, SessionMessage::DEFINITION]);
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use zctor::testing::{Probe, context};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    #[test]
    fn a_line_goes_to_the_room_and_nowhere_else() {
        let engine = ActorEngine::new();
        let lobby = engine.pool(1, LobbyMessage::actor(Lobby::default)).unwrap();
        let people = [Probe::<SessionMessage>::new(), Probe::new(), Probe::new()];
        let [ann, bob, cyd] = &people;
        let sessions = people.each_ref().map(|person| engine.start(person.actor()).unwrap());
        for (session, (name, room)) in sessions.iter().zip([("ann", "rust"), ("bob", "rust"), ("cyd", "zig")]) {
            lobby.join(session.clone(), name.to_owned(), room.to_owned()).unwrap();
        }
        let sees = |person: &Probe<SessionMessage>, line: &str| {
            assert_eq!(person.expect(LIMIT).into_message(), SessionMessage::Show(line.into()));
        };
        ["* ann is here", "* bob is here"].iter().for_each(|line| sees(ann, line));
        sees(bob, "* bob is here");
        sees(cyd, "* cyd is here");

        lobby.say(sessions[0].instance_id().unwrap(), "hello".to_owned()).unwrap();
        sees(ann, "ann: hello");
        sees(bob, "ann: hello");
        sessions[1].stop().unwrap();
        sees(ann, "* bob has left");
        engine.settle();
        assert!(cyd.is_empty());
    }

    #[test]
    fn a_session_ends_when_its_peer_is_gone() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut session = Session { socket: Gone, close: |_| {}, name: None };
        let mut ctx = context::<SessionMessage>();
        session.line(&mut ctx, "ann".to_owned());
        assert!(!ctx.stop_requested());
        session.show(&mut ctx, "hello".into());
        assert!(ctx.stop_requested());
    }
}
