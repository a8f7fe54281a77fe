mod clock {
    #[zctor::actor]
    pub enum ClockMessage {
        #[reply(u64)]
        Now,
        #[msg(internal)]
        Tick,
    }
}

fn tick(client: &clock::ClockClient) {
    let _ = client.tick();
}

fn main() {}
