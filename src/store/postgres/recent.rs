//! What this process has attempted of late. A standby that takes over may never
//! have heard of it: then it is asserted again, before anything else is done, and
//! nothing is begun until others can have done the same.

use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use rusqlite::params;
use tokio_postgres::types::Type;

use super::{Fate, Link};
use crate::{
    domain::delivery::{AttemptId, DeliveryId, Outcome},
    store::{
        attempts::{self, Recorded},
        beside::outcomes::Told,
        error::Fault,
        sql::{Connection, OptionalExtension, Row},
    },
};

/// A standby that lags further behind than this is none to fail over to.
const SPAN: Duration = Duration::from_secs(600);
const MOST: usize = 20_000;

/// An attempt as this process knows it.
struct Attempted {
    delivery: DeliveryId,
    started: DateTime<Utc>,
    noted: Instant,
    end: Option<(Outcome, DateTime<Utc>)>,
}

/// The attempts of this process, and the names they have now.
#[derive(Default)]
pub(super) struct Recent {
    attempts: BTreeMap<AttemptId, Attempted>,
    /// Attempts that were asserted again under a new number.
    names: HashMap<AttemptId, AttemptId>,
    /// What became of ends that were told again.
    told: Vec<(AttemptId, Recorded)>,
}

/// What was asserted again in a transaction: the attempts with a new number, and
/// what became of the ends that were told.
type Again = (HashMap<AttemptId, AttemptId>, Vec<(AttemptId, Recorded)>);

impl Recent {
    fn intended(&mut self, attempt: AttemptId, delivery: DeliveryId, started: DateTime<Utc>) {
        let noted = Instant::now();
        let is_old = |one: &Attempted| one.noted + SPAN < noted;
        // What is still under way is known until its end is.
        let oldest = |all: &BTreeMap<AttemptId, Attempted>| {
            let mut ended = all.iter().filter(|(_, one)| one.end.is_some());
            let (id, one) = ended.next()?;
            (is_old(one) || all.len() >= MOST).then_some(*id)
        };
        while let Some(id) = oldest(&self.attempts) {
            self.attempts.remove(&id);
        }
        let attempted = Attempted {
            delivery,
            started,
            noted,
            end: None,
        };
        self.attempts.insert(attempt, attempted);
    }

    fn ended(&mut self, attempt: AttemptId, outcome: &Outcome, at: DateTime<Utc>) {
        if let Some(attempted) = self.attempts.get_mut(&attempt) {
            attempted.end = Some((outcome.clone(), at));
        }
    }

    fn renamed(&mut self, names: HashMap<AttemptId, AttemptId>) {
        for (old, new) in &names {
            if let Some(attempted) = self.attempts.remove(old) {
                self.attempts.insert(*new, attempted);
            }
        }
        // A name may have changed before.
        for name in self.names.values_mut() {
            *name = names.get(name).copied().unwrap_or(*name);
        }
        self.names.extend(names);
    }
}

impl Link {
    /// The number that an attempt of this process has now.
    pub(in crate::store) fn current(&self, attempt: AttemptId) -> AttemptId {
        let names = &self.recent.borrow().names;
        names.get(&attempt).copied().unwrap_or(attempt)
    }

    /// Which delivery an attempt of this process was about.
    pub(in crate::store) fn delivery_of(&self, attempt: AttemptId) -> Option<DeliveryId> {
        let recent = self.recent.borrow();
        let attempted = recent.attempts.get(&self.current(attempt))?;
        Some(attempted.delivery)
    }

    /// An intent was committed.
    pub(in crate::store) fn intended(
        &self,
        attempt: AttemptId,
        delivery: DeliveryId,
        started: DateTime<Utc>,
    ) {
        let mut recent = self.recent.borrow_mut();
        recent.intended(attempt, delivery, started);
    }

    /// What became of ends that were told to another server, since this was last
    /// asked.
    pub(in crate::store) fn take_told(&self) -> Vec<(AttemptId, Recorded)> {
        std::mem::take(&mut self.recent.borrow_mut().told)
    }

