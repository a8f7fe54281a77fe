//! A window: actors on the main thread, inside another library's event loop.
//!
//! What only the main thread may touch is a state of `engine.here()`. A message for it wakes the loop by `on_message`,
//! and the loop serves it by `run_pending`. A channel stands for the loop here; with winit it is an `EventLoopProxy`, with
//! egui `request_repaint`. Look at the order at the end: stop, run, shutdown, so that nothing that waits is lost.
//!
//! ```text
//! cargo run --example window
//! ```

use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;
use std::sync::mpsc;

use zctor::{ActorEngine, Context, actor};

#[actor]
enum WindowMessage {
    /// Shows a result.
    Show { number: u64, prime: bool },
}

#[actor(ctx)]
enum PrimeMessage {
    /// Looks whether a number is prime, and has it shown.
    Test(u64),
}

/// What the window library draws from. It belongs to the main thread, as the `Rc` says.
type Screen = Rc<RefCell<Vec<String>>>;

struct Window {
    screen: Screen,
}

impl WindowHandler for Window {
    fn show(&mut self, number: u64, prime: bool) {
        let text = format!("{number} is {}", if prime { "prime" } else { "not prime" });
        self.screen.borrow_mut().push(text);
    }
}

struct Prime {
    window: WindowClient,
}

impl PrimeHandler for Prime {
    fn test(&mut self, _ctx: &mut Context<PrimeMessage>, value: u64) {
        let prime = value > 1 && (2..).take_while(|n| n * n <= value).all(|n| !value.is_multiple_of(n));
        self.window.show(value, prime).unwrap_or_default(); // the window may be closed
    }
}

enum Event {
    Messages,
    Button(u64),
    Close,
}

fn main() -> Result<(), Box<dyn Error>> {
    // The engine of the process: callbacks of a window library find it without being given it.
    let engine = ActorEngine::global();
    let here = engine.here()?;
    let (post, events) = mpsc::channel();
    let wake = post.clone();
    here.on_message(move || wake.send(Event::Messages).unwrap_or_default());

    let screen = Screen::default();
    let window: WindowClient = here.start::<WindowMessage>({
        let screen = Rc::clone(&screen);
        move || Window { screen }
    })?;
    // The work is done elsewhere: the window stays in motion.
    let primes = engine.pool(2, PrimeMessage::actor(move || Prime { window: window.clone() }))?;

    for number in 1..=10 {
        post.send(Event::Button(number))?;
    }
    post.send(Event::Close)?;
    for event in events {
        match event {
            Event::Button(number) => primes.test(number)?,
            Event::Messages => {
                here.run_pending();
            }
            Event::Close => break,
        }
    }

    engine.handle().stop(); // no more from outside
    here.run(); // what is under way is still shown
    let report = engine.shutdown()?;
    println!("{}\n{report}", screen.borrow().join("\n"));
    assert_eq!(screen.borrow().len(), 10);
    assert_eq!(screen.borrow().iter().filter(|line| line.ends_with("is prime")).count(), 4);
    Ok(())
}
