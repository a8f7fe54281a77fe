//! Sensors: three stages, retries behind a circuit breaker, and dead letters that are written down and sent again.
//!
//! A thread reads the lines of a device and waits while the parsers have 32 of them to go. The calibration asks a service
//! that breaks now and then: it tries again after a growing pause, and not at all while the breaker is open. The disk is
//! full in the middle: what waits for it, and what comes later, goes to a file, and from there to the next disk. Look at
//! the sums: each reading is stored, once.
//!
//! ```text
//! cargo run --example sensors
//! ```

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use std::{env, process};

use zctor::{Actor, ActorEngine, ActorThread, CallError, Context, Restart, actor};
use zctor_kit::breaker::Breaker;
use zctor_kit::forward;

const READINGS: u32 = 2_000;
const PAUSE: Duration = Duration::from_micros(100);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Reading {
    sensor: u32,
    value: u32,
}

impl Reading {
    fn parse(line: &str) -> Self {
        let (sensor, value) = line.split_once(' ').expect("a line has two numbers");
        Self { sensor: sensor.parse().expect("a number"), value: value.parse().expect("a number") }
    }
}

/// Keeps in a file what no disk has taken.
struct Spool {
    file: Mutex<File>,
    kept: mpsc::Sender<()>,
}

impl Spool {
    fn keep(&self, DiskMessage::Put(Reading { sensor, value }): DiskMessage) {
        writeln!(self.file.lock().expect("nobody panics with it"), "{sensor} {value}").expect("there is room");
        self.kept.send(()).unwrap_or_default();
    }
}

#[actor(ctx)]
enum ParseMessage {
    Line(String),
}

#[actor(ctx)]
enum CalibrateMessage {
    Raw {
        reading: Reading,
        tries: u32,
    },
    #[msg(internal)]
    Offset {
        reading: Reading,
        tries: u32,
        outcome: Result<u32, CallError>,
    },
}

#[actor]
enum ReferenceMessage {
    /// Gives the offset of a sensor.
    #[reply(u32)]
    Offset { sensor: u32 },
}

#[actor(ctx)]
enum DiskMessage {
    Put(Reading),
}

struct Parser;

impl ParseHandler for Parser {
    fn line(&mut self, ctx: &mut Context<ParseMessage>, value: String) {
        let raw = CalibrateMessage::Raw { reading: Reading::parse(&value), tries: 0 };
        ctx.send(raw).expect("the calibration outlives the parsers");
    }
}

struct Calibration {
    breaker: Breaker,
    spool: Arc<Spool>,
}

impl CalibrateHandler for Calibration {
    fn raw(&mut self, ctx: &mut Context<CalibrateMessage>, reading: Reading, tries: u32) {
        match self.breaker.begin() {
            Ok(attempt) => {
                ctx.pipe(ReferenceMessage::offset(reading.sensor), move |outcome| {
                    attempt.end(outcome.is_ok());
                    CalibrateMessage::Offset { reading, tries, outcome }
                });
            }
            // Not a try: the service is left alone.
            Err(open) => {
                ctx.send_after(open.retry_after.max(PAUSE), CalibrateMessage::Raw { reading, tries });
            }
        }
    }

    fn offset(
        &mut self,
        ctx: &mut Context<CalibrateMessage>,
        reading: Reading,
        tries: u32,
        outcome: Result<u32, CallError>,
    ) {
        let Ok(offset) = outcome else {
            let pause = PAUSE * 2_u32.pow(tries.min(6));
            ctx.send_after(pause, CalibrateMessage::Raw { reading, tries: tries + 1 });
            return;
        };
        let put = DiskMessage::Put(Reading { value: reading.value + offset, ..reading });
        if let Err(refused) = ctx.send(put) {
            self.spool.keep(refused.into_inner()); // between two disks
        }
    }
}

#[derive(Default)]
struct Reference(u32);

