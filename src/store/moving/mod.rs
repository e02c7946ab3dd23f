//! A ledger moves from one database to another: page by page, each in a commit of
//! its own, so that a move that was killed goes on where it was. From the first
//! page on nobody writes to the old place; the new one is no ledger before all of
//! it is there and compared.

mod place;
mod rows;
mod tables;

use std::path::Path;

use chrono::{DateTime, Utc};
use rusqlite::params;
use serde::Serialize;

pub(super) use self::{
    place::{CODES, Place, place, refusal, stay},
    tables::{Column, Table, quoted},
};
use self::{
    place::{leave, unbar},
    rows::Sum,
};
use crate::{
    config::settings::{Engine, StoreSettings},
    store::{
        beside::{leaving::Leaving, mark::Keeper},
        error::{Fault, StoreError},
        opening::{self, Access as Opening},
        postgres, runs,
        session::Session,
        sql::{Access, Connection},
        sqlite, verify,
    },
};

/// What a move is at, for those who wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Rows are copied.
    Copying,
    /// Both places are read and compared.
    Comparing,
}

/// A ledger that moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// Where it was.
    pub from: String,
    /// Where it is.
    pub to: String,
    /// Whether an earlier command had begun with it.
    pub is_resumed: bool,
    /// What was counted and compared at both places.
    pub tables: Vec<ComparedTable>,
}

/// One table, equal at both places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ComparedTable {
    /// Its name.
    pub table: String,
    /// How many rows it has.
    pub rows: u64,
    /// SHA-256 over all values in the order of its key.
    pub sha256: String,
}

/// Why a ledger did not move.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// There is none.
    #[error("there is no ledger yet at {0}")]
    Absent(String),
    /// Somebody is at work on it.
    #[error("the ledger cannot be moved now: {0}")]
    Busy(String),
    /// The other place holds a ledger that must not be lost.
    #[error("{name} holds {what}")]
    Taken {
        /// The other place.
        name: String,
        /// What is there.
        what: &'static str,
    },
    /// What was copied is not what there is.
    #[error("the copy of table `{0}` differs from the ledger")]
    Differs(String),
    /// It does not add up.
    #[error("the ledger fails its integrity check at {name}: {finding}")]
    Unsound {
        /// Where.
        name: String,
        /// The first finding.
        finding: String,
    },
    /// A database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Both places, open.
pub(super) struct Move<'p> {
    from: Session,
    to: Session,
    source: StoreSettings,
    target: StoreSettings,
    tables: Vec<Table>,
    now: DateTime<Utc>,
    progress: &'p dyn Fn(Stage, u64, u64),
}

/// Opens a database, with or without a ledger in it; `None` when it is not there.
fn open(settings: &StoreSettings, access: Opening) -> Result<Option<Session>, StoreError> {
    opening::session(settings, access)
}

fn place_of(session: &mut Session) -> Result<Place, StoreError> {
    session.transact(Access::Read, place)
}

impl<'p> Move<'p> {
    /// Opens both places.
    ///
    /// # Errors
    /// When one of them cannot be used, or there is nothing to move.
    pub(super) fn open(
        source: &StoreSettings,
        target: &StoreSettings,
        now: DateTime<Utc>,
        progress: &'p dyn Fn(Stage, u64, u64),
    ) -> Result<Self, MoveError> {
        let absent = || MoveError::Absent(source.name());
        if matches!(source.engine, Engine::Sqlite) && !sqlite::is_ledger(&source.path)? {
            return Err(absent());
        }
        let from = open(source, Opening::ReadWrite)?.ok_or_else(absent)?;
        let to = open(target, Opening::ReadWrite)?.ok_or(StoreError::Closed)?;
        let tables = tables::all().map_err(|fault| fault.at(source.name().into()))?;
        Ok(Self {
            from,
            to,
            source: source.clone(),
            target: target.clone(),
            tables,
            now,
            progress,
        })
    }

