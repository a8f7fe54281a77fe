use std::fmt::Debug;
use zctor::actor;

#[actor(nmae = "calculator")]
enum CalculatorMessage {
    #[reply]
    Clear,
    #[reply(impl Debug)]
    Show,
}

fn main() {}
