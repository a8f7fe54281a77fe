//! A module without a prelude and with nothing allowed.
#![no_implicit_prelude]
#![forbid(dead_code, unsafe_code, unused, missing_docs, unreachable_pub)]

/// Messages.
#[::zctor::actor(ctx)]
pub(super) enum CounterMessage {
    /// Adds.
    Add(u64),
    /// Tells.
    #[reply(u64)]
    Read,
}

struct Counter(u64);

impl CounterHandler for Counter {
    fn add(&mut self, _: &mut ::zctor::Context<CounterMessage>, value: u64) {
        self.0 += value;
    }
    fn read(&mut self, _: &mut ::zctor::Context<CounterMessage>) -> u64 {
        self.0
    }
}

#[::core::prelude::v1::test]
fn compiles() {
    let _ = CounterMessage::actor(|| Counter(0));
}
