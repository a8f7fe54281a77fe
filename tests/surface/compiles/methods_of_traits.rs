//! Methods with the names of those of the prelude's traits. A client's method goes before a trait's, but for those that
//! every type has by value, which are refused.

use zctor::{SendError, actor};

#[actor]
enum NamesMessage {
    IntoIter(u8),
    IntoFuture(u8),
    Count(u8),
    Map(u8),
    Max(u8),
    Clamp(u8),
    CallOnce(u8),
    ToOwned(u8),
    ToString(u8),
    AsRef(u8),
    AsMut(u8),
    Drop(u8),
    Eq(u8),
    Cmp(u8),
    Lt(u8),
    Extend(u8),
    Deref(u8),
    Borrow(u8),
    TypeId(u8),
    From(u8),
    TryFrom(u8),
    CloneFrom(u8),
    Not(u8),
    Fmt(u8),
}

macro_rules! sent {
    ($client:ident: $($method:ident)*) => { [$($client.$method(1)),*] };
}

fn names(client: NamesClient, shared: &NamesClient) -> [[Result<(), SendError<NamesMessage>>; 24]; 2] {
    [
        sent!(client: into_iter into_future count map max clamp call_once to_owned to_string as_ref as_mut drop eq cmp
            lt extend deref borrow type_id from try_from clone_from not fmt),
        sent!(shared: into_iter into_future count map max clamp call_once to_owned to_string as_ref as_mut drop eq cmp
            lt extend deref borrow type_id from try_from clone_from not fmt),
    ]
}

#[test]
fn names_of_methods_of_the_prelude_are_free() {
    let _ = names;
}
