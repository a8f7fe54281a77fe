//! The page in a headless Chromium: it stores a note, and shows it.
#![cfg(feature = "browser")]

use std::net::TcpListener;
use std::process::Command;
use std::{env, fs, process, thread};

use tokio::sync::oneshot;
use web_service::load::request;
use web_service::serve::serve;

#[test]
fn the_page_stores_a_note_and_shows_it() {
    let folder = env::temp_dir().join(format!("web_service-browser-{}", process::id()));
    fs::create_dir_all(&folder).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let database = folder.join("notes.db");
    let server = thread::spawn(move || {
        let stopped = async { stopped.await.unwrap_or_default() };
        serve(listener, &database, stopped).map_err(|error| error.to_string())
    });
    assert_eq!(request(at, "POST", "/notes", "buy <milk>").unwrap().unwrap().0, 201);

    // The page adds the note that stands in its address, then shows all. `timeout` ends a browser that hangs.
    let picture = folder.join("page.png");
    let browser = env::var("CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
    let output = Command::new("timeout")
        .args(["120", &browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        .args(["--window-size=800,700", "--virtual-time-budget=10000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg(format!("--screenshot={}", picture.display()))
        .arg(format!("http://{at}/#sell%20tea"))
        .output()
        .unwrap_or_else(|error| panic!("{browser}: {error}; install Chromium, or name another browser in CHROMIUM"));
    let page = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // The newest first, the other as text and not as markup, and the threads of the engine.
    assert!(page.contains("<li>sell tea</li><li>buy &lt;milk&gt;</li>"), "{page}");
    assert!(page.contains("`reader-1`"), "{page}");

    drop(stop);
    let served = server.join().unwrap().unwrap();
    assert_eq!((served.accepted, served.report.left), (served.answered, 0));
    assert_eq!(served.report.panicked(), 0);
    // The picture stays where the caller wants to look at it.
    if let Ok(keep) = env::var("SCREENSHOT") {
        fs::copy(&picture, keep).unwrap();
    }
    fs::remove_dir_all(&folder).unwrap();
}
