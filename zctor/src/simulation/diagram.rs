//! The steps of a run as a sequence diagram in the language of Mermaid, which many viewers of Markdown draw.
//!
//! An arrow with a solid line is a message on its way: a call has a filled head, a send an open one. The dashed line is a
//! reply. Steps that concern no other thread are not shown.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::id::InstanceId;
use crate::simulation::steps::{panic_text, returns_error, types};
use crate::sys::operation::Operation;
use crate::sys::simulated::record::{Call, Event, Record};

/// A column of the diagram: an instance, or a thread outside the engines.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Party {
    Instance(InstanceId),
    Outside(usize),
}

/// The diagram of a run.
pub(super) fn diagram(record: &Record) -> String {
    let mut diagram = Diagram::default();
    for (step, event) in record.events.iter().enumerate() {
        // It cannot fail: the text is a `String`.
        let _ = diagram.add(record, event);
        if returns_error(record, step) {
            let _ = diagram.note(event.thread, "ends with an error");
        }
    }
    let types = types(record);
    let mut text = "sequenceDiagram\n".to_owned();
    for (number, party) in diagram.parties.iter().enumerate() {
        let label = match party {
            Party::Outside(thread) => record.names[*thread].clone(),
            Party::Instance(id) => format!("{} {id}", types.get(id).copied().unwrap_or("?")),
        };
        let _ = writeln!(text, "    participant p{number} as {}", escaped(&label));
    }
    text + &diagram.lines
}

#[derive(Default)]
struct Diagram {
    parties: Vec<Party>,
    /// The instance whose handler began last, of each thread.
    begun: BTreeMap<usize, InstanceId>,
    lines: String,
}

impl Diagram {
    fn number(&mut self, party: Party) -> usize {
        self.parties.iter().position(|known| *known == party).unwrap_or_else(|| {
            self.parties.push(party);
            self.parties.len() - 1
        })
    }

    /// An instance, or the thread outside that takes its place.
    fn party(&mut self, instance: Option<InstanceId>, thread: usize) -> usize {
        self.number(instance.map_or(Party::Outside(thread), Party::Instance))
    }

    /// Adds what an event is drawn as, if it is.
    fn add(&mut self, record: &Record, event: &Event) -> std::fmt::Result {
        let thread = event.thread;
        match (event.operation, event.call) {
            (Operation::Deliver { verb, variant, from, to, .. }, _) => {
                let (from, to) = (self.party(from, thread), self.party(Some(to), thread));
                let (arrow, label) = match verb {
                    "call" => ("->>", variant.to_owned()),
                    "send" => ("-)", variant.to_owned()),
                    "order" => ("-)", "an order".to_owned()),
                    _ => ("-)", format!("a batch with {variant}")),
                };
                writeln!(self.lines, "    p{from}{arrow}p{to}: {}", escaped(&label))
            }
            (Operation::Begin { instance, variant, .. }, _) => {
                self.begun.insert(thread, instance);
                let over = self.party(Some(instance), thread);
                writeln!(self.lines, "    note over p{over}: {}", escaped(variant))
            }
            (Operation::Reply { .. }, Some(Call { thread, from, to, variant, .. })) => {
                let (caller, callee) = (self.party(from, thread), self.party(Some(to), thread));
                writeln!(self.lines, "    p{callee}-->>p{caller}: reply to {}", escaped(variant))
            }
            (Operation::To(verb @ ("give up" | "time is up for"), message), _) => {
                self.note(thread, &format!("{verb} {message}"))
            }
            (Operation::Plain(what), _) if what.contains("fault") => self.note(thread, what),
            (Operation::Panics(number), _) => self.note(thread, &format!("panics: {}", panic_text(record, number))),
            _ => Ok(()),
        }
    }

    fn note(&mut self, thread: usize, what: &str) -> std::fmt::Result {
        let over = self.party(self.begun.get(&thread).copied(), thread);
        writeln!(self.lines, "    note over p{over}: {}", escaped(what))
    }
}

/// A label that ends where it should: a semicolon or a hash would end it.
fn escaped(label: &str) -> String {
    label.chars().map(|c| if matches!(c, ';' | '#' | ':' | '\n' | '%') { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_label_ends_its_line() {
        assert_eq!(escaped("Cache<u8>; #1: a\nb"), "Cache<u8>   1  a b");
    }
}
