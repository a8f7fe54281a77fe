//! The acknowledgements and answers that other bridges are to hear.

use std::collections::HashMap;
use std::sync::Arc;

use zctor::remote::transport::Answer;

use crate::wire::{self, Origin};

/// The acknowledgements and answers, by the inboxes of the bridges: those for one bridge go out together.
#[derive(Default)]
pub(super) struct Said(pub(super) HashMap<Arc<str>, ToBridge>);

#[derive(Default)]
pub(super) struct ToBridge {
    /// The numbers of the packets that are to be acknowledged.
    pub(super) acks: Vec<u64>,
    pub(super) answers: Vec<u8>,
}

impl Said {
    /// Adds so many packets, of which this is the first.
    pub(super) fn acknowledge(&mut self, to: Origin, packets: usize) {
        self.0.entry(to.inbox).or_default().acks.extend((to.number..=u64::MAX).take(packets));
    }

    /// Adds an answer. Gives those before it if they go out without it: together they would be more than `most` bytes.
    pub(super) fn answer(&mut self, to: Origin, answer: &Answer, most: usize) -> Option<(Arc<str>, Vec<u8>)> {
        let inbox = Arc::clone(&to.inbox);
        let answers = &mut self.0.entry(to.inbox).or_default().answers;
        let is_full = !answers.is_empty() && answers.len() + wire::size(answer) > most;
        let before = is_full.then(|| (inbox, std::mem::take(answers)));
        wire::add_answer(answers, to.number, answer);
        before
    }
}