    /// Moves the ledger, or goes on with that.
    ///
    /// # Errors
    /// When it must not move now, or a database fails; the same move goes on later.
    pub(super) fn run(mut self) -> Result<Moved, MoveError> {
        let here = place_of(&mut self.from)?;
        here.check(&self.source.name(), true)?;
        let key = here
            .key
            .ok_or_else(|| MoveError::Absent(self.source.name()))?;
        if let Some((to, is_whole)) = &here.moved
            && (*is_whole || *to != self.target.name())
        {
            if *to == self.target.name() {
                self.take_along()?;
            }
            here.check(&self.source.name(), false)?;
        }
        let there = place_of(&mut self.to)?;
        let is_whole = self.look_at_target(&key, &here, &there)?;
        let is_resumed = here.moved.is_some();
        if !is_resumed {
            self.set_out(&key)?;
        }
        let tables = if is_whole {
            self.compare()?
        } else {
            self.begin(&key, &there)?;
            self.copy_tables()?;
            let tables = self.compare()?;
            self.arrive(&key)?;
            tables
        };
        self.depart(&key)?;
        Ok(Moved {
            from: self.source.name(),
            to: self.target.name(),
            is_resumed,
            tables,
        })
    }

    /// Whether all of the ledger is at the target already: then only the note at
    /// the source is missing.
    fn look_at_target(
        &mut self,
        key: &[u8; 32],
        here: &Place,
        there: &Place,
    ) -> Result<bool, MoveError> {
        let name = self.target.name();
        let taken = |what| Err(MoveError::Taken { name, what });
        if let Some((ledger, _)) = &there.arriving {
            return match *ledger == runs::fingerprint(key) && here.moved.is_some() {
                true => Ok(false),
                false => taken("the beginning of another ledger that is moved there"),
            };
        }
        match (&there.key, &there.moved) {
            (None, _) => Ok(false),
            (Some(other), _) if other != key => taken("another ledger"),
            (Some(_), None) if here.moved.is_some() => Ok(true),
            (Some(_), None) => taken("a copy of this ledger that is in use"),
            (Some(_), Some(_)) => {
                let (ours, theirs) = (self.mark(true, key)?, self.mark(false, key)?);
                match ours.is_older_than(&theirs) {
                    true => taken("a newer state of this ledger"),
                    false => Ok(false),
                }
            }
        }
    }

    fn mark(
        &mut self,
        is_source: bool,
        key: &[u8; 32],
    ) -> Result<super::beside::mark::Mark, StoreError> {
        let session = if is_source {
            &mut self.from
        } else {
            &mut self.to
        };
        session.transact(Access::Read, |tx| Ok(runs::standing(tx, key)?.mark))
    }

    /// Keeps everybody from writing to the source, unless somebody is at work. An old
    /// copy is in doubt before it goes: at the target nothing would tell.
    fn set_out(&mut self, key: &[u8; 32]) -> Result<(), MoveError> {
        let (to, now) = (self.target.name(), self.now);
        let here = Keeper::open(&self.source.path)?;
        let there = Keeper::open(&self.target.path)?;
        let busy = self.from.transact(Access::Write, |tx| {
            let stands = runs::standing(tx, key)?;
            let mut marks = [here.mark(), there.mark()].into_iter();
            if let Some(copy) = marks.find_map(|mark| runs::old_copy(&stands, mark)) {
                runs::doubt(tx, &copy, now)?;
            }
            let busy = at_work(tx)?;
            if busy.is_none() {
                leave(tx, &to, None)?;
            }
            Ok(busy)
        })?;
        busy.map_or(Ok(()), |busy| Err(MoveError::Busy(busy)))
    }

    /// Notes at the target which ledger arrives. What it holds of an earlier stay
    /// of the same ledger goes.
    fn begin(&mut self, key: &[u8; 32], there: &Place) -> Result<(), StoreError> {
        if there.key.is_some() {
            self.clear_target()?;
        }
        let (ledger, source, now) = (runs::fingerprint(key), self.source.name(), self.now);
        self.to.transact_apart(|tx| {
            tx.execute(
                "INSERT INTO arrivals (id, ledger, source, began_at) VALUES (1, ?1, ?2, ?3)
                 ON CONFLICT DO NOTHING",
                params![ledger, source, now.timestamp()],
            )?;
            Ok(())
        })
    }

    fn clear_target(&mut self) -> Result<(), StoreError> {
        match &self.target.engine {
            // Whoever has it open reads a file without a name from now on.
            Engine::Sqlite => {
                sqlite::remove(&self.target.path)?;
                let opened = open(&self.target, Opening::ReadWrite)?;
                self.to = opened.ok_or(StoreError::Closed)?;
                Ok(())
            }
            Engine::Postgres(_) => self.to.transact_apart(|tx| {
                unbar(tx)?;
                let tables = place::tables(tx)?;
                match tx {
                    Connection::Postgres(link) => postgres::empty(link, &tables),
                    Connection::Sqlite(_) => Ok(()),
                }
            }),
        }
    }

