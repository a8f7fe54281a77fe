//! A process under load that gets a signal handles what it has accepted, and ends well.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::{env, io};

use zctor::{ActorEngine, actor};
use zctor_kit::signals::stop_on_signals;
use zctor_tests::bounded;

#[actor]
enum WorkMessage {
    Work,
}

struct Work;

impl WorkHandler for Work {
    fn work(&mut self) {}
}

/// Sends until it is refused: a signal has stopped the engine.
fn child() -> Result<(), Box<dyn std::error::Error>> {
    let engine = ActorEngine::new();
    let work: WorkClient = engine.pool(2, WorkMessage::actor(|| Work))?;
    stop_on_signals(&engine)?;
    assert!(stop_on_signals(&engine).is_err(), "once in a process");
    let mut accepted = 0;
    while work.work().is_ok() {
        accepted += 1;
        if accepted == 1 {
            println!("ready");
        }
        if accepted % 1_000 == 0 {
            engine.settle();
        }
    }
    engine.wait();
    let report = engine.shutdown()?;
    assert_eq!((report.handled(), report.dead_letters), (accepted, 0));
    println!("balanced");
    Ok(())
}

fn end_by(signal: &str, start: &str) -> io::Result<()> {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{start} exec \"$0\"")]).arg(env::current_exe()?);
    let mut process = shell.env("ZCTOR_KIT_CHILD", "1").stdout(Stdio::piped()).spawn()?;
    let mut output = BufReader::new(process.stdout.take().expect("it is piped"));
    let mut line = String::new();
    output.read_line(&mut line)?;
    assert_eq!(line, "ready\n");
    assert!(Command::new("kill").arg(signal).arg(process.id().to_string()).status()?.success());
    let mut rest = String::new();
    output.read_to_string(&mut rest)?;
    assert!(process.wait()?.success(), "after {signal}");
    assert_eq!(rest, "balanced\n");
    Ok(())
}

fn main() {
    if env::var_os("ZCTOR_KIT_CHILD").is_some() {
        return child().expect("it ends well");
    }
    if cfg!(unix) {
        bounded(|| {
            // As `nohup` and scripts start a process, too: with signals ignored.
            for start in ["", "trap '' INT HUP;"] {
                for signal in ["-INT", "-TERM", "-HUP"] {
                    end_by(signal, start).expect("processes can be started");
                }
            }
        });
    }
}
