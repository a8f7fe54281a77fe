#![deny(unused_must_use)]
use zctor::actor;

#[actor]
enum LotteryMessage {
    #[must_use = "nobody else is told of the number"]
    #[reply(u8)]
    Draw,
}

fn draw(client: &LotteryClient) {
    client.draw();
}

fn main() {}
