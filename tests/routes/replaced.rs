//! A place of a pool can be filled again: the new instance gets exactly the keys of the one before.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::thread;

use zctor::{Actor, ActorEngine, ActorThread, CallError, Context, InstanceId, Restart, SpawnError, actor};
use zctor_tests::{Counter, Gate, bounded, expect_panics, receive};

const KEYS: u64 = if cfg!(miri) { 50 } else { 1_000 };
const MEMBERS: usize = 4;
const ROUNDS: u64 = if cfg!(miri) { 2 } else { 30 };

type Job = Box<dyn FnOnce(&mut Context<ShardMessage>) + Send>;

#[actor(ctx)]
enum ShardMessage {
    /// Which place has the key, and who is there.
    #[reply((usize, InstanceId))]
    Owner(#[key] u64),
    Note(#[key] u64, u64),
    /// In turn.
    #[reply(usize)]
    Next,
    Hold(Gate),
    Run(Job),
    Break,
    Quit,
}

/// Knows its place, and tells what it is sent.
struct Shard {
    place: usize,
    notes: Option<Sender<Note>>,
}

#[derive(Debug)]
struct Note {
    place: usize,
    by: InstanceId,
    key: u64,
    number: u64,
}

impl ShardHandler for Shard {
    fn owner(&mut self, ctx: &mut Context<ShardMessage>, _: u64) -> (usize, InstanceId) {
        (self.place, ctx.instance_id())
    }
    fn note(&mut self, ctx: &mut Context<ShardMessage>, key: u64, number: u64) {
        let note = Note { place: self.place, by: ctx.instance_id(), key, number };
        self.notes.as_ref().map_or(Ok(()), |notes| notes.send(note)).expect("the test listens");
    }
    fn next(&mut self, _: &mut Context<ShardMessage>) -> usize {
        self.place
    }
    fn hold(&mut self, _: &mut Context<ShardMessage>, gate: Gate) {
        gate.pass();
    }
    fn run(&mut self, ctx: &mut Context<ShardMessage>, job: Job) {
        job(ctx);
    }
    fn r#break(&mut self, _: &mut Context<ShardMessage>) {
        panic!("the shard breaks");
    }
    fn quit(&mut self, ctx: &mut Context<ShardMessage>) {
        ctx.stop();
    }
}

fn shard(place: usize, notes: Option<&Sender<Note>>) -> Actor<ShardMessage, Shard> {
    let notes = notes.cloned();
    ShardMessage::actor(move || Shard { place, notes: notes.clone() }).restart(Restart::never())
}

/// A pool whose members are in the places 0 to 3.
fn pool(notes: Option<&Sender<Note>>) -> (ActorEngine, ShardClient) {
    let engine = ActorEngine::new();
    engine.on_dead_letter(|_| {});
    for place in 0..MEMBERS {
        engine.spawn(ActorThread::new().register(shard(place, notes))).expect("it starts");
    }
    let shards = engine.client::<ShardMessage>().expect("it lives");
    (engine, shards)
}

/// Of each key the place, as its owner says.
fn places(shards: &ShardClient) -> Vec<usize> {
    (0..KEYS).map(|key| shards.owner(key).expect("somebody has it").0).collect()
}

/// Has an instance end, and waits for that.
fn end(engine: &ActorEngine, member: &ShardClient, by: fn(&ShardClient)) {
    let (tell, told) = mpsc::channel();
    engine.on_end(move |ended| tell.send(ended.instance).unwrap_or_default());
    by(member);
    assert_eq!(Some(receive(&told)), member.instance_id());
}

fn quit(member: &ShardClient) {
    member.quit().expect("it lives");
}

fn r#break(member: &ShardClient) {
    expect_panics("the shard breaks");
    member.r#break().expect("it lives");
}

// Issue 15: of 1,000 keys 160 moved away from healthy instances when another was spawned for one that had ended.
#[test]
fn no_key_moves_when_an_ended_member_is_replaced_and_replaced_again() {
    bounded(|| {
        for how in [quit, r#break] {
            let (engine, shards) = pool(None);
            let before = places(&shards);
            let mut member = shards.pin(shards.instances()[2]);
            for _ in 0..3 {
                let ended = member.instance_id().unwrap();
                end(&engine, &member, how);
                let meanwhile = places(&shards);
                let healthy = before.iter().zip(&meanwhile).filter(|(before, _)| **before != 2);
                assert!(healthy.clone().all(|(before, now)| before == now), "only its keys went elsewhere");
                member = engine.replace(ended, shard(2, None)).unwrap();
                assert_eq!(places(&shards), before);
                let owners: Vec<_> = (0..KEYS).map(|key| shards.owner(key).unwrap()).collect();
                assert!(owners.iter().all(|(place, by)| (*place == 2) == (Some(*by) == member.instance_id())));
                assert_eq!(shards.instances()[2], member.instance_id().unwrap(), "it stands where it stood");
                assert_eq!(engine.registry().get::<ShardMessage>().unwrap().instances(), shards.instances());
            }
        }
    });
}

