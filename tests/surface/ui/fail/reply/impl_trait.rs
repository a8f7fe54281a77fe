use std::fmt::Display;
use zctor::actor;

#[actor]
enum CalculatorMessage {
    #[reply(impl Display)]
    Sum,
}

fn main() {}
