//! The list: who is on it, who left, and who must never be written to.
//!
//! A reader with queued deliveries is always active: whatever makes a reader
//! inactive cancels those deliveries in the same transaction.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;
use sha2::Sha256;

use crate::{
    domain::{
        address::EmailAddress,
        choice::Choice,
        subscriber::{AddOutcome, NewSubscriber, Status, Subscriber},
    },
    store::{choices, codes, error::Fault, sqlite},
};

/// Why an address must never be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SuppressionReason {
    /// The address does not exist or takes no mail.
    HardBounce,
    /// Several issues in a row could not be delivered.
    Unreachable,
    /// Its owner reported our mail as unwanted.
    Complaint,
    /// Its owner or the publisher asked for it.
    Request,
}

impl SuppressionReason {
    /// The word for tables and the ledger.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HardBounce => "hard bounce",
            Self::Unreachable => "unreachable for several issues",
            Self::Complaint => "complaint",
            Self::Request => "request",
        }
    }

    /// Where it moves a subscriber, if that means less mail.
    fn status(self) -> Status {
        match self {
            Self::HardBounce | Self::Unreachable => Status::Bounced,
            Self::Complaint => Status::Complained,
            Self::Request => Status::Unsubscribed,
        }
    }
}

/// What an unsubscription found and did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct UnsubscribeOutcome {
    /// The status before; `None` when the address is not on the list.
    pub was: Option<Status>,
    /// Queued deliveries that were cancelled with it.
    pub cancelled_deliveries: u64,
    /// The database was busy: it stands beside it, on stable storage, and holds
    /// before anything else is written.
    pub is_noted: bool,
}

/// Where a page of subscribers ended; the next begins after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor(i64);

/// A part of the list, in the order in which readers joined it.
#[derive(Debug, Clone)]
pub struct SubscriberPage {
    /// The subscribers.
    pub subscribers: Vec<Subscriber>,
    /// Where to go on; `None` at the end of the list.
    pub next: Option<Cursor>,
}

/// HMAC-SHA256 of an address's key under the install key.
pub(super) fn hash(install_key: &[u8; 32], address: &EmailAddress) -> [u8; 32] {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(install_key).expect("HMAC takes a key of any length");
    mac.update(address.key().as_bytes());
    mac.finalize().into_bytes().into()
}

/// What the list holds of an address.
struct Known {
    id: i64,
    status: Status,
}

fn known(connection: &Connection, address: &EmailAddress) -> Result<Option<Known>, Fault> {
    let mut select =
        connection.prepare_cached("SELECT id, status FROM subscribers WHERE address_key = ?1")?;
    let found = select.query_row([address.key()], |row| {
        Ok(Known {
            id: row.get(0)?,
            status: codes::status(row, 1)?,
        })
    });
    Ok(found.optional()?)
}

fn is_suppressed(connection: &Connection, hash: &[u8; 32]) -> Result<bool, Fault> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM suppressions WHERE address_hash = ?1")?
        .exists([&hash[..]])?)
}

/// Adds readers one after the other.
pub(super) fn add(
    connection: &Connection,
    install_key: &[u8; 32],
    readers: &[NewSubscriber],
    source: &str,
    now: DateTime<Utc>,
) -> Result<Vec<AddOutcome>, Fault> {
    readers
        .iter()
        .map(|reader| add_one(connection, install_key, reader, source, now))
        .collect()
}

fn add_one(
    connection: &Connection,
    install_key: &[u8; 32],
    reader: &NewSubscriber,
    source: &str,
    now: DateTime<Utc>,
) -> Result<AddOutcome, Fault> {
    // A list cannot erase anyone; what it can say is that they left.
    let asked = match reader.status {
        Status::Erased => Status::Unsubscribed,
        other => other,
    };
    let hash = hash(install_key, &reader.address);
    let suppressed = is_suppressed(connection, &hash)?;
    match known(connection, &reader.address)? {
        Some(known) if known.status.may_become(asked) => {
            set_status(connection, known.id, asked, source, now)?;
            Ok(AddOutcome::Lessened)
        }
        _ if suppressed => Ok(AddOutcome::Suppressed),
        Some(known) if known.status == asked => Ok(AddOutcome::Unchanged),
        Some(known) => Ok(AddOutcome::Kept(known.status)),
        None => {
            insert(connection, reader, asked, &hash, source, now)?;
            Ok(AddOutcome::Added)
        }
    }
}

