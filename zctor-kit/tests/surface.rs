//! Errors are ordinary errors, and what a tool hands out goes to other threads.

use std::error::Error;
use std::fmt::Debug;

use zctor::{CallError, SendError, actor};
use zctor_kit::breaker::{Attempt, Breaker, BreakerError, Open};
use zctor_kit::forward::Forward;
use zctor_kit::group::{AddError, Group, GroupEnd, Rules};
use zctor_kit::quorum::QuorumError;
use zctor_kit::topic::{Subscription, Topic};

#[actor]
enum JobMessage {
    Run(std::cell::Cell<u8>),
}

fn is_error<E: Error + Send + Sync + 'static>() {}
fn is_shared<T: Debug + Send + Sync + 'static>() {}

#[test]
fn every_error_is_fit_for_question_marks() {
    is_error::<AddError>();
    is_error::<Open>();
    is_error::<BreakerError<CallError>>();
    is_error::<BreakerError<SendError<JobMessage>>>();
    is_error::<QuorumError>();
}

#[test]
fn handles_go_to_other_threads() {
    is_shared::<Breaker>();
    is_shared::<Attempt>();
    is_shared::<Forward<JobMessage>>();
    is_shared::<Group>();
    is_shared::<GroupEnd>();
    is_shared::<Subscription>();
    is_shared::<Topic<u8>>();
    fn is_send<T: Debug + Send + 'static>() {}
    is_send::<Rules>();
}
