//! Where the boxes and arrows of a picture are. The rows are those of `Chart::ranks`.
//!
//! 1. An arrow that passes rows gets a narrow gap in each of them, so that it crosses no box (Sugiyama, 1981).
//! 2. Each row is ordered by the mean place of its neighbours in the row above, then in the row below, a few times.
//! 3. The rows are centred one below the other.

use crate::map::chart::{Arrow, Chart};

/// The advance of a character of the monospaced font, in tenths of a pixel.
const ADVANCE: usize = 73;
pub(super) const LINE: usize = 18;
pub(super) const PADDING: usize = 12;
const BESIDE: usize = 28;
const BELOW: usize = 56;
const MARGIN: usize = 16;
/// Around the gap of an arrow that passes a row.
const GAP: usize = 8;
const SWEEPS: usize = 4;
/// From the beginning of a sign in the legend to that of the next.
pub(super) const LEGEND_STEP: usize = 130;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rect {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) width: usize,
    pub(super) height: usize,
}

impl Rect {
    fn middle(&self) -> usize {
        self.x + self.width / 2
    }
}

pub(super) struct Layout {
    /// In the order of the map's types.
    pub(super) types: Vec<Rect>,
    /// The points that each arrow goes through.
    pub(super) arrows: Vec<Vec<(usize, usize)>>,
    pub(super) threads: Vec<Rect>,
    /// Where the names of the two kinds of arrows stand, if both are needed.
    pub(super) legend: Option<(usize, usize)>,
    pub(super) width: usize,
    pub(super) height: usize,
}

/// The kinds of cells in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    Type(usize),
    Gap { arrow: usize },
}

/// The size of a box with these lines.
fn size(title: &str, lines: &[String]) -> Rect {
    let longest = lines.iter().map(|line| line.chars().count()).chain([title.chars().count() + 1]).max().unwrap_or(0);
    let height = (lines.len() + 1) * LINE + PADDING + if lines.is_empty() { 0 } else { PADDING };
    Rect { x: 0, y: 0, width: advance(longest) + 2 * PADDING, height }
}

/// The width of a text of so many characters.
pub(super) fn advance(characters: usize) -> usize {
    (characters * ADVANCE).div_ceil(10)
}

pub(super) fn of(chart: &Chart) -> Layout {
    let mut rows: Vec<Vec<Cell>> =
        chart.ranks().into_iter().map(|row| row.into_iter().map(Cell::Type).collect()).collect();
    let row_of = |rows: &[Vec<Cell>], at: usize| rows.iter().position(|row| row.contains(&Cell::Type(at))).unwrap_or(0);
    for (arrow, between) in chart.arrows.iter().enumerate() {
        let (from, to) = (row_of(&rows, between.from), row_of(&rows, between.to));
        for row in &mut rows[(from.min(to) + 1).min(from.max(to))..from.max(to)] {
            row.push(Cell::Gap { arrow });
        }
    }
    order(chart, &mut rows);

    let sizes: Vec<Rect> = chart.types.iter().map(|of| size(&of.title(), &of.lines())).collect();
    let size_of = |cell: &Cell| match *cell {
        Cell::Type(at) => sizes[at],
        Cell::Gap { .. } => Rect { width: 2 * GAP, ..Rect::default() },
    };
    let width_of =
        |row: &[Cell]| row.iter().map(|cell| size_of(cell).width).sum::<usize>() + BESIDE * row.len().saturating_sub(1);
    let mut threads: Vec<Rect> = chart.threads.iter().map(|thread| size(&thread.title, &thread.lines)).collect();
    let widest = rows.iter().map(|row| width_of(row)).chain(threads.iter().map(|thread| thread.width)).max();
    let has_legend = chart.arrows.iter().any(Arrow::is_dashed);
    let least = if !threads.is_empty() {
        640
    } else if has_legend {
        2 * LEGEND_STEP - 40
    } else {
        0
    };
    let widest = widest.unwrap_or(0).max(least);

    let mut types = sizes.clone();
    let mut gaps: Vec<(usize, Rect)> = Vec::new();
    let mut y = MARGIN;
    for row in &rows {
        let mut x = MARGIN + (widest - width_of(row)) / 2;
        let height = row.iter().map(|cell| size_of(cell).height).max().unwrap_or(0);
        for cell in row {
            let size = size_of(cell);
            match *cell {
                Cell::Type(at) => types[at] = Rect { x, y: y + (height - size.height) / 2, ..size },
                Cell::Gap { arrow } => gaps.push((arrow, Rect { x, y, height, ..size })),
            }
            x += size.width + BESIDE;
        }
        y += height + BELOW;
    }
    y = lines_of_threads(&mut threads, widest, y);
    y = y.saturating_sub(BELOW);
    let legend = has_legend.then_some((MARGIN, y + LINE + PADDING));
    let height = legend.map_or(y, |(_, legend)| legend) + MARGIN;
    let arrows = (0..chart.arrows.len()).map(|arrow| route(chart, &types, &gaps, arrow)).collect();
    Layout { types, arrows, threads, legend, width: widest + 2 * MARGIN, height }
}

