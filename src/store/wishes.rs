//! What a reader wants to get, as the reader's own page shows and changes it.

use chrono::{DateTime, Utc};
use rusqlite::params;

use crate::{
    domain::{
        choice::Choice,
        consent::{Evidence, Happening},
        subscriber::{Subscriber, SubscriberId},
    },
    store::{codes, consent, error::Fault, sql::Connection, subscribers},
};

/// Why a reader who paused gets no delivery, as the ledger keeps it.
pub(super) const PAUSED: &str = "paused";

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

/// The reader with this id, and what they want: a pause that is over is none.
/// Nobody, once erased.
pub(super) fn find(
    connection: &Connection,
    id: SubscriberId,
    now: DateTime<Utc>,
) -> Result<Option<(i64, Subscriber)>, Fault> {
    let mut known = subscribers::find_who(connection, &id.into())?;
    if let Some((_, reader)) = &mut known {
        reader.paused_until = reader.paused_until.filter(|until| *until > now);
    }
    Ok(known)
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
    let Some((row, known)) = find(connection, id, now)? else {
        return Ok(false);
    };
    let address = &known.address;
    let mut is_new = subscribers::choose(connection, address, &wishes.choice, evidence, now)?;
    if known.name != wishes.name {
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
/// edition: `temp.shares` says to which. Found by their pause: they are few, and
/// those who are active are all.
pub(super) fn paused(connection: &Connection, now: DateTime<Utc>) -> Result<u64, Fault> {
    let mut select = connection.prepare_cached(
        "SELECT count(*)
           FROM subscribers s CROSS JOIN temp.shares c ON c.choice_id = coalesce(s.choice_id, 0)
          WHERE +s.status = 0 AND c.edition IS NOT NULL AND s.paused_until > ?1
            AND NOT EXISTS (SELECT 1 FROM suppressions x WHERE x.address_hash = s.address_hash)",
    )?;
    Ok(select.query_row([now.timestamp()], |row| codes::count(row, 0))?)
}
