//! The list: who is on it, who left, and who must never be written to.
//!
//! A reader with queued deliveries is always active: whatever makes a reader
//! inactive cancels those deliveries in the same transaction.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use rusqlite::params;
use serde::Serialize;
use sha2::Sha256;

use crate::{
    domain::{
        address::EmailAddress,
        choice::Choice,
        consent::{Evidence, Happening, Who},
        subscriber::{Status, Subscriber},
    },
    store::{
        choices, codes, consent,
        error::Fault,
        sql::{self, Connection, OptionalExtension, Params, Row},
    },
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
    /// Its owner, or the publisher, had everything removed.
    Erased,
}

impl SuppressionReason {
    const ALL: [Self; 5] = [
        Self::HardBounce,
        Self::Unreachable,
        Self::Complaint,
        Self::Request,
        Self::Erased,
    ];

    /// The word for tables and the ledger.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HardBounce => "hard bounce",
            Self::Unreachable => "unreachable for several issues",
            Self::Complaint => "complaint",
            Self::Request => "request",
            Self::Erased => "erased",
        }
    }

    /// Whether not even the reader's own yes ends it.
    #[must_use]
    pub fn is_for_good(self) -> bool {
        matches!(self, Self::Complaint | Self::Request)
    }

    /// Where it moves a subscriber, if that means less mail.
    fn status(self) -> Status {
        match self {
            Self::HardBounce | Self::Unreachable => Status::Bounced,
            Self::Complaint => Status::Complained,
            Self::Request => Status::Unsubscribed,
            // The erasure itself moves it.
            Self::Erased => Status::Active,
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
pub(super) struct Known {
    pub(super) id: i64,
    pub(super) status: Status,
}

pub(super) fn known(
    connection: &Connection,
    address: &EmailAddress,
) -> Result<Option<Known>, Fault> {
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

/// Why an address must not be written to, if it must not.
pub(super) fn suppression(
    connection: &Connection,
    hash: &[u8; 32],
) -> Result<Option<SuppressionReason>, Fault> {
    let reason: Option<String> = connection
        .prepare_cached("SELECT reason FROM suppressions WHERE address_hash = ?1")?
        .query_row([&hash[..]], |row| row.get(0))
        .optional()?;
    // A reason that this version does not know is taken as the strictest.
    Ok(reason.map(|word| {
        SuppressionReason::ALL
            .into_iter()
            .find(|reason| reason.as_str() == word)
            .unwrap_or(SuppressionReason::Request)
    }))
}

/// Moves a reader toward less mail; returns how many deliveries that cancels.
pub(super) fn set_status(
    connection: &Connection,
    subscriber: i64,
    status: Status,
    now: DateTime<Utc>,
) -> Result<u64, Fault> {
    connection
        .prepare_cached("UPDATE subscribers SET status = ?2, changed_at = ?3 WHERE id = ?1")?
        .execute(params![
            subscriber,
            codes::of_status(status),
            now.timestamp()
        ])?;
    cancel_open(connection, subscriber)
}

/// Cancels what is queued for a reader; what is under way stays under way, and
/// is not tried again.
pub(super) fn cancel_open(connection: &Connection, subscriber: i64) -> Result<u64, Fault> {
    cancel_where(connection, "", [subscriber])
}

/// As [`cancel_open`], of the deliveries to reader `?1` for which this holds, too.
/// One statement: what others begin meanwhile on a server is found as they leave
/// it.
pub(super) fn cancel_where(
    connection: &Connection,
    and: &str,
    params: impl Params,
) -> Result<u64, Fault> {
    let mut update = connection.prepare_cached(&format!(
        "UPDATE deliveries
            SET is_unwanted = CASE WHEN state IN (2, 4) THEN 1 ELSE is_unwanted END,
                state = CASE WHEN state IN (0, 1) THEN 8 ELSE state END
          WHERE subscriber_id = ?1 AND state IN (0, 1, 2, 4) {and}
         RETURNING state = 8"
    ))?;
    let changed = update.query_map(params, |row| row.get::<bool>(0))?;
    let changed = changed.collect::<Result<Vec<bool>, _>>()?;
    Ok(changed
        .into_iter()
        .filter(|is_cancelled| *is_cancelled)
        .count() as u64)
}

/// Sets what a reader gets from the next issue on.
pub(super) fn choose(
    connection: &Connection,
    address: &EmailAddress,
    choice: &Choice,
    evidence: &Evidence,
    now: DateTime<Utc>,
) -> Result<bool, Fault> {
    let Some(known) = known(connection, address)? else {
        return Ok(false);
    };
    let is_new = choices::choose(connection, known.id, choice)?;
    if is_new {
        let what = format!("chose {}", choice.in_words());
        let happening = Happening::Chose;
        consent::record(connection, known.id, happening, &what, evidence, now)?;
    }
    Ok(is_new)
}

/// Takes a reader off the list. Doing it again changes nothing.
pub(super) fn unsubscribe(
    connection: &Connection,
    address: &EmailAddress,
    evidence: &Evidence,
    now: DateTime<Utc>,
) -> Result<UnsubscribeOutcome, Fault> {
    let Some(known) = known(connection, address)? else {
        return Ok(UnsubscribeOutcome {
            was: None,
            cancelled_deliveries: 0,
            is_noted: false,
        });
    };
    Ok(UnsubscribeOutcome {
        was: Some(known.status),
        cancelled_deliveries: leave(connection, &known, evidence, now)?,
        is_noted: false,
    })
}

/// Takes a reader off the list; returns how many deliveries that cancels.
pub(super) fn leave(
    connection: &Connection,
    known: &Known,
    evidence: &Evidence,
    now: DateTime<Utc>,
) -> Result<u64, Fault> {
    let to = Status::Unsubscribed;
    forget_wishes(connection, known.id)?;
    if !known.status.may_become(to) {
        return cancel_open(connection, known.id);
    }
    let happening = Happening::Left;
    consent::record(connection, known.id, happening, to.as_str(), evidence, now)?;
    set_status(connection, known.id, to, now)
}

/// What waits for a reader's yes, and single mails not made yet, are called off.
pub(super) fn forget_wishes(connection: &Connection, subscriber: i64) -> Result<(), Fault> {
    connection
        .prepare_cached("DELETE FROM signups WHERE subscriber_id = ?1")?
        .execute([subscriber])?;
    connection
        .prepare_cached("DELETE FROM answers WHERE subscriber_id = ?1")?
        .execute([subscriber])?;
    Ok(())
}

/// Puts an address on the suppression list, whether or not it is known.
pub(super) fn suppress(
    connection: &Connection,
    install_key: &[u8; 32],
    address: &EmailAddress,
    reason: SuppressionReason,
    evidence: &Evidence,
    now: DateTime<Utc>,
) -> Result<UnsubscribeOutcome, Fault> {
    let known = known(connection, address)?;
    let was = known.as_ref().map(|known| known.status);
    let cancelled_deliveries = match known {
        Some(known) => suppress_known(connection, known.id, reason, evidence, now)?,
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
    evidence: &Evidence,
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
    forget_wishes(connection, subscriber)?;
    let (happening, what) = match reason {
        _ if !status.may_become(reason.status()) => (Happening::Suppressed, "suppressed"),
        SuppressionReason::HardBounce | SuppressionReason::Unreachable => {
            (Happening::Bounced, reason.status().as_str())
        }
        SuppressionReason::Complaint => (Happening::Complained, reason.status().as_str()),
        SuppressionReason::Request => (Happening::Suppressed, reason.status().as_str()),
        SuppressionReason::Erased => (Happening::Erased, "erased"),
    };
    consent::record(connection, subscriber, happening, what, evidence, now)?;
    if status.may_become(reason.status()) {
        set_status(connection, subscriber, reason.status(), now)
    } else {
        cancel_open(connection, subscriber)
    }
}

/// The first reason for a suppression stays, unless only the new one is for good.
pub(super) fn insert_suppression(
    connection: &Connection,
    hash: &[u8; 32],
    reason: SuppressionReason,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "INSERT INTO suppressions (address_hash, reason, since) VALUES (?1, ?2, ?3)
             ON CONFLICT (address_hash) DO UPDATE SET reason = ?2, since = ?3
              WHERE ?4 = 1 AND suppressions.reason NOT IN ('complaint', 'request')",
        )?
        .execute(params![
            &hash[..],
            reason.as_str(),
            now.timestamp(),
            reason.is_for_good()
        ])?;
    Ok(())
}

const COLUMNS: &str = "public_id, address, name, status, source, created_at, changed_at, id,
    (SELECT choice FROM choices c WHERE c.id = choice_id), paused_until";

fn subscriber(row: &Row<'_>) -> sql::Result<Subscriber> {
    Ok(Subscriber {
        id: codes::subscriber(row, 0)?,
        address: codes::address(row, 1)?,
        name: row.get(2)?,
        status: codes::status(row, 3)?,
        source: row.get(4)?,
        created: codes::time(row, 5)?,
        changed: codes::time(row, 6)?,
        choice: codes::choice_if_any(row, 8)?,
        paused_until: codes::time_if_any(row, 9)?,
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

/// The reader that is meant, and the number the ledger knows them by. An erased
/// one is nobody.
pub(super) fn find_who(
    connection: &Connection,
    who: &Who,
) -> Result<Option<(i64, Subscriber)>, Fault> {
    let id = match who {
        Who::Address(address) => return find(connection, address),
        Who::Reader(id) => id,
    };
    let sql = format!("SELECT {COLUMNS} FROM subscribers WHERE public_id = ?1 AND status <> 5");
    let found = connection
        .prepare_cached(&sql)?
        .query_row([&id.0[..]], |row| Ok((row.get(7)?, subscriber(row)?)));
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
        None => "status <> 5 AND coalesce(?3, status) = status AND",
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
