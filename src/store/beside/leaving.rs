//! Readers who leave while the database is busy: written beside it, on stable
//! storage before they are told so, and taken up by whoever writes next.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::{companion, open, sync_folder};
use crate::{
    domain::address::EmailAddress,
    store::{
        error::{Fault, StoreError},
        subscribers,
    },
};

/// What follows the database's name.
const END: &str = ".leaving";

/// One line of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    address: String,
    source: String,
    at: DateTime<Utc>,
}

/// The file with the notes.
pub(in crate::store) struct Leaving {
    path: PathBuf,
    db_path: PathBuf,
}

impl Leaving {
    /// That of the database at `db_path`.
    pub(in crate::store) fn of(db_path: &Path) -> Self {
        Self {
            path: companion(db_path, END),
            db_path: db_path.to_owned(),
        }
    }

    /// Notes that a reader leaves; durable when it returns.
    pub(in crate::store) fn append(
        &self,
        address: &EmailAddress,
        source: &str,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let note = Note {
            address: address.expose().to_owned(),
            source: source.to_owned(),
            at: now,
        };
        self.write(&note).map_err(|error| self.told(error))
    }

    fn write(&self, note: &Note) -> io::Result<()> {
        let mut line = serde_json::to_vec(note)?;
        line.push(b'\n');
        let mut file = open(&self.path, &self.db_path)?;
        file.lock()?;
        let length = file.seek(SeekFrom::End(0))?;
        if length > 0 && !ends_a_line(&mut file, length)? {
            // Somebody died in the middle of a line that was never answered for.
            line.insert(0, b'\n');
        }
        file.seek(SeekFrom::End(0))?;
        file.write_all(&line)?;
        file.sync_all()?;
        sync_folder(&self.path)
    }

    /// Takes everybody off the list who was noted, as part of a transaction;
    /// `None` when nobody was.
    pub(in crate::store) fn take_up(
        &self,
        connection: &Connection,
    ) -> Result<Option<Taken>, Fault> {
        let told = |error| self.told(error);
        // Once for each commit: a question to the kernel, no more.
        match fs::metadata(&self.path) {
            Ok(facts) if facts.len() > 0 => {}
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            // Whoever stands in a file that cannot be read must not be written to.
            Err(error) => return Err(told(error).into()),
        }
        let mut file = open(&self.path, &self.db_path).map_err(told)?;
        file.lock().map_err(told)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(told)?;
        for line in text.split(|byte| *byte == b'\n') {
            // A torn line is one whose writer died before it answered.
            let Ok(note) = serde_json::from_slice::<Note>(line) else {
                continue;
            };
            if let Ok(address) = EmailAddress::international(&note.address) {
                subscribers::leave_as_noted(connection, &address, &note.source, note.at)?;
            }
        }
        Ok(Some(Taken(file)))
    }

    fn told(&self, error: io::Error) -> StoreError {
        StoreError::system(self.path.clone(), error)
    }
}

fn ends_a_line(file: &mut File, length: u64) -> io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::Start(length - 1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// Notes that were taken up in a transaction. Until they are forgotten nobody
/// adds to the file; if that never happens they are taken up again, which
/// changes nothing.
pub(in crate::store) struct Taken(File);

impl Taken {
    /// The transaction is committed.
    pub(in crate::store) fn forget(self) -> io::Result<()> {
        self.0.set_len(0)
    }
}
