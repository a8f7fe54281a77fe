use zctor::actor;

#[actor]
enum CalculatorMessage {
    #[reply(i64)]
    Add { a: i64, b: i64 },
    Clear,
}

struct Calculator;

impl CalculatorHandler for Calculator {
    fn add(&mut self, a: i64, b: i32) -> i64 {
        a + i64::from(b)
    }
    fn clear(&mut self) {}
}

fn main() {}
