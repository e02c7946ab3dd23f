//! A reader who leaves is heard at once, also while another process holds the
//! database for long: then it is noted beside it. Those who leave at the same
//! time share one commit, or one note.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        address::EmailAddress,
        choice::Choice,
        consent::{Answer as Mail, Evidence, Happening},
        subscriber::{Status, SubscriberId},
    },
    store::{
        SuppressionReason,
        beside::leaving::Note,
        choices, codes, consent,
        error::{Fault, StoreError},
        signups,
        sqlite::writer::{Answer, Session},
        subscribers::{self, UnsubscribeOutcome},
    },
};

/// A reader who leaves waits for no longer than this.
const PATIENCE: Duration = Duration::from_secs(5);
/// Once a reader had to wait in vain, the next ones wait this long.
const LITTLE_PATIENCE: Duration = Duration::from_millis(100);

/// What a reader leaves.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Departure {
    /// The whole list.
    #[default]
    List,
    /// One digest. Whoever gets no other of those that there are leaves the
    /// list with it.
    Digest {
        /// Its name.
        name: String,
        /// The names of all digests that there are.
        of: Vec<String>,
    },
    /// The whole list, and the address must never be written to again.
    ForGood,
}

/// A reader about to leave, known by what a link says.
pub(super) struct Leaver {
    pub(super) reader: SubscriberId,
    pub(super) departure: Departure,
    pub(super) evidence: Evidence,
    pub(super) now: DateTime<Utc>,
    pub(super) answer: Answer<UnsubscribeOutcome>,
}

