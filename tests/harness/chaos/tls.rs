//! Certificates for the sink, made anew for every test.

use std::sync::Arc;

use chrono::Datelike as _;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// The certificate the sink shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// For `localhost` and 127.0.0.1, signed by the sink's own authority.
    Good,
    /// The same, but over since 2020.
    Expired,
    /// The same, but over in five days and some hours.
    EndsSoon,
    /// For `other.example.net` only.
    WrongName,
}

/// A fresh authority and a server that shows a certificate signed by it.
pub(crate) struct Keys {
    /// The authority's certificate in PEM.
    pub(crate) authority_pem: String,
    /// The server's side of TLS.
    pub(crate) server: Arc<ServerConfig>,
}

impl Keys {
    /// Makes both; the authority is new, so nobody trusts it by accident.
    pub(crate) fn make(identity: Identity) -> Self {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        authority
            .distinguished_name
            .push(DnType::CommonName, "Chaos sink authority");
        let authority_key = KeyPair::generate().unwrap();
        let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
        let issuer = Issuer::new(authority, authority_key);

        let names = match identity {
            Identity::Good | Identity::Expired | Identity::EndsSoon => {
                vec!["localhost", "127.0.0.1"]
            }
            Identity::WrongName => vec!["other.example.net"],
        };
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let mut server = CertificateParams::new(names).unwrap();
        if identity == Identity::Expired {
            server.not_before = date_time_ymd(2019, 1, 1);
            server.not_after = date_time_ymd(2020, 1, 1);
        }
        if identity == Identity::EndsSoon {
            let end = chrono::Utc::now() + chrono::TimeDelta::days(6);
            let (month, day) = (end.month() as u8, end.day() as u8);
            server.not_before = date_time_ymd(2026, 1, 1);
            server.not_after = date_time_ymd(end.year(), month, day);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = server.signed_by(&key, &issuer).unwrap();

        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let server = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        Self {
            authority_pem,
            server: Arc::new(server),
        }
    }
}
