//! A bridge that shows what the server wants is let in; any other is told why not, without its secrets.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nkeys::KeyPair;
use serde::{Deserialize, Serialize};
use zctor::{ActorEngine, CallError, actor};
use zctor_nats::{Bridge, BridgeError, Builder, ConnectionState};
use zctor_tests::{LIMIT, bounded};

use crate::nats::{Folder, Server};

#[actor(remote)]
#[derive(Serialize, Deserialize)]
pub(crate) enum DoorMessage {
    #[reply(u64)]
    Knock,
}
struct Door;
impl DoorHandler for Door {
    fn knock(&mut self) -> u64 {
        1
    }
}

/// The bridge is in, and hears what the server says of its messages.
pub(crate) fn is_let_in(builder: Builder) {
    let (here, bridge) = (ActorEngine::new(), builder.connect().expect("it is let in"));
    let door = bridge.attach::<DoorMessage>(&here).expect("a link");
    assert_eq!(door.knock(), Err(CallError::NotRegistered { message: "DoorMessage" }));
}

/// The text of the refusal, in which no secret stands.
fn refused(builder: Builder, with: Option<&str>, secret: &str) {
    let builder_text = format!("{builder:?}");
    match builder.connect() {
        Err(error @ BridgeError::Refused { .. }) => {
            let BridgeError::Refused { shown, .. } = &error else { unreachable!() };
            assert_eq!(*shown, with, "{error}");
            let text = format!("{error} {error:?} {builder_text}");
            assert!(!text.contains(secret), "{text}");
            let advice = with.map_or("give the builder a `user`".to_owned(), |with| format!("is the {with} right?"));
            assert!(error.to_string().contains(&advice), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_user_and_a_password_let_a_bridge_in() {
    bounded(|| {
        let server = Server::start_with(&["--user", "ann", "--pass", "s3cret"]);
        is_let_in(server.builder().user("ann", "s3cret"));
        let at = |who: &str| Bridge::builder("test").server(format!("nats://{who}@127.0.0.1:{}", server.port()));
        is_let_in(at("ann:s3cret"));
        is_let_in(at("ann:guess").user("ann", "s3cret"));
        refused(server.builder(), None, "s3cret");
        refused(server.builder().user("ann", "guess"), Some("user and password"), "guess");
        refused(at("ann:guess"), Some("user, password or token in the address"), "guess");
    });
}

#[test]
fn a_token_lets_a_bridge_in() {
    bounded(|| {
        let server = Server::start_with(&["--auth", "s3cret"]);
        is_let_in(server.builder().token("s3cret"));
        is_let_in(Bridge::builder("test").server(format!("nats://s3cret@127.0.0.1:{}", server.port())));
        refused(server.builder(), None, "s3cret");
        refused(server.builder().token("guess"), Some("token"), "guess");
    });
}

/// Issue #17.
#[test]
fn an_address_may_hold_any_character_of_a_secret() {
    bounded(|| {
        let server = Server::start_with(&["--auth", "aGk+/w=="]);
        is_let_in(Bridge::builder("test").server(format!("nats://aGk+%2Fw==@127.0.0.1:{}", server.port())));
        let server = Server::start_with(&["--user", "ann@home", "--pass", "p|w d%"]);
        is_let_in(Bridge::builder("test").server(format!("nats://ann%40home:p|w d%25@127.0.0.1:{}", server.port())));
    });
}

fn seed(key: &KeyPair) -> String {
    key.seed().expect("it is a whole key")
}

#[test]
fn an_nkey_lets_a_bridge_in() {
    bounded(|| {
        let (ann, bob) = (KeyPair::new_user(), KeyPair::new_user());
        let server = Server::configured(&format!("authorization {{ users = [ {{ nkey: {} }} ] }}", ann.public_key()));
        is_let_in(server.builder().nkey(seed(&ann)));
        // As it is read from a file.
        is_let_in(server.builder().nkey(seed(&ann) + "\n"));
        refused(server.builder(), None, &seed(&ann));
        refused(server.builder().nkey(seed(&bob)), Some("nkey"), &seed(&bob));
        let none = server.builder().nkey("s3cret").connect();
        match none {
            Err(error @ BridgeError::Nkey) => assert!(!format!("{error} {error:?}").contains("s3cret")),
            other => panic!("{other:?}"),
        }
    });
}

/// A token in the form of the operators' tool, of `subject`, with these claims, signed by `by`.
fn token(subject: &KeyPair, by: &KeyPair, claims: &str) -> String {
    let head = URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","alg":"ed25519-nkey"}"#);
    let (subject, issuer) = (subject.public_key(), by.public_key());
    let body = format!(
        r#"{{"jti":"1","iat":1,"iss":"{issuer}","sub":"{subject}","name":"n","nats":{{{claims},"version":2}}}}"#
    );
    let text = format!("{head}.{}", URL_SAFE_NO_PAD.encode(body));
    let signature = by.sign(text.as_bytes()).expect("it is a whole key");
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A credentials file.
fn credentials(token: &str, key: &KeyPair) -> String {
    format!(
        "-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        seed(key)
    )
}

/// The configuration of a server that knows this account.
fn knows(account: &KeyPair, operator: &KeyPair) -> String {
    let limits =
        r#""limits":{"subs":-1,"data":-1,"payload":-1,"imports":-1,"exports":-1,"wildcards":true,"conn":-1,"leaf":-1}"#;
    format!(
        "operator: {}\nresolver: MEMORY\nresolver_preload: {{ {}: {} }}\n",
        token(operator, operator, r#""type":"operator""#),
        account.public_key(),
        token(account, operator, &format!(r#""type":"account",{limits}"#)),
    )
}

/// The token of a user that an account has signed.
fn of_account(user: &KeyPair, account: &KeyPair) -> String {
    token(user, account, r#""type":"user","subs":-1,"data":-1,"payload":-1"#)
}

/// Issue #17.
#[test]
fn a_credentials_file_is_read_anew_at_each_connection() {
    bounded(|| {
        let (operator, user) = (KeyPair::new_operator(), KeyPair::new_user());
        let (before, after) = (KeyPair::new_account(), KeyPair::new_account());
        let mut server = Server::configured(&knows(&before, &operator));
        let folder = Folder::new();
        let file = folder.write("ann.creds", &credentials(&of_account(&user, &before), &user));
        let (here, bridge) = (ActorEngine::new(), server.builder().credentials(&file).connect().expect("it is let in"));
        let (there, door) = (ActorEngine::new(), bridge.attach::<DoorMessage>(&here).expect("a link"));
        there.pool(1, DoorMessage::actor(|| Door)).expect("a pool");
        bridge.serve::<DoorMessage>(&there).expect("it has the pool");
        assert_eq!(door.knock(), Ok(1));
        // The server knows another account now, and the file is not there yet.
        server.kill();
        std::fs::remove_file(&file).expect("it is there");
        server.restart_with(&knows(&after, &operator));
        assert_eq!(door.knock(), Err(CallError::NotRegistered { message: "DoorMessage" }), "it is not let in");
        let begun = zctor::now();
        let refused = |text: &str| {
            while !matches!(bridge.state(), ConnectionState::Refused { text: told, .. } if told.contains(text)) {
                assert!(zctor::now() - begun < LIMIT, "it is told: {}", bridge.state());
            }
        };
        refused("the credentials file cannot be read");
        folder.write("ann.creds", &credentials(&of_account(&user, &before), &user));
        refused("authorization violation");
        folder.write("ann.creds", &credentials(&of_account(&user, &after), &user));
        let begun = zctor::now();
        while door.knock() != Ok(1) {
            assert!(zctor::now() - begun < LIMIT, "it is let in");
        }
        assert_eq!(bridge.state(), ConnectionState::Connected);
        server.kill();
        while !matches!(bridge.state(), ConnectionState::Away { .. }) {
            assert!(zctor::now() - begun < LIMIT, "no server is there: {}", bridge.state());
        }
    });
}

#[test]
fn a_credentials_file_lets_a_bridge_in() {
    bounded(|| {
        let (operator, account, user) = (KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_user());
        let server = Server::configured(&knows(&account, &operator));
        let folder = Folder::new();
        let of_user = |by: &KeyPair| of_account(&user, by);
        let right = folder.write("ann.creds", &credentials(&of_user(&account), &user));
        is_let_in(server.builder().credentials(&right));
        refused(server.builder(), None, &seed(&user));
        let forged = folder.write("forged.creds", &credentials(&of_user(&KeyPair::new_account()), &user));
        refused(server.builder().credentials(&forged), Some("credentials file"), &seed(&user));

        let broken = folder.write("broken.creds", "s3cret");
        for (path, expected) in [(broken, "credentials file"), (folder.path("no.creds"), "os error")] {
            match server.builder().credentials(&path).connect() {
                Err(error @ BridgeError::File { .. }) => {
                    let text = error.to_string();
                    assert!(text.starts_with(&*path.to_string_lossy()) && text.contains(expected), "{text}");
                    assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
                }
                other => panic!("{other:?}"),
            }
        }
    });
}
