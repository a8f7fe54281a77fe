//! Spans of the `tracing` facade: one around each handler, so that log lines say which message they belong to.
//!
//! 1. A call carries the span that was current where it was made, and its handler's span is a child of that. A call that
//!    is handled on its caller's thread needs to carry none.
//! 2. A send carries that span too, and its handler's span is a root that follows from it: two actors that send to and fro
//!    make many short traces, not one endless one.
//! 3. Nothing is carried where no subscriber asks for such spans, and no envelope is larger then. Whether one may ask is
//!    decided once for each send, at its head, and once for each mail that is served: a load and a branch. Code that
//!    depends on that stands in functions of its own, and the call of a handler stands once. A guard around it, or a
//!    second copy of it, took up to 18 instructions a message.
//! 4. The subscriber is the user's code. It runs as in `trace.rs`: it cannot unwind into the runtime, and for the messages
//!    that it sends there are no spans.

use std::cell::{Cell, RefCell};
use std::time::Instant;

use tracing::level_filters::LevelFilter;
use tracing::span::EnteredSpan;
use tracing::{Level, Span, debug_span, enabled, trace_span};

use crate::id::InstanceId;
use crate::sys::clock::now;
use crate::sys::frame::in_hook;
use crate::trace::subscriber::tell;
use crate::trace::work::Work;

/// Where a message comes from.
pub(crate) struct SentFrom {
    /// The span that was current where it was sent. `None` if the subscriber panicked at it, and while this
    /// is dropped.
    span: Option<Span>,
    at: Instant,
}

impl Clone for SentFrom {
    fn clone(&self) -> Self {
        let mut span = None;
        tell(|| span.clone_from(&self.span));
        Self { span, at: self.at }
    }
}

impl Drop for SentFrom {
    fn drop(&mut self) {
        let span = self.span.take();
        tell(|| drop(span));
    }
}

/// Whether the subscriber may ask for spans or events of this level: one load. All else is on cold paths.
#[inline(always)]
pub(super) fn may_ask(level: LevelFilter) -> bool {
    LevelFilter::current() >= level
}

/// Whether spans are built in.
pub(crate) const SPANS: bool = true;

/// Whether spans may be asked for around the handlers of messages that are sent here.
#[inline(always)]
pub(crate) fn may_trace_sends() -> bool {
    may_ask(LevelFilter::TRACE)
}

/// Whether spans may be asked for around the handlers of calls that are made here.
#[inline(always)]
pub(crate) fn may_trace_calls() -> bool {
    may_ask(LevelFilter::DEBUG)
}

/// The origin of a message that is sent here, or of a call that is made here, if spans are asked for.
#[cold]
pub(crate) fn sent_from(is_call: bool) -> Option<SentFrom> {
    let mut sent_from = None;
    if !in_hook() {
        tell(|| {
            let is_enabled = match is_call {
                true => enabled!(target: "zctor::call", Level::DEBUG),
                false => enabled!(target: "zctor::send", Level::TRACE),
            };
            sent_from = is_enabled.then(|| SentFrom { span: Some(Span::current()), at: now() });
        });
    }
    sent_from
}

thread_local! {
    /// The origin of the mail that is served, until its handler begins; of a batch, until all of them have ended.
    static ARRIVED: Cell<Option<SentFrom>> = const { Cell::new(None) };
    /// The handlers that run here in `InSpans`, the innermost last: each with its span, if the subscriber took it, and
    /// with the origin of its batch.
    static ENTERED: RefCell<Vec<(Option<EnteredSpan>, Option<SentFrom>)>> = const { RefCell::new(Vec::new()) };
    /// The span of the handler that has panicked last, for the event that tells of the panic.
    static PANICKED: Cell<Option<Span>> = const { Cell::new(None) };
}

fn set_arrived(sent_from: Option<SentFrom>) -> Option<SentFrom> {
    ARRIVED.try_with(|arrived| arrived.replace(sent_from)).ok().flatten()
}

/// Whether spans may be asked for around a piece of work, or around the handlers of a mail: decided once, where that
/// begins. In one byte with whether a hook has sent the mail, since each register counts there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum InSpans {
    NotAsked,
    /// There are none, since a hook has sent the mail.
    FromHook,
    Asked,
}

impl InSpans {
    /// For the messages of timers and pipes, and for hooks.
    #[inline(always)]
    pub(crate) fn around_own() -> Self {
        if may_ask(LevelFilter::TRACE) { Self::Asked } else { Self::NotAsked }
    }

    /// For a call on the spot.
    #[inline(always)]
    pub(crate) fn around_call() -> Self {
        if may_ask(LevelFilter::DEBUG) { Self::Asked } else { Self::NotAsked }
    }

    /// For mail that is about to be served. If spans may be asked for, the origin is taken out of its envelope.
    #[inline(always)]
    pub(crate) fn receive(from_hook: bool, sent_from: impl FnOnce() -> Option<SentFrom>) -> Self {
        let unasked = if from_hook { Self::FromHook } else { Self::NotAsked };
        if may_ask(LevelFilter::DEBUG) { receive(unasked, sent_from) } else { unasked }
    }

