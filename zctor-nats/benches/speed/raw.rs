//! The client of NATS by itself: its runtime is on the thread that calls, and answers are given where they arrive.

use async_nats::{Client, RequestError};
use futures_util::StreamExt;
use tokio::runtime::{Builder, Runtime};
use zctor::now;

use crate::{CALLS, Outcome, SENDS};

const ECHO: &str = "speed.echo";
const NOTE: &str = "speed.note";

pub(crate) struct Raw {
    pub(crate) runtime: Runtime,
    pub(crate) client: Client,
}

impl Raw {
    pub(crate) fn connect(address: &str) -> Outcome<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let client = runtime.block_on(async_nats::connect(address))?;
        Ok(Self { runtime, client })
    }

    /// How long each call took, in microseconds.
    pub(crate) async fn calls(&self, payload: &str) -> Outcome<Vec<f64>> {
        let mut times = Vec::with_capacity(CALLS);
        for _ in 0..CALLS {
            let begun = now();
            self.call(payload).await?;
            times.push((now() - begun).as_secs_f64() * 1e6);
        }
        Ok(times)
    }

    pub(crate) async fn call(&self, payload: &str) -> Result<(), RequestError> {
        self.client.request(ECHO, payload.to_owned().into()).await.map(drop)
    }

    /// The last one is answered when all before it have arrived.
    pub(crate) async fn sends(&self, payload: &str) -> Outcome<()> {
        for _ in 1..SENDS {
            self.client.publish(NOTE, payload.to_owned().into()).await?;
        }
        self.client.request(NOTE, payload.to_owned().into()).await?;
        Ok(())
    }
}

/// Answers until the client ends.
pub(crate) async fn answer(client: &Client) -> Outcome<()> {
    let mut notes = client.queue_subscribe(NOTE, "z".to_owned()).await?;
    let mut calls = client.queue_subscribe(ECHO, "z".to_owned()).await?;
    client.flush().await?;
    let acknowledges = client.clone();
    tokio::spawn(async move {
        while let Some(message) = notes.next().await {
            if let Some(reply) = message.reply {
                acknowledges.publish(reply, "".into()).await.unwrap_or_default();
            }
        }
    });
    println!("serving");
    while let Some(message) = calls.next().await {
        if let Some(reply) = message.reply {
            client.publish(reply, message.payload).await?;
        }
    }
    Ok(())
}
