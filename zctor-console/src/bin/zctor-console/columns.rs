//! Tables whose columns are as wide as what is in them. Where the terminal is too narrow, names are cut, the least
//! important columns are left out, and the title says which.

use ratatui::layout::{Constraint, Rect};
use ratatui::style::{Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Block, Cell, Row, Table};

/// Between two columns.
const GAP: usize = 2;
/// A column that takes the rest of a line needs this at least.
const REST: usize = 24;
/// A name may be cut to a third of the line, and to no less than this.
const NAME: usize = 16;

/// A column of a table.
pub(crate) struct Column {
    head: &'static str,
    cells: Vec<Line<'static>>,
    kind: Kind,
    /// Those of the least weight are left out first.
    weight: u8,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// It is cut where the other columns need the room.
    Name,
    Text,
    /// It stands to the right.
    Number,
    /// It takes what the others leave, and is cut where that is less than it needs.
    Rest,
}

impl Column {
    pub(crate) fn name(head: &'static str, weight: u8, cells: impl Iterator<Item = String>) -> Self {
        Self { kind: Kind::Name, ..Self::text(head, weight, cells.map(Line::from)) }
    }

    pub(crate) fn text(head: &'static str, weight: u8, cells: impl Iterator<Item = Line<'static>>) -> Self {
        Self { head, cells: cells.collect(), kind: Kind::Text, weight }
    }

    pub(crate) fn number(head: &'static str, weight: u8, cells: impl Iterator<Item = Line<'static>>) -> Self {
        Self { kind: Kind::Number, ..Self::text(head, weight, cells) }
    }

    pub(crate) fn rest(head: &'static str, weight: u8, cells: impl Iterator<Item = Line<'static>>) -> Self {
        Self { kind: Kind::Rest, ..Self::text(head, weight, cells) }
    }

    fn widest(&self) -> usize {
        self.cells.iter().map(Line::width).max().unwrap_or_default().max(Line::from(self.head).width())
    }

    /// The least width in a line of this one.
    fn least(&self, line: usize) -> usize {
        match self.kind {
            Kind::Name => self.widest().min((line / 3).max(NAME)),
            Kind::Rest => self.widest().min(REST),
            Kind::Text | Kind::Number => self.widest(),
        }
    }

    fn cell(&self, line: Line<'static>, width: usize) -> Cell<'static> {
        match self.kind {
            Kind::Number => Cell::from(line.right_aligned()),
            // Half a name without a sign would be taken for another one.
            Kind::Name if line.width() > width => {
                let kept: String = line.to_string().chars().take(width.saturating_sub(1)).collect();
                Cell::from(kept + "…")
            }
            _ => Cell::from(line),
        }
    }
}

/// A table, of which a window may have room for a part.
pub(crate) struct Grid {
    pub(crate) title: &'static str,
    pub(crate) columns: Vec<Column>,
    /// Those of its rows, if they have any.
    pub(crate) styles: Vec<Style>,
    /// The number of the first row that is shown.
    pub(crate) from: usize,
    pub(crate) is_chosen: bool,
}

impl Grid {
    /// How many rows an area of this height shows: the box takes two lines, and the heads one.
    pub(crate) fn rows_in(area: Rect) -> usize {
        usize::from(area.height.saturating_sub(3))
    }

    /// The table in a box.
    pub(crate) fn table(self, area: Rect) -> Table<'static> {
        let Self { title, mut columns, styles, from, is_chosen } = self;
        let (width, height) = (usize::from(area.width.saturating_sub(2)), Self::rows_in(area));
        let mut left_out = Vec::new();
        let needs = |columns: &[Column]| columns.iter().map(|column| column.least(width) + GAP).sum::<usize>();
        while columns.len() > 1 && needs(&columns) > width + GAP {
            let least = (0..columns.len()).min_by_key(|at| columns[*at].weight).unwrap_or_default();
            left_out.push(columns.remove(least).head);
        }
        let count = columns.iter().map(|column| column.cells.len()).max().unwrap_or_default();
        let mut title = format!(" {title}");
        if count > height {
            title += &format!(", {} to {} of {count}", (from + 1).min(count), (from + height).min(count));
        }
        if !left_out.is_empty() {
            title += &format!("; a wider window has {}", left_out.join(", "));
        }
        title.push(' ');
        // A name has the room that is left.
        let spare = (width + GAP).saturating_sub(needs(&columns));
        let width_of = |column: &Column| match column.kind {
            Kind::Name => column.widest().min(column.least(width) + spare),
            _ => column.least(width),
        };
        let widths: Vec<usize> = columns.iter().map(width_of).collect();
        let constraint = |(column, width): (&Column, &usize)| match column.kind {
            Kind::Rest => Constraint::Fill(1),
            _ => Constraint::Length(*width as u16),
        };
        let constraints: Vec<Constraint> = columns.iter().zip(&widths).map(constraint).collect();
        let row = |cell_of: &dyn Fn(&Column) -> Line<'static>| {
            Row::new(
                columns
                    .iter()
                    .zip(&widths)
                    .map(|(column, width)| column.cell(cell_of(column), *width))
                    .collect::<Vec<_>>(),
            )
        };
        let head = row(&|column| Line::from(column.head)).dim();
        let rows = (from..count.min(from + height)).map(|at| {
            let style = styles.get(at).copied().unwrap_or_default();
            row(&|column| column.cells.get(at).cloned().unwrap_or_default()).style(style)
        });
        let title = if is_chosen { Line::from(title).bold() } else { Line::from(title) };
        Table::new(rows.collect::<Vec<_>>(), constraints)
            .column_spacing(GAP as u16)
            .header(head)
            .block(Block::bordered().title(title))
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    fn drawn(width: u16, height: u16) -> Vec<String> {
        let numbers = || [1_000_000, 2].map(|number: u64| Line::from(number.to_string())).into_iter();
        let names = ["DatabaseMessage", "Web"].map(str::to_owned).into_iter();
        let columns = vec![
            Column::name("type", 2, names),
            Column::number("instances", 0, numbers()),
            Column::number("queued", 1, numbers()),
        ];
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let grid = Grid { title: "types", columns, styles: Vec::new(), from: 0, is_chosen: false };
        let table = grid.table(Rect::new(0, 0, width, height));
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
        assert!(low[0].contains(" types, 1 to 1 of 2 ─"), "{low:#?}");
    }

    #[test]
    fn a_long_name_is_cut_with_a_sign_and_leaves_room_for_the_numbers() {
        let name = "`VeryLongNamedInvoiceReconciliationMessage<HashMap<String, u64>>`";
        let columns = || {
            let number = || [Line::from("12")].into_iter();
            vec![
                Column::name("type", 9, [name.to_owned()].into_iter()),
                Column::number("queued", 8, number()),
                Column::number("handled", 4, number()),
            ]
        };
        let drawn = |width: u16| {
            let area = Rect::new(0, 0, width, 4);
            let mut terminal = Terminal::new(TestBackend::new(width, 4)).unwrap();
            let grid = Grid { title: "types", columns: columns(), styles: Vec::new(), from: 0, is_chosen: true };
            terminal.draw(|frame| frame.render_widget(grid.table(area), area)).unwrap();
            let buffer = terminal.backend().buffer();
            (0..width).map(|x| buffer.cell((x, 2)).map_or("", |cell| cell.symbol())).collect::<String>()
        };
        assert!(drawn(100).contains(name), "{}", drawn(100));
        let narrow = drawn(60);
        assert!(narrow.contains("`VeryLongNamedInvoiceReconciliationMessa…      12       12│"), "{narrow}");
    }
}
