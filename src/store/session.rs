//! The connection of one process to its ledger: transactions on either engine,
//! and what is known of the health of both.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

#[cfg(test)]
use chrono::{DateTime, Utc};
use rusqlite::{Transaction, TransactionBehavior};
use tokio::sync::watch;

use crate::{
    config::settings::{Engine, ServerSettings, StoreSettings},
    domain::delivery::AttemptId,
    moment::Moment,
    store::{
        Health,
        beside::{
            leaving::{Leaving, Taken},
            mark::Keeper,
            outcomes::{self, Told},
        },
        error::{Fault, StoreError, Trouble},
        postgres::{
            self, Failure, Fate, Link,
            lease::{self, Heartbeat},
        },
        runs,
        sql::{self, Access, Connection},
        sqlite::{BUSY_TIMEOUT, wiping},
        workers::{Lease, NewWorker},
        writer::{Grouped, Kept},
    },
};

/// A transaction that others come in between is tried anew for so long.
const TRIED_FOR: Duration = Duration::from_secs(60);

/// What a transaction is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    /// Anything: one such transaction at a time.
    Write,
    /// Deliveries that nobody else has a hand in.
    Own,
    /// Anything, in a database that is not the ledger, or not yet.
    Apart,
}

/// The connection and what is known of its health.
pub(super) struct Session {
    connection: Connection,
    /// What the names of the files beside the database begin with: the path of
    /// SQLite's own.
    path: PathBuf,
    /// The database in messages.
    name: PathBuf,
    broken: Option<StoreError>,
    /// Who left while the database was busy.
    leaving: Leaving,
    /// Whether the last who left had to wait in vain.
    is_busy: bool,
    /// How far the ledger has come, during a run.
    pub(super) keeper: Option<Keeper>,
    /// Set once the disk was full: what room was found since is for outcomes.
    pub(super) no_more_intents: Option<StoreError>,
    /// Outcomes whose commit failed: what the relay said is known only here.
    /// They go with the next commit. As nothing is granted while commits fail,
    /// there is at most one for each message that was under way.
    pub(super) owed: Vec<Grouped>,
    /// Attempts that the relay took although a newer one had been made.
    pub(super) late: Vec<AttemptId>,
    /// Attempts that the relay took whose delivery had become uncertain.
    pub(super) confirmed: Vec<AttemptId>,
    /// Groups committed so far.
    pub(super) groups: u64,
    /// How many outcomes are kept in memory only.
    pub(super) kept: Arc<AtomicU64>,
    /// What tells this ledger from others, if it may be written.
    ledger: String,
    /// The server, if there is one.
    server: Option<ServerSettings>,
    /// What keeps up the lease of a worker.
    heartbeat: Option<Heartbeat>,
}

impl Session {
    /// Takes over a connection to the database of these settings.
    pub(super) fn new(connection: Connection, settings: &StoreSettings) -> Self {
        let path = settings.path.clone();
        let server = match &settings.engine {
            Engine::Sqlite => None,
            Engine::Postgres(server) => Some(server.clone()),
        };
        let name = match &connection {
            Connection::Sqlite(_) => path.clone(),
            Connection::Postgres(link) => link.name().into(),
        };
        Self {
            leaving: Leaving::of(&path),
            connection,
            path,
            name,
            broken: None,
            is_busy: false,
            keeper: None,
            no_more_intents: None,
            owed: Vec::new(),
            late: Vec::new(),
            confirmed: Vec::new(),
            groups: 0,
            kept: Arc::default(),
            ledger: String::new(),
            server,
            heartbeat: None,
        }
    }

    /// Makes this process a worker; see [`crate::store::Store::enlist`].
    pub(super) fn enlist(&mut self, worker: &NewWorker) -> Result<Option<Lease>, StoreError> {
        let Some(server) = self.server.clone() else {
            return Ok(None);
        };
        self.discharge()?;
        let entered = Moment::now();
        let epoch =
            self.transact_own(|connection| lease::enter(connection, worker, server.lease))?;
        let heartbeat = lease::keep_up(&server, epoch, entered)?;
        let kept = Lease::new(epoch, heartbeat.deadline.clone());
        self.be_worker(epoch);
        self.heartbeat = Some(heartbeat);
        Ok(Some(kept))
    }

