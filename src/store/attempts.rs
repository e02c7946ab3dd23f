//! The statements of every message: the intent before the final dot and the
//! outcome after it. They run inside a group commit.
//!
//! Those of nearly every message say `OR FAIL`: SQLite then keeps no copy of the pages
//! that a statement with a trigger changes. Nothing needs one: the transaction of a
//! statement that fails is undone as a whole.

use chrono::{DateTime, Utc};
use rusqlite::params;
use serde::Serialize;

use crate::{
    domain::{
        consent::Evidence,
        delivery::{AttemptId, DeliveryId, Intent, Outcome, Reply, State},
    },
    store::{
        codes::{self, End},
        deliveries,
        error::Fault,
        notices::is_wanted,
        sql::{self, Connection, OptionalExtension, Row},
        subscribers::{self, SuppressionReason},
    },
};

/// What became of an outcome that was told to the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Recorded {
    /// The delivery has the state that follows from it.
    Applied,
    /// The delivery had become uncertain meanwhile, and is known to be sent now.
    Confirmed,
    /// The attempt has it; the delivery had already been settled otherwise.
    Noted,
    /// The attempt has it, and a newer attempt exists: this reader may have the
    /// message twice.
    Duplicate,
}

/// Makes the intent durable, if the delivery is still wanted: queued, of an
/// issue that is being sent and not out of time, to an active reader who is
/// not suppressed.
pub(super) fn intent(
    connection: &Connection,
    delivery: DeliveryId,
    now: DateTime<Utc>,
) -> Result<Intent, Fault> {
    let inserted = connection.insert_cached(
        concat!(
            "INSERT INTO attempts (delivery_id, previous_id, started_at)
             SELECT d.id, d.attempt_id, ?2
               FROM deliveries d
               JOIN issues i ON i.id = d.issue_id
               JOIN subscribers s ON s.id = d.subscriber_id
              WHERE d.id = ?1 AND d.state = 0 AND i.state = 0 AND i.expire_at > ?2 AND ",
            is_wanted!("i.notice"),
        ),
        params![delivery, now.timestamp()],
    )?;
    let Some(attempt) = inserted else {
        return Ok(Intent::Refused);
    };
    connection
        .prepare_cached("UPDATE OR FAIL deliveries SET state = 2, attempt_id = ?2 WHERE id = ?1")?
        .execute([delivery, attempt])?;
    Ok(Intent::Granted(attempt))
}

/// Intent and outcome in one, of a delivery that ended before it had an intent;
/// false when it is not wanted any more.
pub(super) fn conclude(
    connection: &Connection,
    delivery: DeliveryId,
    ended: &Outcome,
    now: DateTime<Utc>,
) -> Result<bool, Fault> {
    match intent(connection, delivery, now)? {
        Intent::Granted(attempt) => outcome(connection, attempt, ended, now).map(|_| true),
        Intent::Refused => Ok(false),
    }
}

/// What stands in the ledger when an outcome arrives.
pub(super) struct Standing {
    pub(super) delivery: DeliveryId,
    subscriber: i64,
    state: State,
    newest: Option<AttemptId>,
    /// How the attempt ended as far as the ledger knew.
    pub(super) end: Option<End>,
    /// The reader is erased: replies quote addresses.
    pub(super) is_erased: bool,
}

impl Standing {
    /// Reads the columns of the delivery (id, reader, state, newest attempt), how
    /// the attempt ended, and whether there is no address any more.
    pub(super) fn of(row: &Row<'_>) -> sql::Result<Self> {
        Ok(Self {
            delivery: row.get(0)?,
            subscriber: row.get(1)?,
            state: codes::state(row, 2)?,
            newest: row.get(3)?,
            end: codes::end(row, 4)?,
            is_erased: row.get(5)?,
        })
    }

    /// Whether `Sent`, told of this attempt, is written to it and settles the
    /// delivery.
    pub(super) fn is_settled_as_sent(&self, attempt: AttemptId) -> bool {
        matches!(self.end, None | Some(End::Uncertain))
            && self.newest == Some(attempt)
            && matches!(self.state, State::Inflight)
    }
}

/// Records how an attempt ended, and what that makes of its delivery.
///
/// An answer of the relay is the truth even when it comes late: `Sent` settles
/// every delivery that was not settled by an answer before.
pub(super) fn outcome(
    connection: &Connection,
    attempt: AttemptId,
    outcome: &Outcome,
    now: DateTime<Utc>,
) -> Result<Recorded, Fault> {
    if let Outcome::Sent(reply) = outcome
        && is_simply_sent(connection, attempt, reply, now)?
    {
        return Ok(Recorded::Applied);
    }
    let Some(standing) = standing(connection, attempt)? else {
        return Ok(Recorded::Noted);
    };
    if matches!(standing.end, None | Some(End::Uncertain)) {
        write_end(connection, attempt, outcome, standing.is_erased, now)?;
    }
    if standing.newest != Some(attempt) {
        return Ok(match outcome {
            Outcome::Sent(_) => Recorded::Duplicate,
            _ => Recorded::Noted,
        });
    }
    if !may_settle(standing.state, outcome) {
        return Ok(Recorded::Noted);
    }
    settle(connection, &standing, outcome, now)?;
    Ok(match (standing.state, outcome) {
        (State::Uncertain, Outcome::Sent(_)) => Recorded::Confirmed,
        _ => Recorded::Applied,
    })
}

