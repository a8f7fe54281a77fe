//! Fields of every kind travel: what `#[actor(remote)]` tells serde takes nothing away.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zctor::remote::Loopback;
use zctor::{ActorEngine, actor};
use zctor_tests::bounded;

/// No trait of serde's, but functions for it.
#[derive(Clone, Debug, PartialEq)]
struct Meters(u64);

mod meters {
    use super::*;

    pub(super) fn serialize<S: Serializer>(value: &Meters, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(value.0)
    }
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Meters, D::Error> {
        u64::deserialize(deserializer).map(Meters)
    }
}

/// No trait of serde's either.
#[derive(Clone, Debug, Default, PartialEq)]
struct Seen(bool);

#[derive(Clone, Serialize, Deserialize)]
struct Order {
    of: Box<TreeMessage>,
}

#[actor(remote)]
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum TreeMessage {
    #[reply(u64)]
    Leaf(u64),
    #[reply(u64)]
    Branch { children: Vec<TreeMessage>, more: Option<Box<Self>> },
    #[reply(u64)]
    Ordered(Order),
    #[reply(u64)]
    Walk {
        #[serde(with = "meters")]
        far: Meters,
        #[serde(skip)]
        seen: Seen,
        tuple: (u8, [u16; 2], Duration),
        #[serde(skip)]
        name: &'static str,
    },
    /// It never travels, and so may borrow.
    #[msg(internal)]
    Label(&'static str),
}

struct Tree;
impl TreeHandler for Tree {
    fn leaf(&mut self, value: u64) -> u64 {
        value
    }
    fn branch(&mut self, children: Vec<TreeMessage>, more: Option<Box<TreeMessage>>) -> u64 {
        children.into_iter().chain(more.map(|more| *more)).map(sum).sum()
    }
    fn ordered(&mut self, value: Order) -> u64 {
        sum(*value.of)
    }
    fn walk(&mut self, far: Meters, seen: Seen, tuple: (u8, [u16; 2], Duration), name: &'static str) -> u64 {
        assert!(!seen.0 && name.is_empty(), "both are left out");
        far.0 + u64::from(tuple.0) + u64::from(tuple.1[1]) + tuple.2.as_secs()
    }
    fn label(&mut self, _value: &'static str) {}
}

fn sum(tree: TreeMessage) -> u64 {
    match tree {
        TreeMessage::Leaf(value) => value,
        TreeMessage::Branch { children, more } => children.into_iter().chain(more.map(|more| *more)).map(sum).sum(),
        TreeMessage::Ordered(order) => sum(*order.of),
        TreeMessage::Walk { far, .. } => far.0,
        TreeMessage::Label(_) => 0,
    }
}

#[test]
fn enums_that_hold_themselves_and_fields_with_functions_of_their_own_travel() {
    bounded(|| {
        let (ends, there, here) = (Loopback::pair(), ActorEngine::new(), ActorEngine::new());
        there.pool(1, TreeMessage::actor(|| Tree)).expect("a pool");
        ends.0.serve::<TreeMessage>(&there).expect("it has the pool");
        let tree = ends.1.attach::<TreeMessage>(&here).expect("a link");
        assert_eq!(tree.leaf(7), Ok(7));
        let branch = TreeMessage::Branch { children: vec![TreeMessage::Leaf(1), TreeMessage::Leaf(2)], more: None };
        assert_eq!(tree.branch(vec![branch.clone(), TreeMessage::Leaf(3)], Some(Box::new(branch.clone()))), Ok(9));
        assert_eq!(tree.ordered(Order { of: Box::new(branch) }), Ok(3));
        assert_eq!(tree.walk(Meters(100), Seen(true), (1, [2, 3], Duration::from_secs(10)), "path"), Ok(114));
    });
}

mod old {
    use super::*;

    #[actor(remote = "page")]
    #[derive(Serialize, Deserialize)]
    pub(super) enum PageMessage {
        #[reply(bool)]
        Open { number: u64 },
    }
}

#[actor(remote = "page")]
#[derive(Serialize, Deserialize)]
enum PageMessage {
    #[reply(bool)]
    Open { number: u64, title: Option<String> },
}
struct Page;
impl PageHandler for Page {
    fn open(&mut self, _number: u64, title: Option<String>) -> bool {
        title.is_none()
    }
}

#[test]
fn an_optional_field_that_does_not_come_is_none() {
    bounded(|| {
        let (ends, there, here) = (Loopback::pair(), ActorEngine::new(), ActorEngine::new());
        there.pool(1, PageMessage::actor(|| Page)).expect("a pool");
        ends.0.serve::<PageMessage>(&there).expect("it has the pool");
        let page = ends.1.attach::<old::PageMessage>(&here).expect("a link");
        assert_eq!(page.open(1), Ok(true));
    });
}
