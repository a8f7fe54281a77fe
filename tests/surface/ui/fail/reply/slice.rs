use zctor::actor;

#[actor]
enum CalculatorMessage {
    #[reply([u8])]
    Sum,
}

fn main() {}
