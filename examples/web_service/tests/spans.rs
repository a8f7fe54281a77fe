//! A log line of an actor's handler names the request that it is for.
#![cfg(feature = "tracing")]

use std::io::{self, Write};
use std::net::TcpListener;
use std::sync::{Mutex, PoisonError};
use std::{env, fs, process, thread};

use tokio::sync::oneshot;
use tracing::Level;
use web_service::load::request;
use web_service::serve::serve;

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Writes into `LOG`.
struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_line_of_a_handler_is_in_the_span_of_its_request() {
    tracing_subscriber::fmt().with_max_level(Level::DEBUG).with_writer(|| Log).init();
    let folder = env::temp_dir().join(format!("web_service-spans-{}", process::id()));
    fs::create_dir_all(&folder).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(|| {
            let stop = async { stopped.await.unwrap_or_default() };
            serve(listener, &folder.join("notes.db"), stop).unwrap();
        });
        let _stop = stop; // dropped when the requests are answered, or one has failed
        for text in ["buy milk", "sell milk"] {
            assert_eq!(request(at, "POST", "/notes", text).unwrap().unwrap().0, 201);
        }
    });
    fs::remove_dir_all(&folder).unwrap();

    let log = String::from_utf8(LOG.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap();
    let stored: Vec<&str> = log.lines().filter(|line| line.contains("stored")).collect();
    assert_eq!(stored.len(), 2, "{log}");
    for (number, line) in stored.iter().enumerate() {
        let request = line.find(&format!("request{{number={number} method=POST path=\"/notes\"}}"));
        let handler = line.find("WriterMessage");
        assert!(request.is_some() && request < handler, "{line}");
    }
}
