use zctor::actor;

#[actor]
enum LogMessage {
    Bytes { bytes: [u8] },
}

struct Log;

impl LogHandler for Log {
    fn bytes(&mut self, _bytes: Vec<u8>) {}
}

fn main() {}
