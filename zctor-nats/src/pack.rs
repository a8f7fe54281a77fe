//! Packs: sends that go out as one message of the server, when more wait for the bridge than it can keep up with.
//!
//! 1. A send goes out by itself as long as less than [`MANY`] commands wait behind it. A pack goes to one process, so
//!    what is sent in small numbers is shared out one by one.
//! 2. Else it takes with it the sends that follow it at once, if they are for the same subject, small, and of clients that
//!    are bound to no key: up to [`MOST`], and [`MOST_BYTES`]. Anything else ends the pack, and goes out after it. So the order stays as it was.
//! 3. The numbers of a pack follow each other. Its packets are one by one what they would be without it: each is
//!    delivered, acknowledged or refused by itself.

use std::time::Instant;

use async_nats::Subject;
use tokio::sync::mpsc::UnboundedReceiver;
use zctor::remote::transport::Receipt;

use crate::connection::{Command, Outbound};
use crate::wire::LARGEST_PACK;

const MANY: usize = 64;
const MOST: usize = LARGEST_PACK as usize;
const MOST_BYTES: usize = 8 * 1_024;
/// Larger sends go out by themselves: the server's part in what they cost is small.
const SMALL: usize = 512;

/// Sends for one subject, two at least.
pub(crate) struct Pack {
    pub(crate) subject: Subject,
    /// Whether handlers have sent them.
    pub(crate) inside: bool,
    /// When the last of them was given to the bridge, if they hold their senders back while nothing goes out.
    pub(crate) since: Option<Instant>,
    pub(crate) sends: Vec<(Vec<u8>, Box<dyn Receipt>)>,
}

/// What is to go out next.
pub(crate) enum Next {
    One(Outbound),
    Pack(Pack),
}

/// Takes a packet with those that go with it, and gives the command that follows them, if one was taken out.
pub(crate) fn gather(first: Outbound, orders: &mut UnboundedReceiver<Command>) -> (Next, Option<Command>) {
    if !fits(&first) || orders.len() < MANY {
        return (Next::One(first), None);
    }
    let second = match orders.try_recv() {
        Ok(Command::Packet(next)) if goes_with(&next, &first.subject, first.inside) => next,
        other => return (Next::One(first), other.ok()),
    };
    let Outbound { subject, bytes, inside, receipt, since, .. } = first;
    let mut size = bytes.len() + second.bytes.len();
    let (since, sends) = (second.since.or(since), vec![(bytes, receipt), (second.bytes, second.receipt)]);
    let mut pack = Pack { subject, inside, since, sends };
    while pack.sends.len() < MOST && size < MOST_BYTES {
        match orders.try_recv() {
            Ok(Command::Packet(next)) if goes_with(&next, &pack.subject, inside) => {
                size += next.bytes.len();
                pack.since = next.since.or(pack.since);
                pack.sends.push((next.bytes, next.receipt));
            }
            other => return (Next::Pack(pack), other.ok()),
        }
    }
    (Next::Pack(pack), None)
}

fn goes_with(packet: &Outbound, subject: &Subject, inside: bool) -> bool {
    fits(packet) && packet.subject == *subject && packet.inside == inside
}

fn fits(packet: &Outbound) -> bool {
    packet.call.is_none() && packet.key.is_none() && packet.bytes.len() <= SMALL
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;
    use zctor::now;

    use super::*;

    fn packet(subject: &str, number: u8, size: usize, is_call: bool) -> Outbound {
        let call = is_call.then(|| (now(), 0));
        let bytes = [vec![number], vec![0; size]].concat();
        Outbound { call, ..Outbound::untold(subject, bytes) }
    }

    /// The numbers of what goes out together, one after the other.
    fn gathered(packets: Vec<Outbound>) -> Vec<Vec<u8>> {
        let (commands, mut orders) = unbounded_channel();
        packets.into_iter().for_each(|packet| drop(commands.send(Command::Packet(packet))));
        let (mut out, mut next) = (Vec::new(), None);
        while let Some(Command::Packet(first)) = next.take().or_else(|| orders.try_recv().ok()) {
            let (gathered, follows) = gather(first, &mut orders);
            next = follows;
            out.push(match gathered {
                Next::One(packet) => vec![packet.bytes[0]],
                Next::Pack(pack) if pack.sends.len() < 2 => panic!("a pack of one"),
                Next::Pack(pack) => pack.sends.iter().map(|(bytes, _)| bytes[0]).collect(),
            });
        }
        out
    }

    #[test]
    fn few_sends_go_out_one_by_one() {
        let few = (0..MANY as u8).map(|number| packet("a", number, 1, false)).collect();
        assert!(gathered(few).into_iter().eq((0..MANY as u8).map(|number| vec![number])));
    }

    #[test]
    fn many_sends_go_out_in_packs_in_the_order_in_which_they_came() {
        let many = (0..200).map(|number| packet("a", number, 1, false)).collect();
        let out = gathered(many);
        assert!(out[0].iter().copied().eq(0..MOST as u8), "{out:?}");
        // The last ones are few.
        assert_eq!(out.last(), Some(&vec![199]));
        assert!(out.concat().into_iter().eq(0..200));
    }

    #[test]
    fn whatever_differs_ends_a_pack() {
        let differs = |number: u8| match number % 10 {
            3 => packet("b", number, 1, false),
            5 => packet("a", number, SMALL, false),
            7 => packet("a", number, 1, true),
            9 => Outbound { inside: true, ..packet("a", number, 1, false) },
            _ => packet("a", number, 1, false),
        };
        let out = gathered((0..100).map(differs).collect());
        assert_eq!(out[..8], [vec![0, 1, 2], vec![3], vec![4], vec![5], vec![6], vec![7], vec![8], vec![9]]);
        assert!(out.concat().into_iter().eq(0..100));
    }

    #[test]
    fn a_pack_is_no_larger_than_its_bytes() {
        let out = gathered((0..200).map(|number| packet("a", number, SMALL - 1, false)).collect());
        assert_eq!(out[0].len(), MOST_BYTES / SMALL);
    }
}