    /// An outcome was committed.
    pub(in crate::store) fn ended(&self, attempt: AttemptId, outcome: &Outcome, at: DateTime<Utc>) {
        let attempt = self.current(attempt);
        self.recent.borrow_mut().ended(attempt, outcome, at);
    }
}

/// In a transaction that has just begun: where another server has taken over
/// since the last one, asserts what it does not know, commits, and waits until
/// others can have done so. Says whether it did; the transaction is over then.
pub(in crate::store) fn assert_again(connection: &Connection, link: &Link) -> Result<bool, Fault> {
    if !link.has_new_history() {
        return Ok(false);
    }
    let open = link.transaction.borrow().clone();
    let missing = missing(link)?;
    let (names, told) = insert_again(connection, link, &missing)?;
    if link.commit()? == Fate::Committed {
        link.recent.borrow_mut().renamed(names);
        link.recent.borrow_mut().told.extend(told);
        if let Some((_, history)) = open {
            link.accept_history(&history);
        }
        let asserted = missing.len() as u64;
        link.asserted.fetch_add(asserted, Ordering::Relaxed);
        if link.worker() != 0 {
            // Others assert theirs with the next sign of life.
            link.rest(link.lease());
        }
    }
    Ok(true)
}

/// Attempts that this server does not know, or whose end it does not. It may have
/// given a number, and even to the same delivery, to another attempt.
fn missing(link: &Link) -> Result<Vec<(AttemptId, bool)>, Fault> {
    let recent = link.recent.borrow();
    let all = || recent.attempts.iter();
    let ids: Vec<i64> = all().map(|(id, _)| *id).collect();
    let deliveries: Vec<i64> = all().map(|(_, one)| one.delivery).collect();
    let times: Vec<i64> = all().map(|(_, one)| one.started.timestamp()).collect();
    let ended: Vec<bool> = all().map(|(_, one)| one.end.is_some()).collect();
    let found = link.query_given(
        "SELECT known.id, a.id IS NOT NULL
           FROM unnest($1, $2, $3, $4) AS known (id, delivery_id, started_at, has_ended)
           LEFT JOIN attempts a ON a.id = known.id AND a.delivery_id = known.delivery_id
                AND a.started_at = known.started_at
          WHERE a.id IS NULL OR known.has_ended AND coalesce(a.outcome, 6) = 6
          ORDER BY known.id",
        &[
            (&ids, Type::INT8_ARRAY),
            (&deliveries, Type::INT8_ARRAY),
            (&times, Type::INT8_ARRAY),
            (&ended, Type::BOOL_ARRAY),
        ],
    )?;
    let read = |values: &Vec<_>| {
        let row = Row::Postgres(values);
        Ok((row.get(0)?, row.get(1)?))
    };
    found.iter().map(read).collect()
}

/// Makes them again, in their order, and tells how they ended; says which have a
/// new number. One that this server gave to another attempt is not taken from it.
fn insert_again(
    connection: &Connection,
    link: &Link,
    missing: &[(AttemptId, bool)],
) -> Result<Again, Fault> {
    let (mut names, mut told) = Again::default();
    let recent = link.recent.borrow();
    if let Some((newest, _)) = recent.attempts.last_key_value() {
        // New numbers are none of those that were given out before.
        connection.query_row(
            "SELECT setval(pg_get_serial_sequence('attempts', 'id'),
                           greatest(?1, nextval(pg_get_serial_sequence('attempts', 'id'))))",
            params![*newest],
            |_| Ok(()),
        )?;
    }
    for (attempt, is_known) in missing {
        let attempted = &recent.attempts[attempt];
        let mut number = Some(*attempt);
        if !is_known {
            number = insert(connection, link, attempted.delivery, attempted.started)?;
            names.extend(number.map(|number| (*attempt, number)));
        }
        if let (Some(number), Some((outcome, at))) = (number, &attempted.end) {
            let recorded = attempts::outcome(connection, number, outcome, *at)?;
            told.push((number, recorded));
        }
    }
    Ok((names, told))
}

