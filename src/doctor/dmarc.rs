//! What receivers are to do with mail that proves nothing, and whether ours
//! does: SPF or DKIM has to speak for the domain that readers see (RFC 7489).

use super::{
    finding::{Finding, Topic},
    names::{Names, Unanswered},
    tags::tag,
};

/// The domains of a message.
#[derive(Debug, Clone, Copy)]
pub struct Domains<'a> {
    /// Of `From`, which readers see.
    pub from: &'a str,
    /// Of the envelope sender, for which SPF speaks.
    pub envelope: &'a str,
    /// Of the signature (`d=`), where there is one.
    pub signed: Option<&'a str>,
}

/// Looks for the policy as receivers do, at the domain and then above it.
pub async fn policy(names: &Names, domains: Domains<'_>) -> Vec<Finding> {
    let mut at = domains.from;
    loop {
        let name = format!("_dmarc.{at}");
        let texts = match names.texts(&name).await {
            Ok(texts) => texts,
            Err(Unanswered::Nothing) => Vec::new(),
            Err(Unanswered::Away(why)) => return vec![Finding::unasked(Topic::Dmarc, &name, &why)],
        };
        let records: Vec<&String> = texts.iter().filter(|text| is_dmarc(text)).collect();
        match records.as_slice() {
            [] => {}
            [record] => return judged(record, at, domains),
            several => {
                return vec![Finding::error(
                    Topic::Dmarc,
                    format!(
                        "{name} has {} records, and receivers believe none",
                        several.len()
                    ),
                    "leave one",
                )];
            }
        }
        match above(at) {
            Some(next) => at = next,
            None => break,
        }
    }
    let from = domains.from;
    let missing = Finding::error(
        Topic::Dmarc,
        format!("{from} has no DMARC record: Gmail and Yahoo refuse bulk mail without one"),
        "publish one; `p=none` only watches, and reports come to `rua`",
    )
    .with_record(
        format!("_dmarc.{from}"),
        format!("v=DMARC1; p=none; rua=mailto:postmaster@{from}"),
    );
    let mut found = vec![missing];
    found.extend(alignment("", from, domains));
    found
}

/// The domain above, if it is not one of those that everybody shares.
fn above(domain: &str) -> Option<&str> {
    let (_, parent) = domain.split_once('.')?;
    parent.contains('.').then_some(parent)
}

fn is_dmarc(text: &str) -> bool {
    // It comes first.
    let first = text.split(';').next().unwrap_or_default();
    tag(first, "v").as_deref() == Some("DMARC1")
}

fn judged(record: &str, at: &str, domains: Domains<'_>) -> Vec<Finding> {
    let name = format!("_dmarc.{at}");
    let is_above = at != domains.from;
    let policy = match is_above {
        true => tag(record, "sp").or_else(|| tag(record, "p")),
        false => tag(record, "p"),
    };
    let mut found = vec![match policy.as_deref() {
        Some("none") => Finding::ok(
            Topic::Dmarc,
            format!(
                "{name} only watches (`p=none`); when its reports are clean, `p=quarantine` protects \
                 the name"
            ),
        ),
        Some(policy @ ("quarantine" | "reject")) => Finding::ok(
            Topic::Dmarc,
            format!("{name} says `{policy}` of mail that proves nothing"),
        ),
        other => Finding::error(
            Topic::Dmarc,
            format!(
                "{name} has the policy `{}`, which is none",
                other.unwrap_or_default()
            ),
            "write `p=none`, `p=quarantine` or `p=reject`",
        ),
    }];
    found.extend(alignment(record, at, domains));
    found
}

/// Whether SPF or DKIM speaks for the domain that readers see (3.1).
/// `organisation` is where the policy was found.
fn alignment(record: &str, organisation: &str, domains: Domains<'_>) -> Option<Finding> {
    let by = |mode: Option<String>, domain: &str| match mode.as_deref() {
        Some("s") => domain == domains.from,
        _ => is_aligned(domain, domains.from, organisation),
    };
    let dkim = domains
        .signed
        .is_some_and(|signed| by(tag(record, "adkim"), signed));
    let spf = by(tag(record, "aspf"), domains.envelope);
    let from = domains.from;
    match (dkim, spf) {
        (true, _) => None,
        (false, true) => Some(Finding::warning(
            Topic::Dmarc,
            format!("only SPF speaks for {from}, and that is lost when a reader forwards mail"),
            "sign messages: `letterpress dkim generate`, unless the relay signs as that domain",
        )),
        (false, false) => Some(Finding::error(
            Topic::Dmarc,
            format!(
                "neither SPF ({}) nor DKIM speaks for {from}, which readers see",
                domains.envelope
            ),
            "sign messages: `letterpress dkim generate`; or let `bounces.domain` be of that domain",
        )),
    }
}

/// Whether two domains are of one organisation (3.1.1).
fn is_aligned(domain: &str, from: &str, organisation: &str) -> bool {
    let is_below = |upper: &str| {
        domain == upper
            || domain
                .strip_suffix(upper)
                .is_some_and(|rest| rest.ends_with('.'))
    };
    let is_above = from
        .strip_suffix(domain)
        .is_some_and(|rest| rest.ends_with('.'));
    is_below(organisation) || is_below(from) || is_above
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: Domains<'_> = Domains {
        from: "magazine.example.org",
        envelope: "bounces.example.org",
        signed: Some("example.org"),
    };

    #[test]
    fn the_search_ends_below_what_everybody_shares() {
        assert_eq!(
            above("news.magazine.example.org"),
            Some("magazine.example.org")
        );
        assert_eq!(above("example.org"), None);
    }

    #[test]
    fn domains_of_one_organisation_are_aligned_unless_the_record_is_strict() {
        let with = |record, domains| alignment(record, "example.org", domains);
        assert_eq!(with("v=DMARC1; p=none", OURS), None);
        let strict = with("v=DMARC1; p=none; adkim=s; aspf=s", OURS).unwrap();
        assert!(strict.what.starts_with("neither SPF"), "{}", strict.what);
        let unsigned = Domains {
            signed: None,
            ..OURS
        };
        let spf = with("v=DMARC1; p=none", unsigned).unwrap();
        assert!(spf.what.starts_with("only SPF"), "{}", spf.what);
        let foreign = Domains {
            envelope: "relay.example.net",
            signed: Some("notexample.org"),
            ..OURS
        };
        assert!(with("v=DMARC1", foreign).is_some());
    }
}
