//! The way out to the server: packets, packs, acknowledgements, and answers to other bridges and programs.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::Subject;
use zctor::now;
use zctor::remote::transport::Answer;

use crate::connection::said::{Said, ToBridge};
use crate::connection::{LONGEST, Outbound, Outgoing};
use crate::error::Operation;
use crate::foreign::response;
use crate::session::{most_together, too_large};
use crate::under_way::Added;
use crate::wire::{self, Origin};

/// The header of a call as the other side is told: the time that is left, and the depth.
fn left((until, depth): (Instant, u32)) -> (Duration, u32) {
    (until.saturating_duration_since(now()).min(LONGEST), depth)
}

impl Outgoing {
    pub(super) async fn say(&self, said: &mut Said) {
        for (inbox, ToBridge { acks, answers }) in said.0.drain() {
            for acks in wire::numbers(&acks, most_together(&self.client)) {
                self.publish(format!("{inbox}.a"), acks).await;
            }
            if !answers.is_empty() {
                self.publish(format!("{inbox}.r"), answers).await;
            }
        }
    }

    pub(super) async fn send(&mut self, packet: Outbound) {
        let Outbound { subject, bytes, inside, call, key, held, lends, receipt } = packet;
        let since = held.as_ref().map(|held| held.since);
        let (key, bytes) = match key {
            None => (None, bytes),
            Some(key) => (Some(key.len()), [&*key, &*bytes].concat()),
        };
        if !self.state.await_connected(since).await {
            return receipt.answer(Answer::Unreachable);
        }
        if let Some(text) = too_large(&self.client, bytes.len()) {
            return receipt.answer(Answer::Unfit(text.into()));
        }
        if let Err(error) = self.hearing.permits(Operation::Publish, &subject) {
            return receipt.answer(Answer::Unfit(error.to_string().into()));
        }
        self.next += 1;
        let number = self.next;
        let added = Added { receipt, until: call.map(|(until, _)| until), lends: lends.then_some(bytes.len()) };
        self.under_way.add(number, &subject, [added], &mut self.lent);
        let reply = wire::reply(&self.inbox, number, inside, call.map(left), key);
        self.publish_packets(number..=number, since, subject, reply, bytes).await;
    }

    pub(super) async fn send_pack(&mut self, mut pack: Vec<Outbound>) {
        let Some(&Outbound { ref subject, inside, call, .. }) = pack.first() else { return };
        let newest = pack.iter().rev().find_map(|packet| packet.held.as_ref());
        let (subject, since) = (subject.clone(), newest.map(|held| held.since));
        let size = pack.iter().map(|packet| packet.bytes.len() + 4).sum();
        if !self.state.await_connected(since).await
            || too_large(&self.client, size).is_some()
            || self.hearing.permits(Operation::Publish, &subject).is_err()
        {
            // Each by itself finds out what stands against it.
            for packet in pack {
                self.send(packet).await;
            }
            return;
        }
        let (first, packets) = (self.next + 1, pack.len() as u64);
        self.next += packets;
        let until = |packet: &Outbound| packet.call.map(|(until, _)| until);
        let soonest = pack.iter().filter_map(until).min();
        let reply = {
            let call = call.zip(soonest).map(|((_, depth), until)| left((until, depth)));
            wire::reply_to_pack(&self.inbox, first, inside, call, packets)
        };
        // Until the pack has gone out: so long it holds up what comes behind it.
        let _held: Vec<_> = pack.iter_mut().filter_map(|packet| packet.held.take()).collect();
        let mut payload = Vec::with_capacity(size);
        pack.iter().for_each(|packet| wire::add_to_pack(&mut payload, &packet.bytes));
        let added = |packet: Outbound| Added {
            until: until(&packet),
            lends: packet.lends.then_some(packet.bytes.len()),
            receipt: packet.receipt,
        };
        self.under_way.add(first, &subject, pack.into_iter().map(added).collect::<Vec<_>>(), &mut self.lent);
        self.publish_packets(first..=self.next, since, subject, reply, payload).await;
    }

    /// Publishes packets that are under way. If that fails, they are answered.
    async fn publish_packets(
        &self,
        numbers: RangeInclusive<u64>,
        since: Option<Instant>,
        subject: Subject,
        reply: String,
        payload: Vec<u8>,
    ) {
        let why =
            match self.state.patiently(since, self.client.publish_with_reply(subject, reply, payload.into())).await {
                Some(Ok(())) => return,
                Some(Err(error)) => Some(Arc::<str>::from(error.to_string())),
                // The client takes no more until it is connected again.
                None => None,
            };
        self.under_way.answer(numbers.map(|number| (number, why.clone().map_or(Answer::Unreachable, Answer::Unfit))));
    }

    pub(super) async fn answer(&self, said: &mut Said, to: Origin, mut answer: Answer) {
        if let Some(text) = too_large(&self.client, wire::size(&answer)) {
            answer = Answer::Unfit(format!("its reply: {text}").into());
        }
        if let Some((inbox, answers)) = said.answer(to, &answer, most_together(&self.client)) {
            self.publish(format!("{inbox}.r"), answers).await;
        }
    }

    pub(super) async fn respond(&self, subject: String, answer: Answer) {
        let (mut payload, mut headers) = response(answer);
        if let Some(text) = too_large(&self.client, payload.len()) {
            (payload, headers) = response(Answer::Unfit(format!("its reply: {text}").into()));
        }
        match headers {
            None => self.publish(subject, payload).await,
            Some(headers) => {
                let publish = self.client.publish_with_headers(subject, headers, payload.into());
                drop(self.state.patiently(None, publish).await);
            }
        }
    }

    pub(super) async fn publish(&self, subject: impl Into<Subject>, payload: Vec<u8>) {
        // It fails for a payload that is too large, which only the books of a service may be, and when the client has ended.
        // A bridge or a program that waits for this in vain learns that when its time is up.
        if self.state.await_connected(None).await {
            self.state.patiently(None, self.client.publish(subject.into(), payload.into())).await;
        }
    }
}
