//! What readers ask for themselves, and the proof that is kept of it.

use chrono::TimeDelta;
use serde::Serialize;

use crate::domain::{
    address::EmailAddress, article::Slug, choice::Choice, network::Network,
    subscriber::SubscriberId,
};

/// What happened to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Happening {
    /// Somebody asked to join in the reader's name.
    Asked,
    /// The reader said yes.
    Confirmed,
    /// Added by the publisher, by hand or through a program.
    Added,
    /// Came, or changed, with a file.
    Imported,
    /// Chose what to get.
    Chose,
    /// Gave another name.
    Renamed,
    /// Wants no issues for a while, or wants them again.
    Paused,
    /// Left one digest or all.
    Left,
    /// The address refused mail.
    Bounced,
    /// Reported our mail as unwanted.
    Complained,
    /// Must never be written to.
    Suppressed,
    /// All that was known was removed.
    Erased,
}

impl Happening {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Asked,
        Self::Confirmed,
        Self::Added,
        Self::Imported,
        Self::Chose,
        Self::Renamed,
        Self::Paused,
        Self::Left,
        Self::Bounced,
        Self::Complained,
        Self::Suppressed,
        Self::Erased,
    ];

    /// The word for the ledger and for exports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Confirmed => "confirmed",
            Self::Added => "added",
            Self::Imported => "imported",
            Self::Chose => "chose",
            Self::Renamed => "renamed",
            Self::Paused => "paused",
            Self::Left => "left",
            Self::Bounced => "bounced",
            Self::Complained => "complained",
            Self::Suppressed => "suppressed",
            Self::Erased => "erased",
        }
    }
}

/// How we know: what is kept with everything that happens to a reader.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evidence {
    /// Through what: `form`, `preferences page`, `command line`.
    pub source: String,
    /// The words that the reader saw and agreed to, as they were shown.
    pub wording: Option<String>,
    /// Where the request came from.
    pub network: Option<Network>,
}

impl From<&str> for Evidence {
    fn from(source: &str) -> Self {
        Self::of(source)
    }
}

impl From<&String> for Evidence {
    fn from(source: &String) -> Self {
        Self::of(source.as_str())
    }
}

impl Evidence {
    /// Evidence that is only a source.
    #[must_use]
    pub fn of(source: impl Into<String>) -> Self {
        Self {
            source: source.into(),
            ..Self::default()
        }
    }
}

/// Which reader is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// The one with this address.
    Address(EmailAddress),
    /// The one of a token.
    Reader(SubscriberId),
}

impl From<&EmailAddress> for Who {
    fn from(address: &EmailAddress) -> Self {
        Self::Address(address.clone())
    }
}

impl From<SubscriberId> for Who {
    fn from(id: SubscriberId) -> Self {
        Self::Reader(id)
    }
}

/// Somebody asks to join, in a reader's name: only the reader's own yes, by the
/// link in the mail to that address, makes it true.
#[derive(Debug, Clone)]
pub struct SignUp {
    /// Where to write.
    pub address: EmailAddress,
    /// What to call them, cleaned to one line of at most 100 characters.
    pub name: Option<String>,
    /// What they would get.
    pub choice: Choice,
    /// The digest that the form was about.
    pub digest: Slug,
}

/// A single mail that answers what one reader did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// Asks for the reader's yes.
    Confirm,
    /// The reader said yes.
    Welcome,
    /// The reader left.
    Goodbye,
    /// The newest issue, for a reader who has just joined.
    Latest,
}

impl Answer {
    /// All of them, in the order in which a reader should find them.
    pub const ALL: [Self; 4] = [Self::Confirm, Self::Welcome, Self::Goodbye, Self::Latest];

    /// The word for the ledger.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Welcome => "welcome",
            Self::Goodbye => "goodbye",
            Self::Latest => "latest",
        }
    }
}

/// How long the link of a confirmation works.
pub const CONFIRM_WITHIN: TimeDelta = TimeDelta::hours(72);
/// An address is asked to confirm once in this time,
pub const ASK_EVERY: TimeDelta = TimeDelta::hours(24);
/// and so often in all, until it does.
pub const MOST_ASKINGS: u32 = 3;
/// Who has not confirmed by then is forgotten.
pub const FORGET_AFTER: TimeDelta = TimeDelta::days(7);