    /// Ends the lease of this process, if it has one.
    pub(super) fn discharge(&mut self) -> Result<(), StoreError> {
        let Some(heartbeat) = self.heartbeat.take() else {
            return Ok(());
        };
        let Connection::Postgres(link) = &self.connection else {
            return Ok(());
        };
        let (worker, sent) = (link.worker(), heartbeat.sent.load(Ordering::Relaxed));
        drop(heartbeat);
        self.be_worker(0);
        self.transact_own(|connection| lease::end(connection, worker, sent))
    }

    fn be_worker(&self, worker: i64) {
        if let Connection::Postgres(link) = &self.connection {
            link.set_worker(worker);
        }
    }

    /// Counts messages that relays took, for those who watch.
    pub(super) fn count_sent(&self, sent: usize) {
        if let Some(heartbeat) = &self.heartbeat {
            heartbeat.sent.fetch_add(sent as u64, Ordering::Relaxed);
        }
    }

    /// The ledger may be written, and its key is known, which tells it from others.
    pub(super) fn is_of(&mut self, install_key: &[u8; 32]) {
        self.ledger = runs::fingerprint(install_key);
    }

    /// Set once nobody is to wait for a server that is away.
    pub(super) fn hurry(&self) -> Arc<AtomicBool> {
        match &self.connection {
            Connection::Sqlite(_) => Arc::default(),
            Connection::Postgres(link) => link.hurry(),
        }
    }

    /// How many attempts were asserted again, to be told.
    pub(super) fn asserted(&self) -> Arc<AtomicU64> {
        match &self.connection {
            Connection::Sqlite(_) => Arc::default(),
            Connection::Postgres(link) => link.asserted(),
        }
    }

    /// The number that an attempt has now.
    pub(super) fn current(&self, attempt: AttemptId) -> AttemptId {
        match &self.connection {
            Connection::Sqlite(_) => attempt,
            Connection::Postgres(link) => link.current(attempt),
        }
    }

    /// Takes up what relays said when an earlier process had to end without the
    /// server.
    pub(super) fn take_up_journal(&mut self) {
        if self.server.is_none() || self.ledger.is_empty() {
            return;
        }
        // What cannot be read stays where it is, for the next start.
        let Ok(Some((journal, told))) = outcomes::read(&self.path, &self.ledger) else {
            return;
        };
        let kept = Arc::clone(&self.kept);
        let found = self.transact_own(|connection| match connection {
            Connection::Sqlite(_) => Ok(Vec::new()),
            Connection::Postgres(link) => postgres::attempts_of(connection, link, &told),
        });
        let Ok(attempts) = found else {
            return;
        };
        self.commit(
            told.into_iter()
                .zip(attempts)
                .filter_map(|(one, attempt)| Some((one, attempt?)))
                .map(|(one, attempt)| Grouped::Outcome {
                    attempt,
                    outcome: one.outcome,
                    now: one.at,
                    answer: None,
                    kept: Kept::of(&kept),
                })
                .collect(),
        );
        if self.owed.is_empty() {
            // Told once more they change nothing.
            drop(journal.forget());
        } else {
            // They are still there.
            self.owed.clear();
        }
    }

    /// An outcome that was not committed.
    #[cfg(test)]
    pub(super) fn owe(
        &mut self,
        attempt: AttemptId,
        outcome: crate::domain::delivery::Outcome,
        now: DateTime<Utc>,
    ) {
        let kept = Kept::of(&self.kept);
        self.owed.push(Grouped::Outcome {
            attempt,
            outcome,
            now,
            answer: None,
            kept,
        });
    }

    /// Writes down what the server could not be told.
    pub(super) fn write_journal(&mut self) {
        if self.server.is_none() {
            return;
        }
        let Connection::Postgres(link) = &self.connection else {
            return;
        };
        let owed = std::mem::take(&mut self.owed).into_iter();
        let told: Vec<Told> = owed
            .filter_map(|request| match request {
                Grouped::Outcome {
                    attempt,
                    outcome,
                    now,
                    ..
                } => Some(Told {
                    ledger: self.ledger.clone(),
                    attempt,
                    delivery: link.delivery_of(attempt)?,
                    outcome,
                    at: now,
                }),
                Grouped::Intent { .. } | Grouped::Conclusion { .. } => None,
            })
            .collect();
        if !told.is_empty() {
            // Where that fails, too, they are uncertain at the next start.
            drop(outcomes::append(&self.path, &told));
        }
    }

