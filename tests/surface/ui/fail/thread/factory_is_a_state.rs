use zctor::{ActorThread, actor};

#[actor]
enum LogMessage {
    Line(String),
}

#[derive(Default)]
struct Log(String);

impl LogHandler for Log {
    fn line(&mut self, value: String) {
        self.0 += &value;
    }
}

fn thread() -> ActorThread {
    ActorThread::new().register(LogMessage::actor(Log::default()))
}

fn main() {}
