//! Deliveries in bulk: what is due, what ran out of time, what a crash left
//! behind, and how uncertain ones are settled.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use rusqlite::{params, types::ValueRef};

use crate::{
    domain::{
        address::EmailAddress,
        delivery::{AttemptId, DeliveryId, DueDelivery, IssueId, LONGEST_RETRY, Outcome},
        issue::IssueState,
    },
    store::{
        attempts, codes,
        error::Fault,
        issues,
        notices::is_wanted,
        postgres::{claims, lease},
        slate::Left,
        sql::{self, Connection, Row},
    },
};

/// Which deliveries are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// All of them.
    #[default]
    Everything,
    /// Single mails only.
    Notices,
}

/// What a crashed run left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovered {
    /// Deliveries of which nobody knows whether they arrived.
    pub uncertain: u64,
    /// Deliveries that lost workers had claimed and not begun: they wait again.
    pub requeued: u64,
    /// When the last of them was begun: about the time of the crash.
    pub crashed: Option<DateTime<Utc>>,
}

/// Deliveries whose time ran out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expired {
    /// How many there are now.
    pub deliveries: u64,
    /// Issues that were paused instead, because most of their deliveries would
    /// have expired without a single attempt.
    pub paused: Vec<IssueId>,
}

/// A delivery of which nobody knows whether it arrived.
#[derive(Debug, Clone)]
pub struct UncertainDelivery {
    /// Which.
    pub id: DeliveryId,
    /// Of which issue.
    pub issue: IssueId,
    /// Name of the digest.
    pub digest: String,
    /// The digest's own number of the issue.
    pub number: u32,
    /// To whom; `None` once the reader is erased.
    pub address: Option<EmailAddress>,
    /// The attempt that got no answer.
    pub attempt: AttemptId,
    /// When it began.
    pub started: DateTime<Utc>,
    /// When it was found without an answer.
    pub since: DateTime<Utc>,
    /// What happened instead of an answer: [`CRASH`], [`RESTORED`], or the
    /// session's trouble.
    pub reason: String,
    /// The header of its message by which the relay knows one that it took before.
    pub idempotency_header: Option<String>,
}

/// The reason of deliveries that a run which died left under way.
pub const CRASH: &str = "crash";
/// The reason of deliveries that a restored backup held as queued, under way or
/// uncertain.
pub const RESTORED: &str = "restored";

/// The reason of attempts of which the slate tells that their message was not ended.
const UNENDED: &str = "the run ended before the end of the message";

/// What became of uncertain deliveries that are to be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Resent {
    /// Queued again.
    pub queued: u64,
    /// Left as they are: not uncertain, the reader left, or the issue was cancelled.
    pub left: u64,
}

/// The statements of recovery, in their order. The index makes them as quick as
/// deliveries under way are few, whatever the audience.
pub(super) const RECOVERY: [&str; 3] = [
    "SELECT max(a.started_at)
       FROM deliveries d INDEXED BY deliveries_inflight
       JOIN attempts a ON a.id = d.attempt_id
      WHERE d.state = 2",
    "UPDATE attempts SET ended_at = ?1, outcome = 6, reply = ?2
      WHERE id IN (SELECT attempt_id FROM deliveries INDEXED BY deliveries_inflight
                    WHERE state = 2)",
    "UPDATE deliveries INDEXED BY deliveries_inflight
        SET state = 4, attempts = attempts + 1 WHERE state = 2",
];

/// Turns every inflight delivery into an uncertain one, unless what a slate has
/// `left` says more. Under the run lock they all belong to a dead process; on a
/// server, those do of workers that are lost.
pub(super) fn recover(
    connection: &Connection,
    left: Option<&Left>,
    now: DateTime<Utc>,
) -> Result<Recovered, Fault> {
    if let Connection::Postgres(link) = connection {
        return lease::reap(connection, link.lease(), now);
    }
    let [when, end, doubt] = RECOVERY;
    let crashed = connection.query_row(when, [], |row| codes::time_if_any(row, 0))?;
    let known = match left {
        Some(left) => take_up(connection, left, now)?,
        None => 0,
    };
    connection.execute(end, params![now.timestamp(), CRASH])?;
    let uncertain = connection.execute(doubt, [])?;
    Ok(Recovered {
        uncertain: known + uncertain as u64,
        requeued: 0,
        crashed,
    })
}

