use zctor::actor;

#[actor]
enum LogMessage {
    Line(_),
    Lines(Vec<u8>),
}

fn main() {}
