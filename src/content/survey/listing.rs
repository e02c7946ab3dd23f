//! Every file of the content folder with its stamp. Files are looked up by their
//! names in open folders, so that the way to a folder is gone once, and not once
//! for each file in it: with very many files that is half of the time.

use std::{
    fs::{self, DirEntry},
    path::Path,
};

use rayon::prelude::*;

use crate::{
    content::file::{is_markdown, list::is_hidden},
    files::Stamp,
};

/// Below so many entries another thread costs more than it saves.
const WORTH_A_THREAD: usize = 64;

/// Files by path in the content folder, in order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) markdown: Vec<(String, Stamp)>,
    pub(super) others: Vec<(String, Stamp)>,
}

/// Lists the folder as [`list`](crate::content::file::list::list) does. `None`
/// where there is something that one has to tell: what cannot be read, links,
/// names that no address can have.
pub(super) fn list(folder: &Path) -> Option<Listing> {
    let mut files = walk(folder, "")?;
    files.par_sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let (markdown, others) = files
        .into_iter()
        .partition(|(name, _)| is_markdown(Path::new(name)));
    Some(Listing { markdown, others })
}

/// What an entry of a folder is.
enum Found {
    File(String, Stamp),
    Folder(String),
    /// Nothing that is published.
    Passed,
}

fn walk(folder: &Path, place: &str) -> Option<Vec<(String, Stamp)>> {
    let entries: Vec<DirEntry> = fs::read_dir(folder).ok()?.collect::<Result<_, _>>().ok()?;
    let found: Vec<Found> = entries
        .par_iter()
        .with_min_len(WORTH_A_THREAD)
        .map(|entry| look(entry, place))
        .collect::<Option<_>>()?;
    let mut files = Vec::with_capacity(found.len());
    let mut folders = Vec::new();
    for one in found {
        match one {
            Found::File(name, stamp) => files.push((name, stamp)),
            Found::Folder(name) => folders.push(name),
            Found::Passed => {}
        }
    }
    let below: Vec<_> = folders
        .par_iter()
        .map(|name| {
            let own = name.rsplit('/').next().unwrap_or(name);
            walk(&folder.join(own), name)
        })
        .collect::<Option<_>>()?;
    files.extend(below.into_iter().flatten());
    Some(files)
}

fn look(entry: &DirEntry, place: &str) -> Option<Found> {
    let name = entry.file_name();
    if is_hidden(&name.to_string_lossy()) {
        return Some(Found::Passed);
    }
    let name = name.into_string().ok()?;
    let kind = entry.file_type().ok()?;
    if kind.is_symlink() || name.contains('\\') {
        return None;
    }
    let path = match place {
        "" => name,
        place => [place, "/", &name].concat(),
    };
    Some(if kind.is_dir() {
        Found::Folder(path)
    } else if kind.is_file() {
        Found::File(path, Stamp::of(&entry.metadata().ok()?))
    } else {
        Found::Passed
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::file::list as whole;

    #[test]
    fn it_lists_what_a_load_lists_with_the_stamps_of_files() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "b/a.md",
            "b-c.md",
            "b/.git/x.md",
            "b/d/p.jpg",
            ".hidden.md",
            "a.md~",
            "b.png",
            "b/d/e/f.markdown",
        ] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        let listing = list(dir.path()).unwrap();
        let files = whole::list(dir.path(), Path::new("content")).unwrap();
        let names = |files: &[(String, Stamp)]| -> Vec<String> {
            files.iter().map(|(name, _)| name.clone()).collect()
        };
        assert_eq!(names(&listing.markdown), files.markdown);
        let mut others: Vec<String> = files.others.into_iter().collect();
        others.sort();
        assert_eq!(names(&listing.others), others);
        for (name, stamp) in listing.markdown.iter().chain(&listing.others) {
            let facts = fs::symlink_metadata(dir.path().join(name)).unwrap();
            assert_eq!(*stamp, Stamp::of(&facts));
        }
    }

    #[cfg(unix)]
    #[test]
    fn whatever_a_load_has_to_tell_of_is_left_to_it() {
        let odd: [fn(&Path); 3] = [
            |dir| std::os::unix::fs::symlink("a.md", dir.join("link.md")).unwrap(),
            |dir| fs::write(dir.join("a\\b.png"), "x").unwrap(),
            |dir| {
                use std::os::unix::ffi::OsStrExt;
                fs::write(dir.join(std::ffi::OsStr::from_bytes(b"\xFF.md")), "x").unwrap();
            },
        ];
        for make in odd {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join("a.md"), "x").unwrap();
            assert!(list(dir.path()).is_some());
            make(dir.path());
            assert_eq!(list(dir.path()), None);
        }
        assert_eq!(list(Path::new("/nowhere/at/all")), None);
    }
}
