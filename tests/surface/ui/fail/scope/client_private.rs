mod messages {
    #[zctor::actor]
    enum CalculatorMessage {
        Clear,
    }
}

use messages::CalculatorClient;

fn clear(calculator: &CalculatorClient) {
    drop(calculator.clear());
}

fn main() {}
