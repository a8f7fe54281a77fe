use zctor::actor;

#[actor]
enum CalculatorMessage {
    #[msg(name = "wipe")]
    Clear,
}

fn main() {}
