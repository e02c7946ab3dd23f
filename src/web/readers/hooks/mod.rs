//! Providers that tell of bounces by HTTP. Each proves itself in its own way;
//! what it says counts, like any report, by the token of ours inside it.

mod postmark;
mod ses;

use chrono::{DateTime, Utc};

pub use self::{
    postmark::PostmarkHook,
    ses::{Fetch, SesHook},
};
pub(super) use self::{postmark::postmark, ses::ses};
use crate::{
    domain::report::Report,
    inbound::{Content, Whose, mail},
    links::Signer,
    store::{Effect, InboundMail, Store, StoreError},
};

/// The providers that may tell of bounces.
#[derive(Default)]
pub struct Hooks {
    /// Amazon SNS, with what SES has to tell.
    pub ses: Option<SesHook>,
    /// Postmark.
    pub postmark: Option<PostmarkHook>,
    /// See `bounces.hard_limit`.
    pub hard_limit: u32,
}

/// Applies what a provider that proved itself tells; hands back what the
/// publisher must know of it.
async fn apply(
    told: &[u8],
    hard_limit: u32,
    store: &Store,
    signer: &Signer,
    now: DateTime<Utc>,
) -> Result<Vec<String>, StoreError> {
    let incoming = mail::read(told, signer);
    let effect = match incoming.content {
        Content::Report {
            whose: Whose::Delivery(delivery),
            finding,
        } => Some(Effect::Report(Report { delivery, finding })),
        Content::LeftAtRelay { delivery } => Some(Effect::LeftAtRelay(delivery)),
        // Message-IDs are proven where mailboxes are read: providers have the token.
        Content::Report { .. } | Content::Leaving { .. } | Content::Nothing(_) => None,
    };
    let mail = InboundMail {
        id: incoming.id,
        effect,
    };
    let applied = store
        .apply_inbound(vec![mail], None, hard_limit, now)
        .await?;
    let alarms = applied.alarms.into_iter();
    Ok(alarms
        .map(|alarm| match alarm.is_paused {
            true => format!("issue {} is paused: {}", alarm.issue, alarm.text),
            false => format!("issue {}: {}", alarm.issue, alarm.text),
        })
        .collect())
}
