//! How long handlers take, measured while somebody asks: the request lasts as long as the measurement.

use std::time::{Duration, Instant};

use serde::Serialize;
use zctor::{EngineHandle, HandlingTimes};

use crate::pause::Pause;
use crate::site::Answer;
use crate::text::{cells, table};

/// For how many seconds is measured, unless the request says otherwise, and for how many at most.
const USUAL: f64 = 1.0;
const MOST: f64 = 60.0;

/// The handlers of one variant. Times are in seconds.
#[derive(Serialize)]
struct Row {
    message: &'static str,
    variant: &'static str,
    count: u64,
    /// Handlers that ended a second.
    rate: f64,
    mean: f64,
    p50: f64,
    p99: f64,
    /// The time that they took, of one second; more than 1 where several threads handled them.
    share: f64,
}

/// The routes of this file, for the answer to a request for an unknown one.
pub(crate) const ROUTES: &[&str] = &["times.txt", "times.json"];

/// The answer to a request for `times.txt` or `times.json`.
pub(crate) fn answer(path: &str, query: &str, engine: &EngineHandle, pause: &Pause) -> Option<Answer> {
    let as_json = match path {
        "times.json" => true,
        "times.txt" => false,
        _ => return None,
    };
    let seconds =
        if query.is_empty() { Some(USUAL) } else { query.strip_prefix("seconds=").and_then(|n| n.parse().ok()) };
    let time = seconds.filter(|seconds| *seconds <= MOST).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let Some(time) = time else {
        let why = "ask for times.txt?seconds=5, with a number of seconds up to 60";
        return Some(Answer::refusal("400 Bad Request", why));
    };
    let (rows, window) = measure(engine, time, pause);
    Some(if as_json {
        match serde_json::to_string(&rows) {
            Ok(json) => Answer::json(json),
            Err(error) => Answer::refusal("500 Internal Server Error", &error.to_string()),
        }
    } else {
        Answer::text(text(&rows, window))
    })
}

/// The variants whose handlers took the most time come first. It ends early when the server stops.
fn measure(engine: &EngineHandle, time: Duration, pause: &Pause) -> (Vec<Row>, f64) {
    let (observer, since) = (engine.observe(), Instant::now());
    pause.wait(time);
    let (times, window) = (observer.handling_times(), since.elapsed().as_secs_f64());
    let mut rows: Vec<Row> = times.iter().map(|times| row(times, window)).collect();
    rows.sort_by(|one, other| other.share.total_cmp(&one.share));
    (rows, window)
}

fn row(times: &HandlingTimes, window: f64) -> Row {
    let [mean, p50, p99] = [times.mean(), times.quantile(0.5), times.quantile(0.99)].map(|time| time.as_secs_f64());
    let of_window = |value: f64| if window > 0.0 { value / window } else { 0.0 };
    Row {
        message: times.message,
        variant: times.variant,
        count: times.count,
        rate: of_window(times.count as f64),
        mean,
        p50,
        p99,
        share: of_window(times.sum.as_secs_f64()),
    }
}

fn text(rows: &[Row], window: f64) -> String {
    const HEAD: [&str; 7] = ["HANDLER", "handled", "/s", "mean", "p50", "p99", "takes"];
    let time = |seconds: f64| format!("{:.1?}", Duration::from_secs_f64(seconds));
    let lines = rows.iter().map(|row| {
        cells([
            &format!("{}::{}", row.message, row.variant),
            &row.count,
            &format!("{:.0}", row.rate),
            &time(row.mean),
            &time(row.p50),
            &time(row.p99),
            &format!("{:.1} %", row.share * 100.0),
        ])
    });
    let mut text = format!("handlers that ended in {window:.1} s, those that took the most time first\n\n");
    // A `String` takes all.
    let _ = table(&mut text, &HEAD, lines);
    text.trim_end().to_owned()
}
