//! A pool of workers: identical instances, one on each thread, that share a stream of jobs.
//!
//! `engine.pool` starts the threads and gives one client; its requests go to the instances of the pool in turn.
//! Requests made without waiting (`non_blocking`) keep all workers busy at the same time; the replies are collected
//! afterwards. Look at the jobs of each worker: the shares are equal, whatever the number of workers.
//!
//! ```text
//! cargo run --example worker_pool
//! ```

use zctor::{ActorEngine, Pending, actor, available_threads};

const JOBS: u64 = 40;
const NUMBERS_A_JOB: u64 = 5_000;

#[actor]
#[derive(Clone)]
enum WorkerMessage {
    /// Counts the primes from `from` up to, not including, `to`.
    #[reply(usize)]
    CountPrimes { from: u64, to: u64 },
    /// Gives the number of jobs that this worker has done.
    #[reply(u64)]
    JobsDone,
}

#[derive(Default)]
struct Worker {
    jobs_done: u64,
}

impl WorkerHandler for Worker {
    fn count_primes(&mut self, from: u64, to: u64) -> usize {
        self.jobs_done += 1;
        (from..to).filter(|&n| is_prime(n)).count()
    }

    fn jobs_done(&mut self) -> u64 {
        self.jobs_done
    }
}

fn is_prime(n: u64) -> bool {
    n >= 2 && (2..).take_while(|d| d * d <= n).all(|d| !n.is_multiple_of(d))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = ActorEngine::new();
    // As many workers as the machine runs at once is right for work that only computes.
    let workers = engine.pool(available_threads(), WorkerMessage::actor(Worker::default))?;
    println!("{}", engine.registry());

    let pending: Vec<Pending<usize>> = (0..JOBS)
        .map(|job| workers.non_blocking().count_primes(job * NUMBERS_A_JOB, (job + 1) * NUMBERS_A_JOB))
        .collect();
    let mut primes = 0;
    for job in pending {
        primes += job.wait()?;
    }
    println!("{primes} primes below {}", JOBS * NUMBERS_A_JOB);
    assert_eq!(primes, 17_984);

    let mut done = Vec::new();
    for (worker, jobs) in workers.call_all(WorkerMessage::jobs_done())? {
        done.push(jobs?);
        println!("worker on thread {}: {} jobs", worker.thread(), done[done.len() - 1]);
    }
    assert_eq!(done.iter().sum::<u64>(), JOBS, "every job was done once");
    let (least, most) = (done.iter().min(), done.iter().max());
    assert!(most.zip(least).is_some_and(|(most, least)| most - least <= 1), "the shares are equal");

    engine.shutdown()?;
    Ok(())
}
