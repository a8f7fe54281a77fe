//! Programs that are no bridge send JSON or MessagePack to the subject of a pool, and get the reply alike.

use std::sync::mpsc;

use serde::{Deserialize, Serialize};
use zctor::{ActorEngine, ActorThread, actor};
use zctor_nats::Bridge;
use zctor_tests::{Gate, bounded, expect_panics, receive};

use crate::nats::Server;
use crate::stock::Stock;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Overdrawn {
    by: u64,
}

#[actor(remote = "account")]
#[derive(Clone, Serialize, Deserialize)]
enum AccountMessage {
    #[reply(Result<u64, Overdrawn>)]
    Withdraw {
        account: u64,
        amount: u64,
    },
    #[reply(std::net::IpAddr)]
    Address,
    #[reply(())]
    Break,
    Note(f64),
}

struct Account(mpsc::Sender<f64>);
impl AccountHandler for Account {
    fn withdraw(&mut self, _account: u64, amount: u64) -> Result<u64, Overdrawn> {
        100_u64.checked_sub(amount).ok_or(Overdrawn { by: amount.saturating_sub(100) })
    }
    fn address(&mut self) -> std::net::IpAddr {
        [127, 0, 0, 1].into()
    }
    fn r#break(&mut self) {
        panic!("broken\nin two lines");
    }
    fn note(&mut self, value: f64) {
        self.0.send(value).unwrap_or_default();
    }
}

const SUBJECT: &str = "zctor.3.test.account.t";

struct At {
    server: Server,
    there: ActorEngine,
    bridge: Bridge,
    notes: mpsc::Receiver<f64>,
}

fn serving() -> At {
    let (server, there) = (Server::start(), ActorEngine::new());
    let bridge = server.bridge();
    let (tell, notes) = mpsc::channel();
    there.pool(2, AccountMessage::actor(move || Account(tell.clone()))).expect("a pool");
    bridge.serve::<AccountMessage>(&there).expect("it has the pool");
    At { server, there, bridge, notes }
}

