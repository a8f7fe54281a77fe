//! The libraries that take part, one file each. Who adds one adds a file and a line here.

mod actix;
mod channels;
mod kameo;
mod ractor;
mod runtime;
mod spawned;
mod tokio;
mod tonari;
mod xtra;
mod zctor;

use self::channels::{Crossbeam, Floor, Flume, FlumeDrain, FlumeSpin, Kanal, Std};
use crate::library::{Library, Need};
use crate::measure::{Figure, Plan};
use crate::workloads::{self, Field, Spec};

/// What an entrant is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Ours,
    Library,
    /// No library, but what a program pays without one; a mark is what zctor is measured against.
    Mark,
    Floor,
}

/// One that takes part.
pub struct Entrant {
    pub name: &'static str,
    /// The crate whose version the results state, and which is built alone for the build time.
    pub package: &'static str,
    pub kind: Kind,
    pub shares_threads: bool,
    pub lacks: fn(Need) -> Option<&'static str>,
    pub run: fn(&Spec, &Plan) -> Vec<Figure>,
}

impl Entrant {
    const fn library<L: Library>(name: &'static str, package: &'static str) -> Self {
        Self::new::<L>(name, package, Kind::Library, workloads::run_library::<L>)
    }

    const fn mark<L: Library>(name: &'static str, package: &'static str) -> Self {
        Self::new::<L>(name, package, Kind::Mark, workloads::run_mark::<L>)
    }

    const fn floor<L: Library>(name: &'static str, package: &'static str) -> Self {
        Self::new::<L>(name, package, Kind::Floor, workloads::run_floor::<L>)
    }

    const fn new<L: Library>(
        name: &'static str,
        package: &'static str,
        kind: Kind,
        run: fn(&Spec, &Plan) -> Vec<Figure>,
    ) -> Self {
        Self { name, package, kind, shares_threads: L::SHARES_THREADS, lacks: L::lacks, run }
    }

    pub fn takes_part(&self, spec: &Spec) -> bool {
        match spec.field {
            Field::All => true,
            Field::Libraries => matches!(self.kind, Kind::Ours | Kind::Library),
            Field::Alone => self.kind == Kind::Ours,
            Field::Ours => matches!(self.kind, Kind::Ours | Kind::Mark),
        }
    }
}

pub const OURS: &str = "zctor";

pub static ENTRANTS: &[Entrant] = &[
    Entrant::new::<zctor::Zctor>(OURS, "zctor", Kind::Ours, workloads::run_any::<zctor::Zctor>),
    Entrant::library::<kameo::Kameo>("kameo", "kameo"),
    Entrant::library::<ractor::Ractor>("ractor", "ractor"),
    Entrant::library::<actix::Actix>("actix", "actix"),
    Entrant::library::<xtra::Xtra>("xtra", "xtra"),
    Entrant::library::<spawned::Spawned>("spawned", "spawned-concurrency"),
    Entrant::library::<tonari::Tonari>("tonari-actor", "tonari-actor"),
    Entrant::mark::<Floor<Flume>>("flume", "flume"),
    Entrant::mark::<Floor<FlumeDrain>>("flume, drain()", "flume"),
    Entrant::mark::<Floor<FlumeSpin>>("flume + oneshot, spinning", "flume"),
    Entrant::floor::<Floor<Crossbeam>>("crossbeam-channel", "crossbeam-channel"),
    Entrant::floor::<Floor<Std>>("std mpsc", "std"),
    Entrant::floor::<Floor<Kanal>>("kanal", "kanal"),
    Entrant::floor::<tokio::Tokio>("tokio mpsc + oneshot", "tokio"),
];
