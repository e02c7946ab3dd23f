//! What the ledger says of an output folder, ready to be asked by path.

use std::collections::{BTreeSet, HashMap};

use crate::store::{Manifest, Output};

/// The manifest of an output folder.
#[derive(Debug, Default)]
pub(super) struct Known {
    files: HashMap<String, Vec<[u8; 32]>>,
    /// Folders that we made, without the closing `/`.
    folders: BTreeSet<String>,
    /// Whether an earlier build was cut off.
    pub(super) is_cut_off: bool,
}

impl Known {
    pub(super) fn new(manifest: Manifest) -> Self {
        let mut known = Self {
            is_cut_off: manifest.is_cut_off,
            ..Self::default()
        };
        for Output { path, sha256 } in manifest.outputs {
            match sha256 {
                Some(hash) => known.files.entry(path).or_default().push(hash),
                None => {
                    known.folders.insert(path.trim_end_matches('/').to_owned());
                }
            }
        }
        known
    }

    /// Every file, sorted.
    pub(super) fn files(&self) -> BTreeSet<&str> {
        self.files.keys().map(String::as_str).collect()
    }

    /// Every folder, sorted: one comes before what is in it.
    pub(super) fn folders(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.folders.iter().map(String::as_str)
    }

    /// Whether we wrote this file.
    pub(super) fn has_file(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// Whether we made this folder.
    pub(super) fn has_folder(&self, path: &str) -> bool {
        self.folders.contains(path)
    }

    /// Whether what we wrote there last is beyond doubt: no build was cut off
    /// while it was at it.
    pub(super) fn is_settled(&self, path: &str) -> bool {
        self.hashes(path).len() == 1
    }

    /// The hashes of what we wrote there.
    pub(super) fn hashes(&self, path: &str) -> &[[u8; 32]] {
        self.files.get(path).map_or(&[], Vec::as_slice)
    }
}

/// A file as the ledger notes it.
pub(super) fn file(path: &str, hash: [u8; 32]) -> Output {
    Output {
        path: path.to_owned(),
        sha256: Some(hash),
    }
}

/// A folder as the ledger notes it.
pub(super) fn folder(path: &str) -> Output {
    Output {
        path: format!("{path}/"),
        sha256: None,
    }
}

/// The folders a path lies in, the outermost first: `a`, `a/b` for `a/b/c`.
pub(super) fn folders_of(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(end, _)| &path[..end])
}
