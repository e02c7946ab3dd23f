//! Readers whom no issue reaches although no single answer is enough to say that
//! the address is bad: what several issues say together, to the relay or in
//! reports that came back.

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::params;

use crate::{
    domain::{
        consent::Evidence,
        delivery::{DeliveryId, IssueId, Phase, State, enhanced_of, is_bad_address},
        report::ReportKind,
    },
    store::{
        codes::{self, End},
        error::Fault,
        sql::{self, Connection, Row},
        subscribers::{self, SuppressionReason},
    },
};

/// So many issues in a row refused at RCPT with a bare 550.
const BARE_REFUSALS: usize = 3;
/// So many issues in a row that found the mailbox full, or came back for now,
const SOFT_FAILURES: usize = 5;
/// over at least so long a time.
const SOFT_FOR: TimeDelta = TimeDelta::days(30);

/// How the newest attempt at one issue ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// It arrived, as far as anybody knows.
    Arrived,
    /// A server said that the address is bad.
    Hard,
    /// 550 at RCPT without an enhanced code: "no such person" of old servers.
    Bare,
    /// The mailbox is full, or a report said that it did not arrive this time.
    Soft,
    Otherwise,
}

/// Suppresses those of these deliveries' readers whom the last issues did not
/// reach, and says how many there were.
pub(super) fn suppress_unreachable(
    connection: &Connection,
    deliveries: &[DeliveryId],
    hard_limit: u32,
    now: DateTime<Utc>,
) -> Result<u64, Fault> {
    let mut count = 0;
    for delivery in deliveries {
        let (subscriber, issue) = connection
            .prepare_cached("SELECT subscriber_id, issue_id FROM deliveries WHERE id = ?1")?
            .query_row([delivery], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let latest = latest(connection, subscriber, issue)?;
        let reason = if is_bad(&latest, hard_limit) {
            Some(SuppressionReason::HardBounce)
        } else {
            is_unreachable(&latest).then_some(SuppressionReason::Unreachable)
        };
        if let Some(reason) = reason {
            let evidence = Evidence::of(reason.as_str());
            subscribers::suppress_known(connection, subscriber, reason, &evidence, now)?;
            count += 1;
        }
    }
    Ok(count)
}

/// A reader's issues up to this one, the newest first: how each ended, and when.
/// What became of later ones may not be known yet.
fn latest(
    connection: &Connection,
    subscriber: i64,
    issue: IssueId,
) -> Result<Vec<(Ended, DateTime<Utc>)>, Fault> {
    let mut select = connection.prepare_cached(
        "SELECT d.state, a.outcome, a.code, a.reply, a.phase, a.started_at,
                (SELECT max(r.kind) FROM reports r WHERE r.delivery_id = d.id AND r.kind IN (3, 4))
           FROM deliveries d JOIN attempts a ON a.id = d.attempt_id
          WHERE d.subscriber_id = ?1 AND d.issue_id <= ?2
          ORDER BY d.issue_id DESC LIMIT ?3",
    )?;
    // Enough for the longer rule with an issue a day.
    let most = SOFT_FOR.num_days() + 2;
    let rows = select.query_map(params![subscriber, issue, most], |row| {
        Ok((ended(row)?, codes::time(row, 5)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn ended(row: &Row<'_>) -> sql::Result<Ended> {
    let state = codes::state(row, 0)?;
    let end = codes::end(row, 1)?;
    let code: Option<u16> = row.get(2)?;
    let reply: Option<String> = row.get(3)?;
    let phase: Option<String> = row.get(4)?;
    let enhanced = reply.as_deref().and_then(enhanced_of);
    let is_bare = state == State::Rejected
        && code == Some(550)
        && enhanced.is_none()
        && phase.as_deref() == Some(Phase::Rcpt.as_str());
    let came_back: Option<i64> = row.get(6)?;
    let came_back = |kind| came_back == Some(codes::of_report_kind(kind));
    let is_refused = state == State::Rejected && is_bad_address(enhanced);
    let is_full = end == Some(End::Deferred)
        && (code == Some(552) || matches!(enhanced, Some((4 | 5, 2, 2))));
    Ok(if is_refused || came_back(ReportKind::HardBounce) {
        Ended::Hard
    } else if is_bare {
        Ended::Bare
    } else if is_full || came_back(ReportKind::SoftBounce) {
        Ended::Soft
    } else if state == State::Sent {
        Ended::Arrived
    } else {
        Ended::Otherwise
    })
}

/// Whether so many issues said that the address is bad, and none arrived since.
fn is_bad(latest: &[(Ended, DateTime<Utc>)], limit: u32) -> bool {
    let since = latest
        .iter()
        .take_while(|(ended, _)| *ended != Ended::Arrived);
    let hard = since.filter(|(ended, _)| *ended == Ended::Hard).count();
    latest
        .first()
        .is_some_and(|(newest, _)| *newest == Ended::Hard)
        && hard >= limit as usize
}

fn is_unreachable(latest: &[(Ended, DateTime<Utc>)]) -> bool {
    let in_a_row = |what: Ended| latest.iter().take_while(move |(ended, _)| *ended == what);
    if in_a_row(Ended::Bare).count() >= BARE_REFUSALS {
        return true;
    }
    let soft: Vec<_> = in_a_row(Ended::Soft).map(|(_, at)| *at).collect();
    match (soft.first(), soft.last()) {
        (Some(newest), Some(oldest)) => {
            soft.len() >= SOFT_FAILURES && *newest - *oldest >= SOFT_FOR
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(ends: &[(Ended, i64)]) -> Vec<(Ended, DateTime<Utc>)> {
        let begin: DateTime<Utc> = "2026-11-27T05:00:00Z".parse().unwrap();
        ends.iter()
            .map(|(ended, days)| (*ended, begin - TimeDelta::days(*days)))
            .collect()
    }

    #[test]
    fn three_bare_refusals_in_a_row_are_enough_and_one_success_breaks_the_row() {
        use Ended::{Bare, Otherwise};
        assert!(is_unreachable(&days(&[(Bare, 0), (Bare, 7), (Bare, 14)])));
        assert!(!is_unreachable(&days(&[(Bare, 0), (Bare, 7)])));
        let broken = [(Bare, 0), (Bare, 7), (Otherwise, 14), (Bare, 21)];
        assert!(!is_unreachable(&days(&broken)));
    }

    #[test]
    fn so_many_bad_answers_as_set_are_enough_unless_an_issue_arrived_between() {
        use Ended::{Arrived, Hard, Otherwise, Soft};
        let once = days(&[(Hard, 0), (Arrived, 7)]);
        assert!(is_bad(&once, 1) && !is_bad(&once, 2));
        assert!(is_bad(&days(&[(Hard, 0), (Hard, 7), (Arrived, 14)]), 2));
        let apart = [(Hard, 0), (Soft, 7), (Otherwise, 14), (Hard, 21)];
        assert!(is_bad(&days(&apart), 2) && !is_bad(&days(&apart), 3));
        let mended = [(Hard, 0), (Arrived, 7), (Hard, 14)];
        assert!(!is_bad(&days(&mended), 2), "it was a mistake of the server");
        assert!(!is_bad(&days(&[(Soft, 0), (Hard, 7)]), 1), "done before");
        assert!(!is_bad(&[], 1));
    }

    #[test]
    fn a_full_mailbox_counts_only_over_a_month() {
        use Ended::{Otherwise, Soft};
        let over = |step: i64| -> Vec<_> { (0..5).map(|n| (Soft, n * step)).collect() };
        assert!(is_unreachable(&days(&over(8))));
        assert!(!is_unreachable(&days(&over(7))), "28 days");
        assert!(!is_unreachable(&days(&[(Soft, 0), (Soft, 20), (Soft, 40)])));
        let mut broken = over(8);
        broken[2].0 = Otherwise;
        assert!(!is_unreachable(&days(&broken)));
    }
}
