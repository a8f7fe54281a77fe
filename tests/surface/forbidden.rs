//! The lint levels that a crate cannot be talked out of: no `allow` of the macro's meets them.
#![forbid(
    unused,
    unsafe_code,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    nonstandard_style,
    future_incompatible,
    let_underscore,
    keyword_idents,
    rust_2018_idioms,
    rust_2021_compatibility,
    rust_2024_compatibility,
    trivial_casts,
    trivial_numeric_casts,
    unit_bindings,
    unused_qualifications,
    unused_results,
    unused_lifetimes,
    single_use_lifetimes,
    explicit_outlives_requirements,
    non_local_definitions,
    unnameable_types,
    non_ascii_idents
)]

use zctor::{Context, actor};

/// Of every kind.
#[actor(ctx, handles(RunnerClient = [Run, Later]))]
#[derive(Debug, Clone)]
pub enum JobMessage<T: Clone, const N: usize> {
    /// Runs.
    #[reply(Result<T, String>)]
    Run(#[msg(into)] String, [T; N]),
    /// Later.
    #[reply(u8, deferred)]
    Later,
    /// A tick.
    #[msg(internal)]
    Tick,
    /// Never there.
    #[cfg(any())]
    Gone(Nowhere),
}

#[actor(calls(JobMessage<u8, 3>), handles(Getter = [Get], Putter = [Put]))]
enum OwnMessage {
    #[reply(u8)]
    Get,
    Put(u8),
}

struct Own(u8);

impl OwnHandler for Own {
    fn get(&mut self, ctx: &mut Context<OwnMessage>) -> u8 {
        ctx.call(JobMessage::run("run", [1, 2, self.0])).map_or(0, Result::unwrap_or_default)
    }
    fn put(&mut self, _: &mut Context<OwnMessage>, value: u8) {
        self.0 = value;
    }
}

fn main() {
    drop(OwnMessage::actor(|| Own(3)));
    let _ = (OwnMessage::Put(3), OwnMessage::Get);
}
