//! The claims that the results must show, as ratios in one run.

use zctor_benchmarks::libraries::{ENTRANTS, Kind, OURS};
use zctor_benchmarks::measure::{CPU, is_cpu};
use zctor_benchmarks::workloads;

use crate::results::{Line, Results, median};

/// A promise, what was measured, and whether it holds; a promise without a limit only reports.
pub(crate) struct Claim {
    pub(crate) text: String,
    pub(crate) measured: String,
    pub(crate) holds: Option<bool>,
}

const DRAIN: &str = "flume, drain()";
const SPIN: &str = "flume + oneshot, spinning";
const TASKS: &str = "tokio mpsc + oneshot";

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
    let tasks = |workload: &str, column: &str| results.best(workload, TASKS, column);
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
    // The second round of speed: no cliffs.
    let on_one = |column: &str| results.best_on(|threads| threads == 1, "curve-instances", OURS, column);
    claims.push(at_most(
        "Round robin over 60 actors: at most 1.3 times the same to one",
        on_one("60"),
        on_one("1"),
        1.3,
    ));
    claims.push(at_most(
        "Round robin over 60 actors: within 1.5 times tokio tasks",
        results.best("curve-instances", OURS, "60"),
        tasks("curve-instances", "60"),
        1.5,
    ));
    claims.push(at_most(
        "Broadcast to 8: within 1.5 times tokio tasks",
        ours("broadcast"),
        tasks("broadcast", ""),
        1.5,
    ));
    let across = |workload: &str, library: &str| results.best_on(|threads| threads > 1, workload, library, "");
    let libraries = || ENTRANTS.iter().filter(|entrant| entrant.kind == Kind::Library);
    let others = libraries().filter_map(|other| Some((across("big", other.name)?, other.name)));
    let best = others.min_by(|a, b| a.0.total_cmp(&b.0));
    claims.push(across("big", OURS).zip(best).map(|(value, (best, name))| Claim {
        text: "'big' on two threads: no worse than the best library".into(),
        measured: format!("{} to {} of {name}", figure(value), figure(best)),
        holds: Some(value <= best),
    }));
    claims.extend(ping_pong(results));
    claims.extend(["latency-100us", "latency-1ms", "latency-10ms"].map(|workload| paced(results, workload)));
    claims.extend(forms(results));
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

/// What ping-pong on several threads must show.
fn ping_pong(results: &Results) -> [Option<Claim>; 2] {
    let is_ours = |line: &&Line| line.row.library == OURS && line.row.threads.is_some_and(|threads| threads > 1);
    let ours = || results.of("ping-pong").find(is_ours)?.cell("");
    let steady = ours().map(|cell| Claim {
        text: "Ping-pong on two threads: the rounds within 1.5 times one another".into(),
        measured: format!(
            "{:.2} times ({} to {})",
            cell.most() / cell.least(),
            figure(cell.most()),
            figure(cell.least())
        ),
        holds: Some(cell.most() <= 1.5 * cell.least()),
    });
    let other = |name| results.best_on(|threads| threads > 1, "ping-pong", name, "");
    let compared = ours().zip(other("ractor").zip(other("xtra"))).map(|(cell, (ractor, xtra))| Claim {
        text: "Ping-pong on two threads: no worse than ractor and xtra".into(),
        measured: format!("{} to {} and {}", figure(cell.median()), figure(ractor), figure(xtra)),
        holds: Some(cell.median() <= ractor.min(xtra)),
    });
    [steady, compared]
}

/// A call at a fixed pace: little CPU, or an answer in less than the time of a wake-up.
fn paced(results: &Results, workload: &str) -> Option<Claim> {
    let title = workloads::all().find(|spec| spec.name == workload).map_or(workload, |spec| spec.title);
    let best = |column: &str| {
        let libraries = ENTRANTS.iter().filter(|entrant| entrant.kind == Kind::Library);
        libraries.filter_map(|other| results.best(workload, other.name, column)).min_by(f64::total_cmp)
    };
    let [p50, p99, cpu] =
        ["p50", "p99", CPU].map(|column| Some((results.best(workload, OURS, column)?, best(column)?)));
    let (p50, p99, cpu) = (p50?, p99?, cpu?);
    let is_lean = cpu.0 <= 1.1 * cpu.1 && p50.0 <= p50.1 && p99.0 <= p99.1;
    let pair = |(ours, best)| format!("{} to {}", figure(ours), figure(best));
    Some(Claim {
        text: format!(
            "{title}: CPU at most 1.1 times that of the best library, p50 and p99 no worse; or p50 under 3 µs"
        ),
        measured: format!("CPU {}, p50 {}, p99 {} µs", pair(cpu), pair(p50), pair(p99)),
        holds: Some(is_lean || p50.0 < 3.0),
    })
}

/// The forms of a call: close together, and across threads not far from the mark. They take turns in one process, so each
/// round gives a ratio, whatever the speed of the machine in that round; the median of those counts.
fn forms(results: &Results) -> [Option<Claim>; 3] {
    // The cheapest and the dearest form of each round.
    let rounds = |workload: &'static str| {
        let line = results.of(workload).find(|line| line.row.library == OURS)?;
        let times = || line.cells.iter().filter(|cell| !is_cpu(&cell.column)).map(|cell| cell.rounds());
        let rounds = times().map(<[f64]>::len).min()?;
        Some((0..rounds).map(move |round| {
            let times = times().map(|rounds| rounds[round]);
            times.fold((f64::INFINITY, 0.0_f64), |(least, most), time| (least.min(time), most.max(time)))
        }))
    };
    let close = |workload: &'static str, text: &str| {
        let ratio = median(rounds(workload)?.map(|(least, most)| most / least))?;
        Some(Claim {
            text: format!("{text}: all forms within 1.15 times one another"),
            measured: format!("{ratio:.2} times in the median round"),
            holds: Some(ratio <= 1.15),
        })
    };
    let marked = || {
        let mut spinning = results.of("call-inside").filter(|line| line.row.library == SPIN);
        let marks = spinning.find_map(|line| line.cell(""))?.rounds();
        let dearest = rounds("forms-call-inside")?.map(|(_, most)| most);
        let ratio = median(dearest.zip(marks).map(|(most, mark)| most / mark))?;
        Some(Claim {
            text: "A call to another thread: at most 2 times flume and oneshot that spin, whatever the form".into(),
            measured: format!("{ratio:.2} times in the median round"),
            holds: Some(ratio <= 2.0),
        })
    };
    [
        close("forms-call-same-thread", "A call on one thread"),
        close("forms-call-inside", "A call across threads"),
        marked(),
    ]
}

/// How much more a message costs at any point of a curve of ours than at one before it. The limit is a reading of
/// "flat", not a figure of the design.
fn flat(results: &Results, workload: &str) -> Option<Claim> {
    let spec = workloads::all().find(|spec| spec.name == workload)?;
    let on_one = |point: &u64| results.best_on(|threads| threads == 1, workload, OURS, &point.to_string());
    let points = spec.points.iter().filter_map(on_one);
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
