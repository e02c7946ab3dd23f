//! Questions to the DNS, and the three ways in which it answers.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use hickory_resolver::{
    Resolver, TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig},
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::{RData, RecordType},
};

/// One question waits so long, and is asked twice.
const PATIENCE: Duration = Duration::from_secs(3);

/// The resolver of this machine cannot be found out.
#[derive(Debug, thiserror::Error)]
#[error("this machine names no DNS server; `--resolver ADDRESS` does")]
pub struct NamesError(#[source] NetError);

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// There is no such record.
    Nothing,
    /// Nobody could say.
    Away(String),
}

type Answer<T> = Result<Vec<T>, Unanswered>;

/// Whom the DNS is asked through.
pub struct Names {
    resolver: TokioResolver,
}

impl Names {
    /// Asks the resolver of this machine, or this one.
    ///
    /// # Errors
    /// When the machine names none.
    pub fn new(server: Option<SocketAddr>) -> Result<Self, NamesError> {
        let mut builder = match server {
            None => TokioResolver::builder_tokio().map_err(NamesError)?,
            Some(server) => {
                let ways = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut way| {
                    way.port = server.port();
                    way
                });
                let server = NameServerConfig::new(server.ip(), true, ways.into());
                let config = ResolverConfig::from_name_servers(vec![server]);
                Resolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
        };
        let options = builder.options_mut();
        options.timeout = PATIENCE;
        options.attempts = 2;
        // The world does not see this machine's own list of names.
        options.use_hosts_file = ResolveHosts::Never;
        let resolver = builder.build().map_err(NamesError)?;
        Ok(Self { resolver })
    }

    async fn ask<T>(
        &self,
        name: &str,
        kind: RecordType,
        read: impl Fn(&RData) -> Option<T>,
    ) -> Answer<T> {
        // With the dot at its end it is not tried below the machine's own domain.
        let whole = format!("{}.", name.trim_end_matches('.'));
        let answer = self.resolver.lookup(whole, kind).await;
        let answer = answer.map_err(|error| match error.is_no_records_found() {
            true => Unanswered::Nothing,
            false => Unanswered::Away(error.to_string()),
        })?;
        let records = answer.answers().iter();
        let found: Vec<T> = records.filter_map(|record| read(&record.data)).collect();
        match found.is_empty() {
            true => Err(Unanswered::Nothing),
            false => Ok(found),
        }
    }

    /// TXT records, each with its strings put together (RFC 7208 3.3).
    pub(super) async fn texts(&self, name: &str) -> Answer<String> {
        self.ask(name, RecordType::TXT, |data| match data {
            RData::TXT(text) => {
                let bytes = text.txt_data.concat();
                Some(String::from_utf8_lossy(&bytes).into_owned())
            }
            _ => None,
        })
        .await
    }

    /// IPv4 and IPv6 addresses; `name` may be an address itself.
    pub(super) async fn addresses(&self, name: &str) -> Answer<IpAddr> {
        if let Ok(address) = name.parse() {
            return Ok(vec![address]);
        }
        let four = self.ask(name, RecordType::A, |data| match data {
            RData::A(address) => Some(IpAddr::V4(address.0)),
            _ => None,
        });
        let six = self.ask(name, RecordType::AAAA, |data| match data {
            RData::AAAA(address) => Some(IpAddr::V6(address.0)),
            _ => None,
        });
        match tokio::join!(four, six) {
            (Err(four), Err(_)) => Err(four),
            (four, six) => Ok([four.unwrap_or_default(), six.unwrap_or_default()].concat()),
        }
    }

    /// Mail exchangers, the preferred first; `.` stands for none (RFC 7505).
    pub(super) async fn exchanges(&self, name: &str) -> Answer<String> {
        let mut found = self
            .ask(name, RecordType::MX, |data| match data {
                RData::MX(mx) => Some((mx.preference, plain(&mx.exchange.to_string()))),
                _ => None,
            })
            .await?;
        found.sort();
        Ok(found.into_iter().map(|(_, host)| host).collect())
    }

    /// The names of an address.
    pub(super) async fn pointers(&self, address: IpAddr) -> Answer<String> {
        let answer = self.resolver.reverse_lookup(address).await;
        let answer = answer.map_err(|error| match error.is_no_records_found() {
            true => Unanswered::Nothing,
            false => Unanswered::Away(error.to_string()),
        })?;
        let names = answer.answers().iter();
        let names = names.filter_map(|record| match &record.data {
            RData::PTR(name) => Some(plain(&name.0.to_string())),
            _ => None,
        });
        Ok(names.collect())
    }
}

/// A name as people write it.
fn plain(name: &str) -> String {
    let bare = name.trim_end_matches('.').to_ascii_lowercase();
    if bare.is_empty() {
        ".".to_owned()
    } else {
        bare
    }
}
