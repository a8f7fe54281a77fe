//! The waits as rows of text: the culprit, and those that wait for it.

use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::Line;
use zctor_console::snapshot::Snapshot;

/// The waits, each as the rows that it takes. The culprit comes first, in red, and then those that wait for it, the
/// nearest first: a small terminal cuts the end off.
pub(crate) fn lines(snapshot: &Snapshot, width: usize) -> Vec<Vec<Line<'static>>> {
    let rows = |indent: usize, text: &str, style: Style| -> Vec<Line<'static>> {
        wrapped(text, width, indent).into_iter().map(|row| Line::from(row).style(style)).collect()
    };
    let red = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
    let mut all: Vec<Vec<Line<'static>>> = snapshot.culprit.iter().map(|culprit| rows(0, culprit, red)).collect();
    for root in snapshot.waits.iter().rev() {
        if snapshot.culprit.as_ref() != Some(&root.text) {
            all.push(rows(0, &root.text, Style::new()));
        }
        let nearest_first = root.waiting.iter().rev();
        all.extend(nearest_first.map(|one| rows(2 * one.distance, &one.text, Style::new())));
    }
    if all.is_empty() {
        all.push(rows(0, "nothing waits", Style::new()));
    }
    all
}

/// As many of them as fit into so many rows, and below how many do not.
pub(crate) fn fitting(waits: Vec<Vec<Line<'static>>>, height: usize) -> Vec<Line<'static>> {
    let (total, needed) = (waits.len(), waits.iter().map(Vec::len).sum::<usize>());
    // One row is for the culprit, whatever is cut.
    let is_cut = needed > height && height > 1;
    let room = if is_cut { height - 1 } else { height };
    let (mut fit, mut shown) = (Vec::new(), 0);
    for one in waits {
        // Of the first there is a part rather than nothing.
        if fit.len() + one.len() > room && shown > 0 {
            break;
        }
        fit.extend(one.into_iter().take(room));
        shown += 1;
    }
    if is_cut {
        let rest = match total - shown {
            0 => "… the rest needs a larger window".to_owned(),
            more => format!("… {more} more in a larger window"),
        };
        fit.push(Line::from(rest).dim());
    }
    fit
}

/// A text in rows of this width, broken at blanks where that goes. Rows after the first are further in.
fn wrapped(text: &str, width: usize, indent: usize) -> Vec<String> {
    let indent = indent.min(width / 2);
    let (mut rows, mut row) = (Vec::new(), " ".repeat(indent));
    let mut is_empty = true;
    // A word that is longer than a row is broken as it comes.
    let longest = width.saturating_sub((indent + 2).min(width / 2)).max(1);
    for word in text.split(' ').flat_map(|word| pieces(word, longest)) {
        if !is_empty && row.chars().count() + 1 + word.chars().count() > width {
            rows.push(std::mem::replace(&mut row, " ".repeat((indent + 2).min(width / 2))));
            is_empty = true;
        }
        if !is_empty {
            row.push(' ');
        }
        row.push_str(&word);
        is_empty = false;
    }
    rows.push(row);
    rows
}

/// A word in pieces of so many characters.
fn pieces(word: &str, length: usize) -> Vec<String> {
    let letters: Vec<char> = word.chars().collect();
    let pieces = letters.chunks(length).map(|piece| piece.iter().collect());
    // Two blanks in a row have nothing between them.
    if letters.is_empty() { vec![String::new()] } else { pieces.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_that_are_cut_off_say_how_many_and_the_nearest_come_first() {
        let lines = |count: usize| {
            let line = |number: usize| wrapped(&format!("{number} waits for the database"), 16, 2);
            (0..count).map(|number| line(number).into_iter().map(Line::from).collect()).collect()
        };
        let text = |lines: Vec<Line<'_>>| lines.iter().map(Line::to_string).collect::<Vec<_>>();
        assert_eq!(text(fitting(lines(1), 2)), ["  0 waits for", "    the database"]);
        let cut = text(fitting(lines(4), 6));
        assert_eq!(cut[2..], ["  1 waits for", "    the database", "… 2 more in a larger window"]);
        assert_eq!(text(fitting(lines(2), 1)), ["  0 waits for"]);
        assert!(fitting(lines(2), 0).is_empty());
    }

    #[test]
    fn a_name_that_is_longer_than_a_row_goes_on_in_the_next() {
        let rows = wrapped("`QuarterlyReconciliation` waits", 12, 2);
        assert_eq!(rows, ["  `Quarter", "    lyReconc", "    iliation", "    ` waits"]);
        assert_eq!(wrapped("", 12, 2), ["  "]);
        assert_eq!(wrapped("a b", 1, 9), ["a", "b"]);
    }
}
