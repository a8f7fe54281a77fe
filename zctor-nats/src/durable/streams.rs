//! The streams and the consumer of a queue: made if they are missing, and else checked.

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::context::RequestErrorKind;
use async_nats::jetstream::response::Response;
use async_nats::jetstream::stream::{Config, ConsumerErrorKind, DiscardPolicy, Info, RetentionPolicy};
use async_nats::jetstream::{Context, ErrorCode};

use crate::durable::WorkQueue;
use crate::durable::names::Names;
use crate::error::BridgeError;

/// Makes or checks the stream of a queue, and that of its dead letters.
pub(crate) async fn make_or_check(context: &Context, names: &Names, queue: &WorkQueue) -> Result<(), BridgeError> {
    let jobs = Config {
        name: names.stream.clone(),
        subjects: vec![names.subjects.clone()],
        retention: RetentionPolicy::WorkQueue,
        discard: DiscardPolicy::New,
        max_messages: queue.max_messages.map_or(-1, i64::from),
        ..Config::default()
    };
    let limit = queue.max_messages.map(i64::from);
    one(context, names, jobs, limit).await?;
    let dead =
        Config { name: names.dead_stream.clone(), subjects: vec![names.dead_subjects.clone()], ..Config::default() };
    one(context, names, dead, None).await
}

async fn one(context: &Context, names: &Names, wanted: Config, limit: Option<i64>) -> Result<(), BridgeError> {
    let told = |text: String| BridgeError::Queue { queue: names.queue.clone(), text };
    match ask(context, names, format!("STREAM.INFO.{}", wanted.name), None).await? {
        Response::Ok(info) => check(&info.config, &wanted, limit).map_err(told),
        Response::Err { error } if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {
            match ask(context, names, format!("STREAM.CREATE.{}", wanted.name), Some(&wanted)).await? {
                Response::Ok(_) => Ok(()),
                Response::Err { error } => {
                    Err(told(format!("the server does not make the stream `{}`: {error}", wanted.name)))
                }
            }
        }
        Response::Err { error } => Err(told(refusal(&error))),
    }
}

async fn ask(
    context: &Context,
    names: &Names,
    subject: String,
    payload: Option<&Config>,
) -> Result<Response<Info>, BridgeError> {
    context.request(subject, &payload).await.map_err(|error| match error.kind() {
        RequestErrorKind::NoResponders => no_jetstream(names),
        RequestErrorKind::TimedOut => BridgeError::Disconnected,
        _ => BridgeError::Queue { queue: names.queue.clone(), text: error.to_string() },
    })
}

fn no_jetstream(names: &Names) -> BridgeError {
    let text = "the NATS server has no JetStream, which keeps work queues; start it with `-js`, or write `jetstream {}` \
                into its configuration";
    BridgeError::Queue { queue: names.queue.clone(), text: text.to_owned() }
}

fn refusal(error: &async_nats::jetstream::Error) -> String {
    match error.error_code() {
        ErrorCode::JETSTREAM_NOT_ENABLED | ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT => {
            "JetStream, which keeps work queues, is not enabled for this account; enable it in the server's configuration"
                .to_owned()
        }
        _ => format!("the server says: {error}"),
    }
}

/// An error says in which way the stream on the server is not the queue's.
fn check(found: &Config, wanted: &Config, limit: Option<i64>) -> Result<(), String> {
    let name = &wanted.name;
    let other = "delete it, or give the queue another name";
    if found.retention != wanted.retention {
        return Err(format!("the stream `{name}` is there with a retention of {:?}; {other}", found.retention));
    }
    if !wanted.subjects.iter().all(|subject| found.subjects.contains(subject)) {
        let (is, needs) = (found.subjects.join(", "), wanted.subjects.join(", "));
        return Err(format!("the stream `{name}` is there for the subjects {is}, and not for {needs}; {other}"));
    }
    if wanted.retention == RetentionPolicy::WorkQueue {
        keeps(found)?;
    }
    match limit {
        Some(limit) if limit != found.max_messages => Err(format!(
            "the stream `{name}` is there with a limit of {} messages, and not of {limit}; state the same everywhere, \
             or change it: `nats stream edit {name} --max-msgs {limit}`",
            found.max_messages
        )),
        _ => Ok(()),
    }
}

