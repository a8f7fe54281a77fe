//! A method of the non-blocking view gives a `Pending`, which is waited for or awaited.

use zctor::actor;

#[actor]
#[derive(Clone)]
pub enum AdderMessage {
    #[reply(u32)]
    Add(u32, u32),
}

pub fn sums(adder: &AdderClient) -> Result<Vec<u32>, zctor::CallError> {
    adder.non_blocking().call_all(AdderMessage::add(2, 3))?.into_iter().map(|(_, sum)| sum).collect()
}

fn main() {}
