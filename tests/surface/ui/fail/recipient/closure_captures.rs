use zctor::{Recipient, actor};

#[actor]
enum LogMessage {
    Line(String),
    Pair(u8, u8),
    Clear,
}

fn recipient(client: &LogClient) -> Recipient<String> {
    let end = client.instances().len();
    client.recipient(move |line: String| LogMessage::Line(line.repeat(end)))
}

fn main() {}
