//! Intents and outcomes of a group, a statement for all of them: what takes one
//! question and one answer each on a server must not be asked once per message.
//! [`attempts`] has the rules; what is rare goes that way.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use rusqlite::types::Value;
use tokio_postgres::types::Type;

use super::{Link, claims};
use crate::{
    domain::delivery::{AttemptId, DeliveryId, Intent, Outcome, Reply},
    store::{
        attempts::{self, Recorded, Standing},
        error::Fault,
        notices::is_wanted,
        sql::{Connection, Row},
        writer::{Done, Grouped},
    },
};

/// Does what a group asks for; the answers are in its order. An outcome may make
/// room for an intent, so outcomes come first.
pub(in crate::store) fn group(
    connection: &Connection,
    link: &Link,
    group: &[Grouped],
) -> Result<Vec<Done>, Fault> {
    let sent = record_sent(link, group)?;
    // Asked for twice, a delivery is granted once.
    let mut granted = grant(link, group)?;
    let answer = |request: &Grouped| match request {
        Grouped::Intent { delivery, .. } => Ok(Done::Intent(
            granted
                .remove(delivery)
                .map_or(Intent::Refused, Intent::Granted),
        )),
        Grouped::Outcome { attempt, .. } if sent.contains(&link.current(*attempt)) => {
            Ok(Done::Outcome(Recorded::Applied))
        }
        Grouped::Outcome {
            attempt,
            outcome,
            now,
            ..
        } => {
            attempts::outcome(connection, link.current(*attempt), outcome, *now).map(Done::Outcome)
        }
        Grouped::Conclusion {
            delivery,
            outcome,
            now,
            ..
        } => match granted.remove(delivery) {
            Some(attempt) => attempts::outcome(connection, attempt, outcome, *now)
                .map(|_| Done::Conclusion(true)),
            None => Ok(Done::Conclusion(false)),
        },
    };
    group.iter().map(answer).collect()
}

/// A delivery may be sent if it is queued, or claimed by this worker while its
/// lease lasts; the row's lock decides between this and who leaves.
const INTENTS: &str = concat!(
    "WITH wanted AS (
         SELECT d.id, d.attempt_id, asked.at
           FROM unnest($1, $2) AS asked (id, at)
           JOIN deliveries d ON d.id = asked.id
           JOIN issues i ON i.id = d.issue_id
           JOIN subscribers s ON s.id = d.subscriber_id
          WHERE (d.state = 0 OR d.state = 1 AND d.worker_id = $3)
            AND ($3 = 0 OR EXISTS (SELECT 1 FROM workers w
                                    WHERE w.id = $3 AND w.ended_at IS NULL
                                      AND w.lease_end > clock_timestamp()))
            AND i.state = 0 AND i.expire_at > asked.at AND ",
    is_wanted!("i.notice"),
    " ORDER BY d.id
            FOR UPDATE OF d),
     made AS (
         INSERT INTO attempts (delivery_id, previous_id, started_at)
         SELECT id, attempt_id, at FROM wanted
         RETURNING id, delivery_id)
     UPDATE deliveries d SET state = 2, attempt_id = made.id, worker_id = nullif($3, 0)
       FROM made WHERE d.id = made.delivery_id
     RETURNING d.id, made.id"
);

/// Intents that were committed although nobody heard of it.
const TRIED: &str = "SELECT d.id, a.id
       FROM unnest($1, $2) AS tried (id, attempt_id)
       JOIN deliveries d ON d.id = tried.id AND d.attempt_id = tried.attempt_id
       JOIN attempts a ON a.id = d.attempt_id AND a.delivery_id = d.id
      WHERE d.state = 2 AND d.worker_id IS NOT DISTINCT FROM nullif($3, 0)
        AND a.outcome IS NULL";

/// Those of the intents tried last, whose commit was not answered, that are there.
fn found_again(link: &Link) -> Result<HashMap<DeliveryId, AttemptId>, Fault> {
    let (ids, attempts): (Vec<i64>, Vec<i64>) = link.tried.take().into_iter().unzip();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let found = link.query_given(
        TRIED,
        &[
            (&ids, Type::INT8_ARRAY),
            (&attempts, Type::INT8_ARRAY),
            (&link.worker(), Type::INT8),
        ],
    )?;
    pairs(&found)
}

fn pairs(rows: &[Vec<Value>]) -> Result<HashMap<DeliveryId, AttemptId>, Fault> {
    let pair = |row: &Vec<Value>| {
        let row = Row::Postgres(row);
        Ok((row.get(0)?, row.get(1)?))
    };
    rows.iter().map(pair).collect()
}

