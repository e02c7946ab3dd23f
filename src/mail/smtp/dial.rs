//! From a relay's address to an open, protected, logged-in session.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use lettre::transport::smtp::{
    authentication::{Credentials, Mechanism},
    client::AsyncSmtpConnection,
    commands::Starttls,
    extension::{ClientId, Extension},
};
use secrecy::ExposeSecret;
use tokio::{net::TcpStream, task::JoinSet, time::timeout};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        self, ClientConfig, RootCertStore,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

use super::{
    Session, Trouble,
    stream::{RelayStream, Wire},
    trouble::{cause, reply_of},
};
use crate::{
    config::settings::{RelayTls, SmtpRelay, Timeouts},
    domain::delivery::Phase,
};

/// Opens sessions with one relay.
#[derive(Clone)]
pub struct Dialer {
    relay: SmtpRelay,
    hello: ClientId,
    timeouts: Timeouts,
    tls: Option<TlsConnector>,
}

/// Why a relay cannot be dialled at all.
#[derive(Debug, thiserror::Error)]
pub enum DialerError {
    /// `tls_ca_file` is no certificate.
    #[error("the certificate file {} cannot be read", path.display())]
    Certificate {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// Neither the machine nor the configuration trusts anybody.
    #[error(
        "this machine trusts no certificate authority; install `ca-certificates` or set `tls_ca_file`"
    )]
    NoTrust,
    /// The TLS library refuses its own defaults.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

type Connection = (AsyncSmtpConnection, RelayStream);

impl Dialer {
    /// Prepares TLS once for all sessions.
    ///
    /// # Errors
    /// When TLS is wanted and no certificate authority is trusted.
    pub fn new(
        relay: SmtpRelay,
        hello_name: &str,
        timeouts: Timeouts,
    ) -> Result<Self, DialerError> {
        let tls = match relay.tls {
            RelayTls::None => None,
            RelayTls::Implicit | RelayTls::Required => {
                Some(connector(relay.tls_ca_file.as_deref())?)
            }
        };
        Ok(Self {
            hello: client_id(hello_name),
            relay,
            timeouts,
            tls,
        })
    }

    /// The login name, where the relay wants one.
    #[must_use]
    pub fn login(&self) -> Option<&str> {
        self.relay.login.as_deref()
    }

    /// Connects, greets, protects and logs in.
    ///
    /// # Errors
    /// [`Trouble::Refused`] with the phase, [`Trouble::Lost`] when nobody
    /// answers, [`Trouble::Identity`] when TLS fails: then nothing was sent in
    /// plain text, and the login was not tried.
    pub async fn open(&self) -> Result<Session, Trouble> {
        // In a task of its own: a panic over a malformed answer must cost one
        // session only. The one known (RUSTSEC-2026-0562) is met by `stream`.
        // In a set, because the task must end with its caller.
        let dialer = self.clone();
        let mut opening = JoinSet::new();
        opening.spawn(async move { dialer.converse().await });
        let (connection, stream) = match opening.join_next().await {
            Some(Ok(result)) => result?,
            Some(Err(_)) | None => {
                return Err(Trouble::Protocol {
                    phase: Phase::Connect,
                    reason: "its answer to EHLO cannot be understood".to_owned(),
                });
            }
        };
        Ok(Session::new(connection, stream, self.timeouts))
    }

    async fn converse(&self) -> Result<Connection, Trouble> {
        let (tcp, peer) = self.connect().await?;
        let (mut connection, stream) = match self.relay.tls {
            RelayTls::None => self.greet(Wire::Plain(tcp), peer, b"").await?,
            RelayTls::Implicit => {
                let wire = self.protect(tcp).await?;
                self.greet(wire, peer, b"").await?
            }
            RelayTls::Required => self.upgrade(tcp, peer).await?,
        };
        if let (Some(login), Some(password)) = (&self.relay.login, &self.relay.password) {
            let credentials = Credentials::new(login.clone(), password.expose_secret().to_owned());
            self.log_in(&mut connection, &credentials).await?;
        }
        Ok((connection, stream))
    }

    /// Every address of the host in turn, each within the connect limit.
    async fn connect(&self) -> Result<(TcpStream, SocketAddr), Trouble> {
        let limit = self.timeouts.connect;
        let lost = |reason: String| Trouble::Lost {
            phase: Phase::Connect,
            reason,
        };
        let look_up = tokio::net::lookup_host((self.relay.host.as_str(), self.relay.port));
        let addresses = timeout(limit, look_up)
            .await
            .map_err(|_| Trouble::timeout(Phase::Connect, limit))?
            .map_err(|error| lost(format!("the host name cannot be resolved ({error})")))?;
        let mut last = lost("the host name has no address".to_owned());
        for address in addresses {
            match timeout(limit, TcpStream::connect(address)).await {
                Ok(Ok(tcp)) => {
                    // Two small writes without this cost 40 ms each (Nagle
                    // meets delayed acknowledgement).
                    tcp.set_nodelay(true).map_err(|e| lost(e.to_string()))?;
                    return Ok((tcp, address));
                }
                Ok(Err(error)) => last = lost(connect_error(&error)),
                Err(_) => last = Trouble::timeout(Phase::Connect, limit),
            }
        }
        Err(last)
    }

    async fn greet(
        &self,
        wire: Wire,
        peer: SocketAddr,
        greeting: &[u8],
    ) -> Result<Connection, Trouble> {
        let stream = RelayStream::new(wire, peer, greeting);
        let limit = self.timeouts.greeting;
        let hello =
            AsyncSmtpConnection::connect_with_transport(Box::new(stream.clone()), &self.hello);
        match timeout(limit, hello).await {
            Ok(Ok(connection)) => Ok((connection, stream)),
            Ok(Err(error)) => Err(Trouble::before_dot(Phase::Connect, &error)),
            Err(_) => Err(Trouble::timeout(Phase::Connect, limit)),
        }
    }

