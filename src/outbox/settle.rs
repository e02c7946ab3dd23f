//! Records how an attempt ended, and draws the consequences for issue, relay
//! and run.
//!
//! What went wrong before the intent concerns nobody's message yet: only if the
//! relay refused this reader is there an attempt, begun and ended at once.

use std::{io, path::Path};

use super::{
    OutboxError, Shared,
    breaker::Failing,
    endings,
    enlistment::Permit,
    issues::Ready,
    locked,
    refusals::Universal,
    report::{Ending, PausedIssue, Why},
    sender::{self, Fault},
    verdict::{self, Blame, Verdict},
};
use crate::{
    domain::delivery::{AttemptId, DueDelivery, Outcome, Phase, Reply, retry_delay},
    mail::smtp::Trouble,
    store::IssueChange,
};

/// A delivery in the hands of a session.
#[derive(Clone, Copy)]
pub(super) struct Case<'c> {
    pub(super) shared: &'c Shared,
    /// The session's number.
    pub(super) worker: usize,
    pub(super) delivery: &'c DueDelivery,
    pub(super) ready: &'c Ready,
}

/// The relay took the message.
pub(super) async fn sent(
    case: Case<'_>,
    attempt: AttemptId,
    reply: Reply,
) -> Result<(), OutboxError> {
    let shared = case.shared;
    shared.control.took();
    locked(&shared.refusals).success(case.delivery.issue);
    record(shared, attempt, Outcome::Sent(reply))?;
    answered(case, false).await
}

/// Counts an answer about one reader once it is recorded: a paused issue grants
/// no more intents, that of a refusal included.
async fn answered(case: Case<'_>, is_hard: bool) -> Result<(), OutboxError> {
    let stop = locked(&case.shared.bounces).answer(case.delivery.issue, is_hard);
    match stop {
        Some(text) => pause(case, Why::Content, text).await,
        None => Ok(()),
    }
}

/// The message cannot be built: the ledger tells why.
pub(super) async fn failed(case: Case<'_>, reason: String) -> Result<(), OutboxError> {
    case.shared.control.unused(case.worker);
    conclude(case, None, Outcome::Failed { reason }).await?;
    Ok(())
}

/// A session panicked over its delivery, and has given back what nothing was sent
/// under. Before the end of the message it could not be built; after that the
/// delivery stays inflight, and uncertain at the end.
pub(super) async fn panicked(shared: &Shared, worker: usize) -> Result<(), OutboxError> {
    shared.control.unused(worker);
    let Some(delivery) = shared.feed.in_hand(worker) else {
        return Ok(());
    };
    let reason = "building this message ended in a panic".to_owned();
    let outcome = Outcome::Failed { reason };
    let concluded = shared
        .store
        .conclude(delivery, outcome.clone(), (shared.now)());
    let is_failed = concluded.await;
    if matches!(is_failed, Ok(true)) {
        shared.tally.add(&outcome);
    }
    shared.feed.abandon(worker);
    Ok(is_failed.map(|_| ())?)
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
    record(shared, attempt, Outcome::Requeued { reason: text })
}

/// Something went wrong: for this person, this issue, or the relay. There is
/// an `attempt` if the intent had been made.
pub(super) async fn troubled(
    case: Case<'_>,
    attempt: Option<AttemptId>,
    trouble: Trouble,
) -> Result<(), OutboxError> {
    let Case {
        shared,
        worker,
        delivery,
        ..
    } = case;
    let closes = closes_session(&trouble);
    // Before it was named, no reader can be what the session was lost over.
    let is_named = matches!(trouble.phase(), Some(Phase::Rcpt | Phase::Data));
    let last_words = match &trouble {
        Trouble::Refused { reply, .. } => Some(reply),
        _ => None,
    };
    let fault = last_words.and_then(|reply| blame_sender(shared, reply));
    // An answer about this reader, and whether the address does not exist.
    let mut is_hard = None;
    let outcome = match verdict::of(&trouble) {
        Verdict::Defer(reply) => {
            shared.feed.refused(delivery.address.domain(), &reply);
            if closes {
                shared.control.slow_down(worker, &reply.to_string());
            } else {
                shared.control.serves();
            }
            is_hard = Some(false);
            if is_full(&reply) {
                locked(&shared.unlucky).insert(delivery.id);
            }
            deferred(shared, delivery, reply)
        }
        Verdict::RejectAddress { phase, reply } => {
            shared.control.serves();
            is_hard = Some(true);
            // Where one is not enough, earlier issues have a say in the end.
            let is_enough = shared.settings.hard_limit <= 1;
            if !is_enough {
                locked(&shared.unlucky).insert(delivery.id);
            }
            Outcome::Rejected {
                phase,
                reply,
                is_hard: is_enough,
            }
        }
        Verdict::RejectUnclear { phase, reply } => {
            shared.control.serves();
            return unclear(case, attempt, phase, reply, fault).await;
        }
        Verdict::Fail(reason) => {
            shared.control.unused(worker);
            Outcome::Failed { reason }
        }
        Verdict::Uncertain(reason) => {
            shared.control.lost(worker, &reason, Failing::Unreachable);
            Outcome::Uncertain { reason }
        }
        Verdict::Requeue(blame) => {
            let is_session = closes || matches!(blame, Blame::Session(_) | Blame::Protocol(_));
            let is_lone = blamed(case, blame, fault).await?;
            let is_suspect = (is_session && is_named) || is_lone;
            if is_suspect && shared.feed.is_poisonous(delivery.id) {
                let reply = Reply::new(451, "4.4.2 the session was lost again");
                deferred(shared, delivery, last_words.cloned().unwrap_or(reply))
            } else {
                Outcome::Requeued {
                    reason: trouble.to_string(),
                }
            }
        }
    };
    conclude(case, attempt, outcome).await?;
    match is_hard {
        Some(is_hard) => answered(case, is_hard).await,
        None => Ok(()),
    }
}

