use zctor::actor;

#[actor]
enum CalculatorMessage {}

fn main() {}
