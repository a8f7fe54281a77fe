//! Each button and link does what it says, and the page says when the program is gone.

use crate::on_page;

#[test]
fn each_button_and_link_does_what_it_says() {
    on_page("controls", 1.0, |page, _, served| {
        // Each button is the head of a column, or one of these.
        let buttons = "[...document.querySelectorAll('button[id]')].map(one => one.id).join()";
        assert_eq!(page.text(buttons), "pause,measure", "a button of the page is tested here");
        let state = "document.querySelector('#state').textContent";
        for after in ["paused", "live"] {
            page.value("document.querySelector('#pause').click(); true");
            assert_eq!(page.text(state), after);
        }
        // Every column of every table sorts, both ways.
        let unsorted = "[...document.querySelectorAll('th button')].filter(head => ['descending', 'ascending'].some(order => \
                        (head.click(), head.parentElement.getAttribute('aria-sort') !== order))).length";
        assert_eq!(page.value(unsorted), 0);
        // Each link leads to what it is named for.
        let links = "[...document.querySelectorAll('footer a')].map(link => link.textContent).join()";
        assert_eq!(page.text(links), "text,JSON,metrics,Mermaid");
        for (name, part) in [
            ("text", "`DatabaseMessage::UserOf` 0.0 RUNS for "),
            ("JSON", "\"culprit\":"),
            ("metrics", "zctor_wait_root_seconds"),
            ("Mermaid", "flowchart"),
        ] {
            page.value(&format!(
                "globalThis.answer = null; fetch([...document.querySelectorAll('footer a')].find(link => link.textContent === '{name}').href)\
                 .then(answer => answer.ok ? answer.text() : '').then(text => globalThis.answer = text); true"
            ));
            page.until("answer !== null");
            assert!(page.text("answer").contains(part), "{name}: {}", page.text("answer"));
        }
        // The page loads nothing from elsewhere.
        let foreign =
            "performance.getEntriesByType('resource').filter(one => !one.name.startsWith(location.origin)).length";
        assert_eq!(page.value(foreign), 0);

        // A list that is scrolled stays so while its rows are made anew.
        let list = "document.querySelector('#events .scroll')";
        page.value(&format!("{list}.style.maxHeight = '30px'; {list}.scrollTop = 20"));
        let looks = page.value("looks");
        page.until(&format!("looks > {looks} + 2"));
        assert_eq!(page.value(&format!("{list}.scrollTop")), 20);

        drop(served);
        page.until(&format!("{state} === 'the program does not answer'"));
        // The last look is still there, and the page says of when it is.
        let place = page.text("document.querySelector('#where').textContent");
        assert!(place.contains(" · as it was at "), "{place}");
        assert_eq!(page.value("document.querySelector('tr.culprit') !== null"), true);
        assert_eq!(page.text("getComputedStyle(document.querySelector('main')).filter"), "grayscale(1)");
    });
}
