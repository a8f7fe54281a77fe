use zctor::{Context, actor};

#[actor]
enum CalculatorMessage {
    OnStart,
}

struct Calculator;

impl CalculatorHandler for Calculator {
    fn on_start(&mut self) {}
    fn on_stop(&mut self, _ctx: &mut Context<CalculatorMessage>) {}
}

fn main() {}
