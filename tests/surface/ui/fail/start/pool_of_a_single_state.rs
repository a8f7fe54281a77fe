use zctor::{ActorEngine, SpawnError, actor};

#[actor]
enum LogMessage {
    Line(String),
}

struct Log;

impl LogHandler for Log {
    fn line(&mut self, _: String) {}
}

fn pool(engine: &ActorEngine) -> Result<LogClient, SpawnError> {
    engine.pool(2, LogMessage::actor_once(|| Log))
}

fn main() {}
