//! A Maildir: one file for each mail, new ones in `new/`. What is settled moves
//! to `cur/` as seen, and nothing is ever deleted.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use crate::inbound::mail::MOST_BYTES;

/// A Maildir.
#[derive(Debug, Clone)]
pub struct Maildir {
    root: PathBuf,
}

impl Maildir {
    /// The Maildir in this folder.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// Every mail that nobody has seen, by name, which is nearly the order in
    /// which they came. Another program may have moved some to `cur/` already.
    ///
    /// # Errors
    /// When `new/` or `cur/` cannot be listed.
    pub fn unseen(&self) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for (folder, only_unseen) in [("new", false), ("cur", true)] {
            for entry in fs::read_dir(self.root.join(folder))? {
                let entry = entry?;
                let name = entry.file_name();
                let is_hidden = name.as_encoded_bytes().starts_with(b".");
                // No link leads elsewhere, and no pipe keeps us waiting.
                if entry.file_type()?.is_file() && !is_hidden && !(only_unseen && is_seen(&name)) {
                    found.push((name, entry.path()));
                }
            }
        }
        found.sort();
        Ok(found.into_iter().map(|(_, path)| path).collect())
    }

    /// The beginning of a mail; `None` when somebody took it away meanwhile.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self, mail: &Path) -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(mail) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let mut bytes = Vec::new();
        file.take(MOST_BYTES as u64).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Moves a mail to `cur/` as seen, once its effect is on stable storage.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn settle(&self, mail: &Path) -> io::Result<()> {
        let name = mail.file_name().unwrap_or_default();
        match fs::rename(mail, self.root.join("cur").join(as_seen(name))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !mail.exists() => Ok(()),
            other => other,
        }
    }
}

/// The flags after `:2,` of a name.
fn flags(name: &OsString) -> Option<&[u8]> {
    let bytes = name.as_encoded_bytes();
    let at = memchr::memmem::rfind(bytes, b":2,")?;
    Some(&bytes[at + 3..])
}

fn is_seen(name: &OsString) -> bool {
    flags(name).is_some_and(|flags| flags.contains(&b'S'))
}

/// A name with the flag of what was seen; flags stand in the order of letters.
fn as_seen(name: &std::ffi::OsStr) -> OsString {
    let mut name = name.to_owned();
    let Some(found) = flags(&name) else {
        name.push(":2,S");
        return name;
    };
    let mut letters: Vec<char> = found.iter().map(|byte| char::from(*byte)).collect();
    if !letters.iter().all(char::is_ascii_alphabetic) {
        name.push("S");
        return name;
    }
    letters.push('S');
    letters.sort_unstable();
    letters.dedup();
    let unique = name.to_string_lossy();
    let unique = unique.rsplit_once(":2,").map_or("", |(unique, _)| unique);
    let letters: String = letters.into_iter().collect();
    format!("{unique}:2,{letters}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maildir() -> (tempfile::TempDir, Maildir) {
        let folder = tempfile::tempdir().unwrap();
        for name in ["new", "cur", "tmp"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let maildir = Maildir::at(folder.path());
        (folder, maildir)
    }

    #[test]
    fn what_is_settled_lies_in_cur_as_seen_and_is_not_read_again() {
        let (folder, maildir) = maildir();
        let path = |name: &str| folder.path().join(name);
        for name in [
            "new/2.b.host",
            "new/1.a.host",
            "cur/0.c.host:2,R",
            "cur/3.d.host:2,S",
            "new/.hidden",
        ] {
            fs::write(path(name), name).unwrap();
        }
        std::os::unix::fs::symlink(path("new/1.a.host"), path("new/4.link")).unwrap();
        let unseen = maildir.unseen().unwrap();
        assert_eq!(
            unseen,
            ["cur/0.c.host:2,R", "new/1.a.host", "new/2.b.host"].map(path)
        );
        assert_eq!(maildir.read(&unseen[1]).unwrap().unwrap(), b"new/1.a.host");
        for mail in &unseen {
            maildir.settle(mail).unwrap();
            maildir.settle(mail).unwrap();
        }
        assert!(maildir.unseen().unwrap().is_empty());
        for name in ["cur/0.c.host:2,RS", "cur/1.a.host:2,S", "cur/2.b.host:2,S"] {
            assert!(path(name).is_file(), "{name}");
        }
        assert_eq!(maildir.read(&unseen[1]).unwrap(), None);
    }

    #[test]
    fn a_folder_that_is_no_maildir_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = Maildir::at(folder.path()).unseen().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
