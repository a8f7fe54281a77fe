use zctor::actor;

#[actor]
enum CalculatorMessage {
    #[msg]
    Clear,
}

fn main() {}
