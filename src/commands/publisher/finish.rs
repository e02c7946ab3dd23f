//! The end of a build: intent in the ledger, all files to their places, what is
//! left over removed, and the ledger told that it is done.

use std::{
    collections::{BTreeSet, HashSet},
    fs, io,
    path::PathBuf,
};

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

use super::{Built, Failure, Progress, Publisher, Staged, compress, is_absence, known, unwritable};
use crate::{
    commands::workspace,
    files,
    store::{News, Output},
};

/// What `finish` leaves behind it, for the ledger and for the caller.
#[derive(Default)]
struct Outcome {
    gone: Vec<Output>,
    removed: Vec<String>,
    left_alone: Vec<String>,
    /// Places whose folders changed.
    touched: Vec<PathBuf>,
}

impl Publisher<'_> {
    /// Gives every file its place and removes what nothing makes any more.
    /// `now` is when the feeds changed, for the hub.
    ///
    /// # Errors
    /// When the ledger or a file cannot be written. Each file is complete then,
    /// with its old or its new bytes, and the next build goes on from there.
    pub async fn finish(mut self, now: DateTime<Utc>) -> Result<Built, Failure> {
        let progress = std::mem::take(self.progress.get_mut().unwrap_or_else(|e| e.into_inner()));
        let Progress {
            claimed,
            mut staged,
            adopted,
            mut feeds,
            mut built,
        } = progress;
        let obsolete: Vec<String> = self
            .known
            .files()
            .into_iter()
            .filter(|path| !claimed.contains_key(*path))
            .map(str::to_owned)
            .collect();
        let needed: HashSet<&str> = claimed.keys().flat_map(|p| known::folders_of(p)).collect();
        let mut outcome = Outcome::default();
        let is_idle = staged.is_empty() && adopted.is_empty() && obsolete.is_empty();
        if is_idle && !self.known.is_cut_off {
            // Somebody may have emptied a folder that only we had a use for.
            self.remove_folders(&needed, &mut outcome)?;
            if outcome.gone.is_empty() {
                return Ok(sorted(built));
            }
        }
        // 1. The bytes are on disk before anybody is told.
        let waiting: Vec<_> = staged.iter().map(|one| &one.file).collect();
        let synced = self.batch.sync(&waiting);
        synced.map_err(|source| unwritable(&self.destination.out, source))?;
        // 2. The ledger knows what will be ours before it is there.
        feeds.sort();
        let folders = self.folders_to_make(&staged);
        let written = staged.iter().map(|one| known::file(&one.path, one.hash));
        let made = folders.iter().map(|path| known::folder(path));
        let intended = adopted.iter().cloned().chain(written).chain(made).collect();
        self.store
            .intend_outputs(&self.name, intended, self.news(&feeds), now)
            .await
            .map_err(workspace::store_failure)?;
        // 3. What stands where a folder or file of ours must be goes first.
        let (first, last): (Vec<_>, Vec<_>) = split_clashing(obsolete, &claimed, &staged);
        self.remove(&first, &mut outcome)?;
        if !first.is_empty() {
            self.remove_folders(&needed, &mut outcome)?;
        }
        // 4. Every file to its place, copies first: a copy is never older than
        //    its original, which is how the next build knows that it is good.
        staged.sort_by(|a, b| (!a.is_copy, &a.path).cmp(&(!b.is_copy, &b.path)));
        self.forget_older(&staged, &adopted, &mut outcome);
        for one in staged {
            self.place(one, &mut outcome)?;
        }
        // 5. What nothing makes any more, and folders that became empty.
        self.remove(&last, &mut outcome)?;
        self.remove_folders(&needed, &mut outcome)?;
        let synced = files::sync_places(outcome.touched.iter().map(PathBuf::as_path));
        synced.map_err(|source| unwritable(&self.destination.out, source))?;
        // 6. Done.
        self.store
            .settle_outputs(&self.name, outcome.gone)
            .await
            .map_err(workspace::store_failure)?;
        built.removed = outcome.removed;
        built.left_alone = outcome.left_alone;
        Ok(sorted(built))
    }

    /// Folders that the new files need and that are not there, outermost first.
    fn folders_to_make(&self, staged: &[Staged]) -> BTreeSet<String> {
        let needed: BTreeSet<&str> = staged
            .iter()
            .flat_map(|one| known::folders_of(&one.path))
            .collect();
        needed
            .into_iter()
            .filter(|path| !self.destination.out.join(path).is_dir())
            .map(str::to_owned)
            .collect()
    }

    fn news(&self, feeds: &[String]) -> Option<News> {
        let hub = self.hub.filter(|_| !feeds.is_empty())?;
        let topic = |path: &String| Some(self.base_url.join(path).ok()?.to_string());
        Some(News {
            hub: hub.to_string(),
            topics: feeds.iter().filter_map(topic).collect(),
        })
    }

    /// Of each path only the newest bytes stay ours.
    fn forget_older(&self, staged: &[Staged], adopted: &[Output], outcome: &mut Outcome) {
        let newest = staged
            .iter()
            .map(|one| (one.path.as_str(), one.hash))
            .chain(
                adopted
                    .iter()
                    .filter_map(|one| Some((one.path.as_str(), one.sha256?))),
            );
        for (path, hash) in newest {
            let older = self.known.hashes(path).iter().filter(|old| **old != hash);
            outcome
                .gone
                .extend(older.map(|old| known::file(path, *old)));
        }
    }

    fn place(&self, one: Staged, outcome: &mut Outcome) -> Result<(), Failure> {
        let place = self.destination.out.join(&one.path);
        let failed = |source| unwritable(&place, source);
        if let Some(folder) = place.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        self.batch.place(one.file, &place).map_err(failed)?;
        outcome.touched.push(place);
        Ok(())
    }

    /// Removes files that still have bytes of ours.
    fn remove(&self, paths: &[String], outcome: &mut Outcome) -> Result<(), Failure> {
        for path in paths {
            let place = self.destination.out.join(path);
            let failed = |source| unwritable(&place, source);
            let hashes = self.known.hashes(path);
            let is_copy = compress::original(path).is_some_and(|o| self.known.has_file(o));
            match self.hash_of(path).map_err(failed)? {
                None => {}
                Some(Some(hash)) if hashes.contains(&hash) => {
                    fs::remove_file(&place).map_err(failed)?;
                    if !is_copy {
                        outcome.removed.push(path.clone());
                    }
                    outcome.touched.push(place);
                }
                // Said once: from now on it belongs to somebody else.
                Some(_) => outcome.left_alone.push(path.clone()),
            }
            let gone = hashes.iter().map(|hash| known::file(path, *hash));
            outcome.gone.extend(gone);
        }
        Ok(())
    }

    /// The hash of what is there: nothing; something that is no file; a file.
    #[expect(
        clippy::option_option,
        reason = "three cases that are dealt with at once, in one place"
    )]
    fn hash_of(&self, path: &str) -> io::Result<Option<Option<[u8; 32]>>> {
        let place = self.destination.out.join(path);
        match fs::symlink_metadata(&place) {
            Err(error) if is_absence(&error) => Ok(None),
            Err(error) => Err(error),
            Ok(facts) if facts.is_file() => {
                Ok(Some(Some(Sha256::digest(fs::read(&place)?).into())))
            }
            Ok(_) => Ok(Some(None)),
        }
    }

    /// Removes folders that we made and that are empty and not needed.
    fn remove_folders(&self, needed: &HashSet<&str>, outcome: &mut Outcome) -> Result<(), Failure> {
        // The innermost first.
        for path in self.known.folders().rev() {
            if needed.contains(path) {
                continue;
            }
            let place = self.destination.out.join(path);
            match fs::remove_dir(&place) {
                Ok(()) => outcome.touched.push(place),
                Err(error) if is_absence(&error) => {}
                // What others put into it keeps it.
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => continue,
                Err(error) => return Err(unwritable(&place, error)),
            }
            outcome.gone.push(known::folder(path));
        }
        Ok(())
    }
}

/// Files to remove before anything is placed, since they stand where a folder
/// must be or lie in a folder where a file must be; and the others, which are
/// removed last so that no link leads nowhere meanwhile.
fn split_clashing(
    obsolete: Vec<String>,
    claimed: &std::collections::HashMap<String, u64>,
    staged: &[Staged],
) -> (Vec<String>, Vec<String>) {
    let folders: HashSet<&str> = staged
        .iter()
        .flat_map(|one| known::folders_of(&one.path))
        .collect();
    obsolete.into_iter().partition(|path| {
        folders.contains(path.as_str())
            || known::folders_of(path).any(|folder| claimed.contains_key(folder))
    })
}

/// Threads put files in any order; reports have one.
fn sorted(mut built: Built) -> Built {
    for names in [
        &mut built.created,
        &mut built.changed,
        &mut built.in_the_way,
    ] {
        names.sort();
    }
    built
}
