//! Room kept for the last outcomes: when the disk is full, what relays have
//! said about messages under way can still be written down.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use rustix::fs::{FallocateFlags, fallocate, statvfs};

use super::{companion, folder_of};

const END: &str = ".ballast";
/// Enough for the outcomes of a few sessions.
const LEAST: u64 = 1 << 20;
/// Enough for two hundred sessions, several pages each.
const MOST: u64 = 8 << 20;
/// At most this part of what is free is set aside.
const PART: u64 = 16;

/// Sets room aside if there is enough of it and none is set aside yet. It is
/// real room: blocks of the file system, not a file with holes.
///
/// # Errors
/// When the file system cannot do that; the ledger works without, too.
pub(in crate::store) fn ensure(db_path: &Path) -> io::Result<()> {
    let path = companion(db_path, END);
    if path.exists() {
        return Ok(());
    }
    let facts = statvfs(folder_of(&path))?;
    let free = facts.f_bavail.saturating_mul(facts.f_frsize);
    let size = (free / PART).clamp(LEAST, MOST);
    if free / 4 < size {
        return Ok(());
    }
    // Under another name first: a crash leaves no ballast that is none.
    let begun = companion(db_path, ".ballast.new");
    let made = fill(&begun, size).and_then(|()| fs::rename(&begun, &path));
    if made.is_err() {
        drop(fs::remove_file(&begun));
    }
    made
}

fn fill(path: &Path, size: u64) -> io::Result<()> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    fallocate(&file, FallocateFlags::empty(), 0, size)?;
    file.sync_all()
}

/// Whether there is any.
pub(in crate::store) fn is_there(db_path: &Path) -> bool {
    companion(db_path, END).exists()
}

/// Gives the room back; false when there was none set aside.
pub(in crate::store) fn release(db_path: &Path) -> bool {
    fs::remove_file(companion(db_path, END)).is_ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn ballast_is_real_room_and_is_given_back_once() {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("letterpress.db");
        assert!(!release(&db));
        ensure(&db).unwrap();
        ensure(&db).unwrap();
        let facts = fs::metadata(companion(&db, END)).unwrap();
        assert!((LEAST..=MOST).contains(&facts.len()));
        assert!(facts.blocks() * 512 >= facts.len(), "it has holes");
        assert_eq!(facts.mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(release(&db));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
