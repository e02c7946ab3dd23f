//! A reader who leaves is heard at once, also while another process holds the
//! database for long: then it is noted beside it. Those who leave at the same
//! time share one commit, or one note.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rusqlite::params;
use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        address::EmailAddress,
        article::Slug,
        choice::Choice,
        consent::{Answer as Mail, Evidence, Happening},
        subscriber::{Status, Subscriber, SubscriberId},
    },
    store::{
        SuppressionReason,
        beside::leaving::Note,
        choices, consent,
        error::{Fault, StoreError},
        session::Session,
        signups,
        sql::{Access, Connection},
        subscribers::{self, UnsubscribeOutcome},
        writer::Answer,
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

impl Departure {
    /// Leaving the digest of this name, one of all that there are; the whole
    /// list where there is none of that name any more.
    pub fn of_digest<'n>(name: Option<&Slug>, all: impl IntoIterator<Item = &'n Slug>) -> Self {
        name.map_or(Self::List, |name| Self::Digest {
            name: name.to_string(),
            of: all.into_iter().map(ToString::to_string).collect(),
        })
    }
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
        session.transact(Access::Write, |tx| {
            subscribers::unsubscribe(tx, address, evidence, now)
        })
    });
    if !done.as_ref().is_err_and(is_to_be_noted) {
        return done;
    }
    // Readers of the database wait for nobody.
    let known = session.transact(Access::Read, |tx| subscribers::find(tx, address))?;
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
        session.transact(Access::Write, |tx| {
            leavers.iter().map(|leaver| leave(tx, leaver)).collect()
        })
    });
    let is_busy = done.as_ref().is_err_and(is_to_be_noted);
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

/// Whether who leaves is noted beside the database: it is busy, or the ledger is
/// on its way elsewhere and takes up the notes where it arrives.
fn is_to_be_noted(error: &StoreError) -> bool {
    let is_on_its_way = matches!(
        error,
        StoreError::Moved {
            is_whole: false,
            ..
        }
    );
    error.is_passing() || is_on_its_way
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
    let notes: Vec<Note> = leavers
        .iter()
        .map(|leaver| {
            let departure = leaver.departure.clone();
            Note::of_reader(leaver.reader, departure, &leaver.evidence, leaver.now)
        })
        .collect();
    session.leaving().append(&notes)?;
    // The files answer while another writes; a server that is away does not.
    let known = session.within(LITTLE_PATIENCE, |session| {
        session.transact(Access::Read, |tx| {
            let known = leavers
                .iter()
                .map(|leaver| subscribers::find_who(tx, &leaver.reader.into()));
            known.collect::<Result<Vec<_>, Fault>>()
        })
    });
    let was = |known: Option<Known>| known.map(|(_, reader)| reader.status);
    Ok(match known {
        Ok(known) => known.into_iter().map(|known| noted(was(known))).collect(),
        Err(_) => leavers.iter().map(|_| NOTED_UNSEEN).collect(),
    })
}

/// Noted without having been looked up: the link was ours.
const NOTED_UNSEEN: UnsubscribeOutcome = UnsubscribeOutcome {
    was: None,
    cancelled_deliveries: 0,
    is_noted: true,
};

fn noted(was: Option<Status>) -> UnsubscribeOutcome {
    UnsubscribeOutcome {
        was,
        cancelled_deliveries: 0,
        is_noted: was.is_some(),
    }
}

/// A reader and the number the ledger knows them by.
type Known = (i64, Subscriber);

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
    let Some(known) = subscribers::find_who(connection, &reader.into())? else {
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
    let (id, reader) = known;
    match departure {
        Departure::List => leave_list(connection, known, None, through),
        Departure::ForGood => {
            let reason = SuppressionReason::Request;
            Ok(UnsubscribeOutcome {
                was: Some(reader.status),
                cancelled_deliveries: subscribers::suppress_known(
                    connection, *id, reason, evidence, now,
                )?,
                is_noted: false,
            })
        }
        Departure::Digest { name, of } => {
            let others: Vec<&str> = of
                .iter()
                .map(String::as_str)
                .filter(|other| other != name && takes(&reader.choice, other))
                .collect();
            if others.is_empty() {
                return leave_list(connection, known, Some(name), through);
            }
            let choice = only(&reader.choice, &others);
            if choices::choose(connection, *id, &choice)? {
                let what = format!("left {name}; gets {}", choice.in_words());
                consent::record(connection, *id, Happening::Left, &what, evidence, now)?;
            }
            Ok(UnsubscribeOutcome {
                was: Some(reader.status),
                cancelled_deliveries: cancel_open(connection, *id, name)?,
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
    let (id, reader) = known;
    let outcome = subscribers::unsubscribe(connection, &reader.address, evidence, now)?;
    if reader.status == Status::Active {
        let digest = digest.map_or("", String::as_str);
        signups::want(connection, *id, Mail::Goodbye, digest, now)?;
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
    let of_digest = "AND issue_id IN (SELECT id FROM issues WHERE digest = ?2)";
    subscribers::cancel_where(connection, of_digest, params![reader, digest])
}

/// Does what was noted while the database was busy. Whoever came back after
/// that stays.
pub(super) fn take_up(connection: &Connection, note: &Note) -> Result<(), Fault> {
    let Some(who) = note.who() else {
        return Ok(());
    };
    let Some(known) = subscribers::find_who(connection, &who)? else {
        return Ok(());
    };
    let came_back = connection
        .prepare_cached(
            "SELECT 1 FROM subscribers WHERE id = ?1 AND status < 3 AND changed_at > ?2",
        )?
        .exists(params![known.0, note.at.timestamp()])?;
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
