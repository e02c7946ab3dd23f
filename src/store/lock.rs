//! One sending process at a time, and one that writes output: locks on files
//! beside the database. The kernel frees one when the process ends, however it ends; what the file says
//! is for messages only, and no lock is ever broken for its age.

use std::{
    fmt,
    fs::{File, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::store::{beside, error::StoreError};

/// A holder that made no progress for longer than this needs attention.
const STALE: TimeDelta = TimeDelta::minutes(10);

/// What the holder writes into the lock file.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Note {
    pid: u32,
    host: String,
    since: DateTime<Utc>,
    progress_at: DateTime<Utc>,
    sent: u64,
    total: u64,
}

/// The right to send. Given back when dropped or when the process dies.
#[derive(Debug)]
pub struct RunLock {
    file: File,
    note: Note,
}

/// Another process is sending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its process id, where it could be read.
    pub pid: Option<u32>,
    /// The machine it runs on.
    pub host: Option<String>,
    /// When it began.
    pub since: Option<DateTime<Utc>>,
    /// How long ago it last made progress.
    pub progress_age: Option<TimeDelta>,
    /// How much is done, of 100.
    pub percent: Option<u64>,
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("{0}")]
    Held(Held),
    /// The lock file cannot be opened or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RunLock {
    /// Takes the lock that belongs to the database at `db_path`. Does not wait.
    ///
    /// `now` is the machine's clock: it is compared with what another process
    /// wrote by the same clock.
    ///
    /// # Errors
    /// [`LockError::Held`] when another process has it; [`LockError::Store`]
    /// when the lock file cannot be used.
    pub fn acquire(db_path: &Path, now: DateTime<Utc>) -> Result<Self, LockError> {
        let path = beside::companion(db_path, ".lock");
        let told = |error: io::Error| StoreError::system(path.clone(), error);
        let mut file = beside::open(&path, db_path).map_err(told)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let note = read_note(&mut file).ok();
                return Err(LockError::Held(Held::describe(note, now)));
            }
            Err(TryLockError::Error(error)) => return Err(told(error).into()),
        }
        let note = Note {
            pid: std::process::id(),
            host: rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .into_owned(),
            since: now,
            progress_at: now,
            sent: 0,
            total: 0,
        };
        let mut lock = Self { file, note };
        lock.write_note().map_err(told)?;
        Ok(lock)
    }

    /// Notes how far the run is, at most once a second. The lock itself does
    /// not depend on it, so a note that cannot be written is no error.
    pub fn progress(&mut self, sent: u64, total: u64, now: DateTime<Utc>) {
        let age = now - self.note.progress_at;
        if age >= TimeDelta::zero() && age < TimeDelta::seconds(1) {
            return;
        }
        self.note.progress_at = now;
        self.note.sent = sent;
        self.note.total = total;
        // A full disk is reported by the ledger itself.
        drop(self.write_note());
    }

    fn write_note(&mut self) -> io::Result<()> {
        let mut text = serde_json::to_vec(&self.note)?;
        text.push(b'\n');
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&text)?;
        self.file.set_len(text.len() as u64)
    }
}

/// The right to write output. Given back when dropped or when the process
/// dies. A lock of its own: a run that sends for an hour must not keep a build
/// from publishing.
#[derive(Debug)]
pub struct BuildLock {
    /// Holds the lock while it is open.
    _file: File,
}

impl BuildLock {
    /// Takes the lock that belongs to the database at `db_path`; `None` when
    /// another process has it. Does not wait.
    ///
    /// # Errors
    /// When the lock file cannot be used.
    pub fn acquire(db_path: &Path) -> Result<Option<Self>, StoreError> {
        let path = beside::companion(db_path, ".build.lock");
        let file = beside::open(&path, db_path)
            .map_err(|error| StoreError::system(path.clone(), error))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(StoreError::system(path, error)),
        }
    }
}

fn read_note(file: &mut File) -> io::Result<Note> {
    let mut text = String::new();
    file.take(4096).read_to_string(&mut text)?;
    Ok(serde_json::from_str(&text)?)
}

