//! A breaker opens after failures in a row, lets one attempt try when its pause is over, and heeds nothing that is late.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use zctor_kit::breaker::{Breaker, BreakerError};
use zctor_tests::{Counter, SplitMix64, bounded, expect_panics};

/// A pause that never ends.
const FOR_GOOD: Duration = Duration::MAX;
/// A pause that is over at once.
const NONE: Duration = Duration::ZERO;

fn fail(breaker: &Breaker) -> bool {
    matches!(breaker.call(|| Err::<(), _>("no")), Err(BreakerError::Failed("no")))
}

fn succeed(breaker: &Breaker) -> bool {
    breaker.call(|| Ok::<_, &str>(7)) == Ok(7)
}

#[test]
fn it_opens_after_so_many_failures_in_a_row() {
    let breaker = Breaker::new(3, FOR_GOOD);
    assert!(fail(&breaker) && fail(&breaker) && succeed(&breaker), "two are not enough");
    assert!(fail(&breaker) && fail(&breaker) && !breaker.is_open(), "a success starts the count anew");
    assert!(fail(&breaker) && breaker.is_open());
    let ran = Counter::new();
    let refused = breaker.call(|| {
        ran.increment();
        Ok::<_, &str>(())
    });
    assert_eq!(refused, Err(BreakerError::Open { retry_after: FOR_GOOD }));
    assert_eq!(ran.get(), 0, "nothing is tried");
    assert_eq!(breaker.begin().map(drop).unwrap_err().retry_after, FOR_GOOD);
}

#[test]
fn no_failures_at_all_are_one() {
    let breaker = Breaker::new(0, FOR_GOOD);
    assert!(succeed(&breaker) && fail(&breaker) && breaker.is_open());
}

#[test]
fn a_pause_lasts() {
    let breaker = Breaker::new(1, Duration::from_secs(3_600));
    assert!(fail(&breaker) && breaker.is_open());
    let left = breaker.begin().map(drop).unwrap_err().retry_after;
    assert!(left > Duration::from_secs(1_800) && left <= Duration::from_secs(3_600), "{left:?}");
}

#[test]
fn when_the_pause_is_over_one_attempt_tries() {
    let breaker = Breaker::new(1, NONE);
    assert!(fail(&breaker));
    let attempt = breaker.begin().expect("the pause is over");
    assert!(breaker.is_open());
    assert_eq!(breaker.begin().map(drop).unwrap_err().retry_after, NONE, "one at a time");
    attempt.end(false);
    let attempt = breaker.begin().expect("after another pause");
    drop(attempt); // neither success nor failure
    let attempt = breaker.begin().expect("the next tries");
    attempt.end(true);
    let both = (breaker.begin(), breaker.begin());
    assert!(both.0.is_ok() && both.1.is_ok(), "it is closed");
}

#[test]
fn what_began_before_it_opened_or_closed_counts_for_nothing() {
    let breaker = Breaker::new(2, NONE);
    let [good, bad, worse] = [(); 3].map(|()| breaker.begin().expect("it is closed"));
    assert!(fail(&breaker) && fail(&breaker));
    let attempt = breaker.begin().expect("the pause is over");
    good.end(true);
    assert!(breaker.begin().is_err(), "a late success has closed nothing");
    bad.end(false);
    assert!(breaker.begin().is_err(), "a late failure has begun no other pause");
    attempt.end(true);
    worse.end(false);
    assert!(fail(&breaker));
    let both = (breaker.begin(), breaker.begin());
    assert!(both.0.is_ok() && both.1.is_ok(), "a late failure was not counted: it is closed");
}

#[test]
fn a_panic_is_a_failure_and_an_attempt_that_is_dropped_is_none() {
    expect_panics("the attempt breaks");
    let breaker = Breaker::new(1, FOR_GOOD);
    drop(breaker.begin().expect("it is closed"));
    assert!(!breaker.is_open());
    let attempt = || breaker.call(|| -> Result<(), &str> { panic!("the attempt breaks") });
    assert!(catch_unwind(AssertUnwindSafe(attempt)).is_err());
    assert!(breaker.is_open());
}

#[test]
fn the_text_is_that_of_the_failure() {
    let failed: BreakerError<std::fmt::Error> = BreakerError::Failed(std::fmt::Error);
    assert_eq!(failed.to_string(), std::fmt::Error.to_string());
    let open: BreakerError<std::fmt::Error> = BreakerError::Open { retry_after: Duration::from_secs(2) };
    assert_eq!(open.to_string(), "the circuit breaker is open for another 2s; nothing was tried");
}

/// After the first failure each attempt fails until the end: no two of them try at once.
#[test]
fn of_many_threads_one_at_a_time_tries() {
    bounded(|| {
        let (breaker, trying, tried) = (Breaker::new(1, NONE), AtomicUsize::new(0), Counter::new());
        assert!(fail(&breaker));
        thread::scope(|scope| {
            for seed in 0..4 {
                let (breaker, trying, tried) = (breaker.clone(), &trying, tried.clone());
                scope.spawn(move || {
                    let mut random = SplitMix64::new(seed);
                    while tried.get() < 1_000 {
                        let Ok(attempt) = breaker.begin() else {
                            thread::yield_now();
                            continue;
                        };
                        assert_eq!(trying.fetch_add(1, Ordering::SeqCst), 0, "two try at once");
                        tried.increment();
                        trying.fetch_sub(1, Ordering::SeqCst);
                        if random.below(4) == 0 { drop(attempt) } else { attempt.end(false) }
                    }
                });
            }
        });
        breaker.begin().expect("the pause is over").end(true);
        assert!(!breaker.is_open());
    });
}
