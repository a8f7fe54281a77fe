use zctor::actor;

#[actor]
enum LogMessage {
    Line(#[msg(into)] String),
}

fn log(client: &LogClient) {
    let _ = client.line(3);
}

fn main() {}
