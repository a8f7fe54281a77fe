//! The page, light and dark: it names the culprit, in its row and above all.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

use zctor::ActorEngine;
use zctor_console::Console;
use zctor_tests::bounded;

use crate::chromium::{ARGUMENTS, program};
use crate::stuck;

#[test]
fn the_page_names_the_culprit_light_and_dark_and_none_where_nothing_is_stuck() {
    bounded(|| {
        let folder = crate::folder("page");
        // Stuck for a while, so that the picture shows times.
        let (_shop, served) = stuck(4.0);
        let place = served.to_string();
        for theme in ["light", "dark"] {
            let picture = folder.join(format!("{theme}.png"));
            let page = open(&place, theme, &folder, &picture);
            assert!(page.contains(r#"<section class="verdict bad""#), "{page}");
            assert!(page.contains("<code>DatabaseMessage::UserOf</code> 0.0 RUNS for "), "{page}");
            let row = page.split(r#"<tr class="culprit">"#).nth(1).and_then(|row| row.split("</tr>").next());
            let row = row.unwrap_or_else(|| panic!("no row is marked: {page}"));
            assert!(
                row.contains("<code>db</code>") && row.contains("<code>DatabaseMessage::UserOf</code> 0.0 for "),
                "{row}"
            );
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
    let browser = program();
    let dark = if theme == "dark" {
        "--blink-settings=preferredColorScheme=0"
    } else {
        "--blink-settings=preferredColorScheme=1"
    };
    let output = Command::new("timeout")
        .args(["120", &browser])
        .args(ARGUMENTS)
        .args(["--window-size=1320,1380", "--virtual-time-budget=4000", "--dump-dom", dark])
        .arg(format!("--user-data-dir={}", folder.join(theme).display()))
        .arg(format!("--screenshot={}", picture.display()))
        .arg(place)
        .output()
        .unwrap_or_else(|error| panic!("{browser}: {error}; install Chromium, or name another browser in CHROMIUM"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
