use zctor::{Context, actor};

#[actor]
enum CalculatorMessage {
    OnPanic,
}

struct Calculator;

impl CalculatorHandler for Calculator {
    fn on_panic(&mut self) {}
    fn on_stop(&mut self, _ctx: &mut Context<CalculatorMessage>) {}
}

fn main() {}
