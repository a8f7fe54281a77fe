use zctor::actor;

#[actor(nmae = "calculator")]
enum CalculatorMessage {
    Clear,
}

fn main() {}