fn insert(
    connection: &Connection,
    reader: &NewSubscriber,
    status: Status,
    hash: &[u8; 32],
    source: &str,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    let mut public_id = [0; 16];
    sqlite::fill_random(&mut public_id)?;
    connection
        .prepare_cached(
            "INSERT INTO subscribers (public_id, address, address_key, address_hash, name, status,
                                      source, created_at, changed_at, choice_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9)",
        )?
        .execute(params![
            &public_id[..],
            reader.address.expose(),
            reader.address.key(),
            &hash[..],
            reader.name,
            codes::of_status(status),
            source,
            now.timestamp(),
            choices::intern(connection, &reader.choice)?,
        ])?;
    let id = connection.last_insert_rowid();
    let what = match status {
        Status::Active => "added",
        Status::Pending => "added as pending",
        Status::Bounced => "added as bounced",
        Status::Unsubscribed | Status::Erased => "added as unsubscribed",
        Status::Complained => "added as complained",
    };
    record(connection, id, what, source, now)
}

/// Appends to what is known of a reader's history.
pub(super) fn record(
    connection: &Connection,
    subscriber: i64,
    what: &str,
    source: &str,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "INSERT INTO events (subscriber_id, at, what, source) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![subscriber, now.timestamp(), what, source])?;
    Ok(())
}

/// Moves a reader toward less mail; returns how many deliveries that cancels.
fn set_status(
    connection: &Connection,
    subscriber: i64,
    status: Status,
    source: &str,
    now: DateTime<Utc>,
) -> Result<u64, Fault> {
    connection
        .prepare_cached("UPDATE subscribers SET status = ?2, changed_at = ?3 WHERE id = ?1")?
        .execute(params![
            subscriber,
            codes::of_status(status),
            now.timestamp()
        ])?;
    record(connection, subscriber, status.as_str(), source, now)?;
    cancel_open(connection, subscriber)
}

/// Cancels what is queued for a reader; what is under way stays under way.
fn cancel_open(connection: &Connection, subscriber: i64) -> Result<u64, Fault> {
    let cancelled = connection
        .prepare_cached(
            "UPDATE deliveries SET state = 8 WHERE subscriber_id = ?1 AND state IN (0, 1)",
        )?
        .execute([subscriber])?;
    Ok(cancelled as u64)
}

/// Sets what a reader gets from the next issue on.
pub(super) fn choose(
    connection: &Connection,
    address: &EmailAddress,
    choice: &Choice,
    source: &str,
    now: DateTime<Utc>,
) -> Result<bool, Fault> {
    let Some(known) = known(connection, address)? else {
        return Ok(false);
    };
    let is_new = choices::choose(connection, known.id, choice)?;
    if is_new {
        let what = format!("chose {}", choice.in_words());
        record(connection, known.id, &what, source, now)?;
    }
    Ok(is_new)
}

/// Takes a reader off the list. Doing it again changes nothing.
pub(super) fn unsubscribe(
    connection: &Connection,
    address: &EmailAddress,
    source: &str,
    now: DateTime<Utc>,
) -> Result<UnsubscribeOutcome, Fault> {
    let Some(known) = known(connection, address)? else {
        return Ok(UnsubscribeOutcome {
            was: None,
            cancelled_deliveries: 0,
            is_noted: false,
        });
    };
    let cancelled_deliveries = if known.status.may_become(Status::Unsubscribed) {
        set_status(connection, known.id, Status::Unsubscribed, source, now)?
    } else {
        cancel_open(connection, known.id)?
    };
    Ok(UnsubscribeOutcome {
        was: Some(known.status),
        cancelled_deliveries,
        is_noted: false,
    })
}

