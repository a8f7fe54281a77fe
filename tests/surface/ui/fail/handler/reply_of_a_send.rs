use zctor::actor;

#[actor]
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
    fn clear(&mut self) -> u8 {
        3
    }
}

fn main() {}
