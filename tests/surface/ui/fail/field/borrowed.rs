use zctor::actor;

#[actor]
enum LogMessage {
    Line { text: &str },
}

fn main() {}
