//! On a telephone nothing is cut off without a sign.

use crate::on_page;

#[test]
fn a_narrow_page_says_where_there_is_more_and_shows_the_time_with_its_zone() {
    on_page("telephone", 1.5, |page, _, _| {
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
    });
}

#[test]
fn the_page_fits_a_narrow_window() {
    on_page("narrow", 1.0, |page, _, _| {
        page.resize(390, 844);
        page.until("innerWidth === 390");
        assert_eq!(page.value("document.documentElement.scrollWidth"), 390, "only tables and the map scroll sideways");
    });
}
