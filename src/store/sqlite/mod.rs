//! The ledger in one SQLite file: opened so that a commit survives a power
//! cut, and written by one thread. What is peculiar to SQLite is here.

pub(super) mod backup;
mod file_system;
mod migrations;
pub(super) mod wiping;

use std::{fs::OpenOptions, io, os::unix::fs::OpenOptionsExt, path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

pub(super) use self::{file_system::on_network, migrations::KNOWN};

use crate::{
    config::settings::{Durability, StoreSettings},
    store::{
        beside,
        error::{Fault, StoreError, Trouble},
        opening::Access,
    },
};

/// How long a statement waits while another process writes: a large import is
/// one transaction of many seconds, and must not end a run beside it.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Opens the database; `None` when it is only to be read and is not there.
pub(super) fn open(
    settings: &StoreSettings,
    access: Access,
) -> Result<Option<Connection>, StoreError> {
    let path = settings.path.as_path();
    check_path(path)?;
    if access == Access::ReadOnly && !is_there(path)? {
        return Ok(None);
    }
    file_system::check(path, settings.allow_network_file_system)?;
    if access == Access::ReadWrite {
        make_private(path)?;
    }
    let told = |fault: Fault| fault.at(path.to_owned());
    let mut connection = connect(path, settings.durability, access).map_err(told)?;
    let fresh = migrations::bring_up(&mut connection, path, access).map_err(told)?;
    Ok((!fresh).then_some(connection))
}

/// Refuses names that SQLite would not take for a file.
fn check_path(path: &Path) -> Result<(), StoreError> {
    let text = path.to_string_lossy();
    let refuse = |reason: &str| {
        Err(StoreError::Unfit {
            path: path.to_owned(),
            reason: reason.to_owned(),
        })
    };
    if text.is_empty() || text.starts_with("file:") || text.ends_with(":memory:") {
        return refuse(
            "what was sent has to outlive the program; name a file such as `sqlite:letterpress.db`",
        );
    }
    if path.is_dir() {
        return refuse("it is a folder; name a file in it");
    }
    Ok(())
}

/// Whether the name is a file's, and there is a ledger.
pub(super) fn is_ledger(path: &Path) -> Result<bool, StoreError> {
    check_path(path)?;
    is_there(path)
}

/// Whether there is a ledger: an empty file is what a crash right after
/// creation leaves.
fn is_there(path: &Path) -> Result<bool, StoreError> {
    match path.metadata() {
        Ok(facts) => Ok(facts.len() > 0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::system(path.to_owned(), error)),
    }
}

/// The newest schema, without a ledger in it.
pub(super) fn schema() -> Result<Connection, Fault> {
    let mut connection = Connection::open_in_memory()?;
    migrations::bring_up(&mut connection, Path::new(":memory:"), Access::ReadWrite)?;
    Ok(connection)
}

/// A plain file with the newest schema, without a ledger in it, to be filled and
/// put away.
pub(super) fn fresh(path: &Path) -> Result<Connection, Fault> {
    let mut connection = Connection::open(path)?;
    // If it is not finished, it is thrown away.
    connection.pragma_update(None, "synchronous", "OFF")?;
    migrations::bring_up(&mut connection, path, Access::ReadWrite)?;
    Ok(connection)
}

/// Removes a database, not what else lies beside it.
pub(super) fn remove(path: &Path) -> Result<(), StoreError> {
    for end in ["-wal", "-shm", ""] {
        let path = beside::companion(path, end);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::system(path, error));
            }
            _ => {}
        }
    }
    beside::sync_folder(path).map_err(|error| StoreError::system(path.to_owned(), error))
}

/// Makes the file for the owner alone; SQLite gives its companions the same mode.
fn make_private(path: &Path) -> Result<(), StoreError> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match made {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(StoreError::system(path.to_owned(), error)),
    }
}

/// How much of the database a connection keeps in memory, in KiB (negative, as SQLite
/// has it). More only saves reads that the system's cache answers as well: sends,
/// freezes and imports are as quick with this as with SQLite's own 2 MB.
const CACHE: i32 = -500;

/// A connection as this program needs it.
fn connect(path: &Path, durability: Durability, access: Access) -> Result<Connection, Fault> {
    // Without SQLITE_OPEN_URI: a path is a path.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(64);
    // Without it SQLite plans the two statements of every message anew whenever
    // their parameters change, which costs more than running them.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Damage shows itself when a page is read, not when its rows are used.
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "cache_size", CACHE)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // A freeze makes a large log; it does not stay large.
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    let synchronous = match durability {
        Durability::Power => "FULL",
        Durability::Process => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    if access == Access::ReadOnly {
        // The connection itself may write: it clears up after a crash and
        // leaves no companion files behind, which a read-only one would.
        connection.pragma_update(None, "query_only", true)?;
        return Ok(connection);
    }
    if connection.is_readonly("main")? {
        return Err(read_only(path).into());
    }
    migrations::refuse_strangers(&connection, path)?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Unfit {
            path: path.to_owned(),
            reason: format!(
                "SQLite keeps its journal as `{mode}` there instead of `wal`; put it on a local disk"
            ),
        }
        .into());
    }
    Ok(connection)
}

fn read_only(path: &Path) -> StoreError {
    StoreError::Io {
        path: path.to_owned(),
        trouble: Trouble::ReadOnly,
        source: std::sync::Arc::new(io::Error::from(io::ErrorKind::PermissionDenied)).into(),
    }
}

/// Tables that say what is to be done. They are small, whatever the list is.
const SMALL: [&str; 6] = [
    "installation",
    "digests",
    "issues",
    "assignments",
    "exclusions",
    "tallies",
];

/// A cheap look before anything is sent: are the small tables sound?
/// [`integrity`] reads everything.
pub(super) fn glance(connection: &Connection) -> Result<(), Fault> {
    for table in SMALL {
        let mut check = connection.prepare(&format!("PRAGMA quick_check('{table}')"))?;
        let first: String = check.query_row([], |row| row.get(0))?;
        if first != "ok" {
            return Err(damaged(connection, &first).into());
        }
    }
    Ok(())
}

fn damaged(connection: &Connection, finding: &str) -> StoreError {
    StoreError::Io {
        path: connection.path().unwrap_or_default().into(),
        trouble: Trouble::Corrupt,
        source: std::sync::Arc::new(io::Error::other(finding.to_owned())).into(),
    }
}

/// What the database itself finds wrong with its file and its references.
pub(super) fn integrity(connection: &Connection) -> Result<Vec<String>, Fault> {
    let mut check = connection.prepare("PRAGMA integrity_check")?;
    let lines = check
        .query_map([], |row| row.get(0))?
        .collect::<Result<Vec<String>, _>>()?;
    let mut findings: Vec<String> = lines
        .into_iter()
        .filter(|line| line != "ok")
        .map(|line| format!("integrity: {line}"))
        .collect();
    let orphans: i64 =
        connection.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| {
            row.get(0)
        })?;
    if orphans > 0 {
        findings.push(format!("{orphans} rows refer to something that is gone"));
    }
    Ok(findings)
}
