//! What the results must show, as ratios of medians of one run.

use zctor_benchmarks::libraries::{ENTRANTS, Kind, OURS};
use zctor_benchmarks::workloads;

use crate::results::Results;

/// A promise, what was measured, and whether it holds; a promise without a limit only reports.
pub(crate) struct Claim {
    pub(crate) text: String,
    pub(crate) measured: String,
    pub(crate) holds: Option<bool>,
}

const DRAIN: &str = "flume, drain()";
const SPIN: &str = "flume + oneshot, spinning";

/// All claims whose workloads were run.
pub(crate) fn check(results: &Results) -> Vec<Claim> {
    let ours = |workload: &str| results.best(workload, OURS, "");
    // The fastest other library, in its fastest configuration.
    let peer = |workload: &str, column: &str| {
        let others = ENTRANTS.iter().filter(|entrant| entrant.kind == Kind::Library);
        let best = others.filter_map(|other| Some((results.best(workload, other.name, column)?, other.name)));
        best.min_by(|a, b| a.0.total_cmp(&b.0))
    };
    let at_most = |text: &str, value: Option<f64>, mark: Option<f64>, limit: f64| {
        let ratio = value? / mark?;
        Some(Claim {
            text: text.into(),
            measured: format!("{ratio:.2} times ({} to {})", figure(value?), figure(mark?)),
            holds: Some(ratio <= limit),
        })
    };
    let first = |workload: &str, column: &str, title: &str| {
        let (value, (best, name)) = (results.best(workload, OURS, column)?, peer(workload, column)?);
        Some(Claim {
            text: format!("{title}: first among the libraries"),
            measured: format!("{} to {} of {name}", figure(value), figure(best)),
            holds: Some(value <= best),
        })
    };
    let drain = results.best("one-way", DRAIN, "");
    let mut claims = vec![
        at_most("One way from outside: at most 1.3 times raw flume with `drain()`", ours("one-way"), drain, 1.3),
        first("one-way", "", "One way from outside"),
        at_most(
            "Call from outside: at most 2 times flume and oneshot that spin the same way",
            ours("call"),
            results.best("call", SPIN, ""),
            2.0,
        ),
        peer("call", "").zip(ours("call")).map(|((best, name), value)| Claim {
            text: "Call from outside: at least 10 times faster than any library that parks".into(),
            measured: format!("{:.1} times ({} to {} of {name})", best / value, figure(value), figure(best)),
            holds: Some(best >= 10.0 * value),
        }),
        at_most(
            "Call to the same thread: under a tenth of a call to another",
            ours("call-same-thread"),
            ours("call-inside"),
            0.1,
        ),
        at_most(
            "One way between actors on different threads: at most 1.3 times raw flume with `drain()`",
            ours("one-way-inside"),
            results.best("one-way-inside", DRAIN, ""),
            1.3,
        ),
        at_most(
            "`send_all`, a message: under a third of raw flume with `drain()`",
            ours("one-way-batched"),
            drain,
            1.0 / 3.0,
        ),
    ];
    for threads in ["16", "64"] {
        claims.push(at_most(
            &format!("{threads} busy threads: a round trip at most 2 times that without spinning (flume)"),
            results.best("crowd", OURS, threads),
            results.best("crowd", "flume", threads),
            2.0,
        ));
    }
    for (workload, column) in [
        ("ping-pong", ""),
        ("ring", ""),
        ("fan-in", ""),
        ("big", ""),
        ("create", ""),
        ("broadcast", ""),
        ("pool", "ns a job"),
    ] {
        let title = workloads::all().find(|spec| spec.name == workload).map_or(workload, |spec| spec.title);
        claims.push(first(workload, column, title));
    }
    claims.push(ours("idle").map(|used| Claim {
        text: "Idle, eight threads: no CPU time (under a microsecond a second)".into(),
        measured: format!("{} µs a second", figure(used)),
        holds: Some(used < 1.0),
    }));
    claims.push(ours("memory-alone").map(|bytes| Claim {
        text: "An idle instance: at most 200 bytes beyond its state of 8".into(),
        measured: format!("{} bytes", figure(bytes)),
        holds: Some(bytes <= 208.0),
    }));
    claims.push(ours("memory-instance").map(|bytes| Claim {
        text: "An idle instance with the client that the outside keeps".into(),
        measured: format!("{} bytes", figure(bytes)),
        holds: None,
    }));
    for curve in ["curve-threads", "curve-instances", "curve-queued"] {
        claims.push(flat(results, curve));
    }
    let flooded = |column| results.best("latency-flooded", OURS, column);
    claims.push(flooded("p99").zip(flooded("a batch")).map(|(latency, batch)| Claim {
        text: "A call to a quiet instance of a flooded thread: within the time of one batch, 99 of 100".into(),
        measured: format!("{:.2} times ({} to {} µs)", latency / batch, figure(latency), figure(batch)),
        holds: Some(latency <= batch),
    }));
    for workload in ["latency-idle", "latency-loaded", "latency-flooded"] {
        let title = workloads::all().find(|spec| spec.name == workload).map_or(workload, |spec| spec.title);
        claims.push(results.best(workload, OURS, "p99.9").map(|latency| Claim {
            text: format!("{title}: p99.9"),
            measured: format!("{} µs", figure(latency)),
            holds: None,
        }));
    }
    claims.push(ours("memory-message").map(|bytes| Claim {
        text: "A queued message of 24 bytes: memory".into(),
        measured: format!("{} bytes", figure(bytes)),
        holds: None,
    }));
    claims.into_iter().flatten().collect()
}

/// How much more a message costs at any point of a curve of ours than at one before it. The limit is a reading of
/// "flat", not a figure of the design.
fn flat(results: &Results, workload: &str) -> Option<Claim> {
    let spec = workloads::all().find(|spec| spec.name == workload)?;
    let points = spec.points.iter().filter_map(|point| results.best(workload, OURS, &point.to_string()));
    let (least, most) = steepest(points)?;
    Some(Claim {
        text: format!("{}: flat (no point above 2 times one before it)", spec.title),
        measured: format!("{:.2} times ({} to {})", most / least, figure(most), figure(least)),
        holds: Some(most <= 2.0 * least),
    })
}

/// Of all pairs of values, one before the other, that with the largest ratio of the latter to the former.
fn steepest(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let mut least = f64::INFINITY;
    let pairs = values.filter_map(|value| {
        let pair = (least, value);
        least = least.min(value);
        pair.0.is_finite().then_some(pair)
    });
    pairs.max_by(|a, b| (a.1 / a.0).total_cmp(&(b.1 / b.0)))
}

/// A number as the tables show it.
pub(crate) fn figure(value: f64) -> String {
    if value.abs() < 9.95 && value.fract() != 0.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |rest| ("-", rest));
    let mut grouped = String::from(sign);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::{figure, steepest};

    #[test]
    fn a_curve_is_as_steep_as_its_largest_rise() {
        assert_eq!(steepest([4.0, 2.0, 3.0, 5.0, 2.5].into_iter()), Some((2.0, 5.0)));
        assert_eq!(steepest([9.0, 3.0].into_iter()), Some((9.0, 3.0)));
        assert_eq!(steepest([9.0].into_iter()), None);
    }

    #[test]
    fn figures_have_a_digit_behind_the_point_if_small_and_groups_if_large() {
        let shown = [0.04, 2.0, 9.94, 9.96, 1_234.5, 1_234_567.0, -1_234.0].map(figure);
        assert_eq!(shown, ["0.0", "2", "9.9", "10", "1,234", "1,234,567", "-1,234"]);
    }
}
