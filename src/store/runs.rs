//! Runs: how they begin and end, with the mark beside the database that tells an
//! old copy of it from the ledger itself, and what is in doubt in such a copy.

use chrono::{DateTime, Utc};
use data_encoding::HEXLOWER;
use rusqlite::params;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::store::{
    beside::{
        ballast,
        mark::{Keeper, Mark},
    },
    codes,
    deliveries::{self, RESTORED},
    error::{Fault, StoreError},
    guards::Guarded,
    moving, opening,
    postgres::{self, claims},
    session::Session,
    sql::{self, Access, Connection, OptionalExtension, Row},
};

/// One `run` of the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Run {
    /// Counted from 1 over the life of the ledger.
    pub number: i64,
    /// When it began.
    pub started: DateTime<Utc>,
    /// Its process.
    pub pid: u32,
    /// When it ended; `None` while it works, or when it died.
    pub ended: Option<DateTime<Utc>>,
    /// How it ended.
    pub exit_code: Option<i32>,
    /// What it said at the end.
    pub summary: Option<String>,
}

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
pub(super) fn fingerprint(install_key: &[u8; 32]) -> String {
    let mut hash = Sha256::new();
    hash.update(b"letterpress ledger");
    hash.update(install_key);
    HEXLOWER.encode(&hash.finalize()[..8])
}

/// What is known of the ledger before a run.
pub(super) struct Standing {
    /// How far it has come.
    pub(super) mark: Mark,
    /// Once it was found to be an old copy, the last run that there was here.
    restored_after: Option<i64>,
    /// The server that it was on, as the ledger itself has it.
    home: Option<String>,
    /// Whether it is in a file.
    is_file: bool,
}

impl Standing {
    /// Whether it is on another server than the one it was on, or in a file: a dump
    /// of it was restored there, or a backup.
    fn is_away_from_home(&self) -> bool {
        let here = self.mark.server.as_ref().map(|server| &server.cluster);
        let is_elsewhere = self.is_file || here.is_some();
        self.home.is_some() && is_elsewhere && self.home.as_ref() != here
    }
}

pub(super) fn standing(connection: &Connection, install_key: &[u8; 32]) -> Result<Standing, Fault> {
    let server = match connection {
        Connection::Sqlite(_) => None,
        Connection::Postgres(link) => postgres::identity(link)?,
    };
    Ok(connection.query_row(
        "SELECT (SELECT coalesce(max(id), 0) FROM runs),
                (SELECT coalesce(max(id), 0) FROM attempts),
                restored_after, home
           FROM installation",
        [],
        |row| {
            Ok(Standing {
                mark: Mark {
                    ledger: fingerprint(install_key),
                    run: row.get(0)?,
                    attempt: row.get(1)?,
                    server: server.clone(),
                },
                restored_after: row.get(2)?,
                home: row.get(3)?,
                is_file: matches!(connection, Connection::Sqlite(_)),
            })
        },
    )?)
}

/// What is known of an old copy.
pub(super) struct OldCopy {
    /// The last run that there was here.
    last_run: i64,
    /// Whether that was found before: then it is doubted already, and what a
    /// person has settled since stays as it is.
    is_doubted: bool,
}

/// Whether the database is an old copy: it says so itself once that was found,
/// since being doubted makes it newer.
pub(super) fn old_copy(stands: &Standing, last: Option<&Mark>) -> Option<OldCopy> {
    let of_mark = || Some(last.filter(|last| stands.mark.is_older_than(last))?.run);
    let of_home = || stands.is_away_from_home().then_some(stands.mark.run);
    Some(OldCopy {
        last_run: stands.restored_after.or_else(of_mark).or_else(of_home)?,
        is_doubted: stands.restored_after.is_some(),
    })
}

/// Doubts an old copy, unless that was done before.
pub(super) fn doubt(
    connection: &Connection,
    copy: &OldCopy,
    now: DateTime<Utc>,
) -> Result<Vec<Guarded>, Fault> {
    if copy.is_doubted {
        return Ok(Vec::new());
    }
    connection.execute(
        "UPDATE installation SET restored_after = ?1",
        [copy.last_run],
    )?;
    doubt_queued(connection, now)
}

/// Makes uncertain what an old copy of the ledger holds as queued: it may have
/// been sent after the copy was made, also what somebody had claimed then. The same
/// holds for what it has as uncertain: that may have been settled, or sent again.
fn doubt_queued(connection: &Connection, now: DateTime<Utc>) -> Result<Vec<Guarded>, Fault> {
    match connection {
        Connection::Postgres(_) => claims::disown(connection)?,
        Connection::Sqlite(_) => {
            connection.execute("UPDATE deliveries SET state = 0 WHERE state = 1", [])?;
        }
    }
    deliveries::recover(connection, None, now)?;
    connection.execute(
        "UPDATE attempts SET ended_at = ?1, reply = ?2
          WHERE id IN (SELECT attempt_id FROM deliveries INDEXED BY deliveries_uncertain
                        WHERE state = 4)",
        params![now.timestamp(), RESTORED],
    )?;
    let found = doubtful(connection)?;
    let newest: i64 =
        connection.query_row("SELECT coalesce(max(id), 0) FROM attempts", [], |row| {
            row.get(0)
        })?;
    connection.execute(
        "INSERT INTO attempts (delivery_id, previous_id, started_at, ended_at, outcome, reply)
         SELECT d.id, d.attempt_id, ?1, ?1, 6, ?2
           FROM issues i JOIN deliveries d ON d.issue_id = i.id AND d.state = 0
          WHERE i.state IN (0, 1)
          ORDER BY d.id",
        params![now.timestamp(), RESTORED],
    )?;
    connection.execute(
        "UPDATE deliveries SET state = 4, attempts = attempts + 1, attempt_id = a.id
           FROM attempts a
          WHERE a.id > ?1 AND a.delivery_id = deliveries.id",
        [newest],
    )?;
    Ok(found)
}

