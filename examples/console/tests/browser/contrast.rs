//! Text and focus can be seen by those who see little: the ratios of WCAG 2, level AA.

use crate::on_page;

#[test]
fn each_text_has_the_contrast_of_level_aa_in_both_themes() {
    on_page("contrast", 1.5, |page, _, _| {
        page.value(include_str!("contrast.js"));
        page.until("document.querySelector('tr.culprit') !== null && document.querySelector('#map svg') !== null");
        for theme in ["light", "dark"] {
            page.theme(theme);
            page.until(&format!("matchMedia('(prefers-color-scheme: {theme})').matches"));
            assert!(page.value("contrast.texts().count").as_u64() > Some(200), "the texts were not found");
            assert_eq!(page.text("contrast.texts().faint"), "", "{theme}");
        }
    });
}

#[test]
fn the_focus_reaches_all_that_can_be_used_and_is_seen_there() {
    on_page("focus", 1.0, |page, _, _| {
        page.value(include_str!("contrast.js"));
        if cfg!(feature = "observe") {
            page.until("!document.querySelector('#times').hidden");
        }
        for theme in ["light", "dark"] {
            page.theme(theme);
            // Tab goes on from the first of them. A browser shows the focus to those who have used a key.
            page.press("Tab");
            page.value("globalThis.reached = new Set(); document.querySelector('.skip').focus()");
            let usable = "[...document.querySelectorAll('a[href], button, [tabindex=\"0\"]')].filter(one => one.checkVisibility()).length";
            let usable = page.value(usable).as_u64().expect("a number");
            assert!(usable > 30, "{usable}");
            for _ in 0..usable {
                let ratio = page.value("reached.add(document.activeElement), contrast.focus()");
                assert!(ratio.as_f64() >= Some(3.0), "{ratio} at {}", page.text("document.activeElement.textContent"));
                page.press("Tab");
            }
            assert_eq!(page.value("reached.size"), usable);
        }
    });
}
