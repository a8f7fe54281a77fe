//! Why a pool cannot be served.

use std::error::Error;
use std::fmt;
use std::io;
use std::ops::Range;

use crate::error::CallError;

/// Error returned by [`Loopback::serve`](crate::remote::Loopback::serve).
///
/// ```
/// use zctor::remote::ServeError;
///
/// let error = ServeError::NotRegistered { name: "JobMessage" };
/// assert_eq!(error.to_string(), "the engine has no pool of `JobMessage` to serve; make it first");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// The engine has no pool of this type. Make it before it is served.
    NotRegistered {
        /// The name under which it would be served.
        name: &'static str,
    },
    /// The engine stops.
    Stopped {
        /// The name under which it would be served.
        name: &'static str,
    },
    /// Another enum is served under this name. Give one of them another: `#[actor(remote = "..")]`.
    NameTaken {
        /// The name.
        name: &'static str,
    },
    /// There are no such partitions: the numbers begin with 0 and end below the count.
    NoPartition {
        /// The name under which they would be served.
        name: &'static str,
        /// The numbers that were given.
        numbers: Range<u32>,
        /// The count of all partitions.
        of: u32,
    },
    /// The pool is served by this end already, with other partitions or whole. A partition moves when it is stated: leave,
    /// then state the new ones.
    PartitionsStated {
        /// The name under which it is served.
        name: &'static str,
    },
    /// The system refused a thread.
    Thread {
        /// Its reason.
        source: io::Error,
    },
}

impl ServeError {
    /// Why the engine gave no client of the pool.
    pub(super) fn of(error: &CallError, name: &'static str) -> Self {
        match error {
            CallError::NotRegistered { .. } => Self::NotRegistered { name },
            _ => Self::Stopped { name },
        }
    }
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRegistered { name } => write!(f, "the engine has no pool of `{name}` to serve; make it first"),
            Self::Stopped { name } => write!(f, "the engine whose pool of `{name}` is to be served has stopped"),
            Self::NameTaken { name } => write!(
                f,
                "another enum is served as `{name}`; give one of them another name: `#[actor(remote = \"..\")]`"
            ),
            Self::NoPartition { name, numbers, of } => write!(
                f,
                "there are no partitions {numbers:?} of {of} to serve of `{name}`; give numbers below {of}, and one at least"
            ),
            Self::PartitionsStated { name } => {
                write!(f, "`{name}` is served with other partitions; leave, then serve it with the new ones")
            }
            Self::Thread { .. } => f.write_str("the system refused a thread for a pool that is to be served"),
        }
    }
}

impl Error for ServeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Thread { source } => Some(source),
            _ => None,
        }
    }
}
