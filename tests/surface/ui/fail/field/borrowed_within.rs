use std::borrow::Cow;
use zctor::actor;

#[actor]
enum LogMessage {
    Line(Cow<'_, str>),
}

fn main() {}
