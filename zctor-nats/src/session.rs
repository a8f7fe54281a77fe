//! The client, for what goes beyond commands: work of its own on the thread of the connection.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use async_nats::Client;
use tokio::runtime::Handle;

use crate::heard::Hearing;
use crate::state::State;

#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) runtime: Handle,
    pub(crate) state: Arc<State>,
    pub(crate) hearing: Hearing,
}

impl Session {
    /// Has the thread of the connection do this, and waits for it. `None` if the bridge is closed.
    pub(crate) fn wait_for<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        self.begin(work).recv().ok()
    }

    /// Has the thread of the connection do this.
    pub(crate) fn begin<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> mpsc::Receiver<T> {
        let (tell, told) = mpsc::channel();
        self.runtime.spawn(async move { drop(tell.send(work.await)) });
        told
    }

    /// How long a request waits for its answer.
    pub(crate) fn patience(&self) -> Duration {
        self.state.patience
    }
}

/// The server's limit on a message is one on its headers, too.
const HEADERS: usize = 256;

/// How many bytes of small things that are said to another bridge go out together.
pub(crate) fn most_together(client: &Client) -> usize {
    client.max_payload().saturating_sub(HEADERS).min(32 * 1_024)
}

/// A text, if the server takes no payload of this size.
pub(crate) fn too_large(client: &Client, bytes: usize) -> Option<String> {
    let most = client.max_payload().saturating_sub(HEADERS);
    (bytes > most).then(|| format!("it has {bytes} bytes, and the NATS server takes {most}"))
}