#[test]
fn all_members_of_a_pool_are_replaced_one_after_the_other() {
    bounded(|| {
        let (engine, shards) = pool(None);
        let before = places(&shards);
        for (place, id) in shards.instances().into_iter().enumerate() {
            end(&engine, &shards.pin(id), quit);
            engine.replace(id, shard(place, None)).unwrap();
        }
        assert_eq!(places(&shards), before);
        // All of them at once: the pool is empty for a while.
        let members = shards.instances();
        members.iter().for_each(|id| end(&engine, &shards.pin(*id), quit));
        assert!(matches!(shards.owner(1), Err(CallError::NotRegistered { .. })));
        for (place, id) in members.into_iter().enumerate().rev() {
            engine.replace(id, shard(place, None)).unwrap();
        }
        assert_eq!(places(&shards), before);
        assert_eq!((0..6).map(|_| shards.next().unwrap()).collect::<Vec<_>>(), [0, 1, 2, 3, 0, 1]);
    });
}

#[test]
fn a_replacement_leaves_the_turn_where_it_is() {
    bounded(|| {
        let (engine, shards) = pool(None);
        let turns = |count: usize| (0..count).map(|_| shards.next().unwrap()).collect::<Vec<_>>();
        assert_eq!(turns(2), [0, 1]);
        let third = shards.instances()[2];
        engine.replace(third, shard(2, None)).unwrap();
        assert_eq!(turns(5), [2, 3, 0, 1, 2]);
    });
}

#[test]
fn a_live_member_handles_what_it_has_got_before_its_replacement_begins() {
    bounded(|| {
        let (notes, noted) = mpsc::channel();
        let (engine, shards) = pool(Some(&notes));
        let key = (0..KEYS).find(|key| shards.owner(*key).unwrap().0 == 1).unwrap();
        let old = shards.pin(shards.instances()[1]);
        let gate = Gate::new();
        old.hold(gate.clone()).unwrap();
        gate.await_arrivals(1);
        (0..3).for_each(|number| shards.note(key, number).unwrap());
        let new = engine.replace(old.instance_id().unwrap(), shard(1, Some(&notes))).unwrap();
        (3..6).for_each(|number| shards.note(key, number).unwrap());
        let asked = shards.non_blocking().owner(key);
        assert!(noted.try_recv().is_err() && asked.try_take().is_none(), "it waits for the end of the one before");
        gate.open();
        assert_eq!(asked.wait(), Ok((1, new.instance_id().unwrap())));
        let seen: Vec<_> = noted.try_iter().map(|note| (note.number, Some(note.by) == new.instance_id())).collect();
        assert_eq!(seen, [(0, false), (1, false), (2, false), (3, true), (4, true), (5, true)]);
        assert!(old.owner(key).is_err_and(|error| matches!(error, CallError::Stopped { .. })));
        assert_eq!(engine.shutdown().unwrap().dead_letters, 0);
    });
}

/// Sends numbers by all keys, round after round, until told to stop; gives how many by each.
fn send_on(shards: &ShardClient, stop: &AtomicBool) -> u64 {
    let mut rounds = 0;
    while !stop.load(Ordering::Relaxed) {
        (0..KEYS).for_each(|key| shards.note(key, rounds).expect("somebody has the key"));
        rounds += 1;
        // The queues stay short. Its owner may end meanwhile.
        let _ = shards.owner(0);
    }
    rounds
}

/// Counts the notes that nobody handles.
fn count_lost(engine: &ActorEngine) -> Counter {
    let lost = Counter::new();
    let count = lost.clone();
    engine.on_dead_letter(move |letter| {
        if letter.variant == "Note" {
            count.increment();
        }
    });
    lost
}

/// Notes by key, which were sent in order: none comes twice, none overtakes another. Gives how many there are.
fn assert_order(notes: &[Note]) -> u64 {
    let mut last: BTreeMap<u64, u64> = BTreeMap::new();
    for note in notes {
        let before = last.insert(note.key, note.number);
        assert!(before.is_none_or(|before| before < note.number), "{note:?} comes behind {before:?}");
    }
    notes.len() as u64
}

