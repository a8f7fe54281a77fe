use zctor::{ActorEngine, SpawnError, ThreadId, actor};

#[actor]
enum LogMessage {
    Line(String),
}

struct Log;

impl LogHandler for Log {
    fn line(&mut self, _: String) {}
}

fn spawn(engine: &ActorEngine) -> Result<ThreadId, SpawnError> {
    engine.spawn(LogMessage::actor(|| Log))
}

fn main() {}