/// The mailbox is full: RFC 3463 X.2.2, or 552 at RCPT without more.
fn is_full(reply: &Reply) -> bool {
    reply.code == 552 || reply.has(&[(4, 2, 2), (5, 2, 2)])
}

/// The reader left, or the issue was paused or called off, after the delivery
/// was read from the ledger: so may have been others that were read with it.
pub(super) fn withdrawn(shared: &Shared) {
    shared.tally.add_withdrawn(1);
    shared.feed.reread();
}

/// The lease was lost before the dot. Whoever has the delivery now sends it; if
/// it had an intent and became uncertain, we know that it was not sent.
pub(super) fn lapsed(
    shared: &Shared,
    permit: &Permit,
    attempt: Option<AttemptId>,
) -> Result<(), OutboxError> {
    match attempt {
        Some(attempt) => {
            let reason = "the lease was lost before the end of the message".to_owned();
            record(shared, attempt, Outcome::Requeued { reason })
        }
        None => {
            shared.feed.dropped(permit);
            Ok(())
        }
    }
}

/// An intent was asked for ahead of its message, of which nothing was sent.
pub(super) fn unused(shared: &Shared, attempt: AttemptId) -> Result<(), OutboxError> {
    let reason = "asked for ahead and not used".to_owned();
    record(shared, attempt, Outcome::Requeued { reason })
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
    case: Case<'_>,
    attempt: Option<AttemptId>,
    phase: Phase,
    reply: Reply,
    fault: Option<Fault>,
) -> Result<(), OutboxError> {
    let Case {
        shared, delivery, ..
    } = case;
    let is_bare = phase == Phase::Rcpt && reply.code == 550 && reply.enhanced.is_none();
    let outcome = Outcome::Rejected {
        phase,
        reply: reply.clone(),
        is_hard: false,
    };
    if !conclude(case, attempt, outcome).await? {
        return Ok(());
    }
    answered(case, false).await?;
    if is_bare {
        locked(&shared.unlucky).insert(delivery.id);
    }
    let universal = {
        let mut refusals = locked(&shared.refusals);
        match fault {
            Some(_) => refusals.of_sender(delivery.issue, delivery.id, phase, &reply),
            None => {
                let domain = delivery.address.domain();
                refusals.unclear(delivery.issue, delivery.id, domain, phase, &reply)
            }
        }
    };
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
    if let Some(fault) = fault {
        let remedy = fault.remedy(sender_domain(shared));
        let text = format!("the sender is refused: `{reply}`: {remedy}; nobody suppressed");
        return pause(case, Why::Sender, text).await;
    }
    let text = format!(
        "the relay refuses to relay or to accept this content: `{reply}`; stopped, nobody suppressed"
    );
    if phase == Phase::Dot {
        pause(case, Why::Content, text).await
    } else {
        endings::drop_out(shared, Why::Refused, text);
        Ok(())
    }
}

/// Notes an answer that is about us, and says what it holds against us.
fn blame_sender(shared: &Shared, reply: &Reply) -> Option<Fault> {
    let fault = sender::fault(reply)?;
    let remedy = || fault.remedy(sender_domain(shared));
    shared.halt.blamed(fault, reply, remedy);
    Some(fault)
}

