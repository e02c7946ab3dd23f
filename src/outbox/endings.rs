//! How a drain ends: relays that drop out, what is said about those that did
//! not serve, and what is kept for the next run.

use std::{mem, sync::Arc};

use super::{
    OutboxError, Shared, Way,
    breaker::Failing,
    report::{Ending, Report, Why},
};
use crate::{
    domain::{delivery::Reply, text::grouped},
    store::RelayMemory,
};

/// No relay has served for longer than one run waits; [`report`] says which.
pub(super) fn given_up(shared: &Shared) {
    shared.halt.now(Some(Ending {
        why: Why::RelayAway,
        text: String::new(),
    }));
}

/// Nothing more through this relay in this run. The others go on with its
/// share; without others the drain is over.
pub(super) fn drop_out(shared: &Shared, why: Why, text: String) {
    let ending = Ending { why, text };
    if shared.control.take_out() {
        shared.halt.now(Some(ending));
    } else {
        shared.halt.dropped(ending);
    }
}

/// The relay does not know us. One try only: accounts lock.
pub(super) fn login_refused(shared: &Shared, reply: &Reply) {
    let user = match &shared.way {
        Way::Smtp(dialer) => dialer.login().map(masked).unwrap_or_default(),
        Way::Folder(_) => String::new(),
    };
    let name = shared.control.name();
    let text = format!("relay {name}: login refused for user {user}: {reply}");
    drop_out(shared, Why::Refused, text);
}

/// Enough of a login to know it by: `n…r`.
fn masked(login: &str) -> String {
    let mut letters = login.chars();
    let first = letters.next().map(String::from).unwrap_or_default();
    match letters.next_back() {
        Some(last) => format!("{first}…{last}"),
        None => format!("{first}…"),
    }
}

/// The relay takes no more until a time it said, or until tomorrow.
pub(super) fn quota(shared: &Shared, reply: &Reply) {
    let until = super::quota::until(reply, (shared.now)());
    shared.control.keep_quiet(until, &reply.to_string());
    leave_alone(shared);
}

/// Relays that asked earlier runs to be left alone are not even called.
pub(super) fn keep_quiet(relays: &[Arc<Shared>]) {
    for shared in relays {
        leave_alone(shared);
    }
}

fn leave_alone(shared: &Shared) {
    let Some((until, reply)) = shared.control.quiet() else {
        return;
    };
    if until <= (shared.now)() {
        return;
    }
    let text = format!(
        "relay {} takes no more for now (`{reply}`): stopped until {} UTC",
        shared.control.name(),
        until.format("%Y-%m-%d %H:%M")
    );
    drop_out(shared, Why::Quota, text);
}

/// Every session has ended: what is still inflight has no owner (where others
/// deliver, too, it has one until this worker is discharged), what is claimed is
/// for others, and what was learned is kept.
///
/// # Errors
/// When the ledger cannot be written.
pub(super) async fn settle(relays: &[Arc<Shared>]) -> Result<(), OutboxError> {
    let shared = &relays[0];
    let now = (shared.now)();
    if shared.store.is_shared() {
        shared.feed.tell_refusals().await?;
        // Not only what waits: an issue that was paused has left claims that are in
        // no hands, and nobody else could have them for as long as this worker lives.
        shared.store.release_all().await?;
    } else {
        let recovered = shared.store.recover(now).await?;
        shared.tally.add_uncertain(recovered.uncertain);
    }
    let unlucky = mem::take(&mut *super::locked(&shared.unlucky));
    if !unlucky.is_empty() {
        let unlucky = unlucky.into_iter().collect();
        let suppressed = shared
            .store
            .suppress_unreachable(unlucky, shared.settings.hard_limit, now)
            .await?;
        shared.tally.add_suppressed(suppressed);
    }
    let learned: Vec<RelayMemory> = relays
        .iter()
        .filter(|relay| matches!(relay.way, Way::Smtp(_)))
        .map(|relay| relay.control.memory())
        .collect();
    if !learned.is_empty() {
        shared.store.keep_relays(learned).await?;
    }
    Ok(())
}

/// What happened, relay by relay where there are several.
pub(super) fn report(relays: &[Arc<Shared>]) -> Report {
    let shared = &relays[0];
    let mut report = shared.halt.report(&shared.tally);
    let away = away(relays);
    match &mut report.ending {
        Some(ending) if ending.why == Why::RelayAway => {
            if away.iter().any(|(how, _)| *how == Failing::Protocol) {
                ending.why = Why::Protocol;
            }
            let texts: Vec<String> = away.into_iter().map(|(_, text)| text).collect();
            ending.text = texts.join("; ");
        }
        _ if relays.len() > 1 => {
            let others = away.into_iter().map(|(_, text)| Ending {
                why: Why::OthersServe,
                text: format!("{text}; the other relays did its share"),
            });
            report.dropped.extend(others);
        }
        _ => {}
    }
    if relays.len() > 1 {
        let sent = |relay: &Arc<Shared>| (relay.control.name().to_owned(), relay.control.sent());
        report.relays = relays.iter().map(sent).collect();
    }
    report
}

/// Every relay that does not serve: how, and in words.
fn away(relays: &[Arc<Shared>]) -> Vec<(Failing, String)> {
    relays
        .iter()
        .filter_map(|relay| {
            let away = relay.control.away()?;
            let what = match away.how {
                Failing::Unreachable => "unreachable",
                Failing::Unwilling => "takes no mail",
                Failing::Protocol => "breaks the protocol",
            };
            let since = away.since.with_timezone(&relay.zone);
            let today = (relay.now)().with_timezone(&relay.zone).date_naive();
            let since = if since.date_naive() == today {
                since.format("%H:%M")
            } else {
                since.format("%Y-%m-%d %H:%M")
            };
            let name = relay.control.name();
            let text = format!("relay {name} {what} since {since} ({})", away.reason);
            Some((away.how, text))
        })
        .collect()
}

/// Adds to the reason for an early end how many still wait. A relay that wants
/// to be left alone is no reason when nobody does.
///
/// # Errors
/// When the ledger cannot be read.
pub(super) async fn tell_queued(
    relays: &[Arc<Shared>],
    report: &mut Report,
) -> Result<(), OutboxError> {
    let shared = &relays[0];
    let is_about_relays =
        |ending: &Ending| matches!(ending.why, Why::RelayAway | Why::Protocol | Why::Quota);
    let any = report.ending.iter().chain(&report.dropped);
    if !any.into_iter().any(is_about_relays) {
        return Ok(());
    }
    let due = shared
        .store
        .count_due(shared.feed.scope(), (shared.now)())
        .await?;
    let queued = shared.store.count_queued().await?;
    report
        .dropped
        .retain(|ending| due > 0 || ending.why != Why::Quota);
    if let Some(ending) = report
        .ending
        .as_mut()
        .filter(|ending| is_about_relays(ending))
    {
        if due == 0 && ending.why == Why::Quota {
            report.ending = None;
            return Ok(());
        }
        ending.text.push_str(&match ending.why {
            Why::Quota => format!(", {} queued", grouped(queued)),
            _ => format!("; {} queued, next try with the next run", grouped(queued)),
        });
    }
    Ok(())
}