/// The threads stand below the types, in as many lines as they need. Returns where the next row would begin.
fn lines_of_threads(threads: &mut [Rect], widest: usize, mut y: usize) -> usize {
    let (mut x, mut tallest) = (MARGIN, 0);
    for thread in threads.iter_mut() {
        if x > MARGIN && x + thread.width > MARGIN + widest {
            (x, y, tallest) = (MARGIN, y + tallest + BESIDE, 0);
        }
        (thread.x, thread.y) = (x, y);
        x += thread.width + BESIDE;
        tallest = tallest.max(thread.height);
    }
    if threads.is_empty() { y } else { y + tallest + BELOW }
}

/// Orders the rows so that few arrows cross.
fn order(chart: &Chart, rows: &mut [Vec<Cell>]) {
    for sweep in 0..SWEEPS {
        for at in 1..rows.len() {
            let (row, beside) = if sweep % 2 == 0 { (at, at - 1) } else { (rows.len() - 1 - at, rows.len() - at) };
            let fixed = rows[beside].clone();
            let mut keyed: Vec<(usize, Cell)> = rows[row]
                .iter()
                .enumerate()
                .map(|(place, cell)| (mean(chart, *cell, &fixed).unwrap_or(spread(place, rows[row].len())), *cell))
                .collect();
            keyed.sort_by_key(|(mean, _)| *mean); // it keeps the order of equals
            rows[row] = keyed.into_iter().map(|(_, cell)| cell).collect();
        }
    }
}

/// The mean place of a cell's neighbours in a row, if it has some there.
fn mean(chart: &Chart, cell: Cell, row: &[Cell]) -> Option<usize> {
    let touches = |arrow: usize, at: usize| chart.arrows[arrow].from == at || chart.arrows[arrow].to == at;
    let is_linked = |other: &Cell| match (cell, *other) {
        (Cell::Type(a), Cell::Type(b)) => {
            chart.arrows.iter().any(|arrow| (arrow.from, arrow.to) == (a, b) || (arrow.from, arrow.to) == (b, a))
        }
        (Cell::Type(at), Cell::Gap { arrow }) | (Cell::Gap { arrow }, Cell::Type(at)) => touches(arrow, at),
        (Cell::Gap { arrow: a }, Cell::Gap { arrow: b }) => a == b,
    };
    let places: Vec<usize> = row
        .iter()
        .enumerate()
        .filter(|(_, other)| is_linked(other))
        .map(|(place, _)| spread(place, row.len()))
        .collect();
    (!places.is_empty()).then(|| places.iter().sum::<usize>() / places.len())
}

/// A place within a row of this length, in thousandths of the row.
fn spread(place: usize, length: usize) -> usize {
    (2 * place + 1) * 500 / length.max(1)
}

/// From the lower edge of the caller through the gaps to the upper edge of the callee.
fn route(chart: &Chart, types: &[Rect], gaps: &[(usize, Rect)], arrow: usize) -> Vec<(usize, usize)> {
    let (from, to) = (&types[chart.arrows[arrow].from], &types[chart.arrows[arrow].to]);
    if chart.arrows[arrow].is_loop() {
        let right = from.x + from.width;
        return vec![(right, from.y + 8), (right, from.y + 22)];
    }
    let passed = gaps.iter().filter(|(of, _)| *of == arrow).map(|(_, gap)| gap);
    let mut points: Vec<(usize, usize)> =
        passed.flat_map(|gap| [(gap.middle(), gap.y), (gap.middle(), gap.y + gap.height)]).collect();
    let is_down = from.y < to.y;
    if !is_down {
        points.reverse();
    }
    let end = |at: usize| end(chart, types, gaps, arrow, at);
    let first = (end(chart.arrows[arrow].from), if is_down { from.y + from.height } else { from.y });
    let last = (end(chart.arrows[arrow].to), if is_down { to.y } else { to.y + to.height });
    points.insert(0, first);
    points.push(last);
    points
}

/// Where an arrow meets the edge of one of its two boxes. The arrows at one edge share it from left to right, in the
/// order of what they come from or go to next, so that none hides another.
fn end(chart: &Chart, types: &[Rect], gaps: &[(usize, Rect)], arrow: usize, at: usize) -> usize {
    let other = |arrow: &Arrow| if arrow.from == at { arrow.to } else { arrow.from };
    let is_below = |arrow: &Arrow| types[at].y < types[other(arrow)].y;
    let next = |number: usize| {
        let mut passed = gaps.iter().filter(|(of, _)| *of == number).map(|(_, gap)| gap.middle());
        let is_below = is_below(&chart.arrows[number]);
        // The gaps are listed from the top.
        let nearest = if is_below { passed.next() } else { passed.next_back() };
        nearest.unwrap_or(types[other(&chart.arrows[number])].middle())
    };
    let edge = is_below(&chart.arrows[arrow]);
    let touches = |of: &Arrow| (of.from == at || of.to == at) && !of.is_loop() && is_below(of) == edge;
    let mut sharing: Vec<usize> = (0..chart.arrows.len()).filter(|of| touches(&chart.arrows[*of])).collect();
    sharing.sort_by_key(|of| next(*of));
    let place = sharing.iter().position(|of| *of == arrow).unwrap_or(0);
    let rect = &types[at];
    rect.x + rect.width * (place + 1) / (sharing.len() + 1)
}
