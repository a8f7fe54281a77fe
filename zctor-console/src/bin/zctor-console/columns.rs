//! Tables whose columns are as wide as what is in them. Where the terminal is too narrow, the least important are left
//! out, and the title says which.

use ratatui::layout::{Constraint, Rect};
use ratatui::style::{Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Block, Cell, Row, Table};

/// Between two columns.
const GAP: usize = 2;
/// A column that takes the rest of a line needs this at least.
const REST: usize = 24;

/// A column of a table.
pub(crate) struct Column {
    head: &'static str,
    cells: Vec<Line<'static>>,
    is_right: bool,
    /// Whether it takes what the others leave, and is cut where that is less than it needs.
    is_rest: bool,
    /// Those of the least weight are left out first.
    weight: u8,
}

impl Column {
    pub(crate) fn text(head: &'static str, weight: u8, cells: impl Iterator<Item = Line<'static>>) -> Self {
        Self { head, cells: cells.collect(), is_right: false, is_rest: false, weight }
    }

    pub(crate) fn number(head: &'static str, weight: u8, cells: impl Iterator<Item = Line<'static>>) -> Self {
        Self { is_right: true, ..Self::text(head, weight, cells) }
    }

    pub(crate) fn rest(head: &'static str, weight: u8, cells: impl Iterator<Item = Line<'static>>) -> Self {
        Self { is_rest: true, ..Self::text(head, weight, cells) }
    }

    fn width(&self) -> usize {
        let widest = self.cells.iter().map(Line::width).max().unwrap_or_default().max(Line::from(self.head).width());
        if self.is_rest { widest.min(REST) } else { widest }
    }

    fn cell(&self, line: Line<'static>) -> Cell<'static> {
        Cell::from(if self.is_right { line.right_aligned() } else { line })
    }
}

/// A table in a box for this area. `styles` are those of its rows, if they have any.
pub(crate) fn table(title: &str, mut columns: Vec<Column>, area: Rect, styles: &[Style]) -> Table<'static> {
    // The box takes two each, and the heads a row.
    let (width, height) = (usize::from(area.width.saturating_sub(2)), usize::from(area.height.saturating_sub(3)));
    let mut left_out = Vec::new();
    let needs = |columns: &[Column]| columns.iter().map(|column| column.width() + GAP).sum::<usize>();
    while columns.len() > 1 && needs(&columns) > width + GAP {
        let least = (0..columns.len()).min_by_key(|at| columns[*at].weight).unwrap_or_default();
        left_out.push(columns.remove(least).head);
    }
    let count = columns.iter().map(|column| column.cells.len()).max().unwrap_or_default();
    let mut title = format!(" {title}");
    if count > height {
        title += &format!(", {height} of {count}");
    }
    if !left_out.is_empty() {
        title += &format!("; a wider window has {}", left_out.join(", "));
    }
    title.push(' ');
    let widths: Vec<Constraint> = columns
        .iter()
        .map(|column| if column.is_rest { Constraint::Fill(1) } else { Constraint::Length(column.width() as u16) })
        .collect();
    let head = Row::new(columns.iter().map(|column| column.cell(Line::from(column.head)))).dim();
    let rows = (0..count).map(|at| {
        let cells = columns.iter().map(|column| column.cell(column.cells.get(at).cloned().unwrap_or_default()));
        Row::new(cells).style(styles.get(at).copied().unwrap_or_default())
    });
    Table::new(rows.collect::<Vec<_>>(), widths)
        .column_spacing(GAP as u16)
        .header(head)
        .block(Block::bordered().title(title))
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    fn drawn(width: u16, height: u16) -> Vec<String> {
        let numbers = || [1_000_000, 2].map(|number: u64| Line::from(number.to_string())).into_iter();
        let names = ["DatabaseMessage", "Web"].map(Line::from).into_iter();
        let columns = vec![
            Column::text("type", 2, names),
            Column::number("instances", 0, numbers()),
            Column::number("queued", 1, numbers()),
        ];
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let table = table("types", columns, Rect::new(0, 0, width, height), &[]);
        terminal.draw(|frame| frame.render_widget(table, frame.area())).unwrap();
        let buffer = terminal.backend().buffer();
        let cell = |x, y| buffer.cell((x, y)).map_or("", |cell| cell.symbol());
        (0..height).map(|y| (0..width).map(|x| cell(x, y)).collect()).collect()
    }

    #[test]
    fn a_head_is_whole_or_its_column_is_left_out_and_named() {
        let wide = drawn(40, 5);
        assert!(wide[0].contains(" types ─") && wide[1].contains("type             instances   queued"), "{wide:#?}");
        let narrow = drawn(30, 5);
        assert!(narrow[1].contains("type              queued"), "{narrow:#?}");
        assert!(narrow[0].contains(" types; a wider window has"), "{narrow:#?}");
        assert!(narrow[2].contains("DatabaseMessage  1000000"), "{narrow:#?}");
        let low = drawn(40, 4);
        assert!(low[0].contains(" types, 1 of 2 ─"), "{low:#?}");
    }
}
