//! One thing that was looked at: how it stands, and what to do about it.

use std::fmt;

use serde::Serialize;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Some receivers mind, or it could not be looked at.
    Warning,
    /// Mail is refused or ends among spam.
    Error,
}

impl Level {
    /// The word for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What was looked at, in the order of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// Who the mail is from.
    Sender,
    /// Who may send for the envelope's domain (RFC 7208).
    Spf,
    /// The published halves of the keys (RFC 6376).
    Dkim,
    /// What receivers are to do with mail that proves nothing (RFC 7489).
    Dmarc,
    /// Where bounces and answers go (RFC 5321 5.1).
    Mx,
    /// The names of the relays' addresses (RFC 1912 2.1).
    Ptr,
    /// The way to the relays.
    Relay,
    /// Leaving with one click (RFC 8058).
    OneClick,
    /// The time of this machine.
    Clock,
    /// The database.
    Ledger,
    /// A copy of it.
    Backup,
    /// Room for them.
    Disk,
}

impl Topic {
    /// The word for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            Self::Spf => "SPF",
            Self::Dkim => "DKIM",
            Self::Dmarc => "DMARC",
            Self::Mx => "MX",
            Self::Ptr => "PTR",
            Self::Relay => "relay",
            Self::OneClick => "one-click",
            Self::Clock => "clock",
            Self::Ledger => "ledger",
            Self::Backup => "backup",
            Self::Disk => "disk",
        }
    }
}

/// A record to publish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DnsRecord {
    /// Its name, without the dot at the end.
    pub name: String,
    /// `TXT`, `MX`.
    pub kind: &'static str,
    /// Its whole value, for the web forms of DNS providers.
    pub value: String,
}

/// The line of a zone file (RFC 1035 5.1); a TXT value in strings of at most
/// 255 bytes.
impl fmt::Display for DnsRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. IN {} ", self.name, self.kind)?;
        if self.kind != "TXT" {
            return f.write_str(&self.value);
        }
        let strings = self.value.as_bytes().chunks(255);
        for (at, part) in strings.enumerate() {
            let gap = if at == 0 { "" } else { " " };
            write!(f, "{gap}\"{}\"", String::from_utf8_lossy(part))?;
        }
        Ok(())
    }
}

/// How one thing stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub topic: Topic,
    /// How much it matters.
    pub level: Level,
    /// What was found.
    pub what: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// What to publish.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<DnsRecord>,
}

impl Finding {
    /// As it should be.
    pub fn ok(topic: Topic, what: impl Into<String>) -> Self {
        Self {
            topic,
            level: Level::Ok,
            what: what.into(),
            remedy: None,
            record: None,
        }
    }

    /// Some receivers mind.
    pub fn warning(topic: Topic, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            level: Level::Warning,
            remedy: Some(remedy.into()),
            ..Self::ok(topic, what)
        }
    }

    /// Mail is refused or ends among spam.
    pub fn error(topic: Topic, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            level: Level::Error,
            ..Self::warning(topic, what, remedy)
        }
    }

    /// Nobody could be asked.
    pub(super) fn unasked(topic: Topic, name: &str, why: &str) -> Self {
        Self::warning(
            topic,
            format!("the DNS does not answer for {name}: {why}"),
            "run it again; `--resolver` asks another server",
        )
    }

    /// With what to publish.
    #[must_use]
    pub fn with_record(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let record = DnsRecord {
            name: name.into(),
            kind: "TXT",
            value: value.into(),
        };
        Self {
            record: Some(record),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_written_as_zone_files_have_it() {
        let finding = Finding::error(Topic::Dkim, "x", "y")
            .with_record("a._domainkey.example.org", "k".repeat(300));
        let line = finding.record.unwrap().to_string();
        let (first, second) = ("k".repeat(255), "k".repeat(45));
        assert_eq!(
            line,
            format!("a._domainkey.example.org. IN TXT \"{first}\" \"{second}\"")
        );
    }
}
