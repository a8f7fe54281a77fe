//! An actor in a crate that knows zctor by another name, directly and through a re-export.

pub mod vendor {
    //! What a framework would re-export for its users.
    pub use actors as threads;
}

/// A counter. Its documentation is copied to what is generated, and must hold there.
#[actors::actor(crate = ::actors, ctx)]
#[derive(Debug)]
pub enum CounterMessage {
    /// Adds to what [`Self::Read`] tells, as [reading](Self::Read) or [`CounterMessage`] would, and not as [Self].
    ///
    /// [other]: Self::Add
    /// See [other].
    Add(
        /// The summand, a [`u64`].
        #[key]
        u64,
    ),
    /// The sum so far.
    ///
    /// Runs once, however often it is copied:
    ///
    /// ```
    /// use actors::Message;
    ///
    /// assert_eq!(zctor_renamed::CounterMessage::Read.variant(), "Read");
    /// ```
    #[reply(u64)]
    Read,
}

/// Asks the counter.
#[vendor::threads::actor(crate = crate::vendor::threads, calls(CounterMessage))]
#[derive(Debug)]
pub enum AskMessage {
    /// What the counter has.
    #[reply(u64)]
    Ask,
    /// Not on this machine.
    #[cfg(any())]
    Never,
}

/// Holds a value of any type.
#[actors::actor(crate = ::actors)]
#[derive(Debug)]
pub enum CellMessage<T: Clone> {
    /// Puts one in.
    Put(T),
    /// What was put in last.
    #[reply(Option<T>)]
    Get,
}

#[cfg(test)]
mod tests {
    use actors::{ActorEngine, ActorThread, Context};

    use super::*;

    #[derive(Default)]
    struct Counter(u64);

    impl CounterHandler for Counter {
        fn add(&mut self, _: &mut Context<CounterMessage>, value: u64) {
            self.0 += value;
        }
        fn read(&mut self, _: &mut Context<CounterMessage>) -> u64 {
            self.0
        }
    }

    struct Ask;

    impl AskHandler for Ask {
        fn ask(&mut self, ctx: &mut Context<AskMessage>) -> u64 {
            ctx.call(CounterMessage::read()).unwrap_or_default()
        }
    }

    #[test]
    fn actors_under_another_name_answer() -> Result<(), Box<dyn std::error::Error>> {
        let engine = ActorEngine::new();
        engine.spawn(ActorThread::new().register(CounterMessage::actor(Counter::default)))?;
        engine.spawn(ActorThread::new().register(AskMessage::actor(|| Ask)))?;
        engine.send(CounterMessage::Add(5))?;
        assert_eq!(engine.call(AskMessage::ask())?, 5);
        Ok(())
    }
}
