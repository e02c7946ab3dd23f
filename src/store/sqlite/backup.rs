//! A copy of the ledger while others write to it: one snapshot, copied in
//! small steps, checked, and only then given its name.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{
    Connection, OpenFlags,
    backup::{Backup, StepResult},
};

use super::{BUSY_TIMEOUT, check_path, is_there, migrations};
use crate::store::{
    beside,
    error::{Fault, StoreError, Trouble},
    sql, verify,
};

/// So many pages are copied between two looks at how far it is.
const STEP: i32 = 1_024;

/// A finished backup.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Copied {
    /// Where it is.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
}

/// Copies the ledger at `from` to `to`, telling `progress` how many pages of
/// how many are done; `None` when there is no ledger.
pub(in crate::store) fn copy(
    from: &Path,
    to: &Path,
    progress: &dyn Fn(u64, u64),
) -> Result<Option<Copied>, StoreError> {
    check_path(from)?;
    if !is_there(from)? {
        return Ok(None);
    }
    let at_target = |error: io::Error| StoreError::system(to.to_owned(), error);
    if to.symlink_metadata().is_ok() {
        return Err(at_target(io::Error::from(io::ErrorKind::AlreadyExists)));
    }
    // A name of its own until it is whole; readable by its owner only.
    let begun = tempfile::Builder::new()
        .prefix(".letterpress-backup")
        .tempfile_in(beside::folder_of(to))
        .map_err(at_target)?;
    pages(from, begun.path(), progress)?;
    check(begun.path()).map_err(|fault| fault.at(to.to_owned()))?;
    begun.as_file().sync_all().map_err(at_target)?;
    let bytes = fs::metadata(begun.path()).map_err(at_target)?.len();
    begun
        .persist_noclobber(to)
        .map_err(|error| at_target(error.error))?;
    beside::sync_folder(to).map_err(at_target)?;
    Ok(Some(Copied {
        path: to.to_owned(),
        bytes,
    }))
}

fn pages(from: &Path, to: &Path, progress: &dyn Fn(u64, u64)) -> Result<(), StoreError> {
    let told = |error: rusqlite::Error| Fault::from(error).at(from.to_owned());
    let source = open(from).map_err(told)?;
    migrations::refuse_strangers(&source, from).map_err(|fault| fault.at(from.to_owned()))?;
    // One snapshot throughout: with the next commit of another process the
    // copy would otherwise begin anew, again and again while a run sends.
    source.execute_batch("BEGIN").map_err(told)?;
    let _: i64 = source
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(told)?;
    let at_target = |error: rusqlite::Error| Fault::from(error).at(to.to_owned());
    let mut target = open(to).map_err(at_target)?;
    {
        let backup = Backup::new(&source, &mut target).map_err(at_target)?;
        loop {
            let step = backup.step(STEP).map_err(at_target)?;
            let facts = backup.progress();
            let number = |pages: i32| u64::try_from(pages).unwrap_or_default();
            progress(
                number(facts.pagecount - facts.remaining),
                number(facts.pagecount),
            );
            match step {
                StepResult::Done => break,
                StepResult::Busy | StepResult::Locked => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                _ => {}
            }
        }
    }
    // One plain file, without companions: it may lie anywhere.
    let _: String = target
        .pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get(0))
        .map_err(at_target)?;
    target.close().map_err(|(_, error)| at_target(error))
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

/// A copy that does not add up is none.
fn check(path: &Path) -> Result<(), Fault> {
    let copy = open(path)?;
    let version: i64 = copy.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let findings = if version == migrations::KNOWN {
        verify::verify(&sql::Connection::Sqlite(copy))?
    } else {
        super::integrity(&copy)?
    };
    let Some(first) = findings.into_iter().next() else {
        return Ok(());
    };
    Err(StoreError::Io {
        path: path.to_owned(),
        trouble: Trouble::Corrupt,
        source: std::sync::Arc::new(io::Error::other(first)).into(),
    }
    .into())
}
