use zctor::actor;

#[actor]
enum LogMessage {
    #[msg(into)]
    Line(String),
}

fn main() {}
