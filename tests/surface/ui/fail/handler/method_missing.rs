use zctor::actor;

#[actor]
enum CalculatorMessage {
    #[reply(i64)]
    Add { a: i64, b: i64 },
    Clear,
}

struct Calculator;

impl CalculatorHandler for Calculator {
    fn clear(&mut self) {}
}

fn main() {}
