//! Which types have sent to which.

use std::fmt;

/// Handlers of one message type have sent to, or started, instances of another, in [`Stats::sends`](crate::Stats::sends).
///
/// ```
/// use zctor::{ActorEngine, Context, SendStats, actor};
///
/// #[actor]
/// pub enum AuditMessage {
///     Note(String),
/// }
/// struct Audit;
/// impl AuditHandler for Audit {
///     fn note(&mut self, _text: String) {}
/// }
///
/// #[actor(ctx, sends(AuditMessage))]
/// pub enum WebMessage {
///     Show,
/// }
/// struct Web;
/// impl WebHandler for Web {
///     fn show(&mut self, ctx: &mut Context<WebMessage>) {
///         let _ = ctx.send(AuditMessage::Note("shown".into()));
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::builder().record_sends().build();
/// engine.pool(1, AuditMessage::actor(|| Audit))?;
/// let web: WebClient = engine.pool(1, WebMessage::actor(|| Web))?;
/// web.show()?;
/// engine.settle();
/// let sends: Vec<SendStats> = engine.stats().sends;
/// assert_eq!(sends.len(), 1);
/// assert_eq!((sends[0].message, sends[0].receiver), ("WebMessage", "AuditMessage"));
/// assert_eq!(sends[0].to_string(), "WebMessage sends to AuditMessage");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SendStats {
    /// The name of the type whose handlers were seen.
    pub message: &'static str,
    /// The name of the type that they sent to, or started.
    pub receiver: &'static str,
    /// They sent a message or made a call.
    pub sends: bool,
    /// They started an instance.
    pub starts: bool,
}

impl fmt::Display for SendStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message, receiver, sends, starts } = self;
        let verbs = match (starts, sends) {
            (true, true) => "starts and sends to",
            (true, false) => "starts",
            (false, _) => "sends to",
        };
        write!(f, "{message} {verbs} {receiver}")
    }
}