/// What nearly every outcome is: the newest attempt, under way, of a reader who is
/// not erased. False, and nothing done, when it is anything else.
fn is_simply_sent(
    connection: &Connection,
    attempt: AttemptId,
    reply: &Reply,
    now: DateTime<Utc>,
) -> Result<bool, Fault> {
    let settled = connection
        .prepare_cached(
            "UPDATE OR FAIL deliveries SET state = 3, attempts = attempts + 1
              WHERE id = (SELECT delivery_id FROM attempts WHERE id = ?1 AND outcome IS NULL)
                AND attempt_id = ?1 AND state = 2 AND address IS NOT NULL",
        )?
        .execute([attempt])?;
    if settled == 0 {
        return Ok(false);
    }
    connection
        .prepare_cached(
            "UPDATE attempts SET ended_at = ?2, outcome = 1, code = ?3, reply = ?4 WHERE id = ?1",
        )?
        .execute(params![attempt, now.timestamp(), reply.code, reply.text])?;
    Ok(true)
}

fn standing(connection: &Connection, attempt: AttemptId) -> Result<Option<Standing>, Fault> {
    let mut select = connection.prepare_cached(
        "SELECT d.id, d.subscriber_id, d.state, d.attempt_id, a.outcome, d.address IS NULL
           FROM attempts a JOIN deliveries d ON d.id = a.delivery_id
          WHERE a.id = ?1",
    )?;
    Ok(select.query_row([attempt], Standing::of).optional()?)
}

/// Whether an outcome of the newest attempt still changes its delivery.
fn may_settle(state: State, outcome: &Outcome) -> bool {
    match state {
        State::Inflight | State::Uncertain => true,
        // Sent after all, although it had been given up or put back meanwhile.
        State::Queued | State::Claimed | State::Expired | State::Cancelled => {
            matches!(outcome, Outcome::Sent(_))
        }
        State::Sent | State::Rejected | State::Failed => false,
    }
}

fn write_end(
    connection: &Connection,
    attempt: AttemptId,
    outcome: &Outcome,
    is_erased: bool,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    let phase = match outcome {
        Outcome::Rejected { phase, .. } => Some(phase.as_str()),
        _ => None,
    };
    let (end, code, text) = match outcome {
        Outcome::Sent(reply) => told(End::Sent, reply),
        Outcome::Deferred { reply, .. } => told(End::Deferred, reply),
        Outcome::Rejected { reply, .. } => told(End::Rejected, reply),
        Outcome::Requeued { reason } => (End::Requeued, None, reason.as_str()),
        Outcome::Failed { reason } => (End::Failed, None, reason.as_str()),
        Outcome::Uncertain { reason } => (End::Uncertain, None, reason.as_str()),
    };
    connection
        .prepare_cached(
            "UPDATE attempts SET ended_at = ?2, outcome = ?3, code = ?4, reply = ?5, phase = ?6
              WHERE id = ?1",
        )?
        .execute(params![
            attempt,
            now.timestamp(),
            end.code(),
            code,
            (!is_erased).then_some(text),
            phase
        ])?;
    Ok(())
}

fn told(end: End, reply: &Reply) -> (End, Option<u16>, &str) {
    (end, Some(reply.code), &reply.text)
}

fn settle(
    connection: &Connection,
    standing: &Standing,
    outcome: &Outcome,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    // An attempt counts once, even when a late answer corrects its outcome.
    let counted = u32::from(standing.end.is_none());
    let delivery = standing.delivery;
    match outcome {
        Outcome::Sent(_) => finish(connection, delivery, State::Sent, counted),
        Outcome::Failed { .. } => finish(connection, delivery, State::Failed, 0),
        Outcome::Uncertain { .. } => finish(connection, delivery, State::Uncertain, counted),
        Outcome::Rejected { is_hard, .. } => {
            finish(connection, delivery, State::Rejected, counted)?;
            if *is_hard {
                let reason = SuppressionReason::HardBounce;
                let evidence = Evidence::of(reason.as_str());
                let subscriber = standing.subscriber;
                subscribers::suppress_known(connection, subscriber, reason, &evidence, now)?;
            }
            Ok(())
        }
        Outcome::Deferred { retry_at, .. } => requeue(connection, standing, *retry_at, counted),
        Outcome::Requeued { .. } => requeue(connection, standing, now, 0),
    }
}

fn finish(
    connection: &Connection,
    delivery: DeliveryId,
    state: State,
    counted: u32,
) -> Result<(), Fault> {
    connection
        .prepare_cached("UPDATE deliveries SET state = ?2, attempts = attempts + ?3 WHERE id = ?1")?
        .execute(params![delivery, codes::of_state(state), counted])?;
    Ok(())
}

/// Back to the queue, unless the reader left or the issue was called off while
/// the message was under way: then nobody would ever take it up again.
fn requeue(
    connection: &Connection,
    standing: &Standing,
    at: DateTime<Utc>,
    counted: u32,
) -> Result<(), Fault> {
    connection
        .prepare_cached(concat!(
            "UPDATE deliveries AS d
                SET attempts = attempts + ?3, next_attempt_at = ?2,
                    state = CASE WHEN EXISTS (
                        SELECT 1 FROM subscribers s JOIN issues i ON i.id = d.issue_id
                         WHERE s.id = d.subscriber_id AND i.state <> 3 AND d.is_unwanted = 0 AND ",
            is_wanted!("i.notice"),
            ") THEN 0 ELSE 8 END
              WHERE id = ?1",
        ))?
        .execute(params![standing.delivery, at.timestamp(), counted])?;
    if standing.state == State::Uncertain {
        deliveries::reopen(connection, standing.delivery)?;
    }
    Ok(())
}
