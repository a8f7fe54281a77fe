//! The names of generic enums show their parameters: in the registry, in errors, statistics and reports.

use std::time::Duration;

use zctor::{ActorEngine, CallError, Message, SpawnError, actor};
use zctor_tests::bounded;

#[actor]
pub(crate) enum TopicMessage<T, const N: usize> {
    Publish(T),
    #[reply([u8; N])]
    Last,
}

struct Topic<const N: usize>;

impl<T: Send + 'static, const N: usize> TopicHandler<T, N> for Topic<N> {
    fn publish(&mut self, _: T) {}
    fn last(&mut self) -> [u8; N] {
        panic!("nothing was published")
    }
}

#[actor(name = "Plain")]
pub(crate) enum PlainMessage {
    Go,
}

type Numbers = TopicMessage<u32, 4>;
type Texts = TopicMessage<Vec<String>, 4>;

#[test]
fn a_name_has_the_parameters_of_a_generic_enum() {
    mod inner {
        pub(super) struct Local;
    }
    assert_eq!(Numbers::name(), "TopicMessage<u32, 4>");
    assert_eq!(Texts::name(), "TopicMessage<Vec<String>, 4>");
    assert_eq!(TopicMessage::<inner::Local, 0>::name(), "TopicMessage<Local, 0>");
    assert_eq!(TopicMessage::<(Duration, &'static str), 0>::name(), "TopicMessage<(Duration, &str), 0>");
    assert_eq!((Numbers::NAME, PlainMessage::NAME, PlainMessage::name()), ("TopicMessage", "Plain", "Plain"));
}

#[test]
fn registry_errors_statistics_and_reports_tell_generic_enums_apart() {
    bounded(|| {
        let engine = ActorEngine::new();
        let unknown = engine.call(Numbers::last()).unwrap_err();
        assert_eq!(unknown, CallError::NotRegistered { message: "TopicMessage<u32, 4>" });
        let refused = engine.send(Texts::Publish(vec![])).unwrap_err();
        assert!(refused.to_string().contains("`TopicMessage<Vec<String>, 4>`"), "{refused}");

        let numbers = engine.pool(1, Numbers::actor(|| Topic::<4>)).unwrap();
        engine.pool(1, Texts::actor(|| Topic::<4>)).unwrap();
        let registry = engine.registry().to_string();
        assert!(registry.contains("TopicMessage<u32, 4> -> [0]"), "{registry}");
        assert!(registry.contains("TopicMessage<Vec<String>, 4> -> [1]"), "{registry}");
        assert_eq!(format!("{:?}", *numbers), "Client(TopicMessage<u32, 4>)");

        for outcome in [numbers.last(), numbers.non_blocking().last().wait()] {
            assert_eq!(outcome.unwrap_err().message(), "TopicMessage<u32, 4>");
        }
        let failed = engine.replace(numbers.instances()[0], Texts::actor(|| Topic::<4>)).unwrap_err();
        assert!(matches!(failed, SpawnError::NoPlace { message: "TopicMessage<Vec<String>, 4>", .. }), "{failed}");
        let mut messages: Vec<_> = engine.shutdown().unwrap().instances.iter().map(|report| report.message).collect();
        messages.sort_unstable();
        assert_eq!(messages, ["TopicMessage<Vec<String>, 4>", "TopicMessage<u32, 4>"]);
    });
}
