use zctor::{CallError, actor};

#[actor]
enum CalculatorMessage {
    #[reply(i64)]
    Add { a: i64, b: i64 },
    Clear,
}

fn sum(client: &CalculatorClient) -> Result<(), CallError> {
    let _: String = client.add(1, 2)?;
    Ok(())
}

fn main() {}
