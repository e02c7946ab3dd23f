//! Who may send for a domain (RFC 7208), judged as a receiver would.

use std::{future::Future, net::IpAddr, pin::Pin};

use super::{
    finding::{Finding, Topic},
    names::{Names, Unanswered},
};
use crate::domain::network::Network;

/// More questions to the DNS than this are an error (4.6.4).
const MOST_LOOKUPS: usize = 10;

/// What is known of the sending of mail.
#[derive(Debug, Clone)]
pub struct Sending<'a> {
    /// The domain of the envelope sender.
    pub domain: &'a str,
    /// The host names of the relays.
    pub relays: Vec<&'a str>,
}

/// What a record says of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Pass,
    Fail,
    SoftFail,
    Neutral,
}

/// Why a record says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Trouble {
    /// This domain has none.
    Missing(String),
    /// This domain has several.
    Several(String),
    /// This term of this domain's record cannot be read.
    Term(String, String),
    /// It takes too many questions.
    TooMany,
    /// It depends on the single message.
    Macro,
    Away(String, String),
}

/// What a receiver makes of the SPF record of the envelope's domain.
pub async fn sending(names: &Names, sending: &Sending<'_>) -> Vec<Finding> {
    let domain = sending.domain;
    let wanted = suggested(sending);
    // An address that nobody has is asked for first: it meets every term.
    let mut walk = Walk { names, lookups: 0 };
    let verdict = walk.check(domain.to_owned(), None).await;
    let verdict = match verdict {
        Ok(verdict) => verdict,
        Err(trouble) => return vec![told(domain, trouble, &wanted)],
    };
    let mut found = Vec::new();
    match verdict {
        Verdict::Pass => found.push(
            Finding::error(
                Topic::Spf,
                format!("the record of {domain} lets everybody send (`+all`)"),
                "end it with `~all`",
            )
            .with_record(domain, &wanted),
        ),
        Verdict::Neutral => found.push(Finding::warning(
            Topic::Spf,
            format!("the record of {domain} says nothing of other senders"),
            "end it with `~all`",
        )),
        Verdict::Fail | Verdict::SoftFail => found.push(Finding::ok(
            Topic::Spf,
            format!(
                "{domain} has one record, which takes {} of {MOST_LOOKUPS} look-ups",
                walk.lookups
            ),
        )),
    }
    for relay in &sending.relays {
        found.extend(covers(names, domain, relay).await);
    }
    found
}

/// A record that would do: what stands in for what only the operator of the
/// relay knows is the relay's own name.
fn suggested(sending: &Sending<'_>) -> String {
    let mut record = "v=spf1".to_owned();
    for relay in &sending.relays {
        let term = match relay.parse::<IpAddr>() {
            Ok(address) if address.is_loopback() => "mx".to_owned(),
            Ok(IpAddr::V4(address)) => format!("ip4:{address}"),
            Ok(IpAddr::V6(address)) => format!("ip6:{address}"),
            Err(_) => format!("a:{relay}"),
        };
        record.push(' ');
        record.push_str(&term);
    }
    if sending.relays.is_empty() {
        record.push_str(" mx");
    }
    record + " ~all"
}

fn told(domain: &str, trouble: Trouble, wanted: &str) -> Finding {
    let error = |what: String, remedy: &str| Finding::error(Topic::Spf, what, remedy);
    match trouble {
        Trouble::Missing(name) if name == domain => error(
            format!("{domain} has no SPF record: nobody knows who may send for it"),
            "publish one; if the operator of the relay names an `include:`, use that",
        )
        .with_record(domain, wanted),
        Trouble::Missing(name) => error(
            format!("the record of {domain} includes {name}, which has none"),
            "take it out: receivers count it as an error",
        ),
        Trouble::Several(name) => error(
            format!("{name} has several SPF records, and receivers believe none"),
            "put them together into one",
        ),
        Trouble::Term(name, term) => error(
            format!("the record of {name} has `{term}`, which means nothing"),
            "mend it: receivers count it as an error (RFC 7208)",
        ),
        Trouble::TooMany => error(
            format!("the record of {domain} takes more than {MOST_LOOKUPS} look-ups"),
            "include fewer: receivers stop there and count it as an error (RFC 7208 4.6.4)",
        ),
        Trouble::Macro => Finding::ok(
            Topic::Spf,
            format!("{domain} has a record that depends on each message (`%{{`): not judged"),
        ),
        Trouble::Away(name, why) => Finding::unasked(Topic::Spf, &name, &why),
    }
}

