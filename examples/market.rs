//! A market: orders pass a gateway and a check of risk, meet in the book of their symbol, and trades go to subscribers.
//!
//! Customers keep a few orders under way; the gateways take 16 at a time, and more are refused, so nothing piles up. A
//! book is a shard, `#[key]` finds it, and it writes down each order before it acts on it: after a panic it is built again
//! from its journal, and goes on. Whoever wants trades subscribes to a topic, the ledger for good and a ticker for a
//! while. Look at the balance: what was bought is what was sold, and the ledger has each trade.
//!
//! ```text
//! cargo run --example market
//! ```

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, CallError, Context, Overflow, Pending, actor, first};
use zctor_kit::topic::Topic;

/// How many orders each customer keeps under way. The last wants more than its share.
const WINDOWS: [usize; 3] = [4, 4, 64];
const ORDERS: u64 = 1_000;
/// What a customer may have at stake.
const LIMIT: u64 = 150_000;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Side {
    Buy,
    Sell,
}

#[derive(Clone, Copy, Debug)]
struct Order {
    customer: u64,
    symbol: u32,
    side: Side,
    price: u64,
    quantity: u64,
}

#[derive(Clone, Copy, Debug)]
struct Trade {
    price: u64,
    quantity: u64,
}

type Filled = Result<u64, CallError>;

#[actor]
enum RiskMessage {
    /// Whether a customer may have so much more at stake.
    #[reply(bool)]
    Reserve { customer: u64, amount: u64 },
}

#[actor]
#[derive(Clone)]
enum BookMessage {
    /// Gives the quantity that was filled at once.
    #[reply(u64)]
    Place {
        #[key]
        symbol: u32,
        order: Order,
    },
    /// Gives the quantities that lie in the book, to buy and to sell.
    #[reply((u64, u64))]
    Open,
}

#[actor(calls(RiskMessage, BookMessage))]
enum GatewayMessage {
    #[reply(Filled)]
    Order(Order),
}

#[actor]
enum LedgerMessage {
    Book(Trade),
    #[reply(u64)]
    Volume,
}

#[derive(Default)]
struct Risk(HashMap<u64, u64>);

impl RiskHandler for Risk {
    fn reserve(&mut self, customer: u64, amount: u64) -> bool {
        let stake = self.0.entry(customer).or_default();
        let fits = *stake + amount <= LIMIT;
        *stake += if fits { amount } else { 0 };
        fits
    }
}

/// Stands for a file: it outlives the state.
type Journal = Arc<Mutex<Vec<Order>>>;

/// Of each symbol and side, what lies in the book at which price.
#[derive(Default)]
struct Book {
    lies: HashMap<(u32, bool), BTreeMap<u64, u64>>,
}

impl Book {
    /// Fills an order with what lies on the other side, and leaves the rest in the book.
    fn fill(&mut self, mut order: Order) -> Vec<Trade> {
        let (buys, mut trades) = (order.side == Side::Buy, Vec::new());
        let others = self.lies.entry((order.symbol, !buys)).or_default();
        while order.quantity > 0 {
            let best = if buys { others.first_entry() } else { others.last_entry() };
            let meets = |price| if buys { price <= order.price } else { price >= order.price };
            let Some(mut best) = best.filter(|best| meets(*best.key())) else { break };
            let quantity = order.quantity.min(*best.get());
            trades.push(Trade { price: *best.key(), quantity });
            order.quantity -= quantity;
            *best.get_mut() -= quantity;
            if *best.get() == 0 {
                best.remove();
            }
        }
        if order.quantity > 0 {
            let own = self.lies.entry((order.symbol, buys)).or_default();
            *own.entry(order.price).or_default() += order.quantity;
        }
        trades
    }
}

struct Shard {
    book: Book,
    journal: Journal,
    trades: Topic<Trade>,
}

impl Shard {
    fn read(journal: Journal, trades: Topic<Trade>) -> Self {
        let mut book = Book::default();
        // Their trades are in the ledger already.
        journal.lock().expect("nobody panics with it").iter().for_each(|order| drop(book.fill(*order)));
        Self { book, journal, trades }
    }
}

impl BookHandler for Shard {
    fn place(&mut self, _symbol: u32, order: Order) -> u64 {
        assert!(order.price > 0, "an order without a price");
        self.journal.lock().expect("nobody panics with it").push(order);
        let trades = self.book.fill(order);
        for trade in &trades {
            self.trades.publish(*trade);
        }
        trades.iter().map(|trade| trade.quantity).sum()
    }

    fn open(&mut self) -> (u64, u64) {
        let of = |side| {
            let own = self.book.lies.iter().filter(|((_, buys), _)| *buys == side);
            own.flat_map(|(_, prices)| prices.values()).sum()
        };
        (of(true), of(false))
    }
}

struct Gateway;

