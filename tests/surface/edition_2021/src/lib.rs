//! An actor in a crate of edition 2021, where `gen` is a name like any other.

use zctor::actor;

/// Generates.
#[actor(handles(GenClient = [Gen, Restart, Never]))]
#[derive(Debug)]
pub enum NumberMessage {
    /// The next number.
    #[reply(u64)]
    Gen,
    /// Starts again at a number.
    Restart {
        /// The number.
        #[msg(into)]
        gen: u64,
    },
    /// Starts again at another.
    #[msg(name = gen_from)]
    Other(#[msg(name = gen)] u64),
    /// Not on this machine.
    #[cfg(any())]
    Never,
}

/// Calls actors of another crate.
#[actor(calls(zctor_renamed::CounterMessage, zctor_renamed::CellMessage<T>))]
#[derive(Debug)]
pub enum AsksMessage<T: Clone> {
    /// Whether the cell is empty.
    #[reply(bool)]
    IsEmpty,
    /// Carries a value.
    Carry(T),
}

#[cfg(test)]
mod tests {
    use zctor::{ActorEngine, ActorThread, Context, Message};
    use zctor_renamed::CellMessage;

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

    struct Cell(Option<u8>);

    impl zctor_renamed::CellHandler<u8> for Cell {
        fn put(&mut self, value: u8) {
            self.0 = Some(value);
        }
        fn get(&mut self) -> Option<u8> {
            self.0
        }
    }

    struct Asks;

    impl AsksHandler<u8> for Asks {
        fn is_empty(&mut self, ctx: &mut Context<AsksMessage<u8>>) -> bool {
            ctx.call(CellMessage::get()).is_ok_and(|value: Option<u8>| value.is_none())
        }
        fn carry(&mut self, ctx: &mut Context<AsksMessage<u8>>, value: u8) {
            let _ = ctx.send(CellMessage::Put(value));
        }
    }

    #[test]
    fn actors_of_another_crate_can_be_called() -> Result<(), Box<dyn std::error::Error>> {
        let engine = ActorEngine::new();
        engine.spawn(ActorThread::new().register(CellMessage::actor(|| Cell(None))))?;
        engine.spawn(ActorThread::new().register(AsksMessage::actor(|| Asks)))?;
        let asks = engine.client::<AsksMessage<u8>>()?;
        assert!(asks.is_empty()?);
        asks.carry(3)?;
        assert!(!asks.is_empty()?);
        assert_eq!(AsksMessage::<u8>::CALL_DEPTH, 1);
        Ok(())
    }

    #[test]
    fn methods_called_gen_work() -> Result<(), Box<dyn std::error::Error>> {
        let engine = ActorEngine::new();
        engine.spawn(ActorThread::new().register(NumberMessage::actor(|| Number(0))))?;
        let client = engine.client::<NumberMessage>()?;
        client.restart(6_u64)?;
        assert_eq!(client.gen()?, 7);
        let part = GenClient::from(&client);
        part.restart(9_u8)?;
        assert_eq!(part.gen()?, 10);
        part.non_blocking().restart(7_u32)?;
        assert_eq!(engine.call(NumberMessage::gen())?, 8);
        Ok(())
    }
}
