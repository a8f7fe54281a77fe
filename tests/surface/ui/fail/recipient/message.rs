use zctor::{Recipient, actor};

#[actor]
enum LogMessage {
    Line(String),
    Pair(u8, u8),
    Clear,
}

fn recipient(client: &LogClient) -> Recipient<String> {
    client.recipient(LogMessage::Line(String::new()))
}

fn main() {}
