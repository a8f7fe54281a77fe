//! The routes through links without the feature `remote`: there are no links.

use std::convert::Infallible;
use std::marker::PhantomData;

/// There is none.
#[derive(Clone, Debug)]
pub struct KeyRoute(Infallible);

impl KeyRoute {
    pub(crate) fn hash(&self) -> u64 {
        match self.0 {}
    }

    pub(crate) fn stated(&self) -> StatedRoute<'_> {
        match self.0 {}
    }
}

pub(crate) const LINKS: bool = false;

/// Takes no memory.
#[derive(Clone, Copy, Default)]
pub(crate) struct StatedRoute<'a>(PhantomData<&'a ()>);

impl StatedRoute<'_> {
    pub(crate) const COPY: Self = Self(PhantomData);
    pub(crate) const UNWRITTEN: Self = Self(PhantomData);

    pub(super) fn is_stated(self) -> bool {
        false
    }
}