    /// How it stands with the database, from now on.
    pub(super) fn health(&self) -> watch::Receiver<Health> {
        match &self.connection {
            Connection::Sqlite(_) => watch::channel(Health::Well).1,
            Connection::Postgres(link) => link.health(),
        }
    }

    /// Runs `work` in one transaction; an error undoes it.
    pub(super) fn transact<T>(
        &mut self,
        access: Access,
        work: impl FnMut(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        self.transact_unless(false, access, work)
    }

    /// Runs `work` in one transaction; an error or a dry run undoes it. It may
    /// be run again where others came in between.
    pub(super) fn transact_unless<T>(
        &mut self,
        is_dry_run: bool,
        access: Access,
        work: impl FnMut(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let kind = match access {
            Access::Read => Kind::Read,
            Access::Write => Kind::Write,
        };
        self.do_transact(kind, is_dry_run, work)
    }

    /// Runs `work`, which is about deliveries that are this process's own, in one
    /// transaction.
    pub(super) fn transact_own<T>(
        &mut self,
        work: impl FnMut(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        self.do_transact(Kind::Own, false, work)
    }

    /// Runs `work` in one transaction of a database that is not the ledger, or not
    /// yet: who left beside it is not taken off a list that is not there.
    pub(super) fn transact_apart<T>(
        &mut self,
        work: impl FnMut(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        self.do_transact(Kind::Apart, false, work)
    }

    fn do_transact<T>(
        &mut self,
        kind: Kind,
        is_dry_run: bool,
        work: impl FnMut(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let done = match &self.connection {
            Connection::Sqlite(file) => self.transact_in_file(file, kind, is_dry_run, work),
            Connection::Postgres(link) => self.transact_on_server(link, kind, is_dry_run, work),
        };
        done.map_err(|fault| self.told(fault))
    }

    fn transact_in_file<T>(
        &self,
        file: &rusqlite::Connection,
        kind: Kind,
        is_dry_run: bool,
        mut work: impl FnMut(&Connection) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let behavior = match kind {
            Kind::Read => TransactionBehavior::Deferred,
            Kind::Write | Kind::Own | Kind::Apart => TransactionBehavior::Immediate,
        };
        let transaction = Transaction::new_unchecked(file, behavior)?;
        let taken = self.take_up(kind)?;
        let done = work(&self.connection)?;
        if is_dry_run {
            transaction.rollback()?;
            return Ok(done);
        }
        transaction.commit()?;
        forget(taken);
        Ok(done)
    }

    fn transact_on_server<T>(
        &self,
        link: &Link,
        kind: Kind,
        is_dry_run: bool,
        mut work: impl FnMut(&Connection) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let until = Instant::now() + TRIED_FOR;
        let may_try = |failure: &Failure| {
            failure.is_worth_another_try(kind == Kind::Own) && Instant::now() < until
        };
        loop {
            match kind {
                Kind::Read => link.begin(Access::Read)?,
                Kind::Write | Kind::Apart => link.begin(Access::Write)?,
                Kind::Own => link.begin_own()?,
            }
            let done = match postgres::assert_again(&self.connection, link) {
                Ok(true) => continue,
                Ok(false) => self
                    .take_up(kind)
                    .and_then(|taken| Ok((work(&self.connection)?, taken))),
                Err(fault) => Err(fault),
            };
            match done {
                Ok((done, _)) if is_dry_run => {
                    link.undo();
                    return Ok(done);
                }
                Ok((done, taken)) => match link.commit() {
                    Ok(Fate::Committed) => {
                        forget(taken);
                        return Ok(done);
                    }
                    Ok(Fate::Undone) if Instant::now() < until => {}
                    Ok(Fate::Undone) => return Err(Failure::Closed.into()),
                    Err(failure) if may_try(&failure) => {}
                    Err(failure) => return Err(failure.into()),
                },
                Err(Fault::Database(sql::Error::Postgres(failure))) if may_try(&failure) => {
                    link.undo();
                }
                Err(fault) => {
                    link.undo();
                    return Err(fault);
                }
            }
        }
    }

    /// Whoever left beside the database has left before anything else is done.
    fn take_up(&self, kind: Kind) -> Result<Option<Taken>, Fault> {
        match kind {
            Kind::Read | Kind::Apart => Ok(None),
            Kind::Write | Kind::Own => self.leaving.take_up(&self.connection),
        }
    }

    /// Where the database is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where those are noted who leave while it is busy.
    pub(super) fn leaving(&self) -> &Leaving {
        &self.leaving
    }

    /// Whether the last who left had to wait in vain for the database.
    pub(super) fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// Says whether those who leave wait in vain.
    pub(super) fn set_busy(&mut self, is_busy: bool) {
        self.is_busy = is_busy;
    }

    /// Does something that must not wait for other processes for long.
    pub(super) fn within<T>(
        &mut self,
        patience: Duration,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let before = self.set_patience((patience, patience))?;
        let done = work(self);
        self.set_patience(before)?;
        done
    }

    /// Sets how long to wait for others and for a server that is away; gives
    /// what held before.
    fn set_patience(
        &mut self,
        (others, server): (Duration, Duration),
    ) -> Result<(Duration, Duration), StoreError> {
        match &self.connection {
            Connection::Sqlite(file) => {
                let set = file.busy_timeout(others);
                set.map_err(|error| self.told(error.into()))?;
                Ok((BUSY_TIMEOUT, server))
            }
            Connection::Postgres(link) => Ok(link.set_patience((others, server))),
        }
    }

    /// Does something that takes care of references by itself: SQLite would look
    /// through a whole table for each row that goes.
    pub(super) fn without_references<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.set_references(false)?;
        let done = work(self);
        self.set_references(true)?;
        done
    }

    fn set_references(&mut self, are_kept: bool) -> Result<(), StoreError> {
        match &self.connection {
            Connection::Sqlite(file) => {
                let set = file.pragma_update(None, "foreign_keys", are_kept);
                set.map_err(|error| self.told(error.into()))
            }
            Connection::Postgres(_) => Ok(()),
        }
    }

    /// Wipes the files of what is erased; false while somebody else reads.
    pub(super) fn wipe(&mut self, trace: Option<&str>) -> Result<bool, StoreError> {
        let done = match &self.connection {
            Connection::Sqlite(file) => wiping::wipe(file, &self.path, trace),
            Connection::Postgres(link) => postgres::wipe(link),
        };
        done.map_err(|fault| self.told(fault))
    }

    /// A run has begun: its mark is kept up to date from now on.
    pub(super) fn keep(&mut self, keeper: Keeper) {
        self.keeper = Some(keeper);
    }

    /// The run has ended: its mark is forced to the disk.
    pub(super) fn settle_mark(&mut self) -> Result<(), StoreError> {
        self.keeper.take().map_or(Ok(()), Keeper::sync)
    }

    /// Attempts that the relay took although a newer one had been made, since
    /// this was last asked.
    pub(super) fn take_late(&mut self) -> Vec<AttemptId> {
        std::mem::take(&mut self.late)
    }

    /// Attempts that the relay took whose delivery had become uncertain, since
    /// this was last asked.
    pub(super) fn take_confirmed(&mut self) -> Vec<AttemptId> {
        std::mem::take(&mut self.confirmed)
    }

    /// The connection itself.
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// SQLite itself, to provoke what a file system does.
    #[cfg(test)]
    pub(super) fn file(&self) -> &rusqlite::Connection {
        match &self.connection {
            Connection::Sqlite(file) => file,
            Connection::Postgres(_) => panic!("not a file"),
        }
    }

    /// Puts a fault into words. After a failed fsync nobody knows which pages
    /// reached the disk, so this connection is not used again.
    pub(super) fn told(&mut self, fault: Fault) -> StoreError {
        let error = fault.at(self.name.clone());
        if error.trouble() == Some(Trouble::Sync) {
            self.broken = Some(error.clone());
        }
        error
    }
}

fn forget(taken: Option<Taken>) {
    if let Some(taken) = taken {
        // What is taken up again changes nothing.
        drop(taken.forget());
    }
}
