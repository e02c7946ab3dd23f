//! What a process that is killed would take with it: of which messages the end may
//! have left, and what relays said of them before the ledger has it. It is written
//! into memory that outlives the process but not the machine, so it costs no wait
//! for a disk, and can never be older than it seems.
//!
//! With it a start after `kill -9` knows more than the ledger: what was answered is
//! settled, what was never ended waits again, and only what was under way at that
//! moment is uncertain. Where there is no such memory, everything is.
//!
//! The rule that lets silence speak: **every attempt whose final dot may have left
//! and whose outcome is not committed stands on the slate.** Who cannot keep it
//! [spoils](Slate::spoil) the slate, and then it says nothing at all.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use chrono::{DateTime, Utc};
use data_encoding::HEXLOWER;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use crate::{
    domain::delivery::{AttemptId, Outcome},
    store::{error::StoreError, opening},
};

/// Memory with names (POSIX shared memory): gone with the machine, not before.
const MEMORY: &str = "/dev/shm";
const PREFIX: &str = "letterpress-";
/// Of the head and of each session: two pages of the system, none of which a write
/// tears.
const PAGE: u64 = 8_192;
/// Where the two newest answers of a session stand in its page.
const ANSWERS: [u64; 2] = [64, 4_096];
/// Longer than any outcome with its reply.
const LONGEST: usize = 4_000;
const HEAD: &[u8] = b"letterpress slate 1\n";

/// How an attempt ended, as its session heard it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ended {
    pub(super) attempt: AttemptId,
    pub(super) outcome: Outcome,
    pub(super) at: DateTime<Utc>,
}

/// The slate of one drain.
#[derive(Debug)]
pub struct Slate {
    file: File,
    path: PathBuf,
    name: String,
    sessions: Mutex<HashMap<usize, Place>>,
    is_spoiled: AtomicBool,
}

/// What a session wrote last.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    dot: AttemptId,
    /// How that attempt ended was not told yet.
    is_open: bool,
    /// Which of the two answers is the older one.
    older: usize,
}

impl Slate {
    /// A new one; `None` where no memory outlives the process.
    pub(super) fn new() -> Option<Self> {
        let mut name = [0; 16];
        opening::fill_random(&mut name).ok()?;
        let name = HEXLOWER.encode(&name);
        let path = path(&name);
        if !is_memory() {
            return None;
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .ok()?;
        let slate = Self {
            file,
            path,
            name,
            sessions: Mutex::default(),
            is_spoiled: AtomicBool::new(false),
        };
        // Whoever else takes this ledger for one that nobody is at work on must not
        // take it for that of a process that died.
        let is_held = slate.file.try_lock().is_ok();
        if is_held && slate.file.write_all_at(HEAD, 0).is_ok() {
            Some(slate)
        } else {
            slate.forget();
            None
        }
    }

    /// Its drain is over: now it may be read.
    pub(super) fn let_go(&self) {
        drop(self.file.unlock());
    }

    /// What the ledger knows it by.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether what it does not say would be believed.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        !self.is_spoiled.load(Ordering::Relaxed)
    }

    /// The end of a message may leave now, over session `session`.
    ///
    /// # Errors
    /// When it can neither be written down nor be made to say nothing: then the end
    /// must not leave.
    pub fn dot(&self, session: usize, attempt: AttemptId) -> Result<(), StoreError> {
        let mut line = [0; 12];
        line[..8].copy_from_slice(&attempt.to_le_bytes());
        let check = crc32fast::hash(&line[..8]);
        line[8..].copy_from_slice(&check.to_le_bytes());
        let was_open = {
            let mut sessions = self.sessions();
            let place = sessions.entry(session).or_default();
            place.dot = attempt;
            std::mem::replace(&mut place.is_open, true)
        };
        if was_open {
            // The attempt before would be hidden.
            return self.spoil();
        }
        self.write(&line, page(session))
    }

    /// An attempt has ended; the ledger is about to be told. Of attempts whose end
    /// never left nothing has to be said.
    ///
    /// # Errors
    /// As [`Slate::dot`].
    pub fn ended(
        &self,
        attempt: AttemptId,
        outcome: &Outcome,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let place = {
            let mut sessions = self.sessions();
            let found = sessions.iter_mut().find(|(_, place)| place.dot == attempt);
            let Some((session, place)) = found else {
                return Ok(());
            };
            // The newer one stays: its outcome is in the ledger once the next but
            // one message of this session has an intent, and not before.
            let older = place.older;
            place.older = 1 - older;
            place.is_open = false;
            page(*session) + ANSWERS[older]
        };
        let ended = Ended {
            attempt,
            outcome: outcome.clone(),
            at,
        };
        let text = serde_json::to_vec(&ended).unwrap_or_default();
        if text.is_empty() || text.len() > LONGEST {
            return self.spoil();
        }
        let mut line = Vec::with_capacity(8 + text.len());
        line.extend_from_slice(&(text.len() as u32).to_le_bytes());
        line.extend_from_slice(&crc32fast::hash(&text).to_le_bytes());
        line.extend_from_slice(&text);
        self.write(&line, place)
    }

