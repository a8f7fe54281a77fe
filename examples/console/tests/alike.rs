//! Text, data, metrics and waits name the same culprit, at an address as at a socket.

use std::panic;

use console_demo::Shop;
use zctor_console::snapshot::WaitRoot;
use zctor_console::{Console, Served, fetch, fetch_text};
use zctor_tests::bounded;

/// The line in which the chain of waits ends.
fn is_culprit(line: &str) -> bool {
    line.trim_start().starts_with("`DatabaseMessage::UserOf` 0.0 RUNS for ") && line.contains(" on thread 0 `db`")
}

/// Asks until all of the chain have waited for a second.
fn when_stuck(place: &str) {
    let is_stuck = |root: &WaitRoot| root.handlers == 3 && root.longest >= 1.0;
    while !fetch(place).expect("it is served").waits.last().is_some_and(is_stuck) {}
}

#[test]
fn every_way_to_look_names_the_database_and_none_when_it_is_free() {
    panic::set_hook(Box::new(|_| {})); // the feed panics many times a second
    bounded(|| {
        let shop = Shop::open().unwrap();
        let console = || Console::new(shop.engine()).definitions(Shop::definitions());
        let mut served: Vec<Served> = vec![console().serve_tcp("127.0.0.1:0").unwrap()];
        #[cfg(unix)]
        served.push(console().serve().unwrap());
        for place in served.iter().map(ToString::to_string) {
            when_stuck(&place);
            for route in ["waits.txt", "snapshot.txt", ""] {
                let text = fetch_text(&place, route).unwrap();
                assert!(is_culprit(text.lines().last().unwrap()), "{text}");
            }
            let snapshot = fetch(&place).unwrap();
            assert!(is_culprit(snapshot.culprit.as_deref().unwrap()));
            assert_eq!(snapshot.culprit_thread.as_deref(), Some("0"));
            let root = snapshot.waits.last().unwrap();
            assert_eq!((root.message.as_deref(), root.instance.as_deref()), (Some("DatabaseMessage"), Some("0.0")));
            assert_eq!((root.variant.as_deref(), root.handlers), (Some("UserOf"), 3));
            let metrics = fetch_text(&place, "metrics").unwrap();
            let root = "{engine=\"shop\",thread=\"0\",name=\"db\",message=\"DatabaseMessage\"}";
            assert!(metrics.contains(&format!("zctor_wait_root_handlers{root} 3\n")), "{metrics}");
            assert!(metrics.contains(&format!("zctor_wait_root_seconds{root} ")), "{metrics}");
            let map = fetch_text(&place, "map.mmd").unwrap();
            assert!(map.contains("UserOf") && map.contains("waits"), "{map}");
        }
        shop.free_database();
        let place = served[0].to_string();
        while fetch_text(&place, "waits.txt").unwrap() != "nothing waits\n" {}
        // The other troubles are in the counts.
        let troubles = |snapshot: &zctor_console::snapshot::Snapshot| {
            let row = |name: &str| snapshot.types.iter().find(|row| row.message == name).cloned().unwrap_or_default();
            row("FeedMessage").panicked > 3 && row("ThumbnailMessage").refused > 0 && row("ReportMessage").queued > 1
        };
        while !troubles(&fetch(&place).unwrap()) {}
    });
}
