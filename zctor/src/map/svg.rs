//! The map as an SVG picture, which needs no script, no font and no other file.

use crate::map::chart::{Arrow, Chart, ThreadState};
use crate::map::layout::{self, LEGEND_STEP, LINE, PADDING, Rect};

/// The colours of both themes. All rules are for this picture alone, since it may stand in a page with others.
const STYLE: &str = "<style>\
.zctor-map{--ground:#fff;--box:#f6f8fa;--edge:#59636e;--ink:#1f2328;--dim:#59636e;--red:#d1242f;--wait:#bc4c00}\
@media(prefers-color-scheme:dark){.zctor-map{--ground:#0d1117;--box:#151b23;--edge:#9198a1;--ink:#f0f6fc;--dim:#9198a1;--red:#ff7b72;--wait:#f0883e}}\
.zctor-map .ground{fill:var(--ground)}\
.zctor-map rect.box{fill:var(--box);stroke:var(--edge)}\
.zctor-map rect.thread{fill:none;stroke:var(--edge);stroke-dasharray:4 3}\
.zctor-map .waits rect{stroke:var(--wait);stroke-width:2}\
.zctor-map text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:var(--dim)}\
.zctor-map text.title{font-weight:600;fill:var(--ink)}\
.zctor-map path{fill:none;stroke:var(--edge);stroke-width:1.5}\
.zctor-map path.head{fill:var(--edge);stroke:none}\
.zctor-map .sends path{stroke-dasharray:5 4}\
.zctor-map .waits path{stroke:var(--wait);stroke-width:2.5}\
.zctor-map .waits path.head{fill:var(--wait);stroke:none}\
.zctor-map .waits text{fill:var(--wait)}\
.zctor-map .root rect{stroke:var(--red);stroke-width:4;stroke-dasharray:none}\
.zctor-map .root text{fill:var(--red)}\
</style>\n";

pub(super) fn write(chart: &Chart) -> String {
    let layout = layout::of(chart);
    let (width, height) = (layout.width, layout.height);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"zctor-map\" role=\"img\" width=\"{width}\" \
         height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n<title>{}</title>\n{STYLE}\
         <rect class=\"ground\" width=\"{width}\" height=\"{height}\" rx=\"8\"/>\n",
        if layout.legend.is_some() { "Who may call whom, and who sends to whom" } else { "Who may call whom" }
    );
    let mut labels = String::new();
    for (arrow, points) in chart.arrows.iter().zip(&layout.arrows) {
        let (from, to) = (chart.types[arrow.from].name, chart.types[arrow.to].name);
        let class = match arrow {
            Arrow { waits: 1.., .. } => " class=\"waits\"",
            _ if arrow.is_dashed() => " class=\"sends\"",
            _ => "",
        };
        let line = if arrow.is_loop() { turned(points) } else { curve(points) };
        out += &format!("<g{class}><title>{} {} {}</title>{line}</g>\n", escaped(from), verb(arrow), escaped(to));
        labels += &arrow.label().map(|text| label(class, &text, arrow, points)).unwrap_or_default();
    }
    out += &labels; // no arrow goes over them
    for (of, rect) in chart.types.iter().zip(&layout.types) {
        out += &boxed("box", ThreadState::Free, rect, &of.title(), &of.lines());
    }
    for (thread, rect) in chart.threads.iter().zip(&layout.threads) {
        out += &boxed("thread", thread.state, rect, &thread.title, &thread.lines);
    }
    if let Some((x, y)) = layout.legend {
        out += &legend(x, y);
    }
    out + "</svg>\n"
}

