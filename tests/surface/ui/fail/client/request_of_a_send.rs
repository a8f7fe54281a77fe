use zctor::actor;

#[actor]
enum FetchMessage {
    Get(String),
}

fn get(client: &FetchClient) {
    let _ = client.call(FetchMessage::get(String::new()));
}

fn main() {}
