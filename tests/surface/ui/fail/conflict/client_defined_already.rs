use zctor::actor;

struct CalculatorClient;

#[actor]
enum CalculatorMessage {
    Clear,
}

fn main() {}
