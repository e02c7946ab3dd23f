//! `[serve]`: where readers reach us, where we listen, and whose word about
//! addresses is taken.

use std::net::{Ipv4Addr, SocketAddr};

use toml::Spanned;
use url::Url;

use super::{findings::Findings, raw::RawServe, settings::ServeSettings};
use crate::domain::{network::Network, publication::parse_base_url};

/// Where `serve` listens unless told otherwise: this machine alone.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// What a form of a small publication never sees, unless somebody abuses it.
const SIGNUPS: usize = 60;

/// An address and port to listen on, such as `127.0.0.1:8080`.
///
/// # Errors
/// When it is none; says what it is.
pub fn parse_listen(raw: &str) -> Result<SocketAddr, String> {
    let address = raw.trim().parse();
    address.map_err(|_| format!("`{raw}` is no address with a port, such as `127.0.0.1:8080`"))
}

pub(super) fn check(raw: &RawServe, findings: &mut Findings<'_>) -> Option<ServeSettings> {
    let public_url = public_url(raw.public_url.as_ref(), findings);
    let listen = match &raw.listen {
        None => Some(LISTEN),
        Some(text) => findings.parsed(
            Some(text),
            parse_listen(text.get_ref()),
            "write an address of this machine and a port: `127.0.0.1:8080` for a proxy on it",
        ),
    };
    let proxies: Vec<Option<Network>> = raw
        .trusted_proxies
        .iter()
        .map(|text| {
            let remedy = "list the addresses or networks of your own proxies";
            findings.parsed(Some(text), text.get_ref().parse(), remedy)
        })
        .collect();
    let signups = findings.counted(
        raw.signups_per_hour.as_ref(),
        "serve.signups_per_hour",
        SIGNUPS,
        1..=100_000,
    );
    Some(ServeSettings {
        signups_per_hour: signups?,
        public_url: public_url?,
        listen: listen?,
        trusted_proxies: proxies.into_iter().collect::<Option<_>>()?,
    })
}

fn public_url(raw: Option<&Spanned<String>>, findings: &mut Findings<'_>) -> Option<Option<Url>> {
    let Some(text) = raw else {
        return Some(None);
    };
    let parsed = parse_base_url(text.get_ref())
        .map_err(|error| error.to_string())
        .and_then(|url| match url.scheme() {
            "https" => Ok(url),
            _ => Err(format!("serve.public_url `{url}` is not https")),
        });
    let url = findings.parsed(
        Some(text),
        parsed,
        "one-click unsubscribe works over https only (RFC 8058): `https://letters.example.org/`",
    )?;
    Some(Some(url))
}
