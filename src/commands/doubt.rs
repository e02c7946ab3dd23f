//! Deliveries of which nobody knows whether they arrived, at the start of a
//! command that sends: what a crash left, and what the policies make of it.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Context, exit::Failure, talk::count, workspace};
use crate::{
    config::{Config, settings::Idempotency},
    domain::delivery::{DeliveryId, OnUncertain},
    store::{RESTORED, Recovered, Store, UncertainDelivery},
};

/// How long an uncertain delivery waits before it is sent again by a policy:
/// longer than a relay keeps a half-sent session.
const RESEND_GRACE: TimeDelta = TimeDelta::minutes(15);

/// What a policy makes of one delivery now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Held,
    Sent,
    Again,
}

/// Finds what a crash left behind, says so, and applies the policies, of which
/// `over` outweighs those of the configuration. Returns how many deliveries the
/// crash made uncertain.
///
/// # Errors
/// When the ledger cannot be written.
pub async fn recover(
    context: &Context,
    config: &Config,
    store: &Store,
    over: Option<OnUncertain>,
) -> Result<u64, Failure> {
    let recovered = store
        .recover(context.clock.start())
        .await
        .map_err(workspace::store_failure)?;
    tell(context, config, &recovered);
    settle(context, config, store, over).await?;
    Ok(recovered.uncertain)
}

/// Says what a crash, or a worker that was lost, left behind.
pub fn tell(context: &Context, config: &Config, recovered: &Recovered) {
    if recovered.uncertain > 0 {
        let zone = config.publication.timezone;
        let when = recovered.crashed.map_or_else(String::new, |at| {
            format!(" at {}", at.with_timezone(&zone).format("%Y-%m-%d %H:%M"))
        });
        context.talk.must_say(format!(
            "recovered after a crash{when}: {} uncertain",
            count(recovered.uncertain, "delivery")
        ));
    }
    if recovered.requeued > 0 {
        context.talk.say(format!(
            "{} of lost workers wait again",
            count(recovered.requeued, "claim")
        ));
    }
}

async fn settle(
    context: &Context,
    config: &Config,
    store: &Store,
    over: Option<OnUncertain>,
) -> Result<(), Failure> {
    let is_asked = |policy: Option<OnUncertain>| policy.is_some_and(|p| p != OnUncertain::Hold);
    let mail = config.mail.as_ref();
    let any = is_asked(over)
        || is_asked(mail.map(|mail| mail.on_uncertain))
        || config.digests.iter().any(|d| is_asked(d.on_uncertain));
    if !any {
        return Ok(());
    }
    let now = context.clock.now();
    let uncertain = store.uncertain().await.map_err(workspace::store_failure)?;
    let idempotency = mail.and_then(|mail| mail.idempotency.as_ref());
    let chosen = |wanted: Fate| -> Vec<DeliveryId> {
        uncertain
            .iter()
            .filter(|one| fate(one, policy(config, one, over), idempotency, now) == wanted)
            .map(|one| one.id)
            .collect()
    };
    let sent = chosen(Fate::Sent);
    if !sent.is_empty() {
        let amount = count(sent.len(), "uncertain delivery");
        store
            .mark_sent(sent)
            .await
            .map_err(workspace::store_failure)?;
        context.talk.say(format!("{amount} counted as sent"));
    }
    let again = chosen(Fate::Again);
    if !again.is_empty() {
        let amount = count(again.len(), "uncertain delivery");
        store
            .resend(again, now)
            .await
            .map_err(workspace::store_failure)?;
        context.talk.say(format!("{amount} queued again"));
    }
    Ok(())
}

/// The command line's policy, else the digest's, else that of all mail. What a
/// backup cannot know is for a person to settle, not for a standing rule.
fn policy(config: &Config, one: &UncertainDelivery, over: Option<OnUncertain>) -> OnUncertain {
    if over.is_none() && one.reason == RESTORED {
        return OnUncertain::Hold;
    }
    let of_digest = || config.digest(&one.digest)?.on_uncertain;
    let of_mail = || Some(config.mail.as_ref()?.on_uncertain);
    over.or_else(of_digest)
        .or_else(of_mail)
        .unwrap_or(OnUncertain::Hold)
}

fn fate(
    one: &UncertainDelivery,
    policy: OnUncertain,
    idempotency: Option<&Idempotency>,
    now: DateTime<Utc>,
) -> Fate {
    let has_waited = now - one.since >= RESEND_GRACE;
    match policy {
        OnUncertain::Hold => Fate::Held,
        OnUncertain::AssumeSent => Fate::Sent,
        OnUncertain::Resend if has_waited => Fate::Again,
        OnUncertain::Auto if has_waited && is_known_to_relay(one, idempotency, now) => Fate::Again,
        OnUncertain::Resend | OnUncertain::Auto => Fate::Held,
    }
}

/// Whether the relay still knows the message if it took it: it was frozen with
/// the header that the relay honours, and that not too long ago. When a restored
/// one was sent, if it was, is not on record.
fn is_known_to_relay(
    one: &UncertainDelivery,
    idempotency: Option<&Idempotency>,
    now: DateTime<Utc>,
) -> bool {
    idempotency.is_some_and(|known| {
        let age = now - one.started;
        one.reason != RESTORED
            && one.idempotency_header.as_ref() == Some(&known.header)
            && TimeDelta::from_std(known.window).is_ok_and(|window| age < window)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000 + minutes * 60, 0).unwrap()
    }

    fn uncertain(header: Option<&str>) -> UncertainDelivery {
        UncertainDelivery {
            id: 7,
            issue: 1,
            digest: "weekly".to_owned(),
            number: 3,
            address: None,
            attempt: 9,
            started: at(0),
            since: at(1),
            reason: "crash".to_owned(),
            idempotency_header: header.map(str::to_owned),
        }
    }

    fn day() -> Idempotency {
        Idempotency {
            header: "Resend-Idempotency-Key".to_owned(),
            window: Duration::from_secs(24 * 3600),
        }
    }

    #[test]
    fn each_policy_has_its_fate() {
        let one = uncertain(None);
        let fate = |policy, minutes| fate(&one, policy, None, at(minutes));
        assert_eq!(fate(OnUncertain::Hold, 10_000), Fate::Held);
        assert_eq!(fate(OnUncertain::AssumeSent, 1), Fate::Sent);
        assert_eq!(fate(OnUncertain::Resend, 15), Fate::Held);
        assert_eq!(fate(OnUncertain::Resend, 16), Fate::Again);
        assert_eq!(fate(OnUncertain::Auto, 16), Fate::Held);
    }

    #[test]
    fn auto_sends_again_only_what_the_relay_will_know() {
        let known = day();
        let auto = |one: &UncertainDelivery, minutes| {
            fate(one, OnUncertain::Auto, Some(&known), at(minutes))
        };
        let carries = uncertain(Some("Resend-Idempotency-Key"));
        assert_eq!(auto(&carries, 5), Fate::Held, "within its grace");
        assert_eq!(auto(&carries, 16), Fate::Again);
        assert_eq!(auto(&carries, 24 * 60), Fate::Held, "the relay forgot");
        assert_eq!(auto(&uncertain(None), 16), Fate::Held, "frozen without");
        let other = uncertain(Some("Other-Idempotency-Key"));
        assert_eq!(auto(&other, 16), Fate::Held);
        let restored = UncertainDelivery {
            reason: RESTORED.to_owned(),
            ..carries
        };
        assert_eq!(auto(&restored, 16), Fate::Held, "sent at any time");
    }
}
