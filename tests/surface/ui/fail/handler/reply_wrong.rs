use zctor::actor;

#[actor]
enum CalculatorMessage {
    #[reply(i64)]
    Add { a: i64, b: i64 },
    Clear,
}

struct Calculator;

impl CalculatorHandler for Calculator {
    fn add(&mut self, _: i64, _: i64) -> i32 {
        3
    }
    fn clear(&mut self) {}
}

fn main() {}
