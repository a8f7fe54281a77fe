use std::fmt::Display;
use zctor::actor;

#[actor]
enum CalculatorMessage {
    #[reply(dyn Display + Send)]
    Sum,
}

fn main() {}