/// The text of an arrow, on a ground of its own: halfway between the last two points of the line, or beside a turn.
fn label(class: &str, text: &str, arrow: &Arrow, points: &[(usize, usize)]) -> String {
    let [.., (before, above), (x, y)] = points else { return String::new() };
    let width = layout::advance(text.chars().count()) + PADDING;
    let (middle, centre) =
        if arrow.is_loop() { (x + 8 + width / 2, y + LINE) } else { ((before + x) / 2, (above + y) / 2) };
    let left = middle.saturating_sub(width / 2);
    format!(
        "<g{class}><rect class=\"ground\" x=\"{left}\" y=\"{}\" width=\"{width}\" height=\"{LINE}\" rx=\"6\"/>\
         <text x=\"{}\" y=\"{}\">{text}</text></g>\n",
        centre.saturating_sub(LINE / 2),
        left + PADDING / 2,
        centre + 4
    )
}

/// The arrow in words.
fn verb(arrow: &Arrow) -> &'static str {
    match arrow {
        Arrow { waits: 1.., .. } => "waits for",
        Arrow { calls: true, .. } => "may call",
        Arrow { starts: true, .. } => "starts",
        _ => "sends to",
    }
}

/// The two kinds of arrows, each beside its name.
fn legend(x: usize, y: usize) -> String {
    let line = |x: usize| {
        format!("<path d=\"M{x} {}h28\"/><path class=\"head\" d=\"M{} {}l-9 -4.5v9z\"/>", y - 4, x + 34, y - 4)
    };
    let (calls, sends) = (line(x), line(x + LEGEND_STEP));
    let (calls_at, sends_at) = (x + 42, x + LEGEND_STEP + 42);
    format!(
        "<g>{calls}<text x=\"{calls_at}\" y=\"{y}\">may call</text></g>\n\
         <g class=\"sends\">{sends}<text x=\"{sends_at}\" y=\"{y}\">sends</text></g>\n"
    )
}

/// From a type to itself: a turn at the right edge of its box.
fn turned(points: &[(usize, usize)]) -> String {
    let [(x, from), .., (_, to)] = points else { return String::new() };
    let out = x + 20;
    format!(
        "<path d=\"M{x} {from}C{out} {from} {out} {to} {x} {to}\"/><path class=\"head\" d=\"M{x} {to}l9 -4.5v9z\"/>"
    )
}

/// A smooth line through the points, and the head of an arrow at its end. The parts within a row are straight.
fn curve(points: &[(usize, usize)]) -> String {
    let mut path = String::new();
    for (at, (x, y)) in points.iter().enumerate() {
        path += &match at.checked_sub(1).and_then(|before| points.get(before)) {
            None => format!("M{x} {y}"),
            Some((from, above)) => {
                let middle = (above + y) / 2;
                format!("C{from} {middle} {x} {middle} {x} {y}")
            }
        };
    }
    let is_down = points.len() < 2 || points[points.len() - 2].1 <= points[points.len() - 1].1;
    let head = points.last().map(|(x, y)| {
        let back = if is_down { "-9" } else { "9" };
        format!("<path class=\"head\" d=\"M{x} {y}l-4.5 {back}h9z\"/>")
    });
    format!("<path d=\"{path}\"/>{}", head.unwrap_or_default())
}

fn boxed(class: &str, state: ThreadState, rect: &Rect, title: &str, lines: &[String]) -> String {
    let Rect { x, y, width, height } = *rect;
    let state = match state {
        ThreadState::Root => " class=\"root\"",
        ThreadState::Waits => " class=\"waits\"",
        ThreadState::Free => "",
    };
    let mut out = format!(
        "<g{state}><rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"6\"/>\
         <text class=\"title\" x=\"{}\" y=\"{}\">{}</text>",
        x + PADDING,
        y + PADDING + LINE - 8,
        escaped(title)
    );
    for (at, line) in lines.iter().enumerate() {
        let down = y + PADDING + (at + 2) * LINE - 4;
        out += &format!("<text x=\"{}\" y=\"{down}\">{}</text>", x + PADDING, escaped(line));
    }
    out + "</g>\n"
}

fn escaped(text: &str) -> String {
    // XML has no way to write most control characters.
    let text = text.replace(char::is_control, " ");
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
