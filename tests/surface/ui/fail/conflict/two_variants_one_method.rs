use zctor::actor;

#[actor]
enum FetchMessage {
    GetURL(String),
    GetUrl(u32),
}

fn main() {}
