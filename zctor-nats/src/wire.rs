//! The wire format: subjects, the words of a reply subject, acknowledgements and answers.
//!
//! | subject | carries |
//! | --- | --- |
//! | `zctor.3.<namespace>.<name>.t` | a message for one instance; those that serve it are one queue group |
//! | `zctor.3.<namespace>.<name>.b` | a copy of a broadcast |
//! | `zctor.3.<namespace>.<name>.k.<n>.<i>` | a message with a key in partition `i` of `n` |
//! | `<inbox>.r.<number>`, and words behind it | nothing: it is the reply subject of a packet. The server answers here that nobody serves the pool |
//! | `<inbox>.r` | answers to packets: for each its number, its length in bytes, a status byte, and a reply or a text |
//! | `<inbox>.a` | the numbers of packets that are in mailboxes; not those of calls whose answer comes soon |
//! | `<inbox>.h` | the numbers of packets that wait for room where they arrived |
//! | `<inbox>.s.<number>` | nothing, from a bridge to itself: the server has what it was told before |
//!
//! A number has eight bytes and a length four, the most significant byte first. A message is MessagePack with names. The
//! words behind a packet's number, each after a dot, say what else is to be known of it: `c` for a call, `d<n>` for the
//! milliseconds that are left of its deadline, `w<n>` for the depth that its caller counts the callee at, `i` for what a
//! handler has sent, `k<n>` if the first `n` bytes are the key that its client is bound to, in MessagePack, `n` for a copy
//! whose sender wants to know how many instances have one, `p<n>` for a pack of so many packets, each behind its length:
//! their numbers follow each other. The words stand in a subject since headers cost a client more than all the rest of a
//! message. The messages of programs that are no bridge are in `foreign.rs`.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use zctor::remote::transport::{Answer, CallHeader, Partition, Route};

/// With this begin the subjects of pools and of work queues.
pub(crate) const ROOT: &str = "zctor.";
/// With this begin the subjects of all pools. The number is that of the wire: bridges with different ones do not hear each
/// other, so a pool of another version is one that nobody serves.
pub(crate) const PREFIX: &str = "zctor.3.";
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
        Route::Turn => format!("{PREFIX}{namespace}.{name}.t"),
        Route::Copy => format!("{PREFIX}{namespace}.{name}.b"),
        Route::Key(Partition { number, of }) => format!("{PREFIX}{namespace}.{name}.k.{of}.{number}"),
    }
}

/// How many packets a pack has at most.
pub(crate) const LARGEST_PACK: u64 = 32;

/// The sender of a packet, and which of its packets it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    /// The prefix of the subjects that the sender listens to.
    pub(crate) inbox: Arc<str>,
    pub(crate) number: u64,
}

/// The header of a packet: all that the receiver has to know beside its bytes.
#[derive(Debug, Default)]
pub(crate) struct PacketHeader {
    /// A handler has sent it.
    pub(crate) inside: bool,
    pub(crate) call: Option<CallHeader>,
    /// How many packets the message has, if it is a pack.
    pub(crate) pack: Option<u64>,
    /// How many bytes of a key stand before the message: that which its client is bound to.
    pub(crate) key: Option<usize>,
}

/// The reply subject of a packet.
pub(crate) fn reply(
    inbox: &str,
    number: u64,
    inside: bool,
    call: Option<(Duration, u32)>,
    key: Option<usize>,
) -> String {
    let inside = if inside { ".i" } else { "" };
    let mut reply = match call {
        Some((left, depth)) => format!("{inbox}.r.{number}.c.d{}.w{depth}{inside}", left.as_millis()),
        None => format!("{inbox}.r.{number}{inside}"),
    };
    if let Some(key) = key {
        reply += &format!(".k{key}");
    }
    reply
}

/// Splits the key that stands before a message from it. `None` if there are fewer bytes.
pub(crate) fn split_key(payload: &[u8], key: Option<usize>) -> Option<(Option<&[u8]>, &[u8])> {
    match key {
        None => Some((None, payload)),
        Some(length) => payload.split_at_checked(length).map(|(key, message)| (Some(key), message)),
    }
}

/// The reply subject of a copy whose sender wants to know how many instances have one.
pub(crate) fn counted_reply(inbox: &str, number: u64) -> String {
    format!("{inbox}.r.{number}.n")
}

/// The reply subject of a pack, whose first packet has this number.
pub(crate) fn reply_to_pack(
    inbox: &str,
    first: u64,
    inside: bool,
    call: Option<(Duration, u32)>,
    packets: u64,
) -> String {
    format!("{}.p{packets}", reply(inbox, first, inside, call, None))
}