fn doubtful(connection: &Connection) -> Result<Vec<Guarded>, Fault> {
    let mut select = connection.prepare(
        "SELECT i.digest || '/' || i.number, t.count
           FROM issues i JOIN tallies t ON t.issue_id = i.id AND t.state = 0
          WHERE i.state IN (0, 1) AND t.count > 0 ORDER BY i.id",
    )?;
    let rows = select.query_map([], |row| {
        Ok(Guarded {
            issue: row.get(0)?,
            deliveries: codes::count(row, 1)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Begins a run. For the holder of the run lock only, or any worker. The mark is
/// read first: it may lag behind the ledger, where others are at work.
pub(super) fn begin(
    session: &mut Session,
    install_key: &[u8; 32],
    pid: u32,
    now: DateTime<Utc>,
) -> Result<Begun, StoreError> {
    let mut keeper = Keeper::open(session.path())?;
    let stands = session.transact(Access::Read, |tx| {
        opening::glance(tx)?;
        standing(tx, install_key)
    })?;
    if let Some(copy) = old_copy(&stands, keeper.mark()) {
        let issues = session.transact(Access::Write, |tx| doubt(tx, &copy, now))?;
        return Ok(Begun::Restored(Restored {
            run: stands.mark.run,
            last_run: copy.last_run,
            issues,
        }));
    }
    // Where no room can be set aside, a full disk may leave more in doubt.
    drop(ballast::ensure(session.path()));
    let run = session.transact(Access::Write, |tx| {
        settle_down(tx, &stands.mark)?;
        insert(tx, None, pid, now)
    })?;
    keeper.set(Mark { run, ..stands.mark })?;
    session.keep(keeper);
    Ok(Begun::Run(run))
}

/// Notes how a run ended.
pub(super) fn end(
    session: &mut Session,
    number: i64,
    exit_code: i32,
    summary: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    session.transact(Access::Write, |tx| {
        finish(tx, number, exit_code, summary, now)
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
    let (stands, place) = session.transact(Access::Read, |tx| {
        Ok((standing(tx, install_key)?, moving::place(tx)?))
    })?;
    // What was sent from where it was moved to is not known here.
    let left = place.moved.map(|_| OldCopy {
        last_run: stands.restored_after.unwrap_or(stands.mark.run),
        is_doubted: false,
    });
    let Some(copy) = left.or_else(|| old_copy(&stands, keeper.mark())) else {
        return Ok(false);
    };
    let number = copy.last_run.max(stands.mark.run) + 1;
    // Nothing else may be written to one that left.
    let accepted = session.transact_apart(|tx| {
        moving::stay(tx)?;
        doubt(tx, &copy, now)?;
        settle_down(tx, &stands.mark)?;
        tx.execute("UPDATE installation SET restored_after = NULL", [])?;
        insert(tx, Some(number), pid, now)?;
        finish(tx, number, 0, "a restored ledger was accepted", now)?;
        standing(tx, install_key)
    })?;
    keeper.set(accepted.mark)?;
    Ok(true)
}

/// Notes on which server the ledger is.
pub(super) fn settle_down(connection: &Connection, mark: &Mark) -> Result<(), Fault> {
    let home = mark.server.as_ref().map(|server| &server.cluster);
    connection.execute(
        "UPDATE installation SET home = ?1 WHERE home IS DISTINCT FROM ?1",
        [home],
    )?;
    Ok(())
}

/// Counts a run that begins, under the next number if it has none yet.
fn insert(
    connection: &Connection,
    number: Option<i64>,
    pid: u32,
    now: DateTime<Utc>,
) -> Result<i64, Fault> {
    // Under the lock of those who write there is no other who counts.
    Ok(connection.query_row(
        "INSERT INTO runs (id, started_at, pid)
         VALUES (coalesce(?1, (SELECT coalesce(max(id), 0) + 1 FROM runs)), ?2, ?3)
         RETURNING id",
        params![number, now.timestamp(), pid],
        |row| row.get(0),
    )?)
}

fn finish(
    connection: &Connection,
    number: i64,
    exit_code: i32,
    summary: &str,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    connection.execute(
        "UPDATE runs SET ended_at = ?2, exit_code = ?3, summary = ?4 WHERE id = ?1",
        params![number, now.timestamp(), exit_code, summary],
    )?;
    Ok(())
}

/// The newest runs, newest first.
pub(super) fn list(connection: &Connection, limit: usize) -> Result<Vec<Run>, Fault> {
    let mut select = connection.prepare(
        "SELECT id, started_at, pid, ended_at, exit_code, summary FROM runs
          ORDER BY id DESC LIMIT ?1",
    )?;
    let rows = select.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], run)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The newest that did more than post single mails, as its summary says.
pub(super) fn last(connection: &Connection) -> Result<Option<Run>, Fault> {
    let mut select = connection.prepare(
        "SELECT id, started_at, pid, ended_at, exit_code, summary FROM runs
          WHERE coalesce(summary, '') NOT LIKE '%\"notices\":true%'
          ORDER BY id DESC LIMIT 1",
    )?;
    Ok(select.query_row([], run).optional()?)
}

fn run(row: &Row<'_>) -> sql::Result<Run> {
    Ok(Run {
        number: row.get(0)?,
        started: codes::time(row, 1)?,
        pid: row.get(2)?,
        ended: codes::time_if_any(row, 3)?,
        exit_code: row.get(4)?,
        summary: row.get(5)?,
    })
}
