//! What a file's entry says of it without its being read: while that stays the
//! same, so do its bytes.

use std::fs::Metadata;

use chrono::{DateTime, TimeDelta, Utc};

/// Size, times and identity of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// Size in bytes.
    pub size: u64,
    /// Last change of its bytes, in nanoseconds since 1970.
    pub modified: i64,
    /// Last change of anything about it, in nanoseconds since 1970: nobody can
    /// set this one back.
    pub changed: i64,
    /// Its number in the file system: another one after a rename over it.
    pub inode: u64,
}

impl Stamp {
    /// The stamp of a file that was looked at.
    #[must_use]
    #[cfg(unix)]
    pub fn of(facts: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        let nanoseconds = |seconds: i64, rest: i64| seconds.wrapping_mul(1_000_000_000) + rest;
        Self {
            size: facts.len(),
            modified: nanoseconds(facts.mtime(), facts.mtime_nsec()),
            changed: nanoseconds(facts.ctime(), facts.ctime_nsec()),
            inode: facts.ino(),
        }
    }

    /// Whether a change of the bytes after `now` will show in
    /// [`Self::modified`]. One in the tick of the last change might not, which
    /// is why a file that has changed just now must be read again next time, as
    /// git does it ("racy git").
    #[must_use]
    pub fn is_settled(&self, now: DateTime<Utc>) -> bool {
        DateTime::from_timestamp_nanos(self.modified) + self.tick() < now
    }

    /// How long a file system may give the same time. Those that keep fractions
    /// of a second use the kernel's tick, at most 10 ms; others whole seconds,
    /// FAT two.
    fn tick(&self) -> TimeDelta {
        if self.modified % 1_000_000 == 0 {
            TimeDelta::milliseconds(2_500)
        } else {
            TimeDelta::milliseconds(30)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_settled_once_its_clock_has_moved_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.md");
        std::fs::write(&path, "x").unwrap();
        let stamp = Stamp::of(&std::fs::metadata(&path).unwrap());
        let at = DateTime::from_timestamp_nanos(stamp.modified);
        assert!(!stamp.is_settled(at));
        assert!(!stamp.is_settled(at + TimeDelta::milliseconds(9)));
        assert!(stamp.is_settled(at + TimeDelta::seconds(3)));
        let coarse = Stamp {
            modified: 1_795_000_000_000_000_000,
            ..stamp
        };
        let at = DateTime::from_timestamp_nanos(coarse.modified);
        assert!(!coarse.is_settled(at + TimeDelta::seconds(2)));
        assert!(coarse.is_settled(at + TimeDelta::seconds(3)));
    }

    #[test]
    fn a_replaced_file_has_another_stamp_whatever_its_times_say() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.md");
        let stamp = || Stamp::of(&std::fs::metadata(&path).unwrap());
        std::fs::write(&path, "one").unwrap();
        let before = stamp();
        let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(30));
        std::fs::write(&path, "two").unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(modified).unwrap();
        assert_eq!(stamp().modified, before.modified);
        assert_ne!(stamp(), before);
    }
}
