use zctor::{ActorEngine, Restart, SpawnError, actor};

#[actor]
enum LogMessage {
    Line(String),
}

struct Log;

impl LogHandler for Log {
    fn line(&mut self, _: String) {}
}

fn start(engine: &ActorEngine) -> Result<LogClient, SpawnError> {
    engine.start(LogMessage::actor_once(|| Log).restart(Restart::never()))
}

fn main() {}