/// Settles what a slate knows of the attempts that are under way: what was answered,
/// and what was never ended. Says how many became uncertain by what their sessions
/// had heard.
fn take_up(connection: &Connection, left: &Left, now: DateTime<Utc>) -> Result<u64, Fault> {
    let mut select = connection.prepare(
        "SELECT attempt_id FROM deliveries INDEXED BY deliveries_inflight WHERE state = 2",
    )?;
    let open = select.query_map([], |row| row.get(0))?;
    let mut open: HashSet<AttemptId> = open.collect::<Result<_, _>>()?;
    let mut uncertain = 0;
    for ended in &left.ended {
        if open.remove(&ended.attempt) {
            attempts::outcome(connection, ended.attempt, &ended.outcome, ended.at)?;
            uncertain += u64::from(matches!(ended.outcome, Outcome::Uncertain { .. }));
        }
    }
    for attempt in open.difference(&left.dots) {
        let reason = UNENDED.to_owned();
        attempts::outcome(connection, *attempt, &Outcome::Requeued { reason }, now)?;
    }
    Ok(uncertain)
}

/// Issues that are being sent, whether or not their time ran out.
fn sending(connection: &Connection) -> Result<Vec<IssueId>, Fault> {
    let mut select = connection.prepare_cached("SELECT id FROM issues WHERE state = 0")?;
    let rows = select.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Issues that are being sent and whose time is not over, and of which kind of
/// single mail they are, if they are any.
fn sending_in_time(
    connection: &Connection,
    now: DateTime<Utc>,
) -> Result<Vec<(IssueId, Option<String>)>, Fault> {
    let mut select = connection
        .prepare_cached("SELECT id, notice FROM issues WHERE state = 0 AND expire_at > ?1")?;
    let rows = select.query_map([now.timestamp()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The deliveries that are due, the longest waiting first, without those that
/// are `in_hand`. What an intent would refuse is not due: a session would ask
/// for it again and again.
pub(super) fn due(
    connection: &Connection,
    scope: Scope,
    limit: usize,
    now: DateTime<Utc>,
    in_hand: &HashSet<DeliveryId>,
) -> Result<Vec<DueDelivery>, Fault> {
    let mut found = Vec::new();
    for (issue, notice) in sending_in_time(connection, now)? {
        if notice.is_none() && scope == Scope::Notices {
            continue;
        }
        pull_back(connection, issue, now)?;
        found.extend(due_of(connection, (issue, notice), limit, now, in_hand)?);
    }
    // Who waits for an answer waits in front of everybody.
    found.sort_by_key(|(is_issue, at, delivery)| (*is_issue, *at, delivery.id));
    let surplus = found.split_off(limit.min(found.len()));
    if let Connection::Postgres(link) = connection
        && !surplus.is_empty()
    {
        let ids: Vec<DeliveryId> = surplus.iter().map(|(_, _, one)| one.id).collect();
        claims::release(link, &ids)?;
    }
    Ok(found.into_iter().map(|(_, _, delivery)| delivery).collect())
}

/// A due time further ahead than the longest retry means that the clock went
/// backwards: such deliveries are due now.
fn pull_back(connection: &Connection, issue: IssueId, now: DateTime<Utc>) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "UPDATE deliveries SET next_attempt_at = ?2
              WHERE issue_id = ?1 AND state = 0 AND next_attempt_at > ?3",
        )?
        .execute([
            issue,
            now.timestamp(),
            (now + LONGEST_RETRY).timestamp() + 1,
        ])?;
    Ok(())
}

fn due_of(
    connection: &Connection,
    (issue, notice): (IssueId, Option<String>),
    limit: usize,
    now: DateTime<Utc>,
    in_hand: &HashSet<DeliveryId>,
) -> Result<Vec<(bool, i64, DueDelivery)>, Fault> {
    let is_issue = notice.is_none();
    if let Connection::Postgres(link) = connection
        && link.worker() != 0
    {
        let claimed = claims::claim(link, (issue, notice.as_deref()), limit, now, in_hand)?;
        let with_rank = |(at, delivery)| (is_issue, at, delivery);
        return Ok(claimed.into_iter().map(with_rank).collect());
    }
    waiting_of(connection, (issue, notice), limit, now, in_hand)
}

/// Whether anything is due, also what other hands hold back for a moment and a
/// claim passes by.
pub(super) fn is_any_due(
    connection: &Connection,
    scope: Scope,
    now: DateTime<Utc>,
) -> Result<bool, Fault> {
    for (issue, notice) in sending_in_time(connection, now)? {
        if notice.is_none() && scope == Scope::Notices {
            continue;
        }
        let found = waiting_of(connection, (issue, notice), 1, now, &HashSet::new())?;
        if !found.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What is queued of an issue and due, and not in hand.
fn waiting_of(
    connection: &Connection,
    (issue, notice): (IssueId, Option<String>),
    limit: usize,
    now: DateTime<Utc>,
    in_hand: &HashSet<DeliveryId>,
) -> Result<Vec<(bool, i64, DueDelivery)>, Fault> {
    let is_issue = notice.is_none();
    let mut select = connection.prepare_cached(concat!(
        "SELECT d.id, d.issue_id, s.public_id, d.address, d.name, d.attempts, d.next_attempt_at,
                d.edition
           FROM deliveries d JOIN subscribers s ON s.id = d.subscriber_id
          WHERE d.issue_id = ?1 AND d.state = 0 AND d.next_attempt_at <= ?2 AND ",
        is_wanted!("?4"),
        " ORDER BY d.next_attempt_at, d.id LIMIT ?3",
    ))?;
    // What is in hand is still queued, and stands in front.
    let most = i64::try_from(limit.saturating_add(in_hand.len())).unwrap_or(i64::MAX);
    let rows = select.query_map(params![issue, now.timestamp(), most, notice], |row| {
        Ok((is_issue, row.get(6)?, due_delivery(row)?))
    })?;
    let mut found = rows.collect::<Result<Vec<(bool, i64, DueDelivery)>, _>>()?;
    found.retain(|(_, _, delivery)| !in_hand.contains(&delivery.id));
    Ok(found)
}

pub(super) fn due_delivery(row: &Row<'_>) -> sql::Result<DueDelivery> {
    Ok(DueDelivery {
        id: row.get(0)?,
        issue: row.get(1)?,
        subscriber: codes::subscriber(row, 2)?,
        address: codes::address(row, 3)?,
        name: row.get(4)?,
        attempts: row.get(5)?,
        edition: row.get(7)?,
    })
}

/// When the next queued delivery is due.
pub(super) fn next_due(connection: &Connection) -> Result<Option<DateTime<Utc>>, Fault> {
    let mut next = None;
    for issue in sending(connection)? {
        let at = connection
            .prepare_cached(
                "SELECT min(next_attempt_at) FROM deliveries WHERE issue_id = ?1 AND state = 0",
            )?
            .query_row([issue], |row| codes::time_if_any(row, 0))?;
        next = match (next, at) {
            (Some(one), Some(other)) => Some(std::cmp::min(one, other)),
            (one, other) => one.or(other),
        };
    }
    Ok(next)
}

/// Expires what is queued beyond its issue's time, paused issues included.
pub(super) fn expire(connection: &Connection, now: DateTime<Utc>) -> Result<Expired, Fault> {
    let mut select = connection.prepare_cached(
        "SELECT i.id, i.state, i.notice IS NOT NULL FROM issues i JOIN tallies t ON t.issue_id = i.id AND t.state = 0
          WHERE t.count > 0 AND (i.state IN (0, 1) AND i.expire_at <= ?1 OR i.state = 3)",
    )?;
    let late = select
        .query_map([now.timestamp()], |row| {
            Ok((row.get(0)?, codes::issue_state(row, 1)?, row.get(2)?))
        })?
        .collect::<Result<Vec<(IssueId, IssueState, bool)>, _>>()?;
    let mut expired = Expired::default();
    for (issue, state, is_notice) in late {
        if state == IssueState::Cancelled {
            // On a server a message may be put off in the moment in which its issue is
            // called off: neither sees the other.
            issues::cancel_queued(connection, issue)?;
            continue;
        }
        // An answer that comes days late helps nobody.
        if is_notice || !is_mostly_untried(connection, issue)? {
            let count = connection.execute(
                "UPDATE deliveries SET state = 7 WHERE issue_id = ?1 AND state = 0",
                [issue],
            )?;
            expired.deliveries += count as u64;
        } else if state == IssueState::Sending {
            issues::pause(connection, issue, MASS_EXPIRY)?;
            expired.paused.push(issue);
        }
    }
    Ok(expired)
}

const MASS_EXPIRY: &str = "its time ran out before half of it was tried (a long outage, or a wrong \
                           clock); resume it to give it its whole time again, or cancel it";

/// Whether more than half of an issue still waits for its first attempt.
fn is_mostly_untried(connection: &Connection, issue: IssueId) -> Result<bool, Fault> {
    Ok(connection
        .prepare_cached(
            "SELECT 2 * count(*) > (SELECT sum(count) FROM tallies WHERE issue_id = ?1)
               FROM deliveries
              WHERE issue_id = ?1 AND state = 0 AND attempt_id IS NULL",
        )?
        .query_row([issue], |row| row.get(0))?)
}

/// Every uncertain delivery, oldest first.
pub(super) fn uncertain(connection: &Connection) -> Result<Vec<UncertainDelivery>, Fault> {
    let mut select = connection.prepare_cached(
        "SELECT d.id, d.issue_id, i.digest, i.number, d.address, a.id, a.started_at,
                coalesce(a.ended_at, a.started_at), coalesce(a.reply, ''),
                i.idempotency_header
           FROM deliveries d INDEXED BY deliveries_uncertain
           JOIN issues i ON i.id = d.issue_id
           JOIN attempts a ON a.id = d.attempt_id
          WHERE d.state = 4
          ORDER BY d.id",
    )?;
    let rows = select.query_map([], |row| {
        Ok(UncertainDelivery {
            id: row.get(0)?,
            issue: row.get(1)?,
            digest: row.get(2)?,
            number: row.get(3)?,
            address: match row.get_ref(4)? {
                ValueRef::Null => None,
                _ => Some(codes::address(row, 4)?),
            },
            attempt: row.get(5)?,
            started: codes::time(row, 6)?,
            since: codes::time(row, 7)?,
            reason: row.get(8)?,
            idempotency_header: row.get(9)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many deliveries are due, at a cost that grows with them only.
pub(super) fn count_due(
    connection: &Connection,
    scope: Scope,
    now: DateTime<Utc>,
) -> Result<u64, Fault> {
    let mut select = connection.prepare_cached(
        "SELECT count(*) FROM deliveries
          WHERE issue_id = ?1 AND state = 0 AND next_attempt_at <= ?2",
    )?;
    let mut total: i64 = 0;
    for (issue, notice) in sending_in_time(connection, now)? {
        if notice.is_none() && scope == Scope::Notices {
            continue;
        }
        total += select.query_row([issue, now.timestamp()], |row| row.get::<i64>(0))?;
    }
    Ok(total.unsigned_abs())
}

/// Queues refused deliveries again: the refusal was meant for us, not for them.
/// Who left meanwhile, or whose issue was called off, is cancelled instead.
pub(super) fn withdraw_rejections(
    connection: &Connection,
    ids: &[DeliveryId],
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    let mut update = connection.prepare_cached(concat!(
        "UPDATE deliveries AS d
            SET next_attempt_at = ?2, attempts = CASE WHEN attempts > 0 THEN attempts - 1 ELSE 0 END,
                state = CASE WHEN EXISTS (
                    SELECT 1 FROM subscribers s JOIN issues i ON i.id = d.issue_id
                     WHERE s.id = d.subscriber_id AND i.state <> 3 AND d.is_unwanted = 0 AND ",
        is_wanted!("i.notice"),
        ") THEN 0 ELSE 8 END
          WHERE id = ?1 AND state = 5",
    ))?;
    for id in ids {
        update.execute([*id, now.timestamp()])?;
        reopen(connection, *id)?;
    }
    Ok(())
}

/// Counts uncertain deliveries as sent; says how many were uncertain.
pub(super) fn mark_sent(connection: &Connection, ids: &[DeliveryId]) -> Result<u64, Fault> {
    let mut update =
        connection.prepare_cached("UPDATE deliveries SET state = 3 WHERE id = ?1 AND state = 4")?;
    let mut marked = 0;
    for id in ids {
        marked += update.execute([id])? as u64;
    }
    Ok(marked)
}

/// Queues uncertain deliveries again. Their readers may get the message twice,
/// with the same Message-ID.
pub(super) fn resend(
    connection: &Connection,
    ids: &[DeliveryId],
    now: DateTime<Utc>,
) -> Result<Resent, Fault> {
    let mut update = connection.prepare_cached(concat!(
        "UPDATE deliveries AS d SET state = 0, next_attempt_at = ?2
          WHERE id = ?1 AND state = 4
            AND EXISTS (
                SELECT 1 FROM subscribers s JOIN issues i ON i.id = d.issue_id
                 WHERE s.id = d.subscriber_id AND i.state <> 3 AND d.is_unwanted = 0 AND ",
        is_wanted!("i.notice"),
        ")",
    ))?;
    let mut resent = Resent::default();
    for id in ids {
        if update.execute(params![id, now.timestamp()])? == 0 {
            resent.left += 1;
        } else {
            resent.queued += 1;
            reopen(connection, *id)?;
        }
    }
    Ok(resent)
}

/// An issue that was done is being sent again once one of its deliveries is
/// queued anew.
pub(super) fn reopen(connection: &Connection, delivery: DeliveryId) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "UPDATE issues SET state = 0, finished_at = NULL
              WHERE state = 2
                AND id = (SELECT issue_id FROM deliveries WHERE id = ?1 AND state = 0)",
        )?
        .execute([delivery])?;
    Ok(())
}
