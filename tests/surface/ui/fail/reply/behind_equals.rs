use zctor::actor;

#[actor]
enum CalculatorMessage {
    #[reply = "i64"]
    Sum,
}

fn main() {}
