//! Tests async code whose task may be dropped on its way, as that of a customer who hangs up.
//!
//! The first customer takes a seat, and then pays for it. If the task is dropped in between, the seat is taken and never
//! paid. The second asks a desk, an actor, that does both: whoever awaits that may go at any time.
//!
//! `cargo run -p zctor-examples --features simulation --example simulated_task`

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use zctor::simulation::{Faults, Search, simulate};
use zctor::{ActorEngine, CallError, Context, actor};

const PRICE: u32 = 20;

#[actor]
enum HallMessage {
    #[reply(u32)]
    Take(u32),
}

#[derive(Default)]
struct Hall {
    taken: u32,
}

impl HallHandler for Hall {
    fn take(&mut self, seats: u32) -> u32 {
        self.taken += seats;
        self.taken
    }
}

#[actor]
enum TillMessage {
    #[reply(u32)]
    Pay(u32),
}

#[derive(Default)]
struct Till {
    paid: u32,
}

impl TillHandler for Till {
    fn pay(&mut self, amount: u32) -> u32 {
        self.paid += amount;
        self.paid
    }
}

#[actor(calls(HallMessage, TillMessage))]
enum DeskMessage {
    #[reply(Result<(), CallError>)]
    Book,
}

struct Desk;

impl DeskHandler for Desk {
    fn book(&mut self, ctx: &mut Context<DeskMessage>) -> Result<(), CallError> {
        ctx.call(HallMessage::take(1))?;
        ctx.call(TillMessage::pay(PRICE))?;
        Ok(())
    }
}

/// The fault: the task may be dropped between the two.
async fn book_in_two_steps(hall: HallClient, till: TillClient) -> Result<(), CallError> {
    hall.non_blocking().take(1).await?;
    till.non_blocking().pay(PRICE).await?;
    Ok(())
}

async fn book_at_the_desk(desk: DeskClient) -> Result<(), CallError> {
    desk.non_blocking().book().await?
}

/// How a customer books.
#[derive(Clone, Copy)]
enum Booking {
    InTwoSteps,
    AtTheDesk,
}

/// Two customers, as a search runs them once a seed.
fn bookings(booking: Booking) -> Search {
    let search = simulate(move |simulation| {
        let engine = ActorEngine::new();
        let hall: HallClient = engine.pool(1, HallMessage::actor(Hall::default))?;
        let till: TillClient = engine.pool(1, TillMessage::actor(Till::default))?;
        let desk: DeskClient = engine.pool(1, DeskMessage::actor(|| Desk))?;

        // Something that is not zctor's is waited for by a condition.
        let is_open = Arc::new(AtomicBool::new(false));
        let opened = Arc::clone(&is_open);
        let doorman = simulation.spawn("doorman", move || opened.store(true, Ordering::Relaxed));
        simulation.wait_until(|| is_open.load(Ordering::Relaxed));
        doorman.join();

        let customers = ["one", "two"].map(|name| match booking {
            Booking::InTwoSteps => simulation.spawn_task(name, book_in_two_steps(hall.clone(), till.clone())),
            Booking::AtTheDesk => simulation.spawn_task(name, book_at_the_desk(desk.clone())),
        });
        for customer in customers {
            match customer.join() {
                Some(booked) => booked?,
                None => simulation.mark("a customer has gone"),
            }
        }
        engine.settle();
        let paid = simulation.block_on(till.non_blocking().pay(0))?;
        let taken = simulation.block_on(hall.non_blocking().take(0))?;
        engine.shutdown()?;
        if paid == taken * PRICE { Ok(()) } else { Err(format!("{taken} seats are taken, and {paid} is paid").into()) }
    });
    search.faults(Faults::new().cancellations()).seeds(0..1_000)
}

fn main() {
    let failure = bookings(Booking::InTwoSteps).outcome().expect_err("a seat is taken and not paid");
    assert!(failure.explanation().contains("it takes a fault too"), "{failure}");
    println!("{failure}");

    bookings(Booking::AtTheDesk).must_reach(&["a customer has gone"]).run();
}
