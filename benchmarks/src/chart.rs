//! Draws a workload as SVG: bars, or lines where it is a curve.

use std::fmt::Write as _;

use zctor_benchmarks::libraries::{ENTRANTS, Kind, OURS};
use zctor_benchmarks::measure::is_cpu;
use zctor_benchmarks::workloads::Spec;

use crate::claims::figure;
use crate::results::{Cell, Line};

const WIDTH: f64 = 760.0;
const LABELS: f64 = 210.0;
const VALUES: f64 = 120.0;
const BAR: f64 = 16.0;
const TOP: f64 = 48.0;
const SHADES: [&str; 3] = ["1", "0.65", "0.35"];
const LINES: [&str; 14] = [
    "#c2410c", "#475569", "#0891b2", "#7c3aed", "#15803d", "#be185d", "#a16207", "#1d4ed8", "#94a3b8", "#0f766e",
    "#b91c1c", "#6d28d9", "#65a30d", "#0c4a6e",
];

pub(crate) fn draw(spec: &Spec, lines: &[&Line]) -> String {
    if spec.points.is_empty() { bars(spec, lines) } else { curves(spec, lines) }
}

fn frame(spec: &Spec, legend: &str, height: f64, body: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"12\" y=\"20\" font-size=\"15\" font-weight=\"bold\">{}</text>\n\
         <text x=\"12\" y=\"38\" fill=\"#555\">{}: less is better{legend}</text>\n{body}</svg>\n",
        escape(spec.title),
        escape(spec.unit)
    )
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn label(line: &Line) -> String {
    match line.row.threads {
        Some(1) => format!("{}, 1 thread", line.row.library),
        Some(threads) => format!("{}, {threads} threads", line.row.library),
        None => line.row.library.clone(),
    }
}

/// Ours in one colour, the other libraries in a second, the floors in a third.
pub(crate) fn colour(library: &str) -> &'static str {
    match ENTRANTS.iter().find(|entrant| entrant.name == library).map(|entrant| entrant.kind) {
        Some(Kind::Ours) => "#c2410c",
        Some(Kind::Mark | Kind::Floor) => "#94a3b8",
        Some(Kind::Library) | None => "#2563eb",
    }
}

/// The cells of a line that the chart shows.
fn charted<'a>(spec: &Spec, line: &'a Line) -> Vec<&'a Cell> {
    let is_charted = |cell: &&Cell| match spec.charted {
        [] => !is_cpu(&cell.column),
        some => some.contains(&cell.column.as_str()),
    };
    line.cells.iter().filter(is_charted).collect()
}

/// How far the bars reach: to the greatest figure, unless that would leave nothing to see of the others; then the
/// bars beyond are cut.
///
/// Of each bar, its length and how far the line across it goes.
pub(crate) fn limit(bars: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (mut medians, mosts): (Vec<f64>, Vec<f64>) = bars.unzip();
    medians.sort_unstable_by(f64::total_cmp);
    let middle = medians.get(medians.len() / 2).copied().unwrap_or(0.0);
    let most = mosts.into_iter().fold(0.0, f64::max);
    match most {
        0.0 => 1.0,
        most if most > 20.0 * middle && middle > 0.0 => 10.0 * middle,
        most => most,
    }
}

/// A bar a cell, as long as its median, with a line from the least to the most. A bar with a gap is cut.
fn bars(spec: &Spec, lines: &[&Line]) -> String {
    let bars = lines.iter().flat_map(|line| charted(spec, line)).map(|cell| (cell.median(), cell.most()));
    let limit = limit(bars);
    let scale = (WIDTH - LABELS - VALUES) / limit;
    let mut body = String::new();
    let mut y = TOP;
    for line in lines.iter().filter(|line| !line.cells.is_empty()) {
        let cells = charted(spec, line);
        let middle = y + BAR * cells.len() as f64 / 2.0 + 4.0;
        // A String takes whatever is written.
        let _ = writeln!(
            body,
            "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{}</text>",
            LABELS - 8.0,
            escape(&label(line))
        );
        for (cell, shade) in cells.iter().zip(SHADES.iter().cycle()) {
            let [length, low, high] = [cell.median(), cell.least(), cell.most()].map(|value| value.min(limit) * scale);
            let (start, line_y, text_y) = (LABELS, y + BAR / 2.0 - 1.0, y + BAR - 4.0);
            let name = if cells.len() > 1 { format!(" {}", cell.column) } else { String::new() };
            let _ = writeln!(
                body,
                "<rect x=\"{start}\" y=\"{y}\" width=\"{:.1}\" height=\"{}\" fill=\"{}\" fill-opacity=\"{shade}\"/>\n\
                 <path d=\"M{:.1} {line_y}H{:.1}\" stroke=\"#111\"/>\n\
                 <text x=\"{:.1}\" y=\"{text_y}\" fill=\"#333\">{}{name}</text>",
                length.max(0.5),
                BAR - 2.0,
                colour(&line.row.library),
                start + low,
                start + high,
                start + high.max(length) + 6.0,
                figure(cell.median()),
            );
            if cell.median() > limit {
                let (x, bottom) = (start + length - 24.0, y + BAR - 2.0);
                let _ = writeln!(body, "<path d=\"M{x:.1} {bottom}l8 -{BAR}\" stroke=\"white\" stroke-width=\"4\"/>");
            }
            y += BAR;
        }
        y += 6.0;
    }
    let has_ours = lines.iter().any(|line| line.row.library == OURS);
    let legend = if has_ours { "; orange zctor, blue the other libraries, grey no library" } else { "" };
    frame(spec, legend, y + 8.0, &body)
}

