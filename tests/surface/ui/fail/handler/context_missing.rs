use zctor::actor;

#[actor(ctx)]
enum CalculatorMessage {
    #[reply(i64)]
    Add { a: i64, b: i64 },
    Clear,
}

struct Calculator;

impl CalculatorHandler for Calculator {
    fn add(&mut self, a: i64, b: i64) -> i64 {
        a + b
    }
    fn clear(&mut self, _: &mut zctor::Context<CalculatorMessage>) {}
}

fn main() {}
