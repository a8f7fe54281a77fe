//! Misspelt words, and the known words that the user meant.

/// The end of a sentence about an unknown word: the known word that is near to it, or a full stop.
pub(crate) fn hint(given: &str, known: &[&str]) -> String {
    nearest(given, known).map_or_else(|| ".".to_owned(), |near| format!(", did you mean `{near}`?"))
}

/// The known word nearest to `given`, if one is near at all.
fn nearest<'a>(given: &str, known: &[&'a str]) -> Option<&'a str> {
    let near = known.iter().map(|known| (distance(given, known), *known)).min()?;
    (near.0 <= 2 && near.0 < near.1.len()).then_some(near.1)
}

/// The number of edits (insert, drop, replace, swap neighbours) between two short words.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut older: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    let mut last: Option<char> = None;
    for (line, char) in left.chars().enumerate() {
        let mut next = vec![line + 1];
        let mut before: Option<char> = None;
        for (column, other) in right.iter().enumerate() {
            let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX - 1);
            let mut best = (at(&row, column) + usize::from(*other != char))
                .min(at(&row, column + 1) + 1)
                .min(at(&next, column) + 1);
            if last == Some(*other) && before == Some(char) && column > 0 {
                best = best.min(at(&older, column - 1) + 1);
            }
            next.push(best);
            before = Some(*other);
        }
        older = std::mem::replace(&mut row, next);
        last = Some(char);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_knows_typical_slips() {
        let known = ["name", "handler", "client", "ctx", "calls", "crate"];
        for (given, meant) in
            [("nmae", "name"), ("nam", "name"), ("handlr", "handler"), ("call", "calls"), ("cxt", "ctx")]
        {
            assert_eq!(nearest(given, &known), Some(meant));
        }
        assert_eq!(nearest("mailbox", &known), None);
        assert_eq!(nearest("", &known), None);
    }
}
