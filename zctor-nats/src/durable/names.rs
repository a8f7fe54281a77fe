//! The names of a queue on the server.
//!
//! | name | is |
//! | --- | --- |
//! | `zctor.1.<namespace>.$q.<queue>.<name>` | the subject of an enum's messages in the queue |
//! | `zctor.1.<namespace>.$dead.<queue>.<name>` | that of its dead letters |
//! | `<namespace>-<queue>`, `<namespace>-<queue>-dead` | the two streams; dots of the namespace are `-` |
//! | the enum's name | the consumer of its messages; dots are `-` |
//!
//! So the queue `jobs` of the namespace `shop.eu` and the queue `eu-jobs` of `shop` have one name for their streams. The
//! subjects differ, and by those the second one is refused.

use crate::durable::WorkQueue;
use crate::error::BridgeError;

pub(crate) struct Names {
    pub(crate) queue: String,
    pub(crate) subject: String,
    pub(crate) stream: String,
    /// The subjects of the whole stream.
    pub(crate) subjects: String,
    pub(crate) consumer: String,
    pub(crate) dead_subject: String,
    pub(crate) dead_stream: String,
    pub(crate) dead_subjects: String,
}

impl Names {
    pub(crate) fn new(namespace: &str, queue: &WorkQueue, name: &str) -> Result<Self, BridgeError> {
        let queue = queue.name.clone();
        if queue.is_empty() || queue.contains(|c: char| c.is_whitespace() || c.is_control() || ".*>/\\".contains(c)) {
            let text = "its name is one word, without dots, spaces, `*`, `>` and slashes".to_owned();
            return Err(BridgeError::Queue { queue, text });
        }
        // Not that of the pools: streams keep what earlier versions have stored.
        let prefix = format!("zctor.1.{namespace}");
        let stream = format!("{}-{queue}", namespace.replace('.', "-"));
        Ok(Self {
            subject: format!("{prefix}.$q.{queue}.{name}"),
            subjects: format!("{prefix}.$q.{queue}.>"),
            consumer: name.replace('.', "-"),
            dead_subject: format!("{prefix}.$dead.{queue}.{name}"),
            dead_subjects: format!("{prefix}.$dead.{queue}.>"),
            dead_stream: format!("{stream}-dead"),
            stream,
            queue,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_queue_is_one_word() {
        let of = |queue: &str| Names::new("shop.eu", &WorkQueue::new(queue), "order.v2");
        for bad in ["", "two words", "a.b", "*", ">", "a/b"] {
            assert!(matches!(of(bad), Err(BridgeError::Queue { .. })), "{bad}");
        }
        let names = of("jobs").expect("it is one word");
        assert_eq!((&*names.stream, &*names.consumer), ("shop-eu-jobs", "order-v2"));
        assert_eq!(names.subject, "zctor.1.shop.eu.$q.jobs.order.v2");
        assert_eq!(names.dead_subject, "zctor.1.shop.eu.$dead.jobs.order.v2");
    }
}
