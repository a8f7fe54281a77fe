//! Packs: packets that go out as one message of the server, since that costs more than all else that is done with one.
//!
//! 1. A pack goes to one process. So of the sends that wait for the bridge it has no more than one in [`PARTS`], and those
//!    that are few go out one by one. Of the calls it may have all, but only while replies come soon from its subject
//!    (`under_way.rs`): to calls that take as long as the last ones it matters little which process has them. Calls of a
//!    slow variant that come behind those of a quick one go together too, until one of them is answered late: so some of
//!    them wait for each other in one process. Else calls go out one by one. No pack has more than [`MOST`] packets, or
//!    much more than [`MOST_BYTES`].
//! 2. A packet takes with it so many of those that follow it at once, if they are small, for the same subject, on the same
//!    terms, and of clients that are bound to no key. Anything else ends the pack, and goes out after it. So the order
//!    stays as it was.
//! 3. The numbers of a pack follow each other. Its packets are one by one what they would be without it: each is
//!    delivered, acknowledged, answered or refused by itself. Its calls have the deadline of the one that ends first.

use std::time::Duration;

use async_nats::Subject;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::connection::{Command, Outbound};
use crate::wire::LARGEST_PACK;

const MOST: usize = LARGEST_PACK as usize;
const MOST_BYTES: usize = 32 * 1_024;
/// Larger packets go out by themselves: the server's part in what they cost is small.
const SMALL: usize = 8 * 1_024;
/// In so many parts, at least, the sends that wait for the bridge are shared out.
const PARTS: usize = 16;
/// By so much the deadlines of the calls of a pack differ at most from that of its first one.
const ABOUT: Duration = Duration::from_millis(1);

/// The next message of the server: one packet, or a pack.
pub(crate) enum Next {
    One(Outbound),
    /// Two packets at least.
    Pack(Vec<Outbound>),
}

/// Takes a packet with those that go with it, and gives the command that follows them, if one was taken out.
pub(crate) fn gather(
    first: Outbound,
    orders: &mut UnboundedReceiver<Command>,
    calls_are_answered_soon: impl FnOnce(&Subject) -> bool,
) -> (Next, Option<Command>) {
    let waiting = orders.len();
    let most = match first.call {
        None => waiting / PARTS,
        Some(_) if waiting > 0 && calls_are_answered_soon(&first.subject) => waiting + 1,
        Some(_) => 1,
    };
    let most = most.min(MOST);
    if most < 2 || first.bytes.len() > SMALL || first.key.is_some() {
        return (Next::One(first), None);
    }
    let second = match orders.try_recv() {
        Ok(Command::Packet(next)) if goes_with(&next, &first) => next,
        other => return (Next::One(first), other.ok()),
    };
    let mut size = first.bytes.len() + second.bytes.len();
    let mut pack = Vec::with_capacity(most);
    pack.extend([first, second]);
    while pack.len() < most && size < MOST_BYTES {
        match orders.try_recv() {
            Ok(Command::Packet(next)) if goes_with(&next, &pack[0]) => {
                size += next.bytes.len();
                pack.push(next);
            }
            other => return (Next::Pack(pack), other.ok()),
        }
    }
    (Next::Pack(pack), None)
}

