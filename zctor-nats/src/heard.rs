//! The words of the server on this connection: how far it has come with its orders, and what it does not permit.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use zctor::now;

use crate::error::{BridgeError, Operation};
use crate::wire::ROOT;

/// The words of the server on one connection, and a way to wait for the next.
#[derive(Clone)]
pub(crate) struct Hearing(watch::Sender<Heard>);

#[derive(Default)]
struct Heard {
    /// The number of the last message to itself that has come back.
    echo: u64,
    /// The refusals since the client was connected, each with its time.
    refused: HashMap<(Operation, String), Instant>,
    /// By which subjects the bridge hears of its messages, once it is known.
    inbox: Option<String>,
}

/// How long a refusal counts. The server may be given other permissions meanwhile, and does not tell of that.
const COUNTS: Duration = Duration::from_secs(5);

impl Heard {
    /// Only of these refusals somebody wants to know: the reply subjects of others are new each time, and would be kept
    /// without an end.
    fn is_of_interest(&self, subject: &str) -> bool {
        subject.starts_with(ROOT) || self.inbox.as_ref().is_some_and(|inbox| subject.starts_with(inbox))
    }

    fn is_refused(&self, what: &(Operation, String)) -> bool {
        self.refused.get(what).is_some_and(|since| now().saturating_duration_since(*since) < COUNTS)
    }
}

impl Hearing {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(Heard::default()))
    }

    /// A message of this bridge to itself has come back. The message of an attempt which was given up may come after that
    /// of the next attempt: the greatest number stays.
    pub(crate) fn echoed(&self, number: u64) {
        self.0.send_modify(|heard| heard.echo = heard.echo.max(number));
    }

    /// The bridge hears of its messages by subjects that begin with this.
    pub(crate) fn hears_by(&self, inbox: &str) {
        self.0.send_modify(|heard| heard.inbox = Some(inbox.to_owned()));
    }

    pub(crate) fn refused(&self, operation: Operation, subject: String) {
        self.0.send_if_modified(|heard| {
            let counts = heard.is_of_interest(&subject);
            if counts {
                heard.refused.insert((operation, subject), now());
            }
            counts
        });
    }

    /// The server is to be asked again. Gives whether it has refused this the last time, however long ago.
    pub(crate) fn forget(&self, operation: Operation, subject: &str) -> bool {
        let mut was_refused = false;
        self.0.send_modify(|heard| was_refused = heard.refused.remove(&(operation, subject.to_owned())).is_some());
        was_refused
    }

    /// The client is connected anew, perhaps with other permissions.
    pub(crate) fn forget_refusals(&self) {
        self.0.send_modify(|heard| heard.refused.clear());
    }

    /// Whether the server has refused this just now.
    pub(crate) fn is_refused(&self, operation: Operation, subject: &str) -> bool {
        let heard = self.0.borrow();
        // Most bridges are refused nothing.
        !heard.refused.is_empty() && heard.is_refused(&(operation, subject.to_owned()))
    }

    /// The error, if the server has refused this.
    pub(crate) fn permits(&self, operation: Operation, subject: &str) -> Result<(), BridgeError> {
        match self.is_refused(operation, subject) {
            true => Err(BridgeError::Permission { operation, subject: subject.to_owned() }),
            false => Ok(()),
        }
    }

    /// Waits until the server has refused this.
    pub(crate) async fn refusal(&self, operation: Operation, subject: &str) -> BridgeError {
        let refused = (operation, subject.to_owned());
        // It cannot fail: the sender is here.
        drop(self.0.subscribe().wait_for(|heard| heard.is_refused(&refused)).await);
        BridgeError::Permission { operation, subject: refused.1 }
    }

    /// Waits until this message to itself has come back, or the server has refused it, or to hear it.
    pub(crate) async fn echo(&self, number: u64, subject: &str, heard_by: &str) -> Result<(), BridgeError> {
        let (publish, subscribe) =
            ((Operation::Publish, subject.to_owned()), (Operation::Subscribe, heard_by.to_owned()));
        let mut heard = self.0.subscribe();
        let is_refused = |heard: &Heard| heard.is_refused(&publish) || heard.is_refused(&subscribe);
        // It cannot fail: the sender is here.
        drop(heard.wait_for(|heard| heard.echo >= number || is_refused(heard)).await);
        self.permits(subscribe.0, heard_by).and_then(|()| self.permits(publish.0, subject))
    }
}

/// Reads which operation the server does not permit, if the text says that:
/// `Permissions Violation for Publish to "some.subject"`, or `.. Subscription to "some.subject" using queue "z"`.
pub(crate) fn read_refusal(text: &str) -> Option<(Operation, String)> {
    let (what, rest) = text.strip_prefix("Permissions Violation for ")?.split_once(" to \"")?;
    let operation = match what {
        "Publish" => Operation::Publish,
        "Subscription" => Operation::Subscribe,
        _ => return None,
    };
    rest.split_once('"').map(|(subject, _)| (operation, subject.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_refuses_is_read() {
        let published = read_refusal("Permissions Violation for Publish to \"a.b\"");
        assert_eq!(published, Some((Operation::Publish, "a.b".to_owned())));
        let subscribed = read_refusal("Permissions Violation for Subscription to \"a.>\" using queue \"z\"");
        assert_eq!(subscribed, Some((Operation::Subscribe, "a.>".to_owned())));
        assert_eq!(read_refusal("Stale Connection"), None);
    }

    #[test]
    fn a_refusal_holds_until_the_next_connection() {
        let hearing = Hearing::new();
        assert!(hearing.permits(Operation::Publish, "zctor.3.a").is_ok());
        hearing.refused(Operation::Publish, "zctor.3.a".to_owned());
        assert!(hearing.is_refused(Operation::Publish, "zctor.3.a"));
        assert!(!hearing.is_refused(Operation::Subscribe, "zctor.3.a"));
        let error = hearing.permits(Operation::Publish, "zctor.3.a").expect_err("it is refused");
        assert!(error.to_string().contains("publish to `zctor.3.a`"), "{error}");
        hearing.forget_refusals();
        assert!(hearing.permits(Operation::Publish, "zctor.3.a").is_ok());
    }

    /// Issue #17.
    #[test]
    fn a_refusal_that_is_forgotten_or_old_counts_no_more() {
        let hearing = Hearing::new();
        hearing.refused(Operation::Publish, "zctor.3.a".to_owned());
        assert!(hearing.forget(Operation::Publish, "zctor.3.a") && !hearing.forget(Operation::Publish, "zctor.3.a"));
        assert!(!hearing.is_refused(Operation::Publish, "zctor.3.a"));
        let Some(long_ago) = now().checked_sub(COUNTS) else { return };
        hearing.0.send_modify(|heard| {
            heard.refused.insert((Operation::Publish, "zctor.3.a".to_owned()), long_ago);
        });
        assert!(!hearing.is_refused(Operation::Publish, "zctor.3.a"));
    }

    /// Issue #17.
    #[test]
    fn refused_replies_to_others_are_not_kept() {
        let hearing = Hearing::new();
        hearing.hears_by("_INBOX.worker.own");
        for number in 0..100 {
            hearing.refused(Operation::Publish, format!("_INBOX.web.other.r.{number}"));
        }
        assert!(hearing.0.borrow().refused.is_empty());
        hearing.refused(Operation::Publish, "_INBOX.worker.own.s.1".to_owned());
        assert!(hearing.is_refused(Operation::Publish, "_INBOX.worker.own.s.1"));
    }
}
