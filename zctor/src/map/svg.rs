//! The map as an SVG picture, which needs no script, no font and no other file.

use crate::map::chart::{Chart, waits};
use crate::map::layout::{self, LINE, PADDING, Rect};

/// The colours of both themes. All rules are for this picture alone, since it may stand in a page with others.
const STYLE: &str = "<style>\
.zctor-map{--ground:#fff;--box:#f6f8fa;--edge:#59636e;--ink:#1f2328;--dim:#59636e;--red:#d1242f}\
@media(prefers-color-scheme:dark){.zctor-map{--ground:#0d1117;--box:#151b23;--edge:#9198a1;--ink:#f0f6fc;--dim:#9198a1;--red:#ff7b72}}\
.zctor-map .ground{fill:var(--ground)}\
.zctor-map rect.box{fill:var(--box);stroke:var(--edge)}\
.zctor-map rect.thread{fill:none;stroke:var(--edge);stroke-dasharray:4 3}\
.zctor-map .waits rect{stroke:var(--red);stroke-width:2}\
.zctor-map text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:var(--dim)}\
.zctor-map text.title{font-weight:600;fill:var(--ink)}\
.zctor-map path{fill:none;stroke:var(--edge);stroke-width:1.5}\
.zctor-map path.head{fill:var(--edge);stroke:none}\
.zctor-map .waits path{stroke:var(--red);stroke-width:2.5}\
.zctor-map .waits path.head{fill:var(--red);stroke:none}\
.zctor-map .waits text{fill:var(--red)}\
</style>\n";

pub(super) fn write(chart: &Chart) -> String {
    let layout = layout::of(chart);
    let (width, height) = (layout.width, layout.height);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"zctor-map\" role=\"img\" width=\"{width}\" \
         height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n<title>Who may call whom</title>\n{STYLE}\
         <rect class=\"ground\" width=\"{width}\" height=\"{height}\" rx=\"8\"/>\n"
    );
    for (arrow, points) in chart.arrows.iter().zip(&layout.arrows) {
        let (from, to) = (chart.types[arrow.from].name, chart.types[arrow.to].name);
        let class = if arrow.waits > 0 { " class=\"waits\"" } else { "" };
        out += &format!("<g{class}><title>{} → {}</title>{}", escaped(from), escaped(to), curve(points));
        if let (Some(label), [.., (x, y)]) = (waits(arrow), &points[..]) {
            out += &format!("<text x=\"{}\" y=\"{}\">{label}</text>", x + 10, y.saturating_sub(12));
        }
        out += "</g>\n";
    }
    for (of, rect) in chart.types.iter().zip(&layout.types) {
        out += &boxed("box", false, rect, &of.title(), &of.lines());
    }
    for (thread, rect) in chart.threads.iter().zip(&layout.threads) {
        out += &boxed("thread", thread.waits, rect, &thread.name, &thread.lines);
    }
    out + "</svg>\n"
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

fn boxed(class: &str, waits: bool, rect: &Rect, title: &str, lines: &[String]) -> String {
    let Rect { x, y, width, height } = *rect;
    let waits = if waits { " class=\"waits\"" } else { "" };
    let mut out = format!(
        "<g{waits}><rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"6\"/>\
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
