use zctor::actor;

#[actor]
trait CalculatorHandler {}

fn main() {}
