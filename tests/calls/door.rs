//! An actor that is held at a gate, and counts its knocks: for the tests of this folder that need a busy callee.

use zctor::actor;
use zctor_tests::Gate;

#[actor]
#[derive(Clone)]
pub(crate) enum DoorMessage {
    #[reply(())]
    Hold(Gate),
    #[reply(u64)]
    Knock,
    #[reply(u64)]
    Knocks,
    Ring,
    #[reply(())]
    Break,
}

#[derive(Default)]
pub(crate) struct Door {
    knocks: u64,
}

impl DoorHandler for Door {
    fn hold(&mut self, gate: Gate) {
        gate.pass();
    }
    fn knock(&mut self) -> u64 {
        self.knocks += 1;
        self.knocks
    }
    fn knocks(&mut self) -> u64 {
        self.knocks
    }
    fn ring(&mut self) {}
    fn r#break(&mut self) {
        panic!("the door breaks");
    }
}
