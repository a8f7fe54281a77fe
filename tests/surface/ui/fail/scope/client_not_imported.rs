mod messages {
    #[zctor::actor]
    pub enum CalculatorMessage {
        Clear,
    }
}

fn clear(calculator: &CalculatorClient) {
    drop(calculator.clear());
}

fn main() {}
