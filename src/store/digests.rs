//! What the ledger remembers beside the list and the mail: which articles a
//! digest dealt with, its slots, and the ids of articles.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use rusqlite::params;
use serde::Serialize;

use crate::{
    domain::{
        article::Remembered,
        issue::{History, Past},
        schedule::Slot,
    },
    store::{
        codes,
        error::Fault,
        sql::{Connection, OptionalExtension},
    },
};

/// What became of a slot that got no issue of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotFate {
    /// There was too little to send.
    Skipped,
    /// It passed too long ago.
    Missed,
    /// A later slot's issue made up for it.
    CaughtUp,
}

impl SlotFate {
    /// The word for tables and the ledger.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Missed => "missed",
            Self::CaughtUp => "caught up",
        }
    }
}

/// What earlier issues of a digest did. Articles of a cancelled issue are free
/// again; what a first issue passed over stays passed over.
pub(super) fn history(connection: &Connection, digest: &str) -> Result<History, Fault> {
    let mut select = connection.prepare_cached(
        "SELECT a.article_id, a.passed_over, i.number
           FROM assignments a JOIN issues i ON i.id = a.issue_id
          WHERE a.digest = ?1",
    )?;
    let articles = select
        .query_map([digest], |row| {
            let past = match row.get(1)? {
                true => Past::PassedOver,
                false => Past::Carried(row.get(2)?),
            };
            Ok((codes::article(row, 0)?, past))
        })?
        .collect::<Result<HashMap<_, _>, _>>()?;
    let last_number = connection.query_row(
        "SELECT coalesce(max(number), 0) FROM issues WHERE digest = ?1",
        [digest],
        |row| row.get(0),
    )?;
    Ok(History {
        articles,
        last_number,
        cursor: cursor(connection, digest)?,
    })
}

fn cursor(connection: &Connection, digest: &str) -> Result<Option<Slot>, Fault> {
    Ok(connection
        .query_row(
            "SELECT cursor FROM digests WHERE name = ?1 AND cursor IS NOT NULL",
            [digest],
            |row| codes::parsed(row, 0),
        )
        .optional()?)
}

/// Notes slots that get no issue of their own, and moves the cursor past them.
pub(super) fn record_slots(
    connection: &Connection,
    digest: &str,
    slots: &[Slot],
    fate: SlotFate,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO slots (digest, slot, fate, reason, at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO NOTHING",
    )?;
    for slot in slots {
        insert.execute(params![
            digest,
            slot.to_string(),
            fate.as_str(),
            reason,
            now.timestamp()
        ])?;
        advance(connection, digest, *slot)?;
    }
    Ok(())
}

/// Moves a digest's cursor to a slot; never back.
pub(super) fn advance(connection: &Connection, digest: &str, slot: Slot) -> Result<(), Fault> {
    // A slot's text sorts as its time does.
    connection
        .prepare_cached(
            "INSERT INTO digests (name, cursor) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET cursor = excluded.cursor
                 WHERE coalesce(digests.cursor, '') < excluded.cursor",
        )?
        .execute(params![digest, slot.to_string()])?;
    Ok(())
}

/// Every article that was given an id, by source file.
pub(super) fn remembered(connection: &Connection) -> Result<Vec<Remembered>, Fault> {
    let mut select =
        connection.prepare("SELECT source, id, body_hash FROM articles ORDER BY source")?;
    let rows = select.query_map([], |row| {
        Ok(Remembered {
            source: row.get(0)?,
            id: codes::article(row, 1)?,
            body_hash: row.get(2)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Keeps the ids of articles. An id has one source: a renamed article leaves
/// its old file name free for another.
pub(super) fn remember(connection: &Connection, articles: &[Remembered]) -> Result<(), Fault> {
    let mut free = connection.prepare("DELETE FROM articles WHERE id = ?1 AND source <> ?2")?;
    let mut insert = connection.prepare(
        "INSERT INTO articles (source, id, body_hash) VALUES (?1, ?2, ?3)
         ON CONFLICT (source) DO UPDATE SET id = excluded.id, body_hash = excluded.body_hash
          WHERE articles.id <> excluded.id OR articles.body_hash <> excluded.body_hash",
    )?;
    for article in articles {
        free.execute([article.id.as_str(), article.source.as_str()])?;
        insert.execute([
            article.source.as_str(),
            article.id.as_str(),
            article.body_hash.as_str(),
        ])?;
    }
    Ok(())
}
