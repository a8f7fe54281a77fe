//! An account is read under the name of the instance whose it is, though its thread opens it without the lock.
//!
//! The models run the real `Roster` and the real `Block`. "Caught" lists the mutations that a model was seen to fail
//! under.

use loom::thread::spawn;

use super::*;

const FIRST: Slot = Slot { index: 0, generation: 0 };
const SECOND: Slot = Slot { index: 0, generation: 1 };

/// A roster with the names of two types, and its block.
fn roster() -> (Arc<Roster>, Arc<Block>) {
    let roster = Arc::new(Roster::new(ThreadId(0)));
    let block = roster.add_block();
    assert_eq!((roster.add_name("First"), roster.add_name("Second")), (0, 1));
    (roster, block)
}

/// One instance after the other lives in a slot. The first panics, so that its account differs from the second's.
fn live(roster: &Roster, block: &Block) {
    block.open(FIRST, 0);
    block.account(FIRST).count_panicked();
    roster.remove(FIRST, &End::Stopped, Some(|_| {})).tell();
    block.open(SECOND, 1);
}

/// Caught: `open` that publishes with `Relaxed`, or before it opens the account; `occupant` that looks with `Relaxed`, or
/// at the generation first.
#[test]
fn an_account_is_read_under_the_name_of_its_instance() {
    loom::model(|| {
        let (roster, block) = roster();
        let thread = {
            let (roster, block) = (Arc::clone(&roster), Arc::clone(&block));
            spawn(move || live(&roster, &block))
        };
        roster.read_block(0, |report| match report.message {
            "First" => assert_eq!(report.id.slot, FIRST),
            _ => assert_eq!((report.id.slot, report.panicked), (SECOND, 0)),
        });
        thread.join().unwrap();
        assert_eq!(roster.find(SECOND).map(|found| found.message), Some("Second"));
    });
}

/// Caught: all that the model above catches; `watch` that lets go of the lock between its look and its joining; `remove`
/// that takes the watchers out and the name away under two locks.
#[test]
fn an_instance_that_is_watched_has_its_end_told() {
    loom::model(|| {
        let (roster, block) = roster();
        block.open(FIRST, 0);
        let thread = {
            let (roster, block) = (Arc::clone(&roster), Arc::clone(&block));
            spawn(move || {
                let removed = roster.remove(FIRST, &End::Stopped, Some(|_| {}));
                let is_watched = removed.watchers.is_some();
                removed.tell();
                block.open(SECOND, 1);
                is_watched
            })
        };
        let watched = roster.watch(FIRST, Waker::noop().clone());
        let is_told = thread.join().unwrap();
        assert_eq!(is_told, watched.is_ok(), "{watched:?}");
    });
}
