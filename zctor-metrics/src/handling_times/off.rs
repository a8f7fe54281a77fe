//! Without the feature `observe` no engine is observed: the same face, which does nothing.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;
use zctor::EngineHandle;

use crate::scrape::Scrape;

#[derive(Clone, Debug, Default)]
pub(crate) struct Observers(());

impl Observers {
    pub(crate) fn add(&mut self, _: &str, _: &EngineHandle) {}

    pub(crate) fn encode(&self, _: &Scrape, _: &mut DescriptorEncoder<'_>) -> fmt::Result {
        Ok(())
    }
}
