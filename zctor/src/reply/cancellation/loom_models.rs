//! A call begins or is given up, never both.
//!
//! The models run the real `Cancellation`. "Caught" lists the mutations that a model was seen to fail under. Orderings
//! are not among them: no other data is read after a look at this word, so `Relaxed` passes as well.

use loom::sync::Arc;
use loom::thread::spawn;

use super::*;

/// Caught: `decide` as a load and a store ("begun: true, given up: true"); `give_up` that does not store `LEFT`.
#[test]
fn either_the_handler_begins_or_the_caller_has_given_up() {
    loom::model(|| {
        let cancellation = Arc::new(Cancellation::new(None));
        let callee = {
            let cancellation = Arc::clone(&cancellation);
            spawn(move || cancellation.begin())
        };
        let given_up = cancellation.give_up();
        let begun = callee.join().unwrap();
        assert!(begun != given_up, "begun: {begun}, given up: {given_up}");
        assert_eq!(cancellation.has_left(), begun, "the handler is told that its caller has left");
        assert_eq!(cancellation.give_up(), given_up, "it stands");
    });
}

/// Caught: `begin` that does not look at the deadline.
#[test]
fn a_handler_whose_time_is_up_never_begins() {
    loom::model(|| {
        let cancellation = Arc::new(Cancellation::new(Some(now())));
        let callee = {
            let cancellation = Arc::clone(&cancellation);
            spawn(move || cancellation.begin())
        };
        assert!(cancellation.give_up());
        assert!(!callee.join().unwrap());
    });
}
