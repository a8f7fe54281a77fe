use zctor::actor;

struct CalculatorHandler;

#[actor]
enum CalculatorMessage {
    Clear,
}

fn main() {}
