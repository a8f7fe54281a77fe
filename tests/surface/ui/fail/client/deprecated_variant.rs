#![deny(deprecated)]

use zctor::{CallError, actor};

#[actor]
enum CalculatorMessage {
    #[deprecated = "use `Add`"]
    #[reply(i64)]
    Plus(i64, i64),
}

fn sum(client: &CalculatorClient) -> Result<i64, CallError> {
    client.plus(1, 2)
}

fn main() {}
