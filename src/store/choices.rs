//! What readers chose, each choice kept once.

use chrono::{DateTime, Utc};
use rusqlite::params;

use crate::{
    domain::choice::{Choice, LeftOut},
    store::{codes, error::Fault, sql::Connection},
};

/// A choice as the ledger numbers it; none is the choice of everything.
pub type ChoiceId = Option<i64>;

/// A choice that active readers made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// What the freeze calls it by.
    pub id: ChoiceId,
    /// What it says.
    pub choice: Choice,
    /// How many active readers made it.
    pub readers: u64,
}

/// Which edition the readers with one choice get, if any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Their choice.
    pub choice: ChoiceId,
    /// The number of their edition, from 1.
    pub edition: Result<u32, LeftOut>,
}

impl Share {
    /// One edition for readers who chose nothing in particular.
    pub const EVERYTHING: Self = Self {
        choice: None,
        edition: Ok(1),
    };
}

/// The number of a choice; it is kept if it is new.
pub(super) fn intern(connection: &Connection, choice: &Choice) -> Result<ChoiceId, Fault> {
    let text = choice.to_string();
    if text.is_empty() {
        return Ok(None);
    }
    connection
        .prepare_cached("INSERT INTO choices (choice) VALUES (?1) ON CONFLICT DO NOTHING")?
        .execute([&text])?;
    let id = connection
        .prepare_cached("SELECT id FROM choices WHERE choice = ?1")?
        .query_row([&text], |row| row.get(0))?;
    Ok(Some(id))
}

/// The choices of active readers, those of most readers first.
pub(super) fn of_active_readers(connection: &Connection) -> Result<Vec<Chosen>, Fault> {
    let mut select = connection.prepare_cached(
        // Most readers of most lists chose nothing: they are what is left.
        "WITH chosen AS (
             SELECT choice_id, count(*) AS readers FROM subscribers
              WHERE status = 0 AND choice_id IS NOT NULL GROUP BY choice_id),
         counted AS (
             SELECT choice_id, readers FROM chosen
             UNION ALL
             SELECT NULL, (SELECT count(*) FROM subscribers WHERE status = 0)
                          - (SELECT coalesce(sum(readers), 0) FROM chosen))
         SELECT s.choice_id, coalesce(c.choice, ''), s.readers
           FROM counted s LEFT JOIN choices c ON c.id = s.choice_id
          WHERE s.readers > 0
          ORDER BY s.readers DESC, 2",
    )?;
    let rows = select.query_map([], |row| {
        Ok(Chosen {
            id: row.get(0)?,
            choice: codes::choice(row, 1)?,
            readers: codes::count(row, 2)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many readers an issue would go to now, by what they chose: as at a freeze,
/// without those who pause and whom nobody may write to.
pub(super) fn of_reached_readers(
    connection: &Connection,
    now: DateTime<Utc>,
) -> Result<Vec<(ChoiceId, u64)>, Fault> {
    let mut select = connection.prepare_cached(
        "SELECT s.choice_id, count(*) FROM subscribers s
          WHERE s.status = 0 AND coalesce(s.paused_until, 0) <= ?1
            AND NOT EXISTS (SELECT 1 FROM suppressions x WHERE x.address_hash = s.address_hash)
          GROUP BY s.choice_id",
    )?;
    let rows = select.query_map([now.timestamp()], |row| {
        Ok((row.get(0)?, codes::count(row, 1)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether active readers have a choice that is in none of the shares: then
/// they chose it after the shares were decided.
pub(super) fn is_news(connection: &Connection, shares: &[Share]) -> Result<bool, Fault> {
    let chosen = of_active_readers(connection)?;
    Ok(chosen
        .iter()
        .any(|chosen| shares.iter().all(|share| share.choice != chosen.id)))
}

/// Puts the shares where a statement about readers can look them up:
/// `temp.shares`, with 0 for the choice of everything.
pub(super) fn lay_out(connection: &Connection, shares: &[Share]) -> Result<(), Fault> {
    connection.execute_batch(
        "CREATE TEMP TABLE IF NOT EXISTS shares (
             choice_id BIGINT PRIMARY KEY,
             edition   BIGINT,
             reason    TEXT,
             CHECK ((edition IS NULL) <> (reason IS NULL))
         )",
    )?;
    connection.execute("DELETE FROM temp.shares", [])?;
    let mut insert = connection
        .prepare("INSERT INTO temp.shares (choice_id, edition, reason) VALUES (?1, ?2, ?3)")?;
    for share in shares {
        let reason = share.edition.err().map(LeftOut::as_str);
        insert.execute(params![
            share.choice.unwrap_or(0),
            share.edition.ok(),
            reason
        ])?;
    }
    Ok(())
}

/// Sets what a reader gets from the next issue on; `false` when there is no
/// such reader, or it was so before.
pub(super) fn choose(
    connection: &Connection,
    subscriber: i64,
    choice: &Choice,
) -> Result<bool, Fault> {
    let id = intern(connection, choice)?;
    let changed = connection
        .prepare_cached(
            "UPDATE subscribers SET choice_id = ?2 WHERE id = ?1 AND choice_id IS DISTINCT FROM ?2",
        )?
        .execute(params![subscriber, id])?;
    Ok(changed > 0)
}
