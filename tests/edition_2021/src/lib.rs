//! An actor in a crate of edition 2021, where `gen` is a name like any other.

use zctor::actor;

/// Generates.
#[actor]
#[derive(Debug)]
pub enum NumberMessage {
    /// The next number.
    #[reply(u64)]
    Gen,
    /// Starts again at a number.
    Restart {
        /// The number.
        gen: u64,
    },
    /// Starts again at another.
    #[msg(name = gen_from)]
    Other(#[msg(name = gen)] u64),
    /// Not on this machine.
    #[cfg(any())]
    Never,
}

#[cfg(test)]
mod tests {
    use zctor::{ActorEngine, ActorThread};

    use super::*;

    struct Number(u64);

    impl NumberHandler for Number {
        fn gen(&mut self) -> u64 {
            self.0 += 1;
            self.0
        }
        fn restart(&mut self, gen: u64) {
            self.0 = gen;
        }
        fn gen_from(&mut self, gen: u64) {
            self.0 = gen;
        }
    }

    #[test]
    fn methods_called_gen_work() -> Result<(), Box<dyn std::error::Error>> {
        let engine = ActorEngine::new();
        engine.spawn(ActorThread::new().register(NumberMessage::actor(|| Number(0))))?;
        let client = engine.client::<NumberMessage>()?;
        client.restart(6)?;
        assert_eq!(client.gen()?, 7);
        assert_eq!(engine.call(NumberMessage::gen())?, 8);
        Ok(())
    }
}
