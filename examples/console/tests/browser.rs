//! The page in a headless Chromium, light and dark: it names the culprit, in its row and above all.
#![cfg(feature = "browser")]

use std::path::Path;
use std::process::Command;
use std::{env, fs, panic, process};

use console_demo::Shop;
use zctor::ActorEngine;
use zctor_console::{Console, fetch};
use zctor_tests::bounded;

#[test]
fn the_page_names_the_culprit_light_and_dark_and_none_where_nothing_is_stuck() {
    panic::set_hook(Box::new(|info| {
        if !info.payload_as_str().is_some_and(|text| text.starts_with("no price in")) {
            eprintln!("{info}");
        }
    }));
    bounded(|| {
        let folder = env::temp_dir().join(format!("zctor-console-browser-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        let shop = Shop::open().unwrap();
        let served = Console::new(shop.engine()).definitions(Shop::definitions()).serve_tcp("127.0.0.1:0").unwrap();
        let place = served.to_string();
        // Stuck for a while, so that the picture shows times.
        while fetch(&place).unwrap().waits.last().is_none_or(|root| root.longest < 4.0) {}
        for theme in ["light", "dark"] {
            let picture = folder.join(format!("{theme}.png"));
            let page = open(&place, theme, &folder, &picture);
            assert!(page.contains(r#"<section class="verdict bad""#), "{page}");
            assert!(page.contains("<code>DatabaseMessage::UserOf</code> 0.0 RUNS for "), "{page}");
            let row = page.split(r#"<tr class="culprit">"#).nth(1).and_then(|row| row.split("</tr>").next());
            let row = row.unwrap_or_else(|| panic!("no row is marked: {page}"));
            assert!(row.contains("<code>db</code>") && row.contains("DatabaseMessage::UserOf 0.0"), "{row}");
            assert!(page.contains(r#"class="zctor-map""#) && page.contains("UserOf"), "{page}");
            assert!(page.contains(r#"role="status">live<"#), "{page}");
            // The picture stays where the caller wants to look at it.
            if let Ok(keep) = env::var("SCREENSHOTS") {
                fs::create_dir_all(&keep).unwrap();
                fs::copy(&picture, Path::new(&keep).join(format!("console-{theme}.png"))).unwrap();
            }
        }

        // An engine that is well.
        let engine = ActorEngine::builder().name("calm").build();
        let served = Console::new(&engine).serve_tcp("127.0.0.1:0").unwrap();
        let page = open(&served.to_string(), "light", &folder, &folder.join("calm.png"));
        assert!(page.contains("<title>calm – zctor</title>"), "{page}");
        assert!(page.contains(r#"<section class="verdict""#) && page.contains("<h2>Nothing is stuck</h2>"), "{page}");
        fs::remove_dir_all(&folder).unwrap();
    });
}

/// Opens the page, takes a picture of it, and gives the document as it is by then. `timeout` ends a browser that hangs.
fn open(place: &str, theme: &str, folder: &Path, picture: &Path) -> String {
    let browser = env::var("CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
    let dark = if theme == "dark" {
        "--blink-settings=preferredColorScheme=0"
    } else {
        "--blink-settings=preferredColorScheme=1"
    };
    let output = Command::new("timeout")
        .args(["120", &browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        .args(["--hide-scrollbars", "--window-size=1320,1380", "--virtual-time-budget=4000", "--dump-dom", dark])
        .arg(format!("--user-data-dir={}", folder.join(theme).display()))
        .arg(format!("--screenshot={}", picture.display()))
        .arg(place)
        .output()
        .unwrap_or_else(|error| panic!("{browser}: {error}; install Chromium, or name another browser in CHROMIUM"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
