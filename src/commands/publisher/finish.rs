//! The end of a build: intent in the ledger, all files to their places, what is
//! left over removed, and the ledger told that it is done.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fs, io,
    path::PathBuf,
    sync::PoisonError,
};

use chrono::{DateTime, Utc};

use super::{
    Built, Exit, Failure, Noted, Progress, Publisher, Staged, compress, hash, is_absence, known,
    unwritable,
};
use crate::{
    commands::workspace,
    files::{self, Stamp},
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
    /// What the next build may know of the files that were placed.
    noted: Vec<(String, Noted)>,
}

/// What this build has to do, in order.
struct Plan {
    staged: Vec<Staged>,
    adopted: Vec<Output>,
    feeds: Vec<String>,
    /// Folders that stay, whoever made them.
    needed: HashSet<String>,
    /// Stand where a folder must be, or lie in a folder where a file must be:
    /// removed before anything is placed.
    in_our_way: Vec<String>,
    /// Removed last, so that no link leads nowhere meanwhile.
    obsolete: Vec<String>,
}

impl Publisher<'_> {
    /// Gives every file its place and removes what nothing makes any more.
    /// `now` is when the feeds changed, for the hub.
    ///
    /// # Errors
    /// When the ledger or a file cannot be written. Each file is complete then,
    /// with its old or its new bytes, and the next build goes on from there.
    pub async fn finish(mut self, now: DateTime<Utc>) -> Result<Built, Failure> {
        let progress = self.progress.get_mut();
        let mut progress = std::mem::take(progress.unwrap_or_else(PoisonError::into_inner));
        let mut built = std::mem::take(&mut progress.built);
        let mut noted = std::mem::take(&mut progress.noted);
        let plan = self.plan(progress)?;
        let mut outcome = Outcome::default();
        if self.is_idle(&plan) {
            // Somebody may have emptied a folder that only we had a use for.
            self.remove_folders(&plan.needed, &mut outcome)?;
            if outcome.gone.is_empty() {
                self.remember(&noted);
                return Ok(sorted(built));
            }
        }
        // 1. The bytes are on disk before anybody is told.
        let waiting: Vec<_> = plan.staged.iter().map(|one| &one.file).collect();
        let synced = self.batch.sync(&waiting);
        synced.map_err(|source| unwritable(&self.destination.out, source))?;
        // 2. The ledger knows what will be ours before it is there.
        self.store
            .intend_outputs(&self.name, self.intent(&plan), self.news(&plan.feeds), now)
            .await
            .map_err(workspace::store_failure)?;
        // 3. The folder becomes what it is to be.
        self.exchange(plan, &mut outcome)?;
        // 4. The ledger knows that it is done.
        self.store
            .settle_outputs(&self.name, outcome.gone)
            .await
            .map_err(workspace::store_failure)?;
        noted.extend(outcome.noted);
        self.remember(&noted);
        built.removed = outcome.removed;
        built.left_alone = outcome.left_alone;
        Ok(sorted(built))
    }

    /// Without this the next build takes longer and does the same.
    fn remember(&self, noted: &HashMap<String, Noted>) {
        drop(self.memory.write(noted));
    }

    fn plan(&self, progress: Progress) -> Result<Plan, Failure> {
        let Progress {
            claimed,
            mut staged,
            adopted,
            mut feeds,
            ..
        } = progress;
        feeds.sort();
        // Copies first: a copy is never older than its original, which is how
        // the next build knows that it is good.
        staged.sort_by(|a, b| (!a.is_copy, &a.path).cmp(&(!b.is_copy, &b.path)));
        let needed: HashSet<String> = claimed
            .keys()
            .flat_map(|path| known::folders_of(path))
            .map(str::to_owned)
            .collect();
        let doubled = needed.iter().filter(|path| claimed.contains_key(*path));
        if let Some(path) = doubled.min() {
            let what = format!("`{path}` would have to be a file and a folder");
            return Err(Failure::new(Exit::Data, what)
                .hint("give one of them another address; nothing was published"));
        }
        let (in_our_way, obsolete) = self
            .known
            .files()
            .into_iter()
            .filter(|path| !claimed.contains_key(*path))
            .map(str::to_owned)
            .partition(|path| {
                let is_below_a_file = |folder| claimed.contains_key(folder);
                needed.contains(path) || known::folders_of(path).any(is_below_a_file)
            });
        Ok(Plan {
            staged,
            adopted,
            feeds,
            needed,
            in_our_way,
            obsolete,
        })
    }

    fn is_idle(&self, plan: &Plan) -> bool {
        let has_leftovers = !plan.in_our_way.is_empty() || !plan.obsolete.is_empty();
        plan.staged.is_empty()
            && plan.adopted.is_empty()
            && !has_leftovers
            && !self.known.is_cut_off
    }

    /// Every file and folder that this build makes its own.
    fn intent(&self, plan: &Plan) -> Vec<Output> {
        let staged = &plan.staged;
        let written = staged
            .iter()
            .map(|one| known::file(&one.path, one.noted.hash));
        let folders = self.folders_to_make(staged);
        let made = folders.iter().map(|path| known::folder(path));
        plan.adopted
            .iter()
            .cloned()
            .chain(written)
            .chain(made)
            .collect()
    }

    fn exchange(&self, plan: Plan, outcome: &mut Outcome) -> Result<(), Failure> {
        if !plan.in_our_way.is_empty() {
            self.remove(&plan.in_our_way, outcome)?;
            self.remove_folders(&plan.needed, outcome)?;
        }
        self.forget_older(&plan.staged, &plan.adopted, outcome);
        for one in plan.staged {
            self.place(one, outcome)?;
        }
        self.remove(&plan.obsolete, outcome)?;
        self.remove_folders(&plan.needed, outcome)?;
        let synced = files::sync_places(outcome.touched.iter().map(PathBuf::as_path));
        synced.map_err(|source| unwritable(&self.destination.out, source))
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
            .map(|one| (one.path.as_str(), one.noted.hash))
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
        let stamp = Stamp::of(&fs::symlink_metadata(&place).map_err(failed)?);
        let now = self.destination.clock.machine_time();
        let stamp = Some(stamp).filter(|stamp| stamp.is_settled(now));
        let noted = Noted { stamp, ..one.noted };
        outcome.noted.push((one.path, noted));
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
            Ok(facts) if facts.is_file() => Ok(Some(Some(hash(&fs::read(&place)?)))),
            Ok(_) => Ok(Some(None)),
        }
    }

    /// Removes folders that we made and that are empty and not needed.
    fn remove_folders(
        &self,
        needed: &HashSet<String>,
        outcome: &mut Outcome,
    ) -> Result<(), Failure> {
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
