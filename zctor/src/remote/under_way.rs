//! A packet under way, at its sender: it ends once, with an acknowledgement, an answer, or without either.

use std::sync::Arc;

use crate::error::CallError;
use crate::event::{DeadLetter, Undelivered};
use crate::mailbox::Mailbox;
use crate::remote::ledger::{Ledger, TakenTogether};
use crate::remote::packet::{Answer, Receipt};
use crate::route::linked::HeldPermit;

/// A packet under way, at its sender. If it is dropped, nobody serves its pool.
pub(super) struct UnderWay {
    ledger: Arc<Ledger>,
    /// Taken out when it has ended.
    sender: Option<Sender>,
    permit: HeldPermit,
}

pub(super) enum Sender {
    Send(Sent),
    Call { message: &'static str, answer: Box<dyn FnOnce(Result<Vec<u8>, CallError>) + Send> },
}

/// A message that was sent, as a dead letter names it.
pub(super) struct Sent {
    pub(super) packet: DeadLetter,
    /// A hook has sent it: its loss is counted, and no hook is told.
    pub(super) from_hook: bool,
}

impl UnderWay {
    pub(super) fn new(ledger: &Arc<Ledger>, sender: Sender, permit: HeldPermit) -> Box<Self> {
        ledger.change(|books| match sender {
            Sender::Send(_) => books.accepted += 1,
            Sender::Call { .. } => books.called += 1,
        });
        Box::new(Self { ledger: Arc::clone(ledger), sender: Some(sender), permit })
    }

    /// A caller that learns of the end of its call finds it in the books; and a dead letter that is in the books has
    /// been reported.
    fn resolve(&mut self, answer: Answer) {
        match self.sender.take() {
            None => {}
            Some(Sender::Send(sent)) => {
                let why = answer.of_send();
                sent.lose(why, self.permit.mailbox());
                self.ledger.change(|books| books.lost(why));
            }
            Some(Sender::Call { message, answer: tell }) => {
                self.ledger.change(|books| books.ended += 1);
                tell(answer.of_call(message));
            }
        }
    }
}

impl Receipt for UnderWay {
    fn taken(&mut self) {
        self.taken_with(&mut TakenTogether::default());
    }

    fn taken_with(&mut self, others: &mut TakenTogether) {
        if let Some(Sender::Send(_)) = self.sender {
            self.sender = None;
            others.acked(&self.ledger);
        }
        if self.permit.is_held() {
            others.returned(&mut self.permit);
        }
    }

    fn lend_with(&mut self, others: &mut TakenTogether) {
        if self.permit.is_held() {
            others.returned(&mut self.permit);
        }
    }

    fn answer(mut self: Box<Self>, answer: Answer) {
        self.resolve(answer);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.resolve(Answer::Unreachable);
    }
}

impl Sent {
    /// `mailbox`: that which reports it.
    fn lose(self, why: Undelivered, mailbox: &Mailbox) {
        let incidents = &mailbox.engine.incidents;
        incidents.count(self.packet.message, 1, why);
        if !self.from_hook {
            incidents.tell_dead_letter(incidents.listener(), &DeadLetter { why, ..self.packet });
        }
    }
}
