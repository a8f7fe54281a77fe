//! Why a bridge cannot be made or used.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use zctor::remote::ServeError;
use zctor::{CallError, SpawnError};

use crate::wire::PREFIX;

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
    /// The server cannot be reached, or its address cannot be read.
    Connect {
        /// The address of the server, without the user and the password that it may hold.
        server: String,
        /// The fault.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The server did not let the bridge in.
    Refused {
        /// The address of the server, without the user and the password that it may hold.
        server: String,
        /// The words of the server.
        text: String,
        /// The kind of identity that the bridge has shown: `"nkey"`, for example, or nothing.
        shown: Option<&'static str>,
    },
    /// The connection cannot be encrypted, or one side does not trust the other.
    Tls {
        /// The address of the server, without the user and the password that it may hold.
        server: String,
        /// The fault, and what to do.
        text: String,
    },
    /// A file that the builder was given cannot be read, or does not hold what it should.
    File {
        /// The file.
        path: PathBuf,
        /// The fault.
        source: io::Error,
    },
    /// The text that [`Builder::nkey`](crate::Builder::nkey) was given is no seed of an nkey.
    Nkey,
    /// The server let the bridge in, and does not permit this to it.
    Permission {
        /// The operation that it does not permit.
        operation: Operation,
        /// Of which subject.
        subject: String,
    },
    /// This was called by a hook on the bridge's own thread, such as that for dead letters, which would wait for itself.
    /// Have another thread do it.
    OwnThread,
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
    /// over waits until the other has left. A program that watches the subject of the partition counts as such a process.
    PartitionTaken {
        /// The name of the enum.
        name: &'static str,
        /// The number of the partition.
        partition: u32,
    },
    /// A message cannot be sent: it cannot be written as bytes, or is too large.
    Unfit {
        /// The name of the enum.
        message: &'static str,
        /// The fault.
        text: Arc<str>,
    },
    /// The link cannot be made.
    Spawn {
        /// Why not.
        source: SpawnError,
    },
}

/// An operation that a server permits to a user, subject by subject.
///
/// ```
/// use zctor_nats::Operation;
///
/// assert_eq!(Operation::Publish.to_string(), "publish to");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// To send messages to a subject.
    Publish,
    /// To receive what is sent to it.
    Subscribe,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Publish => "publish to",
            Self::Subscribe => "subscribe to",
        })
    }
}

impl fmt::Display for BridgeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { name } => write!(
                f,
                "`{name}` cannot be part of a NATS subject: write words joined by dots, without spaces, `*` and `>`"
            ),
            Self::Connect { server, source } => write!(f, "no connection to the NATS server at {server}: {source}"),
            Self::Refused { server, text, shown: Some(shown) } => {
                write!(f, "the NATS server at {server} does not let the bridge in: {text}; is the {shown} right?")
            }
            Self::Refused { server, text, shown: None } => write!(
                f,
                "the NATS server at {server} does not let the bridge in: {text}; it may want to know who that is: give the \
                 builder a `user`, `token`, `nkey` or `credentials`"
            ),
            Self::Tls { server, text } => write!(f, "no secure connection to the NATS server at {server}: {text}"),
            Self::File { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Nkey => f.write_str("the text given as an nkey is no seed; a seed of a user begins with `SU`"),
            Self::Permission { operation, subject } => {
                write!(f, "the NATS server does not permit the bridge to {operation} `{subject}`; ")?;
                match pattern(subject) {
                    Some(pattern) => write!(f, "add `{pattern}` to the permissions of its user"),
                    None if subject.starts_with("_INBOX.") => f.write_str(
                        "its inbox has another name each time: give the builder `inbox_prefix(\"_INBOX.<user>\")`, and \
                         permit its user to publish and subscribe to `_INBOX.<user>.>`",
                    ),
                    None => f.write_str("let it, in the permissions of its user"),
                }
            }
            Self::OwnThread => f.write_str(
                "a hook on the bridge's own thread cannot wait for what that thread is to do; have another thread do it",
            ),
            Self::Closed => f.write_str("the bridge is closed"),
            Self::Disconnected => f.write_str("the connection to the NATS server is lost just now; try again"),
            Self::Thread { .. } => f.write_str("the system refused a thread for the bridge"),
            Self::Serve { source } => source.fmt(f),
            Self::Queue { queue, text } => write!(f, "the work queue `{queue}` cannot be used: {text}"),
            Self::PartitionTaken { name, partition } => write!(
                f,
                "another process serves partition {partition} of `{name}`; wait until it has left, or serve other partitions"
            ),
            Self::Unfit { message, text } => write!(f, "this `{message}` cannot be sent: {text}"),
            Self::Spawn { source } => source.fmt(f),
        }
    }
}

impl BridgeError {
    /// A message that cannot be written.
    pub(crate) fn unfit(error: CallError) -> Self {
        let text = match &error {
            CallError::Unfit { text, .. } => Arc::clone(text),
            other => other.to_string().into(),
        };
        Self::Unfit { message: error.message(), text }
    }
}

impl Error for BridgeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Connect { source, .. } => Some(&**source),
            Self::Thread { source } | Self::File { source, .. } => Some(source),
            Self::Serve { source } => source.source(),
            Self::Spawn { source } => source.source(),
            Self::Name { .. }
            | Self::Refused { .. }
            | Self::Tls { .. }
            | Self::Nkey
            | Self::Permission { .. }
            | Self::PartitionTaken { .. }
            | Self::Unfit { .. }
            | Self::Queue { .. }
            | Self::OwnThread
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

/// The pattern to permit for all messages of the pool that this subject is of.
fn pattern(subject: &str) -> Option<String> {
    let pool = subject.strip_suffix(".t").or_else(|| subject.strip_suffix(".b"));
    let pool = pool.or_else(|| subject.rsplit_once(".k.").map(|(pool, _)| pool));
    // A work queue's has no more than one subject.
    pool.filter(|pool| pool.starts_with(PREFIX) && !pool.contains('$')).map(|pool| format!("{pool}.>"))
}
