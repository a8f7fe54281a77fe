mod messages {
    #[zctor::actor]
    pub enum CalculatorMessage {
        Clear,
    }
}

struct Calculator;

impl CalculatorHandler for Calculator {
    fn clear(&mut self) {}
}

fn main() {}
