//! Values that the layers above keep on an actor thread, which knows none of their types.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::rc::Rc;

use crate::type_map::{TypeMap, hash_of};

/// The values: one of each type.
#[derive(Default)]
pub(crate) struct Kept {
    by_type: RefCell<TypeMap<Box<dyn Any>>>,
    /// Values that were used lately, each at a place that its type says: found again without a search.
    lately: [RefCell<Option<Rc<Erased>>>; LATELY],
}

/// A value whose type is erased, behind a pointer of one word. The way to a value behind a pointer of two is longer,
/// since its alignment is looked up first, and each call of a handler waits for that.
pub(crate) struct Erased(Box<dyn Any>);

impl Erased {
    pub(crate) fn new<T: 'static>(value: T) -> Self {
        Self(Box::new(value))
    }

    /// The value, if it is of this type.
    #[inline(always)]
    pub(crate) fn get<T: 'static>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

/// A power of two. Two types with one place throw each other out where a handler sends to both in turn, and are searched
/// for each time: of 32 pairs that happens to one.
const LATELY: usize = 32;

impl Kept {
    #[inline]
    pub(crate) fn get<T: Clone + 'static>(&self) -> Option<T> {
        self.by_type.borrow().get(&TypeId::of::<T>())?.downcast_ref().cloned()
    }

    /// The value at the place for one of this type that was used lately. It may be of another type that has the same
    /// place.
    #[inline(always)]
    pub(crate) fn lately<T: 'static>(&self) -> Option<Rc<Erased>> {
        self.lately[Self::place::<T>()].borrow().clone()
    }

    /// Puts a value of this type there. Gives the one that it replaces, as `put` does.
    pub(crate) fn put_lately<T: 'static>(&self, value: Rc<Erased>) -> Option<Rc<Erased>> {
        self.lately[Self::place::<T>()].replace(Some(value))
    }

    #[inline(always)]
    fn place<T: 'static>() -> usize {
        hash_of::<T>() as usize % LATELY
    }

    /// Keeps a value. Gives the one that it replaces, for the caller to drop: it may hold values of the user's.
    pub(crate) fn put<T: 'static>(&self, value: T) -> Option<Box<dyn Any>> {
        self.by_type.borrow_mut().insert(TypeId::of::<T>(), Box::new(value))
    }
}
