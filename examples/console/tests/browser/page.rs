//! The page, light and dark: it names the culprit, in its row and above all.

use std::path::Path;
use std::{env, fs};

use zctor::ActorEngine;
use zctor_console::Console;
use zctor_tests::bounded;

use crate::{on_page, opened};

/// The document as it is now.
const DOCUMENT: &str = "document.documentElement.outerHTML";

#[test]
fn the_page_names_the_culprit_light_and_dark() {
    // Stuck for a while, so that the picture shows times.
    on_page("page", 4.0, |page, _, _| {
        page.resize(1320, 1380);
        if cfg!(feature = "observe") {
            page.until("!document.querySelector('#times').hidden");
            page.press("m");
            page.until("document.querySelector('#times tbody th') !== null");
        }
        for theme in ["light", "dark"] {
            page.theme(theme);
            page.until(&format!("matchMedia('(prefers-color-scheme: {theme})').matches"));
            let document = page.text(DOCUMENT);
            assert!(document.contains(r#"<section class="verdict bad""#), "{document}");
            assert!(document.contains("<code>DatabaseMessage::UserOf</code> 0.0 RUNS for "), "{document}");
            let row = document.split(r#"<tr class="culprit">"#).nth(1).and_then(|row| row.split("</tr>").next());
            let row = row.unwrap_or_else(|| panic!("no row is marked: {document}"));
            assert!(
                row.contains("<code>db</code>") && row.contains("<code>DatabaseMessage::UserOf</code> 0.0 for "),
                "{row}"
            );
            assert!(document.contains(r#"class="zctor-map""#) && document.contains("UserOf"), "{document}");
            assert!(document.contains(r#"role="status">live<"#), "{document}");
            let picture = page.picture();
            assert!(picture.starts_with(b"\x89PNG"), "it is no picture");
            // It stays where the caller wants to look at it.
            if let Ok(keep) = env::var("SCREENSHOTS") {
                fs::create_dir_all(&keep).expect("the folder for pictures");
                fs::write(Path::new(&keep).join(format!("console-{theme}.png")), picture).expect("it is written");
            }
        }
    });
}

#[test]
fn the_page_of_an_engine_that_is_well_says_so_and_so_do_its_empty_tables() {
    bounded(|| {
        let engine = ActorEngine::builder().name("calm").build();
        let served = Console::new(&engine).serve_tcp("127.0.0.1:0").expect("a port is free");
        opened("calm", &served.to_string(), |page| {
            let document = page.text(DOCUMENT);
            assert!(document.contains("<title>calm – zctor</title>"), "{document}");
            assert!(document.contains(r#"<section class="verdict""#), "{document}");
            assert!(document.contains("<h2>Nothing is stuck</h2>"), "{document}");
            for none in ["No thread runs.", "No actor has been registered or started.", "No instance lives."] {
                assert!(document.contains(none), "{none} in {document}");
            }
            assert!(document.contains(r#"<p class="none">None yet."#), "{document}");
        });
    });
}
