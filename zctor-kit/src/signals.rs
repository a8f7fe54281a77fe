//! A shutdown at Ctrl-C.

use std::io;

use zctor::ActorEngine;

/// Begins the shutdown of `engine` at the first Ctrl-C, `SIGINT`, `SIGTERM` or `SIGHUP`; `main` then waits for its end by
/// [`ActorEngine::wait`], and has its report from [`ActorEngine::shutdown`].
///
/// The shutdown is the usual one: what was accepted is handled. A signal that comes meanwhile changes nothing; a limit
/// for the rest is [`ActorEngine::shutdown_timeout`].
///
/// A process may be started with some of these signals ignored, as `nohup` and the `&` of a script do. They stop the engine
/// there too. A handler that other code of the process has set for one of them is replaced.
///
/// # Errors
/// The system refused the handler, or this was called before: it works for one engine of a process.
///
/// # Blocking
/// Never.
///
/// ```
/// use zctor::ActorEngine;
/// use zctor_kit::signals::stop_on_signals;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// stop_on_signals(&engine)?;
/// # engine.handle().stop();
/// engine.wait(); // until Ctrl-C
/// assert_eq!(engine.shutdown()?.handled(), 0);
/// # Ok(())
/// # }
/// ```
pub fn stop_on_signals(engine: &ActorEngine) -> io::Result<()> {
    let handle = engine.handle();
    ctrlc::set_handler(move || handle.stop()).map_err(|error| match error {
        ctrlc::Error::System(error) => error,
        error => io::Error::other(error.to_string()),
    })
}
