//! Opens a shop in trouble, and serves a console to find out what is wrong.
//!
//! ```text
//! cargo run -p console_demo    # prints where to look; Enter frees the database, and Enter again ends it
//! cargo run -p console_demo </dev/null &    # the same until it is killed
//! ```

use std::error::Error;
use std::io::{self, BufRead};
use std::{panic, thread};

use console_demo::Shop;
use zctor_console::{Console, fetch_text};

fn main() -> Result<(), Box<dyn Error>> {
    panic::set_hook(Box::new(|_| {})); // the feed panics many times a second, and the console counts it
    let shop = Shop::open()?;
    let (engine, definitions) = (shop.engine(), Shop::definitions());
    let page = Console::new(engine).definitions(definitions).serve_tcp("127.0.0.1:0")?;
    println!("in a browser      {page}");
    println!("as text           curl -s {page}");
    println!("by Prometheus     curl -s {page}metrics");
    println!("in a terminal     cargo run -p zctor-console --features terminal -- {page}");
    #[cfg(unix)]
    let socket = Console::new(engine).definitions(definitions).serve()?;
    #[cfg(unix)]
    println!("at a Unix socket  curl -s --unix-socket {socket} http://localhost/");

    // The customers come at once, so it is soon stuck.
    let place = page.to_string();
    let waits = loop {
        let waits = fetch_text(&place, "waits.txt")?;
        if waits.starts_with("3 handlers wait") {
            break waits;
        }
    };
    // The whole text would push the addresses out of a window of 24 lines.
    println!("\n{waits}");
    let culprit = waits.lines().last().unwrap_or_default();
    assert!(culprit.contains("`DatabaseMessage::UserOf` 0.0 RUNS") && culprit.contains("on thread 0 `db`"), "{waits}");

    let mut lines = io::stdin().lock().lines();
    println!("Enter frees the database.");
    if lines.next().transpose()?.is_some() {
        shop.free_database();
        println!("Enter ends it.");
        if lines.next().transpose()?.is_some() {
            return Ok(());
        }
    }
    println!("Nobody can press Enter, since the input is closed: it goes on until it is killed.");
    loop {
        thread::park();
    }
}