#[test]
fn members_are_replaced_under_way_and_every_key_stays_in_its_place_and_in_order() {
    bounded(|| {
        let (notes, noted) = mpsc::channel();
        let (engine, shards) = pool(Some(&notes));
        let lost = count_lost(&engine);
        let expected = places(&shards);
        let stop = AtomicBool::new(false);
        let rounds = thread::scope(|scope| {
            let sending = scope.spawn(|| send_on(&shards, &stop));
            for round in 0..ROUNDS {
                let place = round as usize % MEMBERS;
                engine.replace(shards.instances()[place], shard(place, Some(&notes))).unwrap();
            }
            stop.store(true, Ordering::Relaxed);
            sending.join().unwrap()
        });
        engine.settle();
        assert_eq!(places(&shards), expected);
        engine.shutdown().unwrap();
        let all: Vec<Note> = noted.try_iter().collect();
        assert!(all.iter().all(|note| note.place == expected[note.key as usize]), "no message went to another place");
        // What a sender had chosen the one before for, and came too late, is told.
        assert_eq!(assert_order(&all) + lost.get(), rounds * KEYS);
    });
}

// A sender that had loaded the places before a replacement, and looked at them after the end of the one before, took
// the key for another's, or the pool for empty.
#[test]
fn a_pool_is_never_found_empty_while_its_only_member_is_replaced() {
    bounded(|| {
        let engine = ActorEngine::new();
        engine.on_dead_letter(|_| {});
        engine.spawn(ActorThread::new().register(shard(0, None))).unwrap();
        let shards = engine.client::<ShardMessage>().unwrap();
        let stop = AtomicBool::new(false);
        let nothing = || ShardMessage::Run(Box::new(|_| ()));
        let send_on = |send: &dyn Fn(&ShardClient)| {
            while !stop.load(Ordering::Relaxed) {
                (0..100).for_each(|_| send(&shards));
                // The queue stays short. Its owner may end meanwhile.
                let _ = shards.owner(0);
            }
        };
        thread::scope(|scope| {
            scope.spawn(|| send_on(&|shards| shards.note(7, 0).expect("the pool has a member, by key")));
            scope.spawn(|| send_on(&|shards| shards.send(nothing()).expect("the pool has a member, in turn")));
            scope.spawn(|| {
                send_on(&|shards| shards.least_loaded().send(nothing()).expect("the pool has a member, by load"));
            });
            scope.spawn(|| {
                send_on(&|shards| {
                    assert_eq!(shards.send_all([nothing(), nothing()]).expect("the pool has a member"), 2)
                });
            });
            for _ in 0..ROUNDS * 4 {
                engine.replace(shards.instances()[0], shard(0, None)).expect("it is in its place");
            }
            stop.store(true, Ordering::Relaxed);
        });
        engine.shutdown().unwrap();
    });
}

#[test]
fn a_member_that_panics_again_and_again_is_replaced_and_no_healthy_key_moves() {
    bounded(|| {
        expect_panics("the shard breaks");
        let (notes, noted) = mpsc::channel();
        let (engine, shards) = pool(Some(&notes));
        let lost = count_lost(&engine);
        let expected = places(&shards);
        let (tell, told) = mpsc::channel();
        engine.on_end(move |ended| tell.send(ended.instance).unwrap_or_default());
        let stop = AtomicBool::new(false);
        let rounds = thread::scope(|scope| {
            let sending = scope.spawn(|| send_on(&shards, &stop));
            for _ in 0..ROUNDS {
                let member = shards.pin(shards.instances()[3]);
                member.r#break().unwrap();
                let ended = receive(&told);
                assert_eq!(Some(ended), member.instance_id());
                engine.replace(ended, shard(3, Some(&notes))).unwrap();
            }
            stop.store(true, Ordering::Relaxed);
            sending.join().unwrap()
        });
        engine.settle();
        assert_eq!(places(&shards), expected);
        engine.shutdown().unwrap();
        let all: Vec<Note> = noted.try_iter().collect();
        let healthy = all.iter().filter(|note| expected[note.key as usize] != 3);
        assert!(healthy.clone().all(|note| note.place == expected[note.key as usize]));
        let healthy_keys = expected.iter().filter(|place| **place != 3).count() as u64;
        assert_eq!(healthy.count() as u64, healthy_keys * rounds, "nothing of the healthy was lost");
        assert_eq!(all.len() as u64 + lost.get(), rounds * KEYS);
    });
}

