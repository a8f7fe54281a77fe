use std::cell::Cell;
use zctor::{ActorThread, actor};

#[actor]
enum LogMessage {
    Line(String),
}

struct Log(usize);

impl LogHandler for Log {
    fn line(&mut self, value: String) {
        self.0 += value.len();
    }
}

fn thread() -> ActorThread {
    let start = Cell::new(3);
    ActorThread::new().register(LogMessage::actor(move || Log(start.get())))
}

fn main() {}
