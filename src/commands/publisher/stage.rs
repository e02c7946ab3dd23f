//! Compares what is there with what is to be there, and writes what differs
//! beside its place.

use std::{fs, io, path::Path};

use super::{Publisher, Staged, is_absence, known, memory::Noted, unwritable};
use crate::{commands::exit::Failure, files::Stamp};

/// How what is there compares with what is to be there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Difference {
    Absent,
    Other,
    None,
    /// Something that is not ours.
    Foreign,
}

impl Publisher<'_> {
    /// Writes bytes that differ from what is there under another name.
    pub(super) fn stage(
        &self,
        path: &str,
        bytes: &[u8],
        noted: Noted,
        is_copy: bool,
    ) -> Result<Difference, Failure> {
        let place = self.destination.out.join(path);
        let (difference, stamp) = self
            .compare(path, &place, bytes, &noted.hash)
            .map_err(|source| unwritable(&place, source))?;
        match difference {
            Difference::Foreign => {}
            Difference::None => {
                let mut progress = self.progress();
                let noted = Noted { stamp, ..noted };
                progress.noted.insert(path.to_owned(), noted);
                if !self.known.is_settled(path) {
                    progress.adopted.push(known::file(path, noted.hash));
                }
            }
            Difference::Absent | Difference::Other => {
                let written = self.batch.write(bytes);
                let file = written.map_err(|source| unwritable(&place, source))?;
                self.progress().staged.push(Staged {
                    path: path.to_owned(),
                    file,
                    noted,
                    is_copy,
                });
            }
        }
        Ok(difference)
    }

    /// How what is there compares with what is to be there; and what it looks
    /// like, where it is the same.
    fn compare(
        &self,
        path: &str,
        place: &Path,
        bytes: &[u8],
        hash: &[u8; 32],
    ) -> io::Result<(Difference, Option<Stamp>)> {
        let facts = match fs::symlink_metadata(place) {
            Ok(facts) => facts,
            // A file where a folder should be is dealt with in `finish`.
            Err(error) if is_absence(&error) => return Ok((Difference::Absent, None)),
            Err(error) => return Err(error),
        };
        if facts.is_dir() {
            return Ok(match self.known.has_folder(path) {
                true => (Difference::Absent, None),
                false => (Difference::Foreign, None),
            });
        }
        let stamp = Stamp::of(&facts);
        let noted = self.memory.get(path).filter(|noted| noted.hash == *hash);
        let is_noted = noted.is_some_and(|noted| noted.stamp == Some(stamp));
        let is_same_size = facts.is_file() && stamp.size == bytes.len() as u64;
        if is_same_size && (is_noted || fs::read(place)? == bytes) {
            let stamp = Some(stamp).filter(|stamp| stamp.is_settled(self.since));
            return Ok((Difference::None, stamp));
        }
        let may_replace = self.known.has_file(path) || self.destination.may_overwrite;
        Ok(match may_replace {
            true => (Difference::Other, None),
            false => (Difference::Foreign, None),
        })
    }
}
