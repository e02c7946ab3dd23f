//! The fate of one message: states, attempts, replies.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::{address::EmailAddress, subscriber::SubscriberId};

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Waits for its time.
    Queued,
    /// Reserved by a worker (PostgreSQL); no byte sent.
    Claimed,
    /// The intent is durable, the outcome is not: may have been accepted.
    Inflight,
    /// Accepted by the relay.
    Sent,
    /// We or the relay vanished after the point of no return: nobody knows.
    Uncertain,
    /// Refused for good.
    Rejected,
    /// Could not be built for this reader.
    Failed,
    /// The issue's time ran out.
    Expired,
    /// Unsubscribed, suppressed, erased, or the issue was called off.
    Cancelled,
}

impl State {
    /// Every state, in order.
    pub const ALL: [Self; 9] = [
        Self::Queued,
        Self::Claimed,
        Self::Inflight,
        Self::Sent,
        Self::Uncertain,
        Self::Rejected,
        Self::Failed,
        Self::Expired,
        Self::Cancelled,
    ];

    /// The word for tables and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Claimed => "claimed",
            Self::Inflight => "inflight",
            Self::Sent => "sent",
            Self::Uncertain => "uncertain",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether something still has to happen by itself.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Claimed | Self::Inflight)
    }
}

/// The word is no state.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no state of a delivery")]
pub struct StateError(String);

impl FromStr for State {
    type Err = StateError;

    fn from_str(raw: &str) -> Result<Self, StateError> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == raw)
            .ok_or_else(|| StateError(raw.to_owned()))
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Number of an issue in the ledger.
pub type IssueId = i64;
/// Number of a delivery in the ledger.
pub type DeliveryId = i64;
/// Number of an attempt in the ledger.
pub type AttemptId = i64;

/// The step of an SMTP session in which something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Resolving, connecting, greeting, EHLO.
    Connect,
    /// STARTTLS or implicit TLS.
    Tls,
    /// Login.
    Auth,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// DATA, before the first byte of the message.
    Data,
    /// From the terminating dot on: the point of no return.
    Dot,
}

impl Phase {
    /// The word for tables and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Auth => "auth",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
            Self::Dot => "dot",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a relay said: code, enhanced status code (RFC 3463) if any, and text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// 200 to 599.
    pub code: u16,
    /// Such as 5.1.1.
    pub enhanced: Option<(u8, u16, u16)>,
    /// One clean line of at most 512 characters.
    pub text: String,
}

impl Reply {
    /// Makes a reply of a code and its text; an enhanced code is taken from the
    /// front of the text when its class agrees with the code (RFC 2034).
    #[must_use]
    pub fn new(code: u16, text: &str) -> Self {
        let text = crate::domain::text::cut(&crate::domain::text::one_line(text), 512);
        let enhanced = enhanced_of(&text).filter(|(class, _, _)| u16::from(*class) == code / 100);
        Self {
            code,
            enhanced,
            text,
        }
    }

    /// Whether the enhanced code is one of these.
    #[must_use]
    pub fn has(&self, codes: &[(u8, u16, u16)]) -> bool {
        self.enhanced.is_some_and(|code| codes.contains(&code))
    }

    /// 4xx.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.code / 100 == 4
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}

/// The enhanced code at the front of a reply's text, such as 5.1.1.
#[must_use]
pub fn enhanced_of(text: &str) -> Option<(u8, u16, u16)> {
    let mut parts = text.split(' ').next()?.split('.');
    let class = parts.next()?.parse().ok()?;
    let subject = parts.next()?.parse().ok()?;
    let detail = parts.next()?.parse().ok()?;
    parts.next().is_none().then_some((class, subject, detail))
}

/// Enhanced codes that say that the address itself is bad.
const BAD_ADDRESS: [(u8, u16, u16); 6] = [
    (5, 1, 1),
    (5, 1, 2),
    (5, 1, 3),
    (5, 1, 6),
    (5, 1, 10),
    (5, 2, 1),
];

/// Whether an enhanced code says that the address itself takes no mail.
#[must_use]
pub fn is_bad_address(enhanced: Option<(u8, u16, u16)>) -> bool {
    enhanced.is_some_and(|code| BAD_ADDRESS.contains(&code))
}

