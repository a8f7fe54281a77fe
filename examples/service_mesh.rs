//! Services on threads of their own: web calls auth and the database, auth calls the database. What web has answered it
//! sends to an audit, and waits for nothing there.
//!
//! The database is SQLite. Its connection is the actor's state, opened on the actor's thread by `try_actor`, so a
//! database that cannot be opened is an error of `spawn`. `calls(…)` declares which actor waits for which; a cycle
//! would not compile. `sends(…)` is for the map, where it is a dashed arrow. Look at the four answers: 200, 401, 200, and 500 for a statement that SQLite refuses.
//!
//! ```text
//! cargo run --example service_mesh
//! ```

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};
use zctor::{ActorEngine, ActorThread, BoxError, CallError, Context, SpawnError, actor};

#[actor]
enum DatabaseMessage {
    /// Gives the user that a token belongs to.
    #[reply(rusqlite::Result<Option<String>>)]
    UserOf { token: String },
    /// Keeps a note and gives the number of notes its user has.
    #[reply(rusqlite::Result<i64>)]
    AddNote { user: String, text: String },
}

#[actor(calls(DatabaseMessage))]
enum AuthMessage {
    /// Gives the user that a token belongs to, if it is known.
    #[reply(Result<Option<String>, BoxError>)]
    Authenticate { token: String },
}

#[actor]
enum AuditMessage {
    /// Keeps the status of an answer.
    Answered(u16),
    /// Gives the statuses of all answers.
    #[reply(Vec<u16>)]
    Statuses,
}

#[actor(calls(AuthMessage, DatabaseMessage), sends(AuditMessage))]
enum WebMessage {
    /// Answers a request to keep a note.
    #[reply(Response)]
    PostNote { token: String, text: String },
}

/// A status and a text.
struct Response(u16, String);

struct Database(Connection);
struct Auth;
#[derive(Default)]
struct Audit(Vec<u16>);
struct Web;

impl Database {
    fn open(path: &str) -> Result<Self, BoxError> {
        let connection = Connection::open(path)?;
        connection.execute_batch(
            "CREATE TABLE users (token TEXT PRIMARY KEY, name TEXT NOT NULL);
             CREATE TABLE notes (name TEXT NOT NULL, text TEXT NOT NULL CHECK (text <> ''));
             INSERT INTO users VALUES ('t-1', 'ann');",
        )?;
        Ok(Self(connection))
    }
}

impl DatabaseHandler for Database {
    fn user_of(&mut self, token: String) -> rusqlite::Result<Option<String>> {
        self.0.query_row("SELECT name FROM users WHERE token = ?1", [token], |row| row.get(0)).optional()
    }

    fn add_note(&mut self, user: String, text: String) -> rusqlite::Result<i64> {
        self.0.execute("INSERT INTO notes VALUES (?1, ?2)", [&user, &text])?;
        self.0.query_row("SELECT count(*) FROM notes WHERE name = ?1", [&user], |row| row.get(0))
    }
}

impl AuthHandler for Auth {
    fn authenticate(&mut self, ctx: &mut Context<AuthMessage>, token: String) -> Result<Option<String>, BoxError> {
        Ok(ctx.call(DatabaseMessage::user_of(token))??) // the call's error, then SQLite's
    }
}

impl AuditHandler for Audit {
    fn answered(&mut self, value: u16) {
        self.0.push(value);
    }

    fn statuses(&mut self) -> Vec<u16> {
        self.0.clone()
    }
}

impl WebHandler for Web {
    fn post_note(&mut self, ctx: &mut Context<WebMessage>, token: String, text: String) -> Response {
        let post = || -> Result<Response, BoxError> {
            let Some(user) = ctx.call(AuthMessage::authenticate(token))?? else {
                return Ok(Response(401, "unknown token".to_owned()));
            };
            let notes = ctx.call(DatabaseMessage::add_note(user.clone(), text))??;
            Ok(Response(200, format!("{user} has {notes} notes")))
        };
        let response = post().unwrap_or_else(|error| Response(500, error.to_string()));
        let _ = ctx.send(AuditMessage::Answered(response.0)); // an answer without an audit is an answer still
        response
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = ActorEngine::new();
    let database = |path| DatabaseMessage::try_actor(move |_ctx| Database::open(path));

    let nowhere = ActorThread::named("database").register(database("no/such/folder/notes.db"));
    let Err(SpawnError::Factory { message, source }) = engine.spawn(nowhere) else {
        return Err("a database was opened in a folder that is not there".into());
    };
    println!("{message} cannot start: {source}");

    engine.spawn(ActorThread::named("database").register(database(":memory:")))?;
    engine.spawn(ActorThread::named("auth").register(AuthMessage::actor(|| Auth)))?;
    engine.spawn(ActorThread::named("audit").register(AuditMessage::actor(Audit::default)))?;
    engine.spawn(ActorThread::named("web").register(WebMessage::actor(|| Web)))?;
    println!("{}", engine.registry());

    // The deadline covers the whole chain: calls that web makes have the time that is left of it.
    let web = engine.client::<WebMessage>()?.within(Duration::from_secs(5));
    let post = |token: &str, text: &str| -> Result<u16, CallError> {
        let Response(status, body) = web.post_note(token.to_owned(), text.to_owned())?;
        println!("{status} {body}");
        Ok(status)
    };
    assert_eq!(post("t-1", "buy milk")?, 200);
    assert_eq!(post("t-2", "let me in")?, 401);
    assert_eq!(post("t-1", "sell milk")?, 200);
    assert_eq!(post("t-1", "")?, 500);
    assert_eq!(engine.call(AuditMessage::statuses())?, [200, 401, 200, 500]);

    println!("{}", engine.shutdown()?);
    Ok(())
}

#[cfg(test)]
#[path = "picture.rs"]
mod picture;

#[cfg(test)]
#[test]
fn the_picture_shows_the_definitions() {
    use zctor::Message;
    picture::shows("service_mesh.svg", [WebMessage::DEFINITION]);
}