/// Reads the reply subject of a packet; `None` for any other. The header is `None` if it cannot be read.
pub(crate) fn read_reply(subject: &str, now: impl FnOnce() -> Instant) -> Option<(Origin, Option<PacketHeader>)> {
    let (inbox, rest) = subject.rsplit_once(".r.")?;
    let (number, words) = rest.split_once('.').unwrap_or((rest, ""));
    let origin = Origin { inbox: inbox.into(), number: number.parse().ok()? };
    Some((origin, if words.is_empty() { Some(PacketHeader::default()) } else { read_header(words, now()) }))
}

fn read_header(words: &str, now: Instant) -> Option<PacketHeader> {
    let (mut inside, mut call, mut left, mut depth, mut pack, mut key) = (false, false, None, 0, None, None);
    for word in words.split('.') {
        match word.split_at_checked(1)? {
            ("i", "") => inside = true,
            // Both are answered.
            ("c" | "n", "") => call = true,
            ("d", number) => left = Some(Duration::from_millis(number.parse().ok()?)),
            ("w", number) => depth = number.parse().ok()?,
            // Any program may publish here, with any number.
            ("p", number) => pack = Some(number.parse::<u64>().ok()?.min(LARGEST_PACK)),
            ("k", number) => key = Some(number.parse().ok()?),
            // A later version may say more, but nothing that changes what the payload is: that needs another prefix.
            _ => {}
        }
    }
    // So much earlier than at the caller that the word of its end arrives there in time.
    let until = left.map(|left| now + left.saturating_sub((left / 10).max(Duration::from_millis(5))));
    Some(PacketHeader {
        inside,
        call: call.then_some(CallHeader { until, depth, or_send: false, queued: false }),
        pack,
        key,
    })
}

/// The numbers of the packets that a reply subject names: `rest` is the part behind `<inbox>.r.`.
pub(crate) fn read_numbers_of(rest: &str) -> Range<u64> {
    let mut words = rest.split('.');
    let Some(first) = words.next().and_then(|number| number.parse().ok()) else { return 0..0 };
    let packets: u64 = words.find_map(|word| word.strip_prefix('p')?.parse().ok()).unwrap_or(1);
    // Any program may publish here, with any number.
    first..first.saturating_add(packets.min(LARGEST_PACK))
}

/// Adds a packet to a pack.
pub(crate) fn add_to_pack(pack: &mut Vec<u8>, bytes: &[u8]) {
    // No payload of the server's is as long as the largest number.
    pack.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    pack.extend_from_slice(bytes);
}

/// The packets of a pack, up to the first that is not whole.
pub(crate) fn read_pack(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (packet, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        bytes = rest;
        Some(packet)
    })
}

/// The numbers, in payloads of so many bytes at most.
pub(crate) fn numbers(numbers: &[u64], most: usize) -> impl Iterator<Item = Vec<u8>> {
    numbers.chunks((most / 8).max(1)).map(|numbers| numbers.iter().flat_map(|number| number.to_be_bytes()).collect())
}

pub(crate) fn read_numbers(bytes: &[u8]) -> impl Iterator<Item = u64> {
    let (numbers, _) = bytes.as_chunks::<8>();
    numbers.iter().map(|number| u64::from_be_bytes(*number))
}

/// The bytes of an answer before its reply or text: number, length and status.
const BEFORE: usize = 8 + 4 + 1;

/// How many bytes [`add_answer`] adds.
pub(crate) fn size(answer: &Answer) -> usize {
    BEFORE + of_answer(answer).1.len()
}

/// Adds the answer to a packet to others.
pub(crate) fn add_answer(answers: &mut Vec<u8>, number: u64, answer: &Answer) {
    let (status, rest) = of_answer(answer);
    answers.extend_from_slice(&number.to_be_bytes());
    // No payload of the server's is as long as the largest number.
    answers.extend_from_slice(&u32::try_from(rest.len() + 1).unwrap_or(u32::MAX).to_be_bytes());
    answers.push(status);
    answers.extend_from_slice(rest);
}

/// The answers, with the numbers of their packets, up to the first that is not whole.
pub(crate) fn read_answers(mut bytes: &[u8]) -> impl Iterator<Item = (u64, Answer)> {
    std::iter::from_fn(move || {
        let (number, rest) = bytes.split_first_chunk::<8>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (answer, rest) = rest.split_at_checked(length)?;
        bytes = rest;
        Some((u64::from_be_bytes(*number), read_answer(answer)))
    })
}

fn of_answer(answer: &Answer) -> (u8, &[u8]) {
    match answer {
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
    }
}

