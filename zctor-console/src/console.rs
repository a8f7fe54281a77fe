//! [`Console`], and [`Served`], which serves it until it is dropped.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use zctor::{ActorEngine, Definition};
use zctor_metrics::EngineMetrics;

use crate::look::Looks;
use crate::server::{Listener, Server};
use crate::site::{Access, Site};
use crate::snapshot::Snapshot;

/// How long the server may take to be woken.
const WAKE: Duration = Duration::from_secs(1);

/// A look into one engine: served at an endpoint, or taken by the program itself.
///
/// It reads, and has no way to send, to stop or to change. It keeps the engine not alive.
///
/// ```
/// use zctor::{ActorEngine, Message, actor};
/// use zctor_console::Console;
///
/// #[actor]
/// pub enum JobMessage {
///     Run,
/// }
/// struct Job;
/// impl JobHandler for Job {
///     fn run(&mut self) {}
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::builder().name("jobs").build();
/// let served = Console::new(&engine).definitions([JobMessage::DEFINITION]).serve_tcp("127.0.0.1:0")?;
/// println!("look at {served}"); // http://127.0.0.1:46723/6f0c…/
/// engine.pool(2, JobMessage::actor(|| Job))?.run()?;
/// engine.settle();
///
/// let snapshot = zctor_console::fetch(&served.to_string())?; // as a browser does twice a second
/// assert_eq!((&*snapshot.types[0].message, snapshot.types[0].handled), ("JobMessage", 1));
/// # Ok(())
/// # }
/// ```
pub struct Console {
    site: Site,
}

impl Console {
    /// Makes a look into an engine. Nothing is served, and nothing is read, until that is asked for.
    pub fn new(engine: &ActorEngine) -> Self {
        Self {
            site: Site {
                engine: engine.handle(),
                name: engine.name().to_owned(),
                metrics: EngineMetrics::new(engine),
                definitions: Vec::new(),
                looks: Mutex::new(Looks::default()),
            },
        }
    }

    /// Adds definitions for the map, with all that their handlers may call. Without them the map has the names of the
    /// types alone.
    ///
    /// An example is at [`Console`].
    #[must_use]
    pub fn definitions(mut self, definitions: impl IntoIterator<Item = &'static Definition>) -> Self {
        self.site.definitions.extend(definitions);
        self
    }

    /// Takes a look now. Shares and rates are of the time since an earlier look at this console.
    ///
    /// # Blocking
    /// Never: no actor thread is stopped for it.
    ///
    /// ```
    /// use zctor::ActorEngine;
    /// use zctor_console::Console;
    ///
    /// let snapshot = Console::new(&ActorEngine::new()).snapshot();
    /// assert_eq!((snapshot.threads.len(), snapshot.culprit), (0, None));
    /// ```
    pub fn snapshot(&self) -> Snapshot {
        self.site.snapshot()
    }

    /// Serves at a new Unix socket, `<process>-<engine>.sock`, until the result is dropped.
    ///
    /// It is in the folder `zctor` of `$XDG_RUNTIME_DIR`, or, where that is not set, in `zctor-<user>` among the temporary
    /// files. The folder has mode 0700, so only this user gets in.
    ///
    /// # Errors
    /// The folder or the socket cannot be made, or others may enter the folder; the error says which.
    ///
    /// # Blocking
    /// Never.
    ///
    /// ```
    /// use zctor::ActorEngine;
    /// use zctor_console::Console;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let engine = ActorEngine::new();
    /// let served = Console::new(&engine).serve()?;
    /// assert!(served.path().is_some_and(|path| path.exists()));
    /// println!("curl --unix-socket {served} http://localhost/");
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(unix)]
    pub fn serve(self) -> io::Result<Served> {
        let (listener, path) = crate::socket::listen(&self.site.name)?;
        let wake = {
            let path = path.clone();
            move || std::os::unix::net::UnixStream::connect(&path).is_ok()
        };
        let server = Server::start(Arc::new(self.site), Access::Socket, Listener::Unix(listener), wake)?;
        Ok(Served { place: Place::Socket(path), server: Some(server) })
    }

    /// Serves at a TCP port of this machine, until the result is dropped. Port 0 takes a free one.
    ///
    /// The address has a random token in its path, and requests for another host than this machine are refused. So
    /// neither other users nor a foreign page in a browser get in, unless they learn the token.
    ///
    /// # Errors
    /// - [`ErrorKind::InvalidInput`]: `address` is not of this machine alone; from elsewhere, use a tunnel such as
    ///   `ssh -L`.
    /// - The port is taken, or the system gives no random numbers.
    ///
    /// # Blocking
    /// Never, unless `address` is a name that must be looked up.
    ///
    /// An example is at [`Console`].
    pub fn serve_tcp(self, address: impl ToSocketAddrs) -> io::Result<Served> {
        let addresses: Vec<SocketAddr> = address.to_socket_addrs()?.collect();
        if let Some(foreign) = addresses.iter().find(|address| !address.ip().is_loopback()) {
            let why = format!("{foreign} can be reached from elsewhere; serve at 127.0.0.1, and use a tunnel");
            return Err(io::Error::new(ErrorKind::InvalidInput, why));
        }
        let listener = TcpListener::bind(&addresses[..])?;
        let address = listener.local_addr()?;
        let token = token()?;
        let wake = move || TcpStream::connect_timeout(&address, WAKE).is_ok();
        let place = Place::Address(address, token.clone());
        let server = Server::start(Arc::new(self.site), Access::Token(token), Listener::Tcp(listener), wake)?;
        Ok(Served { place, server: Some(server) })
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console").field("engine", &self.site.name).finish_non_exhaustive()
    }
}

/// 128 random bits, as text.
fn token() -> io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A [`Console`] that is served, until this is dropped. It is printed as the place to look at: an address for a browser,
/// or the path of a socket.
///
/// The drop waits for requests under way, two seconds at most.
///
/// ```
/// use zctor::ActorEngine;
/// use zctor_console::{Console, Served, fetch};
///
/// # fn main() -> std::io::Result<()> {
/// let engine = ActorEngine::new();
/// let served: Served = Console::new(&engine).serve_tcp("127.0.0.1:0")?;
/// let place = served.to_string();
/// assert!(fetch(&place).is_ok());
/// drop(served);
/// assert!(fetch(&place).is_err());
/// # Ok(())
/// # }
/// ```
pub struct Served {
    place: Place,
    /// `None` while it is dropped.
    server: Option<Server>,
}

enum Place {
    Address(SocketAddr, String),
    #[cfg(unix)]
    Socket(PathBuf),
}

impl Served {
    /// Returns the path of the socket; `None` at a TCP port.
    ///
    /// An example is at [`Console::serve`].
    pub fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::Address(..) => None,
            #[cfg(unix)]
            Place::Socket(path) => Some(path),
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // The server is woken through its socket, so the socket goes last.
        drop(self.server.take());
        #[cfg(unix)]
        if let Place::Socket(path) = &self.place {
            // Somebody may have removed it already.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Address(address, token) => write!(f, "http://{address}/{token}/"),
            #[cfg(unix)]
            Place::Socket(path) => write!(f, "{}", path.display()),
        }
    }
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            // Debug output lands in logs, where the token must not be.
            Place::Address(address, _) => write!(f, "Served(http://{address}/..)"),
            #[cfg(unix)]
            Place::Socket(path) => write!(f, "Served({})", path.display()),
        }
    }
}
