//! A device: its handle is not `Send`, it is lost now and then, and it is opened again.
//!
//! The port is opened by the factory, on the thread that uses it, and never leaves it. When a read fails, the actor
//! resets itself: the factory opens the port again, and after some failures it waits between its attempts. Listeners
//! get readings through a `Recipient` and know nothing of the device. Look at the readings: after a lost cable they go
//! on, and the last thing that the device is told is to park.
//!
//! ```text
//! cargo run --example device
//! cargo test -p zctor-examples --features testing --example device
//! ```

use std::error::Error;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use zctor::{ActorEngine, BoxError, Context, PanicOrigin, Recipient, Restart, actor};

/// Stands for the cable and what is at its other end.
#[derive(Debug, Default)]
struct Cable {
    unplugged: AtomicBool,
    opened: AtomicU32,
    told: Mutex<Vec<&'static str>>,
}

/// Stands for a library's handle: it belongs to the thread that opened it, as a handle with an `Rc` inside does.
struct Port {
    cable: Arc<Cable>,
    _not_send: PhantomData<Rc<()>>,
    temperature: f64,
}

impl Port {
    fn open(cable: &Arc<Cable>) -> Result<Self, BoxError> {
        if cable.unplugged.load(SeqCst) {
            return Err("no device".into());
        }
        cable.opened.fetch_add(1, SeqCst);
        Ok(Self { cable: Arc::clone(cable), _not_send: PhantomData, temperature: 20.0 })
    }

    fn read(&mut self) -> Result<f64, BoxError> {
        if self.cable.unplugged.load(SeqCst) {
            return Err("the device does not answer".into());
        }
        self.temperature += 0.5;
        Ok(self.temperature)
    }

    fn tell(&self, command: &'static str) {
        if self.cable.unplugged.load(SeqCst) {
            return; // nobody hears it
        }
        self.cable.told.lock().expect("nobody panics with it").push(command);
    }
}

#[actor(ctx, sends(LogMessage))]
#[derive(Debug, PartialEq)]
enum DeviceMessage {
    /// Sends a command, and gives the answer of the device.
    #[reply(f64)]
    Measure,
    #[msg(internal)]
    Poll,
}

struct Device {
    port: Port,
    readings: Recipient<f64>,
}

impl Device {
    fn read(&mut self, ctx: &Context<DeviceMessage>) -> f64 {
        match self.port.read() {
            Ok(value) => {
                // A listener that has ended is no reason to stop.
                self.readings.send(value).unwrap_or_default();
                value
            }
            Err(error) => {
                eprintln!("{error}: it is opened again");
                ctx.reset();
                f64::NAN
            }
        }
    }
}

impl DeviceHandler for Device {
    fn on_start(&mut self, ctx: &mut Context<DeviceMessage>) {
        // After each open. A reset ends the timers of the state before.
        ctx.send_every(Duration::from_millis(1), || DeviceMessage::Poll);
    }

    fn measure(&mut self, ctx: &mut Context<DeviceMessage>) -> f64 {
        self.read(ctx)
    }

    fn poll(&mut self, ctx: &mut Context<DeviceMessage>) {
        self.read(ctx);
    }

    fn on_stop(&mut self, _ctx: &mut Context<DeviceMessage>) {
        self.port.tell("park");
    }
}

#[actor]
#[derive(Debug, PartialEq)]
enum LogMessage {
    Reading(f64),
}

struct Log(mpsc::Sender<f64>);

impl LogHandler for Log {
    fn reading(&mut self, value: f64) {
        self.0.send(value).unwrap_or_default(); // `main` has what it wanted
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    const LIMIT: Duration = Duration::from_secs(30);

    let cable = Arc::new(Cable::default());
    let (readings, seen) = mpsc::channel();
    let engine = ActorEngine::new();
    let (failed, failures) = mpsc::channel();
    engine.on_panic(move |event| failed.send(event.clone()).unwrap_or_default());

    // The listener first: it is served until the device has ended.
    let log = engine.start(LogMessage::actor_once(move || Log(readings)))?;
    let readings = log.recipient(LogMessage::Reading);
    let plugged = Arc::clone(&cable);
    // It tries for as long as the program runs, at most a few milliseconds apart.
    let restart = Restart::always().backoff(Duration::from_millis(1), Duration::from_millis(5)).jitter(0.1);
    let device =
        DeviceMessage::try_actor(move |_ctx| Ok(Device { port: Port::open(&plugged)?, readings: readings.clone() }));
    let device = engine.start(device.restart(restart))?;
    assert_eq!(seen.recv_timeout(LIMIT)?, 20.5);
    assert!(device.measure()? > 20.0);

    // The cable is pulled out; the factory fails until it is back.
    cable.unplugged.store(true, SeqCst);
    for _ in 0..5 {
        let failure = failures.recv_timeout(LIMIT)?;
        println!("{failure}");
        assert_eq!((failure.origin, &*failure.text), (PanicOrigin::Factory, "no device"));
    }
    while seen.try_recv().is_ok() {}
    cable.unplugged.store(false, SeqCst);
    assert_eq!(seen.recv_timeout(LIMIT)?, 20.5, "a fresh port begins anew");
    assert_eq!(cable.opened.load(SeqCst), 2);

    engine.shutdown()?;
    let told = cable.told.lock().map_err(|error| error.to_string())?;
    println!("the device was told {told:?}");
    assert_eq!(*told, ["park"]);
    Ok(())
}

#[cfg(test)]
#[path = "picture.rs"]
mod picture;

#[cfg(test)]
#[test]
fn the_picture_shows_the_definitions() {
    use zctor::Message;
    picture::shows("device.svg", [DeviceMessage::DEFINITION, LogMessage::DEFINITION]);
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use zctor::testing::{Probe, context};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    #[test]
    fn each_reading_goes_to_the_listener() {
        let engine = ActorEngine::new();
        let log = Probe::<LogMessage>::new();
        let readings = engine.start(log.actor()).unwrap().recipient(LogMessage::Reading);
        let mut device = Device { port: Port::open(&Arc::default()).unwrap(), readings };
        let mut ctx = context::<DeviceMessage>();

        assert_eq!(device.measure(&mut ctx), 20.5);
        device.poll(&mut ctx);
        assert_eq!(log.expect(LIMIT).into_message(), LogMessage::Reading(20.5));
        assert_eq!(log.expect(LIMIT).into_message(), LogMessage::Reading(21.0));
        assert!(!ctx.reset_requested());
    }

    #[test]
    fn a_lost_cable_resets_the_device() {
        let engine = ActorEngine::new();
        let log = Probe::<LogMessage>::new();
        let readings = engine.start(log.actor()).unwrap().recipient(LogMessage::Reading);
        let cable = Arc::new(Cable::default());
        let mut device = Device { port: Port::open(&cable).unwrap(), readings };
        let mut ctx = context::<DeviceMessage>();

        cable.unplugged.store(true, SeqCst);
        device.poll(&mut ctx);
        assert!(ctx.reset_requested());
        engine.settle();
        assert!(log.is_empty(), "no reading was made up");
    }
}
