//! Who the bridge is to the server, and how it knows the server: what [`Builder`] is told of both.

use std::fs;
use std::io::{self, Error, ErrorKind};
use std::path::{Path, PathBuf};

use async_nats::{ConnectOptions, ServerAddr};
use percent_encoding::percent_decode_str;

use crate::bridge::Builder;
use crate::error::BridgeError;

/// What a bridge shows to the server, and which servers it trusts. It is printed nowhere.
#[derive(Clone, Default)]
pub(crate) struct Authority {
    identity: Option<Identity>,
    tls: Option<Tls>,
    pub(crate) inbox_prefix: Option<String>,
}

#[derive(Clone)]
enum Identity {
    User { user: String, password: String },
    Token(String),
    Nkey(String),
    Credentials(PathBuf),
}

/// A connection that is encrypted, to a server whose certificate is checked.
///
/// ```
/// use zctor_nats::{Bridge, BridgeError, Tls};
///
/// // The server's certificate is signed by a root of the company's own, and the server wants one of the bridge too.
/// let tls = Tls::ca("company.pem").certificate("worker.pem", "worker.key");
/// let bridge = Bridge::builder("shop").server("nats://nats.company.example:4222").tls(tls).connect();
/// match bridge {
///     Err(BridgeError::File { path, .. }) => assert_eq!(path.to_str(), Some("company.pem")), // there is none here
///     other => panic!("{other:?}"),
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use = "it does nothing until a builder is given it"]
pub struct Tls {
    ca: Option<PathBuf>,
    certificate: Option<(PathBuf, PathBuf)>,
}

impl Tls {
    /// Trusts the servers whose certificates are signed by a root that this system knows.
    pub fn system() -> Self {
        Self { ca: None, certificate: None }
    }

    /// Trusts the servers whose certificates are signed by a root in this file alone. The file is in the PEM format, and
    /// may hold several roots.
    pub fn ca(file: impl Into<PathBuf>) -> Self {
        Self { ca: Some(file.into()), certificate: None }
    }

    /// Shows a certificate of the bridge's own to the server, as a server with `verify: true` wants it. Both files are in
    /// the PEM format; the first may hold the certificates between its own and the root, too.
    pub fn certificate(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.certificate = Some((certificate.into(), key.into()));
        self
    }
}

/// Authority. Of user, token, nkey and credentials the last one that is set counts.
impl Builder {
    /// Connects as a user, with a password. They count more than those in the address.
    ///
    /// ```no_run
    /// use zctor_nats::{Bridge, BridgeError};
    ///
    /// // A server that was started with `--user ann --pass secret`.
    /// match Bridge::builder("shop").user("ann", "guess").connect() {
    ///     Err(BridgeError::Refused { shown, .. }) => assert_eq!(shown, Some("user and password")),
    ///     other => panic!("{other:?}"),
    /// }
    /// assert!(Bridge::builder("shop").user("ann", "secret").connect().is_ok());
    /// ```
    pub fn user(self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.identity(Identity::User { user: user.into(), password: password.into() })
    }

    /// Connects with a token, which is all that the server knows of its clients then.
    ///
    /// ```no_run
    /// # use zctor_nats::Bridge;
    /// // A server that was started with `--auth secret`.
    /// assert!(Bridge::builder("shop").token("guess").connect().is_err());
    /// assert!(Bridge::builder("shop").token("secret").connect().is_ok());
    /// ```
    pub fn token(self, token: impl Into<String>) -> Self {
        self.identity(Identity::Token(token.into()))
    }

    /// Connects with an nkey: the text of its seed, which begins with `SU`. The server knows the public key, and the
    /// seed does not leave this process.
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
        self.identity(Identity::Nkey(seed.into()))
    }

    /// Connects with a credentials file (`.creds`), which holds the token of a user that an account has signed, and the
    /// seed of its nkey. The file is read by [`connect`](Builder::connect), and not again.
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
        self.identity(Identity::Credentials(file.into()))
    }

    /// Connects by TLS alone. Without this the connection is encrypted if the server asks for it or the address begins
    /// with `tls://`, then to each server of its cluster too, and the roots that this system knows are trusted. See [`Tls`] for an example.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.settings.authority.tls = Some(tls);
        self
    }

    /// Sets the first words of the subjects by which this bridge hears of its messages: `_INBOX` by itself. With one for
    /// each user, a server can keep users from reading the replies to one another.
    ///
    /// ```
    /// use zctor_nats::{Bridge, BridgeError};
    ///
    /// // It is part of a subject, and so has no spaces.
    /// let bridge = Bridge::builder("shop").user("web", "secret").inbox_prefix("_INBOX web").connect();
    /// assert!(matches!(bridge, Err(BridgeError::Name { .. })));
    /// ```
    pub fn inbox_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.settings.authority.inbox_prefix = Some(prefix.into());
        self
    }

    fn identity(mut self, identity: Identity) -> Self {
        self.settings.authority.identity = Some(identity);
        self
    }
}