/// A queued delivery, as the outbox takes it from the ledger.
#[derive(Debug, Clone)]
pub struct DueDelivery {
    /// Which.
    pub id: DeliveryId,
    /// Of which issue.
    pub issue: IssueId,
    /// Which of its editions, from 1.
    pub edition: u32,
    /// To whom, for tokens.
    pub subscriber: SubscriberId,
    /// The address frozen with the issue.
    pub address: EmailAddress,
    /// The name frozen with the issue.
    pub name: Option<String>,
    /// Attempts that were counted so far.
    pub attempts: u32,
}

/// Answer to an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// It is durable; this attempt may send the dot.
    Granted(AttemptId),
    /// The reader left, the issue was paused, or the time ran out meanwhile.
    Refused,
}

/// How an attempt ended, to be recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// 2xx after the dot.
    Sent(Reply),
    /// Temporary refusal of this person: again at `retry_at`, counts as an attempt.
    Deferred {
        /// What the relay said.
        reply: Reply,
        /// When to try again.
        retry_at: DateTime<Utc>,
    },
    /// Back to the queue at once, not counted: the trouble was the relay's or ours.
    Requeued {
        /// In a few words.
        reason: String,
    },
    /// Permanent refusal of this person.
    Rejected {
        /// At which step: RCPT or the dot.
        phase: Phase,
        /// What the relay said.
        reply: Reply,
        /// Whether the address itself does not exist or take mail: counts as a hard bounce.
        is_hard: bool,
    },
    /// The message could not be built for this person.
    Failed {
        /// Why.
        reason: String,
    },
    /// Past the point of no return without an answer.
    Uncertain {
        /// What happened instead of an answer.
        reason: String,
    },
}

/// What to do with deliveries of which nobody knows whether they arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUncertain {
    /// List them and wait for a person (the default).
    Hold,
    /// Send again after a while, with the same Message-ID: at least once.
    Resend,
    /// Count them as sent: at most once.
    AssumeSent,
    /// Send again while the relay knows a message that it took before; else hold.
    Auto,
}

impl OnUncertain {
    /// Every policy.
    pub const ALL: [Self; 4] = [Self::Hold, Self::Resend, Self::AssumeSent, Self::Auto];

    /// The word for the configuration and the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Resend => "resend",
            Self::AssumeSent => "assume-sent",
            Self::Auto => "auto",
        }
    }
}

/// The word is no policy.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no policy; use \"hold\", \"resend\", \"assume-sent\" or \"auto\"")]
pub struct OnUncertainError(String);

impl FromStr for OnUncertain {
    type Err = OnUncertainError;

    fn from_str(raw: &str) -> Result<Self, OnUncertainError> {
        Self::ALL
            .into_iter()
            .find(|policy| policy.as_str() == raw)
            .ok_or_else(|| OnUncertainError(raw.to_owned()))
    }
}

/// When a delivery that was deferred for the `attempt`-th time (from 1) is due
/// again: 5 min, 15 min, 30 min, 1 h, 2 h, 4 h, then every 6 h, each ±15 %.
/// `jitter` is in 0.0..1.0.
#[must_use]
pub fn retry_delay(attempt: u32, jitter: f64) -> Duration {
    let minutes: i64 = match attempt {
        0 | 1 => 5,
        2 => 15,
        3 => 30,
        4 => 60,
        5 => 120,
        6 => 240,
        _ => 360,
    };
    let base = minutes * 60_000;
    // At most 6.9 h in milliseconds: far inside what f64 holds exactly.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "see above"
    )]
    let millis = (base as f64 * (0.85 + 0.3 * jitter.clamp(0.0, 1.0))) as i64;
    Duration::milliseconds(millis)
}

/// The longest step of [`retry_delay`]: a due time further ahead than this
/// means that the clock went backwards.
pub const LONGEST_RETRY: Duration = Duration::minutes(414);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enhanced_code_counts_only_when_it_agrees() {
        let reply = Reply::new(550, "5.1.1 no such person");
        assert!(reply.has(&[(5, 1, 1)]));
        assert_eq!(reply.to_string(), "550 5.1.1 no such person");
        assert_eq!(Reply::new(250, "5.1.1 odd").enhanced, None);
        assert_eq!(Reply::new(550, "no such person").enhanced, None);
    }

    #[test]
    fn retries_grow_and_stay_within_fifteen_percent() {
        assert_eq!(retry_delay(1, 0.5), Duration::minutes(5));
        assert_eq!(retry_delay(2, 0.0), Duration::seconds(765));
        assert_eq!(retry_delay(9, 0.5), Duration::hours(6));
        for attempt in 1..20 {
            assert!(retry_delay(attempt, 1.0) <= LONGEST_RETRY);
        }
    }
}
