//! The identity of the bridge, and its trust in the server: the methods of [`Builder`] for both.

#[cfg_attr(feature = "nkeys", path = "authority/keys.rs")]
#[cfg_attr(not(feature = "nkeys"), path = "authority/keys_off.rs")]
mod keys;

use std::fs;
use std::io::{self, Error, ErrorKind};
use std::path::{Path, PathBuf};

use async_nats::{ConnectOptions, ServerAddr};
use percent_encoding::percent_decode_str;

use crate::authority::keys::Key;
use crate::bridge::Builder;
use crate::error::{BridgeError, without_password};

/// The identity that a bridge shows to the server, and the servers that it trusts. It is printed nowhere.
#[derive(Clone, Default)]
pub(crate) struct Authority {
    identity: Option<Identity>,
    tls: Option<Tls>,
    pub(crate) inbox_prefix: Option<String>,
}

#[derive(Clone)]
enum Identity {
    User {
        user: String,
        password: String,
    },
    Token(String),
    #[cfg_attr(not(feature = "nkeys"), expect(dead_code, reason = "there are no keys"))]
    Key(Key),
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

/// Authority. Of `user`, `token`, `nkey` and `credentials` the last one that is set counts.
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

    /// Connects by TLS alone. Without this the connection is encrypted if the server asks for it or an address begins
    /// with `tls://`, then to each server of its cluster too, and the roots that this system knows are trusted. See [`Tls`]
    /// for an example.
    ///
    /// A certificate is for names. The servers of a cluster that a bridge has not been given tell of one another by numbers
    /// mostly, such as `10.0.0.7`: unless their certificates are for these, too, give [`servers`](Builder::servers) all of
    /// their names.
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

/// The addresses of a cluster's servers.
pub(crate) struct Addresses {
    /// Without a user, a password and a token. The client writes the addresses that it is given into its log.
    pub(crate) bare: Vec<ServerAddr>,
    /// The user and the password, or the token and nothing, that stand in them.
    user: Option<(String, Option<String>)>,
    requires_tls: bool,
}

impl Addresses {
    pub(crate) fn read(servers: &[String]) -> Result<Self, BridgeError> {
        let unfit = |server: &str, source: Error| {
            let server = without_password(server);
            BridgeError::Connect { server, source: source.into() }
        };
        let of = |text: &str| Error::new(ErrorKind::InvalidInput, text);
        if servers.is_empty() {
            return Err(unfit("..", of("no address was given; give `Builder::servers` one at least")));
        }
        let mut addresses = Self { bare: Vec::new(), user: None, requires_tls: false };
        for server in servers {
            let address: ServerAddr = server.parse().map_err(|source| unfit(server, source))?;
            if address.host().is_empty() {
                return Err(unfit(server, of("the address names no host; write `nats://host:4222`")));
            }
            let user = address.username().map(|user| (decoded(user), address.password().map(decoded)));
            match (&addresses.user, user) {
                (Some(known), Some(user)) if *known != user => {
                    let text = "another user stands in another address; write it into none, and give the builder one `user` \
                                or `token` for all servers";
                    return Err(unfit(server, of(text)));
                }
                (None, Some(user)) => addresses.user = Some(user),
                _ => {}
            }
            addresses.requires_tls |= address.tls_required();
            addresses.bare.push(without_user(&address).map_err(|source| unfit(server, source))?);
        }
        Ok(addresses)
    }
}

impl Authority {
    /// The words for that which the bridge shows to the server.
    pub(crate) fn shown(&self, addresses: &Addresses) -> Option<&'static str> {
        match &self.identity {
            Some(Identity::User { .. }) => Some("user and password"),
            Some(Identity::Token(_)) => Some("token"),
            Some(Identity::Key(key)) => Some(key.shown()),
            None => addresses.user.as_ref().map(|_| "user, password or token in the address"),
        }
    }

    /// Whether the bridge has a certificate of its own.
    pub(crate) fn has_certificate(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.certificate.is_some())
    }

    /// The options of the client. The files are read here, for errors that name them.
    pub(crate) fn options(&self, addresses: &Addresses) -> Result<ConnectOptions, BridgeError> {
        let options = ConnectOptions::new();
        let mut options = match &self.identity {
            Some(Identity::User { user, password }) => options.user_and_password(user.clone(), password.clone()),
            Some(Identity::Token(token)) => options.token(token.clone()),
            Some(Identity::Key(key)) => key.options()?,
            // The client does not read them from the address.
            None => match addresses.user.clone() {
                Some((user, Some(password))) => options.user_and_password(user, password),
                Some((token, None)) => options.token(token),
                None => options,
            },
        };
        // From an address with `tls://` the client takes it for that address alone. The server names others, and without
        // this the client would show them its password in the clear.
        if self.tls.is_some() || addresses.requires_tls {
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

/// The address without a user, a password and a token.
fn without_user(address: &ServerAddr) -> io::Result<ServerAddr> {
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
            // One of them is enough for all.
            let addresses = ["nats://b.example".to_owned(), address.to_owned()];
            let addresses = Addresses::read(&addresses).expect("they are addresses");
            let options = Authority::default().options(&addresses).expect("there are no files");
            assert!(format!("{options:?}").contains(&format!("\"tls_required\": {expected}")), "{options:?}");
        }
    }

    /// Issue #17: the system said that it could not look the name up.
    #[test]
    fn an_address_without_a_host_is_told() {
        for address in ["", "nats://"] {
            let error = Addresses::read(&[address.to_owned()]).err().expect("nobody can be reached so").to_string();
            assert!(error.contains("address") && !error.contains("look up"), "`{address}`: {error}");
        }
        let empty = Addresses::read(&[String::new()]).err().expect("it has none").to_string();
        assert!(empty.ends_with("the address names no host; write `nats://host:4222`"), "{empty}");
    }

    /// Issue #17.
    #[test]
    fn the_client_is_given_no_secret_in_the_address() {
        for address in ["nats://ann:s3cret@10.0.0.7:4222", "tls://s3cret@nats.example:4222", "s3cret@10.0.0.7"] {
            let given = Addresses::read(&[address.to_owned()]).expect("an address").bare.remove(0);
            let text = format!("{given:?}").replace("cannot", "");
            assert!(!text.contains("s3cret") && !text.contains("ann"), "{text}");
            let address: ServerAddr = address.parse().expect("an address");
            assert_eq!(
                (given.host(), given.port(), given.scheme()),
                (address.host(), address.port(), address.scheme())
            );
        }
    }

    /// Issue #17.
    #[test]
    fn addresses_that_cannot_be_used_together_are_told_without_their_secrets() {
        let read = |addresses: &[&str]| {
            let addresses: Vec<String> = addresses.iter().map(|&address| address.to_owned()).collect();
            Addresses::read(&addresses).map(|addresses| addresses.bare.len())
        };
        assert!(matches!(read(&["nats://ann:s3cret@a", "nats://b", "nats://ann:s3cret@c"]), Ok(3)));
        let text = |addresses: &[&str]| read(addresses).expect_err("they cannot be used").to_string();
        let two = text(&["nats://ann:s3cret@a", "nats://ann:guess@b"]);
        assert!(two.contains("nats://b") && two.contains("`user`"), "{two}");
        assert!(!two.contains("s3cret") && !two.contains("guess"), "{two}");
        assert!(text(&[]).contains("`Builder::servers`"));
    }
}
