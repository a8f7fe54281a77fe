use zctor::actor;

#[actor]
enum FetchMessage {
    #[reply(String)]
    GetURL(String),
    #[reply(u8)]
    GetUrl(u32),
    Clone,
}

struct Fetch;

impl FetchHandler for Fetch {
    fn get_url(&mut self, value: String) -> String {
        value
    }
    fn clone(&mut self) {}
}

fn main() {}
