//! How far the ledger has come, written beside it: a database that has not
//! come as far was restored from a backup, or lost its last commits.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{companion, open, sync_folder};
use crate::store::error::StoreError;

const END: &str = ".runs";
/// Every mark is padded to this length: one write in place replaces it.
const LENGTH: usize = 160;

/// A point in a ledger's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct Mark {
    /// Which ledger: another one at the same place has nothing to do with it.
    pub(in crate::store) ledger: String,
    /// The newest run.
    pub(in crate::store) run: i64,
    /// The newest attempt.
    pub(in crate::store) attempt: i64,
}

impl Mark {
    /// Whether a ledger that stands here has lost what led to `other`.
    pub(in crate::store) fn is_older_than(&self, other: &Self) -> bool {
        self.ledger == other.ledger && (self.run < other.run || self.attempt < other.attempt)
    }
}

/// Keeps the mark of a ledger for the time of a run.
pub(in crate::store) struct Keeper {
    file: File,
    path: PathBuf,
    mark: Option<Mark>,
}

impl Keeper {
    /// Opens the mark of the database at `db_path`. One that cannot be read
    /// says nothing.
    pub(in crate::store) fn open(db_path: &Path) -> Result<Self, StoreError> {
        let path = companion(db_path, END);
        let told = |error: io::Error| StoreError::system(path.clone(), error);
        let mut file = open(&path, db_path).map_err(told)?;
        let mut text = Vec::new();
        file.seek(SeekFrom::Start(0)).map_err(told)?;
        file.read_to_end(&mut text).map_err(told)?;
        let mark = serde_json::from_slice(&text).ok();
        Ok(Self { file, path, mark })
    }

    /// What stands there.
    pub(in crate::store) fn mark(&self) -> Option<&Mark> {
        self.mark.as_ref()
    }

    /// Writes a new mark, on stable storage when it returns.
    pub(in crate::store) fn set(&mut self, mark: Mark) -> Result<(), StoreError> {
        self.mark = Some(mark);
        self.write()
            .and_then(|()| self.file.sync_all())
            .and_then(|()| sync_folder(&self.path))
            .map_err(|error| StoreError::system(self.path.clone(), error))
    }

    /// The ledger has committed an attempt. Written at once but not forced to
    /// the disk, where the attempt is already: a mark may lag, never lead.
    pub(in crate::store) fn note_attempt(&mut self, attempt: i64) {
        if let Some(mark) = &mut self.mark
            && mark.attempt < attempt
        {
            mark.attempt = attempt;
            // A full disk is reported by the ledger itself.
            drop(self.write());
        }
    }

    /// Forces to the disk what was noted since the run began.
    pub(in crate::store) fn sync(self) -> Result<(), StoreError> {
        let synced = self.file.sync_data();
        synced.map_err(|error| StoreError::system(self.path, error))
    }

    fn write(&self) -> io::Result<()> {
        let mut text = serde_json::to_vec(&self.mark)?;
        text.resize(LENGTH - 1, b' ');
        text.push(b'\n');
        self.file.write_all_at(&text, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(run: i64, attempt: i64) -> Mark {
        Mark {
            ledger: "0123456789abcdef".to_owned(),
            run,
            attempt,
        }
    }

    #[test]
    fn a_mark_is_kept_and_grows() {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("letterpress.db");
        let mut keeper = Keeper::open(&db).unwrap();
        assert_eq!(keeper.mark(), None);
        keeper.set(mark(7, 12_345)).unwrap();
        keeper.note_attempt(12_346);
        keeper.note_attempt(9);
        keeper.sync().unwrap();
        let again = Keeper::open(&db).unwrap();
        assert_eq!(again.mark(), Some(&mark(7, 12_346)));
    }

    #[test]
    fn older_is_who_lost_a_run_or_an_attempt() {
        assert!(mark(6, 50).is_older_than(&mark(7, 50)));
        assert!(mark(7, 49).is_older_than(&mark(7, 50)));
        assert!(!mark(7, 50).is_older_than(&mark(7, 50)));
        assert!(!mark(8, 60).is_older_than(&mark(7, 50)));
        let other = Mark {
            ledger: "another".to_owned(),
            ..mark(7, 50)
        };
        assert!(!mark(1, 0).is_older_than(&other));
    }

    #[test]
    fn garbage_is_no_mark() {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("letterpress.db");
        std::fs::write(companion(&db, END), "garbage").unwrap();
        assert_eq!(Keeper::open(&db).unwrap().mark(), None);
    }
}
