//! A screen reader is told what there is, by roles and names, and what is stuck, once.

use crate::on_page;

#[test]
fn everything_has_a_role_and_a_name_and_the_culprit_is_told_once() {
    on_page("accessible", 1.5, |page, shop, _| {
        page.until("document.querySelector('tr.culprit') !== null");
        if cfg!(feature = "observe") {
            page.until("!document.querySelector('#times').hidden");
        }
        let tree = page.accessible();
        let named = |role: &str| -> Vec<&str> {
            tree.iter().filter(|(of, _)| of == role).map(|(_, name)| name.as_str()).collect()
        };
        let is_there = |name: &&str| cfg!(feature = "observe") || *name != "Handling times";
        let tables: Vec<&str> =
            ["Threads", "Message types", "Handling times", "Top instances"].into_iter().filter(is_there).collect();
        let regions: Vec<&str> = ["What needs a look", "In sum"]
            .into_iter()
            .chain(tables.iter().copied())
            .chain(["Events", "Map"])
            .collect();
        assert_eq!(named("region"), regions);
        assert_eq!(named("table"), tables);
        assert_eq!(named("heading")[0], "shop");
        assert!(named("heading")[1].starts_with("Stuck since "), "{tree:?}");
        assert!(named("heading")[1].ends_with(": DatabaseMessage::UserOf 0.0 on thread db"), "{tree:?}");
        assert!(named("rowheader").contains(&"db 0 is stuck"), "{tree:?}");
        assert!(named("rowheader").contains(&"FeedMessage"), "{tree:?}");
        assert!(named("button").contains(&"Pause"), "{tree:?}");
        assert_eq!(named("alert").len(), 1, "{tree:?}");
        assert_eq!(named("status").len(), 1, "{tree:?}");
        for role in
            ["button", "link", "region", "table", "columnheader", "rowheader", "heading", "group", "image", "img"]
        {
            assert!(named(role).iter().all(|name| !name.trim().is_empty()), "a {role} has no name: {tree:?}");
        }
        // Each element that takes the focus says what it is.
        let unnamed = "[...document.querySelectorAll('[tabindex=\"0\"]')].filter(one => !one.getAttribute('role') || !one.getAttribute('aria-label')).length";
        assert_eq!(page.value(unnamed), 0);

        // It is told once: the text stays as it is while the times grow.
        let alarm = "document.querySelector('#alert').textContent";
        assert_eq!(page.text(alarm), "Stuck: DatabaseMessage UserOf on thread db");
        page.value(
            "globalThis.changes = 0; new MutationObserver(all => changes += all.length)\
             .observe(document.querySelector('#alert'), { childList: true, characterData: true, subtree: true }); true",
        );
        let looks = page.value("looks");
        page.until(&format!("looks > {looks} + 3"));
        assert_eq!(page.value("changes"), 0);
        shop.free_database();
        page.until(&format!("!{alarm}.includes('DatabaseMessage')"));
    });
}
