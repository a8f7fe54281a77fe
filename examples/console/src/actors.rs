//! The actors of the shop, each with its trouble.

use std::collections::HashMap;
use std::time::Duration;

use zctor::{Context, actor};

use crate::Lock;

/// Longer than anybody looks.
const LONG: Duration = Duration::from_secs(3_600);
/// How long a report takes.
const REPORT: Duration = Duration::from_secs(4);
/// How long a thumbnail takes.
const THUMBNAIL: Duration = Duration::from_millis(15);

#[actor]
pub(crate) enum DatabaseMessage {
    #[reply(u64)]
    UserOf(u64),
}

pub(crate) struct Database(pub(crate) Lock);

impl DatabaseHandler for Database {
    fn user_of(&mut self, session: u64) -> u64 {
        self.0.pass(LONG); // a lock of the file, held by another program
        session
    }
}

#[actor(calls(DatabaseMessage))]
pub(crate) enum AuthMessage {
    #[reply(bool)]
    Check(u64),
}

pub(crate) struct Auth;

impl AuthHandler for Auth {
    fn check(&mut self, ctx: &mut Context<AuthMessage>, session: u64) -> bool {
        ctx.call(DatabaseMessage::user_of(session)).is_ok()
    }
}

#[actor(calls(AuthMessage))]
pub(crate) enum WebMessage {
    Page(u64),
}

pub(crate) struct Web;

impl WebHandler for Web {
    fn page(&mut self, ctx: &mut Context<WebMessage>, session: u64) {
        let _ = ctx.call(AuthMessage::check(session)); // a page for a guest, if the answer is no
    }
}

#[actor]
pub(crate) enum ReportMessage {
    Build(u64),
}

pub(crate) struct Report(pub(crate) Lock);

impl ReportHandler for Report {
    fn build(&mut self, _: u64) {
        self.0.pass(REPORT); // stands for a slow disk
    }
}

#[actor]
pub(crate) enum FeedMessage {
    Line(String),
}

pub(crate) struct Feed;

impl FeedHandler for Feed {
    fn line(&mut self, line: String) {
        let price: Option<u32> = line.split(' ').nth(1).and_then(|price| price.parse().ok());
        assert!(price.is_some(), "no price in `{line}`");
    }
}

#[actor]
pub(crate) enum ThumbnailMessage {
    Make(u32),
}

pub(crate) struct Thumbnail(pub(crate) Lock);

impl ThumbnailHandler for Thumbnail {
    fn make(&mut self, _: u32) {
        self.0.pass(THUMBNAIL);
    }
}

#[actor]
pub(crate) enum CacheMessage {
    Get(u64),
}

#[derive(Default)]
pub(crate) struct Cache(HashMap<u64, u64>);

impl CacheHandler for Cache {
    fn get(&mut self, key: u64) {
        *self.0.entry(key).or_default() += 1;
    }
}
