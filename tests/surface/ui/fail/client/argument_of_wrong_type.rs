use zctor::actor;

#[actor]
enum FetchMessage {
    Get(String),
}

fn get(client: &FetchClient) {
    let _ = client.get(3);
}

fn main() {}
