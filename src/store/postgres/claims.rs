//! What a worker takes in hand: a few deliveries at a time, past those that
//! others are taking at the same moment.

use std::{collections::HashSet, time::Duration};

use chrono::{DateTime, Utc};
use rusqlite::params;
use tokio_postgres::types::Type;

use super::Link;
use crate::{
    domain::delivery::{DeliveryId, DueDelivery, IssueId},
    store::{
        deliveries::due_delivery,
        error::Fault,
        notices::is_wanted,
        sql::{Connection, Row},
    },
};

/// What is queued and wanted of an issue, the longest waiting first; the index on
/// what is queued has it in this order.
pub(in crate::store) const CLAIM: &str = concat!(
    "WITH due AS (
         SELECT d.id FROM deliveries d JOIN subscribers s ON s.id = d.subscriber_id
          WHERE d.issue_id = $1 AND d.state = 0 AND d.next_attempt_at <= $2 AND ",
    is_wanted!("$3"),
    " ORDER BY d.next_attempt_at, d.id LIMIT $4
            FOR UPDATE OF d SKIP LOCKED),
     taken AS (
         UPDATE deliveries d SET state = 1, worker_id = $5 FROM due WHERE d.id = due.id
         RETURNING d.*)
     SELECT t.id, t.issue_id, s.public_id, t.address, t.name, t.attempts, t.next_attempt_at,
            t.edition
       FROM taken t JOIN subscribers s ON s.id = t.subscriber_id
      ORDER BY t.next_attempt_at, t.id"
);

/// What this worker has claimed of an issue, is wanted, and is not in hand.
const CLAIMED: &str = concat!(
    "SELECT d.id, d.issue_id, s.public_id, d.address, d.name, d.attempts, d.next_attempt_at,
            d.edition
       FROM deliveries d JOIN subscribers s ON s.id = d.subscriber_id
      WHERE d.worker_id = $3 AND d.state = 1 AND d.issue_id = $1 AND d.id <> ALL ($4) AND ",
    is_wanted!("$2"),
    " ORDER BY d.next_attempt_at, d.id"
);

/// Claims up to `limit` deliveries of an issue that are due, after those that are
/// claimed and were put back.
pub(in crate::store) fn claim(
    link: &Link,
    (issue, notice): (IssueId, Option<&str>),
    limit: usize,
    now: DateTime<Utc>,
    in_hand: &HashSet<DeliveryId>,
) -> Result<Vec<(i64, DueDelivery)>, Fault> {
    let in_hand: Vec<i64> = in_hand.iter().copied().collect();
    let found = link.query_given(
        CLAIMED,
        &[
            (&issue, Type::INT8),
            (&notice, Type::TEXT),
            (&link.worker(), Type::INT8),
            (&in_hand, Type::INT8_ARRAY),
        ],
    )?;
    let mut rows = found;
    let room = limit.saturating_sub(rows.len());
    if room > 0 {
        rows.extend(link.query_given(
            CLAIM,
            &[
                (&issue, Type::INT8),
                (&now.timestamp(), Type::INT8),
                (&notice, Type::TEXT),
                (&i64::try_from(room).unwrap_or(i64::MAX), Type::INT8),
                (&link.worker(), Type::INT8),
            ],
        )?);
    }
    let read = |values: &Vec<_>| {
        let row = Row::Postgres(values);
        Ok((row.get(6)?, due_delivery(&row)?))
    };
    rows.iter().map(read).collect()
}

/// Queues again what is claimed of these and was not begun.
pub(in crate::store) fn release(link: &Link, deliveries: &[DeliveryId]) -> Result<(), Fault> {
    link.query_given(
        "UPDATE deliveries SET state = 0, worker_id = NULL
          WHERE id = ANY ($1) AND state = 1 AND worker_id = $2",
        &[
            (&deliveries, Type::INT8_ARRAY),
            (&link.worker(), Type::INT8),
        ],
    )?;
    Ok(())
}

/// Queues again what is claimed of these, each for its time.
pub(in crate::store) fn put_off(
    link: &Link,
    deliveries: &[(DeliveryId, Duration)],
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    let at = |wait: &Duration| {
        let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        now.timestamp().saturating_add_unsigned(whole)
    };
    let (ids, times): (Vec<i64>, Vec<i64>) =
        deliveries.iter().map(|(id, wait)| (*id, at(wait))).unzip();
    link.query_given(
        "UPDATE deliveries d SET state = 0, worker_id = NULL, next_attempt_at = t.at
           FROM unnest($1, $2) AS t (id, at)
          WHERE d.id = t.id AND d.state = 1 AND d.worker_id = $3",
        &[
            (&ids, Type::INT8_ARRAY),
            (&times, Type::INT8_ARRAY),
            (&link.worker(), Type::INT8),
        ],
    )?;
    Ok(())
}

/// Queues again everything that a worker has claimed and not begun; says how many.
pub(in crate::store) fn release_all(connection: &Connection, worker: i64) -> Result<u64, Fault> {
    let released = connection.execute(
        "UPDATE deliveries SET state = 0, worker_id = NULL WHERE state = 1 AND worker_id = ?1",
        params![worker],
    )?;
    Ok(released as u64)
}

/// Takes everything from workers of another server, of which this is a copy.
pub(in crate::store) fn disown(connection: &Connection) -> Result<(), Fault> {
    connection.execute(
        "UPDATE workers SET ended_at = clock_timestamp() WHERE ended_at IS NULL",
        [],
    )?;
    connection.execute(
        "UPDATE deliveries SET state = 0, worker_id = NULL WHERE state = 1",
        [],
    )?;
    Ok(())
}
