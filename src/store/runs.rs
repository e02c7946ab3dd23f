//! The beginning and the end of a run, with the mark beside the database that
//! tells an old copy of it from the ledger itself.

use chrono::{DateTime, Utc};
use data_encoding::HEXLOWER;
use rusqlite::{Connection, TransactionBehavior, params};
use sha2::{Digest as _, Sha256};

use crate::store::{
    beside::{
        ballast,
        mark::{Keeper, Mark},
    },
    digests,
    error::{Fault, StoreError},
    guards::{self, Guarded},
    sqlite::{self, writer::Session},
};

/// How a run may begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// As this number, counted over the life of the ledger.
    Run(i64),
    /// Not at all: the database is older than the last run here.
    Restored(Restored),
}

/// What is known of a database that was restored from a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Its newest run.
    pub run: i64,
    /// The newest run that there was here.
    pub last_run: i64,
    /// Issues that were half sent in it. What was queued of them is uncertain
    /// now: it may have been sent after the backup was made.
    pub issues: Vec<Guarded>,
}

/// Names a ledger without giving its key away.
fn fingerprint(install_key: &[u8; 32]) -> String {
    let mut hash = Sha256::new();
    hash.update(b"letterpress ledger");
    hash.update(install_key);
    HEXLOWER.encode(&hash.finalize()[..8])
}

/// Where the ledger stands.
fn standing(connection: &Connection, install_key: &[u8; 32]) -> Result<Mark, Fault> {
    let (run, attempt) = connection.query_row(
        "SELECT (SELECT coalesce(max(id), 0) FROM runs),
                (SELECT coalesce(max(id), 0) FROM attempts)",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(Mark {
        ledger: fingerprint(install_key),
        run,
        attempt,
    })
}

/// What is known of an old copy.
struct OldCopy {
    /// The last run that there was here.
    last_run: i64,
    /// Whether that was found before: then it is doubted already, and what a
    /// person has settled since stays as it is.
    is_doubted: bool,
}

/// Whether the database is an old copy: it says so itself once that was found,
/// since being doubted makes it newer.
fn old_copy(
    session: &mut Session,
    keeper: &Keeper,
    stands: &Mark,
) -> Result<Option<OldCopy>, StoreError> {
    let found: Option<i64> = session.transact(TransactionBehavior::Deferred, |tx| {
        let sql = "SELECT restored_after FROM installation";
        Ok(tx.query_row(sql, [], |row| row.get(0))?)
    })?;
    if let Some(last_run) = found {
        return Ok(Some(OldCopy {
            last_run,
            is_doubted: true,
        }));
    }
    let last = keeper.mark().filter(|last| stands.is_older_than(last));
    Ok(last.map(|last| OldCopy {
        last_run: last.run,
        is_doubted: false,
    }))
}

/// Doubts an old copy, unless that was done before.
fn doubt(
    connection: &Connection,
    copy: &OldCopy,
    now: DateTime<Utc>,
) -> Result<Vec<Guarded>, Fault> {
    match copy.is_doubted {
        true => Ok(Vec::new()),
        false => guards::doubt_queued(connection, now),
    }
}

/// Begins a run. For the holder of the run lock only.
pub(super) fn begin(
    session: &mut Session,
    install_key: &[u8; 32],
    pid: u32,
    now: DateTime<Utc>,
) -> Result<Begun, StoreError> {
    session.transact(TransactionBehavior::Deferred, sqlite::glance)?;
    let mut keeper = Keeper::open(session.path())?;
    let mut mark = session.transact(TransactionBehavior::Deferred, |tx| {
        standing(tx, install_key)
    })?;
    if let Some(copy) = old_copy(session, &keeper, &mark)? {
        let issues = session.transact(TransactionBehavior::Immediate, |tx| {
            tx.execute(
                "UPDATE installation SET restored_after = ?1",
                [copy.last_run],
            )?;
            doubt(tx, &copy, now)
        })?;
        return Ok(Begun::Restored(Restored {
            run: mark.run,
            last_run: copy.last_run,
            issues,
        }));
    }
    // Where no room can be set aside, a full disk may leave more in doubt.
    drop(ballast::ensure(session.path()));
    mark.run = session.transact(TransactionBehavior::Immediate, |tx| {
        digests::begin_run(tx, pid, now)
    })?;
    let number = mark.run;
    keeper.set(mark)?;
    session.keep(keeper);
    Ok(Begun::Run(number))
}

/// Notes how a run ended.
pub(super) fn end(
    session: &mut Session,
    number: i64,
    exit_code: i32,
    summary: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    session.transact(TransactionBehavior::Immediate, |tx| {
        digests::end_run(tx, number, exit_code, summary, now)
    })?;
    session.settle_mark()
}

/// Accepts a restored database as the ledger; false when it was not older.
/// The runs that it lost keep their numbers: the next has a new one.
pub(super) fn accept(
    session: &mut Session,
    install_key: &[u8; 32],
    pid: u32,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let mut keeper = Keeper::open(session.path())?;
    let stands = session.transact(TransactionBehavior::Deferred, |tx| {
        standing(tx, install_key)
    })?;
    let Some(copy) = old_copy(session, &keeper, &stands)? else {
        return Ok(false);
    };
    let number = copy.last_run.max(stands.run) + 1;
    session.transact(TransactionBehavior::Immediate, |tx| {
        doubt(tx, &copy, now)?;
        tx.execute("UPDATE installation SET restored_after = NULL", [])?;
        tx.execute(
            "INSERT INTO runs (id, started_at, pid, ended_at, exit_code, summary)
             VALUES (?1, ?2, ?3, ?2, 0, ?4)",
            params![
                number,
                now.timestamp(),
                pid,
                "a restored ledger was accepted"
            ],
        )?;
        Ok(())
    })?;
    let mark = session.transact(TransactionBehavior::Deferred, |tx| {
        standing(tx, install_key)
    })?;
    keeper.set(mark)?;
    Ok(true)
}
