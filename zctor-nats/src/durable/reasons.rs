//! Why messages are dead letters that could not be stored yet. The server gives such a message out again, and does not know
//! why it is dead.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many are kept. Another process may have stored a dead letter of this one, so there has to be an end.
const MOST: usize = 1_024;

/// The reasons, by the ids of the dead letters, the oldest first.
#[derive(Default)]
pub(super) struct Reasons(Mutex<VecDeque<(String, String)>>);

impl Reasons {
    fn lock(&self) -> MutexGuard<'_, VecDeque<(String, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn keep(&self, id: String, reason: String) {
        let mut kept = self.lock();
        // While dead letters cannot be stored there is one for each try.
        kept.retain(|(before, _)| *before != id);
        if kept.len() == MOST {
            kept.pop_front();
        }
        kept.push_back((id, reason));
    }

    /// Takes the reason of this dead letter out.
    pub(super) fn take(&self, id: &str) -> Option<String> {
        let mut kept = self.lock();
        let index = kept.iter().position(|(kept, _)| kept == id)?;
        kept.remove(index).map(|(_, reason)| reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reasons_that_are_kept_have_an_end() {
        let reasons = Reasons::default();
        (0..=MOST).for_each(|number| reasons.keep(number.to_string(), format!("reason {number}")));
        assert_eq!(reasons.take("0"), None, "the oldest makes room");
        assert_eq!(reasons.take("1").as_deref(), Some("reason 1"));
        assert_eq!(reasons.take("1"), None);
        assert_eq!(reasons.lock().len(), MOST - 1);
    }

    /// Issue #17.
    #[test]
    fn a_message_has_one_reason_the_last() {
        let reasons = Reasons::default();
        ["first", "last"].iter().for_each(|reason| reasons.keep("1".to_owned(), (*reason).to_owned()));
        assert_eq!(reasons.take("1").as_deref(), Some("last"));
        assert_eq!(reasons.take("1"), None);
    }
}
