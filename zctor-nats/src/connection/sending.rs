//! What goes out: packets, packs of them, and what is said to other bridges and programs.

use std::sync::Arc;

use async_nats::Subject;
use zctor::now;
use zctor::remote::transport::Answer;

use crate::connection::said::{Said, ToBridge};
use crate::connection::{LONGEST, Outbound, Outgoing};
use crate::error::Operation;
use crate::foreign::response;
use crate::pack::Pack;
use crate::session::{most_together, too_large};
use crate::wire::{self, Origin};

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
        let Outbound { subject, bytes, inside, call, key, since, receipt } = packet;
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
        self.under_way.add(number, receipt, subject.clone(), call.map(|(until, _)| until));
        let call = call.map(|(until, depth)| (until.saturating_duration_since(now()).min(LONGEST), depth));
        let reply = wire::reply(&self.inbox, number, inside, call, key);
        let published = self.state.patiently(since, self.client.publish_with_reply(subject, reply, bytes.into())).await;
        match published {
            Some(Ok(())) => {}
            Some(Err(error)) => self.under_way.answer(number, Answer::Unfit(error.to_string().into())),
            // The client takes no more until it is connected again.
            None => self.under_way.answer(number, Answer::Unreachable),
        }
    }

    pub(super) async fn send_pack(&mut self, pack: Pack) {
        let Pack { subject, inside, since, sends } = pack;
        let size = sends.iter().map(|(bytes, _)| bytes.len() + 4).sum();
        if !self.state.await_connected(since).await
            || too_large(&self.client, size).is_some()
            || self.hearing.permits(Operation::Publish, &subject).is_err()
        {
            // Each by itself finds out what stands against it.
            for (bytes, receipt) in sends {
                self.send(Outbound { subject: subject.clone(), bytes, inside, call: None, key: None, since, receipt })
                    .await;
            }
            return;
        }
        let (first, mut payload) = (self.next + 1, Vec::with_capacity(size));
        for (bytes, receipt) in sends {
            self.next += 1;
            wire::add_to_pack(&mut payload, &bytes);
            self.under_way.add(self.next, receipt, subject.clone(), None);
        }
        let numbers = first..=self.next;
        let reply = wire::reply_to_pack(&self.inbox, first, inside, self.next + 1 - first);
        let answer =
            match self.state.patiently(since, self.client.publish_with_reply(subject, reply, payload.into())).await {
                Some(Ok(())) => return,
                Some(Err(error)) => Answer::Unfit(error.to_string().into()),
                // The client takes no more until it is connected again.
                None => Answer::Unreachable,
            };
        for number in numbers {
            let answer =
                if let Answer::Unfit(text) = &answer { Answer::Unfit(Arc::clone(text)) } else { Answer::Unreachable };
            self.under_way.answer(number, answer);
        }
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
        // Whoever waits for this in vain is told by the time.
        if self.state.await_connected(None).await {
            self.state.patiently(None, self.client.publish(subject.into(), payload.into())).await;
        }
    }
}
