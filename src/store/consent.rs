//! The record of consent: what happened to readers, how we know, and the words
//! they agreed to. Written in the transaction of what it proves.

use chrono::{DateTime, Utc};
use rusqlite::{params, types::ToSql};
use sha2::{Digest as _, Sha256};

use crate::{
    domain::consent::{Evidence, Happening},
    store::{
        error::Fault,
        sql::{self, Connection},
    },
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
    record_all(connection, &[(subscriber, happening, what)], evidence, now)
}

/// As [`record`], to the records of several readers that one evidence is about.
pub(super) fn record_all(
    connection: &Connection,
    readers: &[(i64, Happening, &str)],
    evidence: &Evidence,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    let wording = match &evidence.wording {
        Some(words) => Some(intern(connection, words)?),
        None => None,
    };
    let network = evidence.network.map(|network| network.to_string());
    let (now, source) = (now.timestamp(), &evidence.source);
    let kinds: Vec<&str> = readers.iter().map(|(_, kind, _)| kind.as_str()).collect();
    let rows: Vec<[&dyn ToSql; 7]> = readers
        .iter()
        .zip(&kinds)
        .map(|((reader, _, what), kind)| {
            [reader, &now, kind, what, source, &wording, &network] as [&dyn ToSql; 7]
        })
        .collect();
    connection
        .prepare_cached(&format!(
            "INSERT INTO events (subscriber_id, at, kind, what, source, wording_id, network)
             VALUES {}",
            sql::places(&rows)
        ))?
        .execute(rows.as_flattened())?;
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
