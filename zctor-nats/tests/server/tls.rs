//! A connection by TLS: the server's certificate is checked, and the bridge shows its own. What does not fit is told.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use zctor::{ActorEngine, CallError};
use zctor_nats::{BridgeError, Builder, Tls};
use zctor_tests::{LIMIT, bounded};

use crate::authority::{DoorMessage, is_let_in};
use crate::nats::{Folder, Server};

/// Certificates that one root has signed.
struct Authority {
    folder: Folder,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new(root: &str) -> Self {
        let mut params = CertificateParams::new([]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, root);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a root");
        let folder = Folder::new();
        folder.write("ca.pem", &issuer.pem());
        Self { folder, issuer }
    }

    fn ca(&self) -> PathBuf {
        self.folder.path("ca.pem")
    }

    /// A certificate for this name, and its key.
    fn certificate(&self, name: &str) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.issuer).expect("it is signed");
        let write = |end: &str, text: &str| self.folder.write(&format!("{name}.{end}"), text);
        (write("pem", &certificate.pem()), write("key", &key.serialize_pem()))
    }
}

/// A server with a certificate for this name, and with more in its section on TLS.
fn server(authority: &Authority, name: &str, more: &str) -> Server {
    let (certificate, key) = authority.certificate(name);
    Server::configured(&format!("tls {{ cert_file: {certificate:?}, key_file: {key:?}, timeout: 60, {more} }}"))
}

/// The text of the error, which names the server and what to do.
fn refused(builder: Builder) -> String {
    match builder.connect() {
        Err(error @ BridgeError::Tls { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_server_is_trusted_by_the_root_that_the_bridge_is_given_alone() {
    bounded(|| {
        let (own, other) = (Authority::new("own"), Authority::new("other"));
        let server = server(&own, "127.0.0.1", "");
        is_let_in(server.builder().tls(Tls::ca(own.ca())));
        let unknown = refused(server.builder().tls(Tls::ca(other.ca())));
        assert!(unknown.contains("UnknownIssuer") && unknown.contains("`Tls::ca`"), "{unknown}");
        // The server asks for TLS, and so it is used without being asked for here.
        let unasked = refused(server.builder());
        assert!(unasked.contains("`Tls::ca`"), "{unasked}");
        let system = refused(server.builder().tls(Tls::system()));
        assert!(system.contains("`Tls::ca`"), "{system}");
    });
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    bounded(|| {
        let own = Authority::new("own");
        let server = server(&own, "nats.example", "");
        let text = refused(server.builder().tls(Tls::ca(own.ca())));
        assert!(text.contains("connect by a name that its certificate is for"), "{text}");
    });
}

#[test]
fn a_server_without_tls_is_not_spoken_to_in_the_clear() {
    bounded(|| {
        let (own, server) = (Authority::new("own"), Server::start());
        let text = refused(server.builder().user("ann", "s3cret").tls(Tls::ca(own.ca())));
        assert!(text.contains("does the server speak TLS?"), "{text}");
    });
}

#[test]
fn a_server_that_wants_a_certificate_lets_in_who_has_one_of_its_root() {
    bounded(|| {
        let (own, other) = (Authority::new("own"), Authority::new("other"));
        let server = server(&own, "127.0.0.1", &format!("ca_file: {:?}, verify: true", own.ca()));
        let tls = || Tls::ca(own.ca());
        let (certificate, key) = own.certificate("worker");
        is_let_in(server.builder().tls(tls().certificate(&certificate, &key)));
        let without = refused(server.builder().tls(tls()));
        assert!(without.contains("`Tls::certificate`"), "{without}");
        let (foreign, its_key) = other.certificate("worker");
        let text = refused(server.builder().tls(tls().certificate(&foreign, &its_key)));
        assert!(text.contains("signed by a root that the server trusts"), "{text}");
        let mixed = refused(server.builder().tls(tls().certificate(&certificate, &its_key)));
        assert!(mixed.contains("does the key belong to the certificate?"), "{mixed}");
    });
}

#[test]
fn a_file_that_is_not_there_or_holds_something_else_is_named() {
    bounded(|| {
        let (own, server) = (Authority::new("own"), Server::start());
        let (certificate, key) = own.certificate("worker");
        let (missing, empty) = (own.folder.path("missing.pem"), own.folder.write("empty.pem", ""));
        for (tls, path, expected) in [
            (Tls::ca(&missing), &missing, "os error"),
            (Tls::ca(&empty), &empty, "-----BEGIN CERTIFICATE-----"),
            (Tls::ca(own.ca()).certificate(&key, &key), &key, "-----BEGIN CERTIFICATE-----"),
            (Tls::ca(own.ca()).certificate(&certificate, &certificate), &certificate, "PRIVATE KEY-----"),
        ] {
            match server.builder().tls(tls).connect() {
                Err(error @ BridgeError::File { .. }) => {
                    let text = error.to_string();
                    assert!(text.starts_with(&*path.to_string_lossy()) && text.contains(expected), "{text}");
                }
                other => panic!("{other:?}"),
            }
        }
    });
}

/// Issue #17.
#[test]
fn each_server_of_several_is_checked_by_the_name_in_its_own_address() {
    bounded(|| {
        let own = Authority::new("own");
        let (mut first, mut second) = (server(&own, "127.0.0.1", ""), server(&own, "localhost", ""));
        let (by_number, by_name) = (first.url(), format!("tls://localhost:{}", second.port()));
        // A call waits for the next connection, and not for this time to pass.
        let builder = first.builder().servers([by_number, by_name]).tls(Tls::ca(own.ca())).patience(10 * LIMIT);
        let (here, bridge) = (ActorEngine::new(), builder.connect().expect("one is there"));
        let door = bridge.attach::<DoorMessage>(&here).expect("a link");
        let is_in = || loop {
            match door.within(LIMIT).knock() {
                Err(CallError::Lost { .. }) => {}
                outcome => return assert_eq!(outcome, Err(CallError::NotRegistered { message: "DoorMessage" })),
            }
        };
        is_in();
        // One of the two is that to which it is connected.
        first.kill();
        is_in();
        first.restart();
        second.kill();
        is_in();
    });
}
