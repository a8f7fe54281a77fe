use zctor::actor;

#[actor(nmae = "fetch")]
enum FetchMessage {
    #[cfg(not(any()))]
    #[reply(String)]
    Get(String),
    #[cfg(any())]
    Get(Nothing),
}

struct Fetch;

impl FetchHandler for Fetch {
    fn get(&mut self, value: String) -> String {
        value
    }
}

fn name(client: &FetchClient) -> Option<String> {
    client.get(String::new()).ok()
}

fn main() {}
