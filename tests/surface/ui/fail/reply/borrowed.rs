use zctor::actor;

#[actor]
enum CalculatorMessage {
    #[reply(&str)]
    Name,
}

fn main() {}
