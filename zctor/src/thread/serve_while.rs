//! `serve_while`: runs code of a handler on a thread of its own, while the thread of the handler serves.

use std::panic::resume_unwind;

use crate::reply::cancellation::Cancellation;
use crate::reply::oneshot;
use crate::sys::spawn::run_beside;
use crate::thread::carried::Home;
use crate::thread::wait::wait;

/// Runs `code` on a thread of its own, and serves the lanes below the handler's depth meanwhile. If the system refuses
/// that thread, `code` runs on this one. A panic of `code` goes on here.
pub(crate) fn serve_while<R: Send>(home: &Home, code: impl FnOnce() -> R + Send) -> R {
    let (is_running, mut ended) = oneshot::channel::<()>(Cancellation::none());
    let mut place = Some(|| {
        let _until_dropped = is_running;
        code()
    });
    home.set_serves(true);
    let outcome = run_beside(&home.mailbox.name, &mut place, || {
        // This ends with the code, or when this thread is abandoned. Then the code is waited for without serving.
        let _ = wait(&mut ended, None);
    });
    home.set_serves(false);
    match (outcome, place) {
        (Some(Ok(result)), _) => result,
        (Some(Err(panic)), _) => resume_unwind(panic),
        (None, Some(code)) => code(),
        (None, None) => unreachable!("code that no thread has taken is in its place"),
    }
}
