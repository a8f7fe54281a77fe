//! The map in the language of Graphviz.

use crate::map::chart::{Chart, ThreadState};

/// Styles of a box that waits, and of the one that it waits for in the end.
const WAITS: &str = "color=\"#bc4c00\", penwidth=2";
const ROOT: &str = "color=\"#d1242f\", fontcolor=\"#d1242f\", penwidth=4";

pub(super) fn write(chart: &Chart) -> String {
    let mut out = String::from("digraph map {\n  rankdir=TB\n  node [shape=box, style=rounded, fontname=monospace]\n");
    for row in chart.ranks() {
        out += "  {\n    rank=same\n";
        for at in row {
            let of = &chart.types[at];
            out += &format!("    type{at} [label=\"{}\"]\n", label(&of.title(), &of.lines()));
        }
        out += "  }\n";
    }
    if !chart.threads.is_empty() {
        out += "  subgraph cluster_threads {\n    label=threads\n";
        for (at, thread) in chart.threads.iter().enumerate() {
            let colour = match thread.state {
                ThreadState::Root => format!(", {ROOT}"),
                ThreadState::Waits => format!(", {WAITS}"),
                ThreadState::Free => String::new(),
            };
            out += &format!("    thread{at} [label=\"{}\"{colour}]\n", label(&thread.title, &thread.lines));
        }
        out += "  }\n";
    }
    for arrow in &chart.arrows {
        let label = arrow.label().map(|label| format!("label=\"{label}\""));
        let dashed = arrow.is_dashed().then(|| "style=dashed".to_owned());
        let waits = (arrow.waits > 0).then(|| WAITS.to_owned());
        let attributes: Vec<String> = label.into_iter().chain(dashed).chain(waits).collect();
        let attributes = match &attributes[..] {
            [] => String::new(),
            some => format!(" [{}]", some.join(", ")),
        };
        out += &format!("  type{} -> type{}{attributes}\n", arrow.from, arrow.to);
    }
    out + "}\n"
}

/// The title is centred, and the lines below it begin at the left.
fn label(title: &str, lines: &[String]) -> String {
    let lines: String = lines.iter().map(|line| format!("{}\\l", escaped(line))).collect();
    format!("{}\\n{lines}", escaped(title))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
