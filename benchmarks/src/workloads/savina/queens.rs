//! N queens: a master gives boards to workers, which split them or solve them.

use std::sync::mpsc::{self, Sender};

use super::{PROGRAM, program};
use crate::library::{Behaviour, Library, Never};
use crate::measure::{Figure, Plan};
use crate::workloads::{Spec, sink};

const SIZE: usize = 10;
const SOLUTIONS: u64 = 724;
const WORKERS: usize = 20;
/// Boards with fewer queens are split; the others are solved where they are.
const THRESHOLD: usize = 4;

pub(crate) const SPEC: Spec = Spec {
    name: "savina-n-queens",
    title: "Savina: N queens",
    about: "Twenty workers and a master find all 724 ways to put ten queens on a board; a worker splits boards of fewer \
            than four queens and gives the parts back to the master, which deals them out in turn.",
    ..PROGRAM
};

#[derive(Clone, Copy)]
struct Board {
    queens: usize,
    columns: [u8; SIZE],
}

impl Board {
    const EMPTY: Self = Self { queens: 0, columns: [0; SIZE] };

    /// The boards with one queen more.
    fn successors(self) -> impl Iterator<Item = Self> {
        (0..SIZE as u8).filter_map(move |column| {
            let is_free = |(row, &other): (usize, &u8)| {
                other != column && usize::from(other.abs_diff(column)) != self.queens - row
            };
            self.columns[..self.queens].iter().enumerate().all(is_free).then(|| {
                let mut next = self;
                next.columns[self.queens] = column;
                next.queens += 1;
                next
            })
        })
    }

    fn solutions(self) -> u64 {
        if self.queens == SIZE { 1 } else { self.successors().map(Self::solutions).sum() }
    }
}

enum Report<L: Library> {
    Start(Vec<L::Address<Worker<L>>>),
    Work(Board),
    /// A board is done with, split or solved.
    Done(u64),
}

struct Master<L: Library> {
    workers: Vec<L::Address<Worker<L>>>,
    turn: usize,
    open: u64,
    found: u64,
    done: Sender<u64>,
}

impl<L: Library> Master<L> {
    fn deal(&mut self, board: Board) {
        self.open += 1;
        L::tell(&self.workers[self.turn], board);
        self.turn = (self.turn + 1) % WORKERS;
    }
}

impl<L: Library> Behaviour for Master<L> {
    type Message = Report<L>;
    type Question = Never;

    fn receive(&mut self, message: Report<L>) {
        match message {
            Report::Start(workers) => {
                self.workers = workers;
                self.deal(Board::EMPTY);
            }
            Report::Work(board) => self.deal(board),
            Report::Done(found) => {
                self.found += found;
                self.open -= 1;
                if self.open == 0 {
                    self.done.send(self.found).expect("the outside waits");
                }
            }
        }
    }
}

struct Worker<L: Library> {
    master: L::Address<Master<L>>,
}

impl<L: Library> Behaviour for Worker<L> {
    type Message = Board;
    type Question = Never;

    fn receive(&mut self, board: Board) {
        let found = if board.queens < THRESHOLD {
            board.successors().for_each(|next| L::tell(&self.master, Report::Work(next)));
            0
        } else {
            board.solutions()
        };
        L::tell(&self.master, Report::Done(found));
    }
}

pub(crate) fn run<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    program(plan, || {
        let (done, ends) = mpsc::channel();
        let master = library.spawn(0, || Master::<L> { workers: Vec::new(), turn: 0, open: 0, found: 0, done });
        let workers: Vec<_> = (0..WORKERS)
            .map(|place| {
                let master = master.clone();
                library.spawn(place, move || Worker::<L> { master })
            })
            .collect();
        L::tell(&master, Report::Start(workers.clone()));
        sink::expect(&ends, SOLUTIONS);
        workers.iter().for_each(L::stop);
        L::stop(&master);
    })
}
