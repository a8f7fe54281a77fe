use std::fmt::Display;

use zctor::actor;

#[actor]
enum LogMessage {
    Line(impl Display),
}

struct Log;

impl LogHandler for Log {
    fn line(&mut self, _value: impl Display) {}
}

fn main() {}
