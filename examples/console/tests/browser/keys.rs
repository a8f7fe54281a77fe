//! Each key that the page names does what it says, and the page can be used without a mouse.

use crate::on_page;

/// The thing that has the focus: its `id`, or the first words of it.
const FOCUSED: &str = "document.activeElement.id || document.activeElement.textContent.trim()";

#[test]
fn each_key_in_the_last_line_of_the_page_does_what_it_says() {
    on_page("keys", 1.0, |page, _, _| {
        let named = page.text("[...document.querySelectorAll('footer kbd')].map(key => key.textContent).join('')");
        assert_eq!(named, "p12345", "a key that the page names is tested here");

        for (key, section) in [("1", "threads"), ("2", "types"), ("3", "top"), ("4", "events"), ("5", "maps")] {
            page.press(key);
            assert_eq!(page.text(FOCUSED), section);
            let seen = format!(
                "(box => box.top < innerHeight && box.bottom > 0)(document.querySelector('#{section} h2').getBoundingClientRect())"
            );
            page.until(&seen);
        }

        page.press_with_control("p"); // that is the browser's key
        assert_eq!(page.text("document.querySelector('#state').textContent"), "live");
        page.press("p");
        assert_eq!(page.text("document.querySelector('#state').textContent"), "paused");
        assert_eq!(page.text("document.querySelector('#pause span').textContent"), "Go on");
        let looks = page.value("looks");
        page.value("globalThis.waited = false; setTimeout(() => globalThis.waited = true, 1500); true");
        page.until("waited");
        // One that was under way may have ended.
        assert!(page.value("looks").as_u64() <= looks.as_u64().map(|looks| looks + 1), "it looks no more");
        page.press("p");
        let more = format!("looks > {looks} + 1");
        page.until(&more);
        assert_eq!(page.text("document.querySelector('#state').textContent"), "live");
    });
}

#[test]
fn tab_and_enter_reach_what_a_mouse_does() {
    on_page("tab", 1.0, |page, _, _| {
        page.press("Tab");
        assert_eq!(page.text(FOCUSED), "To the threads");
        page.press("Enter");
        page.until("location.hash === '#threads'");
        // From there to the head of the column, and it sorts, down and then up.
        let mut steps = 0;
        while page.text(FOCUSED) != "handled" {
            page.press("Tab");
            steps += 1;
            assert!(steps < 20, "the focus is at {}", page.text(FOCUSED));
        }
        let sorted = |down: bool| {
            let step = if down { "(b - a)" } else { "(a - b)" };
            format!(
                "(all => all.length === 9 && all.join() === [...all].sort((a, b) => {step}).join())\
                 ([...document.querySelectorAll('#threads tbody tr')].map(row => +row.cells[8].textContent.replace(/\\D/g, '')))"
            )
        };
        for (order, down) in [("descending", true), ("ascending", false)] {
            page.press("Enter");
            let head = "document.activeElement.parentElement.getAttribute('aria-sort')";
            assert_eq!(page.text(head), order);
            page.until(&sorted(down));
        }
        // Where the focus is can be seen.
        assert_eq!(page.text("getComputedStyle(document.activeElement).outlineStyle"), "solid");
    });
}

#[test]
#[cfg(feature = "observe")]
fn m_has_handlers_measured_until_it_is_pressed_again() {
    on_page("measure", 1.0, |page, _, _| {
        page.until("!document.querySelector('#times').hidden");
        let label = "document.querySelector('#measure span').textContent";
        let rows = "[...document.querySelectorAll('#times tbody th')].map(row => row.textContent).join()";
        assert_eq!((page.text(label), page.text(rows)), ("Measure".to_owned(), String::new()));
        page.press_with_control("m"); // that is the browser's key
        assert_eq!(page.text(label), "Measure");
        page.press("m");
        assert_eq!(page.text(label), "Stop");
        page.until(&format!("{rows}.includes('FeedMessage::')"));
        // Each row has a number in each column, and no handler that is stuck is among them, since it has not ended.
        assert_eq!(
            page.value("[...document.querySelectorAll('#times tbody td')].every(cell => /\\d/.test(cell.textContent))"),
            true
        );
        assert!(!page.text(rows).contains("DatabaseMessage::UserOf"), "{}", page.text(rows));
        page.press("m");
        assert_eq!(page.text(label), "Measure");
        page.until(&format!("{rows} === ''"));
        // A click does the same.
        page.value("document.querySelector('#measure').click(); true");
        assert_eq!(page.text(label), "Stop");
        page.until(&format!("{rows}.includes('FeedMessage::')"));
    });
}
