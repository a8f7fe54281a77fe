#![deny(unused_must_use)]

use zctor::actor;

#[actor]
enum CalculatorMessage {
    #[reply(i64)]
    Add { a: i64, b: i64 },
}

fn add(client: &CalculatorClient) {
    client.add(1, 2);
}

fn main() {}
