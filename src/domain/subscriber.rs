//! A reader who asked for mail, and whether we may still write.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::domain::{address::EmailAddress, choice::Choice};

/// 128 random bits: what tokens carry instead of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriberId(pub [u8; 16]);

impl fmt::Display for SubscriberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

/// Where a subscriber stands. Ordered from most mail to least: an import, a
/// bounce or an API may only move a status to the right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Confirmed; gets issues.
    Active,
    /// Has not confirmed yet; gets nothing but the confirmation.
    Pending,
    /// The address refuses mail.
    Bounced,
    /// Left.
    Unsubscribed,
    /// Reported our mail as unwanted.
    Complained,
    /// All that was known is gone but a keyed hash.
    Erased,
}

impl Status {
    /// Every status, in order.
    pub const ALL: [Self; 6] = [
        Self::Active,
        Self::Pending,
        Self::Bounced,
        Self::Unsubscribed,
        Self::Complained,
        Self::Erased,
    ];

    /// The word for files and tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pending => "pending",
            Self::Bounced => "bounced",
            Self::Unsubscribed => "unsubscribed",
            Self::Complained => "complained",
            Self::Erased => "erased",
        }
    }

    /// Whether moving from `self` to `to` means less mail.
    #[must_use]
    pub fn may_become(self, to: Self) -> bool {
        to > self
    }
}

/// The word is none of the six.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no status; one of active, pending, unsubscribed, bounced, complained, erased is")]
pub struct StatusError(String);

impl FromStr for Status {
    type Err = StatusError;

    fn from_str(raw: &str) -> Result<Self, StatusError> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == raw.trim().to_ascii_lowercase())
            .ok_or_else(|| StatusError(raw.to_owned()))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A reader on the list.
#[derive(Debug, Clone)]
pub struct Subscriber {
    /// Random, permanent.
    pub id: SubscriberId,
    /// Where to write.
    pub address: EmailAddress,
    /// What to call them, if they said.
    pub name: Option<String>,
    /// Whether we may write.
    pub status: Status,
    /// Where they came from: `import list.csv`, `command line`.
    pub source: String,
    /// When they were added.
    pub created: DateTime<Utc>,
    /// When the status last changed.
    pub changed: DateTime<Utc>,
    /// What they chose to get.
    pub choice: Choice,
    /// They asked for no issues before then.
    pub paused_until: Option<DateTime<Utc>>,
}

/// A reader about to be added.
#[derive(Debug, Clone)]
pub struct NewSubscriber {
    /// Where to write.
    pub address: EmailAddress,
    /// What to call them, cleaned to one line of at most 100 characters.
    pub name: Option<String>,
    /// The status asked for.
    pub status: Status,
    /// What they get, if they are new.
    pub choice: Choice,
}

/// What became of one address given to the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AddOutcome {
    /// New on the list.
    Added,
    /// Already there, nothing to change.
    Unchanged,
    /// Already there; the status moved toward less mail.
    Lessened,
    /// Already there with less mail than asked for: stays as it is.
    Kept(Status),
    /// On the suppression list: stays off.
    Suppressed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_only_moves_toward_less_mail() {
        assert!(Status::Active.may_become(Status::Unsubscribed));
        assert!(!Status::Unsubscribed.may_become(Status::Active));
        assert!(!Status::Pending.may_become(Status::Active));
        assert!(!Status::Bounced.may_become(Status::Pending));
        assert!(Status::Bounced.may_become(Status::Complained));
    }
}
