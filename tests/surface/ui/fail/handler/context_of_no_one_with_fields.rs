use zctor::{Context, actor};

#[actor]
enum CalculatorMessage {
    #[reply(i64)]
    Add { a: i64, b: i64 },
    Clear,
}

struct Calculator;

impl CalculatorHandler for Calculator {
    fn add(&mut self, ctx: &mut Context<CalculatorMessage>, a: i64, b: i64) -> i64 {
        ctx.stop();
        a + b
    }
    fn clear(&mut self) {}
}

fn main() {}
