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
const LENGTH: usize = 192;

/// A point in a ledger's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct Mark {
    /// Which ledger: another one at the same place has nothing to do with it.
    pub(in crate::store) ledger: String,
    /// The newest run.
    pub(in crate::store) run: i64,
    /// The newest attempt.
    pub(in crate::store) attempt: i64,
    /// The server it is on, if it is on one that says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::store) server: Option<Server>,
}

/// A database server, as it knows itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct Server {
    /// The number that its cluster has for life, as text.
    pub(in crate::store) cluster: String,
    /// How often a standby took over, or a backup was recovered from: each time a
    /// new history begins.
    pub(in crate::store) timeline: u32,
}

impl Server {
    /// Whether this is an earlier history of the same cluster: a server that others
    /// have taken over from.
    fn is_left_behind_by(&self, other: &Self) -> bool {
        self.cluster == other.cluster && self.timeline < other.timeline
    }
}

impl Mark {
    /// Whether a ledger that stands here has lost what led to `other`.
    pub(in crate::store) fn is_older_than(&self, other: &Self) -> bool {
        let is_left_behind = match (&self.server, &other.server) {
            (Some(here), Some(there)) => here.is_left_behind_by(there),
            _ => false,
        };
        let is_behind = self.run < other.run || self.attempt < other.attempt;
        self.ledger == other.ledger && (is_behind || is_left_behind)
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
            server: None,
        }
    }

    fn on(mark: Mark, cluster: &str, timeline: u32) -> Mark {
        let cluster = cluster.to_owned();
        Mark {
            server: Some(Server { cluster, timeline }),
            ..mark
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
    fn a_server_that_another_took_over_from_is_left_behind() {
        let (first, second) = ("7444444444444444444", "7555555555555555555");
        let last = on(mark(7, 50), first, 3);
        assert!(on(mark(7, 50), first, 2).is_older_than(&last));
        assert!(on(mark(9, 90), first, 2).is_older_than(&last));
        // A standby took over, and nothing is lost.
        assert!(!on(mark(7, 50), first, 4).is_older_than(&last));
        assert!(on(mark(7, 49), first, 4).is_older_than(&last));
        // Of another cluster the ledger itself says whether it belongs there.
        assert!(!on(mark(8, 60), second, 1).is_older_than(&last));
        assert!(!mark(8, 60).is_older_than(&last));
    }

    #[test]
    fn the_longest_mark_fits_and_one_without_a_server_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("letterpress.postgres");
        let long = on(
            mark(99_999_999, 9_999_999_999_999),
            &u64::MAX.to_string(),
            u32::MAX,
        );
        let mut keeper = Keeper::open(&db).unwrap();
        keeper.set(long.clone()).unwrap();
        assert_eq!(Keeper::open(&db).unwrap().mark(), Some(&long));
        let size = std::fs::metadata(companion(&db, END)).unwrap().len();
        assert_eq!(size, LENGTH as u64);
        let earlier = r#"{"ledger":"0123456789abcdef","run":7,"attempt":50}"#;
        std::fs::write(companion(&db, END), earlier).unwrap();
        assert_eq!(Keeper::open(&db).unwrap().mark(), Some(&mark(7, 50)));
    }

    #[test]
    fn garbage_is_no_mark() {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("letterpress.db");
        std::fs::write(companion(&db, END), "garbage").unwrap();
        assert_eq!(Keeper::open(&db).unwrap().mark(), None);
    }
}
