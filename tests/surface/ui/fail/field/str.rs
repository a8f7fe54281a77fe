use zctor::actor;

#[actor]
enum LogMessage {
    Line(str),
}

fn main() {}
