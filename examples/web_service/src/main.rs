//! Serves notes until Ctrl-C; or drives itself with a load, and ends. The library beside it has the parts.
//!
//! ```text
//! cargo run -p web_service                       # http://127.0.0.1:8080, notes.db in this folder
//! cargo run -p web_service -- 0.0.0.0:80 my.db   # another address and another file
//! cargo run -p web_service -- --drive            # its own client, on a free port and a file that is removed
//! LOG=debug cargo run -p web_service --features tracing   # a line for each note, with its request and its handler
//! ```

use std::error::Error;
use std::net::TcpListener;
use std::path::Path;
use std::{env, fs, io, process, thread};

use tokio::sync::oneshot;
use tracing::Level;
use web_service::load;
use web_service::serve::{Served, interrupted, serve};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let level = env::var("LOG").map_or(Ok(Level::INFO), |level| level.parse())?;
    tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr).init();
    let served = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--drive"] => drive()?,
        [] => until_interrupted("127.0.0.1:8080", "notes.db")?,
        [address] if !address.starts_with('-') => until_interrupted(address, "notes.db")?,
        [address, database] if !address.starts_with('-') => until_interrupted(address, database)?,
        _ => return Err("usage: web_service [ADDRESS [DATABASE]] | --drive".into()),
    };
    println!("{}", served.report);
    println!("requests: {} accepted, {} answered", served.accepted, served.answered);
    Ok(())
}

fn until_interrupted(address: &str, database: &str) -> Result<Served, Box<dyn Error>> {
    let listener = TcpListener::bind(address).map_err(|error| format!("{address}: {error}"))?;
    println!("listening on http://{}", listener.local_addr()?);
    serve(listener, Path::new(database), interrupted())
}

/// Drives the service with its own client, then stops it as a signal would, by the future that `serve` waits for.
fn drive() -> Result<Served, Box<dyn Error>> {
    let folder = env::temp_dir().join(format!("web_service-{}", process::id()));
    fs::create_dir_all(&folder)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let at = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let client = thread::spawn(move || {
        let answers = load::drive(at, 8, 100);
        drop(stop);
        answers
    });
    let served = serve(listener, &folder.join("notes.db"), async {
        stopped.await.unwrap_or_default(); // its other end is dropped when the client is done
    });
    let answers = client.join().map_err(|_| "the client panicked")??;
    fs::remove_dir_all(&folder)?;
    let served = served?;

    println!("{answers:?}");
    assert_eq!((served.accepted, served.answered), (800, 800));
    assert_eq!((answers.answered(), answers.refused), (800, 0));
    // Every message that the routes sent was handled, or given up with its caller.
    let report = &served.report;
    assert_eq!((report.panicked(), report.left, report.dead_letters - report.skipped), (0, 0, 0));
    assert!(report.handled() >= answers.stored + answers.read);
    Ok(served)
}
