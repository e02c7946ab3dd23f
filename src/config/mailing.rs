//! `[mail]`, and what it takes from `[bounces]` and `[serve]`.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use toml::Spanned;
use url::Host;

use super::{
    dkim,
    findings::Findings,
    letters,
    raw::{RawBounces, RawList, RawMail, RawTimeouts},
    relays,
    settings::{
        AnswerSettings, Idempotency, ListSettings, MailSettings, OnUncertain, Relay, Sender,
        ServeSettings, Timeouts,
    },
};
use crate::domain::{
    address::EmailAddress,
    text::{cut, one_line},
};

/// Checks `[mail]`; `None` when something in it cannot be used.
pub(super) fn check(
    raw: RawMail,
    bounces: &RawBounces,
    hard_limit: u32,
    serve: Option<&ServeSettings>,
    root: &Path,
    findings: &mut Findings<'_>,
) -> Option<MailSettings> {
    let from = findings
        .required(raw.from.as_ref(), "mail.from")
        .and_then(|_| sender(raw.from.as_ref()?, findings));
    let reply_to = match &raw.reply_to {
        Some(text) => Some(sender(text, findings)?),
        None => None,
    };
    let relays = relays::check(&raw, root, findings);
    let policy = on_uncertain(raw.on_uncertain.as_ref(), "mail.on_uncertain", findings);
    let idempotency = idempotency(&raw, findings);
    let hours = |n: u64| Duration::from_secs(n * 3600);
    let expire_after = findings.span(raw.expire_after.as_ref(), "mail.expire_after", hours(72));
    let patience = findings.span(
        raw.relay_patience.as_ref(),
        "mail.relay_patience",
        Duration::from_secs(600),
    );
    let timeouts = timeouts(&raw.timeouts, findings);
    let per_connection = findings.counted(
        raw.messages_per_connection.as_ref(),
        "mail.messages_per_connection",
        100,
        1..=1_000_000,
    );
    let bounce_domain = domain(bounces.domain.as_ref(), findings);
    let pictures = letters::pictures(raw.pictures.as_ref(), findings);
    let text_links = letters::text_links(raw.text_links.as_ref(), findings);
    let link_params = letters::link_params(&raw.link_params, findings);
    let size_budget = letters::size_budget(raw.size_budget.as_ref(), findings);
    let list = list(raw.list, findings);
    let (from, expire_after) = (from?, expire_after?);
    let dkim = match &raw.dkim {
        Some(table) => Some(dkim::check(table, &from, expire_after, root, findings)?),
        None => None,
    };
    Some(MailSettings {
        hello_name: hello_name(raw.hello_name.as_ref(), &from, findings)?,
        reply_to,
        relays: relays?,
        expire_after,
        relay_patience: patience?,
        on_uncertain: policy?.unwrap_or(OnUncertain::Hold),
        idempotency: idempotency?,
        timeouts: timeouts?,
        messages_per_connection: per_connection?,
        dkim,
        pictures: pictures?,
        text_links: text_links?,
        link_params: link_params?,
        size_budget: size_budget?,
        answers: AnswerSettings {
            welcome: raw.welcome,
            goodbye: raw.goodbye,
            latest_issue: raw.latest_issue,
        },
        list: list?,
        bounce_domain: bounce_domain?,
        hard_limit,
        tells_postmark: bounces.postmark_secret_file.is_some(),
        public_url: serve?.public_url.clone(),
        from,
    })
}

/// `Name <address>` or a bare address.
fn sender(text: &Spanned<String>, findings: &mut Findings<'_>) -> Option<Sender> {
    let raw = text.get_ref().trim();
    if raw.chars().any(char::is_control) {
        findings.error(
            text.span().start,
            "a sender contains a control character",
            "write it on one line, such as `Name <news@magazine.example.org>`",
        );
        return None;
    }
    let (name, address) = match raw.strip_suffix('>').and_then(|r| r.rsplit_once('<')) {
        Some((name, address)) => (name.trim().trim_matches('"'), address),
        None => ("", raw),
    };
    let address: EmailAddress = findings.parsed(
        Some(text),
        address.parse::<EmailAddress>(),
        "write `Name <news@magazine.example.org>`",
    )?;
    Some(Sender {
        name: cut(&one_line(name), 100),
        address,
    })
}

/// A policy for uncertain deliveries; `Some(None)` when absent.
pub(super) fn on_uncertain(
    raw: Option<&Spanned<String>>,
    key: &str,
    findings: &mut Findings<'_>,
) -> Option<Option<OnUncertain>> {
    let Some(text) = raw else { return Some(None) };
    match text.get_ref().parse() {
        Ok(policy) => Some(Some(policy)),
        Err(_) => {
            findings.at(
                raw,
                format!("{key} is `{}`", text.get_ref()),
                "use \"hold\", \"resend\", \"assume-sent\" or \"auto\"",
            );
            None
        }
    }
}

