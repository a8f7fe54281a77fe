//! A bridge goes on though what it says on standard error can be written nowhere.

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::thread;

use zctor::now;
use zctor_nats::{Bridge, ConnectionState};
use zctor_tests::{LIMIT, bounded};

use crate::nats::Server;

/// The variable with the address of the server, for the other process.
const URL: &str = "ZCTOR_NATS_TEST_STANDARD_ERROR";
const CONNECTED: &str = "connected";
const REFUSED: &str = "refused";

/// The body of the other process, which is this test binary with the address of the server. Without that it does nothing.
#[test]
fn a_process_tells_how_it_is_connected() {
    let Ok(url) = env::var(URL) else { return };
    let bridge = Bridge::builder("test").server(url).connect().expect("the server is there");
    println!("\n{CONNECTED}");
    let begun = now();
    for (told, is_so) in [
        (REFUSED, |state| matches!(state, ConnectionState::Refused { .. })),
        (CONNECTED, |state| state == ConnectionState::Connected),
    ] as [(&str, fn(ConnectionState) -> bool); 2]
    {
        while !is_so(bridge.state()) {
            assert!(now() - begun < LIMIT, "it is not {told}: {}", bridge.state());
            thread::yield_now();
        }
        println!("\n{told}");
    }
}

#[test]
fn a_bridge_that_is_refused_goes_on_though_it_can_say_so_nowhere() {
    bounded(|| {
        let user = |name: &str| format!("authorization {{ users: [{{ user: {name}, password: secret }}] }}");
        let mut server = Server::configured(&user("ann"));
        let mut command = Command::new(env::current_exe().expect("this binary"));
        command.args(["standard_error::a_process_tells_how_it_is_connected", "--exact", "--nocapture"]);
        command.env(URL, format!("nats://ann:secret@127.0.0.1:{}", server.port()));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("a process");
        // Nobody reads it any more, so each write to it fails.
        drop(process.stderr.take());
        let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let mut await_line = |line: &str| assert!(lines.any(|said| said.is_ok_and(|said| said == line)), "{line}");
        await_line(CONNECTED);
        server.kill();
        server.restart_with(&user("bob"));
        await_line(REFUSED);
        server.kill();
        server.restart_with(&user("ann"));
        await_line(CONNECTED);
        assert!(process.wait().expect("it ends").success());
    });
}
