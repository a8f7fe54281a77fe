use zctor::actor;

#[actor(ctx = true)]
enum CalculatorMessage {
    Clear,
}

fn main() {}
