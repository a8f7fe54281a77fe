//! What is on the wire: subjects, the header, acknowledgements and answers.
//!
//! | subject | carries |
//! | --- | --- |
//! | `zctor.1.<namespace>.<name>.t` | a message for one instance; those that serve it are one queue group |
//! | `zctor.1.<namespace>.<name>.b` | a copy of a broadcast |
//! | `zctor.1.<namespace>.<name>.k.<n>.<i>` | a message with a key in partition `i` of `n` |
//! | `<inbox>.r.<number>` | the reply subject of a packet, and what is answered: a status byte, then a reply or a text |
//! | `<inbox>.a` | the numbers of packets that are in mailboxes, eight bytes each |
//! | `<inbox>.h` | the numbers of packets that wait for room where they arrived |
//! | `<inbox>.s.<number>` | nothing, from a bridge to itself: the server has what it was told before |
//!
//! A message is MessagePack with names. Where it needs more than its bytes, a header `Zctor` has these words: `c` for a
//! call, `d<n>` for the milliseconds that are left of its deadline, `w<n>` for the depth that its caller counts the callee
//! at, `i` for what a handler has sent, `n` for a copy whose sender wants to know how many instances have one. What any
//! other program says is in `foreign.rs`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use zctor::remote::transport::{Answer, CallHeader, Partition, Route};

/// With this begin the subjects of all pools.
pub(crate) const PREFIX: &str = "zctor.1.";
pub(crate) const HEADER: &str = "Zctor";
/// The header of a copy whose sender wants to know how many instances have one.
pub(crate) const COUNTED: &str = "n";
/// The queue group of those that serve a pool.
pub(crate) const GROUP: &str = "z";

/// Whether this can stand in a subject.
pub(crate) fn is_name(name: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || c == '*' || c == '>');
    name.split('.').all(is_word)
}

/// The subject of the messages that go this way.
pub(crate) fn subject(namespace: &str, name: &str, route: Route) -> String {
    match route {
        Route::Turn => format!("zctor.1.{namespace}.{name}.t"),
        Route::Copy => format!("zctor.1.{namespace}.{name}.b"),
        Route::Key(Partition { number, of }) => format!("zctor.1.{namespace}.{name}.k.{of}.{number}"),
    }
}

/// The header of a packet, if it needs one.
pub(crate) fn header(inside: bool, call: Option<(Duration, u32)>) -> Option<String> {
    let inside = if inside { " i" } else { "" };
    match call {
        Some((left, depth)) => Some(format!("c d{} w{depth}{inside}", left.as_millis())),
        None => (!inside.is_empty()).then(|| "i".to_owned()),
    }
}

/// What the header of a packet says: whether a handler has sent it, and the header of a call.
pub(crate) fn read_header(header: &str, now: Instant) -> Option<(bool, Option<CallHeader>)> {
    let (mut inside, mut call, mut left, mut depth) = (false, false, None, 0);
    for word in header.split_whitespace() {
        match word.split_at_checked(1)? {
            ("i", "") => inside = true,
            // Both are answered.
            ("c" | COUNTED, "") => call = true,
            ("d", number) => left = Some(Duration::from_millis(number.parse().ok()?)),
            ("w", number) => depth = number.parse().ok()?,
            // A later version may say more.
            _ => {}
        }
    }
    // So much earlier than at the caller, that what is said of the end arrives there in time.
    let until = left.map(|left| now + left.saturating_sub((left / 10).max(Duration::from_millis(5))));
    Some((inside, call.then_some(CallHeader { until, depth, or_send: false, queued: false })))
}

