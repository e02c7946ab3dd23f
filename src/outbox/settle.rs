//! Records how an attempt ended, and draws the consequences for issue, relay
//! and run.

use std::{io, path::Path};

use super::{
    OutboxError, Shared,
    control::Failing,
    endings,
    issues::Ready,
    locked,
    refusals::Universal,
    report::{Ending, PausedIssue, Why},
    verdict::{self, Blame, Verdict},
    worker,
};
use crate::{
    domain::delivery::{AttemptId, DueDelivery, Intent, Outcome, Phase, Reply, retry_delay},
    mail::smtp::{Session, Trouble},
    store::IssueChange,
};

/// The relay took the message.
pub(super) async fn sent(
    shared: &Shared,
    delivery: &DueDelivery,
    attempt: AttemptId,
    reply: Reply,
) -> Result<(), OutboxError> {
    shared.control.took();
    locked(&shared.refusals).success(delivery.issue);
    locked(&shared.bounces).answer(delivery.issue, false);
    shared.tally.add_sent(1);
    record(shared, attempt, Outcome::Sent(reply));
    Ok(())
}

/// The message cannot be built; without an intent there is one now, so that
/// the ledger tells why.
pub(super) async fn failed(
    shared: &Shared,
    delivery: &DueDelivery,
    reason: String,
) -> Result<(), OutboxError> {
    shared.control.unused();
    let intent = shared.store.intent(delivery.id, (shared.now)()).await?;
    if let Intent::Granted(attempt) = intent {
        shared.tally.add_failed(1);
        record(shared, attempt, Outcome::Failed { reason });
    }
    Ok(())
}

/// A session panicked over its delivery. Before the intent the message could
/// not be built; after it the delivery stays inflight, and uncertain at the end.
pub(super) async fn panicked(shared: &Shared, worker: usize) -> Result<(), OutboxError> {
    shared.control.unused();
    let Some(delivery) = shared.feed.in_hand(worker).await else {
        return Ok(());
    };
    let intent = shared.store.intent(delivery, (shared.now)()).await;
    if let Ok(Intent::Granted(attempt)) = intent {
        shared.tally.add_failed(1);
        let reason = "building this message ended in a panic".to_owned();
        record(shared, attempt, Outcome::Failed { reason });
    }
    shared.feed.release(worker).await;
    Ok(intent.map(|_| ())?)
}

/// The folder relay could not write: nothing else will go better.
pub(super) fn folder_failed(
    shared: &Shared,
    attempt: AttemptId,
    file: &Path,
    error: &io::Error,
) -> Result<(), OutboxError> {
    let text = format!("{} cannot be written: {error}", file.display());
    shared.halt.now(Some(Ending {
        why: Why::Folder,
        text: text.clone(),
    }));
    record(shared, attempt, Outcome::Requeued { reason: text });
    Ok(())
}

/// Back to the queue without a word: the session had been closed while idle.
pub(super) fn requeue(shared: &Shared, attempt: Option<AttemptId>, trouble: &Trouble) {
    if let Some(attempt) = attempt {
        record(shared, attempt, worker::requeued(trouble));
    }
}

/// Something went wrong: for this person, this issue, or the relay.
pub(super) async fn troubled(
    shared: &Shared,
    session: &mut Option<Session>,
    delivery: &DueDelivery,
    ready: &Ready,
    attempt: Option<AttemptId>,
    trouble: Trouble,
) -> Result<(), OutboxError> {
    keep_or_drop(session, &trouble).await;
    let closes = closes_session(&trouble);
    // Before it was named, no reader can be what the session was lost over.
    let is_named = attempt.is_some() && matches!(trouble.phase(), Some(Phase::Rcpt | Phase::Data));
    let requeued = worker::requeued(&trouble);
    let last_words = match &trouble {
        Trouble::Refused { reply, .. } => Some(reply.clone()),
        _ => None,
    };
    let verdict = verdict::of(trouble);
    if attempt.is_none() && !matches!(verdict, Verdict::Requeue(_)) {
        // Refused by the relay and not wanted any more by us: nothing is to be
        // recorded of this person.
        match verdict {
            Verdict::Fail(_) => shared.control.unused(),
            _ => shared.control.serves(),
        }
        return withdrawn(shared).await;
    }
    let outcome = match verdict {
        Verdict::Defer(reply) => {
            if closes {
                shared.control.slow_down(&reply.to_string());
            } else {
                shared.control.serves();
            }
            locked(&shared.bounces).answer(delivery.issue, false);
            if is_full(&reply) {
                locked(&shared.unlucky).insert(delivery.id);
            }
            deferred(shared, delivery, reply)
        }
        Verdict::RejectAddress { phase, reply } => {
            shared.control.serves();
            shared.tally.add_rejected(1);
            shared.tally.add_suppressed(1);
            let stop = locked(&shared.bounces).answer(delivery.issue, true);
            if let Some(text) = stop {
                pause(shared, ready, delivery, Why::Content, text).await?;
            }
            Outcome::Rejected {
                phase,
                reply,
                is_hard: true,
            }
        }
        Verdict::RejectUnclear { phase, reply } => {
            shared.control.serves();
            locked(&shared.bounces).answer(delivery.issue, false);
            return unclear(shared, delivery, ready, attempt, phase, reply).await;
        }
        Verdict::Fail(reason) => {
            shared.control.unused();
            shared.tally.add_failed(1);
            Outcome::Failed { reason }
        }
        Verdict::Uncertain(reason) => {
            shared.control.lost(&reason, Failing::Unreachable);
            shared.tally.add_uncertain(1);
            Outcome::Uncertain { reason }
        }
        Verdict::Requeue(blame) => {
            let is_session = closes || matches!(blame, Blame::Session(_) | Blame::Protocol(_));
            let is_lone = blamed(shared, ready, delivery, blame).await?;
            let is_suspect = (is_session && is_named) || is_lone;
            if is_suspect && shared.feed.is_poisonous(delivery.id).await {
                let reply = Reply::new(451, "4.4.2 the session was lost again");
                deferred(shared, delivery, last_words.unwrap_or(reply))
            } else {
                requeued
            }
        }
    };
    if let Some(attempt) = attempt {
        record(shared, attempt, outcome);
    }
    Ok(())
}