impl ReferenceHandler for Reference {
    fn offset(&mut self, sensor: u32) -> u32 {
        self.0 += 1;
        assert!(!self.0.is_multiple_of(40), "the reference breaks");
        sensor * 1_000
    }
}

struct Disk {
    room: usize,
    shelf: Arc<Mutex<Vec<Reading>>>,
    stored: mpsc::Sender<()>,
}

impl DiskHandler for Disk {
    fn put(&mut self, ctx: &mut Context<DiskMessage>, value: Reading) {
        self.shelf.lock().expect("nobody panics with it").push(value);
        self.stored.send(()).unwrap_or_default();
        self.room -= 1;
        if self.room == 0 {
            ctx.stop();
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    std::panic::set_hook(Box::new(|_| {})); // the panics of this program are meant
    let engine = ActorEngine::new();
    engine.on_panic(|_| {});
    engine.on_dead_letter(|_| {}); // the spool has them
    let shelf: Arc<Mutex<Vec<Reading>>> = Arc::default();
    let ((kept, spooled), (stored, each)) = (mpsc::channel(), mpsc::channel());
    let path = env::temp_dir().join(format!("zctor-sensors-{}.spool", process::id()));
    let spool = Arc::new(Spool { file: Mutex::new(File::create(&path)?), kept });

    let disk = |room| -> Actor<DiskMessage, Disk> {
        let (shelf, stored, spool) = (Arc::clone(&shelf), stored.clone(), Arc::clone(&spool));
        let disk = DiskMessage::actor(move || Disk { room, shelf: Arc::clone(&shelf), stored: stored.clone() });
        disk.on_undelivered(move |message, _why| spool.keep(message))
    };
    let disks = engine.pool(1, disk(500))?;
    let reference = ReferenceMessage::actor(Reference::default);
    engine.pool(2, reference.restart(Restart::always().backoff(Duration::ZERO, Duration::ZERO)))?;
    let (breaker, to_spool) = (Breaker::new(3, PAUSE * 10), Arc::clone(&spool));
    let calibration = move || Calibration { breaker: breaker.clone(), spool: Arc::clone(&to_spool) };
    engine.pool(1, CalibrateMessage::actor(calibration))?;
    let bounded = |number| ActorThread::named(format!("parser-{number}")).mailbox_bound(16);
    let parsers = engine.pool_on(2, bounded, ParseMessage::actor(|| Parser))?;

    // The device: any iterator, such as the lines of a serial port.
    let first_disk = disks.instances()[0];
    let lines = (0..READINGS).map(|number| format!("{} {number}", number % 8));
    let device = forward::iterator("device", lines, &parsers, ParseMessage::Line)?;
    assert_eq!(device.join()?, u64::from(READINGS));

    // The first disk takes 500; the others are in the file when they have been calibrated.
    for _ in 0..500 {
        each.recv()?;
    }
    for _ in 500..READINGS {
        spooled.recv()?;
    }
    println!("the disk is full");

    // A new disk takes the place of the first, and the file is its source.
    engine.replace(first_disk, disk(usize::MAX))?;
    let lines = BufReader::new(File::open(&path)?).lines().map_while(Result::ok);
    let replayed = forward::iterator("spool", lines, &disks, |line| DiskMessage::Put(Reading::parse(&line)))?.join()?;
    fs::remove_file(&path)?;
    let report = engine.shutdown()?;
    println!("{replayed} sent again\n{report}");

    let mut shelf = shelf.lock().expect("nobody panics with it").clone();
    shelf.sort_unstable();
    let mut expected: Vec<_> = (0..READINGS)
        .map(|number| (number % 8, number))
        .map(|(sensor, number)| Reading { sensor, value: number + sensor * 1_000 })
        .collect();
    expected.sort_unstable();
    assert_eq!(shelf, expected, "each once");
    assert!(report.panicked() > 0, "the reference has broken now and then");
    Ok(())
}
