//! Everything of one person, and nothing of it any more.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rusqlite::params;
use serde::Serialize;

use crate::{
    domain::{
        consent::{Evidence, Happening, Who},
        delivery::State,
        subscriber::Status,
    },
    store::{
        consent,
        error::{Fault, StoreError},
        session::Session,
        sql::{Access, Connection},
        subscribers::{self, SuppressionReason},
    },
};

/// How long an erasure waits for those who read the ledger.
const PATIENCE: Duration = Duration::from_secs(5);

/// What an erasure found and did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Erased {
    /// The status before; `None` when nobody of that kind was on the list.
    pub was: Option<Status>,
    /// Whether the address was erased before.
    pub was_erased: bool,
    /// Queued deliveries that were cancelled with it.
    pub cancelled_deliveries: u64,
    /// Messages under way to the address: they cannot be called back.
    pub in_flight: u64,
    /// Whether no trace is left in the files. While somebody else reads the
    /// ledger it cannot be wiped; the next run does it.
    pub is_wiped: bool,
}

/// Erases a reader. Doing it again changes nothing, but wipes what could not
/// be wiped before.
pub(super) fn erase(
    session: &mut Session,
    install_key: &[u8; 32],
    who: &Who,
    evidence: &Evidence,
    now: DateTime<Utc>,
) -> Result<Erased, StoreError> {
    let (mut erased, trace) = session.transact(Access::Write, |tx| {
        let found = subscribers::find_who(tx, who)?;
        let address = match (&found, who) {
            (Some((_, reader)), _) => Some(reader.address.clone()),
            (None, Who::Address(address)) => Some(address.clone()),
            (None, Who::Reader(_)) => None,
        };
        let hash = address
            .as_ref()
            .map(|address| subscribers::hash(install_key, address));
        let suppression = match &hash {
            Some(hash) => subscribers::suppression(tx, hash)?,
            None => None,
        };
        let mut erased = Erased {
            was: found.as_ref().map(|(_, reader)| reader.status),
            was_erased: suppression == Some(SuppressionReason::Erased),
            cancelled_deliveries: 0,
            in_flight: 0,
            is_wiped: false,
        };
        if let (Some((id, _)), Some(hash)) = (&found, &hash) {
            erased.cancelled_deliveries = subscribers::cancel_open(tx, *id)?;
            erased.in_flight = in_flight(tx, *id)?;
            consent::record(tx, *id, Happening::Erased, "erased", evidence, now)?;
            strip(tx, *id)?;
            tx.execute(
                "UPDATE subscribers SET changed_at = ?2 WHERE id = ?1",
                [*id, now.timestamp()],
            )?;
            subscribers::insert_suppression(tx, hash, SuppressionReason::Erased, now)?;
        }
        if let Some(address) = &address {
            scrub(tx, &address.key())?;
            super::signups::forget_requests(tx, install_key, address)?;
        }
        tx.execute("UPDATE installation SET wipe_due = 1", [])?;
        Ok((erased, address.map(|address| address.key())))
    })?;
    erased.is_wiped = session.within(PATIENCE, |session| session.wipe(trace.as_deref()))?;
    Ok(erased)
}

/// Wipes the files if an erasure could not do it, or its process died; false
/// when that has to wait once more.
pub(super) fn finish(session: &mut Session) -> Result<bool, StoreError> {
    let is_due = session.transact(Access::Read, |tx| {
        Ok(tx.query_row("SELECT wipe_due FROM installation", [], |row| row.get(0))?)
    })?;
    match is_due {
        true => session.within(PATIENCE, |session| session.wipe(None)),
        false => Ok(true),
    }
}

fn in_flight(connection: &Connection, subscriber: i64) -> Result<u64, Fault> {
    let state = crate::store::codes::of_state(State::Inflight);
    Ok(connection.query_row(
        "SELECT count(*) FROM deliveries WHERE subscriber_id = ?1 AND state = ?2",
        [subscriber, state],
        |row| crate::store::codes::count(row, 0),
    )?)
}

/// Empties everything that the ledger holds of a reader but that there was one:
/// issues keep adding up.
pub(super) fn strip(connection: &Connection, subscriber: i64) -> Result<(), Fault> {
    subscribers::forget_wishes(connection, subscriber)?;
    for sql in [
        "UPDATE subscribers
            SET status = 5, address = NULL, address_key = NULL, address_hash = NULL, name = NULL,
                choice_id = NULL, paused_until = NULL
          WHERE id = ?1",
        "UPDATE events SET what = kind, network = NULL WHERE subscriber_id = ?1",
        // Servers quote addresses in their replies. Attempts hang on the newest.
        "WITH RECURSIVE chain (id) AS (
             SELECT attempt_id FROM deliveries WHERE subscriber_id = ?1
             UNION
             SELECT a.previous_id FROM attempts a JOIN chain c ON a.id = c.id)
         UPDATE attempts SET reply = NULL WHERE id IN (SELECT id FROM chain)",
        "UPDATE reports SET reason = ''
          WHERE delivery_id IN (SELECT id FROM deliveries WHERE subscriber_id = ?1)",
        "UPDATE deliveries SET address = NULL, name = NULL WHERE subscriber_id = ?1",
    ] {
        connection.prepare_cached(sql)?.execute([subscriber])?;
    }
    Ok(())
}

/// What servers said in general may quote an address, too.
fn scrub(connection: &Connection, key: &str) -> Result<(), Fault> {
    for sql in [
        "UPDATE issues SET reason = 'what a server said, removed with a reader'
          WHERE instr(lower(reason), ?1) > 0",
        "UPDATE relays SET away_reason = 'removed with a reader'
          WHERE instr(lower(away_reason), ?1) > 0",
        "UPDATE relays SET quiet_reply = 'removed with a reader'
          WHERE instr(lower(quiet_reply), ?1) > 0",
        "UPDATE runs SET summary = NULL WHERE instr(lower(summary), ?1) > 0",
    ] {
        connection.prepare_cached(sql)?.execute(params![key])?;
    }
    Ok(())
}