fn goes_with(packet: &Outbound, first: &Outbound) -> bool {
    let on_same_terms = match (packet.call, first.call) {
        (None, None) => true,
        (Some((one, depth)), Some((other, of_first))) => depth == of_first && one.max(other) - one.min(other) <= ABOUT,
        _ => false,
    };
    on_same_terms
        && packet.key.is_none()
        && packet.bytes.len() <= SMALL
        && packet.subject == first.subject
        && packet.inside == first.inside
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;
    use std::time::Instant;

    use tokio::sync::mpsc::unbounded_channel;
    use zctor::now;

    use super::*;

    /// One deadline for all calls: to make them may take longer than [`ABOUT`].
    static UNTIL: LazyLock<Instant> = LazyLock::new(now);

    fn packet(subject: &str, number: u8, size: usize, is_call: bool) -> Outbound {
        let call = is_call.then(|| (*UNTIL, 0));
        let bytes = [vec![number], vec![0; size]].concat();
        Outbound { call, ..Outbound::untold(subject, bytes) }
    }

    /// The numbers of what goes out together, one after the other.
    fn gathered(packets: Vec<Outbound>) -> Vec<Vec<u8>> {
        gathered_while(true, packets)
    }

    fn gathered_while(calls_are_answered_soon: bool, packets: Vec<Outbound>) -> Vec<Vec<u8>> {
        let (commands, mut orders) = unbounded_channel();
        packets.into_iter().for_each(|packet| drop(commands.send(Command::Packet(packet))));
        let (mut out, mut next) = (Vec::new(), None);
        while let Some(Command::Packet(first)) = next.take().or_else(|| orders.try_recv().ok()) {
            let (gathered, follows) = gather(first, &mut orders, |_| calls_are_answered_soon);
            next = follows;
            out.push(match gathered {
                Next::One(packet) => vec![packet.bytes[0]],
                Next::Pack(pack) if pack.len() < 2 => panic!("a pack of one"),
                Next::Pack(pack) => pack.iter().map(|packet| packet.bytes[0]).collect(),
            });
        }
        out
    }

    #[test]
    fn few_sends_go_out_one_by_one() {
        let few = (0..2 * PARTS as u8).map(|number| packet("a", number, 1, false)).collect();
        assert!(gathered(few).into_iter().eq((0..2 * PARTS as u8).map(|number| vec![number])));
    }

    #[test]
    fn many_sends_go_out_in_packs_in_the_order_in_which_they_came() {
        let many = (0..1_000).map(|number| packet("a", number as u8, 1, false)).collect();
        let out = gathered(many);
        assert_eq!(out[0].len(), MOST);
        // Each pack has its share of the packets that are left, so the last packets go one by one.
        let mut left = 1_000;
        for pack in &out {
            assert!(pack.len() <= (left / PARTS).max(1), "{} of {left}", pack.len());
            left -= pack.len();
        }
        assert_eq!(out.last().map(Vec::len), Some(1));
        assert!(out.concat().into_iter().eq((0..1_000).map(|number| number as u8)));
    }

    #[test]
    fn whatever_differs_ends_a_pack() {
        let differs = |number: u8| match number % 10 {
            3 => packet("b", number, 1, false),
            5 => packet("a", number, SMALL + 1, false),
            7 => packet("a", number, 1, true),
            9 => Outbound { inside: true, ..packet("a", number, 1, false) },
            _ => packet("a", number, 1, false),
        };
        let out = gathered((0..200).map(differs).collect());
        assert_eq!(out[..8], [vec![0, 1, 2], vec![3], vec![4], vec![5], vec![6], vec![7], vec![8], vec![9]]);
        assert!(out.concat().into_iter().eq(0..200));
    }

    #[test]
    fn a_pack_is_no_larger_than_its_bytes() {
        let out = gathered((0..1_000).map(|number| packet("a", number as u8, SMALL - 1, false)).collect());
        assert_eq!(out[0].len(), MOST_BYTES / SMALL);
    }

    #[test]
    fn calls_go_out_in_packs_while_they_are_answered_soon() {
        let calls = || (0..100).map(|number| packet("a", number, 1, true)).collect();
        let out = gathered(calls());
        assert!(out.iter().map(Vec::len).eq([MOST, MOST, MOST, 4]), "{out:?}");
        assert!(out.concat().into_iter().eq(0..100));
        assert!(gathered_while(false, calls()).into_iter().eq((0..100).map(|number| vec![number])));
    }

    #[test]
    fn calls_on_other_terms_go_out_by_themselves() {
        let (until, depth) = (now() + Duration::from_secs(1), 1);
        let on = |number, call| Outbound { call: Some(call), ..packet("a", number, 1, true) };
        let call = |number: u8| match number % 10 {
            3 => on(number, (until, depth + 1)),
            6 => on(number, (until + 2 * ABOUT, depth)),
            8 => on(number, (until + ABOUT, depth)),
            _ => on(number, (until, depth)),
        };
        let out = gathered((0..100).map(call).collect());
        assert_eq!(out[..5], [vec![0, 1, 2], vec![3], vec![4, 5], vec![6], vec![7, 8, 9, 10, 11, 12]]);
        assert!(out.concat().into_iter().eq(0..100));
    }
}