/// Takes a reader off the list; notes it beside the database while that is
/// busy. Either is on stable storage when this returns.
pub(super) fn unsubscribe(
    session: &mut Session,
    address: &EmailAddress,
    evidence: &Evidence,
    now: DateTime<Utc>,
) -> Result<UnsubscribeOutcome, StoreError> {
    let done = session.within(PATIENCE, |session| {
        session.transact(TransactionBehavior::Immediate, |tx| {
            subscribers::unsubscribe(tx, address, evidence, now)
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
        let note = Note::new(address, Departure::List, evidence, now);
        session.leaving().append(&[note])?;
    }
    Ok(noted(was))
}

/// Lets all of them go, in one commit or one note, and answers each.
pub(super) fn all(session: &mut Session, leavers: Vec<Leaver>) {
    if leavers.is_empty() {
        return;
    }
    let patience = match session.is_busy() {
        true => LITTLE_PATIENCE,
        false => PATIENCE,
    };
    let done = session.within(patience, |session| {
        session.transact(TransactionBehavior::Immediate, |tx| {
            leavers.iter().map(|leaver| leave(tx, leaver)).collect()
        })
    });
    let is_busy = matches!(done, Err(StoreError::Unavailable { .. }));
    session.set_busy(is_busy);
    match done {
        // When a statement fails for a reason of its own, the others must not
        // suffer.
        Err(StoreError::Internal { .. }) if leavers.len() > 1 => {
            for leaver in leavers {
                all(session, vec![leaver]);
            }
        }
        done if is_busy => {
            drop(done);
            let noted = note(session, &leavers);
            answer(leavers, noted);
        }
        done => answer(leavers, done),
    }
}

fn answer(leavers: Vec<Leaver>, done: Result<Vec<UnsubscribeOutcome>, StoreError>) {
    match done {
        Ok(outcomes) => {
            for (leaver, outcome) in leavers.into_iter().zip(outcomes) {
                drop(leaver.answer.send(Ok(outcome)));
            }
        }
        Err(error) => {
            for leaver in leavers {
                drop(leaver.answer.send(Err(error.clone())));
            }
        }
    }
}

/// Writes them down beside the database, all at once.
fn note(session: &mut Session, leavers: &[Leaver]) -> Result<Vec<UnsubscribeOutcome>, StoreError> {
    let known = session.transact(TransactionBehavior::Deferred, |tx| {
        let known = leavers.iter().map(|leaver| known(tx, leaver.reader));
        known.collect::<Result<Vec<_>, Fault>>()
    })?;
    let notes: Vec<Note> = leavers
        .iter()
        .zip(&known)
        .filter_map(|(leaver, known)| {
            let address = &known.as_ref()?.address;
            let departure = leaver.departure.clone();
            Some(Note::new(address, departure, &leaver.evidence, leaver.now))
        })
        .collect();
    session.leaving().append(&notes)?;
    let was = known.into_iter().map(|known| known.map(|k| k.status));
    Ok(was.map(noted).collect())
}

fn noted(was: Option<Status>) -> UnsubscribeOutcome {
    UnsubscribeOutcome {
        was,
        cancelled_deliveries: 0,
        is_noted: was.is_some(),
    }
}

/// What a departure needs to know of its reader.
struct Known {
    id: i64,
    address: EmailAddress,
    status: Status,
    choice: Choice,
}

/// The reader with this id; nobody, once erased.
fn known(connection: &Connection, reader: SubscriberId) -> Result<Option<Known>, Fault> {
    let mut select = connection.prepare_cached(
        "SELECT id, address, status, (SELECT choice FROM choices c WHERE c.id = choice_id)
           FROM subscribers WHERE public_id = ?1 AND address IS NOT NULL",
    )?;
    let found = select.query_row([&reader.0[..]], |row| {
        Ok(Known {
            id: row.get(0)?,
            address: codes::address(row, 1)?,
            status: codes::status(row, 2)?,
            choice: codes::choice_if_any(row, 3)?,
        })
    });
    Ok(found.optional()?)
}

fn leave(connection: &Connection, leaver: &Leaver) -> Result<UnsubscribeOutcome, Fault> {
    let through = (&leaver.evidence, leaver.now);
    go(connection, leaver.reader, &leaver.departure, through)
}

/// Lets a reader go, within the transaction of the caller.
pub(super) fn go(
    connection: &Connection,
    reader: SubscriberId,
    departure: &Departure,
    through: (&Evidence, DateTime<Utc>),
) -> Result<UnsubscribeOutcome, Fault> {
    let Some(known) = known(connection, reader)? else {
        return Ok(UnsubscribeOutcome {
            was: None,
            cancelled_deliveries: 0,
            is_noted: false,
        });
    };
    depart(connection, &known, departure, through)
}

fn depart(
    connection: &Connection,
    known: &Known,
    departure: &Departure,
    through: (&Evidence, DateTime<Utc>),
) -> Result<UnsubscribeOutcome, Fault> {
    let (evidence, now) = through;
    match departure {
        Departure::List => leave_list(connection, known, None, through),
        Departure::ForGood => {
            let reason = SuppressionReason::Request;
            Ok(UnsubscribeOutcome {
                was: Some(known.status),
                cancelled_deliveries: subscribers::suppress_known(
                    connection, known.id, reason, evidence, now,
                )?,
                is_noted: false,
            })
        }
        Departure::Digest { name, of } => {
            let others: Vec<&str> = of
                .iter()
                .map(String::as_str)
                .filter(|other| other != name && takes(&known.choice, other))
                .collect();
            if others.is_empty() {
                return leave_list(connection, known, Some(name), through);
            }
            let choice = only(&known.choice, &others);
            if choices::choose(connection, known.id, &choice)? {
                let what = format!("left {name}; gets {}", choice.in_words());
                consent::record(connection, known.id, Happening::Left, &what, evidence, now)?;
            }
            Ok(UnsubscribeOutcome {
                was: Some(known.status),
                cancelled_deliveries: cancel_open(connection, known.id, name)?,
                is_noted: false,
            })
        }
    }
}

/// Takes a reader off the list. Who got issues until now may get a last mail.
fn leave_list(
    connection: &Connection,
    known: &Known,
    digest: Option<&String>,
    (evidence, now): (&Evidence, DateTime<Utc>),
) -> Result<UnsubscribeOutcome, Fault> {
    let outcome = subscribers::unsubscribe(connection, &known.address, evidence, now)?;
    if known.status == Status::Active {
        let digest = digest.map_or("", String::as_str);
        signups::want(connection, known.id, Mail::Goodbye, digest, now)?;
    }
    Ok(outcome)
}

fn takes(choice: &Choice, digest: &str) -> bool {
    choice.digests.is_empty() || choice.digests.iter().any(|slug| slug.as_str() == digest)
}

/// The choice with these digests and no other.
fn only(choice: &Choice, digests: &[&str]) -> Choice {
    Choice {
        // Names of digests are slugs; one that is none names no digest.
        digests: digests
            .iter()
            .filter_map(|name| name.parse().ok())
            .collect(),
        ..choice.clone()
    }
}

/// Cancels what is queued of one digest for a reader; what is under way is not
/// tried again.
fn cancel_open(connection: &Connection, reader: i64, digest: &str) -> Result<u64, Fault> {
    connection
        .prepare_cached(
            "UPDATE deliveries SET is_unwanted = 1
              WHERE subscriber_id = ?1 AND state IN (2, 4)
                AND issue_id IN (SELECT id FROM issues WHERE digest = ?2)",
        )?
        .execute(params![reader, digest])?;
    let cancelled = connection
        .prepare_cached(
            "UPDATE deliveries SET state = 8
              WHERE subscriber_id = ?1 AND state IN (0, 1)
                AND issue_id IN (SELECT id FROM issues WHERE digest = ?2)",
        )?
        .execute(params![reader, digest])?;
    Ok(cancelled as u64)
}

/// Does what was noted while the database was busy. Whoever came back after
/// that stays.
pub(super) fn take_up(connection: &Connection, note: &Note) -> Result<(), Fault> {
    let Some(address) = note.address() else {
        return Ok(());
    };
    let reader = connection
        .prepare_cached("SELECT public_id FROM subscribers WHERE address_key = ?1")?
        .query_row([address.key()], |row| codes::subscriber(row, 0))
        .optional()?;
    let Some(known) = reader
        .map(|reader| known(connection, reader))
        .transpose()?
        .flatten()
    else {
        return Ok(());
    };
    let came_back = connection
        .prepare_cached(
            "SELECT 1 FROM subscribers WHERE id = ?1 AND status < 3 AND changed_at > ?2",
        )?
        .exists(params![known.id, note.at.timestamp()])?;
    if !came_back || note.departure == Departure::ForGood {
        depart(
            connection,
            &known,
            &note.departure,
            (&note.evidence(), note.at),
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_everything_takes_the_others_when_one_is_left() {
        let everything = Choice::default();
        assert!(takes(&everything, "daily"));
        let left = only(&everything, &["daily"]);
        assert_eq!(left.to_string(), "digests=daily");
        assert!(!takes(&left, "weekly"));
    }
}
