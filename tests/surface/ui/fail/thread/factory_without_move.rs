use zctor::{ActorThread, actor};

#[actor]
enum LogMessage {
    Line(String),
}

struct Log(String);

impl LogHandler for Log {
    fn line(&mut self, value: String) {
        self.0 += &value;
    }
}

fn thread(start: String) -> ActorThread {
    ActorThread::new().register(LogMessage::actor(|| Log(start.clone())))
}

fn main() {}
