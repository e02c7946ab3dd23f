//! A reader who leaves is heard at once, also while another process holds the
//! database for long.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rusqlite::TransactionBehavior;

use crate::{
    domain::address::EmailAddress,
    store::{
        error::StoreError,
        sqlite::writer::Session,
        subscribers::{self, UnsubscribeOutcome},
    },
};

/// A reader who leaves waits for no longer than this.
const PATIENCE: Duration = Duration::from_secs(5);

/// Takes a reader off the list; notes it beside the database while that is
/// busy. Either is on stable storage when this returns.
pub(super) fn unsubscribe(
    session: &mut Session,
    address: &EmailAddress,
    source: &str,
    now: DateTime<Utc>,
) -> Result<UnsubscribeOutcome, StoreError> {
    let done = session.within(PATIENCE, |session| {
        session.transact(TransactionBehavior::Immediate, |tx| {
            subscribers::unsubscribe(tx, address, source, now)
        })
    });
    let Err(StoreError::Unavailable { .. }) = done else {
        return done;
    };
    // Readers of the database wait for nobody.
    let known = session.transact(TransactionBehavior::Deferred, |tx| {
        subscribers::find(tx, address)
    })?;
    let was = known.map(|(_, reader)| reader.status);
    if was.is_some() {
        session.leaving().append(address, source, now)?;
    }
    Ok(UnsubscribeOutcome {
        was,
        cancelled_deliveries: 0,
        is_noted: was.is_some(),
    })
}
