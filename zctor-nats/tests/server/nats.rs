//! A NATS server of a test's own, on a free port of this machine.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use std::{env, fs, thread};

use zctor_nats::{Bridge, Builder};
use zctor_tests::LIMIT;

/// A folder of a test's own, which is removed when this is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("zctor-nats-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file in it.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("the folder is there");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A server, which is killed when this is dropped.
pub(crate) struct Server {
    process: Child,
    port: u16,
    folder: Folder,
    arguments: Vec<String>,
}

impl Server {
    /// Starts a server on a free port.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same, with more arguments.
    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        Self::start_in(Folder::new(), arguments)
    }

    /// The same, with JetStream, which keeps its streams when it is killed.
    pub(crate) fn start_with_streams() -> Self {
        let folder = Folder::new();
        let streams = folder.path("streams");
        Self::start_in(folder, &["-js", "-sd", &streams.to_string_lossy()])
    }

    /// Starts a server with a configuration.
    pub(crate) fn configured(configuration: &str) -> Self {
        let folder = Folder::new();
        let path = folder.write("nats.conf", configuration);
        Self::start_in(folder, &["-c", &path.to_string_lossy()])
    }

    /// The same, with JetStream.
    pub(crate) fn configured_with_streams(configuration: &str) -> Self {
        let folder = Folder::new();
        let (path, streams) = (folder.write("nats.conf", configuration), folder.path("streams"));
        Self::start_in(folder, &["-c", &path.to_string_lossy(), "-js", "-sd", &streams.to_string_lossy()])
    }

    /// Gives it another configuration while it runs.
    pub(crate) fn reconfigure(&self, configuration: &str) {
        self.folder.write("nats.conf", configuration);
        let told = Command::new("kill").args(["-HUP", &self.process.id().to_string()]).status();
        assert!(told.expect("the system has it").success());
    }

    /// A server of a cluster, with the routes to these others. A bridge hears of none that it is not given.
    pub(crate) fn of_cluster(others: &[&Self], more: &str) -> Self {
        let routes: Vec<String> = others.iter().map(|other| format!("\"{}\"", other.route())).collect();
        Self::configured(&format!(
            "cluster {{ name: c, listen: \"127.0.0.1:-1\", no_advertise: true, routes: [ {} ] }}\n{more}",
            routes.join(", ")
        ))
    }

    /// The address by which other servers of its cluster reach it.
    fn route(&self) -> String {
        format!("nats-route://127.0.0.1:{}", self.port_for("cluster"))
    }

    /// The port of its own for this.
    pub(crate) fn port_for(&self, what: &str) -> u16 {
        let begun = zctor::now();
        loop {
            for text in written_ports(&self.folder.0) {
                let port = text.split_once(what).and_then(|(_, rest)| rest.split_once("127.0.0.1:"));
                let port = port.map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
                if let Some(Ok(port)) = port.map(|port| port.parse()) {
                    return port;
                }
            }
            assert!(zctor::now() - begun < LIMIT, "the server has written no port for {what}");
            thread::yield_now();
        }
    }

    /// The answer of its monitoring; it was started with `-m -1`.
    pub(crate) fn monitoring(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port_for("monitoring"))).expect("it listens");
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").expect("it reads");
        let mut said = String::new();
        stream.read_to_string(&mut said).expect("it answers");
        said
    }

    /// Starts it again with another configuration, on the same port.
    pub(crate) fn restart_with(&mut self, configuration: &str) {
        self.folder.write("nats.conf", configuration);
        self.restart();
    }

    fn start_in(folder: Folder, arguments: &[&str]) -> Self {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let process = run(&["-p", "-1", "--ports_file_dir", &folder.0.to_string_lossy()], &arguments);
        let port = await_port(&folder.0);
        Self { process, port, folder, arguments }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// A builder of bridges to this server that does not wait long for it.
    pub(crate) fn builder(&self) -> Builder {
        Bridge::builder("test").server(self.url()).ack_wait(Duration::from_secs(1)).patience(Duration::from_secs(2))
    }

    pub(crate) fn bridge(&self) -> Bridge {
        self.builder().connect().expect("the server is there")
    }

    /// A bridge for which nothing is ever late, however busy the machine.
    pub(crate) fn patient_bridge(&self) -> Bridge {
        self.builder().ack_wait(LIMIT).connect().expect("the server is there")
    }

    /// Kills it, as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("it can be killed");
        self.process.wait().expect("it ends");
    }

    /// Starts it again, on the same port. Meanwhile the system may have given that to a server of another test: then this
    /// one ends at once, and is started until that one has gone.
    pub(crate) fn restart(&mut self) {
        let folder = self.folder.0.to_string_lossy().into_owned();
        let place = ["-p", &self.port.to_string(), "--ports_file_dir", &folder];
        let begun = zctor::now();
        loop {
            self.process = run(&place, &self.arguments);
            let name = program().file_name().unwrap_or_default().to_string_lossy().into_owned();
            let written = self.folder.path(&format!("{name}_{}.ports", self.process.id()));
            while self.process.try_wait().expect("it is a child").is_none() {
                if written.exists() {
                    return;
                }
                assert!(zctor::now() - begun < LIMIT, "the server has written no port");
                // There is nothing to wait for but the file.
                thread::yield_now();
            }
            assert!(zctor::now() - begun < LIMIT, "somebody else has the port {}", self.port);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The program: the one that was given, or found by the path, or where the system's package puts it.
fn program() -> PathBuf {
    let given = env::var_os("NATS_SERVER").map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places = env::split_paths(&path).map(|folder| folder.join("nats-server"));
    given.or_else(|| places.find(|place| place.is_file())).unwrap_or_else(|| PathBuf::from("/usr/sbin/nats-server"))
}

fn run(place: &[&str], arguments: &[String]) -> Child {
    let program = program();
    let mut command = Command::new(&program);
    command.args(["-a", "127.0.0.1"]).args(place).args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap_or_else(|error| {
        panic!(
            "{}: {error}. These tests need a NATS server: install the package `nats-server`, or unpack it \
             (`apt-get download nats-server && dpkg-deb -x nats-server_*.deb nats`) and give its path in NATS_SERVER",
            program.display()
        )
    })
}

/// The port that the server has written down.
fn await_port(folder: &Path) -> u16 {
    let begun = zctor::now();
    loop {
        for text in written_ports(folder) {
            if let Some(port) = text.split("://127.0.0.1:").nth(1) {
                let digits: String = port.chars().take_while(char::is_ascii_digit).collect();
                if let Ok(port) = digits.parse() {
                    return port;
                }
            }
        }
        assert!(zctor::now() - begun < LIMIT, "the server has written no port");
        // There is nothing to wait for but the file.
        thread::yield_now();
    }
}

/// The files in which servers with this folder have written their ports.
fn written_ports(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).expect("the folder").flatten().map(|entry| entry.path());
    let ports = files.filter(|path| path.extension().is_some_and(|extension| extension == "ports"));
    ports.filter_map(|path| fs::read_to_string(path).ok()).collect()
}
