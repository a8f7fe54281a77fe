enum CalculatorMessage {
    #[reply(i64)]
    Add { a: i64, b: i64 },
}

fn main() {}
