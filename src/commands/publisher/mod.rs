//! Writes the output folder: whole files, only those whose bytes differ, with
//! compressed copies; takes away what nothing makes any more, and leaves alone
//! what others put there.
//!
//! Files are written under other names while the build goes on. `finish` notes
//! them in the ledger, gives all of them their places, then removes what is
//! left over: a build that fails leaves what was published before complete.

mod built;
mod compress;
mod destination;
mod finish;
mod keep;
mod known;
mod memory;
mod stage;
#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, hash_map::Entry},
    io,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};
use url::Url;

pub(in crate::commands) use self::memory::noted_files;
pub use self::{built::Built, destination::Destination};
use self::{
    known::Known,
    memory::{Memory, Noted},
    stage::Difference,
};
use super::{
    exit::{Exit, Failure},
    workspace,
};
use crate::{
    config::{Config, settings::Compression},
    domain::fingerprint::Fingerprint,
    files::{Batch, Waiting, WriteError},
    store::{Output, Store},
};

/// The output folder while it is being written. May be used from several
/// threads at once: compressing takes longer than making most files.
pub struct Publisher<'a> {
    store: &'a Store,
    destination: Destination,
    name: String,
    base_url: &'a Url,
    hub: Option<&'a Url>,
    compressions: &'a [Compression],
    known: Known,
    memory: Memory,
    /// The machine's time before anything was looked at.
    since: DateTime<Utc>,
    batch: Batch,
    progress: Mutex<Progress>,
}

/// What was put so far.
#[derive(Default)]
struct Progress {
    /// Every path of this build, with the hash of what it is for.
    claimed: HashMap<String, [u8; 32]>,
    /// What the next build may know of the files that are there already.
    noted: HashMap<String, Noted>,
    staged: Vec<Staged>,
    /// Files that have our bytes though the ledger does not know or is in doubt.
    adopted: Vec<Output>,
    /// Paths of feeds that hubs are told of.
    feeds: Vec<String>,
    built: Built,
}

/// A file that waits for its place.
struct Staged {
    path: String,
    file: Waiting,
    noted: Noted,
    is_copy: bool,
}

impl<'a> Publisher<'a> {
    /// Reads what the ledger knows of the folder; nothing is written yet.
    ///
    /// # Errors
    /// When the ledger cannot be read, or the folder cannot be used.
    pub async fn begin(
        config: &'a Config,
        store: &'a Store,
        destination: Destination,
    ) -> Result<Self, Failure> {
        let name = destination.name(config);
        let manifest = store
            .manifest(&name)
            .await
            .map_err(workspace::store_failure)?;
        // Another publication may write into the same folder at this moment.
        let whose = Sha256::digest(store.path().as_os_str().as_encoded_bytes());
        let folder = format!(".letterpress-{}", HEXLOWER.encode(&whose[..4]));
        let folder = destination.out.join(folder);
        let batch = Batch::new(&folder).map_err(|source| unwritable(&folder, source))?;
        Ok(Self {
            store,
            name,
            base_url: &config.publication.base_url,
            hub: config.feeds.hub.as_ref(),
            compressions: &config.compress,
            known: Known::new(manifest),
            memory: Memory::read(config, &destination.out),
            since: destination.clock.machine_time(),
            destination,
            batch,
            progress: Mutex::default(),
        })
    }

    /// Ends without publishing anything.
    #[must_use]
    pub fn give_up(self) -> Destination {
        self.destination
    }

    /// Publishes a file below the folder unless it has these bytes already.
    /// Nothing is in its place before [`Publisher::finish`]. `recipe` is of
    /// everything that the file was made of, for [`Publisher::keeps`].
    ///
    /// # Errors
    /// When it cannot be written, or something else was put there in this build.
    pub fn put(
        &self,
        path: &str,
        recipe: Option<Fingerprint>,
        bytes: &[u8],
    ) -> Result<(), Failure> {
        self.publish(path, recipe, bytes).map(drop)
    }

    /// Publishes a feed that readers subscribe to: the hub is told when its
    /// bytes change. Archive documents are no such feeds.
    ///
    /// # Errors
    /// As [`Publisher::put`].
    pub fn put_feed(
        &self,
        path: &str,
        recipe: Option<Fingerprint>,
        bytes: &[u8],
    ) -> Result<(), Failure> {
        if self.publish(path, recipe, bytes)? {
            self.progress().feeds.push(path.to_owned());
        }
        Ok(())
    }

    /// What the folder is called in the ledger: relative to the publication
    /// where it lies in it, else its full path.
    #[must_use]
    pub fn folder(&self) -> &str {
        &self.name
    }

    /// The folder itself.
    #[must_use]
    pub fn out(&self) -> &Path {
        self.destination.folder()
    }

    /// Whether the file will change.
    fn publish(
        &self,
        path: &str,
        recipe: Option<Fingerprint>,
        bytes: &[u8],
    ) -> Result<bool, Failure> {
        let noted = Noted {
            recipe,
            hash: hash(bytes),
            stamp: None,
            has_copies: compress::is_worth_it(path, bytes),
        };
        if !self.claim(path, &noted.hash)? {
            return Ok(false);
        }
        let difference = self.stage(path, bytes, noted, false)?;
        let mut progress = self.progress();
        let name = path.to_owned();
        match difference {
            Difference::Absent => progress.built.created.push(name),
            Difference::Other => progress.built.changed.push(name),
            Difference::None => progress.built.unchanged += 1,
            Difference::Foreign => {
                progress.built.in_the_way.push(name);
                return Ok(false);
            }
        }
        drop(progress);
        if noted.has_copies {
            self.copies(path, bytes, &noted.hash, difference)?;
        }
        Ok(difference != Difference::None)
    }

    fn copies(
        &self,
        path: &str,
        bytes: &[u8],
        original: &[u8; 32],
        difference: Difference,
    ) -> Result<(), Failure> {
        for &compression in self.compressions {
            let copy = compress::copy_of(path, compression);
            self.claim(&copy, original)?;
            if difference == Difference::None && self.keeps_copy(&copy)? {
                continue;
            }
            let compressed = compress::compress(bytes, compression)
                .map_err(|error| Failure::of(Exit::Internal, &error))?;
            let noted = Noted::copy(hash(&compressed));
            if self.stage(&copy, &compressed, noted, true)? == Difference::Foreign {
                self.progress().built.in_the_way.push(copy);
            }
        }
        Ok(())
    }

    /// Notes that this build makes a path of bytes with this hash (a copy: of an
    /// original with this hash); `false` when it did so already.
    fn claim(&self, path: &str, hash: &[u8; 32]) -> Result<bool, Failure> {
        let is_sound =
            !path.contains('\0') && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if !is_sound {
            let what = format!("`{path}` is no path below the output folder");
            return Err(Failure::new(Exit::Data, what));
        }
        match self.progress().claimed.entry(path.to_owned()) {
            Entry::Vacant(entry) => {
                entry.insert(*hash);
                Ok(true)
            }
            Entry::Occupied(entry) if entry.get() == hash => Ok(false),
            Entry::Occupied(_) => {
                let what = format!("two different files would be published as `{path}`");
                Err(Failure::new(Exit::Data, what)
                    .hint("give one of them another address; nothing was published"))
            }
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn unwritable(path: &Path, source: io::Error) -> Failure {
    let path = path.to_owned();
    Failure::of(Exit::Io, &WriteError { path, source }).hint(
        "what was published before is complete; free space or mend permissions and build again",
    )
}
