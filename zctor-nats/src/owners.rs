//! The search for processes that serve a partition already.
//!
//! The server says of a message with a reply subject that nobody listens to its own subject, before it echoes what was
//! published after that. A process that serves the subject drops such a message, since it is no bridge's. Two processes that
//! ask at the same moment both hear that nobody does.

use std::collections::HashSet;

use async_nats::{Client, StatusCode};
use futures_util::StreamExt;

/// Which of these subjects has a listener. `None` if the client has ended.
pub(crate) async fn find(client: &Client, subjects: &[String]) -> Option<HashSet<usize>> {
    let inbox = client.new_inbox();
    let mut answers = client.subscribe(format!("{inbox}.*")).await.ok()?;
    for (index, subject) in subjects.iter().enumerate() {
        let reply = format!("{inbox}.{index}");
        client.publish_with_reply(subject.clone(), reply, Vec::new().into()).await.ok()?;
    }
    client.publish(format!("{inbox}.end"), Vec::new().into()).await.ok()?;
    let mut owned: HashSet<usize> = (0..subjects.len()).collect();
    loop {
        let answer = answers.next().await?;
        match answer.subject.rsplit_once('.') {
            Some((_, "end")) => return Some(owned),
            Some((_, index)) if answer.status == Some(StatusCode::NO_RESPONDERS) => {
                owned.remove(&index.parse().ok()?);
            }
            _ => {}
        }
    }
}
