//! The map as a flowchart of Mermaid.

use crate::map::chart::{Chart, ThreadState, TypeBox};

/// Styles of a box that waits, and of the one that it waits for in the end.
const WAITS: &str = "stroke:#bc4c00,stroke-width:3px";
const ROOT: &str = "stroke:#d1242f,stroke-width:5px";

pub(super) fn write(chart: &Chart) -> String {
    // Types with many parameters have long lines, which Mermaid would break after some thirty letters.
    let mut out = String::from("%%{init: {\"flowchart\": {\"wrappingWidth\": 600}}}%%\nflowchart TB\n");
    for (at, of) in chart.types.iter().enumerate() {
        out += &node("  ", &id(chart, at), &of.title(), &of.lines());
    }
    if !chart.threads.is_empty() {
        out += "  subgraph threads[\"threads\"]\n";
        for (at, thread) in chart.threads.iter().enumerate() {
            out += &node("    ", &format!("thread{at}"), &thread.title, &thread.lines);
        }
        out += "  end\n";
    }
    for arrow in &chart.arrows {
        let label = arrow.label().map(|label| format!("|{label}|")).unwrap_or_default();
        let line = if arrow.is_dashed() { "-.->" } else { "-->" };
        out += &format!("  {} {line}{label} {}\n", id(chart, arrow.from), id(chart, arrow.to));
    }
    for (at, _) in chart.arrows.iter().enumerate().filter(|(_, arrow)| arrow.waits > 0) {
        out += &format!("  linkStyle {at} {WAITS}\n");
    }
    for (at, thread) in chart.threads.iter().enumerate() {
        match thread.state {
            ThreadState::Root => out += &format!("  style thread{at} {ROOT}\n"),
            ThreadState::Waits => out += &format!("  style thread{at} {WAITS}\n"),
            ThreadState::Free => {}
        }
    }
    out
}

fn node(indent: &str, id: &str, title: &str, lines: &[String]) -> String {
    let lines: String = lines.iter().map(|line| format!("<br/>{}", escaped(line))).collect();
    format!("{indent}{id}[\"<b>{}</b>{lines}\"]\n", escaped(title))
}

/// The name of the type where Mermaid takes it for a name, and else one that is made from it. A name in lower case may
/// be a keyword, such as `end`.
fn id(chart: &Chart, at: usize) -> String {
    let name = chart.types[at].name;
    let is_plain = name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.chars().all(|char| char.is_ascii_alphanumeric());
    let same = |of: &TypeBox| of.name == name;
    if is_plain && chart.types.iter().position(same) == Some(at) {
        name.to_owned()
    } else {
        let letters: String = name.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '_' }).collect();
        format!("type{at}_{letters}")
    }
}

/// Mermaid writes an entity with `#` in place of `&`.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '<' => out += "#lt;",
            '>' => out += "#gt;",
            '&' => out += "#amp;",
            '"' => out += "#quot;",
            '#' => out += "#35;",
            '`' => out += "#96;",
            other => out.push(other),
        }
    }
    out
}