impl Authority {
    /// What the bridge shows to the server, in words.
    pub(crate) fn shown(&self, address: &ServerAddr) -> Option<&'static str> {
        match &self.identity {
            Some(Identity::User { .. }) => Some("user and password"),
            Some(Identity::Token(_)) => Some("token"),
            Some(Identity::Nkey(_)) => Some("nkey"),
            Some(Identity::Credentials(_)) => Some("credentials file"),
            None => address.username().map(|_| "user, password or token in the address"),
        }
    }

    /// Whether the bridge has a certificate of its own.
    pub(crate) fn has_certificate(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.certificate.is_some())
    }

    /// The options of the client. The files are read here, for errors that name them.
    pub(crate) fn apply(
        &self,
        mut options: ConnectOptions,
        address: &ServerAddr,
    ) -> Result<ConnectOptions, BridgeError> {
        options = match &self.identity {
            Some(Identity::User { user, password }) => options.user_and_password(user.clone(), password.clone()),
            Some(Identity::Token(token)) => options.token(token.clone()),
            Some(Identity::Nkey(seed)) => options.nkey(seed.trim().to_owned()),
            Some(Identity::Credentials(path)) => {
                let text = read(path)?;
                options.credentials(&text).map_err(|source| BridgeError::File { path: path.clone(), source })?
            }
            // The client does not read them from the address.
            None => match (address.username().map(decoded), address.password().map(decoded)) {
                (Some(user), Some(password)) => options.user_and_password(user, password),
                (Some(token), None) => options.token(token),
                (None, _) => options,
            },
        };
        // From an address with `tls://` the client takes it for that address alone. The server names others, and without
        // this the client would show them its password in the clear.
        if self.tls.is_some() || address.tls_required() {
            options = options.require_tls(true);
        }
        if let Some(Tls { ca, certificate }) = &self.tls {
            if let Some(ca) = ca {
                expect_pem(ca, "CERTIFICATE-----")?;
                options = options.add_root_certificates(ca.clone());
            }
            if let Some((certificate, key)) = certificate {
                expect_pem(certificate, "CERTIFICATE-----")?;
                expect_pem(key, "PRIVATE KEY-----")?;
                options = options.add_client_certificate(certificate.clone(), key.clone());
            }
        }
        Ok(match &self.inbox_prefix {
            Some(prefix) => options.custom_inbox_prefix(prefix),
            None => options,
        })
    }
}

/// A part of an address in the user's own characters: an address escapes many of them, `=` among them.
fn decoded(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
}

/// The address without a user, a password and a token. The client writes the address that it is given into its log.
pub(crate) fn without_user(address: &ServerAddr) -> io::Result<ServerAddr> {
    let mut url = address.clone().into_inner();
    // An error: the address has no host, and so no user either.
    let _ = url.set_username("").and_then(|()| url.set_password(None));
    ServerAddr::from_url(url)
}

fn read(path: &Path) -> Result<String, BridgeError> {
    fs::read_to_string(path).map_err(|source| BridgeError::File { path: path.to_owned(), source })
}

/// The client takes a file without a certificate for one with none, and trusts nobody then.
fn expect_pem(path: &Path, what: &str) -> Result<(), BridgeError> {
    if read(path)?.contains(what) {
        return Ok(());
    }
    let source = Error::new(ErrorKind::InvalidData, format!("it holds no `-----BEGIN {what}`"));
    Err(BridgeError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_tls_asks_for_it_of_the_servers_that_it_names_too() {
        for (address, expected) in [("tls://a.example", true), ("nats://a.example", false)] {
            let address: ServerAddr = address.parse().expect("an address");
            let options = Authority::default().apply(ConnectOptions::new(), &address).expect("there are no files");
            assert!(format!("{options:?}").contains(&format!("\"tls_required\": {expected}")), "{options:?}");
        }
    }

    /// Issue #17.
    #[test]
    fn the_client_is_given_no_secret_in_the_address() {
        for address in ["nats://ann:s3cret@10.0.0.7:4222", "tls://s3cret@nats.example:4222", "s3cret@10.0.0.7"] {
            let address: ServerAddr = address.parse().expect("an address");
            let given = without_user(&address).expect("an address");
            let text = format!("{given:?}").replace("cannot", "");
            assert!(!text.contains("s3cret") && !text.contains("ann"), "{text}");
            assert_eq!(
                (given.host(), given.port(), given.scheme()),
                (address.host(), address.port(), address.scheme())
            );
        }
    }
}
