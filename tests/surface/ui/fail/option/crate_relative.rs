use zctor::actor;

#[actor(crate = my::zctor)]
enum CalculatorMessage {
    Clear,
}

fn main() {}
