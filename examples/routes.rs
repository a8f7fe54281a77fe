//! Routes: the same pool by key, by load, by instance, and by neighbourhood.
//!
//! A client goes round the instances in turn, unless it is bound to another route; each binding is a cheap client of its
//! own. `call_all_with` and `broadcast_with` make a message for each instance. `send_local` reaches the neighbours on a
//! thread. `ctx.carry` takes the right to call along to a thread that helps a handler. Look at who answers.
//!
//! ```text
//! cargo run --example routes
//! ```

use std::collections::HashSet;
use std::error::Error;
use std::thread;

use zctor::{ActorEngine, ActorThread, CallError, Context, InstanceId, actor};

#[actor(ctx)]
enum TileMessage {
    /// Gives who answers.
    #[reply(InstanceId)]
    Who,
    /// Gives the brightness of a tile.
    #[reply(u32)]
    Load { tile: u32 },
}

#[actor(calls(TileMessage))]
enum MapMessage {
    /// Gives the sum over two tiles, one of which a thread of its own asks for.
    #[reply(Result<u32, CallError>)]
    Both,
    /// Sends a tile to a neighbour on this thread, if there is one.
    #[reply(bool)]
    Warm,
}

struct Tile;

struct Map {
    tiles: TileClient,
}

impl TileHandler for Tile {
    fn who(&mut self, ctx: &mut Context<TileMessage>) -> InstanceId {
        ctx.instance_id()
    }

    fn load(&mut self, _ctx: &mut Context<TileMessage>, tile: u32) -> u32 {
        tile * 10
    }
}

impl MapHandler for Map {
    fn both(&mut self, ctx: &mut Context<MapMessage>) -> Result<u32, CallError> {
        let (carried, tiles) = (ctx.carry(), &self.tiles);
        thread::scope(|scope| {
            let helper = scope.spawn(|| carried.run(|| tiles.load(1)));
            let own = ctx.call(TileMessage::load(2));
            Ok(helper.join().expect("it does not panic")? + own?)
        })
    }

    fn warm(&mut self, ctx: &mut Context<MapMessage>) -> bool {
        ctx.send_local(TileMessage::Load { tile: 3 }).is_ok()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let engine = ActorEngine::new();
    let tiles = engine.pool(3, TileMessage::actor(|| Tile))?;
    let all = tiles.instances();

    // In turn.
    let three: HashSet<_> = (0..3).map(|_| tiles.who()).collect::<Result<_, _>>()?;
    assert_eq!(three.len(), 3);
    // By key: always the same one for the same key.
    let keyed = tiles.keyed("north");
    assert_eq!(keyed.who()?, keyed.who()?);
    // One instance.
    assert_eq!(tiles.pin(all[1]).who()?, all[1]);
    // The one with the fewest messages.
    let idle = tiles.least_loaded().who()?;
    println!("in turn {three:?}, least loaded {idle}");
    assert!(all.contains(&idle));
    // Another request for each instance, and the answers in their order.
    let mut number = 0;
    let answers = tiles.call_all_with(|_instance| {
        number += 1;
        TileMessage::load(number)
    })?;
    let loads = answers.into_iter().map(|(_, load)| load).collect::<Result<Vec<_>, _>>()?;
    assert_eq!(loads, [10, 20, 30]);

    // A map has no tile on its own thread; a second one has.
    let actor = || {
        let tiles = tiles.clone();
        MapMessage::actor(move || Map { tiles: tiles.clone() })
    };
    let alone = engine.start(actor())?;
    assert_eq!(alone.both()??, 30);
    assert!(!alone.warm()?);
    let thread = ActorThread::named("together").register(TileMessage::actor(|| Tile));
    assert!(engine.start_on(thread, actor())?.warm()?);

    println!("{}", engine.shutdown()?);
    Ok(())
}