/// Makes the intents of a group durable, where deliveries are still wanted.
fn grant(link: &Link, group: &[Grouped]) -> Result<HashMap<DeliveryId, AttemptId>, Fault> {
    let mut granted = found_again(link)?;
    let asked: HashMap<DeliveryId, i64> = group
        .iter()
        .filter_map(|request| match request {
            Grouped::Intent { delivery, now, .. } | Grouped::Conclusion { delivery, now, .. } => {
                Some((*delivery, now.timestamp()))
            }
            Grouped::Outcome { .. } => None,
        })
        .filter(|(delivery, _)| !granted.contains_key(delivery))
        .collect();
    if asked.is_empty() {
        link.tried.borrow_mut().clone_from(&granted);
        return Ok(granted);
    }
    let (ids, times): (Vec<i64>, Vec<i64>) = asked.into_iter().unzip();
    let made = link.query_given(
        INTENTS,
        &[
            (&ids, Type::INT8_ARRAY),
            (&times, Type::INT8_ARRAY),
            (&link.worker(), Type::INT8),
        ],
    )?;
    granted.extend(pairs(&made)?);
    // What is not wanted now is not kept from others, or for later.
    let refused: Vec<i64> = ids
        .into_iter()
        .filter(|id| !granted.contains_key(id))
        .collect();
    if link.worker() != 0 && !refused.is_empty() {
        claims::release(link, &refused)?;
    }
    link.tried.borrow_mut().clone_from(&granted);
    Ok(granted)
}

/// What the relay took, as it is told.
struct Taken<'g> {
    attempt: AttemptId,
    reply: &'g Reply,
    now: DateTime<Utc>,
}

/// Records what relays took of the group, as far as that settles deliveries;
/// says which attempts.
fn record_sent(link: &Link, group: &[Grouped]) -> Result<HashSet<AttemptId>, Fault> {
    let mut told = HashSet::new();
    let taken: Vec<Taken<'_>> = group
        .iter()
        .filter_map(|request| match request {
            Grouped::Outcome {
                attempt,
                outcome: Outcome::Sent(reply),
                now,
                ..
            } if told.insert(*attempt) => Some(Taken {
                attempt: link.current(*attempt),
                reply,
                now: *now,
            }),
            _ => None,
        })
        .collect();
    if taken.is_empty() {
        return Ok(HashSet::new());
    }
    let standings = standings(link, &taken)?;
    let settled: Vec<(&Taken<'_>, &Standing)> = taken
        .iter()
        .filter_map(|one| Some((one, standings.get(&one.attempt)?)))
        .filter(|(one, standing)| standing.is_settled_as_sent(one.attempt))
        .collect();
    write_ends(link, &settled)?;
    Ok(settled.iter().map(|(one, _)| one.attempt).collect())
}

/// What stands in the ledger for each attempt; their deliveries are locked, in
/// one order.
fn standings(link: &Link, taken: &[Taken<'_>]) -> Result<HashMap<AttemptId, Standing>, Fault> {
    let ids: Vec<i64> = taken.iter().map(|one| one.attempt).collect();
    let found = link.query_given(
        "SELECT d.id, d.subscriber_id, d.state, d.attempt_id, a.outcome, d.address IS NULL, a.id
           FROM attempts a JOIN deliveries d ON d.id = a.delivery_id
          WHERE a.id = ANY ($1) ORDER BY d.id FOR UPDATE OF d",
        &[(&ids, Type::INT8_ARRAY)],
    )?;
    let read = |row: &Vec<Value>| -> Result<(AttemptId, Standing), Fault> {
        let row = Row::Postgres(row);
        Ok((row.get(6)?, Standing::of(&row)?))
    };
    found.iter().map(read).collect()
}

fn write_ends(link: &Link, settled: &[(&Taken<'_>, &Standing)]) -> Result<(), Fault> {
    if settled.is_empty() {
        return Ok(());
    }
    let attempts: Vec<i64> = settled.iter().map(|(one, _)| one.attempt).collect();
    let times: Vec<i64> = settled.iter().map(|(one, _)| one.now.timestamp()).collect();
    let codes: Vec<i64> = settled
        .iter()
        .map(|(one, _)| one.reply.code.into())
        .collect();
    let replies: Vec<Option<&str>> = settled
        .iter()
        .map(|(one, standing)| (!standing.is_erased).then_some(&*one.reply.text))
        .collect();
    link.query_given(
        "UPDATE attempts a SET ended_at = t.at, outcome = 1, code = t.code, reply = t.reply
           FROM unnest($1, $2, $3, $4) AS t (id, at, code, reply) WHERE a.id = t.id",
        &[
            (&attempts, Type::INT8_ARRAY),
            (&times, Type::INT8_ARRAY),
            (&codes, Type::INT8_ARRAY),
            (&replies, Type::TEXT_ARRAY),
        ],
    )?;
    let deliveries: Vec<i64> = settled
        .iter()
        .map(|(_, standing)| standing.delivery)
        .collect();
    let counted: Vec<i64> = settled
        .iter()
        .map(|(_, standing)| i64::from(standing.end.is_none()))
        .collect();
    link.query_given(
        "UPDATE deliveries d SET state = 3, attempts = d.attempts + t.counted
           FROM unnest($1, $2) AS t (id, counted) WHERE d.id = t.id",
        &[
            (&deliveries, Type::INT8_ARRAY),
            (&counted, Type::INT8_ARRAY),
        ],
    )?;
    Ok(())
}
