use zctor::actor;

#[actor]
enum CalculatorMessage {
    #[msg(name = fn)]
    Clear,
}

fn main() {}