    /// STARTTLS (RFC 3207): the plain session runs over a second handle of the
    /// socket and is thrown away with everything it had buffered.
    async fn upgrade(&self, tcp: TcpStream, peer: SocketAddr) -> Result<Connection, Trouble> {
        let lost = |error: io::Error| Trouble::Lost {
            phase: Phase::Tls,
            reason: error.to_string(),
        };
        let socket = tcp.into_std().map_err(lost)?;
        let plain = TcpStream::from_std(socket.try_clone().map_err(lost)?).map_err(lost)?;
        let (mut connection, stream) = self.greet(Wire::Plain(plain), peer, b"").await?;
        let offers = connection
            .server_info()
            .supports_feature(Extension::StartTls);
        if !offers {
            let what = format!("{} does not offer STARTTLS", self.relay.host);
            return Err(Trouble::Identity(what));
        }
        let limit = self.timeouts.greeting;
        match timeout(limit, connection.command(Starttls)).await {
            Ok(Ok(reply)) if reply.has_code(220) => {}
            Ok(Ok(reply)) => {
                return Err(Trouble::Protocol {
                    phase: Phase::Tls,
                    reason: format!("STARTTLS was answered with {}", reply.code()),
                });
            }
            Ok(Err(error)) => return Err(Trouble::before_dot(Phase::Tls, &error)),
            Err(_) => return Err(Trouble::timeout(Phase::Tls, limit)),
        }
        if stream.has_surplus() {
            return Err(Trouble::Protocol {
                phase: Phase::Tls,
                reason: "unexpected data before TLS".to_owned(),
            });
        }
        drop((connection, stream));
        let wire = self
            .protect(TcpStream::from_std(socket).map_err(lost)?)
            .await?;
        self.greet(wire, peer, b"220 TLS\r\n").await
    }

    async fn protect(&self, tcp: TcpStream) -> Result<Wire, Trouble> {
        let Some(tls) = &self.tls else {
            return Err(Trouble::Identity("TLS is not set up".to_owned()));
        };
        let name = ServerName::try_from(self.relay.host.clone())
            .map_err(|_| Trouble::Identity(format!("`{}` is no host name", self.relay.host)))?;
        let limit = self.timeouts.greeting;
        match timeout(limit, tls.connect(name, tcp)).await {
            Ok(Ok(stream)) => Ok(Wire::Tls(Box::new(stream))),
            Ok(Err(error)) if is_tls(&error) => Err(Trouble::Identity(format!(
                "expected a certificate for {}: {}",
                self.relay.host,
                cause(&error)
            ))),
            Ok(Err(error)) => Err(Trouble::Lost {
                phase: Phase::Tls,
                reason: error.to_string(),
            }),
            Err(_) => Err(Trouble::timeout(Phase::Tls, limit)),
        }
    }

    /// One attempt only: repeated wrong passwords lock accounts.
    async fn log_in(
        &self,
        connection: &mut AsyncSmtpConnection,
        credentials: &Credentials,
    ) -> Result<(), Trouble> {
        let mechanisms = [Mechanism::Plain, Mechanism::Login];
        if connection
            .server_info()
            .get_auth_mechanism(&mechanisms)
            .is_none()
        {
            return Err(Trouble::NoLogin(
                "neither AUTH PLAIN nor AUTH LOGIN".to_owned(),
            ));
        }
        let limit: Duration = self.timeouts.auth;
        match timeout(limit, connection.auth(&mechanisms, credentials)).await {
            Ok(Ok(reply)) if reply.has_code(235) => Ok(()),
            Ok(Ok(reply)) => Err(Trouble::Protocol {
                phase: Phase::Auth,
                reason: format!("the login was answered with {}", reply.code()),
            }),
            Ok(Err(error)) => Err(match reply_of(&error) {
                Some(reply) => Trouble::Refused {
                    phase: Phase::Auth,
                    reply,
                },
                None => Trouble::before_dot(Phase::Auth, &error),
            }),
            Err(_) => Err(Trouble::timeout(Phase::Auth, limit)),
        }
    }
}

fn client_id(name: &str) -> ClientId {
    let inner = name.trim_matches(['[', ']']);
    if let Ok(ip) = inner.parse() {
        return ClientId::Ipv4(ip);
    }
    match inner.trim_start_matches("IPv6:").parse() {
        Ok(ip) => ClientId::Ipv6(ip),
        Err(_) => ClientId::Domain(name.to_owned()),
    }
}

fn connect_error(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::TimedOut => "connection timed out".to_owned(),
        io::ErrorKind::HostUnreachable => "host unreachable".to_owned(),
        io::ErrorKind::NetworkUnreachable => "network unreachable".to_owned(),
        _ => error.to_string(),
    }
}

/// Whether a handshake failed over what was said, not over the wire.
fn is_tls(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|inner| inner.is::<rustls::Error>())
}

/// TLS that trusts the machine's authorities, and the one in `tls_ca_file`.
///
/// # Errors
/// When the file is no certificate, or nobody is trusted.
pub fn connector(tls_ca_file: Option<&Path>) -> Result<TlsConnector, DialerError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = tls_ca_file {
        let broken = |source| DialerError::Certificate {
            path: path.to_owned(),
            source,
        };
        for certificate in CertificateDer::pem_file_iter(path).map_err(broken)? {
            roots.add_parsable_certificates([certificate.map_err(broken)?]);
        }
    }
    if roots.is_empty() {
        return Err(DialerError::NoTrust);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(DialerError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
