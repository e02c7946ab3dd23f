//! Records how an attempt ended, and draws the consequences for issue, relay
//! and run.
//!
//! What went wrong before the intent concerns nobody's message yet: only if the
//! relay refused this reader is there an attempt, begun and ended at once.

use std::{io, path::Path, sync::PoisonError};

use super::{
    OutboxError, Shared,
    issues::Ready,
    refusals::Universal,
    report::{Ending, PausedIssue, Why},
    verdict::{self, Blame, Verdict},
};
use crate::{
    domain::delivery::{AttemptId, DeliveryId, DueDelivery, Outcome, Phase, Reply, retry_delay},
    mail::smtp::Trouble,
    store::IssueChange,
};

/// The relay took the message.
pub(super) fn sent(shared: &Shared, delivery: &DueDelivery, attempt: AttemptId, reply: Reply) {
    shared.control.serves();
    shared.halt.protocol_broken(false);
    shared
        .refusals
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .success(delivery.issue);
    record(shared, attempt, Outcome::Sent(reply));
}

/// The message cannot be built: the ledger tells why.
pub(super) async fn failed(
    shared: &Shared,
    delivery: &DueDelivery,
    reason: String,
) -> Result<(), OutboxError> {
    shared.control.unused();
    conclude(shared, delivery.id, None, Outcome::Failed { reason }).await?;
    Ok(())
}

/// A session panicked over its delivery. Before the intent the message could
/// not be built; after it the delivery stays inflight, and uncertain at the end.
pub(super) async fn panicked(shared: &Shared, worker: usize) -> Result<(), OutboxError> {
    shared.control.unused();
    let Some(delivery) = shared.feed.in_hand(worker) else {
        return Ok(());
    };
    let reason = "building this message ended in a panic".to_owned();
    let concluded = shared
        .store
        .conclude(delivery, Outcome::Failed { reason }, (shared.now)());
    let is_failed = concluded.await;
    shared
        .tally
        .add_failed(u64::from(matches!(is_failed, Ok(true))));
    shared.feed.abandon(worker);
    Ok(is_failed.map(|_| ())?)
}

/// The folder relay could not write: nothing else will go better.
pub(super) fn folder_failed(shared: &Shared, attempt: AttemptId, file: &Path, error: &io::Error) {
    let text = format!("{} cannot be written: {error}", file.display());
    shared.halt.now(Some(Ending {
        why: Why::Folder,
        text: text.clone(),
    }));
    record(shared, attempt, Outcome::Requeued { reason: text });
}

/// Something went wrong: for this person, this issue, or the relay. There is
/// an `attempt` if the intent had been made.
pub(super) async fn troubled(
    shared: &Shared,
    delivery: &DueDelivery,
    ready: &Ready,
    attempt: Option<AttemptId>,
    trouble: Trouble,
) -> Result<(), OutboxError> {
    let closes = closes_session(&trouble);
    // Before it was named, no reader can be what the session was lost over.
    let is_named = matches!(trouble.phase(), Some(Phase::Rcpt | Phase::Data));
    let requeued = Outcome::Requeued {
        reason: trouble.to_string(),
    };
    let outcome = match verdict::of(trouble) {
        Verdict::Defer(reply) => {
            if closes {
                shared.control.slow_down(&reply.to_string());
            } else {
                shared.control.serves();
            }
            deferred(shared, delivery, reply)
        }
        Verdict::RejectAddress(reply) => {
            shared.control.serves();
            Outcome::Rejected {
                reply,
                is_hard: true,
            }
        }
        Verdict::RejectUnclear { phase, reply } => {
            shared.control.serves();
            return unclear(shared, delivery, ready, attempt, phase, reply).await;
        }
        Verdict::Fail(reason) => {
            shared.control.unused();
            Outcome::Failed { reason }
        }
        Verdict::Uncertain(reason) => {
            shared.control.lost(&reason);
            Outcome::Uncertain { reason }
        }
        Verdict::Requeue(blame) => {
            let is_session = closes || matches!(blame, Blame::Session(_) | Blame::Protocol(_));
            blamed(shared, ready, delivery, blame).await?;
            if is_session && is_named && shared.feed.is_poisonous(delivery.id) {
                deferred(
                    shared,
                    delivery,
                    Reply::new(451, "4.4.2 the session was lost again"),
                )
            } else {
                requeued
            }
        }
    };
    conclude(shared, delivery.id, attempt, outcome).await?;
    Ok(())
}

/// The reader left, or the issue was paused or called off, after the delivery
/// was read from the ledger: so may have been others that were read with it.
pub(super) fn withdrawn(shared: &Shared) {
    shared.tally.add_withdrawn(1);
    shared.feed.reread();
}

fn deferred(shared: &Shared, delivery: &DueDelivery, reply: Reply) -> Outcome {
    let delay = retry_delay(delivery.attempts + 1, (shared.chance)());
    Outcome::Deferred {
        reply,
        retry_at: (shared.now)() + delay,
    }
}

/// 421 says that the relay closes the session, whatever the phase.
fn closes_session(trouble: &Trouble) -> bool {
    matches!(trouble, Trouble::Refused { reply, .. } if reply.code == 421)
}

