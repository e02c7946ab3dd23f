//! A small file system under one folder, in a mount namespace of its own, that
//! can be filled, emptied and grown while a program uses it.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::harness::press::Press;
use crate::harness::process::{Finished, Running};

/// Goes, with everything on it, when dropped.
pub(crate) struct SmallDisk {
    /// Keeps the namespace alive.
    holder: Running,
    /// The folder as the program sees it.
    folder: PathBuf,
}

impl SmallDisk {
    /// A file system of so many KiB over `folder` of the press, which must
    /// exist; what was in there is on it.
    #[track_caller]
    pub(crate) fn over(press: &Press, folder: &str, kilobytes: u64) -> Self {
        let mut holder = press.script_in_own_mounts(&format!(
            "mkdir {folder}.kept
             cp -a {folder}/. {folder}.kept/
             mount -t tmpfs -o size={kilobytes}k small {folder}
             cp -a {folder}.kept/. {folder}/
             echo ready >&2
             exec sleep 3600"
        ));
        holder.wait_for_stderr("ready\n");
        let folder = press.path(folder);
        Self { holder, folder }
    }

    /// Starts the program where the small file system is.
    #[track_caller]
    pub(crate) fn spawn(&self, press: &Press, arguments: &[&str]) -> Running {
        let (target, place) = (self.target(), format!("--wdns={}", press.dir().display()));
        let wrapper = ["nsenter", &target, "--mount", &place, "--"];
        press.spawn_under(&wrapper, arguments)
    }

    /// Runs the program there to its end.
    #[track_caller]
    pub(crate) fn run(&self, press: &Press, arguments: &[&str]) -> Finished {
        self.spawn(press, arguments).wait()
    }

    /// How many bytes are free.
    pub(crate) fn free(&self) -> u64 {
        let facts = rustix::fs::statvfs(self.outside("")).unwrap();
        facts.f_bavail * facts.f_frsize
    }

    /// How long a file on it is; 0 if it is not there.
    pub(crate) fn size_of(&self, name: &str) -> u64 {
        fs::metadata(self.outside(name)).map_or(0, |facts| facts.len())
    }

    /// Fills it until so many bytes are free.
    pub(crate) fn fill(&self, leave: u64) {
        let mut filler = File::create(self.outside("filler")).unwrap();
        let amount = self.free().saturating_sub(leave);
        drop(filler.write_all(&vec![0; usize::try_from(amount).unwrap()]));
    }

    /// Takes the filling out.
    pub(crate) fn empty(&self) {
        self.remove("filler");
    }

    /// Removes a file, if it is there.
    pub(crate) fn remove(&self, name: &str) {
        drop(fs::remove_file(self.outside(name)));
    }

    /// Copies the ledger out, so that looking at it changes nothing.
    pub(crate) fn ledger(&self, into: &Path) -> crate::harness::ledger::Ledger {
        drop(fs::remove_dir_all(into));
        fs::create_dir(into).unwrap();
        for name in ["letterpress.db", "letterpress.db-wal"] {
            drop(fs::copy(self.outside(name), into.join(name)));
        }
        crate::harness::ledger::Ledger::open(&into.join("letterpress.db"))
    }

    fn target(&self) -> String {
        format!("--target={}", self.holder.pid())
    }

    /// A file on it, by a way that leads there from our own namespace.
    fn outside(&self, name: &str) -> PathBuf {
        let inside = self.folder.strip_prefix("/").unwrap().join(name);
        Path::new(&format!("/proc/{}/root", self.holder.pid())).join(inside)
    }
}