fn sender_domain(shared: &Shared) -> &str {
    shared.settings.from.address.domain()
}

/// `1.2`; small sizes with as many digits as they need to differ.
fn megabytes(bytes: usize) -> String {
    let tenths = (bytes + 50_000) / 100_000;
    if bytes >= 1_000_000 {
        return format!("{}.{}", tenths / 10, tenths % 10);
    }
    format!("0.{:06}", bytes).trim_end_matches('0').to_owned()
}

/// What a requeued attempt means for issue, relay and run. True when it may be
/// about this reader all the same.
async fn blamed(case: Case<'_>, blame: Blame, fault: Option<Fault>) -> Result<bool, OutboxError> {
    let Case { shared, worker, .. } = case;
    let control = &shared.control;
    match blame {
        Blame::Session(reason) => control.lost(worker, &reason, Failing::Unreachable),
        Blame::Protocol(reason) => control.lost(worker, &reason, Failing::Protocol),
        Blame::Unreachable(reason) => control.unreachable(worker, &reason),
        Blame::Pace(reply) => control.slow_down(worker, &reply.to_string()),
        Blame::NoRoom(reply) => {
            return Ok(!control.no_room(worker, case.delivery.id, &reply.to_string()));
        }
        Blame::Quota(reply) => endings::quota(shared, &reply),
        Blame::Login(reply) => endings::login_refused(shared, &reply),
        Blame::Identity(reason) => {
            let text = format!("relay {}: {reason}", control.name());
            endings::drop_out(shared, Why::Refused, text);
        }
        Blame::Issue(reply) => {
            control.serves();
            let text = format!("the relay refuses this issue: `{reply}`");
            pause(case, Why::Content, text).await?;
        }
        Blame::TooBig { size, most } => {
            control.serves();
            let [size, most] = [size, most].map(megabytes);
            let text = format!("issue is {size} MB, relay takes {most} MB");
            pause(case, Why::Content, text).await?;
        }
        Blame::Sender(reply) => {
            control.serves();
            let sender = match &shared.settings.bounce_domain {
                Some(domain) => format!("bounce+…@{domain}"),
                None => shared.settings.from.address.expose().to_owned(),
            };
            let remedy = fault
                .map(|fault| format!(": {}", fault.remedy(sender_domain(shared))))
                .unwrap_or_default();
            let text = format!("sender {sender} refused: `{reply}`{remedy}");
            pause(case, Why::Sender, text).await?;
        }
    }
    Ok(false)
}

async fn pause(case: Case<'_>, why: Why, text: String) -> Result<(), OutboxError> {
    let Case { shared, ready, .. } = case;
    let change = IssueChange::Pause(text.clone());
    shared
        .store
        .change_issue(case.delivery.issue, change, (shared.now)())
        .await?;
    shared.halt.paused(PausedIssue {
        issue: format!("{}/{}", ready.digest, ready.number),
        why,
        text,
    });
    shared.feed.reread();
    Ok(())
}

/// How a delivery ended, with its attempt or without. False when the reader had
/// left before there was one: then nothing is to be recorded of them.
async fn conclude(
    case: Case<'_>,
    attempt: Option<AttemptId>,
    outcome: Outcome,
) -> Result<bool, OutboxError> {
    let shared = case.shared;
    if let Some(attempt) = attempt {
        record(shared, attempt, outcome)?;
        return Ok(true);
    }
    if matches!(outcome, Outcome::Requeued { .. }) {
        // It is in the queue, and nothing happened that would count.
        return Ok(true);
    }
    let now = (shared.now)();
    let is_recorded = shared
        .store
        .conclude(case.delivery.id, outcome.clone(), now)
        .await?;
    if is_recorded {
        shared.tally.add(&outcome);
    } else {
        withdrawn(shared);
    }
    Ok(is_recorded)
}

/// Tells the ledger; does not wait for the commit. It rides with the next
/// intent's, and if it is lost the slate has it, or the delivery is uncertain; it is
/// never sent twice.
/// Should it tell of a second copy, the ledger keeps that for the report.
fn record(shared: &Shared, attempt: AttemptId, outcome: Outcome) -> Result<(), OutboxError> {
    let now = (shared.now)();
    let slate = shared.slate.as_ref();
    let noted = slate.map_or(Ok(()), |slate| slate.ended(attempt, &outcome, now));
    shared.tally.add(&outcome);
    drop(shared.store.outcome(attempt, outcome, now));
    Ok(noted?)
}
