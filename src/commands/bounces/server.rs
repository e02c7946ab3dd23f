//! The way to an IMAP server, by the rules of the way to a relay: TLS 1.2 or
//! newer with its name verified, no plain text beyond this machine, one login.

use std::{io, time::Duration};

use secrecy::ExposeSecret as _;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::rustls::{self, pki_types::ServerName};

use crate::{
    commands::exit::{Exit, Failure},
    config::{
        secret,
        settings::{ImapSource, RelayTls},
    },
    inbound::mailbox::imap::{Imap, ImapError, Wire, before_tls},
    mail::smtp::connector,
};

/// How long connecting and the TLS handshake may each take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Connects, protects, logs in and opens the mailbox.
pub(super) async fn open(source: &ImapSource) -> Result<Imap, Failure> {
    let name = format!("{}:{}/{}", source.host, source.port, source.mailbox);
    let password = secret::mailbox_password(source.password_file.as_deref())
        .map_err(|error| Failure::of(Exit::Config, &error))?;
    let told = |error: ImapError| failure(&name, &error);
    let tcp = connect(source).await.map_err(told)?;
    let wire: Box<dyn Wire> = match source.tls {
        RelayTls::None => Box::new(tcp),
        RelayTls::Implicit => protect(source, &name, tcp).await?,
        RelayTls::Required => {
            let tcp = before_tls(tcp).await.map_err(|error| match error {
                // Without TLS nothing more is said to it.
                ImapError::Protocol(_) => failure_of(Exit::Refused, &name, &error),
                other => failure(&name, &other),
            })?;
            protect(source, &name, tcp).await?
        }
    };
    let is_greeted = source.tls == RelayTls::Required;
    let login = (source.login.as_str(), password.expose_secret());
    Imap::open(wire, is_greeted, login, &source.mailbox)
        .await
        .map_err(told)
}

async fn connect(source: &ImapSource) -> Result<TcpStream, ImapError> {
    let lost = |why: String| ImapError::Lost(format!("unreachable: {why}"));
    let connecting = TcpStream::connect((source.host.as_str(), source.port));
    match timeout(PATIENCE, connecting).await {
        Ok(Ok(tcp)) => Ok(tcp),
        Ok(Err(error)) => Err(lost(error.to_string())),
        Err(_) => Err(lost(format!("no answer for {} s", PATIENCE.as_secs()))),
    }
}

async fn protect(
    source: &ImapSource,
    name: &str,
    tcp: TcpStream,
) -> Result<Box<dyn Wire>, Failure> {
    let tls = connector(source.tls_ca_file.as_deref())
        .map_err(|error| Failure::of(Exit::Config, &error))?;
    let host = ServerName::try_from(source.host.clone())
        .map_err(|error| Failure::of(Exit::Config, &error))?;
    match timeout(PATIENCE, tls.connect(host, tcp)).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(error)) if !is_about_trust(&error) => {
            Err(failure(name, &ImapError::Lost(error.to_string())))
        }
        Ok(Err(error)) => Err(Failure::of(Exit::Refused, &error)
            .within(format!("{name}: TLS failed"))
            .hint("nothing was sent in plain text; see `bounces.tls_ca_file`")),
        Err(_) => Err(failure(
            name,
            &ImapError::Lost("no answer in the TLS handshake".to_owned()),
        )),
    }
}

/// Whether a handshake failed over what was said, not over the wire.
fn is_about_trust(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|inner| inner.is::<rustls::Error>())
}

/// A trouble with the server, as the exit code knows it.
pub(super) fn failure(name: &str, error: &ImapError) -> Failure {
    let exit = match error {
        ImapError::Login(_) => Exit::Refused,
        ImapError::Mailbox(_) => Exit::NoInput,
        ImapError::Lost(_) => Exit::Temporary,
        ImapError::Protocol(_) => Exit::Protocol,
    };
    failure_of(exit, name, error)
}

fn failure_of(exit: Exit, name: &str, error: &ImapError) -> Failure {
    Failure::of(exit, error)
        .within(format!("{name} cannot be read"))
        .hint("nothing is lost: mails stay unseen until their effect is on record")
}
