#[actor]
enum CalculatorMessage {
    Clear,
}

fn main() {}