/// Puts an address on the suppression list, whether or not it is known.
pub(super) fn suppress(
    connection: &Connection,
    install_key: &[u8; 32],
    address: &EmailAddress,
    reason: SuppressionReason,
    now: DateTime<Utc>,
) -> Result<UnsubscribeOutcome, Fault> {
    let known = known(connection, address)?;
    let was = known.as_ref().map(|known| known.status);
    let cancelled_deliveries = match known {
        Some(known) => suppress_known(connection, known.id, reason, now)?,
        None => {
            insert_suppression(connection, &hash(install_key, address), reason, now)?;
            0
        }
    };
    Ok(UnsubscribeOutcome {
        was,
        cancelled_deliveries,
        is_noted: false,
    })
}

/// Puts a reader's address on the suppression list and moves the status along.
pub(super) fn suppress_known(
    connection: &Connection,
    subscriber: i64,
    reason: SuppressionReason,
    now: DateTime<Utc>,
) -> Result<u64, Fault> {
    let mut select =
        connection.prepare_cached("SELECT status, address_hash FROM subscribers WHERE id = ?1")?;
    let (status, hash): (Status, Option<[u8; 32]>) = select.query_row([subscriber], |row| {
        Ok((codes::status(row, 0)?, row.get(1)?))
    })?;
    if let Some(hash) = hash {
        insert_suppression(connection, &hash, reason, now)?;
    }
    if status.may_become(reason.status()) {
        set_status(
            connection,
            subscriber,
            reason.status(),
            reason.as_str(),
            now,
        )
    } else {
        record(connection, subscriber, "suppressed", reason.as_str(), now)?;
        cancel_open(connection, subscriber)
    }
}

/// The first reason for a suppression stays.
fn insert_suppression(
    connection: &Connection,
    hash: &[u8; 32],
    reason: SuppressionReason,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO suppressions (address_hash, reason, since) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![&hash[..], reason.as_str(), now.timestamp()])?;
    Ok(())
}

const COLUMNS: &str = "public_id, address, name, status, source, created_at, changed_at, id,
    (SELECT choice FROM choices c WHERE c.id = choice_id)";

fn subscriber(row: &Row<'_>) -> rusqlite::Result<Subscriber> {
    Ok(Subscriber {
        id: codes::subscriber(row, 0)?,
        address: codes::address(row, 1)?,
        name: row.get(2)?,
        status: codes::status(row, 3)?,
        source: row.get(4)?,
        created: codes::time(row, 5)?,
        changed: codes::time(row, 6)?,
        choice: codes::choice_if_any(row, 8)?,
    })
}

/// The reader with this address, and the number the ledger knows them by.
pub(super) fn find(
    connection: &Connection,
    address: &EmailAddress,
) -> Result<Option<(i64, Subscriber)>, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM subscribers WHERE address_key = ?1");
    let found = connection
        .prepare_cached(&sql)?
        .query_row([address.key()], |row| Ok((row.get(7)?, subscriber(row)?)));
    Ok(found.optional()?)
}

/// The next `limit` readers after a cursor; erased ones are nobody to list.
pub(super) fn page(
    connection: &Connection,
    status: Option<Status>,
    after: Option<Cursor>,
    limit: usize,
) -> Result<SubscriberPage, Fault> {
    let filter = match status {
        Some(_) => "status = ?3 AND",
        None => "status <> 5 AND ?3 IS NULL AND",
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM subscribers WHERE {filter} address IS NOT NULL AND id > ?1
          ORDER BY id LIMIT ?2"
    );
    let after = after.map_or(0, |cursor| cursor.0);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut select = connection.prepare_cached(&sql)?;
    let rows = select.query_map(params![after, limit, status.map(codes::of_status)], |row| {
        Ok((row.get(7)?, subscriber(row)?))
    })?;
    let rows: Vec<(i64, Subscriber)> = rows.collect::<Result<_, _>>()?;
    let is_full = i64::try_from(rows.len()).is_ok_and(|len| len == limit);
    Ok(SubscriberPage {
        next: rows.last().filter(|_| is_full).map(|(id, _)| Cursor(*id)),
        subscribers: rows.into_iter().map(|(_, reader)| reader).collect(),
    })
}

/// How many readers have each status.
pub(super) fn counts(connection: &Connection) -> Result<BTreeMap<Status, u64>, Fault> {
    let mut select =
        connection.prepare_cached("SELECT status, count(*) FROM subscribers GROUP BY status")?;
    let rows = select.query_map([], |row| {
        Ok((codes::status(row, 0)?, codes::count(row, 1)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
