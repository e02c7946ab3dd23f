//! What relays said while the database server was away: written beside the ledger
//! by a process that ends before it is back, and told to it at the next start.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{companion, open, sync_folder};
use crate::{
    domain::delivery::{AttemptId, DeliveryId, Outcome},
    store::error::StoreError,
};

/// What follows the ledger's name.
const END: &str = ".outcomes";

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct Told {
    /// Which ledger: numbers of attempts mean nothing in another.
    pub(in crate::store) ledger: String,
    pub(in crate::store) attempt: AttemptId,
    /// Of which delivery: a server that took over may have given the number of
    /// the attempt to another.
    pub(in crate::store) delivery: DeliveryId,
    pub(in crate::store) outcome: Outcome,
    pub(in crate::store) at: DateTime<Utc>,
}

/// Writes down how attempts ended; durable when it returns.
pub(in crate::store) fn append(db_path: &Path, told: &[Told]) -> Result<(), StoreError> {
    let path = companion(db_path, END);
    let write = || {
        let mut lines = Vec::new();
        for one in told {
            serde_json::to_writer(&mut lines, one)?;
            lines.push(b'\n');
        }
        let mut file = open(&path, db_path)?;
        file.lock()?;
        file.seek(SeekFrom::End(0))?;
        // Whoever died in the middle of a line must not spoil the next.
        file.write_all(b"\n")?;
        file.write_all(&lines)?;
        file.sync_all()?;
        sync_folder(&path)
    };
    write().map_err(|error: io::Error| StoreError::system(path.clone(), error))
}

/// What was written down, held until the ledger has it.
pub(in crate::store) struct Journal {
    file: File,
    path: PathBuf,
}

/// Reads what was written down for this ledger; `None` when nothing was, or
/// another process is about to tell it.
pub(in crate::store) fn read(
    db_path: &Path,
    ledger: &str,
) -> Result<Option<(Journal, Vec<Told>)>, StoreError> {
    let path = companion(db_path, END);
    let read = || {
        match fs::metadata(&path) {
            Ok(facts) if facts.len() > 0 => {}
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
        let mut file = open(&path, db_path)?;
        if file.try_lock().is_err() {
            return Ok(None);
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let lines = text.split(|byte| *byte == b'\n');
        let told = lines.filter_map(|line| serde_json::from_slice::<Told>(line).ok());
        Ok(Some((
            file,
            told.filter(|one| one.ledger == ledger).collect(),
        )))
    };
    let found: io::Result<Option<(File, Vec<Told>)>> = read();
    let found = found.map_err(|error| StoreError::system(path.clone(), error))?;
    Ok(found.map(|(file, told)| (Journal { file, path }, told)))
}

impl Journal {
    /// The ledger has them. Told once more they would change nothing.
    pub(in crate::store) fn forget(self) -> Result<(), StoreError> {
        let emptied = self.file.set_len(0);
        emptied.map_err(|error| StoreError::system(self.path, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::delivery::{Phase, Reply};

    #[test]
    fn what_was_written_down_is_read_for_its_ledger_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = folder.path().join("letterpress.postgres");
        let reply = Reply::new(550, "5.1.1 unknown");
        let told = |ledger: &str, attempt, outcome| Told {
            ledger: ledger.to_owned(),
            attempt,
            delivery: 3,
            outcome,
            at: "2026-11-27T05:00:00Z".parse().unwrap(),
        };
        let rejected = Outcome::Rejected {
            phase: Phase::Rcpt,
            reply: reply.clone(),
            is_hard: true,
        };
        let ours = told("ours", 7, rejected);
        let other = told("other", 7, Outcome::Sent(reply));
        append(&ledger, &[ours.clone(), other]).unwrap();
        // Somebody died in the middle of a line.
        let path = companion(&ledger, END);
        let mut text = fs::read(&path).unwrap();
        text.extend_from_slice(b"{\"ledger\":\"ou");
        fs::write(&path, text).unwrap();
        let later = told("ours", 8, Outcome::Requeued { reason: "x".into() });
        append(&ledger, std::slice::from_ref(&later)).unwrap();
        let (journal, found) = read(&ledger, "ours").unwrap().unwrap();
        assert_eq!(found, [ours, later]);
        assert!(read(&ledger, "ours").unwrap().is_none(), "it is held");
        journal.forget().unwrap();
        assert!(read(&ledger, "ours").unwrap().is_none());
    }
}
