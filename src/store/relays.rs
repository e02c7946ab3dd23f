//! What is known about each relay from earlier runs.

use chrono::{DateTime, Utc};
use rusqlite::params;
use serde::Serialize;

use crate::store::sql::{self, Connection};
use crate::store::{codes, error::Fault};

/// One relay, as the last run left it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RelayMemory {
    /// Host and port.
    pub name: String,
    /// Sessions it bore at once.
    pub sessions: u32,
    /// Since when it does not serve, if it does not, and why.
    pub away: Option<(DateTime<Utc>, String)>,
    /// Until when it takes no more, if it said so, and in which words.
    pub quiet: Option<(DateTime<Utc>, String)>,
}

/// Every relay that was ever used.
pub(super) fn all(connection: &Connection) -> Result<Vec<RelayMemory>, Fault> {
    let mut select = connection.prepare(
        "SELECT name, sessions, away_since, away_reason, quiet_until, quiet_reply
           FROM relays ORDER BY name",
    )?;
    let rows = select.query_map([], |row| {
        let span = |at: usize| -> sql::Result<Option<(DateTime<Utc>, String)>> {
            let moment = codes::time_if_any(row, at)?;
            Ok(moment.zip(row.get::<Option<String>>(at + 1)?))
        };
        Ok(RelayMemory {
            name: row.get(0)?,
            sessions: row.get(1)?,
            away: span(2)?,
            quiet: span(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Keeps what a run learned; relays it did not use stay as they are.
pub(super) fn keep(connection: &Connection, learned: &[RelayMemory]) -> Result<(), Fault> {
    let mut insert = connection.prepare(
        "INSERT INTO relays (name, sessions, away_since, away_reason, quiet_until, quiet_reply)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (name) DO UPDATE
            SET sessions = excluded.sessions,
                away_since = excluded.away_since, away_reason = excluded.away_reason,
                quiet_until = excluded.quiet_until, quiet_reply = excluded.quiet_reply",
    )?;
    for relay in learned {
        let split = |span: &Option<(DateTime<Utc>, String)>| {
            span.clone()
                .map(|(at, text)| (at.timestamp(), text))
                .unzip()
        };
        let (away_since, away_reason): (Option<i64>, Option<String>) = split(&relay.away);
        let (quiet_until, quiet_reply): (Option<i64>, Option<String>) = split(&relay.quiet);
        insert.execute(params![
            relay.name,
            relay.sessions.max(1),
            away_since,
            away_reason,
            quiet_until,
            quiet_reply
        ])?;
    }
    Ok(())
}
