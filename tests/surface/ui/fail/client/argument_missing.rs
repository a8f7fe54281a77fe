use zctor::{CallError, actor};

#[actor]
enum CalculatorMessage {
    #[reply(i64)]
    Add { a: i64, b: i64 },
    Clear,
}

fn sum(client: &CalculatorClient) -> Result<i64, CallError> {
    client.add(1)
}

fn main() {}
