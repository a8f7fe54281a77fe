//! A message of the client to itself. It comes back after all that the server has sent before: the client's own flush
//! waits for the socket alone.

use async_nats::{Client, Subscriber};
use futures_util::StreamExt;

pub(crate) struct Echo<'a> {
    client: &'a Client,
    inbox: String,
    back: Subscriber,
}

impl<'a> Echo<'a> {
    /// `None` if the client has ended.
    pub(crate) async fn open(client: &'a Client) -> Option<Self> {
        let inbox = client.new_inbox();
        let back = client.subscribe(inbox.clone()).await.ok()?;
        Some(Self { client, inbox, back })
    }

    /// Waits for the message to come back. `None` if the client has ended.
    pub(crate) async fn pass(&mut self) -> Option<()> {
        self.client.publish(self.inbox.clone(), Vec::new().into()).await.ok()?;
        self.back.next().await.map(drop)
    }
}
