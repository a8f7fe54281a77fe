use zctor::actor;

#[actor]
enum CalculatorMessage {
    #[reply]
    Clear,
}

fn main() {}
