//! The non-blocking view has no `call`: that would wait.

use zctor::actor;

#[actor]
pub enum AdderMessage {
    #[reply(u32)]
    Add(u32, u32),
}

pub fn sum(adder: &AdderClient) -> Result<u32, zctor::CallError> {
    adder.non_blocking().call(AdderMessage::add(2, 3))
}

fn main() {}
