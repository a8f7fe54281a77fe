use zctor::{Recipient, actor};

#[actor]
enum LogMessage {
    Line(String),
    Pair(u8, u8),
    Clear,
}

fn recipient(client: &LogClient) -> Recipient<u8> {
    client.recipient(LogMessage::Pair)
}

fn main() {}