/// A round number a little above `most`, so that quarters of it read well.
fn round_up(most: f64) -> f64 {
    let power = 10.0_f64.powf(most.log10().floor());
    let steps = [1.0, 1.2, 1.6, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0].map(|step| step * power);
    steps.into_iter().find(|&step| step >= most).unwrap_or(most)
}

/// A line a library over the points, which stand at equal distances, since each is some times the one before; at each
/// point from the least to the most. Of a library that has rows for several numbers of threads, that for one.
fn curves(spec: &Spec, lines: &[&Line]) -> String {
    let lines: Vec<&&Line> = lines.iter().filter(|line| line.row.threads.is_none_or(|threads| threads == 1)).collect();
    const HEIGHT: f64 = 260.0;
    const LEFT: f64 = 70.0;
    const RIGHT: f64 = 230.0;
    let most = round_up(lines.iter().flat_map(|line| charted(spec, line)).map(Cell::most).fold(1.0, f64::max));
    let bottom = TOP + HEIGHT;
    let x = |index: usize| LEFT + (WIDTH - LEFT - RIGHT) * index as f64 / (spec.points.len() - 1).max(1) as f64;
    let y = |value: f64| bottom - HEIGHT * value / most;
    let mut body = String::new();
    for step in 0..=4 {
        let value = most * f64::from(step) / 4.0;
        let (height, end) = (y(value), WIDTH - RIGHT);
        let _ = writeln!(
            body,
            "<path d=\"M{LEFT} {height:.1}H{end}\" stroke=\"#ddd\"/>\n\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#555\">{}</text>",
            LEFT - 6.0,
            height + 4.0,
            figure(value)
        );
    }
    for (index, point) in spec.points.iter().enumerate() {
        let text = figure(*point as f64).replace(".0", "");
        let _ =
            writeln!(body, "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{text}</text>", x(index), bottom + 18.0);
    }
    let shown = lines.iter().filter(|line| !line.cells.is_empty());
    for (row, (line, colour)) in shown.zip(LINES.iter().cycle()).enumerate() {
        let values = spec
            .points
            .iter()
            .enumerate()
            .filter_map(|(index, point)| Some((x(index), y(line.cell(&point.to_string())?.median()))));
        let path: Vec<String> = values.map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
        for (index, point) in spec.points.iter().enumerate() {
            let Some(cell) = line.cell(&point.to_string()) else { continue };
            let (x, middle) = (x(index), y(cell.median()));
            let (low, high) = (y(cell.least()), y(cell.most()));
            let _ = writeln!(
                body,
                "<circle cx=\"{x:.1}\" cy=\"{middle:.1}\" r=\"3\" fill=\"{colour}\"/>\n\
                 <path d=\"M{x:.1} {low:.1}V{high:.1}\" stroke=\"{colour}\"/>"
            );
        }
        let (legend, legend_y) = (WIDTH - RIGHT + 14.0, TOP + 12.0 + 20.0 * row as f64);
        let _ = writeln!(
            body,
            "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n\
             <path d=\"M{legend} {}h16\" stroke=\"{colour}\" stroke-width=\"2\"/>\n\
             <text x=\"{}\" y=\"{legend_y}\">{}</text>",
            path.join("L"),
            legend_y - 4.0,
            legend + 22.0,
            escape(&label(line))
        );
    }
    let _ = writeln!(
        body,
        "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\" fill=\"#555\">{}</text>",
        LEFT + (WIDTH - LEFT - RIGHT) / 2.0,
        bottom + 38.0,
        escape(spec.axis)
    );
    let legend = TOP + 20.0 * lines.len() as f64;
    frame(spec, "", legend.max(bottom + 50.0), &body)
}