fn read_answer(bytes: &[u8]) -> Answer {
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
    fn the_header_of_a_packet_comes_back_as_it_went() {
        let now = zctor::now();
        let read = |subject: &str| read_reply(subject, || now);
        let (origin, header) = read(&reply("_INBOX.a", 7, false, None, None)).expect("it is a packet's");
        assert_eq!((&*origin.inbox, origin.number), ("_INBOX.a", 7));
        assert!(matches!(header, Some(PacketHeader { inside: false, call: None, pack: None, .. })));
        let inside = read(&reply("a", 7, true, None, None));
        assert!(matches!(inside, Some((_, Some(PacketHeader { inside: true, call: None, pack: None, .. })))));
        let subject = reply("a", 7, true, Some((Duration::from_millis(100), 3)), Some(2));
        assert_eq!(subject.strip_prefix("a.r.").map(read_numbers_of), Some(7..8));
        let (_, header) = read(&subject).expect("it is a packet's");
        let PacketHeader { inside, call, key, .. } = header.expect("it can be read");
        let call = call.expect("it is one of a call");
        assert_eq!((inside, call.depth, call.until), (true, 3, Some(now + Duration::from_millis(90))));
        assert_eq!(key, Some(2));
        assert_eq!(split_key(b"key", key), Some((Some(&b"ke"[..]), &b"y"[..])));
        assert_eq!((split_key(b"k", key), split_key(b"k", None)), (None, Some((None, &b"k"[..]))));
        assert!(matches!(read("a.r.7.c.dx"), Some((_, None))));
        assert!(matches!(read("a.r.7.c.x9"), Some((_, Some(_)))), "a later version may say more");
        assert!(read("_INBOX.a.7").is_none() && read("a.r.x").is_none(), "other programs have reply subjects, too");
    }

    #[test]
    fn a_pack_comes_back_as_it_went() {
        let subject = reply_to_pack("a", 7, true, None, 3);
        assert_eq!(subject.strip_prefix("a.r.").map(read_numbers_of), Some(7..10));
        let (_, header) = read_reply(&subject, zctor::now).expect("it is a packet's");
        assert!(matches!(header, Some(PacketHeader { inside: true, call: None, pack: Some(3), .. })));
        let subject = reply_to_pack("a", 7, false, Some((Duration::from_millis(100), 2)), 3);
        assert_eq!(subject.strip_prefix("a.r.").map(read_numbers_of), Some(7..10));
        let (_, header) = read_reply(&subject, zctor::now).expect("it is a packet's");
        let call = header.filter(|header| header.pack == Some(3)).and_then(|header| header.call);
        assert_eq!(call.map(|call| call.depth), Some(2));
        let endless = read_reply(&reply_to_pack("a", 7, false, None, u64::MAX), zctor::now);
        assert!(matches!(endless, Some((_, Some(PacketHeader { pack: Some(LARGEST_PACK), .. })))), "{endless:?}");
        let packets: [&[u8]; 3] = [b"one", b"", b"three"];
        let mut pack = Vec::new();
        packets.iter().for_each(|packet| add_to_pack(&mut pack, packet));
        assert!(read_pack(&pack).eq(packets));
        pack.truncate(pack.len() - 1);
        assert_eq!(read_pack(&pack).count(), 2, "what is cut off in the middle is none");
    }

    #[test]
    fn a_text_is_cut_to_one_short_line() {
        assert_eq!(one_line("a\r\nb\tc", 100), "a  b c");
        assert_eq!((&*one_line("äöü", 3), &*one_line("a", 0)), ("ä", ""));
    }

    #[test]
    fn answers_come_back_as_they_went() {
        let said = [
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
        ];
        let mut bytes = Vec::new();
        for (number, answer) in (0..).zip(&said) {
            let before = bytes.len();
            add_answer(&mut bytes, number, answer);
            assert_eq!(bytes.len() - before, size(answer));
        }
        let read: Vec<(u64, Answer)> = read_answers(&bytes).collect();
        let expected: Vec<(u64, Answer)> = (0..).zip(said).collect();
        assert_eq!(format!("{read:?}"), format!("{expected:?}"));
        // A packet that is cut off in the middle is none.
        bytes.truncate(bytes.len() - 1);
        assert_eq!(read_answers(&bytes).count(), expected.len() - 1);
        assert!(matches!(read_answer(b""), Answer::Unfit(_)));
    }

    #[test]
    fn numbers_come_back_as_they_went() {
        let sent = [0, 7, u64::MAX];
        for (most, payloads) in [(1_000, 1), (24, 1), (23, 2), (8, 3), (0, 3)] {
            let bytes: Vec<Vec<u8>> = numbers(&sent, most).collect();
            assert_eq!(bytes.len(), payloads);
            assert!(bytes.iter().flat_map(|bytes| read_numbers(bytes)).eq(sent));
        }
    }
}
