//! The record of consent: what happened to readers, how we know, and the words
//! they agreed to. Written in the transaction of what it proves.

use chrono::{DateTime, Utc};
use rusqlite::params;
use sha2::{Digest as _, Sha256};

use crate::store::sql::Connection;
use crate::{
    domain::consent::{Evidence, Happening},
    store::error::Fault,
};

/// Appends to the record of a reader. `what` tells people what `happening`
/// alone does not, and never holds an address or a name.
pub(super) fn record(
    connection: &Connection,
    subscriber: i64,
    happening: Happening,
    what: &str,
    evidence: &Evidence,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    let wording = match &evidence.wording {
        Some(words) => Some(intern(connection, words)?),
        None => None,
    };
    connection
        .prepare_cached(
            "INSERT INTO events (subscriber_id, at, kind, what, source, wording_id, network)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            subscriber,
            now.timestamp(),
            happening.as_str(),
            what,
            evidence.source,
            wording,
            evidence.network.map(|network| network.to_string()),
        ])?;
    Ok(())
}

/// The number of these words; they are kept if they are new.
fn intern(connection: &Connection, words: &str) -> Result<i64, Fault> {
    let hash: [u8; 32] = Sha256::digest(words.as_bytes()).into();
    connection
        .prepare_cached(
            "INSERT INTO wordings (sha256, words) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        )?
        .execute(params![&hash[..], words])?;
    Ok(connection
        .prepare_cached("SELECT id FROM wordings WHERE sha256 = ?1")?
        .query_row([&hash[..]], |row| row.get(0))?)
}
