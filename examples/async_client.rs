//! Awaiting actors: the non-blocking view of a client, from any executor.
//!
//! In this view a call gives an ordinary future: the actor's thread wakes the task when the reply is there, and until
//! then the executor's thread is free for other tasks. Room in a bounded mailbox is awaited in the same way. Here tokio
//! has one thread, and a few actors do the work. Look at the primes: a hundred tasks wait for room and for their replies
//! on that thread at the same time. Then the other way round: a handler starts async work, goes on, and gets the result
//! as a message.
//!
//! ```text
//! cargo run --example async_client
//! ```

use std::error::Error;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::task::JoinSet;
use zctor::{ActorEngine, ActorThread, Context, NonBlocking, ReplyTo, actor};

/// Zero has no prime factors.
#[derive(Debug, PartialEq)]
struct Zero;

#[actor]
enum FactorMessage {
    /// Gives the prime factors of a number, in ascending order.
    #[reply(Result<Vec<u64>, Zero>)]
    Factor { number: u64 },
}

#[actor]
enum SumMessage {
    Add(u64),
    #[reply(u64)]
    Total,
}

#[derive(Default)]
struct Sum(u64);

impl SumHandler for Sum {
    fn add(&mut self, value: u64) {
        self.0 += value;
    }

    fn total(&mut self) -> u64 {
        self.0
    }
}

struct Factorizer;

impl FactorHandler for Factorizer {
    fn factor(&mut self, number: u64) -> Result<Vec<u64>, Zero> {
        if number == 0 {
            return Err(Zero);
        }
        let (mut rest, mut divisor, mut factors) = (number, 2, Vec::new());
        while divisor * divisor <= rest {
            if rest.is_multiple_of(divisor) {
                factors.push(divisor);
                rest /= divisor;
            } else {
                divisor += 1;
            }
        }
        if rest > 1 {
            factors.push(rest);
        }
        Ok(factors)
    }
}

#[actor(ctx)]
enum NewsMessage {
    /// Gives the news of a day, from a service that is asked asynchronously.
    #[reply(String, deferred)]
    Of { day: u32 },
    #[msg(internal)]
    Read { text: String },
    #[reply(usize)]
    Letters,
}

struct News {
    runtime: Handle,
    letters: usize,
}

impl NewsHandler for News {
    fn of(&mut self, ctx: &mut Context<NewsMessage>, day: u32, reply: ReplyTo<String>) {
        let me = ctx.me();
        // The task answers the caller itself, and tells the state. The handler is done at once.
        self.runtime.spawn(async move {
            tokio::task::yield_now().await; // stands for a request to a service
            let text = format!("nothing happened on day {day}");
            me.read(text.clone()).unwrap_or_default(); // the actor may have ended
            reply.send(text);
        });
    }

    fn read(&mut self, _ctx: &mut Context<NewsMessage>, text: String) {
        self.letters += text.len();
    }

    fn letters(&mut self, _ctx: &mut Context<NewsMessage>) -> usize {
        self.letters
    }
}

async fn ask(factorizers: FactorClient<NonBlocking>) -> Result<(), Box<dyn Error>> {
    // One reply. `?` takes the error of the call; the factorizer's own error is part of the reply.
    let factors = factorizers.factor(1001).await?;
    println!("1001 = {factors:?}");
    assert_eq!(factors, Ok(vec![7, 11, 13]));
    assert_eq!(factorizers.factor(0).await?, Err(Zero));

    // Several at once, each with a deadline. A request is sent when it is made, not when it is awaited.
    let hurried = factorizers.within(Duration::from_secs(5));
    let (large, small) = tokio::join!(hurried.factor(600_851_475_143), hurried.factor(10));
    println!("600851475143 = {large:?}, 10 = {small:?}");
    assert_eq!((large?, small?), (Ok(vec![71, 839, 1471, 6857]), Ok(vec![2, 5])));

    // A client is cheap to clone: one for each task. The mailboxes have room for eight requests in all: `factor` would be
    // refused, and `call_async` awaits room first.
    let mut tasks = JoinSet::new();
    for number in 1..=100 {
        tasks.spawn(factorizers.call_async(FactorMessage::factor(number)));
    }
    let mut primes = 0;
    while let Some(factors) = tasks.join_next().await {
        primes += usize::from(factors??.is_ok_and(|factors| factors.len() == 1));
    }
    println!("{primes} primes up to 100");
    assert_eq!(primes, 25);
    Ok(())
}

/// A fast source for an actor whose mailbox has little room: each send awaits room.
async fn add_up(sum: SumClient<NonBlocking>) -> Result<(), Box<dyn Error>> {
    for number in 1..=10_000 {
        sum.send_async(SumMessage::Add(number)).await?;
    }
    assert_eq!(sum.total().await?, 50_005_000);
    Ok(())
}

async fn read(news: NewsClient<NonBlocking>) -> Result<(), Box<dyn Error>> {
    let (first, second) = (news.of(1), news.of(2));
    assert_eq!((first.await?.len(), second.await?.len()), (25, 25));
    // Each task had sent its text to the state before it answered.
    assert_eq!(news.letters().await?, 50);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = Builder::new_current_thread().build()?;
    // The start of the engine waits for the factories, so it comes before the asynchronous part.
    let engine = ActorEngine::new();
    let bounded = |_| ActorThread::new().mailbox_bound(4);
    let factorizers = engine.pool_on(2, bounded, FactorMessage::actor(|| Factorizer))?;
    let sum = engine.pool_on(1, bounded, SumMessage::actor(Sum::default))?;
    let handle = runtime.handle().clone();
    let news = engine.pool(1, NewsMessage::actor(move || News { runtime: handle.clone(), letters: 0 }))?;
    runtime.block_on(async {
        ask(factorizers.non_blocking()).await?;
        add_up(sum.non_blocking()).await?;
        read(news.non_blocking()).await?;
        println!("{}", engine.shutdown_async().await?);
        Ok(())
    })
}