/// Whether mail from the addresses of a relay is covered.
async fn covers(names: &Names, domain: &str, relay: &str) -> Option<Finding> {
    let addresses = match names.addresses(relay).await {
        Ok(addresses) => addresses,
        Err(Unanswered::Nothing) => return None,
        Err(Unanswered::Away(why)) => return Some(Finding::unasked(Topic::Spf, relay, &why)),
    };
    let outside: Vec<IpAddr> = addresses.into_iter().filter(is_outside).collect();
    let mut uncovered = Vec::new();
    for address in &outside {
        let mut walk = Walk { names, lookups: 0 };
        match walk.check(domain.to_owned(), Some(*address)).await {
            Ok(Verdict::Pass) => {}
            Ok(_) => uncovered.push(address.to_string()),
            // The same trouble was told of the record as a whole.
            Err(_) => return None,
        }
    }
    let list = |all: &[String]| all.join(", ");
    match (outside.is_empty(), uncovered.is_empty()) {
        (true, _) => None,
        (false, true) => {
            let all: Vec<String> = outside.iter().map(ToString::to_string).collect();
            let what = format!("{domain} covers {relay} ({})", list(&all));
            Some(Finding::ok(Topic::Spf, what))
        }
        (false, false) => Some(Finding::warning(
            Topic::Spf,
            format!("{domain} does not cover {relay} ({})", list(&uncovered)),
            "add `a:` and its name, or the `include:` that its operator names; if mail leaves it \
             from other addresses, those count",
        )),
    }
}

/// Whether others can see this address.
pub(super) fn is_outside(address: &IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(four) => {
            !(four.is_loopback()
                || four.is_private()
                || four.is_link_local()
                || four.is_unspecified())
        }
        IpAddr::V6(six) => {
            !(six.is_loopback()
                || six.is_unspecified()
                || six.is_unique_local()
                || six.is_unicast_link_local())
        }
    }
}

struct Walk<'n> {
    names: &'n Names,
    lookups: usize,
}

type Judged<'w> = Pin<Box<dyn Future<Output = Result<Verdict, Trouble>> + Send + 'w>>;

impl Walk<'_> {
    /// `check_host()` (4): of `None`, which no term but `all` matches.
    fn check(&mut self, domain: String, address: Option<IpAddr>) -> Judged<'_> {
        Box::pin(async move {
            let record = self.record(&domain).await?;
            let mut redirect = None;
            for term in record.split_ascii_whitespace().skip(1) {
                if let Some(to) = modifier(term, "redirect") {
                    redirect = Some(to.to_owned());
                    continue;
                }
                if is_modifier(term) {
                    continue;
                }
                let (verdict, mechanism) = qualified(term);
                if self.matches(&domain, mechanism, address).await? {
                    return Ok(verdict);
                }
            }
            match redirect {
                None => Ok(Verdict::Neutral),
                Some(to) => {
                    self.count()?;
                    self.check(fixed(&to)?, address).await
                }
            }
        })
    }

    async fn record(&self, domain: &str) -> Result<String, Trouble> {
        let texts = match self.names.texts(domain).await {
            Ok(texts) => texts,
            Err(Unanswered::Nothing) => Vec::new(),
            Err(Unanswered::Away(why)) => return Err(Trouble::Away(domain.to_owned(), why)),
        };
        let mut records = texts.into_iter().filter(|text| is_spf(text));
        let first = records.next();
        match (first, records.next()) {
            (None, _) => Err(Trouble::Missing(domain.to_owned())),
            (Some(_), Some(_)) => Err(Trouble::Several(domain.to_owned())),
            (Some(record), None) => Ok(record),
        }
    }

    fn count(&mut self) -> Result<(), Trouble> {
        self.lookups += 1;
        match self.lookups > MOST_LOOKUPS {
            true => Err(Trouble::TooMany),
            false => Ok(()),
        }
    }

    async fn matches(
        &mut self,
        domain: &str,
        mechanism: &str,
        address: Option<IpAddr>,
    ) -> Result<bool, Trouble> {
        let wrong = || Trouble::Term(domain.to_owned(), mechanism.to_owned());
        let (name, of) = parts(mechanism);
        let of = fixed(of)?;
        match name.to_ascii_lowercase().as_str() {
            "all" => Ok(true),
            "ip4" | "ip6" => {
                let network: Network = of.parse().map_err(|_| wrong())?;
                Ok(address.is_some_and(|address| network.contains(address)))
            }
            "include" if !of.is_empty() => {
                self.count()?;
                let verdict = self.check(of, address).await?;
                Ok(verdict == Verdict::Pass)
            }
            "a" | "mx" => {
                self.count()?;
                let (host, prefixes) = with_prefixes(&of, domain).ok_or_else(wrong)?;
                let hosts = match name.eq_ignore_ascii_case("mx") {
                    true => self.names.exchanges(&host).await.unwrap_or_default(),
                    false => vec![host],
                };
                self.is_one_of(&hosts, prefixes, address).await
            }
            "exists" if !of.is_empty() => {
                self.count()?;
                Ok(self.names.addresses(&of).await.is_ok())
            }
            "ptr" => self.count().map(|()| false),
            _ => Err(wrong()),
        }
    }

    async fn is_one_of(
        &self,
        hosts: &[String],
        (four, six): (u8, u8),
        address: Option<IpAddr>,
    ) -> Result<bool, Trouble> {
        let Some(address) = address else {
            return Ok(false);
        };
        for host in hosts {
            let known = match self.names.addresses(host).await {
                Ok(known) => known,
                Err(Unanswered::Nothing) => continue,
                Err(Unanswered::Away(why)) => return Err(Trouble::Away(host.clone(), why)),
            };
            let is_there = |known: &IpAddr| Network::around(*known, four, six).contains(address);
            if known.iter().any(is_there) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn is_spf(text: &str) -> bool {
    let version = text.split_ascii_whitespace().next();
    version.is_some_and(|version| version.eq_ignore_ascii_case("v=spf1"))
}

fn modifier<'t>(term: &'t str, name: &str) -> Option<&'t str> {
    let (given, value) = term.split_once('=')?;
    given.eq_ignore_ascii_case(name).then_some(value)
}

