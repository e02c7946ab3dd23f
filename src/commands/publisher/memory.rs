//! What the last build noted of the files it published, so that this one need
//! not make or read them again. It makes a build quicker and nothing else: the
//! ledger says what is ours, and bytes decide where the two do not agree.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};

use super::compress;
use crate::{
    commands::workspace,
    config::Config,
    domain::fingerprint::Fingerprint,
    files::{
        self, Readers, Stamp,
        record::{Record, put_length, seal, take_length, unseal},
    },
};

/// How the file begins: what it is, and which build of the program made it.
const HEAD: &[u8] = concat!("letterpress output ", env!("LETTERPRESS_BUILD"), "\n").as_bytes();

/// What is noted of a published file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Noted {
    /// Of what it was made of.
    pub(super) recipe: Option<Fingerprint>,
    /// SHA-256 of its bytes.
    pub(super) hash: [u8; 32],
    /// While it looks like this it has these bytes; `None` when it was written
    /// so lately that only its bytes can tell.
    pub(super) stamp: Option<Stamp>,
    /// Whether it has compressed copies.
    pub(super) has_copies: bool,
}

/// The files of one output folder.
#[derive(Debug)]
pub(super) struct Memory {
    file: PathBuf,
    folder: PathBuf,
    noted: HashMap<String, Noted>,
}

impl Memory {
    /// Reads what the last build noted of `folder`; nothing of another folder,
    /// of another build of the program, or from a file that is damaged.
    pub(super) fn read(config: &Config, folder: &Path) -> Self {
        let file = workspace::beside_ledger(config, ".output.cache");
        let noted = fs::read(&file).ok().and_then(|bytes| parse(&bytes, folder));
        Self {
            file,
            folder: folder.to_owned(),
            noted: noted.unwrap_or_default(),
        }
    }

    /// What was noted of a file.
    pub(super) fn get(&self, path: &str) -> Option<&Noted> {
        self.noted.get(path)
    }

    /// Every file but for compressed copies, which come and go with theirs.
    pub(super) fn originals(&self) -> impl Iterator<Item = &str> {
        let is_copy = |path: &str| {
            let original = compress::original(path).and_then(|path| self.get(path));
            original.is_some_and(|noted| noted.has_copies)
        };
        let all = self.noted.keys().map(String::as_str);
        all.filter(move |path| !is_copy(path))
    }

    /// Of every file with its bytes.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        let noted = self.noted.iter();
        let mut all: Vec<_> = noted.map(|(path, noted)| (path, noted.hash)).collect();
        all.sort_unstable();
        Fingerprint::of(&all)
    }

    /// Keeps what this build noted for the next one.
    pub(super) fn write(&self, next: &HashMap<String, Noted>) -> io::Result<()> {
        if *next == self.noted {
            return Ok(());
        }
        let mut all: Vec<(&String, &Noted)> = next.iter().collect();
        all.sort_by_key(|(path, _)| *path);
        let bytes = seal(HEAD, all.len() * 160, |out| {
            name(&self.folder).put(out);
            put_length(all.len(), out);
            for (path, noted) in all {
                path.put(out);
                noted.put(out);
            }
        });
        files::write_unsynced(&self.file, &bytes, Readers::Owner)
    }
}

/// Of every file that the last build into `folder` published, with its bytes.
#[must_use]
pub(in crate::commands) fn noted_files(config: &Config, folder: &Path) -> Fingerprint {
    Memory::read(config, folder).fingerprint()
}

fn parse(bytes: &[u8], folder: &Path) -> Option<HashMap<String, Noted>> {
    let mut bytes = unseal(HEAD, bytes)?;
    let bytes = &mut bytes;
    if String::take(bytes)? != name(folder) {
        return None;
    }
    let count = take_length(bytes)?;
    let mut noted = HashMap::with_capacity(count.min(bytes.len()));
    for _ in 0..count {
        noted.insert(String::take(bytes)?, Noted::take(bytes)?);
    }
    bytes.is_empty().then_some(noted)
}

fn name(folder: &Path) -> String {
    folder.to_string_lossy().into_owned()
}

impl Noted {
    /// A compressed copy.
    pub(super) fn copy(hash: [u8; 32]) -> Self {
        Self {
            recipe: None,
            hash,
            stamp: None,
            has_copies: false,
        }
    }

    /// Whether the file at `place` still has these bytes; what is noted of it
    /// now. Reads it only if its entry leaves doubt.
    pub(super) fn still(&self, place: &Path, since: DateTime<Utc>) -> io::Result<Option<Self>> {
        let facts = fs::symlink_metadata(place)?;
        let stamp = Stamp::of(&facts);
        if !facts.is_file() {
            return Ok(None);
        }
        if self.stamp == Some(stamp) {
            return Ok(Some(*self));
        }
        let is_same = super::hash(&fs::read(place)?) == self.hash;
        let stamp = Some(stamp).filter(|stamp| stamp.is_settled(since));
        Ok(is_same.then_some(Self { stamp, ..*self }))
    }
}

impl Record for Noted {
    fn put(&self, out: &mut Vec<u8>) {
        let Self {
            recipe,
            hash,
            stamp,
            has_copies,
        } = self;
        recipe.put(out);
        hash.put(out);
        stamp.put(out);
        has_copies.put(out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        Some(Self {
            recipe: Record::take(bytes)?,
            hash: Record::take(bytes)?,
            stamp: Record::take(bytes)?,
            has_copies: Record::take(bytes)?,
        })
    }
}
