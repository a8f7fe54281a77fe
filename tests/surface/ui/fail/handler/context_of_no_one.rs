use zctor::{Context, actor};

#[actor]
enum CalculatorMessage {
    Clear,
}

struct Calculator;

impl CalculatorHandler for Calculator {
    fn clear(&mut self, ctx: &mut Context<CalculatorMessage>) {
        ctx.stop();
    }
}

fn main() {}