/// The attempts that a process wrote down before it ended, by the numbers that
/// they have here; a server that took over meanwhile is told of them again.
pub(in crate::store) fn attempts_of(
    connection: &Connection,
    link: &Link,
    told: &[Told],
) -> Result<Vec<Option<AttemptId>>, Fault> {
    let number = |one: &Told| {
        let known = connection
            .prepare("SELECT 1 FROM attempts WHERE id = ?1 AND delivery_id = ?2")?
            .exists([one.attempt, one.delivery])?;
        match known {
            true => Ok(Some(one.attempt)),
            false => insert(connection, link, one.delivery, one.at),
        }
    };
    told.iter().map(number).collect()
}

/// Makes an attempt again; `None` where its delivery is not known there either.
fn insert(
    connection: &Connection,
    link: &Link,
    delivery: DeliveryId,
    started: DateTime<Utc>,
) -> Result<Option<AttemptId>, Fault> {
    let found = connection
        .query_row(
            "SELECT attempt_id, state IN (0, 1, 7, 8) FROM deliveries WHERE id = ?1 FOR UPDATE",
            [delivery],
            |row| Ok((row.get::<Option<AttemptId>>(0)?, row.get(1)?)),
        )
        .optional()?;
    match found {
        None => Ok(None),
        Some((Some(newest), false)) => insert_behind(connection, newest, started).map(Some),
        Some(_) => insert_in_front(connection, link, delivery, started).map(Some),
    }
}

/// Makes an attempt the newest of a delivery, which is under way then: also of one
/// that was called off there, since nobody there knew.
fn insert_in_front(
    connection: &Connection,
    link: &Link,
    delivery: DeliveryId,
    started: DateTime<Utc>,
) -> Result<AttemptId, Fault> {
    let attempt = connection.query_row(
        "INSERT INTO attempts (delivery_id, previous_id, started_at)
         SELECT id, attempt_id, ?2 FROM deliveries WHERE id = ?1 RETURNING id",
        params![delivery, started.timestamp()],
        |row| row.get(0),
    )?;
    connection.execute(
        "UPDATE deliveries
            SET state = 2, attempt_id = ?2, worker_id = nullif(?3, 0),
                is_unwanted = CASE WHEN state IN (7, 8) THEN 1 ELSE is_unwanted END
          WHERE id = ?1",
        params![delivery, attempt, link.worker()],
    )?;
    Ok(attempt)
}

/// Makes an attempt an earlier one of a delivery that was settled without it, or is
/// under way again: it hangs on the newest, as all do.
fn insert_behind(
    connection: &Connection,
    newest: AttemptId,
    started: DateTime<Utc>,
) -> Result<AttemptId, Fault> {
    let attempt = connection.query_row(
        "INSERT INTO attempts (delivery_id, previous_id, started_at)
         SELECT delivery_id, previous_id, ?2 FROM attempts WHERE id = ?1 RETURNING id",
        params![newest, started.timestamp()],
        |row| row.get(0),
    )?;
    connection.execute(
        "UPDATE attempts SET previous_id = ?2 WHERE id = ?1",
        [newest, attempt],
    )?;
    Ok(attempt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::delivery::Reply;

    #[test]
    fn what_is_under_way_is_known_until_its_end_is() {
        let mut recent = Recent::default();
        let now = DateTime::UNIX_EPOCH;
        let sent = Outcome::Sent(Reply {
            code: 250,
            enhanced: None,
            text: "ok".to_owned(),
        });
        recent.intended(1, 71, now);
        for attempt in 2..=MOST as AttemptId + 10 {
            recent.intended(attempt, 100 + attempt, now);
            recent.ended(attempt, &sent, now);
        }
        assert_eq!(recent.attempts.len(), MOST);
        assert_eq!(recent.attempts[&1].delivery, 71);
        assert!(!recent.attempts.contains_key(&2));
        recent.ended(1, &sent, now);
        recent.intended(1_000_000, 72, now);
        assert!(!recent.attempts.contains_key(&1));
    }
}