/// Unknown ones are passed over (6).
fn is_modifier(term: &str) -> bool {
    let name = term.split('=').next().unwrap_or_default();
    name.len() < term.len()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

fn qualified(term: &str) -> (Verdict, &str) {
    let rest = term.get(1..).unwrap_or_default();
    match term.as_bytes().first() {
        Some(b'+') => (Verdict::Pass, rest),
        Some(b'-') => (Verdict::Fail, rest),
        Some(b'~') => (Verdict::SoftFail, rest),
        Some(b'?') => (Verdict::Neutral, rest),
        _ => (Verdict::Pass, term),
    }
}

/// The name of a mechanism, and what follows it: without the colon, or from
/// the slash on.
fn parts(mechanism: &str) -> (&str, &str) {
    match mechanism.find([':', '/']) {
        Some(at) if mechanism.as_bytes()[at] == b':' => (&mechanism[..at], &mechanism[at + 1..]),
        Some(at) => mechanism.split_at(at),
        None => (mechanism, ""),
    }
}

/// A name that is the same for every message.
fn fixed(name: &str) -> Result<String, Trouble> {
    match name.contains('%') {
        true => Err(Trouble::Macro),
        false => Ok(name.to_owned()),
    }
}

/// `host/24//64`: the host, or this domain, and the prefixes of both kinds.
fn with_prefixes(of: &str, domain: &str) -> Option<(String, (u8, u8))> {
    let (host, prefixes) = of.split_once('/').map_or((of, None), |(h, p)| (h, Some(p)));
    let host = if host.is_empty() { domain } else { host };
    let Some(prefixes) = prefixes else {
        return Some((host.to_owned(), (32, 128)));
    };
    let (four, six) = match prefixes.split_once("//") {
        Some((four, six)) => (four, six),
        None => match prefixes.strip_prefix('/') {
            Some(six) => ("32", six),
            None => (prefixes, "128"),
        },
    };
    Some((host.to_owned(), (four.parse().ok()?, six.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_taken_apart() {
        assert_eq!(qualified("-all"), (Verdict::Fail, "all"));
        assert_eq!(qualified("mx"), (Verdict::Pass, "mx"));
        assert_eq!(parts("ip4:192.0.2.0/24"), ("ip4", "192.0.2.0/24"));
        assert_eq!(parts("a/24"), ("a", "/24"));
        assert!(is_modifier("exp=why.example.org") && !is_modifier("ip4:1.2.3.4"));
        let of = |of: &str| with_prefixes(of, "example.org").unwrap();
        assert_eq!(of(""), ("example.org".to_owned(), (32, 128)));
        assert_eq!(of("/24"), ("example.org".to_owned(), (24, 128)));
        assert_eq!(of("//64"), ("example.org".to_owned(), (32, 64)));
        assert_eq!(
            of("mail.example.org/24//64"),
            ("mail.example.org".to_owned(), (24, 64))
        );
        assert!(with_prefixes("mail.example.org/x", "example.org").is_none());
    }

    #[test]
    fn a_record_is_suggested_for_what_is_known() {
        let record = |relays: &[&str]| {
            suggested(&Sending {
                domain: "example.org",
                relays: relays.to_vec(),
            })
        };
        assert_eq!(record(&[]), "v=spf1 mx ~all");
        assert_eq!(record(&["127.0.0.1"]), "v=spf1 mx ~all");
        assert_eq!(
            record(&["smtp.example.net", "192.0.2.7"]),
            "v=spf1 a:smtp.example.net ip4:192.0.2.7 ~all"
        );
    }
}