    fn copy_tables(&mut self) -> Result<(), StoreError> {
        let total = self.rows()?;
        let mut done = 0;
        for table in &self.tables {
            let table = Table::clone(table);
            done += self
                .to
                .transact(Access::Read, |tx| rows::count(tx, &table))?;
            let mut after = self
                .to
                .transact(Access::Read, |tx| rows::last_key(tx, &table))?;
            loop {
                (self.progress)(Stage::Copying, done, total);
                let page = self
                    .from
                    .transact(Access::Read, |tx| rows::page(tx, &table, after.as_deref()))?;
                let Some(last) = page.last() else { break };
                after = Some(rows::key(&table, last));
                done += page.len() as u64;
                self.to
                    .transact_apart(|tx| rows::insert(tx, &table, &page))?;
            }
        }
        Ok(())
    }

    fn rows(&mut self) -> Result<u64, StoreError> {
        let tables = &self.tables;
        self.from.transact(Access::Read, |tx| {
            tables.iter().map(|table| rows::count(tx, table)).sum()
        })
    }

    /// Reads both places again, side by side.
    fn compare(&mut self) -> Result<Vec<ComparedTable>, MoveError> {
        let total = self.rows()?;
        let (mut compared, mut done) = (Vec::new(), 0);
        for table in self.tables.clone() {
            let sums = [
                sum(&mut self.from, &table, &mut |rows| {
                    (self.progress)(Stage::Comparing, done + rows / 2, total);
                })?,
                sum(&mut self.to, &table, &mut |rows| {
                    (self.progress)(Stage::Comparing, done + rows, total);
                })?,
            ];
            let [(rows, sha256), there] = sums;
            if (rows, &sha256) != (there.0, &there.1) {
                return Err(MoveError::Differs(table.name));
            }
            done += rows;
            compared.push(ComparedTable {
                table: table.name,
                rows,
                sha256,
            });
        }
        Ok(compared)
    }

    /// Makes the target the ledger, if it adds up.
    fn arrive(&mut self, key: &[u8; 32]) -> Result<(), MoveError> {
        let name = self.target.name();
        let findings = self.to.transact(Access::Read, verify::verify)?;
        if let Some(finding) = findings.into_iter().next() {
            return Err(MoveError::Unsound { name, finding });
        }
        let (created_at, restored_after, wipe_due) = self.from.transact(Access::Read, |tx| {
            Ok(tx.query_row(
                "SELECT created_at, restored_after, wipe_due FROM installation",
                [],
                |row| {
                    Ok((
                        row.get::<i64>(0)?,
                        row.get::<Option<i64>>(1)?,
                        row.get::<i64>(2)?,
                    ))
                },
            )?)
        })?;
        self.to.transact_apart(|tx| {
            if let Connection::Postgres(link) = tx {
                postgres::count_on(link)?;
                postgres::look_at_sizes(link)?;
            }
            tx.execute(
                "INSERT INTO installation (id, install_key, created_at, restored_after, wipe_due)
                 VALUES (1, ?1, ?2, ?3, ?4)",
                params![&key[..], created_at, restored_after, wipe_due],
            )?;
            tx.execute("DELETE FROM arrivals", [])?;
            let mark = runs::standing(tx, key)?.mark;
            runs::settle_down(tx, &mark)
        })?;
        Ok(())
    }

    /// Takes along who left while the ledger was on its way.
    fn take_along(&mut self) -> Result<(), StoreError> {
        let left_behind = Leaving::of(&self.source.path);
        let taken = self.to.transact_apart(|tx| left_behind.take_up(tx))?;
        if let Some(taken) = taken {
            // What is taken up again changes nothing.
            drop(taken.forget());
        }
        Ok(())
    }

    /// Notes at the source that the ledger is elsewhere, and here how far it has
    /// come there.
    fn depart(&mut self, key: &[u8; 32]) -> Result<(), StoreError> {
        let mark = self.mark(false, key)?;
        Keeper::open(&self.target.path)?.set(mark)?;
        let (to, now) = (self.target.name(), self.now);
        self.from.transact_apart(|tx| leave(tx, &to, Some(now)))?;
        // From now on nobody is noted there.
        self.take_along()
    }

