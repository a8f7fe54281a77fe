//! The choice between code that runs for each message and code that seldom runs, which must not weigh on the former.

/// Runs `seldom` if `is_seldom`, and otherwise `mostly`.
///
/// A look at each step on a message's way weighs on all of it, by the registers that must outlive the look. So such a way
/// is there twice, with the looks and without, and the choice stands at its head.
#[inline(always)]
pub(crate) fn choose<P, R>(is_seldom: bool, place: P, seldom: impl FnOnce(P) -> R, mostly: impl FnOnce(P) -> R) -> R {
    if is_seldom { out_of_the_way(place, seldom) } else { mostly(place) }
}

#[cold]
#[inline(never)]
fn out_of_the_way<P, R>(place: P, code: impl FnOnce(P) -> R) -> R {
    code(place)
}
