//! A client of HTTP for small questions: it trusts whom this machine trusts,
//! follows nobody and waits for nobody long.

use std::{io, sync::Arc, time::Duration};

use ureq::{
    Agent,
    tls::{Certificate, RootCerts, TlsConfig},
};

/// A client for servers that are spoken to by this scheme. Blocks, no longer
/// than these limits. Proxies named in the environment are not used.
#[must_use]
pub fn agent(scheme: &str, connect: Duration, request: Duration) -> Agent {
    let config = Agent::config_builder()
        .timeout_global(Some(request))
        .timeout_resolve(Some(connect))
        .timeout_connect(Some(connect))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .proxy(None)
        .user_agent(concat!("Letterpress/", env!("CARGO_PKG_VERSION")))
        .tls_config(match scheme {
            "https" => trust(),
            _ => TlsConfig::default(),
        })
        .build();
    config.into()
}

/// The machine's certificate store, as for mail.
fn trust() -> TlsConfig {
    let certificates: Vec<_> = rustls_native_certs::load_native_certs()
        .certs
        .into_iter()
        .map(|certificate| Certificate::from_der(&certificate).to_owned())
        .collect();
    TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .root_certs(RootCerts::new_with_certs(&certificates))
        .build()
}

/// What went wrong, in the words of the system where it has any.
#[must_use]
pub fn phrase(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            "connection refused".to_owned()
        }
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::Timeout(_) => "it takes too long".to_owned(),
        ureq::Error::HostNotFound => "its name is not known".to_owned(),
        other => other.to_string(),
    }
}
