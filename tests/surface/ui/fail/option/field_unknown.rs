use zctor::actor;

#[actor]
enum LogMessage {
    Line(#[msg(inot)] String),
}

fn main() {}
