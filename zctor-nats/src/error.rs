//! Why a bridge cannot be made or used.

use std::error::Error;
use std::fmt;
use std::io;

use zctor::SpawnError;
use zctor::remote::ServeError;

/// Error returned by the methods of [`Bridge`](crate::Bridge) and its builder.
///
/// ```
/// use zctor_nats::{Bridge, BridgeError};
///
/// let error = Bridge::builder("my shop").connect().unwrap_err();
/// assert!(matches!(error, BridgeError::Name { .. }));
/// assert_eq!(error.to_string(), "`my shop` cannot be part of a NATS subject: write words joined by dots, without spaces, `*` and `>`");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum BridgeError {
    /// A namespace, or the name of an enum on the way, that NATS does not take.
    Name {
        /// The name.
        name: String,
    },
    /// The server did not let the bridge in, or cannot be reached.
    Connect {
        /// The address of the server, without the user and the password that it may hold.
        server: String,
        /// What went wrong.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The bridge is closed.
    Closed,
    /// The connection is lost just now. The bridge connects again by itself.
    Disconnected,
    /// The system refused a thread.
    Thread {
        /// Its reason.
        source: io::Error,
    },
    /// The pool cannot be served.
    Serve {
        /// Why not.
        source: ServeError,
    },
    /// A work queue cannot be used.
    Queue {
        /// Its name.
        queue: String,
        /// Why not, and what to do.
        text: String,
    },
    /// Another process serves this partition. Give each process partitions of its own; one that is to take a partition
    /// over waits until the other has left.
    PartitionTaken {
        /// The name of the enum.
        name: &'static str,
        /// The number of the partition.
        partition: u32,
    },
    /// The link cannot be made.
    Spawn {
        /// Why not.
        source: SpawnError,
    },
}

impl fmt::Display for BridgeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { name } => write!(
                f,
                "`{name}` cannot be part of a NATS subject: write words joined by dots, without spaces, `*` and `>`"
            ),
            Self::Connect { server, source } => write!(f, "no connection to the NATS server at {server}: {source}"),
            Self::Closed => f.write_str("the bridge is closed"),
            Self::Disconnected => f.write_str("the connection to the NATS server is lost just now; try again"),
            Self::Thread { .. } => f.write_str("the system refused a thread for the bridge"),
            Self::Serve { source } => source.fmt(f),
            Self::Queue { queue, text } => write!(f, "the work queue `{queue}` cannot be used: {text}"),
            Self::PartitionTaken { name, partition } => write!(
                f,
                "another process serves partition {partition} of `{name}`; wait until it has left, or serve other partitions"
            ),
            Self::Spawn { source } => source.fmt(f),
        }
    }
}

impl Error for BridgeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Connect { source, .. } => Some(&**source),
            Self::Thread { source } => Some(source),
            Self::Serve { source } => source.source(),
            Self::Spawn { source } => source.source(),
            Self::Name { .. }
            | Self::PartitionTaken { .. }
            | Self::Queue { .. }
            | Self::Closed
            | Self::Disconnected => None,
        }
    }
}

impl From<ServeError> for BridgeError {
    fn from(source: ServeError) -> Self {
        Self::Serve { source }
    }
}

impl From<SpawnError> for BridgeError {
    fn from(source: SpawnError) -> Self {
        Self::Spawn { source }
    }
}

/// The address of a server without the user and the password that it may hold.
pub(crate) fn without_password(server: &str) -> String {
    match (server.split_once("://"), server.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        (None, Some((_, host))) => host.to_owned(),
        (_, None) => server.to_owned(),
    }
}
