//! The certificate of the readers' page, as whoever presses "unsubscribe" is shown
//! it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::rustls::pki_types::ServerName;
use url::Url;

use crate::{
    doctor::{Finding, Topic, about_to_end},
    mail::smtp::connector,
};

/// Providers wait no longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A warning when it is about to end. That it cannot be had is told where the page
/// is asked.
pub(super) async fn ending(base: &Url, now: DateTime<Utc>) -> Option<Finding> {
    let certificate = timeout(PATIENCE, shown(base)).await.ok()??;
    let name = base.host_str()?;
    about_to_end(Topic::OneClick, name, &certificate, now)
}

async fn shown(base: &Url) -> Option<Vec<u8>> {
    let host = base.host_str()?.trim_matches(['[', ']']);
    let port = base.port_or_known_default()?;
    let name = ServerName::try_from(host.to_owned()).ok()?;
    let tcp = TcpStream::connect((host, port)).await.ok()?;
    let stream = connector(None).ok()?.connect(name, tcp).await.ok()?;
    let shown = stream.get_ref().1.peer_certificates()?;
    shown.first().map(|own| own.to_vec())
}
