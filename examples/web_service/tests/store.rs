//! The routes before doubles of the store: what its failures become.
#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use tokio::runtime;
use tokio::sync::oneshot;
use web_service::load::request;
use web_service::store::{ReaderMessage, WriterMessage};
use web_service::web::App;
use zctor::testing::{Mock, Port, Probe};
use zctor::{ActorEngine, ActorThread};

/// No core may be free for long: only what hangs takes this long.
const LIMIT: Duration = Duration::from_secs(60);
/// A request that nobody answers ends after this.
const SHORT: Duration = Duration::from_millis(50);

/// Serves the routes on a thread of its own while `test` asks, then stops as at a signal.
fn serve_while(app: App, test: impl FnOnce(&dyn Fn(&str, &str, &str) -> (u16, String))) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let stopped = async { stopped.await.unwrap_or_default() };
                axum::serve(listener, app.routes()).with_graceful_shutdown(stopped).await.unwrap();
            });
        });
        let _stop = stop; // dropped when the test is done, or has panicked
        test(&|method, path, body| request(at, method, path, body).unwrap().expect("it serves"));
    });
}

#[test]
fn a_note_is_what_the_store_answers() {
    let engine = ActorEngine::new();
    let writer = Mock::<WriterMessage>::new().script(Port::<WriterMessage>::Add, [Ok(7)]);
    let readers = Mock::<ReaderMessage>::new().on(Port::<ReaderMessage>::Find, |message| match message {
        ReaderMessage::Find { number: 7 } => Ok(Some("buy milk".to_owned())),
        ReaderMessage::Find { number: 8 } => Ok(None),
        _ => Err(rusqlite::Error::InvalidQuery),
    });
    let app =
        App::new(&engine.pool(1, writer.actor()).unwrap(), &engine.pool(1, readers.actor()).unwrap(), &engine, LIMIT);
    serve_while(app, |ask| {
        assert_eq!(ask("POST", "/notes", "buy milk"), (201, "7\n".to_owned()));
        assert_eq!(ask("GET", "/notes/7", ""), (200, "buy milk".to_owned()));
        assert_eq!(ask("GET", "/notes/8", "").0, 404);
        assert_eq!(ask("GET", "/notes/9", "").0, 500);
        assert_eq!(ask("POST", "/notes", " ").0, 400);
        let (status, metrics) = ask("GET", "/metrics", "");
        assert_eq!(status, 200);
        let live = "zctor_instances{engine=\"zctor\",message=\"WriterMessage\"} 1\n";
        assert!(metrics.contains(live) && metrics.ends_with("# EOF\n"), "{metrics}");
    });
    assert_eq!(writer.messages(), [WriterMessage::Add { text: "buy milk".to_owned() }]);
}

#[test]
fn a_full_store_is_503_a_slow_one_504_and_a_stopped_one_503() {
    let engine = ActorEngine::new();
    let (writer, readers) = (Probe::<WriterMessage>::new(), Mock::<ReaderMessage>::new());
    let writer_client = engine.pool_on(1, |_| ActorThread::new().mailbox_bound(1), writer.actor()).unwrap();
    let app = App::new(&writer_client, &engine.pool(1, readers.actor()).unwrap(), &engine, SHORT);
    serve_while(app, |ask| {
        // The probe is stopped at the first message, and the second waits in its mailbox: there is no room for a third.
        let held = writer.hold();
        writer_client.non_blocking().add("the first".to_owned()).detach();
        drop(writer.expect(LIMIT));
        writer_client.non_blocking().add("the second".to_owned()).detach();
        let (status, text) = ask("POST", "/notes", "the third");
        assert_eq!(status, 503);
        assert!(text.contains("full"), "{text}");

        // It takes the second now, and answers nobody after that.
        drop(held);
        writer.expect(LIMIT).answer(Port::<WriterMessage>::Add, Ok(2));
        let (status, text) = ask("POST", "/notes", "the fourth");
        assert_eq!(status, 504);
        assert!(text.contains("WriterMessage"), "{text}");

        engine.handle().stop();
        engine.wait();
        assert_eq!(ask("POST", "/notes", "the fifth").0, 503);
    });
}