/// Issue #17: the numbers behind the last one were counted, and the pool heard nothing more.
#[test]
fn a_pack_with_the_last_numbers_that_there_are_stops_no_pool() {
    bounded(|| {
        let at = serving();
        let mut stock = Stock::connect(at.server.port());
        stock.publish_with_reply(SUBJECT, "x.r.18446744073709551615.p3", &[0, 0, 0, 1, 7, 0, 0, 0, 1, 7]);
        assert_eq!(stock.request(SUBJECT, r#"{"Withdraw":{"account":7,"amount":30}}"#).text(), r#"{"Ok":70}"#);
    });
}

/// The answers in a message to a bridge, each with its number and its status.
fn answers(mut bytes: &[u8]) -> Vec<(u64, u8)> {
    let mut answers = Vec::new();
    while let Some((number, rest)) = bytes.split_first_chunk() {
        let (length, rest) = rest.split_first_chunk().expect("a length");
        let (answer, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        answers.push((u64::from_be_bytes(*number), answer[0]));
        bytes = rest;
    }
    answers
}

#[test]
fn bytes_that_are_no_message_are_refused_each_and_stop_no_pool() {
    bounded(|| {
        let at = serving();
        let (mut stock, mut bridge) = (Stock::connect(at.server.port()), Stock::connect(at.server.port()));
        bridge.listen("x.r");
        let nested = |open: &[u8], depth: usize| open.repeat(depth);
        // Small ones, and such as are decoded on a thread of the pool's own since they are large.
        let all = [
            vec![0xc1; 64],
            vec![0xc1; 100_000],
            nested(&[0x91], 10_000),
            nested(&[0x91], 100_000),
            nested(b"[", 10_000),
            nested(b"{\"Withdraw\":", 10_000),
        ];
        let mut told = Vec::new();
        for (number, bytes) in (0..).zip(&all) {
            let refused = stock.request(SUBJECT, bytes).headers;
            assert!(refused.contains("Nats-Service-Error-Code: 400\r\n"), "{refused}");
            // A bridge sends one, and calls with the next.
            bridge.publish_with_reply(SUBJECT, &format!("x.r.{}", 2 * number), bytes);
            bridge.publish_with_reply(SUBJECT, &format!("x.r.{}.c.d60000.w9", 2 * number + 1), bytes);
        }
        while told.len() < 2 * all.len() {
            told.extend(answers(&bridge.hear().payload));
        }
        told.sort_unstable();
        assert!(told.into_iter().eq((0..2 * all.len() as u64).map(|number| (number, b'4'))), "each is `Unfit`");
        assert_eq!(stock.request(SUBJECT, r#"{"Withdraw":{"account":7,"amount":30}}"#).text(), r#"{"Ok":70}"#);
        assert_eq!(at.bridge.books().taken, 1);
    });
}

#[test]
fn a_request_in_json_is_answered_in_json() {
    bounded(|| {
        let at = serving();
        let mut stock = Stock::connect(at.server.port());
        let mut ask = |json: &str| stock.request(SUBJECT, json);
        assert_eq!(ask(r#"{"Withdraw":{"account":7,"amount":30}}"#).text(), r#"{"Ok":70}"#);
        assert_eq!(
            ask(r#" { "Withdraw" : { "amount": 130, "account": 7, "note": "more" } }"#).text(),
            r#"{"Err":{"by":30}}"#
        );
        // As people read it, and not as MessagePack has it.
        assert_eq!(ask(r#""Address""#).text(), r#""127.0.0.1""#);
        // A variant without a reply: nothing comes back when it is in a mailbox.
        let sent = ask(r#"{"Note":2.5}"#);
        assert_eq!((sent.text(), sent.headers.as_str()), ("", ""));
        assert_eq!(receive(&at.notes), 2.5);
        assert_eq!(at.bridge.books().taken, 4);
    });
}

#[test]
fn a_message_in_json_may_be_sent_or_broadcast_without_a_reply_subject() {
    bounded(|| {
        let at = serving();
        let mut stock = Stock::connect(at.server.port());
        stock.publish(SUBJECT, br#"{"Note":1}"#);
        assert_eq!(receive(&at.notes), 1.0);
        stock.publish("zctor.3.test.account.b", br#"{"Note":2}"#);
        assert_eq!([receive(&at.notes), receive(&at.notes)], [2.0, 2.0], "one for each instance");
        assert_eq!(stock.request("zctor.3.test.account.b", r#"{"Note":3}"#).text(), "");
        assert_eq!([receive(&at.notes), receive(&at.notes)], [3.0, 3.0]);
        // A call whose reply nobody wants.
        stock.publish(SUBJECT, br#""Address""#);
        assert_eq!(stock.request(SUBJECT, r#""Address""#).text(), r#""127.0.0.1""#);
        at.there.settle();
        assert_eq!(at.bridge.books().taken, 5);
    });
}

#[test]
fn a_request_in_message_pack_is_answered_in_message_pack() {
    bounded(|| {
        let at = serving();
        let mut stock = Stock::connect(at.server.port());
        // {"Withdraw": {"account": 7, "amount": 30}}
        let request =
            [&[0x81, 0xa8][..], b"Withdraw", &[0x82, 0xa7], b"account", &[7, 0xa6], b"amount", &[30]].concat();
        // {"Ok": 70}
        assert_eq!(stock.request(SUBJECT, request).payload, [&[0x81, 0xa2][..], b"Ok", &[70]].concat());
    });
}

#[test]
fn what_goes_wrong_is_told_in_the_headers_of_services() {
    bounded(|| {
        expect_panics("broken");
        let at = serving();
        let mut stock = Stock::connect(at.server.port());
        let mut told = |json: &str| {
            let reply = stock.request(SUBJECT, json);
            assert!(reply.payload.is_empty(), "{reply:?}");
            reply.headers
        };
        for (json, code, text) in [
            (r#"{"Withdraw":{"account":7}}"#, 400, "`Withdraw`: missing field `amount`"),
            (r#"{"Withdraw":{"account":7,"amount":"x"}}"#, 400, "`Withdraw`: invalid type: string \"x\", expected u64"),
            (r#""Other""#, 400, "unknown variant `Other`"),
            ("not JSON", 400, "expected value"),
            ("", 400, "it is empty"),
            (r#""Break""#, 500, "its handler has panicked: broken in two lines"),
            // Issue #17: its name is in the text, which does not go through the server as long as that is.
            (&format!("\"{}\"", "x".repeat(1_000_000)), 400, "unknown variant `xxx"),
        ] {
            let headers = told(json);
            assert!(headers.contains(&format!("Nats-Service-Error-Code: {code}\r\n")), "{headers}");
            assert!(headers.contains("Nats-Service-Error: ") && headers.contains(text), "{headers}");
        }
        at.there.shutdown().expect("nothing is in its way");
        let headers = told(r#""Address""#);
        assert!(headers.contains("Nats-Service-Error-Code: 503\r\n"), "{headers}");
    });
}

struct Slow(Gate);
impl AccountHandler for Slow {
    fn withdraw(&mut self, _account: u64, _amount: u64) -> Result<u64, Overdrawn> {
        Ok(0)
    }
    fn address(&mut self) -> std::net::IpAddr {
        [127, 0, 0, 1].into()
    }
    fn r#break(&mut self) {}
    fn note(&mut self, _value: f64) {
        self.0.pass();
    }
}

/// Issue #17.
#[test]
fn beyond_a_thousand_messages_that_wait_for_room_the_next_is_refused() {
    bounded(|| {
        let (server, there, gate) = (Server::start(), ActorEngine::new(), Gate::new());
        let (bridge, inside) = (server.bridge(), gate.clone());
        let slow = AccountMessage::actor(move || Slow(inside.clone()));
        there.spawn(ActorThread::new().mailbox_bound(1).register(slow)).expect("a pool");
        bridge.serve::<AccountMessage>(&there).expect("it has the pool");
        let mut stock = Stock::connect(server.port());
        stock.publish(SUBJECT, br#"{"Note":1}"#);
        gate.await_arrivals(1);
        for _ in 0..2_000 {
            stock.publish(SUBJECT, br#"{"Note":1}"#);
        }
        let headers = stock.request(SUBJECT, r#""Address""#).headers;
        assert!(headers.contains("Nats-Service-Error-Code: 429\r\n"), "{headers}");
        assert!(bridge.books().waiting <= 1_024, "{}", bridge.books());
        gate.open();
        while bridge.books().waiting > 0 {
            std::thread::yield_now();
        }
        assert_eq!(stock.request(SUBJECT, r#""Address""#).text(), r#""127.0.0.1""#);
    });
}
