use zctor::{CallError, actor};

struct DivideByZero;

#[actor]
enum CalculatorMessage {
    #[reply(Result<i64, DivideByZero>)]
    Divide(i64, i64),
}

fn half(calculator: &CalculatorClient) -> Result<i64, CallError> {
    let half = calculator.divide(10, 2)?;
    Ok(half)
}

fn main() {}
