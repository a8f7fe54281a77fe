//! The page in a headless Chromium: its text, its keys, its sizes, and the tree for a screen reader.
#![cfg(feature = "browser")]

mod accessible;
mod chromium;
mod contrast;
mod controls;
mod crowded;
mod keys;
mod narrow;
mod page;
mod since;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::{env, fs, process, thread};

use console_demo::Shop;
use zctor_console::{Console, Served, fetch};
use zctor_tests::{bounded, expect_panics};

use crate::chromium::Page;

/// A shop whose database has been stuck for so many seconds, and its console.
fn stuck(seconds: f64) -> (Shop, Served) {
    expect_panics("no price in");
    let shop = Shop::open().expect("the machine has threads");
    let console = Console::new(shop.engine()).definitions(Shop::definitions());
    let served = console.serve_tcp("127.0.0.1:0").expect("a port is free");
    let look = || fetch(&served.to_string()).expect("it is served");
    while look().waits.last().is_none_or(|root| root.longest < seconds) {}
    (shop, served)
}

/// Runs a test on the page of a shop whose database has been stuck for so many seconds.
fn on_page(test: &'static str, seconds: f64, look: impl FnOnce(&mut Page, &Shop, Served) + Send + 'static) {
    bounded(move || {
        let (shop, served) = stuck(seconds);
        opened(test, &served.to_string(), |page| look(page, &shop, served));
    });
}

/// Opens the page at an address in a browser of its own.
fn opened(test: &str, place: &str, look: impl FnOnce(&mut Page)) {
    let folder = folder(test);
    let mut page = Page::open(place, &folder);
    look(&mut page);
    drop(page);
    remove(&folder);
}

/// An empty folder for one test.
fn folder(test: &str) -> PathBuf {
    let folder = env::temp_dir().join(format!("zctor-console-{test}-{}", process::id()));
    fs::create_dir_all(&folder).expect("there is a folder for temporary files");
    folder
}

/// Removes it. Processes of a browser that was ended may still write there for a moment; the limit of the test bounds
/// the loop.
fn remove(folder: &Path) {
    while fs::remove_dir_all(folder).is_err_and(|error| error.kind() != ErrorKind::NotFound) {
        thread::yield_now();
    }
}
