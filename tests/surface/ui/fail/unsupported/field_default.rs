use zctor::actor;

#[actor]
enum CalculatorMessage {
    Add { a: u8 = 3 },
}

fn main() {}