    #[inline(always)]
    pub(crate) fn is_asked(self) -> bool {
        self == Self::Asked
    }

    /// Keeps what was received while other code of the instance runs before its handler.
    #[inline(always)]
    pub(crate) fn keep(self, code: impl FnOnce()) {
        if self.is_asked() { keep_arrived(code) } else { code() }
    }

    /// Enters the span of a piece of work, if spans are asked for. [`leave`](Self::leave) follows, or
    /// [`unwound`](Self::unwound).
    #[inline(always)]
    pub(crate) fn enter(
        self,
        work: Work,
        message: fn() -> &'static str,
        variant: impl FnOnce() -> Option<&'static str>,
        instance: impl FnOnce() -> InstanceId,
    ) {
        if self.is_asked() {
            enter(work, message(), variant(), instance());
        }
    }

    /// Leaves the span of a handler that has returned.
    #[inline(always)]
    pub(crate) fn leave(self) {
        if self.is_asked() {
            leave(drop);
        }
    }

    /// Leaves the span of a handler that has panicked, and keeps it for the event that tells of the panic.
    pub(crate) fn unwound(self) {
        if self.is_asked() {
            leave(keep_for_event);
        }
    }
}

#[cold]
#[inline(never)]
fn receive(unasked: InSpans, sent_from: impl FnOnce() -> Option<SentFrom>) -> InSpans {
    if unasked == InSpans::FromHook {
        return unasked;
    }
    drop(set_arrived(sent_from()));
    InSpans::Asked
}

#[cold]
#[inline(never)]
fn keep_arrived(code: impl FnOnce()) {
    let sent_from = set_arrived(None);
    code();
    drop(set_arrived(sent_from));
}

/// Forgets what was received: it is not handled now, or all of it was.
#[inline(always)]
pub(crate) fn forget() {
    if may_ask(LevelFilter::DEBUG) {
        forget_arrived();
    }
}

#[cold]
#[inline(never)]
fn forget_arrived() {
    drop(set_arrived(None));
}

#[cold]
#[inline(never)]
fn enter(work: Work, message: &'static str, variant: Option<&'static str>, instance: InstanceId) {
    let sent_from = match work {
        Work::Call | Work::Send | Work::Batch => set_arrived(None),
        _ => None,
    };
    let caller = sent_from.as_ref().and_then(|sent_from| sent_from.span.as_ref());
    let queued = sent_from.as_ref().map(|sent_from| now().saturating_duration_since(sent_from.at));
    let queued_us = queued.map(|queued| u64::try_from(queued.as_micros()).unwrap_or(u64::MAX));
    macro_rules! new {
        ($span:ident, $target:literal, $name:literal, $kind:literal, $parent:expr) => {
            $span!(
                target: $target,
                parent: $parent,
                $name,
                message_type = message,
                variant,
                instance = %instance,
                thread = instance.thread.index(),
                queued_us,
                otel.name = %Named(message, variant.unwrap_or($name)),
                otel.kind = $kind
            )
        };
    }
    let mut entered = None;
    tell(|| {
        let span = match work {
            Work::Call => new!(debug_span, "zctor::call", "call", "server", caller.and_then(Span::id)),
            Work::CallHere => new!(debug_span, "zctor::call", "call", "server", Span::current().id()),
            Work::Send | Work::Batch => new!(trace_span, "zctor::send", "send", "consumer", None),
            Work::Timer => new!(trace_span, "zctor::own", "timer", "internal", None),
            Work::Pipe => new!(trace_span, "zctor::own", "pipe", "internal", None),
            Work::Start => new!(trace_span, "zctor::own", "start", "internal", None),
            Work::Stop => new!(trace_span, "zctor::own", "stop", "internal", None),
        };
        if span.is_disabled() {
            return;
        }
        if let (Work::Send | Work::Batch, Some(caller)) = (work, caller) {
            span.follows_from(caller);
        }
        entered = Some(span.entered());
    });
    let of_batch = sent_from.filter(|_| work == Work::Batch);
    let _ = ENTERED.try_with(|all| all.borrow_mut().push((entered, of_batch)));
}

/// Leaves the innermost span, and gives it to `then`.
#[cold]
#[inline(never)]
fn leave(then: impl FnOnce(Option<Span>)) {
    let innermost = ENTERED.try_with(|all| all.borrow_mut().pop()).ok().flatten();
    let Some((span, of_batch)) = innermost else { return };
    tell(|| then(span.map(EnteredSpan::exit)));
    drop(set_arrived(of_batch));
}

/// Keeps the span of a handler that has panicked for the event that tells of the panic.
fn keep_for_event(span: Option<Span>) {
    drop(PANICKED.try_with(|last| last.replace(span)));
}

/// The span of the handler that has panicked last, once.
pub(super) fn panicked() -> Option<Span> {
    PANICKED.try_with(Cell::take).ok().flatten()
}

/// The name of a message and its variant, for those who show spans by one name.
struct Named(&'static str, &'static str);

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}::{}", self.0, self.1)
    }
}