/// An error says by which setting the stream on the server would lose messages after it has said that they are stored,
/// or would never say so.
fn keeps(found: &Config) -> Result<(), String> {
    let is_limited = found.max_messages > 0 || found.max_bytes > 0;
    let refuses = found.discard == DiscardPolicy::New;
    let subjects_are_limited = found.max_messages_per_subject > 0 && !(refuses && found.discard_new_per_subject);
    let (is, change) = match () {
        () if found.no_ack => ("does not say what it has stored", "--ack"),
        () if !found.max_age.is_zero() => ("drops messages that are old", "--max-age 0s"),
        () if is_limited && !refuses => ("drops its oldest messages when it is full", "--discard new"),
        () if subjects_are_limited => ("drops the oldest messages of a subject", "--max-msgs-per-subject=-1"),
        () => return Ok(()),
    };
    let name = &found.name;
    Err(format!("the stream `{name}` is there, and {is}; change it: `nats stream edit {name} {change}`"))
}

/// Makes the consumer of the enum, or brings it up to date.
pub(crate) async fn consumer(context: &Context, names: &Names, queue: &WorkQueue) -> Result<PullConsumer, BridgeError> {
    let config = pull::Config {
        durable_name: Some(names.consumer.clone()),
        filter_subject: names.subject.clone(),
        ack_policy: AckPolicy::Explicit,
        ack_wait: queue.ack_wait,
        // The tries are counted where the reason of the last one is known. The server would keep the message for ever.
        max_deliver: -1,
        // Each process limits its own.
        max_ack_pending: -1,
        ..pull::Config::default()
    };
    context.create_consumer_on_stream(config, &names.stream).await.map_err(|error| match error.kind() {
        ConsumerErrorKind::TimedOut => BridgeError::Disconnected,
        _ => BridgeError::Queue {
            queue: names.queue.clone(),
            text: format!("the server does not make the consumer `{}`: {error}", names.consumer),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_stream_that_does_not_fit_is_told() {
        let wanted = Config {
            name: "shop-jobs".to_owned(),
            subjects: vec!["a.>".to_owned()],
            retention: RetentionPolicy::WorkQueue,
            discard: DiscardPolicy::New,
            ..Config::default()
        };
        let found = Config { max_messages: 5, ..wanted.clone() };
        assert_eq!(check(&found, &wanted, None), Ok(()));
        assert_eq!(check(&found, &wanted, Some(5)), Ok(()));
        let told = |found: &Config, limit| check(found, &wanted, limit).expect_err("it does not fit");
        assert!(told(&found, Some(6)).contains("nats stream edit shop-jobs --max-msgs 6"));
        let limits = Config { retention: RetentionPolicy::Limits, ..found.clone() };
        assert!(told(&limits, None).contains("retention of Limits; delete it"));
        let other = Config { subjects: vec!["b".to_owned()], ..found };
        assert!(told(&other, None).contains("for the subjects b, and not for a.>"));

        let old = Config { discard: DiscardPolicy::Old, ..wanted.clone() };
        assert_eq!(check(&old, &wanted, None), Ok(()), "it has no limit");
        for (found, expected) in [
            (Config { no_ack: true, ..wanted.clone() }, "nats stream edit shop-jobs --ack`"),
            (Config { max_age: Duration::from_secs(1), ..wanted.clone() }, "nats stream edit shop-jobs --max-age 0s`"),
            (Config { max_messages: 5, ..old.clone() }, "nats stream edit shop-jobs --discard new`"),
            (Config { max_bytes: 5, ..old.clone() }, "nats stream edit shop-jobs --discard new`"),
            (Config { max_messages_per_subject: 5, ..wanted.clone() }, "--max-msgs-per-subject=-1`"),
        ] {
            let text = told(&found, None);
            assert!(text.contains(expected), "{text}");
        }
    }
}