pub(crate) fn numbers(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

pub(crate) fn read_numbers(bytes: &[u8]) -> impl Iterator<Item = u64> {
    let (numbers, _) = bytes.as_chunks::<8>();
    numbers.iter().map(|number| u64::from_be_bytes(*number))
}

pub(crate) fn answer(answer: &Answer) -> Vec<u8> {
    let (status, rest): (u8, &[u8]) = match answer {
        Answer::Reply(bytes) => (b'0', bytes),
        Answer::Unreachable => (b'1', b""),
        Answer::Stopped => (b'2', b""),
        Answer::Full => (b'3', b""),
        Answer::Unfit(text) => (b'4', text.as_bytes()),
        Answer::Undeclared => (b'5', b""),
        Answer::Panicked(text) => (b'6', text.as_bytes()),
        Answer::NoReply => (b'7', b""),
        Answer::Lost => (b'8', b""),
        Answer::Timeout { begun: false } => (b'9', b""),
        Answer::Timeout { begun: true } => (b':', b""),
    };
    [&[status], rest].concat()
}

pub(crate) fn read_answer(bytes: &[u8]) -> Answer {
    let text = |rest: &[u8]| Arc::<str>::from(String::from_utf8_lossy(rest));
    match bytes.split_first() {
        Some((b'0', reply)) => Answer::Reply(reply.to_vec()),
        Some((b'1', _)) => Answer::Unreachable,
        Some((b'2', _)) => Answer::Stopped,
        Some((b'3', _)) => Answer::Full,
        Some((b'4', rest)) => Answer::Unfit(text(rest)),
        Some((b'5', _)) => Answer::Undeclared,
        Some((b'6', rest)) => Answer::Panicked(text(rest)),
        Some((b'7', _)) => Answer::NoReply,
        Some((b'8', _)) => Answer::Lost,
        Some((b'9', _)) => Answer::Timeout { begun: false },
        Some((b':', _)) => Answer::Timeout { begun: true },
        _ => Answer::Unfit("the other side answered with a status that this side does not know".into()),
    }
}

/// How long the text of an error is at most, in bytes. It may hold what was sent, and the server limits headers, too.
const LONGEST_TEXT: usize = 1_024;

/// The text as a header takes it, in so many bytes at most.
pub(crate) fn one_line(text: &str, most: usize) -> String {
    let mut line: String = text.split(char::is_control).collect::<Vec<_>>().join(" ");
    let mut end = most.min(line.len());
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    line.truncate(end);
    line
}

/// The code and the text of an error, as services tell of it. A reply is none.
pub(crate) fn service_error(answer: &Answer) -> Option<(u16, Arc<str>)> {
    Some(match answer {
        Answer::Reply(_) => return None,
        Answer::Unfit(text) => (400, one_line(text, LONGEST_TEXT).into()),
        Answer::Unreachable => (404, "the pool has no instance".into()),
        Answer::Timeout { begun: false } => (408, "its time was up before its handler began".into()),
        Answer::Timeout { begun: true } => (408, "its time was up".into()),
        Answer::Undeclared => (409, "the callee is deeper than its caller counts".into()),
        Answer::Full => (429, "the mailbox is full".into()),
        Answer::Panicked(text) => (500, format!("its handler has panicked: {}", one_line(text, LONGEST_TEXT)).into()),
        Answer::NoReply => (500, "its handler has dropped the reply".into()),
        Answer::Lost => (500, "it was lost".into()),
        Answer::Stopped => (503, "the engine of the pool has stopped".into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_nats_does_not_take_are_told() {
        assert!(["shop", "shop.eu", "Worker<u8>".trim_end_matches('>')].iter().all(|name| is_name(name)));
        assert!(!["", "my shop", "a..b", ".a", "a.", "a.*", ">"].iter().any(|name| is_name(name)));
    }

    #[test]
    fn a_header_comes_back_as_it_went() {
        let now = zctor::now();
        assert_eq!(header(false, None), None);
        assert!(matches!(read_header("i", now), Some((true, None))));
        let text = header(true, Some((Duration::from_millis(100), 3))).expect("a call has one");
        let (inside, call) = read_header(&text, now).expect("it can be read");
        let call = call.expect("it is one of a call");
        assert_eq!((inside, call.depth, call.until), (true, 3, Some(now + Duration::from_millis(90))));
        assert!(read_header("c dx", now).is_none());
        assert!(read_header("c x9", now).is_some(), "a later version may say more");
    }

    #[test]
    fn a_text_is_cut_to_one_short_line() {
        assert_eq!(one_line("a\r\nb\tc", 100), "a  b c");
        assert_eq!((&*one_line("äöü", 3), &*one_line("a", 0)), ("ä", ""));
    }

    #[test]
    fn answers_come_back_as_they_went() {
        for said in [
            Answer::Reply(vec![1, 2]),
            Answer::Unreachable,
            Answer::Stopped,
            Answer::Full,
            Answer::Unfit("text".into()),
            Answer::Undeclared,
            Answer::Panicked("oh".into()),
            Answer::NoReply,
            Answer::Lost,
            Answer::Timeout { begun: false },
            Answer::Timeout { begun: true },
        ] {
            assert_eq!(format!("{said:?}"), format!("{:?}", read_answer(&answer(&said))));
        }
        assert!(matches!(read_answer(b""), Answer::Unfit(_)));
        assert_eq!(read_numbers(&numbers(&[0, 7, u64::MAX])).collect::<Vec<_>>(), [0, 7, u64::MAX]);
    }
}
