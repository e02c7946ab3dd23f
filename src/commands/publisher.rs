//! Writes the output folder: whole files, and only those whose bytes differ.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{
    exit::{Exit, Failure},
    talk::count,
};
use crate::files::{self, Readers, Written};

/// What a build did to its output folder.
#[derive(Debug, Default, Serialize)]
pub struct Built {
    /// New files, relative to the output folder.
    pub created: Vec<String>,
    /// Files with new bytes.
    pub changed: Vec<String>,
    /// How many files stayed as they were.
    pub unchanged: usize,
}

impl Built {
    /// Whether anything was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.created.is_empty() && self.changed.is_empty()
    }

    fn note(&mut self, name: &str, written: Written) {
        match written {
            Written::Created => self.created.push(name.to_owned()),
            Written::Changed => self.changed.push(name.to_owned()),
            Written::Unchanged => self.unchanged += 1,
        }
    }

    /// One line: how much of what.
    #[must_use]
    pub fn summary(&self) -> String {
        format!(
            "{}, {} changed, {} unchanged",
            count(self.created.len(), "new file"),
            self.changed.len(),
            self.unchanged
        )
    }
}

/// The output folder while it is being written.
pub struct Publisher {
    out: PathBuf,
    built: Built,
}

impl Publisher {
    /// Nothing is written yet.
    #[must_use]
    pub fn new(out: &Path) -> Self {
        Self {
            out: out.to_owned(),
            built: Built::default(),
        }
    }

    /// The output folder by its full path, as the ledger names it.
    #[must_use]
    pub fn folder(&self) -> String {
        let full = std::path::absolute(&self.out).unwrap_or_else(|_| self.out.clone());
        full.to_string_lossy().into_owned()
    }

    /// Writes a file below the folder unless it has these bytes already.
    ///
    /// # Errors
    /// When it cannot be written; what was there stays complete.
    pub fn put(&mut self, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        let file = self.out.join(path);
        let written =
            files::write_if_changed(&file, bytes, Readers::Everybody).map_err(|error| {
                Failure::of(Exit::Io, &error).hint(
                    "what was published before is complete; free space or mend permissions and \
                     build again",
                )
            })?;
        self.built.note(path, written);
        Ok(())
    }

    /// Says that a file written by an earlier build still belongs here as it
    /// is; `false` when it is not there.
    pub fn keep(&mut self, path: &str) -> bool {
        let is_there = self.out.join(path).is_file();
        if is_there {
            self.built.note(path, Written::Unchanged);
        }
        is_there
    }

    /// What was done.
    #[must_use]
    pub fn finish(self) -> Built {
        self.built
    }
}
