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

fn thread(start: &usize) -> ActorThread {
    ActorThread::new().register(LogMessage::actor(|| Log(*start)))
}

fn main() {}