/// The mailbox is full: RFC 3463 X.2.2, or 552 at RCPT without more.
fn is_full(reply: &Reply) -> bool {
    reply.code == 552 || reply.has(&[(4, 2, 2), (5, 2, 2)])
}

/// The reader left, or the issue was paused or called off, after the delivery
/// was read from the ledger: so may have been others that were read with it.
pub(super) async fn withdrawn(shared: &Shared) -> Result<(), OutboxError> {
    shared.tally.add_withdrawn(1);
    shared.feed.reread().await;
    Ok(())
}

fn deferred(shared: &Shared, delivery: &DueDelivery, reply: Reply) -> Outcome {
    shared.tally.add_deferred(1);
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

/// A refusal in due form leaves the session usable: reset after MAIL or RCPT,
/// as it is after the dot. Everything else ends it.
async fn keep_or_drop(session: &mut Option<Session>, trouble: &Trouble) {
    match trouble {
        Trouble::Refused { phase, reply } if reply.code != 421 && reply.code != 503 => {
            match phase {
                Phase::Dot => {}
                Phase::Mail | Phase::Rcpt | Phase::Data => worker::reset(session).await,
                Phase::Connect | Phase::Tls | Phase::Auth => *session = None,
            }
        }
        Trouble::Address(_) => {}
        _ => *session = None,
    }
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
    let universal = locked(&shared.refusals).unclear(
        delivery.issue,
        delivery.id,
        delivery.address.domain(),
        phase,
        &reply,
    );
    shared.tally.add_rejected(1);
    if let Some(attempt) = attempt {
        if phase == Phase::Rcpt && reply.code == 550 && reply.enhanced.is_none() {
            locked(&shared.unlucky).insert(delivery.id);
        }
        let outcome = Outcome::Rejected {
            phase,
            reply,
            is_hard: false,
        };
        record(shared, attempt, outcome);
    }
    let Some(Universal {
        deliveries,
        phase,
        reply,
    }) = universal
    else {
        return Ok(());
    };
    let count = deliveries.len() as u64;
    locked(&shared.unlucky).retain(|unlucky| !deliveries.contains(unlucky));
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
        endings::drop_out(shared, Why::Refused, text);
        Ok(())
    }
}

/// What a requeued attempt means for issue, relay and run. True when it may be
/// about this reader all the same.
async fn blamed(
    shared: &Shared,
    ready: &Ready,
    delivery: &DueDelivery,
    blame: Blame,
) -> Result<bool, OutboxError> {
    match blame {
        Blame::Session(reason) => shared.control.lost(&reason, Failing::Unreachable),
        Blame::Protocol(reason) => shared.control.lost(&reason, Failing::Protocol),
        Blame::Unreachable(reason) => shared.control.unreachable(&reason),
        Blame::Pace(reply) => shared.control.slow_down(&reply.to_string()),
        Blame::NoRoom(reply) => {
            return Ok(!shared.control.no_room(delivery.id, &reply.to_string()));
        }
        Blame::Quota(reply) => endings::quota(shared, &reply),
        Blame::Login(reply) => endings::login_refused(shared, &reply),
        Blame::Identity(reason) => {
            let text = format!("relay {}: {reason}", shared.control.name());
            endings::drop_out(shared, Why::Refused, text);
        }
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
    Ok(false)
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
    shared.feed.reread().await;
    Ok(())
}

/// Tells the ledger; does not wait for the commit. It rides with the next
/// intent's, and if it is lost the delivery is uncertain, never sent twice.
fn record(shared: &Shared, attempt: AttemptId, outcome: Outcome) {
    drop(shared.store.outcome(attempt, outcome, (shared.now)()));
}
