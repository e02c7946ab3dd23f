//! Readers who leave while the database is busy: written beside it, on stable
//! storage before they are told so, and taken up by whoever writes next.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::{companion, open, sync_folder};
use crate::{
    domain::{
        address::EmailAddress,
        consent::{Evidence, Who},
        subscriber::SubscriberId,
    },
    store::{
        departures::{self, Departure},
        error::{Fault, StoreError},
        sql::Connection,
    },
};

/// What follows the database's name.
const END: &str = ".leaving";

/// One line of the file.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct Note {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// The public id, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reader: Option<String>,
    source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    network: Option<String>,
    pub(in crate::store) at: DateTime<Utc>,
    /// Earlier versions knew no other than that of the whole list.
    #[serde(default)]
    pub(in crate::store) departure: Departure,
}

impl Note {
    /// What is to be noted of the reader with this address.
    pub(in crate::store) fn new(
        address: &EmailAddress,
        departure: Departure,
        evidence: &Evidence,
        at: DateTime<Utc>,
    ) -> Self {
        Self {
            address: Some(address.expose().to_owned()),
            ..Self::of(departure, evidence, at)
        }
    }

    /// What is to be noted of a reader whom a link names.
    pub(in crate::store) fn of_reader(
        reader: SubscriberId,
        departure: Departure,
        evidence: &Evidence,
        at: DateTime<Utc>,
    ) -> Self {
        Self {
            reader: Some(HEXLOWER.encode(&reader.0)),
            ..Self::of(departure, evidence, at)
        }
    }

    fn of(departure: Departure, evidence: &Evidence, at: DateTime<Utc>) -> Self {
        Self {
            address: None,
            reader: None,
            source: evidence.source.clone(),
            network: evidence.network.map(|network| network.to_string()),
            at,
            departure,
        }
    }

    /// How we know.
    pub(in crate::store) fn evidence(&self) -> Evidence {
        let network = self.network.as_ref();
        Evidence {
            network: network.and_then(|network| network.parse().ok()),
            ..Evidence::of(&*self.source)
        }
    }

    /// Who left; `None` for what names nobody.
    pub(in crate::store) fn who(&self) -> Option<Who> {
        if let Some(reader) = &self.reader {
            let id = HEXLOWER.decode(reader.as_bytes()).ok()?;
            return Some(Who::Reader(SubscriberId(id.try_into().ok()?)));
        }
        let address = self.address.as_ref()?;
        let address = EmailAddress::international(address).ok()?;
        Some(Who::Address(address))
    }
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

    /// Notes readers who leave; durable when it returns.
    pub(in crate::store) fn append(&self, notes: &[Note]) -> Result<(), StoreError> {
        if notes.is_empty() {
            return Ok(());
        }
        self.write(notes).map_err(|error| self.told(error))
    }

    fn write(&self, notes: &[Note]) -> io::Result<()> {
        let mut lines = Vec::new();
        for note in notes {
            serde_json::to_writer(&mut lines, note)?;
            lines.push(b'\n');
        }
        let mut file = open(&self.path, &self.db_path)?;
        file.lock()?;
        let length = file.seek(SeekFrom::End(0))?;
        if length > 0 && !ends_a_line(&mut file, length)? {
            // Somebody died in the middle of a line that was never answered for.
            lines.insert(0, b'\n');
        }
        file.seek(SeekFrom::End(0))?;
        file.write_all(&lines)?;
        file.sync_all()?;
        sync_folder(&self.path)
    }

    /// Whether notes wait to be taken up.
    pub(in crate::store) fn has_notes(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|facts| facts.len() > 0)
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
            departures::take_up(connection, &note)?;
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
