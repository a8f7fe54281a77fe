//! On a telephone nothing is cut off without a sign.

use zctor_tests::bounded;

use crate::chromium::Page;
use crate::{folder, remove, stuck};

#[test]
fn a_narrow_page_says_where_there_is_more_and_shows_the_time_with_its_zone() {
    bounded(|| {
        let (_shop, served) = stuck(1.5);
        let folder = folder("telephone");
        let mut page = Page::open(&served.to_string(), &folder);
        page.resize(400, 900);
        page.until("document.querySelector('#threads').classList.contains('cut')");
        page.until("getComputedStyle(document.querySelector('#threads .more')).display !== 'none'");
        // At the end of the table there is no more.
        page.value("document.querySelector('#threads .scroll').scrollLeft = 10000");
        page.until("!document.querySelector('#threads').classList.contains('cut')");
        // The map is as large as on a wide page, and scrolls.
        page.until("document.querySelector('#map svg').getBoundingClientRect().width > 600");
        page.until("document.querySelector('#maps').classList.contains('cut')");
        let is_whole = "{ const one = document.querySelector('#where'); one.scrollWidth <= one.clientWidth }";
        page.until(is_whole);
        let place = page.text("document.querySelector('#where').textContent");
        // A zone is `UTC`, or an offset such as `GMT+2`.
        assert!(place.contains("process ") && place.ends_with(char::is_alphanumeric), "{place}");
        assert!(place.rsplit(' ').next().is_some_and(|zone| zone.starts_with(char::is_uppercase)), "{place}");
        page.until("document.documentElement.scrollWidth <= 400");
        drop(page);
        remove(&folder);
    });
}

#[test]
fn the_page_fits_a_narrow_window() {
    bounded(|| {
        let (_shop, served) = stuck(1.0);
        let folder = folder("narrow");
        let mut page = Page::open(&served.to_string(), &folder);
        page.resize(390, 844);
        page.until("innerWidth === 390");
        assert_eq!(page.value("document.documentElement.scrollWidth"), 390, "only tables and the map scroll sideways");
        drop(page);
        remove(&folder);
    });
}