#[test]
fn of_many_that_replace_one_member_at_a_time_one_succeeds() {
    bounded(|| {
        let (engine, shards) = pool(None);
        let before = places(&shards);
        for _ in 0..ROUNDS {
            let id = shards.instances()[1];
            let outcomes: Vec<_> = thread::scope(|scope| {
                let at_once: Vec<_> = (0..3).map(|_| scope.spawn(|| engine.replace(id, shard(1, None)))).collect();
                at_once.into_iter().map(|one| one.join().unwrap()).collect()
            });
            let refused = |outcome: &&Result<_, _>| matches!(outcome, Err(SpawnError::NoPlace { .. }));
            assert_eq!(outcomes.iter().filter(refused).count(), 2);
            assert_eq!(shards.instances().len(), MEMBERS);
        }
        engine.settle();
        assert_eq!((places(&shards), engine.thread_count()), (before, MEMBERS));
    });
}

#[test]
fn a_replacement_that_fails_leaves_all_as_it_was() {
    bounded(|| {
        let (engine, shards) = pool(None);
        let (before, members) = (places(&shards), shards.instances());
        let failing = || ShardMessage::try_actor(|_| Err::<Shard, _>("no disk".into()));
        assert!(matches!(engine.replace(members[0], failing()), Err(SpawnError::Factory { .. })));
        assert_eq!((places(&shards), shards.instances()), (before.clone(), members.clone()));
        end(&engine, &shards.pin(members[0]), quit);
        assert!(matches!(engine.replace(members[0], failing()), Err(SpawnError::Factory { .. })));
        engine.replace(members[0], shard(0, None)).unwrap();
        assert_eq!(places(&shards), before);
        // It has no place any more; nor has one that is in no pool, or in that of another engine.
        let alone = engine.start(shard(9, None)).unwrap();
        for id in [members[0], alone.instance_id().unwrap()] {
            let error = engine.replace(id, shard(0, None)).unwrap_err();
            assert!(matches!(error, SpawnError::NoPlace { message: "ShardMessage", instance } if instance == id));
            assert!(error.to_string().contains(&id.to_string()));
        }
        engine.shutdown().unwrap();
        assert!(matches!(engine.replace(members[1], shard(1, None)), Err(SpawnError::Stopped)));
    });
}

#[test]
fn a_member_replaces_itself_from_its_handler() {
    bounded(|| {
        let (_engine, shards) = pool(None);
        let before = places(&shards);
        let first = shards.pin(shards.instances()[0]);
        let (tell, told) = mpsc::channel();
        let job = move |ctx: &mut Context<ShardMessage>| {
            tell.send(ctx.engine().replace(ctx.instance_id(), shard(0, None))).expect("the test listens");
        };
        first.run(Box::new(job)).unwrap();
        let new = receive(&told).unwrap();
        assert_eq!(new.owner(0).unwrap().1, new.instance_id().unwrap());
        assert_eq!(places(&shards), before);
        assert!(first.next().is_err());
    });
}

#[test]
fn a_shutdown_waits_for_the_one_before_and_for_its_replacement() {
    bounded(|| {
        let (notes, noted) = mpsc::channel();
        let (engine, shards) = pool(Some(&notes));
        let key = (0..KEYS).find(|key| shards.owner(*key).unwrap().0 == 3).unwrap();
        let old = shards.pin(shards.instances()[3]);
        let gate = Gate::new();
        old.hold(gate.clone()).unwrap();
        gate.await_arrivals(1);
        engine.replace(old.instance_id().unwrap(), shard(3, Some(&notes))).unwrap();
        shards.note(key, 7).unwrap();
        engine.handle().stop();
        gate.open();
        assert_eq!(engine.shutdown().unwrap().dead_letters, 0);
        assert_eq!(noted.try_iter().map(|note| note.number).collect::<Vec<_>>(), [7]);
    });
}

#[test]
fn a_replacement_on_a_thread_of_ones_making_has_its_neighbours_there() {
    bounded(|| {
        let (engine, shards) = pool(None);
        let built = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&built);
        let beside = ShardMessage::actor(move || {
            seen.lock().unwrap().push(thread::current().name().map(String::from));
            Shard { place: 4, notes: None }
        });
        let before = places(&shards);
        let id = shards.instances()[1];
        engine.replace_on(id, ActorThread::named("again").register(beside), shard(1, None)).unwrap();
        assert_eq!(*built.lock().unwrap(), [Some("again".into())]);
        // The neighbour is one more in the pool: keys go to it, and else stay.
        assert!(places(&shards).iter().zip(before).all(|(now, before)| *now == before || *now == 4));
        assert_eq!((0..5).map(|_| shards.next().unwrap()).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    });
}
