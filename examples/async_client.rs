//! Awaiting actors: the non-blocking view of a client, from any executor.
//!
//! In this view a call gives an ordinary future: the actor's thread wakes the task when the reply is there, and until
//! then the executor's thread is free for other tasks. Here tokio has one thread, and two actors do the work. Look at
//! the primes: a hundred tasks wait for their replies on that thread at the same time.
//!
//! ```text
//! cargo run --example async_client
//! ```

use std::error::Error;
use std::time::Duration;

use tokio::task::JoinSet;
use zctor::{ActorEngine, NonBlocking, actor};

/// Zero has no prime factors.
#[derive(Debug, PartialEq)]
struct Zero;

#[actor]
enum FactorMessage {
    /// Gives the prime factors of a number, in ascending order.
    #[reply(Result<Vec<u64>, Zero>)]
    Factor { number: u64 },
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

    // A client is cheap to clone: one for each task.
    let mut tasks = JoinSet::new();
    for number in 1..=100 {
        let factorizers = factorizers.clone();
        tasks.spawn(async move { factorizers.factor(number).await });
    }
    let mut primes = 0;
    while let Some(factors) = tasks.join_next().await {
        primes += usize::from(factors??.is_ok_and(|factors| factors.len() == 1));
    }
    println!("{primes} primes up to 100");
    assert_eq!(primes, 25);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    // The start of the engine waits for the factories, so it comes before the asynchronous part.
    let engine = ActorEngine::new();
    let factorizers = engine.pool(2, FactorMessage::actor(|| Factorizer))?;
    tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
        ask(factorizers.non_blocking()).await?;
        println!("{}", engine.shutdown_async().await?);
        Ok(())
    })
}