impl GatewayHandler for Gateway {
    fn order(&mut self, ctx: &mut Context<GatewayMessage>, value: Order) -> Filled {
        let Order { customer, price, quantity, symbol, .. } = value;
        if !ctx.call(RiskMessage::reserve(customer, price * quantity))? {
            return Ok(0);
        }
        ctx.call(BookMessage::place(symbol, value))
    }
}

#[derive(Default)]
struct Ledger(u64);

impl LedgerHandler for Ledger {
    fn book(&mut self, value: Trade) {
        assert!(value.price > 0);
        self.0 += value.quantity;
    }

    fn volume(&mut self) -> u64 {
        self.0
    }
}

/// What became of the orders of a customer.
#[derive(Debug, Default)]
struct Outcome {
    filled: u64,
    refused: u64,
    broken: u64,
}

/// Sends the orders of a customer, a few at a time. Each 250th has no price.
fn trade(gateways: &GatewayClient, customer: u64, under_way: usize) -> Result<Outcome, CallError> {
    let (mut window, mut outcome) = (first([]), Outcome::default());
    let mut count = |filled: Result<Filled, CallError>| match filled {
        Ok(Ok(filled)) => outcome.filled += filled,
        Err(CallError::Full { .. }) => outcome.refused += 1,
        _ => outcome.broken += 1,
    };
    for number in 0..ORDERS {
        let side = if (number / 12 + customer).is_multiple_of(2) { Side::Buy } else { Side::Sell };
        let price = if number % 250 == 100 { 0 } else { 90 + (number * 7 + customer * 3) % 20 };
        let order = Order { customer, symbol: (number % 12) as u32, side, price, quantity: 1 + number % 3 };
        if window.len() == under_way {
            window.wait()?.into_iter().for_each(|(_, filled)| count(filled));
        }
        let pending: Pending<Filled> = gateways.non_blocking().order(order);
        window.push(pending);
    }
    while let Some((_, filled)) = window.wait()? {
        count(filled);
    }
    Ok(outcome)
}

fn main() -> Result<(), Box<dyn Error>> {
    std::panic::set_hook(Box::new(|_| {})); // the panics of this program are meant
    let engine = ActorEngine::new();
    engine.on_panic(|_| {});
    let trades = Topic::new();

    let ledger = engine.start(LedgerMessage::actor(Ledger::default))?;
    trades.subscribe(&ledger, LedgerMessage::Book).detach();
    engine.pool(1, RiskMessage::actor(Risk::default))?;
    let journals: Vec<Journal> = (0..2).map(|_| Journal::default()).collect();
    let (kept, topic, shards) = (journals.clone(), trades.clone(), engine.thread_count());
    let book = BookMessage::try_actor(move |ctx| {
        Ok(Shard::read(Arc::clone(&kept[ctx.thread_id().index() - shards]), topic.clone()))
    });
    let books = engine.pool(2, book)?;
    let bounded = |_| ActorThread::new().mailbox_bound(8).overflow(Overflow::Refuse);
    let gateways = engine.pool_on(2, bounded, GatewayMessage::actor(|| Gateway))?;

    // The ticker is a ledger of its own, and has no trade after it has left.
    let ticker = engine.start(LedgerMessage::actor(Ledger::default))?;
    let subscription = trades.subscribe(&ticker, LedgerMessage::Book);
    let hurried = gateways.within(Duration::from_secs(30));
    let opening = trade(&hurried, 7, 8)?;
    drop(subscription);
    let at_opening = ledger.volume()?;
    let outcomes = thread::scope(|scope| {
        let hurried = &hurried;
        let start = |(customer, window)| scope.spawn(move || trade(hurried, customer, window));
        let customers: Vec<_> = (1..).zip(WINDOWS).map(start).collect();
        customers.into_iter().map(|customer| customer.join().expect("it does not panic")).collect::<Result<Vec<_>, _>>()
    })?;
    println!("{opening:?}\n{outcomes:?}");

    let filled: u64 = outcomes.iter().chain([&opening]).map(|outcome| outcome.filled).sum();
    let broken: u64 = outcomes.iter().chain([&opening]).map(|outcome| outcome.broken).sum();
    assert_eq!(ledger.volume()?, filled, "the ledger has each trade, once");
    assert_eq!(ticker.volume()?, at_opening);

    // Each trade takes its quantity off both sides.
    let mut open = (0, 0);
    for (_, lies) in books.call_all(BookMessage::open())? {
        let (buys, sells) = lies?;
        open = (open.0 + buys, open.1 + sells);
    }
    let placed = |side| -> u64 {
        let journals = journals.iter().flat_map(|journal| journal.lock().expect("nobody panics with it").clone());
        journals.filter(|order| order.side == side).map(|order| order.quantity).sum()
    };
    assert_eq!((placed(Side::Buy) - open.0, placed(Side::Sell) - open.1), (filled, filled));
    let report = engine.shutdown()?;
    println!("{filled} traded, {open:?} still open\n{report}");
    assert_eq!(report.panicked(), broken);
    assert!(broken > 0, "a shard was built again");
    Ok(())
}
