//! The way to a connection, and what stands in it: faults of the client become errors that say what to do.

use std::error::Error;
use std::io;

use async_nats::rustls::{self, CertificateError};
use async_nats::{Client, ConnectError, ConnectErrorKind, Event, ServerError};

use tokio::sync::Semaphore;

use crate::authority::Addresses;
use crate::connection::Settings;
use crate::error::BridgeError;

/// Connects. `on_event` is told of what happens to the connection afterwards.
pub(crate) async fn connect(
    settings: &Settings,
    on_event: impl Fn(Event) + Send + Sync + 'static,
) -> Result<Client, BridgeError> {
    let addresses = Addresses::read(&settings.servers)?;
    let options = settings.authority.options(&addresses)?.name(&settings.name).event_callback(move |event| {
        on_event(event);
        async {}
    });
    // The client drops a message for which a subscription has no room, and nobody counts it. So there is always room.
    let options = options.subscription_capacity(Semaphore::MAX_PERMITS);
    let (server, shown) = (settings.told_servers(), settings.authority.shown(&addresses));
    let has_certificate = settings.authority.has_certificate();
    options.connect(addresses.bare).await.map_err(|error| fault(server, shown, has_certificate, error))
}

fn fault(server: String, shown: Option<&'static str>, has_certificate: bool, error: ConnectError) -> BridgeError {
    if error.kind() == ConnectErrorKind::Authentication && error.source().is_none() {
        return BridgeError::Nkey;
    }
    let source = error.source();
    if let Some(said) = source.and_then(|source| source.downcast_ref::<ServerError>()) {
        let text = match said {
            ServerError::Other(text) => text.clone(),
            other => other.to_string().trim_start_matches("nats: ").to_owned(),
        };
        return BridgeError::Refused { server, text, shown };
    }
    match tls_fault(source, error.kind() == ConnectErrorKind::Tls, has_certificate) {
        Some(text) => BridgeError::Tls { server, text },
        None => BridgeError::Connect { server, source: error.into() },
    }
}

/// A text that says what is wrong with TLS and what to do; `None` if the fault is another one.
fn tls_fault(source: Option<&(dyn Error + 'static)>, is_tls: bool, has_certificate: bool) -> Option<String> {
    let source = source?;
    // The client wraps what TLS says into an error of a stream.
    let stream = source.downcast_ref::<io::Error>();
    let inner = stream.and_then(io::Error::get_ref).and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let advice = match inner.or_else(|| source.downcast_ref()) {
        Some(rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => "connect by a name that its certificate is for",
        Some(rustls::Error::InvalidCertificate(_)) => {
            "if the certificate is right, trust the root that has signed it: `Tls::ca`"
        }
        Some(rustls::Error::InvalidMessage(_)) => {
            "does the server speak TLS? If not, leave `Builder::tls` and `tls://` out, or give it a certificate"
        }
        Some(rustls::Error::AlertReceived(_)) if has_certificate => {
            "the server does not take the certificate of the bridge: it has to be signed by a root that the server trusts"
        }
        Some(rustls::Error::AlertReceived(_)) => "the server may want a certificate of the bridge: `Tls::certificate`",
        Some(_) => "see the certificates on both sides",
        None if is_tls => "see the files that `Tls` was given: does the key belong to the certificate?",
        None => return None,
    };
    Some(match stream {
        Some(stream) => format!("{stream}; {advice}"),
        None => format!("{source}; {advice}"),
    })
}