/// Rejected for this issue only, unless everybody is told the same: then it is
/// not the people, they go back to the queue, and nothing more is tried.
async fn unclear(
    shared: &Shared,
    delivery: &DueDelivery,
    ready: &Ready,
    attempt: Option<AttemptId>,
    phase: Phase,
    reply: Reply,
) -> Result<(), OutboxError> {
    let outcome = Outcome::Rejected {
        reply: reply.clone(),
        is_hard: false,
    };
    if !conclude(shared, delivery.id, attempt, outcome).await? {
        return Ok(());
    }
    let universal = shared
        .refusals
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .unclear(
            delivery.issue,
            delivery.id,
            delivery.address.domain(),
            phase,
            &reply,
        );
    let Some(Universal {
        deliveries,
        phase,
        reply,
    }) = universal
    else {
        return Ok(());
    };
    let count = deliveries.len() as u64;
    shared
        .store
        .withdraw_rejections(deliveries, (shared.now)())
        .await?;
    shared.tally.take_back_rejected(count);
    let text = format!(
        "the relay refuses to relay or to accept this content: `{reply}`; stopped, nobody suppressed"
    );
    if phase == Phase::Dot {
        pause(shared, ready, delivery, Why::Content, text).await
    } else {
        shared.halt.now(Some(Ending {
            why: Why::Refused,
            text,
        }));
        Ok(())
    }
}

/// What a requeued attempt means for issue, relay and run.
async fn blamed(
    shared: &Shared,
    ready: &Ready,
    delivery: &DueDelivery,
    blame: Blame,
) -> Result<(), OutboxError> {
    shared
        .halt
        .protocol_broken(matches!(blame, Blame::Protocol(_)));
    match blame {
        Blame::Session(reason) | Blame::Protocol(reason) => shared.control.lost(&reason),
        Blame::Unreachable(reason) => shared.control.unreachable(&reason),
        Blame::Pace(reply) => shared.control.slow_down(&reply.to_string()),
        Blame::Quota(reply) => shared.halt.now(Some(Ending {
            why: Why::Quota,
            text: format!("the relay takes no more for now: `{reply}`; the next run continues"),
        })),
        Blame::Identity(reason) => shared.halt.now(Some(Ending {
            why: Why::Refused,
            text: reason,
        })),
        Blame::Issue(reply) => {
            shared.control.serves();
            let text = format!("the relay refuses this issue: `{reply}`");
            pause(shared, ready, delivery, Why::Content, text).await?;
        }
        Blame::Sender(reply) => {
            shared.control.serves();
            let sender = match &shared.settings.bounce_domain {
                Some(domain) => format!("bounce+…@{domain}"),
                None => shared.settings.from.address.expose().to_owned(),
            };
            let text = format!("sender {sender} refused: `{reply}`");
            pause(shared, ready, delivery, Why::Sender, text).await?;
        }
    }
    Ok(())
}

async fn pause(
    shared: &Shared,
    ready: &Ready,
    delivery: &DueDelivery,
    why: Why,
    text: String,
) -> Result<(), OutboxError> {
    shared
        .store
        .change_issue(
            delivery.issue,
            IssueChange::Pause(text.clone()),
            (shared.now)(),
        )
        .await?;
    shared.halt.paused(PausedIssue {
        issue: format!("{}/{}", ready.digest, ready.number),
        why,
        text,
    });
    shared.feed.reread();
    Ok(())
}

/// The relay has not served for longer than one run waits.
pub(super) fn given_up(shared: &Shared) {
    let reason = shared
        .control
        .waiting()
        .map_or_else(|| "no answer".to_owned(), |waiting| waiting.reason);
    let patience = humantime::format_duration(shared.settings.relay_patience);
    let why = if shared.halt.is_protocol_broken() {
        Why::Protocol
    } else {
        Why::RelayAway
    };
    shared.halt.now(Some(Ending {
        why,
        text: format!(
            "relay {} did not serve for {patience} ({reason})",
            shared.settings.relay
        ),
    }));
}

/// How a delivery ended, with its attempt or without. False when the reader had
/// left before there was one: then nothing is to be recorded of them.
async fn conclude(
    shared: &Shared,
    delivery: DeliveryId,
    attempt: Option<AttemptId>,
    outcome: Outcome,
) -> Result<bool, OutboxError> {
    if let Some(attempt) = attempt {
        record(shared, attempt, outcome);
        return Ok(true);
    }
    if matches!(outcome, Outcome::Requeued { .. }) {
        // It is in the queue, and nothing happened that would count.
        return Ok(true);
    }
    let now = (shared.now)();
    let is_recorded = shared
        .store
        .conclude(delivery, outcome.clone(), now)
        .await?;
    if is_recorded {
        shared.tally.add(&outcome);
    } else {
        withdrawn(shared);
    }
    Ok(is_recorded)
}

/// Tells the ledger; does not wait for the commit. It rides with the next
/// intent's, and if it is lost the delivery is uncertain, never sent twice.
fn record(shared: &Shared, attempt: AttemptId, outcome: Outcome) {
    shared.tally.add(&outcome);
    drop(shared.store.outcome(attempt, outcome, (shared.now)()));
}