impl Held {
    fn describe(note: Option<Note>, now: DateTime<Utc>) -> Self {
        let Some(note) = note else {
            return Self {
                pid: None,
                host: None,
                since: None,
                progress_age: None,
                percent: None,
            };
        };
        Self {
            pid: Some(note.pid),
            host: Some(note.host),
            since: Some(note.since),
            progress_age: Some((now - note.progress_at).max(TimeDelta::zero())),
            percent: (note.sent.min(note.total) * 100).checked_div(note.total),
        }
    }

    /// Whether the holder made no progress for so long (10 minutes) that
    /// somebody should look.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.progress_age.is_some_and(|age| age >= STALE)
    }
}

/// Such as `another run (pid 4711, since 2026-11-27 05:00:03 UTC, 38 %) is active`.
impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut facts = Vec::new();
        facts.extend(self.pid.map(|pid| format!("pid {pid}")));
        facts.extend(
            self.since
                .map(|since| format!("since {}", since.format("%Y-%m-%d %H:%M:%S UTC"))),
        );
        facts.extend(self.percent.map(|percent| format!("{percent} %")));
        match facts.is_empty() {
            true => write!(f, "another run is active")?,
            false => write!(f, "another run ({}) is active", facts.join(", "))?,
        }
        match self.progress_age {
            Some(age) if age >= STALE => write!(f, ", no progress for {} min", age.num_minutes()),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn held(error: LockError) -> Held {
        match error {
            LockError::Held(held) => held,
            LockError::Store(error) => panic!("{error:?}"),
        }
    }

    #[test]
    fn a_second_holder_is_refused_and_told_who_and_how_far() {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("letterpress.db");
        let mut lock = RunLock::acquire(&db, at("2026-11-27T05:00:03Z")).unwrap();
        lock.progress(38, 100, at("2026-11-27T05:01:00Z"));
        lock.progress(99, 100, at("2026-11-27T05:01:00.5Z"));
        let refused = held(RunLock::acquire(&db, at("2026-11-27T05:02:00Z")).unwrap_err());
        assert_eq!(refused.pid, Some(std::process::id()));
        assert_eq!(refused.progress_age, Some(TimeDelta::minutes(1)));
        assert!(!refused.is_stale());
        assert_eq!(
            refused.to_string(),
            format!(
                "another run (pid {}, since 2026-11-27 05:00:03 UTC, 38 %) is active",
                std::process::id()
            )
        );
        let later = held(RunLock::acquire(&db, at("2026-11-27T05:18:00Z")).unwrap_err());
        assert!(later.is_stale());
        assert!(
            later.to_string().ends_with("no progress for 17 min"),
            "{later}"
        );
        drop(lock);
        RunLock::acquire(&db, at("2026-11-27T05:20:00Z")).unwrap();
    }

    #[test]
    fn a_database_with_two_names_has_one_lock() {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("letterpress.db");
        let elsewhere = folder.path().join("elsewhere");
        std::fs::create_dir(&elsewhere).unwrap();
        let link = elsewhere.join("ledger.db");
        std::os::unix::fs::symlink(&db, &link).unwrap();
        std::fs::write(&db, "").unwrap();
        let _lock = RunLock::acquire(&db, at("2026-11-27T05:00:00Z")).unwrap();
        held(RunLock::acquire(&link, at("2026-11-27T05:00:00Z")).unwrap_err());
    }

    #[test]
    fn what_a_dead_run_left_in_the_file_holds_nobody_up() {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("letterpress.db");
        for left in ["", "garbage", "{\"pid\":1,\"host\":\"elsewhere\"}"] {
            std::fs::write(beside::companion(&db, ".lock"), left).unwrap();
            let lock = RunLock::acquire(&db, at("2026-11-27T05:00:00Z")).unwrap();
            let again = held(RunLock::acquire(&db, at("2026-11-27T05:00:00Z")).unwrap_err());
            assert_eq!(again.pid, Some(std::process::id()));
            drop(lock);
        }
    }

    #[test]
    fn an_unusable_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("absent/letterpress.db");
        let error = RunLock::acquire(&db, at("2026-11-27T05:00:00Z")).unwrap_err();
        assert!(matches!(error, LockError::Store(_)));
        assert!(
            error.to_string().contains("absent/letterpress.db.lock"),
            "{error}"
        );
    }
}
