//! `[mail.dkim]`: who signs. The key files are not opened here.

use std::{path::Path, time::Duration};

use toml::Spanned;

use super::{
    findings::Findings,
    mailing,
    raw::RawDkim,
    settings::{DkimKey, DkimSettings, Sender},
};

/// A relay tries for five days by custom (RFC 5321 4.5.4.1); a signature must
/// hold that much longer than we hand messages over.
const WAIT_OF_RELAYS: Duration = Duration::from_secs(5 * 86_400);

/// Checks `[mail.dkim]`; `None` when something in it cannot be used.
pub(super) fn check(
    raw: &Spanned<RawDkim>,
    from: &Sender,
    expire_after: Duration,
    root: &Path,
    findings: &mut Findings<'_>,
) -> Option<DkimSettings> {
    let table = raw.get_ref();
    let sender = from.address.domain();
    let domain = mailing::domain(table.domain.as_ref(), findings)
        .map(|named| named.unwrap_or_else(|| sender.to_owned()))
        .filter(|domain| {
            let aligned = are_aligned(domain, sender);
            if !aligned {
                findings.at(
                    table.domain.as_ref(),
                    format!("mail.dkim.domain is `{domain}`, and mail.from is at `{sender}`"),
                    format!(
                        "sign as `{sender}` or a domain above it: receivers ask that the two \
                         agree (DMARC, RFC 7489 3.1.1)"
                    ),
                );
            }
            aligned
        });
    let first = key(
        table.selector.as_ref(),
        table.key_file.as_ref(),
        ["mail.dkim.selector", "mail.dkim.key_file"],
        raw.span().start,
        root,
        findings,
    );
    let second = match (&table.second_selector, &table.second_key_file) {
        (None, None) => Some(None),
        (selector, file) => key(
            selector.as_ref(),
            file.as_ref(),
            ["mail.dkim.second_selector", "mail.dkim.second_key_file"],
            raw.span().start,
            root,
            findings,
        )
        .map(Some),
    };
    let valid_for = valid_for(table, expire_after, findings);
    let (domain, first, second) = (domain?, first?, second?);
    if second
        .as_ref()
        .is_some_and(|s| s.selector == first.selector)
    {
        findings.at(
            table.second_selector.as_ref(),
            format!(
                "both keys of [mail.dkim] have the selector `{}`",
                first.selector
            ),
            "give each key a selector of its own: a DNS record holds one key",
        );
        return None;
    }
    Some(DkimSettings {
        domain,
        keys: std::iter::once(first).chain(second).collect(),
        valid_for: valid_for?,
    })
}

/// The same domain, or one below the other, as relaxed alignment allows within
/// one organisation. Two domains side by side may belong to different ones;
/// without a list of public suffixes nobody can say.
fn are_aligned(signer: &str, sender: &str) -> bool {
    let is_below = |lower: &str, upper: &str| {
        lower
            .strip_suffix(upper)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    is_below(sender, signer) || is_below(signer, sender)
}

fn key(
    selector: Option<&Spanned<String>>,
    file: Option<&Spanned<String>>,
    names: [&str; 2],
    table: usize,
    root: &Path,
    findings: &mut Findings<'_>,
) -> Option<DkimKey> {
    let [selector_name, file_name] = names;
    let mut needed = |text: Option<&Spanned<String>>, name: &str, example: &str| {
        let found = text.filter(|text| !text.get_ref().trim().is_empty());
        if found.is_none() {
            findings.error(
                text.map_or(table, |text| text.span().start),
                format!("{name} is missing or empty"),
                format!("add {example}; `letterpress dkim generate` makes a key and its record"),
            );
        }
        found.cloned()
    };
    let selector = needed(selector, selector_name, "the name of its DNS record");
    let file = needed(file, file_name, "the file with the private key");
    let (selector, file) = (selector?, file?);
    let written = selector.get_ref();
    let name = parse_selector(written).map_err(|remedy| {
        let what = format!("{selector_name} is `{}`", written.trim());
        findings.at(Some(&selector), what, remedy);
    });
    Some(DkimKey {
        selector: name.ok()?,
        line: findings.line(file.span().start),
        file: root.join(file.get_ref().trim()),
    })
}

/// A selector, in lower case: labels of a host name, with dots between them
/// (RFC 6376 3.1).
///
/// # Errors
/// When it is none; says what to write instead.
pub fn parse_selector(raw: &str) -> Result<String, &'static str> {
    let name = raw.trim().to_ascii_lowercase();
    match is_selector(&name) {
        true => Ok(name),
        false => Err("use letters, digits and hyphens, such as `lp202611`"),
    }
}

fn is_selector(name: &str) -> bool {
    name.len() <= 100
        && name.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-')
        })
}

/// `Some(None)` when absent, `None` when unusable.
fn valid_for(
    table: &RawDkim,
    expire_after: Duration,
    findings: &mut Findings<'_>,
) -> Option<Option<Duration>> {
    let Some(text) = &table.valid_for else {
        return Some(None);
    };
    let span = findings.span(Some(text), "mail.dkim.valid_for", Duration::ZERO)?;
    let least = expire_after + WAIT_OF_RELAYS;
    if span < least {
        findings.at(
            Some(text),
            format!("mail.dkim.valid_for is `{}`", text.get_ref()),
            format!(
                "use at least {}: `mail.expire_after`, and five days in the queues of relays",
                humantime::format_duration(least)
            ),
        );
        return None;
    }
    Some(Some(span))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signer_is_aligned_with_its_own_domain_and_those_above_and_below() {
        let sender = "magazine.example.org";
        for signer in [sender, "example.org", "mail.magazine.example.org"] {
            assert!(are_aligned(signer, sender), "{signer}");
        }
        for signer in [
            "example.net",
            "azine.example.org",
            "shop.example.org",
            "xmagazine.example.org",
        ] {
            assert!(!are_aligned(signer, sender), "{signer}");
        }
    }

    #[test]
    fn a_selector_is_labels_of_a_host_name() {
        for good in ["lp202611", "2026.news", "a-b"] {
            assert!(is_selector(good), "{good}");
        }
        for bad in [
            "",
            "a_b",
            "-a",
            "a.",
            "a..b",
            "a b",
            "ä",
            "s; d=evil.example",
        ] {
            assert!(!is_selector(bad), "{bad}");
        }
    }
}