    /// Makes it say nothing: something happened that it cannot tell.
    ///
    /// # Errors
    /// When that is impossible.
    pub fn spoil(&self) -> Result<(), StoreError> {
        self.is_spoiled.store(true, Ordering::Relaxed);
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let emptied = self.file.set_len(0);
                emptied.map_err(|error| StoreError::system(self.path.clone(), error))
            }
            _ => Ok(()),
        }
    }

    /// Nothing is under way any more.
    pub(super) fn forget(&self) {
        // One that is left says nothing: the ledger does not name it.
        drop(fs::remove_file(&self.path));
    }

    fn write(&self, line: &[u8], at: u64) -> Result<(), StoreError> {
        match self.file.write_all_at(line, at) {
            Ok(()) => Ok(()),
            Err(_) => self.spoil(),
        }
    }

    fn sessions(&self) -> std::sync::MutexGuard<'_, HashMap<usize, Place>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a process that died left on its slate.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Left {
    /// How attempts ended.
    pub(super) ended: Vec<Ended>,
    /// Attempts whose end may have left.
    pub(super) dots: HashSet<AttemptId>,
}

impl Left {
    /// What stands on the slate of this name; `None` when nothing can be told from
    /// it: the machine was restarted, or it is spoiled, somebody else's, or
    /// in use.
    pub(super) fn on(name: &str) -> Option<Self> {
        if !is_name(name) {
            return None;
        }
        let text = read(&path(name)).ok()?;
        let mut pages = text.chunks(PAGE as usize);
        if !pages.next()?.starts_with(HEAD) {
            return None;
        }
        let mut left = Self::default();
        for page in pages {
            // One that is damaged must not pass for one that is silent.
            left.take(page)?;
        }
        Some(left)
    }

    fn take(&mut self, page: &[u8]) -> Option<()> {
        let word = |at: usize| {
            let bytes = page.get(at..at + 4).unwrap_or_default();
            u32::from_le_bytes(bytes.try_into().unwrap_or_default())
        };
        let dot = page.get(..8)?;
        let attempt = i64::from_le_bytes(dot.try_into().ok()?);
        if attempt != 0 {
            if crc32fast::hash(dot) != word(8) {
                return None;
            }
            self.dots.insert(attempt);
        }
        for at in ANSWERS.map(|at| at as usize) {
            let length = word(at) as usize;
            if length == 0 {
                continue;
            }
            let text = page.get(at + 8..at + 8 + length)?;
            if crc32fast::hash(text) != word(at + 4) {
                return None;
            }
            self.ended.push(serde_json::from_slice(text).ok()?);
        }
        Some(())
    }
}

/// Removes what a process that died left.
pub(super) fn remove(name: &str) {
    if is_name(name) {
        drop(fs::remove_file(path(name)));
    }
}

/// Whether this can be a slate's name: it becomes part of a path.
fn is_name(name: &str) -> bool {
    name.len() == 32 && HEXLOWER.decode(name.as_bytes()).is_ok()
}

fn path(name: &str) -> PathBuf {
    Path::new(MEMORY).join(format!("{PREFIX}{name}"))
}

fn page(session: usize) -> u64 {
    PAGE * (session as u64 + 1)
}

/// Reads a file that only we can have written.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)?;
    let facts = file.metadata()?;
    let is_ours = facts.is_file()
        && facts.uid() == rustix::process::geteuid().as_raw()
        && facts.mode() & 0o077 == 0
        && is_memory();
    if !is_ours {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    file.try_lock()?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok(text)
}

/// Whether the place is memory indeed (tmpfs): a disk may keep an older state of a
/// file than that of the ledger.
#[cfg(target_os = "linux")]
fn is_memory() -> bool {
    const TMPFS: u32 = 0x0102_1994;
    rustix::fs::statfs(MEMORY).is_ok_and(|facts| facts.f_type as u32 == TMPFS)
}

#[cfg(not(target_os = "linux"))]
fn is_memory() -> bool {
    false
}
