//! Keys with which the bridge signs what the server asks of it, and credentials files, which hold one.

use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_nats::{Auth, AuthError, ConnectOptions};
use nkeys::KeyPair;

use crate::authority::{Identity, read};
use crate::bridge::Builder;
use crate::error::BridgeError;

/// A key, or the file that it is in.
#[derive(Clone)]
pub(crate) enum Key {
    /// The text of a seed.
    Seed(String),
    File(PathBuf),
}

impl Builder {
    /// Connects with an nkey: the text of its seed, which begins with `SU`. The server knows the public key, and the
    /// seed does not leave this process. The feature `nkeys` has this, which is on by itself.
    ///
    /// ```no_run
    /// # use zctor_nats::Bridge;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // A server with `authorization { users = [ { nkey: UABC.. } ] }`, and the seed of that key in a file.
    /// let bridge = Bridge::builder("shop").nkey(std::fs::read_to_string("worker.nk")?).connect()?;
    /// assert!(bridge.books().is_balanced());
    /// # Ok(())
    /// # }
    /// ```
    pub fn nkey(self, seed: impl Into<String>) -> Self {
        self.identity(Identity::Key(Key::Seed(seed.into())))
    }

    /// Connects with a credentials file (`.creds`), which holds the token of a user that an account has signed, and the
    /// seed of its nkey. The feature `nkeys` has this, which is on by itself.
    ///
    /// The file is read at each connection: write a new one in its place before the token in it expires. While it cannot be
    /// read then, the bridge stays without a connection, and tries again.
    ///
    /// ```
    /// use zctor_nats::{Bridge, BridgeError};
    ///
    /// // There is no such file.
    /// match Bridge::builder("shop").credentials("worker.creds").connect() {
    ///     Err(error @ BridgeError::File { .. }) => assert!(error.to_string().starts_with("worker.creds: ")),
    ///     other => panic!("{other:?}"),
    /// }
    /// ```
    pub fn credentials(self, file: impl Into<PathBuf>) -> Self {
        self.identity(Identity::Key(Key::File(file.into())))
    }
}

impl Key {
    pub(super) fn shown(&self) -> &'static str {
        match self {
            Self::Seed(_) => "nkey",
            Self::File(_) => "credentials file",
        }
    }

    /// The options of a client that shows this. The file is read here once, for an error that names it.
    pub(super) fn options(&self) -> Result<ConnectOptions, BridgeError> {
        match self {
            Self::Seed(seed) => Ok(ConnectOptions::new().nkey(seed.trim().to_owned())),
            Self::File(path) => {
                Credentials::read(path)?;
                let path = Arc::<Path>::from(path.as_path());
                Ok(ConnectOptions::with_auth_callback(move |nonce| sign(Arc::clone(&path), nonce)))
            }
        }
    }
}

/// Signs for one connection. The file may lie on another machine, so another thread reads it.
async fn sign(path: Arc<Path>, nonce: Vec<u8>) -> Result<Auth, AuthError> {
    let signed = tokio::task::spawn_blocking(move || {
        let Credentials { token, key } = Credentials::read(&path).map_err(AuthError::new)?;
        let signature = key.sign(&nonce).map_err(AuthError::new)?;
        let mut auth = Auth::new();
        (auth.jwt, auth.signature) = (Some(token), Some(signature));
        Ok(auth)
    });
    signed.await.map_err(AuthError::new)?
}

/// The contents of a credentials file.
struct Credentials {
    token: String,
    key: KeyPair,
}

impl Credentials {
    fn read(path: &Path) -> Result<Self, BridgeError> {
        let unfit = |text: &str| {
            let source = Error::new(ErrorKind::InvalidData, text);
            BridgeError::File { path: path.to_owned(), source }
        };
        let text = read(path)?;
        let (Some(token), Some(seed)) = (block(&text, "NATS USER JWT"), block(&text, "USER NKEY SEED")) else {
            return Err(unfit("it is no credentials file, which has a `NATS USER JWT` and a `USER NKEY SEED`"));
        };
        let key = KeyPair::from_seed(seed).map_err(|_| unfit("its `USER NKEY SEED` is no seed of a user"))?;
        Ok(Self { token: token.to_owned(), key })
    }
}

/// The text between the lines that begin and end the block of this name.
fn block<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let is_rule = |line: &str| line.starts_with("---");
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.find(|line| is_rule(line) && line.contains("BEGIN") && line.contains(name))?;
    lines.next().filter(|line| !is_rule(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credentials_file_has_a_token_and_a_seed() {
        let text = "-----BEGIN NATS USER JWT-----\r\nabc.def\r\n------END NATS USER JWT------\r\n\r\n*** IMPORTANT ***\n\
                    -----BEGIN USER NKEY SEED-----\nSUA\n------END USER NKEY SEED------\n";
        assert_eq!((block(text, "NATS USER JWT"), block(text, "USER NKEY SEED")), (Some("abc.def"), Some("SUA")));
        assert_eq!(block("-----BEGIN NATS USER JWT-----\n------END NATS USER JWT------\n", "NATS USER JWT"), None);
        assert_eq!(block("abc", "NATS USER JWT"), None);
    }
}
