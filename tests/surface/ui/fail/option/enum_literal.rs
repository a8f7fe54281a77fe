use zctor::actor;

#[actor("calculator")]
enum CalculatorMessage {
    Clear,
}

fn main() {}
