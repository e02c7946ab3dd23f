//! What a reader wants to get, as the reader's own page shows and changes it.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    domain::{
        choice::Choice,
        consent::{Evidence, Happening},
        subscriber::{Subscriber, SubscriberId},
    },
    store::{codes, consent, error::Fault, subscribers},
};

/// Why a reader who paused gets no delivery, as the ledger keeps it.
pub(super) const PAUSED: &str = "paused";

/// A reader and what they want.
#[derive(Debug, Clone)]
pub struct Wisher {
    /// Who, and what they chose.
    pub reader: Subscriber,
    /// Until when they want no letters, if that is still to come.
    pub paused_until: Option<DateTime<Utc>>,
}

/// What a reader may change about their letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wishes {
    /// What to call them.
    pub name: Option<String>,
    /// What to send them.
    pub choice: Choice,
    /// Until when to send nothing.
    pub paused_until: Option<DateTime<Utc>>,
}

/// The reader with this id; nobody, once erased.
pub(super) fn find(
    connection: &Connection,
    id: SubscriberId,
    now: DateTime<Utc>,
) -> Result<Option<Wisher>, Fault> {
    let found = connection
        .prepare_cached(
            "SELECT address, paused_until FROM subscribers
              WHERE public_id = ?1 AND address IS NOT NULL",
        )?
        .query_row([&id.0[..]], |row| {
            Ok((codes::address(row, 0)?, row.get::<_, Option<i64>>(1)?))
        })
        .optional()?;
    let Some((address, paused_until)) = found else {
        return Ok(None);
    };
    let paused_until = paused_until
        .and_then(|at| DateTime::from_timestamp(at, 0))
        .filter(|until| *until > now);
    let known = subscribers::find(connection, &address)?;
    Ok(known.map(|(_, reader)| Wisher {
        reader,
        paused_until,
    }))
}

/// Keeps what a reader wants from the next issue on; `false` when it was so
/// before, or there is no such reader.
pub(super) fn keep(
    connection: &Connection,
    id: SubscriberId,
    wishes: &Wishes,
    evidence: &Evidence,
    now: DateTime<Utc>,
) -> Result<bool, Fault> {
    let Some(known) = find(connection, id, now)? else {
        return Ok(false);
    };
    let address = &known.reader.address;
    let Some((row, _)) = subscribers::find(connection, address)? else {
        return Ok(false);
    };
    let mut is_new = subscribers::choose(connection, address, &wishes.choice, evidence, now)?;
    if known.reader.name != wishes.name {
        connection
            .prepare_cached("UPDATE subscribers SET name = ?2 WHERE id = ?1")?
            .execute(params![row, wishes.name])?;
        let happening = Happening::Renamed;
        consent::record(
            connection,
            row,
            happening,
            "changed the name",
            evidence,
            now,
        )?;
        is_new = true;
    }
    if known.paused_until != wishes.paused_until {
        connection
            .prepare_cached("UPDATE subscribers SET paused_until = ?2 WHERE id = ?1")?
            .execute(params![row, wishes.paused_until.map(|at| at.timestamp())])?;
        let what = match wishes.paused_until {
            Some(until) => format!("paused until {}", until.format("%Y-%m-%d")),
            None => "ended the pause".to_owned(),
        };
        consent::record(connection, row, Happening::Paused, &what, evidence, now)?;
        if wishes.paused_until.is_some() {
            subscribers::cancel_open(connection, row)?;
        }
        is_new = true;
    }
    Ok(is_new)
}

/// Active readers who want no letters now although their choice comes to an
/// edition: `temp.shares` says to which.
pub(super) fn paused(connection: &Connection, now: DateTime<Utc>) -> Result<u64, Fault> {
    let mut select = connection.prepare_cached(
        "SELECT count(*)
           FROM subscribers s CROSS JOIN temp.shares c ON c.choice_id = coalesce(s.choice_id, 0)
          WHERE s.status = 0 AND c.edition IS NOT NULL AND s.paused_until > ?1
            AND NOT EXISTS (SELECT 1 FROM suppressions x WHERE x.address_hash = s.address_hash)",
    )?;
    Ok(select.query_row([now.timestamp()], |row| codes::count(row, 0))?)
}
