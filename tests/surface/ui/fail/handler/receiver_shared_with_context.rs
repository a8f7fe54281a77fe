use zctor::{Context, actor};

#[actor(ctx)]
enum CalculatorMessage {
    #[reply(i64)]
    Add { a: i64, b: i64 },
    Clear,
}

struct Calculator;

impl CalculatorHandler for Calculator {
    fn add(&self, _: &mut Context<CalculatorMessage>, a: i64, b: i64) -> i64 {
        a + b
    }
    fn clear(&mut self, _: &mut Context<CalculatorMessage>) {}
}

fn main() {}