/// `Some(None)` when absent, `None` when unusable.
fn idempotency(raw: &RawMail, findings: &mut Findings<'_>) -> Option<Option<Idempotency>> {
    let day = Duration::from_secs(24 * 3600);
    let window = findings.span(
        raw.idempotency_window.as_ref(),
        "mail.idempotency_window",
        day,
    )?;
    let Some(text) = &raw.idempotency_header else {
        return Some(None);
    };
    let header = text.get_ref().trim();
    // A field name that is no other header of ours (RFC 5322 3.6.8).
    let is_name = header.len() <= 64
        && header.starts_with(|first: char| first.is_ascii_alphabetic())
        && header
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && header.to_ascii_lowercase().contains("idempotency");
    if !is_name {
        findings.at(
            Some(text),
            format!("mail.idempotency_header is `{header}`"),
            "name the header that your relay documents, such as \"Resend-Idempotency-Key\"; \
             \"idempotency\" is in its name",
        );
        return None;
    }
    Some(Some(Idempotency {
        header: header.to_owned(),
        window,
    }))
}

fn timeouts(raw: &RawTimeouts, findings: &mut Findings<'_>) -> Option<Timeouts> {
    let usual = Timeouts::default();
    let mut span = |text: &Option<Spanned<String>>, key: &str, default: Duration| {
        findings.span(text.as_ref(), &format!("mail.timeouts.{key}"), default)
    };
    Some(Timeouts {
        connect: span(&raw.connect, "connect", usual.connect)?,
        greeting: span(&raw.greeting, "greeting", usual.greeting)?,
        auth: span(&raw.auth, "auth", usual.auth)?,
        command: span(&raw.command, "command", usual.command)?,
        data: span(&raw.data, "data", usual.data)?,
        block: span(&raw.block, "block", usual.block)?,
        dot: span(&raw.dot, "dot", usual.dot)?,
    })
}

fn list(raw: RawList, findings: &mut Findings<'_>) -> Option<ListSettings> {
    let id = domain(raw.id.as_ref(), findings)?;
    let unsubscribe_address = match &raw.unsubscribe_address {
        Some(text) => Some(findings.parsed(
            Some(text),
            text.get_ref().parse::<EmailAddress>(),
            "write a plain address, such as `leave@magazine.example.org`",
        )?),
        None => None,
    };
    Some(ListSettings {
        id,
        postal_address: raw
            .postal_address
            .as_deref()
            .map(one_line)
            .filter(|text| !text.is_empty()),
        unsubscribe_address,
    })
}

/// `Some(None)` when absent, `None` when unusable.
pub(super) fn domain(
    raw: Option<&Spanned<String>>,
    findings: &mut Findings<'_>,
) -> Option<Option<String>> {
    let Some(text) = raw else {
        return Some(None);
    };
    let parsed = parse_domain(text.get_ref());
    let host = findings.parsed(Some(text), parsed, "write it like `bounces.example.org`")?;
    Some(Some(host))
}

/// A domain name of more than one label, in lower case and ASCII.
///
/// # Errors
/// When it is none; says what it is.
pub fn parse_domain(raw: &str) -> Result<String, String> {
    let name = raw.trim().to_ascii_lowercase();
    match Host::parse(&name) {
        Ok(Host::Domain(host)) if host.contains('.') => Ok(host),
        _ => Err(format!("`{name}` is no domain name")),
    }
}

/// What we say in EHLO: the configured name, else this machine's full name,
/// else the sender's domain.
fn hello_name(
    raw: Option<&Spanned<String>>,
    from: &Sender,
    findings: &mut Findings<'_>,
) -> Option<String> {
    let is_host = |name: &str| {
        name.contains('.')
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
    };
    let Some(text) = raw else {
        let own = machine_name().filter(|name| is_host(name));
        return Some(own.unwrap_or_else(|| from.address.domain().to_owned()));
    };
    let name = text.get_ref().trim();
    let literal = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .is_some_and(|inner| {
            inner
                .strip_prefix("IPv6:")
                .unwrap_or(inner)
                .parse::<IpAddr>()
                .is_ok()
        });
    if literal || is_host(name) {
        return Some(name.to_owned());
    }
    findings.at(
        raw,
        format!("mail.hello_name is `{name}`"),
        "use a full host name or an address literal such as `[192.0.2.1]` (RFC 5321 4.1.3)",
    );
    None
}

#[cfg(unix)]
fn machine_name() -> Option<String> {
    let about = rustix::system::uname();
    about.nodename().to_str().ok().map(str::to_owned)
}

#[cfg(not(unix))]
fn machine_name() -> Option<String> {
    None
}

impl MailSettings {
    /// Reads the password of every relay that wants a login.
    ///
    /// # Errors
    /// As [`super::secret::relay_password`].
    pub fn read_password(&mut self) -> Result<(), super::secret::SecretError> {
        for settings in &mut self.relays {
            if let Relay::Smtp(relay) = &mut settings.relay
                && relay.login.is_some()
            {
                let file: Option<PathBuf> = relay.password_file.clone();
                relay.password = Some(super::secret::relay_password(file.as_deref())?);
            }
        }
        Ok(())
    }
}
