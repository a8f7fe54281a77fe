use zctor::actor;

#[actor]
enum LogMessage {
    Write,
}

#[actor(sends(LogMessage, LogMessage))]
enum WebMessage {
    Page,
}

fn main() {}
