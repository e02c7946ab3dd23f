//! What stays as an earlier build left it, so that it need not be made again.

use std::{collections::HashSet, fs};

use super::{Publisher, compress, hash, is_absence, memory::Noted, unwritable};
use crate::{commands::exit::Failure, domain::fingerprint::Fingerprint};

/// A file as an earlier build left it.
enum Left {
    /// As it was noted: its hash; what is noted now, of it and then its copies.
    Noted([u8; 32], Vec<(String, Noted)>),
    /// Its bytes, for what is not noted or looks otherwise.
    Read(Vec<u8>),
}

impl Publisher<'_> {
    /// Keeps a file that was made of the same things by an earlier build, so
    /// that it need not be made; `false` when it has to be.
    ///
    /// # Errors
    /// When that cannot be told, or something else was put there in this build.
    pub fn keeps(&self, path: &str, recipe: Fingerprint) -> Result<bool, Failure> {
        self.take_all(&[path], |path| self.made_of(path, recipe))
    }

    /// Keeps files that belong together and were made of the same things by an
    /// earlier build: all of them, or none.
    ///
    /// # Errors
    /// As [`Publisher::keeps`].
    pub fn keeps_all(
        &self,
        paths: &[impl AsRef<str>],
        recipe: Fingerprint,
    ) -> Result<bool, Failure> {
        self.take_all(paths, |path| self.made_of(path, recipe))
    }

    /// Keeps files of an earlier build as they are, for what never changes once
    /// it is complete; `false` when one of them is not there any more or
    /// somebody else changed it, so that all have to be made again.
    ///
    /// # Errors
    /// As [`Publisher::put`].
    pub fn keep_all(&self, paths: &[impl AsRef<str>]) -> Result<bool, Failure> {
        self.take_all(paths, |path| self.left(path))
    }

    /// Of every file that the last build published, with its bytes.
    #[must_use]
    pub fn noted_files(&self) -> Fingerprint {
        self.memory.fingerprint()
    }

    /// Keeps all that the last build made but `others`; `false` when one of them
    /// is not there any more or somebody else changed it.
    ///
    /// # Errors
    /// As [`Publisher::keeps`].
    pub fn keep_rest(&self, others: &HashSet<String>) -> Result<bool, Failure> {
        let rest: Vec<&str> = self
            .memory
            .originals()
            .filter(|path| !others.contains(*path))
            .collect();
        self.take_all(&rest, |path| match self.memory.get(path) {
            Some(noted) => self.as_noted(path, noted),
            None => Ok(None),
        })
    }

    /// Looks at all before one is taken: what has to be made again must not be
    /// claimed with the bytes that it has.
    fn take_all(
        &self,
        paths: &[impl AsRef<str>],
        look: impl Fn(&str) -> Result<Option<Left>, Failure>,
    ) -> Result<bool, Failure> {
        let mut found = Vec::with_capacity(paths.len());
        for path in paths {
            match look(path.as_ref())? {
                Some(left) => found.push((path.as_ref(), left)),
                None => return Ok(false),
            }
        }
        for (path, left) in found {
            self.take(path, left)?;
        }
        Ok(true)
    }

    fn take(&self, path: &str, left: Left) -> Result<(), Failure> {
        let (hash, all) = match left {
            Left::Noted(hash, all) => (hash, all),
            Left::Read(bytes) => return self.put(path, None, &bytes),
        };
        if !self.claim(path, &hash)? {
            return Ok(());
        }
        for (copy, _) in &all[1..] {
            self.claim(copy, &hash)?;
        }
        let mut progress = self.progress();
        progress.built.unchanged += 1;
        progress.noted.extend(all);
        Ok(())
    }

    /// A file that was made of the same things.
    fn made_of(&self, path: &str, recipe: Fingerprint) -> Result<Option<Left>, Failure> {
        match self.memory.get(path) {
            Some(noted) if noted.recipe == Some(recipe) => self.as_noted(path, noted),
            _ => Ok(None),
        }
    }

    /// A file that nobody changed since.
    fn left(&self, path: &str) -> Result<Option<Left>, Failure> {
        if let Some(noted) = self.memory.get(path)
            && let Some(left) = self.as_noted(path, noted)?
        {
            return Ok(Some(left));
        }
        let place = self.destination.out.join(path);
        let bytes = match fs::read(&place) {
            Ok(bytes) => bytes,
            Err(error) if is_absence(&error) => return Ok(None),
            Err(source) => return Err(unwritable(&place, source)),
        };
        let hashes = self.known.hashes(path);
        let is_ours = hashes.is_empty() || hashes.contains(&hash(&bytes));
        Ok(is_ours.then_some(Left::Read(bytes)))
    }

    /// A file if it and its copies are as they were noted.
    fn as_noted(&self, path: &str, noted: &Noted) -> Result<Option<Left>, Failure> {
        let Some(now) = self.still(path, noted)? else {
            return Ok(None);
        };
        let mut all = vec![(path.to_owned(), now)];
        for &compression in self.compressions.iter().filter(|_| noted.has_copies) {
            let copy = compress::copy_of(path, compression);
            match self.memory.get(&copy).map(|noted| self.still(&copy, noted)) {
                Some(Ok(Some(now))) => all.push((copy, now)),
                Some(Err(failure)) => return Err(failure),
                Some(Ok(None)) | None => return Ok(None),
            }
        }
        Ok(Some(Left::Noted(noted.hash, all)))
    }

    /// What is noted of a file that is still what it was; the ledger must know
    /// nothing else of it.
    fn still(&self, path: &str, noted: &Noted) -> Result<Option<Noted>, Failure> {
        if self.known.hashes(path) != [noted.hash] {
            return Ok(None);
        }
        let place = self.destination.out.join(path);
        match noted.still(&place, self.since) {
            Err(error) if is_absence(&error) => Ok(None),
            told => told.map_err(|source| unwritable(&place, source)),
        }
    }

    /// Keeps the copy of a file that did not change, if it is as we made it.
    pub(super) fn keeps_copy(&self, copy: &str) -> Result<bool, Failure> {
        // Between an intent and its settlement nobody knows which one it is.
        let &[hash] = self.known.hashes(copy) else {
            return Ok(false);
        };
        let noted = self.memory.get(copy).filter(|noted| noted.hash == hash);
        let noted = noted.copied().unwrap_or_else(|| Noted::copy(hash));
        let now = self.still(copy, &noted)?;
        if let Some(now) = now {
            self.progress().noted.insert(copy.to_owned(), now);
        }
        Ok(now.is_some())
    }
}