    /// Gives up a move that is not finished: the ledger stays where it was.
    ///
    /// # Errors
    /// When there is none, or all of the ledger is at the target already.
    pub(super) fn give_up(mut self) -> Result<bool, MoveError> {
        let here = place_of(&mut self.from)?;
        let Some((to, is_whole)) = &here.moved else {
            return Ok(false);
        };
        if *is_whole || *to != self.target.name() {
            here.check(&self.source.name(), false)?;
        }
        let there = place_of(&mut self.to)?;
        match (&there.arriving, &there.key, &there.moved) {
            (Some((ledger, _)), ..)
                if here
                    .key
                    .is_some_and(|key| runs::fingerprint(&key) == *ledger) =>
            {
                self.clear_target()?;
            }
            (None, Some(key), None) if here.key.as_ref() == Some(key) => {
                return Err(MoveError::Taken {
                    name: self.target.name(),
                    what: "all of the ledger already: move it back instead",
                });
            }
            // The move had not begun there.
            _ => {}
        }
        self.from.transact_apart(stay)?;
        Ok(true)
    }
}

/// What a table holds, page by page.
fn sum(
    session: &mut Session,
    table: &Table,
    told: &mut dyn FnMut(u64),
) -> Result<(u64, String), StoreError> {
    let (mut sum, mut after, mut done) = (Sum::default(), None::<rows::Values>, 0);
    loop {
        let page = session.transact(Access::Read, |tx| rows::page(tx, table, after.as_deref()))?;
        let Some(last) = page.last() else {
            return Ok(sum.finish());
        };
        after = Some(rows::key(table, last));
        page.iter().for_each(|row| sum.add(row));
        done += page.len() as u64;
        told(done);
    }
}

/// Who is at work on a ledger, if anybody is.
fn at_work(connection: &Connection) -> Result<Option<String>, Fault> {
    let (inflight, claimed): (i64, i64) = connection.query_row(
        "SELECT (SELECT count(*) FROM deliveries WHERE state = 2),
                (SELECT count(*) FROM deliveries WHERE state = 1)",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let workers = match connection {
        Connection::Sqlite(_) => 0,
        Connection::Postgres(link) => postgres::workers(link)?,
    };
    let facts: Vec<String> = [
        (inflight.unsigned_abs(), "in flight"),
        (claimed.unsigned_abs(), "claimed"),
        (workers, "at work as workers"),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, what)| format!("{number} {what}"))
    .collect();
    Ok((!facts.is_empty()).then(|| facts.join(", ")))
}

/// Copies a ledger on a server into an empty database, as it stands at one moment.
///
/// # Errors
/// When a database fails; what was copied by then is worth nothing.
pub(super) fn copy_of_a_moment(
    from: &mut Session,
    to_path: &Path,
    progress: &dyn Fn(u64, u64),
) -> Result<(), StoreError> {
    let tables = tables::all().map_err(|fault| fault.at(to_path.to_owned()))?;
    let mut is_begun = false;
    from.transact(Access::Read, |tx| {
        // A second moment must not be mixed with the first.
        if std::mem::replace(&mut is_begun, true) {
            return Err(StoreError::Closed.into());
        }
        let file = sqlite::fresh(to_path)?;
        let to = Connection::Sqlite(file);
        let total = tables
            .iter()
            .map(|table| rows::count(tx, table))
            .sum::<Result<u64, _>>()?;
        let mut done = 0;
        for table in &tables {
            let mut after = None::<rows::Values>;
            loop {
                progress(done, total);
                let page = rows::page(tx, table, after.as_deref())?;
                let Some(last) = page.last() else { break };
                after = Some(rows::key(table, last));
                done += page.len() as u64;
                to.execute_batch("BEGIN")?;
                rows::insert(&to, table, &page)?;
                to.execute_batch("COMMIT")?;
            }
        }
        copy_installation(tx, &to)
    })
}

fn copy_installation(from: &Connection, to: &Connection) -> Result<(), Fault> {
    // In a file it is away from the server for which the ledger goes on, also where
    // that has no name.
    let row: (Vec<u8>, i64, Option<i64>, i64, String) = from.query_row(
        "SELECT install_key, created_at, restored_after, wipe_due, coalesce(home, 'a server')
           FROM installation",
        [],
        |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
            ))
        },
    )?;
    to.execute(
        "INSERT INTO installation (id, install_key, created_at, restored_after, wipe_due, home)
         VALUES (1, ?1, ?2, ?3, ?4, ?5)",
        params![row.0, row.1, row.2, row.3, row.4],
    )?;
    Ok(())
}
