//! A copy of the ledger while others write to it: one moment of it in one file,
//! checked, and only then given its name. From a server it comes row by row.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    config::settings::{Engine, ServerSettings, StoreSettings},
    store::{
        beside,
        error::{Fault, StoreError, Trouble},
        moving,
        opening::{self, Access},
        sql, sqlite, surroundings, verify,
    },
};

/// A finished backup.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Copied {
    /// Where it is.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
}

/// Copies the ledger to the file `to`, telling `progress` how much of how much is
/// done: pages of a file, rows of a server; `None` when there is no ledger.
pub(super) fn copy(
    settings: &StoreSettings,
    to: &Path,
    progress: &dyn Fn(u64, u64),
) -> Result<Option<Copied>, StoreError> {
    if matches!(settings.engine, Engine::Sqlite) && !sqlite::is_ledger(&settings.path)? {
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
    let is_copied = match &settings.engine {
        Engine::Sqlite => {
            sqlite::backup::pages(&settings.path, begun.path(), progress).map(|()| true)
        }
        Engine::Postgres(server) => rows(settings, server, begun.path(), progress),
    };
    if !is_copied? {
        return Ok(None);
    }
    check(begun.path()).map_err(|fault| fault.at(to.to_owned()))?;
    begun.as_file().sync_all().map_err(at_target)?;
    let bytes = fs::metadata(begun.path()).map_err(at_target)?.len();
    begun
        .persist_noclobber(to)
        .map_err(|error| at_target(error.error))?;
    beside::sync_folder(to).map_err(at_target)?;
    surroundings::note_backup(settings);
    Ok(Some(Copied {
        path: to.to_owned(),
        bytes,
    }))
}

/// Copies the ledger on a server; false when there is none.
fn rows(
    settings: &StoreSettings,
    server: &ServerSettings,
    to: &Path,
    progress: &dyn Fn(u64, u64),
) -> Result<bool, StoreError> {
    let Some(mut session) = opening::session(settings, Access::ReadOnly)? else {
        return Ok(false);
    };
    let place = session.transact(sql::Access::Read, moving::place)?;
    place.check(&server.name, true)?;
    if place.key.is_none() {
        return Ok(false);
    }
    moving::copy_of_a_moment(&mut session, to, progress)?;
    Ok(true)
}

/// A copy that does not add up is none.
fn check(path: &Path) -> Result<(), Fault> {
    let (copy, is_newest) = sqlite::backup::reopen(path)?;
    let findings = if is_newest {
        verify::verify(&sql::Connection::Sqlite(copy))?
    } else {
        sqlite::integrity(&copy)?
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
