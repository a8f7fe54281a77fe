use zctor::actor;

#[actor]
enum CalculatorMessage {
    Divide(#[msg(name = x)] i64, #[msg(name = x)] i64),
}

fn main() {}
