//! The connection of one process to its ledger: transactions on either engine,
//! and what is known of the health of both.

mod journal;
mod slate;
mod transact;
mod worker;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64},
    },
    time::Duration,
};

use tokio::sync::watch;

use crate::{
    config::settings::{Engine, ServerSettings, StoreSettings},
    domain::delivery::AttemptId,
    store::{
        Health,
        attempts::Recorded,
        beside::{leaving::Leaving, mark::Keeper},
        error::{Fault, StoreError, Trouble},
        postgres::{self, lease::Heartbeat},
        runs,
        slate::Slate,
        sql::Connection,
        sqlite::{BUSY_TIMEOUT, wiping},
        writer::{Bell, Grouped},
    },
};

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
    /// there are at most as many as intents were granted before.
    pub(super) owed: Vec<Grouped>,
    /// Attempts that the relay took although a newer one had been made.
    pub(super) late: Vec<AttemptId>,
    /// Attempts that the relay took whose delivery had become uncertain.
    pub(super) confirmed: Vec<AttemptId>,
    /// Groups committed so far.
    #[cfg(test)]
    pub(super) groups: u64,
    /// How many outcomes are kept in memory only.
    pub(super) kept: Arc<AtomicU64>,
    /// What tells this ledger from others, if it may be written.
    ledger: String,
    /// The server, if there is one.
    server: Option<ServerSettings>,
    /// What keeps up the lease of a worker.
    heartbeat: Option<Heartbeat>,
    /// Wakes the writer.
    pub(super) bell: Arc<Bell>,
    /// That of the drain under way.
    slate: Option<Arc<Slate>>,
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
            #[cfg(test)]
            groups: 0,
            kept: Arc::default(),
            ledger: String::new(),
            server,
            heartbeat: None,
            bell: Arc::default(),
            slate: None,
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

    /// How it stands with the database, from now on.
    pub(super) fn health(&self) -> watch::Receiver<Health> {
        match &self.connection {
            Connection::Sqlite(_) => watch::channel(Health::Well).1,
            Connection::Postgres(link) => link.health(),
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
        self.bound(Some(patience));
        let done = work(self);
        self.bound(None);
        self.set_patience(before)?;
        done
    }

    /// Bounds how long a server may leave a transaction without an answer.
    fn bound(&self, patience: Option<Duration>) {
        if let Connection::Postgres(link) = &self.connection {
            link.bound(patience);
        }
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
        self.hear_again();
        std::mem::take(&mut self.late)
    }

    /// Attempts that the relay took whose delivery had become uncertain, since
    /// this was last asked.
    pub(super) fn take_confirmed(&mut self) -> Vec<AttemptId> {
        self.hear_again();
        std::mem::take(&mut self.confirmed)
    }

    /// What was found when outcomes were told to another server is heard like what
    /// is found the first time.
    fn hear_again(&mut self) {
        let Connection::Postgres(link) = &self.connection else {
            return;
        };
        for (attempt, recorded) in link.take_told() {
            let attempt = link.current(attempt);
            match recorded {
                Recorded::Duplicate => self.late.push(attempt),
                Recorded::Confirmed => self.confirmed.push(attempt),
                Recorded::Applied | Recorded::Noted => {}
            }
        }
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
