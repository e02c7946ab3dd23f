//! `[bounces]`: the mailbox to which bounces come.

use std::path::Path;

use percent_encoding::percent_decode_str;
use url::Url;

use super::{
    findings::Findings,
    raw::RawBounces,
    relays,
    settings::{BounceSource, ImapSource, RelayTls},
};

const REMEDY: &str = "use `maildir:/var/mail/bounces`, `mbox:/var/mail/bounces`, \
                      `imaps://user@host/INBOX` or `imap://user@host/INBOX?tls=required`";

/// The mailbox, if one is named that can be used.
pub(super) fn check(
    raw: &RawBounces,
    root: &Path,
    findings: &mut Findings<'_>,
) -> Option<BounceSource> {
    let text = raw.source.as_ref()?;
    let parsed = parse_source(text.get_ref(), root);
    let mut source = findings.parsed(raw.source.as_ref(), parsed, REMEDY)?;
    if let BounceSource::Imap(imap) = &mut source {
        let file = |name: &Option<String>| name.as_ref().map(|name| root.join(name));
        imap.password_file = file(&raw.password_file);
        imap.tls_ca_file = file(&raw.tls_ca_file);
    }
    Some(source)
}

/// The topic of Amazon SNS, if one is named.
pub(super) fn topic(raw: &RawBounces, findings: &mut Findings<'_>) -> Option<String> {
    let text = raw.ses_topic.as_ref()?;
    let topic = text.get_ref().trim();
    let parts: Vec<&str> = topic.split(':').collect();
    let is_topic = matches!(parts[..], ["arn", partition, "sns", region, account, name]
        if partition.starts_with("aws") && ![region, account, name].contains(&""));
    if is_topic {
        return Some(topic.to_owned());
    }
    findings.at(
        Some(text),
        format!("bounces.ses_topic is `{topic}`"),
        "copy the ARN of the topic, such as `arn:aws:sns:eu-west-1:123456789012:bounces`",
    );
    None
}

/// So many issues have to be refused because the address is bad before it is
/// suppressed.
pub(super) fn hard_limit(raw: &RawBounces, findings: &mut Findings<'_>) -> Option<u32> {
    findings.counted(raw.hard_limit.as_ref(), "bounces.hard_limit", 1, 1..=5)
}

/// A mailbox as it is written; paths are relative to `root`.
///
/// # Errors
/// When it is none; says what it is.
pub fn parse_source(text: &str, root: &Path) -> Result<BounceSource, String> {
    let text = text.trim();
    let path = |path: &str| match path {
        "" => Err(format!("bounces.source `{text}` names no path")),
        path => Ok(root.join(path)),
    };
    match text.split_once(':') {
        Some(("maildir", rest)) => path(rest).map(BounceSource::Maildir),
        Some(("mbox", rest)) => path(rest).map(BounceSource::Mbox),
        _ => imap(text).map(BounceSource::Imap),
    }
}

/// The same rules as for a relay: a login travels protected, or not at all.
fn imap(text: &str) -> Result<ImapSource, String> {
    let shown = super::without_login(text);
    let wrong = || format!("bounces.source is `{shown}`");
    let url = Url::parse(text).map_err(|_| wrong())?;
    if url.password().is_some() {
        return Err(
            "bounces.source contains a password; put it into `bounces.password_file`".into(),
        );
    }
    let host = url
        .host_str()
        .filter(|host| !host.is_empty())
        .ok_or_else(wrong)?
        .trim_matches(['[', ']'])
        .to_owned();
    let mut wanted = None;
    for (part, value) in url.query_pairs() {
        if part != "tls" {
            return Err(format!("bounces.source has an unknown part `{part}`"));
        }
        wanted = Some(value.into_owned());
    }
    let tls = match (url.scheme(), wanted.as_deref()) {
        ("imaps", None) => RelayTls::Implicit,
        ("imap", None | Some("required")) => RelayTls::Required,
        ("imap", Some("none")) if relays::is_loopback(&host) => RelayTls::None,
        ("imap", Some("none")) => {
            return Err(format!("bounces.source reads `{host}` in plain text"));
        }
        _ => return Err(wrong()),
    };
    let decoded = |part: &str| {
        let text = percent_decode_str(part).decode_utf8();
        text.map(String::from)
            .map_err(|_| format!("{} is not UTF-8", wrong()))
    };
    let login = decoded(url.username())?;
    if login.is_empty() {
        return Err(format!("bounces.source `{shown}` names no user"));
    }
    let mailbox = decoded(url.path().trim_start_matches('/'))?;
    if mailbox.chars().any(char::is_control) {
        return Err(wrong());
    }
    Ok(ImapSource {
        port: url.port().unwrap_or(match tls {
            RelayTls::Implicit => 993,
            RelayTls::Required | RelayTls::None => 143,
        }),
        mailbox: if mailbox.is_empty() {
            "INBOX".to_owned()
        } else {
            mailbox
        },
        host,
        tls,
        login,
        password_file: None,
        tls_ca_file: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mailboxes_are_named_in_four_ways() {
        let root = Path::new("/srv/magazine");
        for (text, shown) in [
            ("maildir:/var/mail/bounces", "maildir:/var/mail/bounces"),
            ("maildir:bounces", "maildir:/srv/magazine/bounces"),
            ("mbox:/var/mail/bounces", "mbox:/var/mail/bounces"),
            (
                "imaps://b%40example.org@mail.example.org",
                "mail.example.org:993/INBOX",
            ),
            (
                "imap://b@mail.example.org/Bounces",
                "mail.example.org:143/Bounces",
            ),
            ("imap://b@127.0.0.1:1143/?tls=none", "127.0.0.1:1143/INBOX"),
        ] {
            let source = parse_source(text, root).unwrap();
            assert_eq!(source.to_string(), shown);
            if let BounceSource::Imap(imap) = source {
                assert!(imap.login.starts_with('b'), "{}", imap.login);
            }
        }
    }

    #[test]
    fn what_is_no_mailbox_or_would_tell_a_password_is_refused() {
        let root = Path::new("/srv/magazine");
        for text in [
            "",
            "bounces",
            "maildir:",
            "pop3://b@mail.example.org",
            "imaps://mail.example.org",
            "imaps://b:secret@mail.example.org",
            "imap://b@mail.example.org/?tls=none",
            "imaps://b@mail.example.org/?tls=none",
            "imaps://b@mail.example.org/?auth=plain",
        ] {
            let why = parse_source(text, root).unwrap_err();
            assert!(why.starts_with("bounces.source"), "{text}: {why}");
            assert!(!why.contains("secret"), "{why}");
        }
    }
}
