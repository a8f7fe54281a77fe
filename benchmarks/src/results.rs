//! The results of the runs.

/// A row of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) workload: String,
    pub(crate) library: String,
    /// Nothing where each actor has a thread of its own, or where the threads are the columns.
    pub(crate) threads: Option<usize>,
}

/// The figures of one row in one column, one a round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    pub(crate) column: String,
    /// In the order of the rounds, of which there is one at least.
    rounds: Vec<f64>,
}

impl Cell {
    pub(crate) fn median(&self) -> f64 {
        median(self.rounds.iter().copied()).unwrap_or(f64::NAN)
    }

    pub(crate) fn least(&self) -> f64 {
        self.rounds.iter().copied().fold(f64::INFINITY, f64::min)
    }

    pub(crate) fn most(&self) -> f64 {
        self.rounds.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    /// The figures in the order of the rounds.
    pub(crate) fn rounds(&self) -> &[f64] {
        &self.rounds
    }
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let (lower, upper) = (sorted.get(sorted.len().checked_sub(1)? / 2)?, sorted.get(sorted.len() / 2)?);
    Some((lower + upper) / 2.0)
}

/// A row with its figures, or the reason why it has none.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) row: Row,
    pub(crate) cells: Vec<Cell>,
    pub(crate) missing: Option<String>,
}

impl Line {
    pub(crate) fn cell(&self, column: &str) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.column == column)
    }
}

/// All rows, in the order of the tables.
#[derive(Debug, Default)]
pub(crate) struct Results {
    lines: Vec<Line>,
}

impl Results {
    fn line(&mut self, row: Row) -> &mut Line {
        let index = self.lines.iter().position(|line| line.row == row).unwrap_or_else(|| {
            self.lines.push(Line { row, cells: Vec::new(), missing: None });
            self.lines.len() - 1
        });
        &mut self.lines[index]
    }

    /// Gives a row its place, below those that have one already.
    pub(crate) fn place(&mut self, row: Row) {
        self.line(row);
    }

    pub(crate) fn add(&mut self, row: Row, column: &str, value: f64) {
        let cells = &mut self.line(row).cells;
        let index = cells.iter().position(|cell| cell.column == column).unwrap_or_else(|| {
            cells.push(Cell { column: column.into(), rounds: Vec::new() });
            cells.len() - 1
        });
        cells[index].rounds.push(value);
    }

    pub(crate) fn fail(&mut self, row: Row, reason: &str) {
        self.line(row).missing = Some(reason.into());
    }

    pub(crate) fn of<'a>(&'a self, workload: &'a str) -> impl Iterator<Item = &'a Line> {
        self.lines.iter().filter(move |line| line.row.workload == workload)
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.lines.iter().any(|line| line.missing.as_deref() == Some("failed"))
    }

    /// The least median that `library` reached in a column, whatever its threads.
    pub(crate) fn best(&self, workload: &str, library: &str, column: &str) -> Option<f64> {
        self.best_on(|_| true, workload, library, column)
    }

    /// As `best`, on the threads that `are_meant`; a library whose actors have a thread each is on them anyway.
    pub(crate) fn best_on(
        &self,
        are_meant: impl Fn(usize) -> bool,
        workload: &str,
        library: &str,
        column: &str,
    ) -> Option<f64> {
        let lines = self.of(workload).filter(|line| line.row.library == library);
        let lines = lines.filter(|line| line.row.threads.is_none_or(&are_meant));
        lines.filter_map(|line| Some(line.cell(column)?.median())).min_by(f64::total_cmp)
    }
}

#[cfg(test)]
mod tests {
    use super::{Results, Row};

    fn row(threads: usize) -> Row {
        Row { workload: "ring".into(), library: "zctor".into(), threads: Some(threads) }
    }

    #[test]
    fn a_cell_gives_median_least_and_most_whatever_the_order_of_the_rounds() {
        let mut results = Results::default();
        for value in [5.0, 1.0, 9.0] {
            results.add(row(1), "", value);
        }
        let summary = |results: &Results| {
            let cell = results.of("ring").find_map(|line| line.cell("").cloned()).expect("it was added");
            assert_eq!(cell.rounds()[..3], [5.0, 1.0, 9.0]);
            [cell.least(), cell.median(), cell.most()]
        };
        assert_eq!(summary(&results), [1.0, 5.0, 9.0]);
        results.add(row(1), "", 2.0);
        assert_eq!(summary(&results), [1.0, 3.5, 9.0]);
    }

    #[test]
    fn the_best_is_the_least_median_over_all_numbers_of_threads() {
        let mut results = Results::default();
        results.place(row(4));
        results.fail(row(4), "failed");
        results.add(row(1), "", 7.0);
        results.add(row(2), "", 3.0);
        assert_eq!(results.best("ring", "zctor", ""), Some(3.0));
        assert_eq!(results.best("ring", "kameo", ""), None);
        assert!(results.has_failed());
    }
}
